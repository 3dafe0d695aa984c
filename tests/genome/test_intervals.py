import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genezip.genome.intervals import (
    Covered,
    clip,
    components,
    covered_mask,
    flatten_by_priority,
    is_sorted,
    is_tiling,
    merge,
    paint_by_priority,
    shifted_runs,
    true_runs,
    union,
    value_runs,
    wrap,
)


def arrays(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    table = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def pairs(intervals: tuple[np.ndarray, np.ndarray]) -> list[tuple[int, int]]:
    return [(int(a), int(b)) for a, b in zip(*intervals, strict=True)]


def test_merge_joins_overlapping_and_touching_but_not_separate():
    assert pairs(merge(*arrays([(8, 9), (0, 3), (2, 5), (5, 6), (10, 12)]))) == [
        (0, 6),
        (8, 9),
        (10, 12),
    ]


def test_merge_keeps_an_interval_inside_another_out_and_drops_empty_ones():
    assert pairs(merge(*arrays([(0, 10), (2, 3), (7, 7), (20, 20)]))) == [(0, 10)]
    assert pairs(merge(*arrays([]))) == []


def test_clip_cuts_and_drops():
    assert pairs(clip(*arrays([(0, 5), (4, 12), (12, 20), (2, 4)]), 4, 10)) == [(4, 5), (4, 10)]


def test_union_joins_without_gaps_on_each_chromosome():
    spans = [("c", 20, 30), ("c", 0, 10), ("c", 10, 20), ("c", 40, 50), ("d", 50, 60)]
    assert union(spans) == [("c", 0, 30), ("c", 40, 50), ("d", 50, 60)]
    assert union([]) == []


def test_components_by_eye():
    starts, ends = arrays([(0, 10), (10, 12), (2, 4), (9, 11), (-5, 0), (0, 3)])
    assert components(starts, ends).tolist() == [1, 1, 1, 1, 0, 1]
    groups = np.array([1, 1, 1, 0, 1, 0])
    assert components(starts, ends, groups).tolist() == [3, 4, 3, 1, 2, 0]
    assert components(*arrays([])).tolist() == []


def test_covered_mask_is_half_open():
    found = covered_mask(np.array([2, 3, 8]), np.array([4, 5, 20]), 1, 10)
    assert found.astype(int).tolist() == [0, 1, 1, 1, 0, 0, 0, 1, 1]
    assert not covered_mask(*arrays([]), 0, 3).any()


@pytest.mark.parametrize(
    ("intervals", "expected"),
    [
        ([(0, 4), (4, 10)], True),
        ([(0, 4), (5, 10)], False),
        ([(0, 5), (4, 10)], False),
        ([(0, 4), (4, 9)], False),
        ([(1, 4), (4, 10)], False),
        ([], False),
    ],
)
def test_is_tiling(intervals, expected):
    assert is_tiling(*arrays(intervals), 0, 10) is expected


def test_is_sorted_allows_gaps_but_no_overlap():
    assert is_sorted(*arrays([(0, 4), (4, 6), (8, 9)]))
    assert not is_sorted(*arrays([(0, 4), (3, 6)]))
    assert not is_sorted(*arrays([(5, 6), (0, 4)]))
    assert not is_sorted(*arrays([(5, 5)]))


def test_flatten_first_layer_wins():
    layers = [arrays([(4, 6)]), arrays([(2, 8), (5, 9)])]
    starts, ends, labels = flatten_by_priority(layers, 0, 10, fill=7)
    assert pairs((starts, ends)) == [(0, 2), (2, 4), (4, 6), (6, 9), (9, 10)]
    assert labels.tolist() == [7, 1, 0, 1, 7]
    assert labels.dtype == np.uint8


def test_flatten_of_nothing():
    starts, ends, labels = flatten_by_priority([], 3, 9, fill=6)
    assert pairs((starts, ends)) == [(3, 9)]
    assert labels.tolist() == [6]
    assert len(flatten_by_priority([arrays([(0, 9)])], 5, 5, fill=6)[0]) == 0


any_intervals = st.lists(
    st.tuples(st.integers(-5, 45), st.integers(0, 20)).map(lambda p: (p[0], p[0] + p[1])),
    max_size=12,
)


@given(st.lists(any_intervals, max_size=5), st.integers(0, 10), st.integers(0, 30))
@settings(max_examples=200, deadline=None)
def test_sweep_equals_painting(layers, lo, length):
    layers = [arrays(layer) for layer in layers]
    hi = lo + length
    starts, ends, labels = flatten_by_priority(layers, lo, hi, fill=9)
    assert is_tiling(starts, ends, lo, hi)
    assert np.all(labels[1:] != labels[:-1])
    painted = paint_by_priority(layers, lo, hi, fill=9)
    assert np.repeat(labels, ends - starts).tolist() == painted.tolist()


@given(any_intervals)
@settings(max_examples=100, deadline=None)
def test_merge_covers_the_same_bases(intervals):
    starts, ends = merge(*arrays(intervals))
    assert is_sorted(starts, ends)
    assert np.all(starts[1:] > ends[:-1])  # touching intervals are one
    bases = {base for lo, hi in intervals for base in range(lo, hi)}
    assert {base for lo, hi in pairs((starts, ends)) for base in range(lo, hi)} == bases


@given(st.lists(st.integers(0, 2), max_size=30))
@settings(deadline=None)
def test_runs_round_trip(values):
    starts, found = value_runs(np.array(values, dtype=np.uint8))
    lengths = np.diff(starts, append=len(values))
    assert np.all(lengths > 0)
    assert np.all(found[1:] != found[:-1])
    assert np.repeat(found, lengths).tolist() == values


@pytest.mark.parametrize("shift", [0, 1, 17, 39])
def test_shifted_runs_equal_rolled_bases(shift):
    bases = np.repeat(np.random.default_rng(shift).integers(0, 4, 16), 3).astype(np.uint8)
    moved = np.roll(bases, shift)
    for low, high in ((0, 48), (5, 6), (10, 48), (47, 48), (0, 20)):
        starts, values = shifted_runs(value_runs(bases), 48, shift, low, high)
        assert starts[0] == 0
        expanded = np.repeat(values, np.diff(starts, append=high - low))
        assert expanded.tolist() == moved[low:high].tolist()


@given(st.lists(st.booleans(), max_size=30), st.integers(-5, 5))
@settings(deadline=None)
def test_true_runs_round_trip(values, first):
    starts, ends = true_runs(np.array(values, dtype=bool), first)
    assert np.all(starts[1:] > ends[:-1])
    assert covered_mask(starts, ends, first, first + len(values)).tolist() == values


@given(any_intervals, st.data())
@settings(max_examples=100, deadline=None)
def test_components_equal_joining_by_hand(intervals, data):
    intervals = [pair for pair in intervals if pair[1] > pair[0]]
    groups = data.draw(st.lists(st.integers(0, 2), min_size=12, max_size=12))[: len(intervals)]
    found = components(*arrays(intervals), np.array(groups, dtype=np.int64))
    number, reach, before = -1, 0, None
    for index in sorted(range(len(intervals)), key=lambda i: (groups[i], intervals[i])):
        start, end = intervals[index]
        if groups[index] != before or start >= reach:
            number, reach, before = number + 1, end, groups[index]
        reach = max(reach, end)
        assert found[index] == number


@given(
    st.lists(st.tuples(st.integers(-60, 60), st.integers(0, 50)), max_size=6), st.integers(1, 20)
)
def test_wrap_equals_painting_a_circle(intervals, length):
    starts = np.array([start for start, _ in intervals], dtype=np.int64)
    ends = starts + np.array([size for _, size in intervals], dtype=np.int64)
    painted = np.zeros(length, dtype=bool)
    for start, end in zip(starts, ends, strict=True):
        painted[[base % length for base in range(start, end)]] = True
    found = np.zeros(length, dtype=bool)
    for start, end in zip(*wrap(starts, ends, length), strict=True):
        assert 0 <= start <= end <= length
        found[start:end] = True
    assert found.tolist() == painted.tolist()


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 10)), max_size=6),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)), min_size=1, max_size=5),
)
@settings(max_examples=100, deadline=None)
def test_covered_equals_painting(intervals, stretches) -> None:
    painted = np.zeros(100, dtype=int)
    for start, width in intervals:
        painted[start : start + width] = 1
    starts, widths = np.array(intervals, dtype=np.int64).reshape(-1, 2).T
    covered = Covered(starts, starts + widths)
    lo, length = np.array(stretches, dtype=np.int64).T
    slow = [painted[a : a + b].sum() for a, b in stretches]
    assert covered.within(lo, lo + length).tolist() == slow
    assert covered.bp == painted.sum()
    assert covered.base(np.arange(covered.bp)).tolist() == np.flatnonzero(painted).tolist()


def test_covered_by_eye() -> None:
    covered = Covered(np.array([8, 2, 4]), np.array([9, 5, 6]))  # 2-6 and 8
    assert covered.bp == 5
    assert covered.within(np.array([0, 3, 6]), np.array([3, 9, 8])).tolist() == [1, 4, 0]
    assert covered.base(np.arange(5)).tolist() == [2, 3, 4, 5, 8]


def test_nothing_covered() -> None:
    empty = Covered(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    assert empty.bp == 0
    assert empty.within(np.array([0]), np.array([5])).tolist() == [0]
