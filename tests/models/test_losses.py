"""RAR loss by hand and against its plain loop."""

import math

import pytest
import torch
from torch import Tensor

from genezip.models.hnet.losses import (
    base_nll,
    count_targets,
    lm_loss,
    propagate_regions,
    rar_loss,
    rar_stage,
    rar_stage_loop,
    stage_targets,
)
from genezip.models.hnet.output import Output
from genezip.models.routing.chunking import chunk
from genezip.models.routing.learned import Routing


def routing_of(prob: torch.Tensor, mask: torch.Tensor | None = None) -> Routing:
    valid = torch.ones(prob.shape, dtype=torch.bool)
    active = prob > 0.5
    return Routing(prob, active, active if mask is None else mask, valid)


def test_value_at_target_is_one() -> None:
    """F = G = 1/4 with N = 4: one position in four kept, mean probability 1/4."""
    prob = torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    loss, sums = rar_stage(
        routing_of(prob), torch.zeros(1, 4, dtype=torch.long), torch.tensor([4.0]), "post"
    )
    assert float(loss) == pytest.approx(1.0)
    assert sums.tolist() == [[4.0, 1.0, 1.0]]


@pytest.mark.parametrize(("kept", "sign"), [(1, 1), (3, -1)])
def test_gradient_sign_flips_at_target(kept: int, sign: int) -> None:
    """dL/dG = N/(N-1)(N F - 1): too few kept raises p, too many lowers it (N = 4, L = 8)."""
    prob = torch.full((1, 8), 0.4)
    prob[0, :kept] = 0.6
    prob.requires_grad_()
    loss, _ = rar_stage(
        routing_of(prob), torch.zeros(1, 8, dtype=torch.long), torch.tensor([4.0]), "post"
    )
    loss.backward()
    expected = 4 / 3 * (4 * kept / 8 - 1) / 8
    assert torch.allclose(prob.grad, torch.full((1, 8), expected))
    assert math.copysign(1, expected) == -sign


def random_routing(
    length: int, sizes: list[int], keep: str = "some", dtype: torch.dtype = torch.float32
) -> Routing:
    """Padded sequences; positions kept at random, all of them, or the first alone."""
    prob = torch.rand(len(sizes), length, dtype=dtype)
    if keep != "some":
        prob = prob / 4 + (0.6 if keep == "all" else 0.0)
    prob[:, 0] = 1
    valid = torch.arange(length) < torch.tensor(sizes).unsqueeze(1)
    prob = (prob * valid).requires_grad_()
    return Routing(prob, (prob > 0.5) & valid, (prob > 0.3) & valid, valid)


@pytest.mark.parametrize("mask", ["pre", "post"])
@pytest.mark.parametrize("keep", ["some", "all", "first"])
@pytest.mark.parametrize("length", [1, 7, 50])
@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 1e-6), (torch.float64, 1e-14)])
def test_fast_equals_loop(
    mask: str, keep: str, length: int, dtype: torch.dtype, close: float
) -> None:
    """Values and gradients; classes that are absent, alone, or left out (N <= 1)."""
    # class 5 is left out
    targets = torch.tensor([5.6, 5.6, 8, 8, 16, 1.0, 22.6], dtype=dtype)
    for trial in range(5):
        torch.manual_seed(trial)
        routing = random_routing(length, [length, (length + 1) // 2, 1], keep, dtype)
        regions = torch.randint(0, 7, (3, length))
        if trial % 2:
            regions[0] = 2
        if trial == 4:
            regions[1] = 5
        fast, _ = rar_stage(routing, regions, targets, mask)
        slow = rar_stage_loop(routing, regions, targets, mask)
        assert fast.dtype == dtype
        assert torch.allclose(fast, slow.to(dtype), atol=close)
        if slow.requires_grad:
            (grad,) = torch.autograd.grad(fast, routing.boundary_prob)
            (want,) = torch.autograd.grad(slow, routing.boundary_prob)
            here = routing.valid  # the router gives padding no gradient
            assert torch.allclose(grad[here], want[here], atol=close)


def test_fast_equals_loop_beyond_65536_positions() -> None:
    torch.manual_seed(0)
    routing = random_routing(66_001, [66_001, 40_000])
    regions = torch.randint(0, 7, (2, 66_001))
    targets = torch.tensor([5.6, 5.6, 8, 8, 16, 16, 22.6])
    fast, _ = rar_stage(routing, regions, targets, "post")
    slow = rar_stage_loop(routing, regions, targets, "post")
    assert torch.allclose(fast, slow, rtol=1e-5)


def test_regions_first_and_majority() -> None:
    mask = torch.tensor([[1, 0, 0, 1, 0]], dtype=torch.bool)
    regions = torch.tensor([[2, 4, 4, 1, 0]])
    counts = torch.nn.functional.one_hot(regions, 7).float()
    first, _ = propagate_regions(counts, chunk(mask), "first")
    majority, summed = propagate_regions(counts, chunk(mask), "majority")
    assert first.tolist() == [[2, 1]]
    assert majority.tolist() == [[4, 0]]  # a tie takes the lower class id
    assert summed.sum(-1).tolist() == [[3, 2]]


def propagate_regions_loop(
    bases: list[list[list[int]]], mask: Tensor, label: str
) -> list[list[list[int]]]:
    """For every position of the next stage the classes of its bases.

    ``bases`` lists the classes of the bases under every position, padding has none; with
    ``first`` only those of the chunk's first position are handed on.
    """
    after: list[list[list[int]]] = []
    for row, kept in zip(bases, mask.tolist(), strict=True):
        tokens: list[list[int]] = []
        for classes, starts in zip(row, kept, strict=True):
            if starts:
                tokens.append(list(classes))
            elif label == "majority":
                tokens[-1] += classes
        after.append(tokens)
    return after


@pytest.mark.parametrize("label", ["first", "majority"])
@pytest.mark.parametrize("keep", ["some", "all", "first"])
@pytest.mark.parametrize(
    ("length", "classes"),
    [(1, 7), (64, 7), (301, 2), pytest.param(66_001, 7, marks=pytest.mark.slow)],
)
def test_regions_equal_loop_over_two_stages(
    label: str, keep: str, length: int, classes: int
) -> None:
    """Two classes make many ties; the second stage votes by bases, not by tokens."""
    torch.manual_seed(length)
    sizes = [length, (length + 1) // 2]
    labels = torch.randint(0, classes, (2, length))
    valid = torch.arange(length) < torch.tensor(sizes).unsqueeze(1)
    counts = torch.nn.functional.one_hot(labels, classes).float() * valid.unsqueeze(-1)
    bases = [
        [[r] if ok else [] for r, ok in zip(*row, strict=True)]
        for row in zip(labels.tolist(), valid.tolist(), strict=True)
    ]
    for _ in range(2):
        mask = random_routing(valid.shape[1], valid.sum(1).tolist(), keep).boundary_mask
        kept = chunk(mask)
        labels, counts = propagate_regions(counts, kept, label)
        bases = propagate_regions_loop(bases, mask, label)
        for row, tokens in enumerate(bases):
            votes = [max(range(classes), key=lambda r: (t.count(r), -r)) for t in tokens]
            assert labels[row, : len(tokens)].tolist() == votes
            assert kept.valid[row].tolist() == [m < len(tokens) for m in range(kept.valid.shape[1])]
        valid = kept.valid
        for tokens in bases:
            tokens.extend([] for _ in range(valid.shape[1] - len(tokens)))


def test_targets_split_geometrically() -> None:
    """Evenly, or by shares; the product of all stages is the target of the class."""
    target = torch.tensor([32.0, 256.0])
    even = stage_targets(target, (0.5, 0.5))
    assert even.tolist() == [pytest.approx([math.sqrt(32), 16.0])] * 2
    uneven = stage_targets(target, (0.2, 0.8))
    assert uneven.tolist() == [pytest.approx([2, 256**0.2]), pytest.approx([16, 256**0.8])]
    assert uneven.prod(0).tolist() == pytest.approx([32, 256])
    assert stage_targets(target, ()).shape == (0, 2)


def test_rar_sums_over_stages() -> None:
    """Both stages at target: loss 2, the paper's 0.06 after alpha = 0.03."""
    outer = torch.zeros(1, 16)
    outer[0, ::4] = 1.0
    inner = torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    routings = [routing_of(outer), routing_of(inner)]
    chunks = [chunk(r.boundary_mask) for r in routings]
    output = Output(
        logits=torch.zeros(1, 16, 12),
        states=torch.zeros(1),
        valid=routings[0].valid,
        stage_shares=(0.5, 0.5),
        routings=routings,
        chunks=chunks,
    )
    loss, _ = rar_loss(output, torch.zeros(1, 16, dtype=torch.long), torch.tensor([16.0]))
    assert float(loss) == pytest.approx(2.0)


def test_next_base_loss_skips_n() -> None:
    ids = torch.tensor([[3, 4, 7, 5]])  # A C N G
    logits = torch.zeros(1, 4, 12)
    logits[0, 0, 4] = 50.0  # certain of C after A
    nll, informative = base_nll(logits, ids)
    assert informative.tolist() == [[True, False, True]]
    assert nll[0, 0].item() == pytest.approx(0.0, abs=1e-6)
    assert lm_loss(logits, ids).item() == pytest.approx(math.log(12) / 2)
    assert count_targets(ids).item() == 2
    part = lm_loss(logits, ids, torch.tensor(8))
    assert part.item() == pytest.approx(math.log(12) / 8)
