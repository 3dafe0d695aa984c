"""Interval arithmetic on plain arrays: 0-based, half-open, one chromosome at a time.

This module uses no pandas, files or region classes. ``starts`` and ``ends`` are int64 arrays of
equal length; intervals may overlap and have any order, unless a docstring restricts them.
"""

from collections.abc import Iterable, Sequence

import numpy as np

Intervals = tuple[np.ndarray, np.ndarray]
"""starts, ends"""

NO_INTERVALS: Intervals = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))

ValueRuns = tuple[np.ndarray, np.ndarray]
"""Starts (int64, the first is 0) and values of the runs of equal values along a stretch."""


def is_sorted(starts: np.ndarray, ends: np.ndarray) -> bool:
    """True if no interval is empty, starts ascend, and no two intervals overlap."""
    return bool(np.all(ends > starts) and np.all(starts[1:] >= ends[:-1]))


def is_tiling(starts: np.ndarray, ends: np.ndarray, lo: int, hi: int) -> bool:
    """True if the intervals, in order, cover ``[lo, hi)`` without gap or overlap."""
    if len(starts) == 0:
        return lo == hi
    return bool(
        starts[0] == lo
        and ends[-1] == hi
        and np.all(ends > starts)
        and np.array_equal(starts[1:], ends[:-1])
    )


def merge(starts: np.ndarray, ends: np.ndarray) -> Intervals:
    """Union of intervals, sorted and disjoint: touching ones are joined, empty ones dropped."""
    starts, ends = np.asarray(starts, dtype=np.int64), np.asarray(ends, dtype=np.int64)
    real = ends > starts
    starts, ends = starts[real], ends[real]
    if len(starts) == 0:
        return starts, ends
    order = np.argsort(starts, kind="stable")
    starts, reach = starts[order], np.maximum.accumulate(ends[order])
    first = np.concatenate([[True], starts[1:] > reach[:-1]])
    last = np.concatenate([first[1:], [True]])
    return starts[first], reach[last]


def union(intervals: Iterable[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """Union of (chrom, start, end), sorted by chromosome and start, as :func:`merge` makes it."""
    by_chrom: dict[str, list[tuple[int, int]]] = {}
    for chrom, start, end in intervals:
        by_chrom.setdefault(chrom, []).append((start, end))
    return [
        (chrom, int(start), int(end))
        for chrom, pairs in sorted(by_chrom.items())
        for start, end in zip(*merge(*np.array(pairs, dtype=np.int64).T), strict=True)
    ]


def components(
    starts: np.ndarray, ends: np.ndarray, groups: np.ndarray | None = None
) -> np.ndarray:
    """Connected components of overlapping intervals; touching is not overlapping.

    Parameters
    ----------
    groups : int64 array, shape (n,), optional
        Intervals of different groups, such as chromosomes, never overlap.

    Returns
    -------
    int64 array, shape (n,)
        The component of each interval, numbered from 0 in the order of group and start.
    """
    numbers = np.zeros(len(starts), dtype=np.int64)
    if len(starts) == 0:
        return numbers
    if groups is not None:  # each group on a separate stretch of one long line
        lap = groups * (int(ends.max()) - int(starts.min()) + 1)
        starts, ends = starts + lap, ends + lap
    order = np.argsort(starts, kind="stable")
    reach = np.maximum.accumulate(ends[order])
    numbers[order[1:]] = np.cumsum(starts[order][1:] >= reach[:-1])
    return numbers


def clip(starts: np.ndarray, ends: np.ndarray, lo: int, hi: int) -> Intervals:
    """The parts of intervals inside ``[lo, hi)``."""
    starts, ends = np.maximum(starts, lo), np.minimum(ends, hi)
    inside = ends > starts
    return starts[inside], ends[inside]


def wrap(starts: np.ndarray, ends: np.ndarray, length: int) -> Intervals:
    """Intervals of a circle: what reaches over one end of ``[0, length)`` continues at the other.

    Parameters
    ----------
    starts, ends : int64 arrays, shape (n,)
        May lie any number of laps away; an interval of ``length`` or more covers the circle.
    length : bases of the circle

    Returns
    -------
    (starts, ends) : int64 arrays, shape (m,) with n <= m <= 2 n, inside ``[0, length)``
    """
    size = np.minimum(ends - starts, length)
    begin = np.mod(starts, length)
    first = (begin, np.minimum(begin + size, length))
    over = begin + size > length
    return (
        np.concatenate([first[0], np.zeros(int(over.sum()), dtype=np.int64)]),
        np.concatenate([first[1], (begin + size - length)[over]]),
    )


def laps(start: int, end: int, length: int) -> list[tuple[int, int]]:
    """Intervals inside ``[0, length)`` that an interval of a circle covers one after the other.

    ``start`` may be negative and ``end`` lie beyond the circle; the parts have the order of the
    interval, which :func:`wrap` does not keep.
    """
    found = []
    while start < end:
        lap = start // length * length
        stop = min(end, lap + length)
        found.append((start - lap, stop - lap))
        start = stop
    return found


def covered_mask(starts: np.ndarray, ends: np.ndarray, lo: int, hi: int) -> np.ndarray:
    """True for bases of ``[lo, hi)`` that an interval covers (bool array, shape (hi - lo,))."""
    # The depth of disjoint intervals is 0 or 1, so one byte per base is enough.
    starts, ends = merge(*clip(starts, ends, lo, hi))
    steps = np.zeros(hi - lo + 1, dtype=np.int8)
    steps[starts - lo] = 1
    steps[ends - lo] = -1
    np.cumsum(steps, dtype=np.int8, out=steps)
    return steps[:-1].view(bool)


def true_runs(mask: np.ndarray, first: int = 0) -> Intervals:
    """Runs of True in a bool array as intervals; element 0 has the position ``first``."""
    edges = np.flatnonzero(np.diff(mask, prepend=False, append=False)) + first
    return edges[::2], edges[1::2]


class Covered:
    """Rank and select over a union of intervals, without an array of bases.

    Two look-ups count the covered bases of any interval, one finds the k-th covered base.
    """

    def __init__(self, starts: np.ndarray, ends: np.ndarray) -> None:
        self.starts, self.ends = merge(starts, ends)
        self._before = np.concatenate([[0], np.cumsum(self.ends - self.starts)])

    @property
    def bp(self) -> int:
        """Number of covered bases."""
        return int(self._before[-1])

    def before(self, positions: np.ndarray) -> np.ndarray:
        """Number of covered bases left of each position (int64)."""
        index = np.searchsorted(self.starts, positions, side="right")
        full = self._before[index]
        if not len(self.starts):
            return full
        last_end = self.ends[np.maximum(index - 1, 0)]
        return full - np.where(index > 0, np.maximum(last_end - positions, 0), 0)

    def within(self, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Number of covered bases in each [start, end) (int64)."""
        return self.before(ends) - self.before(starts)

    def base(self, ranks: np.ndarray) -> np.ndarray:
        """Position of the covered base of each rank, 0 to ``bp`` - 1 (int64)."""
        index = np.searchsorted(self._before, ranks, side="right") - 1
        return self.starts[index] + ranks - self._before[index]


def flatten_by_priority(
    layers: Sequence[Intervals], lo: int, hi: int, fill: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Index of the first layer that covers each base of ``[lo, hi)``.

    An event sweep: the index changes only at end points, so the work grows with the number of
    intervals, not of bases. :func:`paint_by_priority` is the reference, written base by base.

    Parameters
    ----------
    layers : sequence of (starts, ends)
        Layer i has index i and takes precedence over all later layers.
    lo, hi : the interval
    fill : index of bases that no layer covers

    Returns
    -------
    starts, ends : int64 arrays, shape (m,)
        They tile ``[lo, hi)``; neighbours differ in index.
    indices : uint8 array, shape (m,)
    """
    merged = [merge(*clip(np.asarray(s), np.asarray(e), lo, hi)) for s, e in layers]
    edges = np.sort(np.concatenate([np.array([lo, hi]), *[a for layer in merged for a in layer]]))
    edges = edges[np.append(edges[1:] != edges[:-1], True)]
    indices = np.full(len(edges) - 1, fill, dtype=np.uint8)
    for index in reversed(range(len(merged))):
        starts, ends = merged[index]
        change = np.zeros(len(edges), dtype=np.int8)
        change[np.searchsorted(edges, starts)] += 1
        change[np.searchsorted(edges, ends)] -= 1
        indices[np.cumsum(change[:-1]) > 0] = index
    if len(indices) == 0:  # lo == hi
        return edges[:0], edges[:0], indices
    first, indices = value_runs(indices)
    starts = edges[first]
    return starts, np.append(starts[1:], hi), indices


def paint_by_priority(layers: Sequence[Intervals], lo: int, hi: int, fill: int) -> np.ndarray:
    """Slow reference of :func:`flatten_by_priority`: uint8 array, shape (hi - lo,)."""
    bases = np.full(hi - lo, fill, dtype=np.uint8)
    for index in reversed(range(len(layers))):
        for start, end in zip(*layers[index], strict=True):
            bases[max(int(start) - lo, 0) : max(int(end) - lo, 0)] = index
    return bases


def value_runs(values: np.ndarray) -> ValueRuns:
    """Maximal runs of equal values of an array."""
    first = np.ones(len(values), dtype=bool)
    first[1:] = values[1:] != values[:-1]
    starts = np.flatnonzero(first)
    return starts, values[starts]


def shifted_runs(runs: ValueRuns, length: int, shift: int, low: int, high: int) -> ValueRuns:
    """Runs of [low, high) after a circular shift, to the right, of runs of ``length`` bases."""
    starts, values = runs
    begin = (low - shift) % length
    end = begin + high - low
    found = []
    for first, last, at in ((begin, min(end, length), 0), (0, end - length, length - begin)):
        if last > first:
            inside = slice(
                int(np.searchsorted(starts, first, "right")) - 1,
                int(np.searchsorted(starts, last, "left")),
            )
            found.append((np.maximum(starts[inside], first) - first + at, values[inside]))
    return np.concatenate([part[0] for part in found]), np.concatenate([part[1] for part in found])
