"""The mechanisms against other people's implementations, where these are installed.

Development tests: without the peers (``make peers``) they skip; ``GENEZIP_REQUIRE_PEERS=1`` turns
the skip into a failure.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "benchmarks"))
import peers  # noqa: E402

from genezip.models.hnet.architecture import Architecture  # noqa: E402
from genezip.models.layers.mamba2 import NORM_EPS, Mamba2  # noqa: E402
from genezip.models.layers.ssd import ssd  # noqa: E402
from genezip.models.routing.chunking import ema_dechunk  # noqa: E402

# Largest error beside the largest value.
CLOSE = {torch.float64: 1e-11, torch.float32: 5e-6}


def peer(load: Callable[..., ModuleType], *names: str) -> ModuleType:
    try:
        return load(*names)
    except ImportError as error:
        if os.environ.get("GENEZIP_REQUIRE_PEERS") == "1":
            pytest.fail(str(error))
        pytest.skip(str(error))


def assert_close(found: Tensor, wanted: Tensor, dtype: torch.dtype) -> None:
    assert found.shape == wanted.shape
    error = (found - wanted).abs().max() / wanted.abs().max()
    assert error < CLOSE[dtype], f"relative error {error:.1e}"


def inputs(length: int, dtype: torch.dtype, heads: int = 4, width: int = 16) -> list[Tensor]:
    """x, dt, a, b, c and a first state."""
    torch.manual_seed(length)
    x, dt = torch.randn(2, length, heads, width), torch.rand(2, length, heads) * 0.1
    b, c = torch.randn(2, 2, length, 16)
    state = torch.randn(2, heads, width, 16)
    return [t.to(dtype) for t in (x, dt, -torch.linspace(1, 16, heads), b, c, state)]


@pytest.mark.parametrize("dtype", list(CLOSE))
@pytest.mark.parametrize("chunk", [16, 64])
def test_ssd_equals_the_minimal_listing(chunk: int, dtype: torch.dtype) -> None:
    """Outputs, last state and gradients of the listing of the Mamba-2 paper."""
    minimal = peer(peers.mamba_ssm, "modules.ssd_minimal").ssd_minimal_discrete
    arguments = [t.requires_grad_() for t in inputs(192, dtype)]
    x, dt, a, b, c, state = arguments
    b_heads, c_heads = (t.unsqueeze(2).expand(-1, -1, 4, -1) for t in (b, c))
    want = minimal(x * dt.unsqueeze(-1), a * dt, b_heads, c_heads, chunk, state.unsqueeze(1))
    found = ssd(x, dt, a, b, c, chunk=64, state=state)
    grads = [torch.randn_like(t) for t in want]
    for one, other in zip(
        (*found, *torch.autograd.grad(found, arguments, grads)),
        (*want, *torch.autograd.grad(want, arguments, grads)),
        strict=True,
    ):
        assert_close(one, other, dtype)


@pytest.mark.parametrize("length", [64, 130, 1000])
def test_ssd_equals_the_reference_of_the_kernels(length: int) -> None:
    reference = peer(peers.mamba_ssm, "ops.triton.ssd_combined").ssd_chunk_scan_combined_ref
    x, dt, a, b, c, _ = inputs(length, torch.float32)
    fill = -length % 64  # the reference's states want whole chunks
    padded = [torch.nn.functional.pad(t, (0, 0) * (t.dim() - 2) + (0, fill)) for t in (x, dt, b, c)]
    want = reference(
        padded[0], padded[1], a, padded[2].unsqueeze(2), padded[3].unsqueeze(2), chunk_size=64
    )
    assert_close(ssd(x, dt, a, b, c)[0], want[:, :length], torch.float32)


@pytest.mark.slow  # a process of its own
def test_ssd_equals_the_triton_kernels(tmp_path: Path) -> None:
    """Forward and gradients of the fused path, run by Triton's interpreter."""
    peer(peers.mamba_ssm, "ops.triton.ssd_combined")
    arguments = inputs(80, torch.float32, heads=2)
    arguments = [t[:1] if t.dim() > 1 else t for t in arguments]
    for t in arguments:
        t.requires_grad_()
    x, dt, a, b, c, state = arguments
    found = ssd(x, dt, a, b, c, chunk=32, state=state)
    grads = [torch.randn_like(t) for t in found]
    given, results = tmp_path / "inputs.pt", tmp_path / "results.pt"
    torch.save({"inputs": [t.detach() for t in arguments], "grads": grads, "chunk": 32}, given)
    program = Path(__file__).parent / "triton_interpreter.py"
    done = subprocess.run(
        [sys.executable, str(program), str(REPO / "benchmarks"), str(given), str(results)],
        env={**os.environ, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    want = torch.load(results, weights_only=True)
    for one, other in zip(found, want["outputs"], strict=True):
        assert_close(one, other, torch.float32)
    own = torch.autograd.grad(found, arguments, grads)
    for one, other in zip(own, want["grads"], strict=True):
        assert_close(one, other, torch.float32)


@pytest.mark.parametrize("length", [1, 63, 300])
def test_mamba2_equals_transformers(length: int) -> None:
    """The whole mixer: projections, convolution, scan, gated norm.

    Its scan and norm compute in fp32 whatever the weights are, so fp32 is all there is.
    """
    modeling = peer(peers.transformers_mamba2)
    shape = Architecture(
        d_model=(32, 32, 32),
        encoder_layers=(1, 1),
        trunk_layers=1,
        decoder_layers=(1, 1),
        d_state=16,
        headdim=16,
    )
    torch.manual_seed(0)
    own = Mamba2(32, shape)
    own.reset_parameters(0.02)
    theirs = modeling.Mamba2Mixer(
        modeling.Mamba2Config(
            hidden_size=32,
            num_heads=own.heads,
            head_dim=own.headdim,
            state_size=own.state,
            expand=shape.expand,
            n_groups=1,
            conv_kernel=shape.d_conv,
            chunk_size=32,
            layer_norm_epsilon=NORM_EPS,
            num_hidden_layers=1,
        ),
        layer_idx=0,
    ).eval()
    with torch.no_grad():
        for parameter in own.parameters():  # none may hide behind its initial ones or zeros
            parameter.add_(0.3 * torch.randn_like(parameter))
    theirs.load_state_dict(
        {
            "in_proj.weight": own.in_proj.weight,
            "conv1d.weight": own.conv_weight.unsqueeze(1),
            "conv1d.bias": own.conv_bias,
            "dt_bias": own.dt_bias,
            "A_log": own.a_log,
            "D": own.d,
            "norm.weight": own.norm_weight,
            "out_proj.weight": own.out_proj.weight,
        }
    )
    x = torch.randn(2, length, 32)
    with torch.no_grad():
        assert_close(own(x), theirs(x), torch.float32)


def test_ema_equals_the_scan_of_h_net_dynamic_chunking() -> None:
    chunker = peer(peers.h_net).DynamicSequenceChunker(8)
    torch.manual_seed(0)
    tokens = torch.randn(2, 137, 8)
    prob = torch.rand(2, 137) * 0.98 + 0.01
    want = chunker.smooth_assoc_scan(1 - prob, prob.unsqueeze(-1) * tokens)
    assert_close(ema_dechunk(tokens, prob), want, torch.float32)
