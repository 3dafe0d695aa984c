"""Runs of equal codes along a piece, and what of them lies in a stretch after a shift."""

import numpy as np

Runs = tuple[np.ndarray, np.ndarray]
"""Starts (int64, the first is 0) and values of runs of equal values."""


def runs(values: np.ndarray) -> Runs:
    """Starts (int64) and values of the runs of equal values; the first start is 0."""
    starts = np.append(0, np.flatnonzero(values[1:] != values[:-1]) + 1)
    return starts, values[starts]


def shifted_runs(codes: Runs, length: int, shift: int, low: int, high: int) -> Runs:
    """Runs of the stretch [low, high) once all runs moved right by ``shift``, circular.

    Parameters
    ----------
    codes : runs of a whole piece of ``length`` bases
    """
    starts, values = codes
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
