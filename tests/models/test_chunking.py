"""Chunk and de-chunk."""

import pytest
import torch
from torch import Tensor

from genezip.models.routing.chunking import chunk, ema_dechunk, ema_dechunk_loop, straight_through

# Largest error against the loop in fp64, for tokens of the order of 1.
CLOSE = {torch.float64: 1e-12, torch.float32: 5e-6}


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


def chunk_loop(mask: Tensor) -> tuple[list[list[int]], list[list[int]]]:
    """Kept positions, and the last token at or before every position (-1: none yet)."""
    positions, index = [], []
    for row in mask.tolist():
        positions.append([t for t, on in enumerate(row) if on])
        index.append([sum(row[: t + 1]) - 1 for t in range(len(row))])
    return positions, index


@pytest.mark.parametrize("length", [1, 2, 17, 130])
@pytest.mark.parametrize("kind", ["all", "first", "random", "late", "none"])
def test_chunk_equals_loop(length: int, kind: str) -> None:
    """All boundaries, a single one, some, none before the middle, none at all; padding."""
    torch.manual_seed(length)
    mask = torch.rand(3, length) < 0.3
    if kind == "all":
        mask[:] = True
    if kind in ("first", "none"):
        mask[:] = False
    if kind in ("first", "random"):
        mask[:, 0] = True
    if kind == "late":
        mask[:, : length // 2 + 1] = False
    mask[2, length // 2 + 1 :] = False  # padding is never kept
    positions, index = chunk_loop(mask)
    most = max(len(row) for row in positions)
    values = torch.randn(3, length, 2)
    for kept in (chunk(mask), chunk(mask, capacity=most + 5)):
        assert kept.token_index.tolist() == index
        for row in range(3):
            count = len(positions[row])
            assert kept.valid[row].tolist() == [True] * count + [False] * (
                kept.valid.shape[1] - count
            )
            assert kept.positions[row, :count].tolist() == positions[row]
            assert torch.equal(kept.select(values)[row, :count], values[row, positions[row]])
    assert chunk(mask).positions.shape[1] == most


def test_expand_before_the_first_token_reads_what_came_before() -> None:
    kept = chunk(torch.tensor([[0, 0, 1, 0]], dtype=torch.bool))
    out = kept.expand(torch.tensor([[[7.0]]]), before=torch.tensor([[3.0]]))
    assert out.flatten().tolist() == [3.0, 3.0, 7.0, 7.0]


@pytest.mark.parametrize("dtype", list(CLOSE))
@pytest.mark.parametrize("with_initial", [False, True])
@pytest.mark.parametrize(
    "length", [1, 15, 16, 17, 300, 5001, pytest.param(66_001, marks=pytest.mark.slow)]
)
def test_ema_equals_loop(length: int, with_initial: bool, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    tokens = torch.randn(2, length, 3, dtype=dtype)
    prob = torch.rand(2, length, dtype=dtype)
    prob[:, 0] = 1.0
    prob[0, length // 3 :: 7] = 0.0  # clipped at both ends
    prob[1, length // 2 :] = 1e-3  # long memory
    initial = torch.randn(2, 3, dtype=dtype) if with_initial else None
    want = ema_dechunk_loop(
        tokens.double(), prob.double(), None if initial is None else initial.double()
    )
    fast = ema_dechunk(tokens, prob, initial)
    assert fast.dtype == dtype
    assert (fast - want).abs().max() < CLOSE[dtype]


def test_ema_continues_where_a_block_ended() -> None:
    torch.manual_seed(0)
    tokens, prob = torch.randn(2, 90, 3).double(), torch.rand(2, 90).double()
    whole = ema_dechunk(tokens, prob)
    parts, state = [], None
    for size in (1, 7, 40, 42):
        start = sum(part.shape[1] for part in parts)
        block = slice(start, start + size)
        parts.append(ema_dechunk(tokens[:, block], prob[:, block], state))
        state = parts[-1][:, -1]
    assert torch.allclose(torch.cat(parts, 1), whole, atol=1e-13)


def test_ema_of_all_and_of_one_boundary() -> None:
    """p = 1 everywhere gives the tokens back (but for the clip), one token gives itself."""
    tokens = torch.randn(1, 40, 3).double()
    assert torch.allclose(ema_dechunk(tokens, torch.ones(1, 40)), tokens, atol=1e-3)
    single = ema_dechunk(tokens[:, :1], torch.ones(1, 1))
    assert torch.allclose(single, (1 - 1e-4) * tokens[:, :1])


def test_ema_stays_fp32_under_autocast() -> None:
    tokens, prob = torch.randn(1, 40, 3), torch.rand(1, 40)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = ema_dechunk(tokens.bfloat16(), prob)
    assert out.dtype == torch.float32
    assert torch.allclose(out, ema_dechunk_loop(tokens.bfloat16().float(), prob), atol=1e-5)


def test_ema_gradient() -> None:
    tokens = torch.randn(1, 20, 2, dtype=torch.float64, requires_grad=True)
    prob = (torch.rand(1, 20, dtype=torch.float64) * 0.8 + 0.1).requires_grad_()
    initial = torch.randn(1, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(ema_dechunk, (tokens, prob, initial))


def test_straight_through_passes_values_and_both_gradients() -> None:
    """Forward the values themselves, backward those of values * confidence at confidence 1."""
    torch.manual_seed(0)
    values = torch.randn(2, 5, 3, dtype=torch.float64, requires_grad=True)
    confidence = torch.rand(2, 5, dtype=torch.float64, requires_grad=True)
    out = straight_through(values, confidence)
    assert torch.equal(out, values)
    grad = torch.randn_like(out)
    one = confidence + (1 - confidence).detach()
    want = torch.autograd.grad(values * one.unsqueeze(-1), (values, confidence), grad)
    found = torch.autograd.grad(out, (values, confidence), grad)
    for a, b in zip(found, want, strict=True):
        assert torch.allclose(a, b, atol=1e-14)
