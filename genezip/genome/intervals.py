"""Interval arithmetic on plain arrays: 0-based, half-open, one chromosome at a time.

Nothing here knows pandas, files or region classes. ``starts`` and ``ends`` are int64 arrays
of equal length; unless a function says otherwise they may overlap and come in any order.
"""

from collections.abc import Sequence

import numpy as np

Intervals = tuple[np.ndarray, np.ndarray]


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
    """Union of intervals: sorted, disjoint; touching intervals become one, empty ones go.

    Returns
    -------
    (starts, ends) : int64 arrays, shape (m,) with m <= n
    """
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


def clip(starts: np.ndarray, ends: np.ndarray, lo: int, hi: int) -> Intervals:
    """Parts of the intervals inside ``[lo, hi)``; what lies outside is dropped."""
    starts, ends = np.maximum(starts, lo), np.minimum(ends, hi)
    inside = ends > starts
    return starts[inside], ends[inside]


def wrap(starts: np.ndarray, ends: np.ndarray, length: int) -> Intervals:
    """Intervals of a circle: what reaches over one end of ``[0, length)`` goes on at the other.

    Parameters
    ----------
    starts, ends : int64 arrays, shape (n,)
        On the line that goes round the circle any number of times; an interval of ``length`` or
        more covers all of it.
    length : int
        Bases of the circle.

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


def contains(positions: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """True where a position lies in any interval (bool array of the shape of positions)."""
    starts, ends = merge(starts, ends)
    if len(starts) == 0:
        return np.zeros(np.shape(positions), dtype=bool)
    index = np.searchsorted(starts, positions, side="right") - 1
    return (index >= 0) & (positions < ends[index])


def flatten_by_priority(
    layers: Sequence[Intervals], lo: int, hi: int, fill: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One label for every base of ``[lo, hi)``: the first layer that covers it.

    An event sweep: labels can only change at the end points, so work grows with the number
    of intervals and not with the number of bases. :func:`paint_by_priority` is the same
    thing written base by base.

    Parameters
    ----------
    layers : sequence of (starts, ends)
        Layer i gives label i and wins over all later layers.
    lo, hi : int
        The stretch to label.
    fill : int
        Label of a base that no layer covers.

    Returns
    -------
    starts, ends : int64 arrays, shape (m,)
        They tile ``[lo, hi)``; neighbours differ in label.
    labels : uint8 array, shape (m,)
    """
    merged = [merge(*clip(np.asarray(s), np.asarray(e), lo, hi)) for s, e in layers]
    edges = np.sort(np.concatenate([np.array([lo, hi]), *[a for layer in merged for a in layer]]))
    edges = edges[np.append(edges[1:] != edges[:-1], True)]
    labels = np.full(len(edges) - 1, fill, dtype=np.uint8)
    for label in reversed(range(len(merged))):
        starts, ends = merged[label]
        change = np.zeros(len(edges), dtype=np.int8)
        change[np.searchsorted(edges, starts)] += 1
        change[np.searchsorted(edges, ends)] -= 1
        labels[np.cumsum(change[:-1]) > 0] = label
    if len(labels) == 0:  # lo == hi
        return edges[:0], edges[:0], labels
    new = np.concatenate([[True], labels[1:] != labels[:-1]])
    starts = edges[:-1][new]
    return starts, np.append(starts[1:], hi), labels[new]


def paint_by_priority(layers: Sequence[Intervals], lo: int, hi: int, fill: int) -> np.ndarray:
    """Slow twin of :func:`flatten_by_priority`: paint the layers, last one first.

    Returns
    -------
    uint8 array, shape (hi - lo,)
    """
    bases = np.full(hi - lo, fill, dtype=np.uint8)
    for label in reversed(range(len(layers))):
        for start, end in zip(*layers[label], strict=True):
            bases[max(int(start) - lo, 0) : max(int(end) - lo, 0)] = label
    return bases


def run_lengths(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Run-length coding of a label array.

    Returns
    -------
    lengths : int32 array, shape (m,)
    values : uint8 array, shape (m,)
    """
    ids = np.asarray(ids, dtype=np.uint8)
    if len(ids) == 0:
        return np.zeros(0, dtype=np.int32), ids
    first = np.flatnonzero(np.concatenate([[True], ids[1:] != ids[:-1]]))
    return np.diff(np.append(first, len(ids))).astype(np.int32), ids[first]
