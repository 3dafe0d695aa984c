"""Block bootstrap: intervals for any statistic of windows, pairs, maps or elements.

Neighbouring windows are not independent (they share a gene, a repeat, a GC domain), so blocks of
DNA, by default of 131 kb, are resampled. A statistic T is computed for the sample and for the
sample without each block in turn. The influence of block b,

    U_b = (B - 1) (mean of T_without - T_without_b),

gives the jackknife standard error and represents the block in every resample: a resample has the
mean of its U and the standard error of that mean, and 4,000 resamples are one matrix product. The
interval is the symmetric studentised one: T plus or minus c standard errors, where 95 % of the
resamples have abs(mean) / (standard error) up to c (Hall 1988, J. R. Stat. Soc. B 50, 35). With few
blocks c is larger than 1.96, which a percentile interval misses. Values of two models from the same
object leave out the same blocks, so their difference is a paired one.

If only k of the B blocks hold a region, resamples and standard error are those of these k blocks;
below 8 of them the interval is marked ``few blocks``. The interval always contains the estimate
and stays inside the range of the statistic (`Scale`). Its measured coverage, also for block effects
with heavy tails, is in docs/measurements/2026-11-29-intervals.md.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

LEVEL = 0.95
MIN_BLOCKS = 3  # fewer blocks with the region give no interval
FEW_BLOCKS = 8  # fewer blocks give an interval that is marked
FEW = "few blocks"
UNDEFINED_WITHOUT = "undefined without one of"
WEIGHT_BYTES = 1 << 22  # weights of a slice of blocks, which fit the cache of a core
_ROUNDING = 1e-12  # influences below this share of the value are rounding errors
NO_SPREAD = 1e-9  # share of the variance below which a resample holds copies of one value

Scale = Literal["difference", "ratio", "share", "correlation"]
"""Range of a statistic: any value; 0 and more (interval around the logarithm); 0 to 1; -1 to 1."""
_RANGE = {
    "difference": (-np.inf, np.inf),
    "ratio": (0.0, np.inf),
    "share": (0.0, 1.0),
    "correlation": (-1.0, 1.0),
}


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval; arrays of one shape, NaN where undefined.

    ``blocks`` is the number of blocks with a non-zero denominator; 0 where no interval was wanted.
    """

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    blocks: np.ndarray = field(default_factory=lambda: np.array(0))


def interval_note(value: float, low: float, blocks: int, unit: str = "blocks") -> str:
    """Note on a missing interval or one from few blocks; empty otherwise.

    ``value``, ``low`` and ``blocks`` are those of an :class:`Estimate`; ``unit`` is the plural
    noun for what is resampled.
    """
    if not blocks or not np.isfinite(value):
        return ""
    if blocks < MIN_BLOCKS:
        return f"no interval: it needs {MIN_BLOCKS} {unit} and has {blocks}"
    if not np.isfinite(low):
        return f"no interval: {UNDEFINED_WITHOUT} the {unit}"
    if blocks >= FEW_BLOCKS:
        return ""
    return FEW if unit == "blocks" else f"{FEW}: {blocks} {unit}"


def scarcer(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """For each entry of two supports, shape (B, ...), the one with fewer blocks."""
    return np.where(one.sum(axis=0) <= other.sum(axis=0), one, other)


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Quotient of arrays whose shapes broadcast, float64; NaN where ``below`` is not positive."""
    above, below = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    found = np.full(np.broadcast_shapes(above.shape, below.shape), np.nan)
    return np.divide(above, below, out=found, where=below > 0)


class BlockBootstrap:
    """Blocks and their resamples, which are drawn once.

    ``blocks``, (n,), has the block of every window (or other unit); any integers, or names. Equal
    seeds and blocks give equal resamples. Resamples whose variance is below ``least_spread``, a
    share of the sample's, are left out. Where few units (the few errors of a good classifier) carry
    all variance, a resample without them has hardly any standard error.
    """

    def __init__(
        self, blocks: np.ndarray, resamples: int, seed: int, least_spread: float = NO_SPREAD
    ) -> None:
        self._least_spread = least_spread
        _, self._index = np.unique(np.asarray(blocks), return_inverse=True)
        self.n_units = len(self._index)
        self.n_blocks = int(self._index.max()) + 1 if self.n_units else 0
        self.resamples, self._seed = resamples, seed

    @cached_property
    def counts(self) -> np.ndarray:
        """How often each block is drawn in each resample, float64, (resamples, B)."""
        if not self.n_blocks:
            return np.zeros((self.resamples, 0))
        shares = np.full(self.n_blocks, 1 / self.n_blocks)
        random = np.random.default_rng(self._seed)
        return random.multinomial(self.n_blocks, shares, self.resamples).astype(np.float64)

    def sums(self, columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Sum every column over the sample and over the sample without each block.

        Columns are arrays of shape (n, ...), one row per window. The sums are float64, shape
        (1 + B, ...): row 0 is the sample itself, row 1 + b the sample without block b.
        """
        found = {}
        for name, values in columns.items():
            by_block = np.zeros((self.n_blocks, *np.shape(values)[1:]))
            np.add.at(by_block, self._index, np.asarray(values, dtype=np.float64))
            # Sums before and after a block: subtracting the block from the total would leave
            # rounding errors where no other block holds the region.
            whole = np.zeros((1, *by_block.shape[1:]))
            before = np.concatenate([whole, by_block.cumsum(axis=0)])
            after = np.concatenate([by_block[::-1].cumsum(axis=0)[::-1], whole])
            found[name] = np.concatenate([before[-1:], before[:-1] + after[1:]])
        return found

    def of_weights(self, statistic: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """A statistic that is no function of sums (such as AUROC), with and without each block.

        ``statistic`` takes weights, float64 (k, n), 0 for units of the block left out and 1 for the
        others, and returns (k, ...), NaN where it is undefined. Rows are those of :meth:`sums`.
        """
        step = max(WEIGHT_BYTES // (8 * max(self.n_units, 1)), 1)
        left_out = np.arange(-1, self.n_blocks)
        found = [
            np.asarray(
                statistic((left_out[low : low + step, None] != self._index).astype(np.float64)),
                dtype=np.float64,
            )
            for low in range(0, len(left_out), step)
        ]
        return np.concatenate(found)

    def support(self, weights: np.ndarray) -> np.ndarray:
        """Blocks in which a denominator is not zero, bool (B, ...).

        ``weights`` are the shares, none negative, of every window in the denominator, (n, ...).
        """
        found = np.zeros((self.n_blocks, *np.shape(weights)[1:]), dtype=bool)
        np.logical_or.at(found, self._index, np.asarray(weights) > 0)
        return found

    def summarise(
        self, values: np.ndarray, support: np.ndarray | None = None, scale: Scale = "difference"
    ) -> Estimate:
        """Value (row 0) and 95 % interval of a statistic, as of :meth:`sums` or :meth:`of_weights`.

        There is no interval (NaN) where fewer than 3 blocks have a non-zero denominator, or where
        the statistic is undefined without one of the blocks. If no block changes the value, both
        limits are the value. Resamples of copies of one block have no standard error and are left
        out. ``support``, bool (B, ...), broadcasts to values[1:]: the blocks with a non-zero
        denominator (:meth:`support`), or None for every block.
        """
        values = np.where(np.isfinite(values), values, np.nan)
        shape = values.shape[1:]
        flat = values.reshape(len(values), -1)
        held = np.ones(1, dtype=bool) if support is None else support
        if support is None or support.ndim < values.ndim:
            held = held.reshape(*held.shape, *[1] * (values.ndim - held.ndim))
        held = np.broadcast_to(held, values[1:].shape).reshape(self.n_blocks, flat.shape[1])
        blocks = held.sum(axis=0)
        low, high = np.full((2, flat.shape[1]), np.nan)
        enough = (blocks >= MIN_BLOCKS) & np.isfinite(flat).all(axis=0)
        if enough.any():
            reach = self._reach(flat[:, enough], held[:, enough])
            low[enough], high[enough] = _limits(flat[0, enough], reach, scale)
        parts = (part.reshape(shape) for part in (flat[0], low, high, blocks))
        return Estimate(*parts)

    def _reach(self, values: np.ndarray, held: np.ndarray) -> np.ndarray:
        """Half width of the interval on a linear scale, (c,); values (1 + B, c), held (B, c)."""
        moves = (self.n_blocks - 1) * (values[1:].mean(axis=0) - values[1:])
        noise = np.abs(moves).max(axis=0) <= _ROUNDING * self.n_blocks * np.abs(values[0])
        moves[:, noise] = 0
        k = held.sum(axis=0)
        error = np.sqrt((moves**2).sum(axis=0) * k / (k - 1)) / self.n_blocks
        inside = np.where(held, moves - moves.mean(axis=0, where=held), 0)
        # one product: sums, sums of squares and, where blocks differ, how many are drawn
        columns = [inside, inside**2] if held.all() else [inside, inside**2, held]
        total, squares, *drawn = np.split(self.counts @ np.hstack(columns), len(columns), axis=1)
        count = drawn[0] if drawn else np.full((1, 1), float(self.n_blocks))
        count = np.maximum(count, 1)
        mean = total / count
        variance = squares / count - mean**2
        least = self._least_spread * (inside**2).sum(axis=0) / k
        spread = variance > least  # never where one block alone is drawn
        t_squared = np.divide(
            mean**2 * (count - 1), variance, out=np.full(mean.shape, np.nan), where=spread
        )
        reach = np.zeros(len(error))
        for column in np.flatnonzero(error > 0):
            known = t_squared[spread[:, column], column]
            if len(known):
                reach[column] = np.quantile(np.sqrt(known), LEVEL) * error[column]
            else:  # only blocks without the region change the value
                every = np.ones((self.n_blocks, 1), dtype=bool)
                reach[column] = self._reach(values[:, [column]], every)[0]
        return reach


def _limits(value: np.ndarray, reach: np.ndarray, scale: Scale) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper limits; those of a positive ratio lie around its logarithm (delta method)."""
    least, most = _RANGE[scale]
    low, high = np.maximum(value - reach, least), np.minimum(value + reach, most)
    if scale == "ratio":
        positive = np.flatnonzero(value > 0)
        with np.errstate(over="ignore"):
            factor = np.exp(reach[positive] / value[positive])
            upper = value[positive] * factor
        fits = np.isfinite(upper)  # a limit is never infinite
        low[positive[fits]] = (value[positive] / factor)[fits]
        high[positive[fits]] = upper[fits]
    # rounding never puts the value outside
    return np.minimum(low, value), np.maximum(high, value)
