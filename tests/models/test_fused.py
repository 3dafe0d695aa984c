"""The kernels for a CPU against the layer in plain PyTorch, in results and gradients."""

from typing import Any

import numpy as np
import pytest
import torch
from toolkit.dna import random_ids
from torch import Tensor
from torch.nn.functional import rms_norm

from genezip.models.hnet.architecture import Architecture, load_architecture
from genezip.models.hnet.network import GeneZipNetwork, build
from genezip.models.layers import fused, mamba2
from genezip.models.layers.fused import Shape, exp32, normalised, plain_form, usable
from genezip.models.layers.mamba2 import NORM_EPS, Mamba2, MixerState
from genezip.models.layers.ssd import ssd_loop

CLOSE = {torch.float64: 1e-12, torch.float32: 1e-5}
WIDTH = 64
SHAPES = {
    "tiny": {"d_state": 16, "headdim": 32, "d_conv": 4},
    "odd": {"d_state": 6, "headdim": 16, "d_conv": 3},  # states that are updated one by one
}
LENGTHS = [1, 2, 3, 5, 16, 17, 100, 333]


def mixer(name: str, dtype: torch.dtype, fast: float = 0.0) -> Mamba2:
    """A mixer with weights that are all different; ``fast`` is added to the logs of A."""
    layout = {"d_model": [WIDTH], "encoder_layers": [], "trunk_layers": 1, "decoder_layers": []}
    made = Mamba2(WIDTH, Architecture(**layout, **SHAPES[name], router=[], k_min=[], k_max=[]))
    torch.manual_seed(7)
    made.reset_parameters(0.1)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
        made.a_log += fast
    return made.to(dtype)


def assert_close(found: Tensor, wanted: Tensor, dtype: torch.dtype, what: str) -> None:
    error = (found - wanted).abs().max() / wanted.abs().max().clamp(min=1e-30)
    assert error < CLOSE[dtype], f"{what}: {error:.1e}"


def with_gradients(layer: Mamba2, x: Tensor, grad: Tensor) -> dict[str, Tensor]:
    x = x.clone().requires_grad_()
    layer.zero_grad()
    y = layer(x)
    y.backward(grad)
    assert x.grad is not None
    found = {"result": y.detach(), "of the input": x.grad}
    return found | {name: one.grad.clone() for name, one in layer.named_parameters()}


@pytest.mark.parametrize("dtype", CLOSE)
@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("length", LENGTHS)
def test_results_and_gradients(name: str, length: int, dtype: torch.dtype) -> None:
    layer = mixer(name, dtype)
    x, grad = torch.randn(2, 3, length, WIDTH, dtype=dtype)
    found = with_gradients(layer, x, grad)
    with plain_form():
        wanted = with_gradients(layer, x, grad)
    if length == 1:  # nothing before decays
        assert found.pop("a_log").abs().max() < 1e-5 and wanted.pop("a_log").abs().max() < 1e-5
    for what, value in wanted.items():
        assert_close(found[what], value, dtype, what)


@pytest.mark.parametrize("fast", [-3.0, 6.0])
def test_states_that_are_kept_long_or_lost_at_once(
    fast: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against the recurrence itself: gradients of a decay to e^-100 cancel in any other form."""

    def loop(x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, _: int, state: None) -> Any:
        return ssd_loop(x, dt, a, b, c, state)

    layer = mixer("tiny", torch.float64, fast)
    x, grad = torch.randn(2, 2, 150, WIDTH, dtype=torch.float64)
    found = with_gradients(layer, x, grad)
    monkeypatch.setattr(mamba2, "scan", loop)
    with plain_form():
        wanted = with_gradients(layer, x, grad)
    for what, value in wanted.items():
        assert_close(found[what], value, torch.float64, what)


@pytest.mark.parametrize("dtype", CLOSE)
@pytest.mark.parametrize("block", [1, 2, 3, 50])
def test_blocks_continue_the_sequence(block: int, dtype: torch.dtype) -> None:
    layer = mixer("tiny", dtype)
    x = torch.randn(1, 120, WIDTH, dtype=dtype)
    states = {}
    results = {}
    for form in ("fused", "plain"):
        state = MixerState()
        with torch.no_grad():
            if form == "plain":
                with plain_form():
                    results[form] = layer(x, state)
            else:
                parts = [layer(part, state) for part in x.split(block, dim=1)]
                results[form] = torch.cat(parts, dim=1)
        states[form] = state
    assert_close(results["fused"], results["plain"], dtype, "result")
    for what in ("tail", "ssm"):
        found, wanted = getattr(states["fused"], what), getattr(states["plain"], what)
        assert found.shape == wanted.shape
        assert_close(found, wanted, dtype, what)


def test_a_state_goes_from_one_form_to_the_other() -> None:
    layer = mixer("tiny", torch.float64)
    x = torch.randn(1, 90, WIDTH, dtype=torch.float64)
    with torch.no_grad():
        with plain_form():
            wanted = layer(x)
            state = MixerState()
            first = layer(x[:, :40], state)
        second = layer(x[:, 40:], state)
    assert_close(torch.cat([first, second], dim=1), wanted, torch.float64, "result")


def test_a_state_with_gradients_is_left_to_the_plain_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernels have no gradient of the state before."""
    monkeypatch.setattr(fused, "mixed", None)
    layer = mixer("tiny", torch.float64)
    assert layer(torch.randn(1, 9, WIDTH, dtype=torch.float64), MixerState()).requires_grad


@pytest.mark.parametrize("threads", [2, 5])
def test_threads_do_not_change_a_bit(threads: int) -> None:
    layer = mixer("tiny", torch.float32)
    projected = torch.randn(4, 200, layer.projected_width)
    grad = torch.randn(4, 200, layer.inner)

    def run() -> list[Tensor]:
        layer.zero_grad()
        rows = projected.clone().requires_grad_()
        y = layer.scanned(rows)
        y.backward(grad)
        assert rows.grad is not None
        return [y.detach(), rows.grad, layer.conv_weight.grad, layer.dt_bias.grad]

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        wanted = run()
        torch.set_num_threads(threads)
        found = run()
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(one, other) for one, other in zip(found, wanted, strict=True))


def network(dtype: torch.dtype) -> GeneZipNetwork:
    shape = load_architecture("genezip-tiny").resolved([32.0])
    made = build(shape, seed=3)
    with torch.no_grad():  # of the identity, probabilities of a half are common
        for parameter in made.routers.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(5)))
    return made.to(dtype).eval()


@pytest.mark.parametrize("dtype", CLOSE)
def test_a_whole_network(dtype: torch.dtype) -> None:
    """Masks are equal where no probability lies within 1e-6 of a half."""
    ids = torch.from_numpy(np.stack([random_ids(5000), random_ids(5000)[::-1]]))
    model = network(dtype)
    with torch.no_grad():
        found = model(ids)
        with plain_form():
            wanted = model(ids)
    for one, other in zip(found.routings, wanted.routings, strict=True):
        assert (other.boundary_prob - 0.5).abs().min() > 1e-6
        assert torch.equal(one.boundary_mask, other.boundary_mask)
        assert_close(one.boundary_prob, other.boundary_prob, dtype, "boundary_prob")
    assert_close(found.logits, wanted.logits, dtype, "logits")


def test_training_steps_of_a_network() -> None:
    ids = torch.from_numpy(np.stack([random_ids(600), random_ids(600)[::-1]]))
    model = network(torch.float64)
    grads = []
    for form in ("fused", "plain"):
        model.zero_grad()
        if form == "plain":
            with plain_form():
                loss = model(ids).logits.square().mean()
                loss.backward()
        else:
            loss = model(ids).logits.square().mean()
            loss.backward()
        grads.append({name: one.grad for name, one in model.named_parameters()})
    for name, wanted in grads[1].items():
        if wanted is not None and wanted.numel():
            assert (grads[0][name] - wanted).abs().max() <= 1e-11 * wanted.abs().max(), name


def test_exp_in_single_precision() -> None:
    x = np.linspace(-87, 88, 50_001, dtype=np.float32)
    found = np.array([exp32(value) for value in x[::50]])
    assert np.abs(found / np.exp(x[::50].astype(np.float64)) - 1).max() < 2e-7
    assert exp32(np.float32(-1e9)) == exp32(np.float32(-87)) > 0
    assert np.isfinite(exp32(np.float32(1e9)))


def test_what_is_not_a_number_stays_so() -> None:
    """So that a training that diverged is noticed."""
    layer = mixer("tiny", torch.float32)
    x = torch.randn(1, 40, WIDTH)
    x[0, 20, 3] = torch.nan
    with torch.no_grad():
        y = layer(x)
    assert torch.isfinite(y[0, :20]).all() and torch.isnan(y[0, 20:]).all()


def test_where_kernels_are_used() -> None:
    tiny = Shape(4, 32, 16, 4, NORM_EPS, False)
    width = 2 * 128 + 2 * 16 + 4
    assert usable(torch.zeros(1, 5, width), tiny)
    assert not usable(torch.zeros(1, 0, width), tiny)
    assert not usable(torch.zeros(1, 5, width, dtype=torch.bfloat16), tiny)
    assert not usable(torch.zeros(1, 5, width, dtype=torch.float64), tiny)
    assert not usable(torch.zeros(1, 5, width, device="meta"), tiny)
    assert not usable(torch.zeros(1, 5, 60), tiny._replace(heads=1))  # too narrow
    assert not usable(torch.zeros(1, 5, width), tiny._replace(state=256))  # a large state
    with plain_form():
        assert not usable(torch.zeros(1, 5, width), tiny)


@pytest.mark.parametrize("dtype", CLOSE)
def test_norm(dtype: torch.dtype) -> None:
    x, weight = torch.randn(2, 7, 96, dtype=dtype)[:, ::2], torch.randn(96, dtype=dtype)
    with torch.no_grad():
        found = normalised(x, weight, NORM_EPS)
    assert_close(found, rms_norm(x, (96,), weight, NORM_EPS), dtype, "norm")
    x.requires_grad_()
    assert normalised(x, weight, NORM_EPS).requires_grad
