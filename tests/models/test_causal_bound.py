"""The causal bound: its scan against its definition, and its integers on every prefix."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toolkit.networks import stacked_limits
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from genezip.errors import GenezipError
from genezip.models.routing.bounds import (
    LARGEST,
    CausalBound,
    CausalState,
    admit,
    admit_loop,
    default_bound,
    token_limits,
)

RATES = [(0, 1), (1, 1), (3, 3), (1, 2), (1, 3), (2, 7), (5, 6), (37, 101), (999, 1000)]
BOUNDS = st.builds(
    CausalBound,
    max_chunk=st.integers(1, 9) | st.just(40),
    burst=st.integers(1, 5) | st.just(64),
    rate=st.sampled_from(RATES),
)
CORNERS = [
    CausalBound(max_chunk, burst, rate)
    for max_chunk, burst, rate in itertools.product((1, 2, 5, 400), (1, 2, 64), RATES)
]


def noise(length: int, share: float = 0.5) -> Tensor:
    return torch.rand(length, generator=torch.Generator().manual_seed(length)) < share


def every(step: int) -> Callable[[int], Tensor]:
    return lambda length: torch.arange(length) % step == 0


# What routers may want. On one repeated base, or on N alone, p is the same at every position,
# so such a sequence wants everything or nothing.
WANTED: dict[str, Callable[[int], Tensor]] = {
    "keeps all (only N, p above 1/2)": lambda length: torch.ones(length, dtype=torch.bool),
    "keeps nothing (one repeated base, p of 1/2 or less)": lambda length: torch.zeros(
        length, dtype=torch.bool
    ),
    "white noise": noise,
    "sparse noise": lambda length: noise(length, 0.05),
    "alternating": every(2),
    "every fifth": every(5),
    "one before every fifth": lambda length: every(5)(length).roll(-1),
    "saves its credit, then spends it": lambda length: torch.arange(length) % 200 > 100,
    "all but the first": lambda length: torch.arange(length) > 0,
    "only the last": lambda length: torch.arange(length) == length - 1,
}


def adversaries(length: int) -> Tensor:
    return torch.stack([want(length) for want in WANTED.values()])


def all_valid(provisional: Tensor) -> Tensor:
    return torch.ones_like(provisional)


def mask_of(text: str) -> Tensor:
    return torch.tensor([[character == "1" for character in text]])


def text_of(mask: Tensor) -> str:
    return "".join("1" if kept else "0" for kept in mask[0].tolist())


def assert_same(
    got: tuple[Tensor, Tensor, CausalState], want: tuple[Tensor, Tensor, CausalState]
) -> None:
    for left, right in zip(got[:2], want[:2], strict=True):
        assert torch.equal(left, right)
    for name in ("position", "credit", "last_admitted"):
        left, right = getattr(got[2], name), getattr(want[2], name)
        assert left.dtype == right.dtype == torch.int64
        assert torch.equal(left, right), name


@pytest.mark.parametrize("admitting", [admit, admit_loop])
def test_by_hand(admitting: Callable[..., tuple[Tensor, Tensor, CausalState]]) -> None:
    """G = 3, beta = 2, rate 1/4: credit 2 goes on positions 0 and 1, position 4 earns one.

    Position 4 is three after position 1 and admitted, so it is not forced; nothing is
    wanted after it until forced 7; position 8 earns a unit and 9 spends it; 12 is forced
    although nothing is wanted, and spends nothing, so 13 is admitted.
    """
    provisional = mask_of("01111000010001")
    bound = CausalBound(max_chunk=3, burst=2, rate=(1, 4))
    mask, forced, state = admitting(provisional, all_valid(provisional), bound)
    assert text_of(mask) == "11001001010011"
    assert text_of(forced) == "00000001000010"
    assert (state.position.item(), state.credit.item(), state.last_admitted.item()) == (14, 0, 13)


def test_a_forced_position_starts_no_new_count() -> None:
    """Multiples of G are counted from the last admitted position, forced ones between."""
    provisional = mask_of("1010000000")
    mask, forced, _ = admit(provisional, all_valid(provisional), CausalBound(3, 2, (0, 1)))
    assert text_of(mask) == "1010010010"
    assert text_of(forced) == "0000010010"


def test_credit_never_exceeds_the_burst() -> None:
    """A long silence earns no more than beta admissions in a row."""
    provisional = mask_of("1" + "0" * 50 + "111111")
    mask, _, _ = admit(provisional, all_valid(provisional), CausalBound(1000, 3, (1, 10)))
    assert text_of(mask) == "1" + "0" * 50 + "111000"


@settings(max_examples=200, deadline=None)
@given(bound=BOUNDS, seed=st.integers(0, 10**6), length=st.integers(0, 70))
def test_scan_equals_loop(bound: CausalBound, seed: int, length: int) -> None:
    """Random wishes of random density; every row its own valid length, from 0."""
    generator = torch.Generator().manual_seed(seed)
    share = torch.rand(5, 1, generator=generator)
    provisional = torch.rand(5, length, generator=generator) < share
    valid = torch.arange(length) < torch.randint(0, length + 1, (5, 1), generator=generator)
    got = admit(provisional, valid, bound)
    assert_same(got, admit_loop(provisional, valid, bound))
    assert not (got[0] & ~valid).any()
    assert torch.equal(got[2].position, valid.sum(1))


@pytest.mark.parametrize("length", [1, 15, 16, 17, 255, 256, 257, 600])
def test_scan_equals_loop_on_adversarial_input(length: int) -> None:
    provisional = adversaries(length)
    valid = all_valid(provisional)
    for bound in CORNERS[:: 1 if length == 257 else 7]:
        assert_same(admit(provisional, valid, bound), admit_loop(provisional, valid, bound))


def test_scan_equals_loop_beyond_65536_positions() -> None:
    """Five levels of blocks, lengths off every block's edge, rows of unequal length."""
    length = 16**4 + 16**3 + 5
    provisional = torch.stack([noise(length), noise(length, 0.02), every(2)(length)])
    valid = torch.arange(length) < torch.tensor([[length], [length - 70], [65537]])
    bound = CausalBound(max_chunk=37, burst=64, rate=(31, 101))
    assert_same(admit(provisional, valid, bound), admit_loop(provisional, valid, bound))


@pytest.mark.parametrize("rate", [(1, 3), (999, 1000), (10**9, 2 * 10**9 + 11), (1, LARGEST)])
def test_scan_equals_loop_late_in_a_stream(rate: tuple[int, int]) -> None:
    """At position 10^10, where t a itself may be beyond int64."""
    provisional = torch.stack([noise(400), noise(400, 0.9)])
    valid = all_valid(provisional)
    bound = CausalBound(max_chunk=11, burst=7, rate=rate)
    late = CausalState(
        torch.tensor([10**10 - 150, 4 * LARGEST - 150]),
        torch.tensor([3, 0]),
        torch.tensor([10**10 - 155, 4 * LARGEST - 151]),
    )
    got = admit(provisional, valid, bound, late)
    assert_same(got, admit_loop(provisional, valid, bound, late))
    assert late.credit.tolist() == [3, 0]  # the state given is left as it was


def streamed(
    provisional: Tensor, bound: CausalBound, takes: list[Tensor]
) -> tuple[Tensor, Tensor, CausalState]:
    """Every row its own stream; each block takes that many of its next positions, padded."""
    mask, forced = torch.zeros_like(provisional), torch.zeros_like(provisional)
    done = torch.zeros(len(provisional), dtype=torch.long)
    state = bound.start(len(provisional))
    for take in takes:
        end = torch.minimum(done + take, torch.tensor(provisional.shape[1]))
        valid = torch.arange(int((end - done).max())) < (end - done).unsqueeze(1)
        spans = [slice(*span) for span in zip(done.tolist(), end.tolist(), strict=True)]
        block = torch.ones_like(valid)  # padding wants to be kept: it must not count
        for row, span in enumerate(spans):
            block[row, valid[row]] = provisional[row, span]
        now, now_forced, state = admit(block, valid, bound, state)
        for row, span in enumerate(spans):
            mask[row, span] = now[row, valid[row]]
            forced[row, span] = now_forced[row, valid[row]]
        done = end
    return mask, forced, state


@settings(max_examples=60, deadline=None)
@given(
    bound=BOUNDS,
    seed=st.integers(0, 10**6),
    length=st.integers(1, 60),
    sizes=st.sampled_from(["ones", "sevens", "mixed"]),
)
def test_blocks_of_a_stream_equal_the_whole(
    bound: CausalBound, seed: int, length: int, sizes: str
) -> None:
    """Blocks of 1 and 7, and mixed ones from 0 up that differ from row to row."""
    generator = torch.Generator().manual_seed(seed)
    provisional = torch.rand(4, length, generator=generator) < torch.rand(1, generator=generator)
    if sizes == "mixed":
        takes = [torch.randint(0, 23, (4,), generator=generator) for _ in range(length)]
        takes.append(torch.full((4,), length))
    else:
        takes = [torch.full((4,), 1 if sizes == "ones" else 7)] * length
    whole = admit(provisional, all_valid(provisional), bound)
    assert_same(streamed(provisional, bound, takes), whole)


def test_a_snapshot_is_not_changed_by_what_follows() -> None:
    """One prefix, two continuations: each equals its own whole sequence."""
    bound = CausalBound(max_chunk=6, burst=3, rate=(1, 4))
    prefix, reference, variant = noise(50)[None], noise(40)[None], ~noise(40)[None]
    start, _, snapshot = admit(prefix, all_valid(prefix), bound)
    for tail in (reference, variant, reference):
        whole = torch.cat([prefix, tail], dim=1)
        mask, _, _ = admit(whole, all_valid(whole), bound)
        rest, _, _ = admit(tail, all_valid(tail), bound, snapshot)
        assert torch.equal(torch.cat([start, rest], dim=1), mask)


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
        for want in list(WANTED.values())[:4]:
            tokens = want(int(sizes.max())).expand(len(bases), -1)
            valid = torch.arange(tokens.shape[1]) < sizes.unsqueeze(1)
            chosen, _, _ = admit(tokens, valid, inner)
            mask = kept & chosen.gather(1, token)
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


@settings(max_examples=60, deadline=None)
@given(bound=BOUNDS, seed=st.integers(0, 10**6), place=st.integers(0, 79))
def test_a_wish_changes_nothing_before_it(bound: CausalBound, seed: int, place: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    provisional = torch.rand(1, 80, generator=generator) < 0.3
    changed = provisional.clone()
    changed[:, place:] ^= torch.rand(1, 80 - place, generator=generator) < 0.7
    first, first_forced, _ = admit(provisional, all_valid(provisional), bound)
    second, second_forced, _ = admit(changed, all_valid(changed), bound)
    assert torch.equal(first[:, :place], second[:, :place])
    assert torch.equal(first_forced[:, :place], second_forced[:, :place])


def test_a_wish_does_change_what_follows() -> None:
    """So that the test above has something to see: one more wish uses up the credit."""
    bound = CausalBound(max_chunk=400, burst=2, rate=(0, 1))
    for wishes, kept in (("100001", "100001"), ("110001", "110000")):
        provisional = mask_of(wishes)
        assert text_of(admit(provisional, all_valid(provisional), bound)[0]) == kept


class Operations(TorchDispatchMode):
    """Counts operations, and keeps those whose result or shape the host must read."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.reads: list[str] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        self.count += 1
        reading = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}
        if reading & set(func.tags):
            self.reads.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def test_nothing_is_read_by_the_host() -> None:
    bound = CausalBound(max_chunk=5, burst=3, rate=(1, 3))
    provisional = torch.stack([noise(5000), noise(5000, 0.1)])
    valid = torch.arange(5000) < torch.tensor([[5000], [77]])
    state = bound.start(2)
    with Operations() as operations:
        _, _, state = admit(provisional, valid, bound, state)
        admit(provisional, valid, bound, state)
    assert operations.count > 0
    assert operations.reads == []


@pytest.mark.parametrize(
    ("read", "name"),
    [
        (lambda mask: mask.sum().item(), "_local_scalar_dense"),
        (lambda mask: bool(mask.any()), "_local_scalar_dense"),
        (lambda mask: mask.nonzero(), "nonzero"),
        (lambda mask: mask[mask], "index"),
    ],
)
def test_the_count_of_reads_sees_a_read(read: Callable[[Tensor], Any], name: str) -> None:
    with Operations() as operations:
        read(torch.tensor([True, False]))
    assert name in operations.reads


def test_no_value_is_needed_to_lay_out_the_work() -> None:
    """Meta tensors have shapes and no values: any read of one would raise."""
    bound = CausalBound(max_chunk=5, burst=3, rate=(1, 3))
    provisional = torch.ones(2, 3000, dtype=torch.bool, device="meta")
    mask, forced, state = admit(provisional, provisional, bound, bound.start(2, "meta"))
    assert mask.shape == forced.shape == (2, 3000)
    assert state.credit.shape == (2,)


def test_operations_grow_with_the_levels_of_blocks_not_with_positions() -> None:
    bound = CausalBound(max_chunk=5, burst=3, rate=(1, 3))
    counts = []
    for length in (16**2, 16**3, 16**4):
        provisional = noise(length)[None]
        with Operations() as operations:
            admit(provisional, all_valid(provisional), bound)
        counts.append(operations.count)
    assert counts[2] - counts[1] == counts[1] - counts[0] < 400


@pytest.mark.cuda
def test_nothing_waits_for_the_device() -> None:
    bound = CausalBound(max_chunk=5, burst=3, rate=(1, 3))
    provisional = torch.stack([noise(5000), noise(5000, 0.1)])
    valid = all_valid(provisional)
    on_device = provisional.cuda(), valid.cuda()
    torch.cuda.set_sync_debug_mode("error")
    try:
        mask, forced, _ = admit(*on_device, bound)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    want, want_forced, _ = admit_loop(provisional, valid, bound)
    assert torch.equal(mask.cpu(), want)
    assert torch.equal(forced.cpu(), want_forced)


@pytest.mark.parametrize(
    ("targets", "bound"),
    [
        ([12.0, 96.0], CausalBound(384, 64, (1, 3))),
        ([3.0, 3.0], CausalBound(12, 64, (1, 1))),  # 4/3 is capped at 1
        ([12.8], CausalBound(52, 64, (5, 16))),  # 51.2 rounded up; the fraction is exact
        ([1.0, 8.0], CausalBound(32, 64, (1, 1))),
        ([100_000.0], CausalBound(400_000, 64, (1, 1000))),  # never a rate of 0
    ],
)
def test_default_bound(targets: list[float], bound: CausalBound) -> None:
    assert default_bound(targets) == bound


@pytest.mark.parametrize("targets", [[], [0.5], [12.0, float("nan")], [float("inf")]])
def test_default_bound_refuses_targets_that_are_no_chunk_lengths(targets: list[float]) -> None:
    with pytest.raises(GenezipError, match="causal bound: the targets are"):
        default_bound(targets)


@pytest.mark.parametrize(
    ("max_chunk", "burst", "rate", "message"),
    [
        (0, 1, (1, 2), r"max_chunk \(G\) is 0; give at least 1"),
        (LARGEST + 1, 1, (1, 2), r"max_chunk \(G\) is 2147483648"),
        (1, 0, (1, 2), r"burst \(beta\) is 0; give at least 1"),
        (1, LARGEST + 1, (1, 2), r"burst \(beta\) is 2147483648"),
        (1, 1, (3, 2), r"rate is 3/2; give a/b from 0 to 1"),
        (1, 1, (-1, 2), r"rate is -1/2"),
        (1, 1, (0, 0), r"rate is 0/0"),
        (1, 1, (1, LARGEST + 1), r"rate is 1/2147483648"),
    ],
)
def test_integers_that_make_no_bound_are_refused(
    max_chunk: int, burst: int, rate: tuple[int, int], message: str
) -> None:
    with pytest.raises(GenezipError, match=message):
        CausalBound(max_chunk, burst, rate)
