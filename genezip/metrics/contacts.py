"""Correlation of contact maps: stratum-adjusted coefficients and plain Pearson.

A map is the array of its upper triangle from the second diagonal on, in the order of
``numpy.triu_indices(bins, 2)``. A stratum d holds the entries (i, j) with j - i = d; n_d of them
have a finite target and a finite prediction, and r_d is Pearson's r of those. A stratum with
fewer than two entries, or with constant targets or predictions, has no r_d and is left out. The
coefficients are weighted means of r_d:

=============  ==========================  =======================================
name           weight of a stratum         source
=============  ==========================  =======================================
scc            n_d                         GeneZip's release, under the name SCC
scc_hicrep     (n_d + 1) / 12              HiCRep (doi 10.1101/gr.220640.117): n_d
                                           times the variance of ranks 1..n_d over
                                           n_d, taken with n_d - 1 as R's var
                                           does; without smoothing
scc_hicreppy   (n_d^2 - 1) / (12 n_d)      the same with the variance taken with
                                           n_d, as hicreppy's np.var does
scc_release    (n_d^2 - 1) / (12 n_d^3)    DNALongBench's metric script, d <= bins-6
=============  ==========================  =======================================

hicreppy 0.1.0 as published divides the ranks by n_d once more, which makes its weight that of
``scc_release``.
``scc_release`` gives half of the weight to the far corner of the map with its few entries; the
coefficients of one map can differ widely and are not comparable.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np

from genezip.metrics.bootstrap import ratio

OFFSET = 2  # first stratum that the maps hold
METRICS = ("scc", "scc_hicrep", "scc_hicreppy", "scc_release", "corr")
_RELEASE_DROPS = 6  # scc_release leaves out strata above bins - 6


@dataclass(frozen=True)
class Strata:
    """Entries of the upper triangle, sorted by stratum.

    ``order``, (m,), has the entries in order of their stratum and ``stratum``, (m,), d - 2 of each
    in that order; ``starts``, (bins - 2,), is the first entry of each stratum. All are int64.
    """

    bins: int
    order: np.ndarray
    stratum: np.ndarray
    starts: np.ndarray


def n_entries(bins: int) -> int:
    """Number of entries of a map: (bins - 2)(bins - 1) / 2."""
    return (bins - OFFSET) * (bins - OFFSET + 1) // 2


def entries(bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of every entry of a map, int64 arrays of shape (m,)."""
    return np.triu_indices(bins, OFFSET)


def pair_products(values: np.ndarray) -> np.ndarray:
    """Product of the values of both bins of every entry: (..., bins) -> (..., m)."""
    rows, columns = entries(values.shape[-1])
    return np.asarray(values[..., rows] * values[..., columns])


def n_bins(entries: int) -> int:
    """Number of bins of a map (99,681 entries -> 448); ValueError if no map has so many entries."""
    bins = round((np.sqrt(8 * entries + 1) - 1) / 2) + OFFSET
    if entries < 1 or n_entries(bins) != entries:
        raise ValueError(f"no upper triangle from diagonal {OFFSET} has {entries} entries")
    return bins


def is_triangle(entries: int) -> bool:
    """Whether some map has so many entries."""
    try:
        n_bins(entries)
    except ValueError:
        return False
    return True


@cache
def strata_of(bins: int) -> Strata:
    """Strata of a map with at least 3 bins."""
    rows, columns = entries(bins)
    distance = columns - rows - OFFSET
    order = np.argsort(distance, kind="stable")
    stratum = distance[order]
    starts = np.searchsorted(stratum, np.arange(bins - OFFSET))
    return Strata(bins, order, stratum, starts)


def contact_scores(prediction: np.ndarray, target: np.ndarray) -> dict[str, float]:
    """Scores of one map by name, NaN where undefined (a constant prediction, a map of zeros).

    Both arguments are upper triangles, float (m,); entries where either is not finite are ignored.
    """
    strata = strata_of(n_bins(len(target)))
    finite = (np.isfinite(prediction) & np.isfinite(target))[strata.order]
    x = np.where(finite, prediction[strata.order], 0).astype(np.float64)
    y = np.where(finite, target[strata.order], 0).astype(np.float64)
    r, n = _stratum_pearson(x, y, finite, strata)
    used = np.isfinite(r)
    distance = np.arange(len(r)) + OFFSET
    counts = np.maximum(n, 1)
    ranks = (counts**2 - 1) / 12
    near = used & (distance <= strata.bins - _RELEASE_DROPS)
    return {
        "scc": _weighted(r, counts, used),
        "scc_hicrep": _weighted(r, (counts + 1) / 12, used),
        "scc_hicreppy": _weighted(r, ranks / counts, used),
        "scc_release": _weighted(r, ranks / counts**3, near),
        "corr": _pearson(x[finite], y[finite]),
    }


def mean_score(maps: Iterable[tuple[np.ndarray, np.ndarray]], metric: str) -> float:
    """Mean of a score over the maps that have one, NaN where none has.

    ``maps`` are prediction and target of each, as of :func:`contact_scores`.
    """
    scores = [contact_scores(prediction, target)[metric] for prediction, target in maps]
    defined = [score for score in scores if np.isfinite(score)]
    return float(np.mean(defined)) if defined else float("nan")


def has_signal(target: np.ndarray) -> bool:
    """Whether a map has two different finite values; that of a missing chromosome is all zero."""
    values = target[np.isfinite(target)]
    return len(values) > 0 and bool(values.min() < values.max())


def stratum_means(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Map of the mean of each stratum, float64 (m,): a prediction from distance alone.

    ``total`` and ``count``, float (m,), are the sum of the finite values of every entry over maps,
    and their number. The result is NaN in strata without any value.
    """
    strata = strata_of(n_bins(len(total)))
    sums = np.bincount(strata.stratum, total[strata.order])
    counts = np.bincount(strata.stratum, count[strata.order])
    means = ratio(sums, counts)
    found = np.empty(len(total))
    found[strata.order] = means[strata.stratum]
    return found


def _stratum_pearson(
    x: np.ndarray, y: np.ndarray, finite: np.ndarray, strata: Strata
) -> tuple[np.ndarray, np.ndarray]:
    """Pearson's r (NaN where undefined) and number of entries of every stratum."""
    size = len(strata.starts)
    n = np.bincount(strata.stratum, finite, size)
    varies = _varies(x, finite, strata) & _varies(y, finite, strata)
    x = _centred(x, n, finite, strata)
    y = _centred(y, n, finite, strata)
    xx, yy, xy = (np.bincount(strata.stratum, part, size) for part in (x * x, y * y, x * y))
    scale = np.sqrt(xx) * np.sqrt(yy)
    r = np.divide(xy, scale, out=np.full(size, np.nan), where=varies & (scale > 0))
    return r, n


def _varies(values: np.ndarray, finite: np.ndarray, strata: Strata) -> np.ndarray:
    """Strata with two different values; the variance of a constant may be a rounding error."""
    high = np.maximum.reduceat(np.where(finite, values, -np.inf), strata.starts)
    low = np.minimum.reduceat(np.where(finite, values, np.inf), strata.starts)
    return np.asarray(high > low)


def _centred(values: np.ndarray, n: np.ndarray, finite: np.ndarray, strata: Strata) -> np.ndarray:
    means = np.bincount(strata.stratum, values, len(n)) / np.maximum(n, 1)
    return np.where(finite, values - means[strata.stratum], 0)


def _pearson(x: np.ndarray, y: np.ndarray) -> float:
    if len(x) < 2 or x.min() == x.max() or y.min() == y.max():
        return float("nan")
    x, y = x - x.mean(), y - y.mean()
    return float((x @ y) / (np.sqrt(x @ x) * np.sqrt(y @ y)))


def _weighted(r: np.ndarray, weights: np.ndarray, used: np.ndarray) -> float:
    total = weights[used].sum()
    return float((weights[used] * r[used]).sum() / total) if total > 0 else float("nan")
