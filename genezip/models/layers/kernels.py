"""The one place that picks fused or plain kernels for the state-space scan.

Plain PyTorch is the default and the definition. On a CUDA device with the optional
``mamba-ssm`` package the fused Triton scan takes its place.
"""

from functools import cache
from typing import Any

import torch
from torch import Tensor

from genezip.models.layers.scan import full_precision
from genezip.models.layers.ssd import ssd


@cache
def fused_scan() -> Any | None:
    """The fused scan of mamba-ssm, or None where the package cannot be imported."""
    try:
        from mamba_ssm.ops.triton.ssd_combined import mamba_chunk_scan_combined
    except ImportError:
        return None
    return mamba_chunk_scan_combined


def scan(
    x: Tensor,
    dt: Tensor,
    a: Tensor,
    b: Tensor,
    c: Tensor,
    chunk: int,
    state: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Outputs and last state of :func:`~genezip.models.layers.ssd.ssd` by the fastest kernel.

    y has the type of ``x``; the state is fp32 (fp64 in an fp64 network).
    """
    # in fp32 the fused kernel multiplies in TF32, too coarse for streams to equal the whole
    half = x.dtype in (torch.bfloat16, torch.float16)
    fused = fused_scan() if x.is_cuda and half else None
    if fused is not None:
        return fused(
            x,
            dt,
            a,
            b.unsqueeze(2),
            c.unsqueeze(2),
            chunk_size=chunk,
            initial_states=state,
            return_final_states=True,
        )
    with torch.autocast(device_type=x.device.type, enabled=False):
        x32, dt, a, b, c = (full_precision(t) for t in (x, dt, a, b, c))
        y, after = ssd(x32, dt, a, b, c, chunk, state)
        return y.to(x.dtype), after
