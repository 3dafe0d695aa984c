"""The linear scan and the state-space scan against their recurrences."""

import builtins
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv1d, pad

from genezip.models.layers import scan as scan_module
from genezip.models.layers import ssd as ssd_module
from genezip.models.layers.mamba2 import causal_convolution
from genezip.models.layers.scan import linear_scan, linear_scan_loop, pass_states
from genezip.models.layers.ssd import fused_scan, ssd, ssd_loop

# Largest error beside the largest value of the exact result (the loop in fp64).
CLOSE = {torch.float64: 1e-12, torch.float32: 3e-6}
TYPES = list(CLOSE)


def assert_close(found: Tensor, exact: Tensor, dtype: torch.dtype) -> None:
    assert found.dtype == dtype
    assert found.shape == exact.shape
    error = (found.double() - exact).abs().max() / exact.abs().max()
    assert error < CLOSE[dtype], f"relative error {error:.1e}"


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("length", [1, 2, 15, 16, 17, 100, 257, 1025])
@pytest.mark.parametrize("with_initial", [False, True])
def test_linear_scan_equals_loop(length: int, with_initial: bool, dtype: torch.dtype) -> None:
    torch.manual_seed(length)
    decay = -torch.rand(2, 3, length, dtype=dtype) * 9
    values = torch.randn(2, 3, length, 4, dtype=dtype)
    initial = torch.randn(2, 3, 4, dtype=dtype) if with_initial else None
    exact = linear_scan_loop(
        decay.double(), values.double(), None if initial is None else initial.double()
    )
    assert_close(linear_scan_loop(decay, values, initial), exact, dtype)
    assert_close(linear_scan(decay, values, initial), exact, dtype)


@pytest.mark.parametrize("length", [5001, pytest.param(70_001, marks=pytest.mark.slow)])
def test_linear_scan_of_many_blocks(length: int) -> None:
    """Beyond 16^3 and 16^4 steps. Decay is slow, so that a state reaches far across block ends;
    every 997th step forgets.
    """
    torch.manual_seed(0)
    decay = -torch.rand(1, length) * 1e-3
    decay[:, ::997] = -1e4
    values = torch.randn(1, length, 2)
    exact = linear_scan_loop(decay.double(), values.double())
    for dtype in TYPES:
        assert_close(linear_scan(decay.to(dtype), values.to(dtype)), exact, dtype)


def test_linear_scan_by_hand() -> None:
    half = torch.log(torch.tensor([[0.5, 0.5, 0.5]]))
    out = linear_scan(half, torch.tensor([[[1.0], [0.0], [2.0]]]))
    assert out.flatten().tolist() == pytest.approx([1.0, 0.5, 2.25])


@pytest.mark.parametrize("form", [pass_states, scan_module._states_at_once])
@pytest.mark.parametrize("steps", [1, 2, 16, 40])
def test_states_are_passed_as_in_the_loop(form: Callable, steps: int) -> None:
    """In turn (the CPU's form) and at once (the GPU's): states and gradients."""
    torch.manual_seed(steps)
    decay = (-torch.rand(2, steps, 3, dtype=torch.float64) * 50).requires_grad_()
    added = torch.randn(2, steps, 5, 3, 4, dtype=torch.float64, requires_grad=True)
    initial = torch.randn(2, 5, 3, 4, dtype=torch.float64, requires_grad=True)
    states = [initial]
    for k in range(steps):
        states.append(decay[:, k, None, :, None].exp() * states[-1] + added[:, k])
    want = torch.stack(states[:-1], 1), states[-1]
    found = form(decay, added, initial)
    weights = [torch.randn_like(t) for t in want]
    arguments = (decay, added, initial)
    grads = [
        torch.autograd.grad([(t * w).sum() for t, w in zip(out, weights, strict=True)], arguments)
        for out in (found, want)
    ]
    for one, other in zip((*found, *grads[0]), (*want, *grads[1]), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)


def inputs(
    length: int, heads: int = 3, dtype: torch.dtype = torch.float64, scale: float = 0.1
) -> list[Tensor]:
    torch.manual_seed(length)
    x = torch.randn(2, length, heads, 4)
    dt = torch.rand(2, length, heads) * scale
    a = -1 - 15 * torch.rand(heads)
    b, c = torch.randn(2, 2, length, 5)
    return [t.to(dtype) for t in (x, dt, a, b, c)]


def exact_ssd(arguments: list[Tensor], state: Tensor | None = None) -> tuple[Tensor, Tensor]:
    return ssd_loop(
        *(t.double() for t in arguments), state=None if state is None else state.double()
    )


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("chunk", [8, 16, 64])
@pytest.mark.parametrize("length", [1, 7, 8, 63, 130])
def test_ssd_equals_recurrence(length: int, chunk: int, dtype: torch.dtype) -> None:
    arguments = inputs(length, dtype=dtype)
    state = torch.randn(2, 3, 4, 5, dtype=dtype)
    for first in (None, state):
        for found, exact in zip(
            ssd(*arguments, chunk=chunk, state=first), exact_ssd(arguments, first), strict=True
        ):
            assert_close(found, exact, dtype)


@pytest.mark.parametrize("length", [6201, pytest.param(66_001, marks=pytest.mark.slow)])
def test_ssd_of_many_stretches(length: int) -> None:
    """Odd length, slow decay: the state comes from far before."""
    assert length > 3 * ssd_module.STRETCH
    arguments = [t[:1] if t.dim() > 1 else t for t in inputs(length, heads=2, scale=1e-3)]
    exact = exact_ssd(arguments)
    for dtype in TYPES:
        for found, want in zip(ssd(*(t.to(dtype) for t in arguments)), exact, strict=True):
            assert_close(found, want, dtype)


@pytest.mark.parametrize("block", [1, 7, 100])
def test_ssd_in_blocks_equals_whole(block: int) -> None:
    x, dt, a, b, c = inputs(250)
    whole, last = ssd(x, dt, a, b, c, chunk=32)
    state, outputs = None, []
    for part in zip(*(t.split(block, 1) for t in (x, dt, b, c)), strict=True):
        y, state = ssd(part[0], part[1], a, part[2], part[3], chunk=32, state=state)
        outputs.append(y)
    assert_close(torch.cat(outputs, 1), whole, torch.float64)
    assert_close(state, last, torch.float64)


def test_padding_at_the_end_changes_nothing_before_it() -> None:
    x, dt, a, b, c = inputs(90)
    short = ssd(x[:, :61], dt[:, :61], a, b[:, :61], c[:, :61], chunk=16)[0]
    assert_close(ssd(x, dt, a, b, c, chunk=16)[0][:, :61], short, torch.float64)


@pytest.fixture
def forms(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the forms that were used, in order."""
    used: list[str] = []
    for name in ("_factorised_form", "_masked_form"):
        real = getattr(ssd_module, name)

        def spy(*args: Tensor, name: str = name, real: Callable = real) -> tuple[Tensor, Tensor]:
            used.append(name)
            return real(*args)

        monkeypatch.setattr(ssd_module, name, spy)
    return used


@pytest.mark.parametrize("dtype", TYPES)
def test_the_switch_is_crossed_inside_one_sequence(
    forms: list[str], monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype
) -> None:
    """Chunks of 149 and of 151 nats beside ordinary ones: results and gradients of the loop."""
    monkeypatch.setattr(ssd_module, "STRETCH", 64)
    x, dt, a, b, c = inputs(203, dtype=dtype, scale=0.02)
    fastest = a.min()
    for first, nats in ((32, 149.0), (96, 151.0), (160, 149.9)):  # chunks 1, 3 and 5
        dt[:, first : first + 32] = -nats / fastest / 32
    arguments = [t.requires_grad_() for t in (x, dt, a, b, c)]
    y, last = ssd(*arguments, chunk=32)
    assert forms == ["_factorised_form", "_masked_form", "_factorised_form", "_factorised_form"]
    exact_arguments = [t.detach().double().requires_grad_() for t in arguments]
    want, want_last = ssd_loop(*exact_arguments)
    assert_close(y, want, dtype)
    assert_close(last, want_last, dtype)
    weight = torch.linspace(-1, 1, want.numel(), dtype=torch.float64).view_as(want)
    grads = torch.autograd.grad((y * weight).sum() + last.sum(), arguments)
    exact = torch.autograd.grad((want * weight).sum() + want_last.sum(), exact_arguments)
    for found, wanted, argument in zip(grads, exact, arguments, strict=True):
        assert_close(found.to(dtype), wanted, argument.dtype)


@pytest.mark.parametrize("dtype", TYPES)
def test_huge_steps_are_exact(forms: list[str], dtype: torch.dtype) -> None:
    """Thousands of nats inside a chunk forget everything before, and nothing after."""
    x, dt, a, b, c = inputs(96, dtype=dtype)
    ssd(x, dt, a, b, c, chunk=32)
    assert forms == ["_factorised_form"]
    dt[:, 40:44] = 50.0  # 4 x 50 x up to 16 nats inside the second chunk
    dt[:, 70] = 1e30
    x[:, 70] = 0
    arguments = [t.requires_grad_() for t in (x, dt, a, b, c)]
    found = ssd(*arguments, chunk=32)
    assert forms[1:] == ["_masked_form"]
    for one, other in zip(found, exact_ssd(arguments), strict=True):
        assert_close(one, other, dtype)
    for grad in torch.autograd.grad(found[0].sum(), arguments):
        assert torch.isfinite(grad).all()


@pytest.mark.parametrize("dtype", TYPES)
def test_both_forms_have_equal_gradients(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype
) -> None:
    grads = []
    for limit in (1e9, 0.0):
        monkeypatch.setattr(ssd_module, "FACTORISED_LIMIT", limit)
        arguments = [t.requires_grad_() for t in inputs(70, dtype=dtype)]
        y, _ = ssd(*arguments, chunk=32)
        weight = torch.linspace(-1, 1, y.numel(), dtype=dtype).view_as(y)
        grads.append(torch.autograd.grad((y * weight).sum(), arguments))
    for one, other in zip(*grads, strict=True):
        assert_close(one, other.double(), dtype)


def test_nothing_is_read_back_from_a_device(forms: list[str]) -> None:
    """Tensors without data: a decision that needs one of their numbers would fail."""
    arguments = [t.to("meta") for t in inputs(5000)]
    y, last = ssd(*arguments)
    assert y.shape == (2, 5000, 3, 4)
    assert last.shape == (2, 3, 4, 5)
    assert forms == ["_masked_form"]


@pytest.mark.parametrize("length", [1, 2, 3, 9])
def test_causal_convolution_equals_library(length: int) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, length, 6, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(6, dtype=torch.float64, requires_grad=True)
    want = conv1d(pad(x.transpose(1, 2), (3, 0)), weight.unsqueeze(1), bias, groups=6)
    assert torch.allclose(causal_convolution(x, weight, bias), want.transpose(1, 2))
    assert torch.autograd.gradcheck(causal_convolution, (x, weight, bias))


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ModuleNotFoundError("No module named 'mamba_ssm'", name="mamba_ssm"), False),
        (ImportError("undefined symbol"), True),
        (RuntimeError("0 active drivers"), True),
    ],
)
def test_without_a_fused_scan_that_works_there_is_none(
    monkeypatch: pytest.MonkeyPatch,
    messages: Callable[[], list[str]],
    error: Exception,
    told: bool,
) -> None:
    """A package that is there but broken is told, once."""
    load = builtins.__import__

    def broken(name: str, *given: Any, **named: Any) -> Any:
        if name.startswith("mamba_ssm"):
            raise error
        return load(name, *given, **named)

    fused_scan.cache_clear()
    monkeypatch.setattr(builtins, "__import__", broken)
    try:
        assert fused_scan() is None and fused_scan() is None
    finally:
        fused_scan.cache_clear()
    assert len(messages()) == told
    assert all(str(error) in message for message in messages())
