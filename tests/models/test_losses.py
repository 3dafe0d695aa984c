"""RAR loss by hand and against its plain loop."""

import math

import pytest
import torch

from genezip.models.chunking import chunk
from genezip.models.losses import (
    base_nll,
    count_targets,
    lm_loss,
    propagate_regions,
    rar_loss,
    rar_stage,
    rar_stage_loop,
    stage_targets,
)
from genezip.models.output import Output
from genezip.models.routing import Routing


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


@pytest.mark.parametrize("mask", ["pre", "post"])
def test_fast_equals_loop(mask: str) -> None:
    torch.manual_seed(0)
    for trial in range(20):
        prob = torch.rand(3, 50)
        valid = torch.arange(50) < torch.tensor([[50], [31], [1]])
        prob = prob * valid
        routing = Routing(prob, (prob > 0.5) & valid, (prob > 0.3) & valid, valid)
        regions = torch.randint(0, 7, (3, 50))
        targets = torch.tensor([5.6, 5.6, 8, 8, 16, 1.0, 22.6])  # class 5 is left out
        if trial % 2:
            regions[0] = 2
        fast, _ = rar_stage(routing, regions, targets, mask)
        assert torch.allclose(fast, rar_stage_loop(routing, regions, targets, mask), atol=1e-6)


def test_regions_first_and_majority() -> None:
    mask = torch.tensor([[1, 0, 0, 1, 0]], dtype=torch.bool)
    regions = torch.tensor([[2, 4, 4, 1, 0]])
    counts = torch.nn.functional.one_hot(regions, 7).float()
    first, _ = propagate_regions(counts, chunk(mask), "first")
    majority, summed = propagate_regions(counts, chunk(mask), "majority")
    assert first.tolist() == [[2, 1]]
    assert majority.tolist() == [[4, 0]]  # a tie takes the lower class id
    assert summed.sum(-1).tolist() == [[3, 2]]


def test_targets_split_geometrically() -> None:
    assert stage_targets(torch.tensor([32.0, 256.0]), 2).tolist() == pytest.approx(
        [math.sqrt(32), 16.0]
    )


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
