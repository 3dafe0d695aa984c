"""Bases covered by intervals, counted or picked by rank without a per-base array."""

import numpy as np

from genezip.genome.intervals import merge


class Covered:
    """Bases covered by intervals, counted in any stretch by two look-ups.

    Parameters
    ----------
    starts, ends : int64 arrays
        Half-open intervals in any order; overlaps count once.
    """

    def __init__(self, starts: np.ndarray, ends: np.ndarray) -> None:
        self.starts, self.ends = merge(starts, ends)
        self._before = np.concatenate([[0], np.cumsum(self.ends - self.starts)])

    @property
    def bp(self) -> int:
        """All covered bases."""
        return int(self._before[-1])

    def before(self, positions: np.ndarray) -> np.ndarray:
        """Covered bases left of each position (int64)."""
        place = np.searchsorted(self.starts, positions, side="right")
        full = self._before[place]
        if not len(self.starts):
            return full
        last_end = self.ends[np.maximum(place - 1, 0)]
        return full - np.where(place > 0, np.maximum(last_end - positions, 0), 0)

    def within(self, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Covered bases of each [start, end) (int64)."""
        return self.before(ends) - self.before(starts)

    def base(self, ranks: np.ndarray) -> np.ndarray:
        """Position of the covered base of each rank, 0 to ``bp`` - 1 (int64)."""
        place = np.searchsorted(self._before, ranks, side="right") - 1
        return self.starts[place] + ranks - self._before[place]
