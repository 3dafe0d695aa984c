"""The linear scan and the state-space scan against their recurrences."""

import pytest
import torch
from torch.nn.functional import conv1d, pad

from genezip.models import ssd as ssd_module
from genezip.models.convolution import causal_convolution
from genezip.models.scan import linear_scan, linear_scan_loop
from genezip.models.ssd import ssd, ssd_loop


@pytest.mark.parametrize("length", [1, 2, 15, 16, 17, 100, 257, 1025])
@pytest.mark.parametrize("with_initial", [False, True])
def test_linear_scan_equals_loop(length: int, with_initial: bool) -> None:
    torch.manual_seed(length)
    decay = -torch.rand(2, 3, length, dtype=torch.float64) * 9
    values = torch.randn(2, 3, length, 4, dtype=torch.float64)
    initial = torch.randn(2, 3, 4, dtype=torch.float64) if with_initial else None
    assert torch.allclose(
        linear_scan(decay, values, initial), linear_scan_loop(decay, values, initial), atol=1e-12
    )


def test_linear_scan_by_hand() -> None:
    half = torch.log(torch.tensor([[0.5, 0.5, 0.5]]))
    out = linear_scan(half, torch.tensor([[[1.0], [0.0], [2.0]]]))
    assert out.flatten().tolist() == pytest.approx([1.0, 0.5, 2.25])


def inputs(length: int, heads: int = 3, dtype: torch.dtype = torch.float64, scale: float = 0.1):
    torch.manual_seed(length)
    x = torch.randn(2, length, heads, 4, dtype=dtype)
    dt = torch.rand(2, length, heads, dtype=dtype) * scale
    a = -1 - 15 * torch.rand(heads, dtype=dtype)
    b, c = torch.randn(2, 2, length, 5, dtype=dtype)
    return x, dt, a, b, c


@pytest.mark.parametrize("chunk", [8, 16, 64])
@pytest.mark.parametrize("length", [1, 7, 8, 63, 130])
def test_ssd_equals_recurrence(length: int, chunk: int) -> None:
    arguments = inputs(length)
    state = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    for first in (None, state):
        y, last = ssd(*arguments, chunk=chunk, state=first)
        want, want_last = ssd_loop(*arguments, state=first)
        assert torch.allclose(y, want, atol=1e-10)
        assert torch.allclose(last, want_last, atol=1e-10)


def test_ssd_fp32_close() -> None:
    y, _ = ssd(*inputs(300, dtype=torch.float32))
    want, _ = ssd_loop(*inputs(300, dtype=torch.float64))
    exact = ssd_loop(*(t.double() for t in inputs(300, dtype=torch.float32)))[0]
    assert want.shape == y.shape
    assert (y - exact).abs().max() < 2e-5 * exact.abs().max()


def test_huge_steps_take_the_masked_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """One chunk decays by far more than the factorised form can hold."""
    used = []
    masked = ssd_module._masked_form
    monkeypatch.setattr(ssd_module, "_masked_form", lambda *a: used.append(True) or masked(*a))
    x, dt, a, b, c = inputs(96, dtype=torch.float32)
    ssd(x, dt, a, b, c, chunk=32)
    assert not used
    dt[:, 40:44] = 50.0  # 4 x 50 x 16 = 3,200 nats inside the second chunk
    y, last = ssd(x, dt, a, b, c, chunk=32)
    assert used
    want, want_last = ssd_loop(*(t.double() for t in (x, dt, a, b, c)))
    assert torch.isfinite(y).all()
    assert torch.allclose(y.double(), want, atol=1e-3 * float(want.abs().max()))
    assert torch.allclose(last.double(), want_last, atol=1e-3 * float(want_last.abs().max()))


def test_both_forms_have_finite_equal_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    grads = []
    for limit in (1e9, 0.0):
        monkeypatch.setattr(ssd_module, "FACTORISED_LIMIT", limit)
        arguments = [t.requires_grad_() for t in inputs(70)]
        y, _ = ssd(*arguments, chunk=32)
        (y * torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y)).sum().backward()
        grads.append([t.grad for t in arguments])
    for one, other in zip(*grads, strict=True):
        assert torch.allclose(one, other, atol=1e-9)


@pytest.mark.parametrize("length", [1, 2, 3, 9])
def test_causal_convolution_equals_library(length: int) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, length, 6, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(6, dtype=torch.float64, requires_grad=True)
    want = conv1d(pad(x.transpose(1, 2), (3, 0)), weight.unsqueeze(1), bias, groups=6)
    assert torch.allclose(causal_convolution(x, weight, bias), want.transpose(1, 2))
    assert torch.autograd.gradcheck(causal_convolution, (x, weight, bias))
