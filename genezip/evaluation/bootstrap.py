"""Block bootstrap: intervals for statistics of sums over windows.

Neighbouring windows are not independent (they share a gene, a repeat, a GC domain), so the
unit that is drawn is a block of DNA, by default 131 kb. Every statistic here is a function
of sums over windows, hence a resample is a vector of block counts and 1,000 resamples are
one matrix product. Two models whose sums are taken with the same object are resampled
together, which is what makes their difference a paired one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95
MIN_BLOCKS = 3  # with fewer blocks that hold the region, there is no interval
MAX_UNDEFINED = 0.05  # and none where a larger share of the resamples misses the region
WEIGHT_BYTES = 1 << 22  # weights of a slice of resamples; fits the cache of a core


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
    blocks : array, shape (n,)
        Block of every window (or other unit); any integers, or names.
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

    def of_weights(self, statistic: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """A statistic that is no function of sums (an AUROC), over the sample and resamples.

        A resample in which a block was drawn k times gives each of its units the weight k.

        Parameters
        ----------
        statistic : callable
            Takes weights, float64 array of shape (k, n) for k resamples, and returns an array
            of shape (k, ...), NaN where it is undefined.

        Returns
        -------
        float64 array, shape (1 + resamples, ...)
            Row 0 is the sample itself (all weights 1).
        """
        step = max(WEIGHT_BYTES // (8 * max(self.n_units, 1)), 1)
        found = [
            np.asarray(statistic(self._counts[low : low + step, self._index]), dtype=np.float64)
            for low in range(0, len(self._counts), step)
        ]
        return np.concatenate(found)

    def support(self, weights: np.ndarray) -> np.ndarray:
        """Number of blocks in which a denominator is not zero.

        Parameters
        ----------
        weights : array, shape (n, ...)
            Share of every window in the denominator; none is negative.

        Returns
        -------
        int64 array, shape (...)
        """
        shape = np.shape(weights)[1:]
        found = np.zeros((self.n_blocks, *shape), dtype=bool)
        np.logical_or.at(found, self._index, np.asarray(weights) > 0)
        return np.asarray(found.sum(axis=0))

    def summarise(self, values: np.ndarray, support: np.ndarray) -> Estimate:
        """Value (row 0) and 95 % percentile interval (the other rows) of a statistic.

        A percentile interval over a few blocks says next to nothing, and one over the
        resamples that happen to hold a rare region is an interval of something else. There is
        none (NaN) where fewer than 3 blocks have a non-zero denominator, or where more than
        5 % of the resamples are undefined; a smaller share of undefined ones is left out.

        Parameters
        ----------
        values : float array, shape (1 + resamples, ...)
        support : int array that broadcasts to shape (...)
            Blocks with a non-zero denominator (:meth:`support`).
        """
        values = np.where(np.isfinite(values), values, np.nan)
        shape = values.shape[1:]
        draws = values[1:].reshape(len(values) - 1, -1)
        enough = np.broadcast_to(support, shape).reshape(-1) >= MIN_BLOCKS
        enough = enough & (np.isnan(draws).mean(axis=0) <= MAX_UNDEFINED)
        low, high = np.full((2, draws.shape[1]), np.nan)
        for column in np.flatnonzero(enough):
            good = draws[np.isfinite(draws[:, column]), column]
            low[column], high[column] = np.quantile(good, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return Estimate(values[0], low.reshape(shape), high.reshape(shape))
