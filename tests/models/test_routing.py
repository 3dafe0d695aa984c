"""Routers: bounded routing against the paper's wording, by hand and on random input."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toolkit.wishes import mask_of
from torch.nn.functional import cosine_similarity

from genezip.models.routing.bounds import CausalBound
from genezip.models.routing.fixed import position_hash
from genezip.models.routing.learned import (
    Router,
    RouterState,
    SequenceBound,
    adjacent_cosine,
    bounded,
    bounded_loop,
)


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


def test_fp64_probabilities_closer_than_fp32_are_told_apart() -> None:
    prob = torch.tensor([[1.0, 0.5, 0.5 + 1e-12, 0.5 + 2e-12]], dtype=torch.float64)
    active, valid = mask_of("1000"), mask_of("1111")
    want = bounded_loop(prob, active, valid, 2, None)
    assert want.tolist() == mask_of("1001").tolist()
    assert torch.equal(bounded(prob, active, valid, 2, None), want)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    length=st.integers(1, 24),
    floor=st.none() | st.integers(1, 12),
    ceiling=st.none() | st.integers(1, 12),
    levels=st.sampled_from([2, 5, 1000]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_sort_equals_loop(
    seed: int, length: int, floor: int | None, ceiling: int | None, levels: int, dtype: torch.dtype
) -> None:
    """Few levels make many ties; rows of different length make padding."""
    generator = torch.Generator().manual_seed(seed)
    prob = torch.randint(0, levels + 1, (3, length), generator=generator).to(dtype) / levels
    sizes = torch.randint(1, length + 1, (3, 1), generator=generator)
    valid = torch.arange(length) < sizes
    prob[:, 0] = 1
    prob = prob * valid
    active = (prob > 0.5) & valid
    want = bounded_loop(prob, active, valid, floor, ceiling)
    assert torch.equal(bounded(prob, active, valid, floor, ceiling), want)


@pytest.mark.parametrize("length", [1, 2, 33])
@pytest.mark.parametrize(("floor", "ceiling"), [(8, None), (None, 1), (3, 3), (8, 20), (99, None)])
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_all_or_one_boundary_under_bounds(
    length: int, floor: int | None, ceiling: int | None, level: float
) -> None:
    """Every position wants to be one, or none does, at equal probability; one row is padded."""
    prob = torch.full((2, length), level)
    prob[:, 0] = 1
    valid = torch.ones(2, length, dtype=torch.bool)
    valid[1, 1:] = False
    prob = prob * valid
    active = (prob > 0.5) & valid
    want = bounded_loop(prob, active, valid, floor, ceiling)
    assert torch.equal(bounded(prob, active, valid, floor, ceiling), want)
    assert want[:, 0].all()


@pytest.mark.parametrize(("floor", "ceiling"), [(2, None), (None, 1), (2, 3)])
def test_a_sequence_without_positions_keeps_none(floor: int | None, ceiling: int | None) -> None:
    none = torch.zeros(2, 0, dtype=torch.bool)
    assert bounded(torch.zeros(2, 0), none, none, floor, ceiling).shape == (2, 0)


@pytest.mark.parametrize("change", [2, -2])
def test_sort_equals_loop_beyond_65536_positions(change: int) -> None:
    """The bound lies two tokens off, so that the loop stays short; many ties."""
    torch.manual_seed(0)
    prob = torch.randint(0, 5000, (1, 66_001)) / 5000
    prob[0, 0] = 1
    active, valid = prob > 0.5, torch.ones_like(prob, dtype=torch.bool)
    bound = int(active.sum()) + change
    floor, ceiling = (bound, None) if change > 0 else (None, bound)
    mask = bounded(prob, active, valid, floor, ceiling)
    assert torch.equal(mask, bounded_loop(prob, active, valid, floor, ceiling))
    assert int(mask.sum()) == bound


@pytest.mark.parametrize("length", [1, 2, 40])
def test_adjacent_cosine_equals_the_library(length: int) -> None:
    torch.manual_seed(length)
    q, k = torch.randn(2, 2, length, 5, dtype=torch.float64, requires_grad=True)
    want = cosine_similarity(q[:, :-1], k[:, 1:], dim=-1)
    assert torch.allclose(adjacent_cosine(q, k), want, atol=1e-12)
    assert torch.allclose(adjacent_cosine(q.float(), k.float()).double(), want, atol=1e-6)
    q, k = (t.detach().requires_grad_() for t in (q, k))
    assert torch.autograd.gradcheck(adjacent_cosine, (q, k))


def test_a_zero_vector_has_cosine_zero_and_no_gradient() -> None:
    q = torch.tensor([[[1.0, 2.0], [0.0, 0.0], [3.0, 1.0]]], requires_grad=True)
    k = torch.tensor([[[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]]], requires_grad=True)
    cosine = adjacent_cosine(q, k)
    assert cosine.tolist() == [[0.0, 0.0]]
    for grad in torch.autograd.grad(cosine.sum(), (q, k)):
        assert grad.abs().sum() == 0


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


def states_with(cosines: list[float]) -> torch.Tensor:
    """Unit vectors of two dimensions whose neighbours have these cosines: (1, L, 2)."""
    angles = torch.tensor([0.0, *cosines]).acos()
    angles[0] = 0
    angle = angles.cumsum(0)
    return torch.stack([angle.cos(), angle.sin()], dim=-1).unsqueeze(0)


def test_tokens_that_a_bound_adds_are_marked() -> None:
    """p is 1, 0.1, 0.4, 0.9, 0.2, 0.3, so the router selects positions 0 and 3.

    A floor of 3 adds the most probable other one, position 2 (reason 1). With chunks of at most
    2 positions, position 2 is forced, and so is position 5 after position 3 (reason 2).
    """
    states, valid = states_with([0.8, 0.2, -0.8, 0.6, 0.4]), torch.ones(1, 6, dtype=torch.bool)
    router = Router(2, SequenceBound(3, None))
    router.reset_parameters()
    routing = router(states, valid)
    assert routing.boundary_prob[0].tolist() == pytest.approx([1, 0.1, 0.4, 0.9, 0.2, 0.3])
    assert routing.provisional.tolist() == mask_of("100100").tolist()
    assert routing.boundary_mask.tolist() == mask_of("101100").tolist()
    assert routing.kept_by.tolist() == [[0, 0, 1, 0, 0, 0]]
    assert routing.bound_active().tolist() == [True]
    router.bound = CausalBound(max_chunk=2, burst=9, rate=(1, 1))
    routing = router(states, valid)
    assert routing.boundary_mask.tolist() == mask_of("101101").tolist()
    assert routing.kept_by.tolist() == [[0, 0, 2, 0, 0, 2]]
    # blocks of 1, 3 and 2 positions give the tokens of the whole
    state, masks = RouterState(), []
    for block in (slice(0, 1), slice(1, 4), slice(4, 6)):
        masks.append(router(states[:, block], valid[:, block], state=state).boundary_mask)
    assert torch.cat(masks, dim=1).tolist() == mask_of("101101").tolist()
    assert state.position == 6


def test_the_hash_is_murmurhash3() -> None:
    """Its published values for an empty key with the seeds 0, 1 and 2^32 - 1, without the last bit.

    The seed is the position plus 0x9E3779B9, modulo 2^32.
    """
    seeds = torch.tensor([0, 1, 0xFFFFFFFF])
    published = [0, 0x514E28B7, 0x81F16F39]
    for laps in (1, 2):
        found = position_hash(seeds + laps * 2**32 - 0x9E3779B9)
        assert found.tolist() == [value // 2 for value in published]
