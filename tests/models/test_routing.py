"""Bounded routing against the paper's wording, by hand and on random input."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genezip.models.routing import Router, bounded, bounded_loop


def mask_of(text: str) -> torch.Tensor:
    return torch.tensor([[character == "1" for character in text]])


def test_floor_switches_on_the_most_probable() -> None:
    prob = torch.tensor([[1.0, 0.1, 0.4, 0.3, 0.2]])
    active, valid = mask_of("10000"), mask_of("11111")
    assert bounded(prob, active, valid, 3, None).tolist() == mask_of("10110").tolist()


def test_ceiling_switches_off_the_least_probable_never_the_first() -> None:
    prob = torch.tensor([[0.51, 0.9, 0.6, 0.7, 0.8]])
    active, valid = mask_of("11111"), mask_of("11111")
    assert bounded(prob, active, valid, None, 2).tolist() == mask_of("11000").tolist()


def test_ties_go_to_the_earlier_position() -> None:
    prob = torch.tensor([[1.0, 0.3, 0.3, 0.3]])
    assert bounded(prob, mask_of("1000"), mask_of("1111"), 2, None).tolist() == (
        mask_of("1100").tolist()
    )


def test_probabilities_one_ulp_apart_are_told_apart() -> None:
    """Adding an offset to fp32 probabilities would merge these two."""
    near = torch.nextafter(torch.tensor(0.5), torch.tensor(1.0))
    prob = torch.tensor([[1.0, 0.5, float(near)]])
    assert bounded(prob, mask_of("100"), mask_of("111"), 2, None).tolist() == (
        mask_of("101").tolist()
    )


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    length=st.integers(1, 24),
    floor=st.none() | st.integers(1, 12),
    ceiling=st.none() | st.integers(1, 12),
    levels=st.sampled_from([2, 5, 1000]),
)
def test_sort_equals_loop(
    seed: int, length: int, floor: int | None, ceiling: int | None, levels: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    prob = torch.randint(0, levels + 1, (3, length), generator=generator) / levels
    sizes = torch.randint(1, length + 1, (3, 1), generator=generator)
    valid = torch.arange(length) < sizes
    prob[:, 0] = 1
    prob = prob * valid
    active = (prob > 0.5) & valid
    want = bounded_loop(prob, active, valid, floor, ceiling)
    assert torch.equal(bounded(prob, active, valid, floor, ceiling), want)


def test_boundary_prob_by_hand() -> None:
    """Equal neighbours give 0, orthogonal ones 1/2 (no boundary), opposite ones 1."""
    router = Router(2, None)
    router.reset_parameters()
    states = torch.tensor([[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]])
    routing = router(states, torch.ones(1, 4, dtype=torch.bool))
    assert routing.boundary_prob[0].tolist() == pytest.approx([1.0, 0.0, 0.5, 1.0])
    assert routing.boundary_mask[0].tolist() == [True, False, False, True]


def test_query_comes_from_the_previous_position() -> None:
    router = Router(2, None)
    router.reset_parameters()
    with torch.no_grad():
        router.q_proj.weight.copy_(torch.tensor([[0.0, 1.0], [1.0, 0.0]]))  # swaps axes
    states = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]])
    prob = router(states, torch.ones(1, 3, dtype=torch.bool)).boundary_prob
    assert prob[0].tolist() == pytest.approx([1.0, 0.0, 0.5])
