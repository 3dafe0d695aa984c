"""Baselines of contact maps: the mean map and the map of GC content.

``mean_map``: the mean training map, the same for every window. ``gc_product``: GC content of
the bins, standardised in the window, as an outer product, with slope and intercept fitted by
least squares to the training maps.
"""

from collections.abc import Iterator

import numpy as np

from genezip.log import progress
from genezip.metrics.contacts import has_signal, n_entries, pair_products, stratum_means
from genezip.metrics.gc_content import gc_content
from genezip.tasks.base import Predictions
from genezip.tasks.examples import rows_by_split
from genezip.tasks.windows.examples import CMP_FULL, HELD_OUT, Bins, WindowExamples, predictions_at


class MapMean:
    """Entrywise mean of maps, shape (m,), over finite values; constant maps are left out."""

    def __init__(self, entries: int) -> None:
        self.total, self.count = np.zeros(entries), np.zeros(entries)

    def add(self, target: np.ndarray) -> None:
        """Add one map, shape (m,)."""
        if has_signal(target):
            finite = np.isfinite(target)
            self.total += np.where(finite, target, 0)
            self.count += finite

    def mean(self) -> np.ndarray:
        """Mean map, float64 (m,); an entry without values has the mean of its diagonal, or 0."""
        seen = self.count > 0
        found = np.where(seen, self.total / np.maximum(self.count, 1), self.by_distance())
        return np.where(np.isfinite(found), found, 0.0)

    def by_distance(self) -> np.ndarray:
        """Map with the mean of each diagonal, NaN in diagonals without values."""
        return stratum_means(self.total, self.count)


class LineFit:
    """Least squares fit of y on x from running sums."""

    def __init__(self) -> None:
        self.sums = np.zeros(5)  # n, x, y, xx, xy

    def add(self, x: np.ndarray, y: np.ndarray) -> None:
        """Add pairs of numbers, shape (m,) each; pairs with a y that is not finite are left out."""
        finite = np.isfinite(y)
        x, y = x[finite].astype(np.float64), y[finite].astype(np.float64)
        self.sums += [len(x), x.sum(), y.sum(), x @ x, x @ y]

    def line(self) -> tuple[float, float]:
        """Intercept and slope; slope 0 where x has no variance."""
        n, x, y, xx, xy = self.sums
        variance = xx - x * x / max(n, 1)
        slope = (xy - x * y / n) / variance if variance > 1e-12 * xx else 0.0
        return float((y - slope * x) / max(n, 1)), float(slope)


def gc_product(ids: np.ndarray, bins: Bins = CMP_FULL) -> np.ndarray:
    """Outer product of the standardised GC content of the bins of a window.

    Token ids are uint8 (L,); the product is float64 (m,), the upper triangle from diagonal 2.
    """
    inside = ids[bins.first_bp : bins.end_bp].reshape(bins.count, bins.width_bp)
    return pair_products(standardised(gc_content(inside)))


def standardised(values: np.ndarray) -> np.ndarray:
    """Values (n,) with mean 0 and SD 1 over finite ones; 0 where not finite or all equal."""
    finite = np.isfinite(values)
    found = np.zeros(len(values))
    if finite.any() and values[finite].min() < values[finite].max():
        found[finite] = (values[finite] - values[finite].mean()) / values[finite].std()
    return found


def predict_maps(
    windows: WindowExamples, track: int, bins: Bins = CMP_FULL
) -> Iterator[Predictions]:
    """Predictions of ``mean_map`` and ``gc_product`` for a cell line, ``track``, valid and test."""
    rows = rows_by_split(windows.table)
    mean, line = MapMean(n_entries(bins.count)), LineFit()
    train = windows.targets("train")
    for number, row in enumerate(progress(rows["train"], "training maps", unit="map")):
        target = np.asarray(train[number, track])
        mean.add(target)
        if has_signal(target):
            line.add(gc_product(windows.ids(int(row)), bins), target)
    flat = mean.mean()
    intercept, slope = line.line()
    for split in HELD_OUT:
        targets = windows.targets(split)
        for number, row in enumerate(rows[split]):
            target = np.asarray(targets[number, track])
            product = intercept + slope * gc_product(windows.ids(int(row)), bins)
            for model, found in (("mean_map", flat), ("gc_product", product)):
                yield predictions_at(windows.table, np.array([row]), [target], [found], model)
