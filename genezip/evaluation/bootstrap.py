"""Block bootstrap: intervals for statistics of sums over windows.

Neighbouring windows are not independent (they share a gene, a repeat, a GC domain), so the
unit that is drawn is a block of DNA, by default 131 kb. Every statistic here is a function
of sums over windows, hence a resample is a vector of block counts and 1,000 resamples are
one matrix product. Two models whose sums are taken with the same object are resampled
together, which is what makes their difference a paired one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A value and its percentile interval; arrays of one shape, NaN where undefined."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray


class BlockBootstrap:
    """Resamples of blocks, drawn once.

    Parameters
    ----------
    blocks : int array, shape (n,)
        Block of every window (or other unit); any integers.
    resamples : int
        Number of bootstrap resamples.
    seed : int
        Equal seeds and blocks give equal resamples.
    """

    def __init__(self, blocks: np.ndarray, resamples: int, seed: int) -> None:
        _, self._index = np.unique(np.asarray(blocks), return_inverse=True)
        self.n_units = len(self._index)
        self.n_blocks = int(self._index.max()) + 1 if self.n_units else 0
        draws: np.ndarray = np.zeros((resamples, 0))
        if self.n_blocks:
            shares = np.full(self.n_blocks, 1 / self.n_blocks)
            draws = np.random.default_rng(seed).multinomial(self.n_blocks, shares, resamples)
        # Row 0 is the sample itself, so one call gives the value and its resamples.
        self._counts = np.vstack([np.ones((1, self.n_blocks)), draws])

    def sums(self, columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Sum every column over the sample and over each resample.

        Parameters
        ----------
        columns : mapping of name to array, shape (n, ...)
            One row per window.

        Returns
        -------
        dict of name to float64 array, shape (1 + resamples, ...)
            Row 0 is the sample itself.
        """
        found = {}
        for name, values in columns.items():
            width = int(np.prod(np.shape(values)[1:]))
            wide = np.asarray(values, dtype=np.float64).reshape(self.n_units, width)
            by_block = np.zeros((self.n_blocks, wide.shape[1]))
            np.add.at(by_block, self._index, wide)
            shape = (len(self._counts), *np.shape(values)[1:])
            found[name] = (self._counts @ by_block).reshape(shape)
        return found

    def summarise(self, values: np.ndarray) -> Estimate:
        """Value (row 0) and 95 % percentile interval (the other rows) of a statistic.

        Resamples in which the statistic is undefined (no promoter drawn, say) are left out.
        With a single block there is no interval: NaN.
        """
        values = np.where(np.isfinite(values), values, np.nan)
        draws = values[1:].reshape(len(values) - 1, -1)
        low, high = np.full((2, draws.shape[1]), np.nan)
        if self.n_blocks > 1:
            for column in np.flatnonzero(np.isfinite(draws).any(axis=0)):
                good = draws[np.isfinite(draws[:, column]), column]
                low[column], high[column] = np.quantile(good, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        shape = values.shape[1:]
        return Estimate(values[0], low.reshape(shape), high.reshape(shape))
