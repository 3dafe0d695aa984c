"""mamba-ssm's Triton scan on a CPU: reads inputs from a file, writes outputs and gradients.

Run with ``TRITON_INTERPRET=1``, which Triton reads when it is imported, hence a program of its
own; ``BENCHMARKS`` is the folder of ``peers.py``. The kernels are interpreted, not compiled:
small inputs only.

    TRITON_INTERPRET=1 python triton_interpreter.py BENCHMARKS INPUTS.pt RESULTS.pt
"""

import contextlib
import sys
import types
from typing import Any

import torch
import triton

folder, source, target = sys.argv[1:]
sys.path.append(folder)

# What the launchers ask of a GPU, answered for a machine without one.
torch.cuda.device = lambda *_: contextlib.nullcontext()
torch.cuda.get_device_properties = lambda *_: types.SimpleNamespace(
    multi_processor_count=1, name="interpreter", major=9, minor=0
)
choose = triton.autotune


def smallest_blocks(configs: list, key: list[str], **options: Any) -> Any:
    """No tuning: the configuration with the smallest blocks, the quickest to interpret."""
    least = min(configs, key=lambda c: sum(v for v in c.kwargs.values() if isinstance(v, int)))
    return choose([least], key, **options)


triton.autotune = smallest_blocks

import peers  # noqa: E402 - the kernels are tuned when they are imported

scan = peers.mamba_ssm("ops.triton.ssd_combined").mamba_chunk_scan_combined
given = torch.load(source, weights_only=True)
inputs = [t.requires_grad_() for t in given["inputs"]]
x, dt, a, b, c, state = inputs
y, last = scan(
    x,
    dt,
    a,
    b.unsqueeze(2),
    c.unsqueeze(2),
    chunk_size=given["chunk"],
    initial_states=state,
    return_final_states=True,
)
grads = torch.autograd.grad([y, last], inputs, given["grads"])
torch.save({"outputs": [y.detach(), last.detach()], "grads": list(grads)}, target)
