"""Pearson's r from sums, which can be added over windows or over all blocks but one.

Two tasks of DNALongBench use it. Regulatory activity has three definitions, which differ
strongly. ``pcc_sequence``: r over all bins and tracks of a sequence, mean over sequences (the
released analysis of DNALongBench). ``pcc_flat``: one r over everything (its CNN script).
``pcc_track``: r of each track over sequences and bins, mean over tracks (the convention of
Enformer, doi 10.1038/s41592-021-01252-x). The first two reward the scale between tracks.

Transcription initiation is scored by the mean r of five assays at base resolution. Each assay has
a plus and a minus track; both strands and all scored positions are pooled. Stored values are
logarithms of counts, which DNALongBench's metric converts to one scale: CAGE and RAMPAGE, v ->
log10(10^v - 1 + 0.1); GRO-cap and PRO-cap, v -> v / ln 10 (doi 10.1038/s41467-025-65077-4).
"""

from typing import Literal

import numpy as np

from genezip.metrics.bootstrap import ratio

NAMES = ("n", "x", "y", "xx", "yy", "xy")
# A constant has a rounding error of about 1e-15 of its sum of squares; a variance below this
# share counts as none.
_NO_VARIANCE = 1e-12
_VALUES_AT_ONCE = 1 << 18  # 2 MB in float64

ACTIVITY_METRICS = ("pcc_sequence", "pcc_flat", "pcc_track")
N_TRACKS = 10
ASSAYS: dict[str, tuple[int, int]] = {
    "fc": (0, 9),  # FANTOM CAGE: plus and minus track
    "ec": (1, 8),  # ENCODE CAGE
    "er": (2, 7),  # ENCODE RAMPAGE
    "gc": (3, 6),  # GRO-cap
    "pc": (4, 5),  # PRO-cap
}
INITIATION_METRICS = (*(f"pcc_{assay}" for assay in ASSAYS), "pcc_mean")
_COUNT_LOG10 = ("fc", "ec", "er")  # stored as log10(count + 1); the others as ln(count + 1)


def moments(
    prediction: np.ndarray, target: np.ndarray, axis: Literal[0] | None = None
) -> np.ndarray:
    """Number, sums, and sums of squares and products of the entries with a finite target.

    ``prediction`` and ``target`` have one shape; ``axis`` is 0, or None to sum everything. The
    result is float64 (..., 6), in order of ``NAMES`` (x prediction, y target).
    """
    x, y = np.asarray(prediction), np.asarray(target)
    if axis is None:
        x, y = x.reshape(-1), y.reshape(-1)
    found = np.zeros((*y.shape[1:], len(NAMES)))
    rows = max(_VALUES_AT_ONCE // max(found[..., 0].size, 1), 1)
    for low in range(0, len(y), rows):
        found += _block(x[low : low + rows], y[low : low + rows])
    return found


def _block(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """:func:`moments` along axis 0 of arrays small enough for the cache."""
    finite = np.isfinite(y)
    x, y = x.astype(np.float64), y.astype(np.float64)
    if not finite.all():
        x, y = np.where(finite, x, 0), np.where(finite, y, 0)
    # einsum multiplies and adds in one pass, without an array of products
    products = [np.einsum("i...,i...->...", one, other) for one, other in ((x, x), (y, y), (x, y))]
    count = finite.sum(axis=0, dtype=np.float64)
    return np.stack([count, x.sum(axis=0), y.sum(axis=0), *products], axis=-1)


def pearson(sums: np.ndarray) -> np.ndarray:
    """Pearson's r from :func:`moments`: (..., 6) -> (...).

    It is NaN with fewer than two entries, or with constant predictions or targets.
    """
    n, x, y, xx, yy, xy = np.moveaxis(np.asarray(sums, dtype=np.float64), -1, 0)
    count = np.maximum(n, 1)
    var_x, var_y = xx - x * x / count, yy - y * y / count
    defined = (n >= 2) & (var_x > _NO_VARIANCE * xx) & (var_y > _NO_VARIANCE * yy)
    scale = np.sqrt(np.where(defined, var_x, 1)) * np.sqrt(np.where(defined, var_y, 1))
    return np.where(defined, (xy - x * y / count) / scale, np.nan)


def track_sums(prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
    """:func:`moments` of every track of one sequence: two of (bins, tracks) -> (tracks, 6)."""
    return moments(prediction, target, axis=0)


def pooled_pcc(sums: np.ndarray) -> np.ndarray:
    """r over bins and tracks together: (..., tracks, 6) -> (...), NaN if undefined.

    Sums of one sequence give ``pcc_sequence``, sums over sequences ``pcc_flat``.
    """
    return pearson(sums.sum(axis=-2))


def track_pcc(sums: np.ndarray) -> np.ndarray:
    """Mean over tracks of r, from sums over sequences: (..., tracks, 6) -> (...).

    Tracks with an undefined r are left out; the mean is NaN without any track.
    """
    return ratio(*defined_sum(pearson(sums)))


def defined_sum(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum and number of the finite values along the last axis: (..., n) -> two of (...)."""
    defined = np.isfinite(values)
    return np.where(defined, values, 0).sum(axis=-1), defined.sum(axis=-1)


def transformed(values: np.ndarray, assay: str) -> np.ndarray:
    """Stored values on the metric's scale, minus the value at 0, which does not change r: float64.

    Most positions are then 0, and small numbers keep the sums of squares exact. Negative values
    count as 0, NaN stays.
    """
    values = np.maximum(np.asarray(values, dtype=np.float64), 0)
    if assay in _COUNT_LOG10:
        return np.log10(10**values - 1 + 0.1) + 1
    return values / np.log(10)


def initiation_sums(prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
    """:func:`moments` of each assay of one window, (5, 6), with both of its strands pooled.

    Both arguments are float (10, n) on the stored scale; a target of NaN is not scored.
    """
    return np.stack(
        [
            moments(
                transformed(prediction[list(pair)], name), transformed(target[list(pair)], name)
            )
            for name, pair in ASSAYS.items()
        ]
    )


def initiation_pcc(sums: np.ndarray) -> np.ndarray:
    """Scores from sums over windows: (..., 5, 6) -> (..., 6), in order of ``INITIATION_METRICS``.

    NaN where an assay has no r; the mean is NaN unless all five have one.
    """
    each = pearson(sums)
    return np.concatenate([each, each.mean(axis=-1, keepdims=True)], axis=-1)
