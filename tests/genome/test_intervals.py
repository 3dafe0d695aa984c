import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genezip.genome.intervals import (
    clip,
    contains,
    flatten_by_priority,
    is_sorted,
    is_tiling,
    merge,
    paint_by_priority,
    run_lengths,
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


def test_contains_is_half_open():
    mask = contains(np.array([1, 2, 4, 5, 9]), *arrays([(2, 5), (3, 4)]))
    assert mask.tolist() == [False, True, True, False, False]
    assert not contains(np.array([0]), *arrays([])).any()


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
    ids = np.array(values, dtype=np.uint8)
    lengths, classes = run_lengths(ids)
    assert lengths.dtype == np.int32
    assert np.all(lengths > 0)
    assert np.all(classes[1:] != classes[:-1])
    assert np.repeat(classes, lengths).tolist() == values


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
