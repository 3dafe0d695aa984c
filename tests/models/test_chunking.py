"""Chunk and de-chunk."""

import pytest
import torch

from genezip.models.chunking import chunk, ema_dechunk, ema_dechunk_loop, straight_through


def test_chunk_by_hand() -> None:
    mask = torch.tensor([[1, 0, 0, 1, 0, 1], [1, 1, 0, 0, 0, 0]], dtype=torch.bool)
    kept = chunk(mask)
    assert kept.positions.tolist() == [[0, 3, 5], [0, 1, 0]]
    assert kept.valid.tolist() == [[True, True, True], [True, True, False]]
    assert kept.token_index.tolist() == [[0, 0, 0, 1, 1, 2], [0, 1, 1, 1, 1, 1]]
    bases = torch.arange(12).view(2, 6)
    assert kept.select(bases).tolist() == [[0, 3, 5], [6, 7, 6]]
    expanded = kept.expand(torch.tensor([[[1.0], [2], [3]], [[4], [5], [6]]]))
    assert expanded.squeeze(-1).tolist() == [[1, 1, 1, 2, 2, 3], [4, 5, 5, 5, 5, 5]]


@pytest.mark.parametrize("length", [1, 16, 17, 300])
def test_ema_equals_loop(length: int) -> None:
    torch.manual_seed(0)
    tokens = torch.randn(2, length, 3, dtype=torch.float64)
    prob = torch.rand(2, length, dtype=torch.float64)
    prob[:, 0] = 1.0
    prob[0, length // 2] = 0.0
    want = ema_dechunk_loop(tokens, prob)
    assert torch.allclose(ema_dechunk(tokens, prob), want, atol=1e-12)
    fast = ema_dechunk(tokens.float(), prob.float())
    assert fast.dtype == torch.float32
    assert (fast - want).abs().max() < 1e-5


def test_ema_stays_fp32_under_autocast() -> None:
    tokens, prob = torch.randn(1, 40, 3), torch.rand(1, 40)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = ema_dechunk(tokens.bfloat16(), prob)
    assert out.dtype == torch.float32
    assert torch.allclose(out, ema_dechunk_loop(tokens.bfloat16().float(), prob), atol=1e-5)


def test_ema_gradient() -> None:
    tokens = torch.randn(1, 20, 2, dtype=torch.float64, requires_grad=True)
    prob = (torch.rand(1, 20, dtype=torch.float64) * 0.8 + 0.1).requires_grad_()
    assert torch.autograd.gradcheck(ema_dechunk, (tokens, prob))


def test_straight_through_is_one_with_unit_gradient() -> None:
    confidence = torch.tensor([0.6, 0.9], requires_grad=True)
    out = straight_through(confidence)
    out.sum().backward()
    assert out.tolist() == [1.0, 1.0]
    assert confidence.grad.tolist() == [1.0, 1.0]
