"""Counting covered bases against painting them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from genezip.genome.covered import Covered


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


def test_by_eye() -> None:
    covered = Covered(np.array([8, 2, 4]), np.array([9, 5, 6]))  # 2-6 and 8
    assert covered.bp == 5
    assert covered.within(np.array([0, 3, 6]), np.array([3, 9, 8])).tolist() == [1, 4, 0]
    assert covered.base(np.arange(5)).tolist() == [2, 3, 4, 5, 8]


def test_nothing_covered() -> None:
    empty = Covered(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    assert empty.bp == 0
    assert empty.within(np.array([0]), np.array([5])).tolist() == [0]
