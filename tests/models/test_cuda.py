"""On a CUDA device: the same numbers as on the CPU, no read more than the CPU's tests count.

``benchmarks/gpu_check.py`` runs these tests; without a device they skip. Networks are in fp64
wherever a mask is decided, so that rounding flips none.
"""

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from toolkit.dna import random_batch
from toolkit.networks import CAUSAL, FLAT, FREE, speaking_network
from toolkit.training import Batches, next_base, run_of
from torch import Tensor, nn

from genezip.models.hnet.network import GeneZipNetwork
from genezip.models.layers import mamba2
from genezip.models.layers.mamba2 import causal_convolution
from genezip.models.layers.scan import linear_scan, linear_scan_loop
from genezip.models.layers.ssd import fused_scan, ssd, ssd_loop
from genezip.models.routing.chunking import chunk, ema_dechunk, ema_dechunk_loop
from genezip.models.routing.learned import adjacent_cosine, bounded, bounded_loop

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "benchmarks"))
import peers  # noqa: E402

pytestmark = pytest.mark.cuda

DEVICE = "cuda"
# Largest error beside the largest value of the CPU's result in fp64.
CLOSE = {torch.float64: 1e-11, torch.float32: 1e-5, torch.bfloat16: 3e-2}
MEMBERS: dict[str, dict] = {
    "learned": FREE,
    "floor": {"k_min": (60, 30)},
    "ceiling": {"k_max": (60, 20)},
    "causal": CAUSAL,
    "unet": {"router": ("block", "block"), "stride": (4, 3)},
    "stride": {"router": ("stride", "stride"), "stride": (4, 3)},
    "random": {"router": ("random", "random"), "stride": (4, 3)},
    "cpg": {"router": ("cpg", "stride"), "stride": (None, 1)},
    "flat": {**FLAT, "trunk_layers": 2},
}


def assert_close(found: Tensor, exact: Tensor, dtype: torch.dtype) -> None:
    assert found.device.type == DEVICE
    assert found.shape == exact.shape
    error = (found.cpu().double() - exact.double()).abs().max() / exact.abs().max().clamp(min=1e-9)
    assert error < CLOSE[dtype], f"relative error {float(error):.1e}"


def on_device(tensors: list[Tensor], dtype: torch.dtype) -> list[Tensor]:
    """Copies on the device that collect gradients."""
    return [t.detach().to(DEVICE, dtype).requires_grad_() for t in tensors]


def assert_equals_loop(
    fast: Callable[..., object],
    slow: Callable[..., object],
    given: list[Tensor],
    dtype: torch.dtype,
) -> None:
    """Results and gradients of ``fast`` on the device are those of ``slow`` in fp64."""
    there, here = on_device(given, dtype), [t.detach().double().requires_grad_() for t in given]
    found, exact = fast(*there), slow(*here)
    found, exact = (out if isinstance(out, tuple) else (out,) for out in (found, exact))
    weights = [torch.randn_like(t) for t in exact]
    for one, other in zip(found, exact, strict=True):
        assert_close(one, other, dtype)
    grads = torch.autograd.grad([(t * w.to(t)).sum() for t, w in zip(found, weights, strict=True)],
                                there)  # fmt: skip
    want = torch.autograd.grad([(t * w).sum() for t, w in zip(exact, weights, strict=True)], here)
    for one, other in zip(grads, want, strict=True):
        assert_close(one, other, dtype)


def scan_inputs(length: int, decay: float, heads: int = 3, width: int = 4) -> list[Tensor]:
    """x, dt, a, b, c and a first state."""
    torch.manual_seed(length)
    x, dt = torch.randn(2, length, heads, width), torch.rand(2, length, heads) * decay
    b, c = torch.randn(2, 2, length, 16)
    return [x, dt, -1 - 15 * torch.rand(heads), b, c, torch.randn(2, heads, width, 16)]


# -- mechanisms against their definitions --------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("length", [1, 16, 17, 300])
def test_linear_scan(length: int, dtype: torch.dtype) -> None:
    torch.manual_seed(length)
    given = [-torch.rand(2, 3, length) * 9, torch.randn(2, 3, length, 4), torch.randn(2, 3, 4)]
    assert_equals_loop(linear_scan, linear_scan_loop, given, dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("decay", [0.1, 40.0], ids=["slow", "fast"])
@pytest.mark.parametrize("length", [1, 64, 130, 1000])
def test_ssd(length: int, decay: float, dtype: torch.dtype) -> None:
    """The masked form, which is the device's own, also where a chunk forgets all."""

    def chunked(*given: Tensor) -> tuple[Tensor, Tensor]:
        return ssd(*given[:5], 64, given[5])

    assert_equals_loop(chunked, ssd_loop, scan_inputs(length, decay), dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_ema_dechunk(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    given = [torch.randn(2, 77, 5), 0.01 + 0.98 * torch.rand(2, 77), torch.randn(2, 5)]
    assert_equals_loop(ema_dechunk, ema_dechunk_loop, given, dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_convolution_and_cosine_equal_those_of_the_cpu(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    given = [torch.randn(2, 50, 6), torch.randn(6, 4), torch.randn(6)]
    assert_equals_loop(causal_convolution, causal_convolution, given, dtype)
    given = [torch.randn(2, 50, 6), torch.randn(2, 50, 6)]
    assert_equals_loop(adjacent_cosine, adjacent_cosine, given, dtype)


@pytest.mark.parametrize(("floor", "ceiling"), [(8, None), (None, 9), (30, 40)])
def test_bounded_routing_and_chunks(floor: int | None, ceiling: int | None) -> None:
    """Ties, short rows, nothing and everything wanted."""
    draw = torch.Generator().manual_seed(0)
    prob = torch.randint(5, (6, 90), generator=draw) / 4
    valid = torch.arange(90) < torch.tensor([90, 90, 90, 61, 5, 1]).unsqueeze(1)
    active = prob > torch.tensor([0.5, 2.0, -1.0, 0.5, 0.5, 0.5]).unsqueeze(1)
    active[:, 0] = True
    active &= valid
    want = bounded_loop(prob, active, valid, floor, ceiling)
    there = [t.to(DEVICE) for t in (prob, active, valid)]
    found = bounded(*there, floor, ceiling)
    assert torch.equal(found.cpu(), want)
    one, other = chunk(found), chunk(want)
    for name in ("positions", "valid", "token_index"):
        assert torch.equal(getattr(one, name).cpu(), getattr(other, name)), name


# -- the network against itself on the CPU -------------------------------------------------


def step_of(network: GeneZipNetwork, **changes: object) -> tuple[Tensor, list[Tensor]]:
    """Figures and gradients of one training step."""
    run = run_of(**{"batch": 4, "micro_batch": 2, **changes})
    _, values = next_base(network, run).minimise(Batches(windows=4, unknown=True).next_batch())
    gradients = [p.grad.cpu() for p in network.parameters() if p.grad is not None]
    network.zero_grad(set_to_none=True)
    return values.cpu(), gradients


def assert_same_step(one: tuple, other: tuple, tolerance: float) -> None:
    torch.testing.assert_close(one[0], other[0], rtol=tolerance, atol=tolerance)
    assert len(one[1]) == len(other[1])
    largest = max(float(grad.abs().max()) for grad in other[1] if grad.numel())
    for mine, its in zip(one[1], other[1], strict=True):
        torch.testing.assert_close(mine, its, rtol=tolerance, atol=tolerance * largest)


@pytest.mark.parametrize("name", MEMBERS)
def test_forward_and_training_step(name: str) -> None:
    network = speaking_network(**MEMBERS[name]).double()
    ids = random_batch(300, rows=3)
    valid = torch.arange(300) < torch.tensor([[300], [140], [7]])
    with torch.inference_mode():
        want = network(ids, valid)
    gradients = step_of(network)
    network.to(DEVICE)
    with torch.inference_mode():
        found = network(ids.to(DEVICE), valid.to(DEVICE))
    for one, other in zip(found.routings, want.routings, strict=True):
        assert torch.equal(one.boundary_mask.cpu(), other.boundary_mask)
        assert torch.equal(one.kept_by.cpu(), other.kept_by)
    difference = (found.logits.cpu() - want.logits)[valid]
    assert difference.abs().max() < 1e-9
    assert_same_step(step_of(network), gradients, 1e-8)


def test_segments_packed_rows_and_recomputed_blocks_change_nothing() -> None:
    network = speaking_network(**CAUSAL).double().to(DEVICE)
    ids = random_batch(300, rows=3).to(DEVICE)
    logits = []
    for segment, packed in ((1000, False), (64, False), (1000, True)):
        network.segment, network.packed = {DEVICE: segment}, packed
        with torch.inference_mode():
            logits.append(network(ids).logits)
    for other in logits[1:]:
        assert_close(other, logits[0].cpu(), torch.float64)
    network.packed = False
    plain = step_of(network)
    network.checkpoint_activations(True)
    assert_same_step(step_of(network), plain, 1e-9)


def test_bf16_autocast_is_near_and_keeps_its_head_in_fp32() -> None:
    network = speaking_network(**FREE)
    ids = random_batch(300, rows=2)
    draw = torch.Generator().manual_seed(0)
    outer = torch.rand(2, 300, generator=draw) < 0.2
    outer[:, 0] = True
    inner = torch.rand(2, int(outer.sum(1).max()), generator=draw) < 0.2
    inner[:, 0] = True
    inner &= chunk(outer).valid
    with torch.inference_mode():
        want = network(ids, forced=[outer, inner]).logits
        network.to(DEVICE)
        with torch.autocast(DEVICE, torch.bfloat16):
            found = network(ids.to(DEVICE), forced=[outer.to(DEVICE), inner.to(DEVICE)]).logits
    assert found.dtype == torch.float32
    assert_close(found, want, torch.bfloat16)


def test_bf16_training_step_is_finite() -> None:
    values, gradients = step_of(speaking_network().to(DEVICE), precision="bf16")
    assert all(torch.isfinite(t).all() for t in (values[:2], *gradients))


# -- reads from the device -----------------------------------------------------------------

SYNCHRONISES = "called a synchronizing CUDA operation"


@contextmanager
def device_reads(mode: str) -> Iterator[list[str]]:
    """What CUDA says of reads inside; in mode ``error`` the first one raises."""
    said: list[str] = []
    torch.cuda.set_sync_debug_mode(mode)  # warns of itself
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield said
        said += [str(each.message) for each in caught if SYNCHRONISES in str(each.message)]
    finally:
        torch.cuda.set_sync_debug_mode("default")


def ready(fixed_capacity: bool, **changes: object) -> tuple[nn.Module, Tensor]:
    """A network and bases on the device, both used before: what loads or compiles may wait."""
    network = speaking_network(**changes).to(DEVICE).eval()
    network.fixed_capacity = fixed_capacity
    ids = random_batch(300, rows=3).to(DEVICE)
    with torch.inference_mode():
        network(ids)
        with torch.autocast(DEVICE, torch.bfloat16):
            network(ids)
    torch.cuda.synchronize()
    return network, ids


@pytest.mark.parametrize("changes", [FREE, {"k_min": (8, 4)}, {"k_max": (60, 20)}, CAUSAL])
def test_one_read_per_stage(changes: dict) -> None:
    network, ids = ready(False, **changes)
    with device_reads("warn") as said, torch.inference_mode():
        network(ids)
    assert len(said) == 2


@pytest.mark.parametrize("changes", [{"k_max": (250, 200)}, CAUSAL])
def test_with_a_fixed_capacity_there_is_no_read(changes: dict) -> None:
    network, ids = ready(True, **changes)
    with device_reads("error"), torch.inference_mode(), torch.autocast(DEVICE, torch.bfloat16):
        network(ids)


# -- the fused scan of mamba-ssm; last, because its kernels take long to compile -----------


def fused(scan: Callable[..., tuple[Tensor, Tensor]]) -> Callable[..., tuple[Tensor, Tensor]]:
    """Its call with our arguments."""

    def run(*given: Tensor) -> tuple[Tensor, Tensor]:
        x, dt, a, b, c, state = given
        return scan(x, dt, a, b.unsqueeze(2), c.unsqueeze(2), chunk_size=64,
                    initial_states=state, return_final_states=True)  # fmt: skip

    return run


@pytest.mark.parametrize("length", [64, 130, 1000])
def test_the_fused_scan_equals_the_recurrence(length: int) -> None:
    """Outputs, last state and gradients: inputs rounded to bf16, step sizes and decays in fp32."""
    try:
        scan = peers.mamba_ssm("ops.triton.ssd_combined").mamba_chunk_scan_combined
    except ImportError as error:
        pytest.skip(str(error))
    x, dt, a, b, c, state = scan_inputs(length, 0.1, heads=4, width=64)
    x, b, c = (t.bfloat16() for t in (x, b, c))
    there = [t.to(DEVICE).requires_grad_() for t in (x, dt, a, b, c, state)]
    here = [t.detach().double().requires_grad_() for t in (x, dt, a, b, c, state)]
    found, exact = fused(scan)(*there), ssd_loop(*here)
    weights = [torch.randn_like(t) for t in exact]
    for one, other in zip(found, exact, strict=True):
        assert_close(one, other, torch.bfloat16)
    grads = torch.autograd.grad(
        found, there, [w.to(t) for w, t in zip(weights, found, strict=True)]
    )
    want = torch.autograd.grad(exact, here, weights)
    for one, other in zip(grads, want, strict=True):
        assert_close(one, other, torch.bfloat16)


def test_autocast_reaches_the_fused_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is installed the network really runs it, in bf16."""
    if fused_scan() is None:
        pytest.skip("mamba-ssm cannot be imported")
    seen: list[torch.dtype] = []
    scan = mamba2.scan

    def noted(x: Tensor, *rest: object) -> tuple[Tensor, Tensor]:
        seen.append(x.dtype)
        return scan(x, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(mamba2, "scan", noted)
    network = speaking_network().to(DEVICE)
    with torch.inference_mode(), torch.autocast(DEVICE, torch.bfloat16):
        network(random_batch(300).to(DEVICE))
    assert set(seen) == {torch.bfloat16}
