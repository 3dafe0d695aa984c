"""Limits on the tokens of a prefix under the causal bound: kept by every input, and attained."""

import itertools
from collections.abc import Callable

import pytest
import torch
from toolkit.networks import stacked_limits
from toolkit.wishes import CORNERS, WANTED, adversaries, all_valid, mask_of, text_of
from torch import Tensor

from genezip.models.routing.bounds import CausalBound, admit, token_limits


def outside(mask: Tensor, limits: Callable[[int], tuple[int, int]]) -> list[tuple[int, int]]:
    """(row, prefix length) of every prefix whose count of kept positions breaks its limits."""
    counts = mask.long().cumsum(1)
    low, high = torch.tensor([limits(size) for size in range(1, mask.shape[1] + 1)]).unbind(1)
    rows, columns = ((counts < low) | (counts > high)).nonzero(as_tuple=True)
    return list(zip(rows.tolist(), (columns + 1).tolist(), strict=True))


def test_every_prefix_keeps_its_limits_on_adversarial_input() -> None:
    provisional = adversaries(900)
    for bound in CORNERS:
        mask, forced, _ = admit(provisional, all_valid(provisional), bound)
        assert outside(mask, lambda size, bound=bound: token_limits(bound, size)) == []
        assert not (forced & ~mask).any()


def test_the_check_of_prefixes_sees_one_token_too_many_or_too_few() -> None:
    bound = CausalBound(max_chunk=3, burst=1, rate=(0, 1))
    assert outside(mask_of("1001001"), lambda size: token_limits(bound, size)) == []
    assert outside(mask_of("1011001"), lambda size: token_limits(bound, size))[0] == (0, 3)
    assert outside(mask_of("1000001"), lambda size: token_limits(bound, size))[0] == (0, 4)


def all_wishes(length: int) -> Tensor:
    return torch.tensor(list(itertools.product([False, True], repeat=length)))


@pytest.mark.parametrize("bound", [b for b in CORNERS if b.max_chunk < 400 and b.burst < 64])
def test_limits_over_all_wishes_are_kept_and_the_fewest_attained(bound: CausalBound) -> None:
    """All 2,048 inputs of eleven positions, so the limits hold without exception."""
    provisional = all_wishes(11)
    mask, _, _ = admit(provisional, all_valid(provisional), bound)
    assert outside(mask, lambda size: token_limits(bound, size)) == []
    fewest = mask.long().cumsum(1).min(0).values.tolist()
    assert fewest == [token_limits(bound, size)[0] for size in range(1, 12)]


@pytest.mark.parametrize("bound", CORNERS)
def test_both_ends_are_attained_at_every_prefix(bound: CausalBound) -> None:
    """Nothing wanted: the fewest. All wanted, and chunks too long to be forced: the most."""
    nothing = torch.zeros(1, 300, dtype=torch.bool)
    fewest = admit(nothing, all_valid(nothing), bound)[0].cumsum(1)[0].tolist()
    assert fewest == [token_limits(bound, size)[0] for size in range(1, 301)]
    unforced = CausalBound(301, bound.burst, bound.rate)
    most = admit(~nothing, all_valid(nothing), unforced)[0].cumsum(1)[0].tolist()
    assert most == [token_limits(unforced, size)[1] for size in range(1, 301)]


def test_the_most_are_attained_with_all_three_terms_at_work() -> None:
    """Burst, rate and forced positions together: 1 + 8/8 + 8/3 of nine positions."""
    bound = CausalBound(max_chunk=3, burst=1, rate=(1, 8))
    provisional = mask_of("100000001")
    mask, forced, _ = admit(provisional, all_valid(provisional), bound)
    assert text_of(mask) == "100100101"
    assert text_of(forced) == "000100100"
    assert token_limits(bound, 9) == (3, 4)


def test_limits_of_nothing_and_of_one() -> None:
    bound = CausalBound(max_chunk=5, burst=3, rate=(1, 2))
    assert token_limits(bound, 0) == stacked_limits([bound, bound], 0) == (0, 0)
    assert token_limits(bound, 1) == (1, 1)
    assert token_limits(bound, 10**10) == (2 * 10**9, 3 + (10**10 - 1) // 2 + (10**10 - 1) // 5)


def test_two_stages_keep_their_limits_at_every_base_prefix() -> None:
    """Stage 1 counts the tokens of stage 0; a base prefix holds lo1(lo0) to hi1(hi0) of them."""
    bases = adversaries(300)
    for outer, inner in itertools.product(CORNERS[::5], CORNERS[2::9]):
        kept, _, _ = admit(bases, all_valid(bases), outer)
        sizes = kept.sum(1)
        token = kept.long().cumsum(1) - 1  # of each base: its index among the kept ones
        wishes = torch.stack([want(int(sizes.max())) for want in list(WANTED.values())[:4]])
        tokens = wishes.repeat_interleave(len(bases), 0)  # every wish with every row of bases
        valid = torch.arange(tokens.shape[1]) < sizes.repeat(4).unsqueeze(1)
        chosen, _, _ = admit(tokens, valid, inner)
        mask = kept.repeat(4, 1) & chosen.gather(1, token.repeat(4, 1))
        limits = [outer, inner]
        assert outside(mask, lambda size, pair=limits: stacked_limits(pair, size)) == []


@pytest.mark.parametrize(
    ("wanted", "max_chunk", "tokens"),
    [(False, 4, 2), (True, 100, 7)],  # ceil(ceil(30/4)/4); 2 + floor(10/2) of 2 + floor(29/3)
)
def test_two_stage_limits_are_attained(wanted: bool, max_chunk: int, tokens: int) -> None:
    outer, inner = CausalBound(max_chunk, 2, (1, 3)), CausalBound(max_chunk, 2, (1, 2))
    wishes = torch.full((1, 30), wanted)
    first = admit(wishes, all_valid(wishes), outer)[0].sum()
    second = admit(wishes[:, :first], all_valid(wishes[:, :first]), inner)[0].sum()
    assert second == tokens == stacked_limits([outer, inner], 30)[int(wanted)]
