"""Heads of pairs and profiles: sizes by formula, losses against values worked out by hand."""

import math

import pytest
import torch

from genezip.tasks.networks import (
    PairHead,
    ProfileHead,
    initiation_loss,
)


def parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_heads_of_pairs_and_profiles_have_the_parameters_of_their_layers() -> None:
    assert parameters(PairHead(512)) == 512 * 2 + 2
    assert parameters(ProfileHead(512)) == 2 * 512 + 512 * 10 + 10


def test_the_score_of_a_pair_is_the_softmax_of_class_1() -> None:
    head = PairHead(2)
    with torch.no_grad():
        head.classify.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 2.0]]))
        head.classify.bias.copy_(torch.tensor([0.0, 1.0]))
    features = torch.tensor([[1.0, 0.5]])
    assert head(features).tolist() == [[1.0, 2.0]]
    assert head.score(features).item() == pytest.approx(1 / (1 + math.exp(-1.0)))


def test_profiles_come_in_the_layout_of_the_targets() -> None:
    head = ProfileHead(3, tracks=2)
    states = torch.tensor([[[1.0, 2.0, 3.0], [0.0, 0.0, 6.0]]])
    found = head(states)
    assert found.shape == (1, 2, 2)
    with torch.no_grad():
        sd = math.sqrt(2 / 3 + 1e-5)
        normed = torch.tensor([-1.0, 0.0, 1.0]) / sd
        by_hand = head.rates.weight @ normed + head.rates.bias
    assert torch.allclose(found[0, :, 0], by_hand, atol=1e-6)


def test_the_initiation_loss_has_the_value_worked_out_by_hand() -> None:
    """Two values: y = 2, r = 1 gives 2 ln(2.00001 / 1.00001) - 1; y = 0, r = 3 gives 3."""
    log_rate = torch.tensor([0.0, math.log(3.0)])
    target = torch.tensor([2.0, 0.0])
    # 2 ln 2 = 1.3862944; both small terms change it by -1e-5
    assert initiation_loss(log_rate, target).item() == pytest.approx(
        (1.3862844 - 1 + 3) / 2, abs=1e-6
    )


def test_the_initiation_loss_is_zero_at_the_target_and_points_towards_it() -> None:
    target = torch.tensor([0.5, 3.0])
    exact = target.log().requires_grad_()
    assert initiation_loss(exact, target).item() == pytest.approx(0.0, abs=1e-7)
    low = (target / 2).log().requires_grad_()
    initiation_loss(low, target).backward()
    assert low.grad is not None
    assert (low.grad < 0).all()
