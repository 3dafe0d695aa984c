"""Pearson's r from sums that add up: over windows, or all blocks but one."""

import numpy as np

NAMES = ("n", "x", "y", "xx", "yy", "xy")
# A constant leaves a rounding error of about 1e-15 of its sum of squares; less than this
# share is taken as no variance.
_NO_VARIANCE = 1e-12
_VALUES_AT_ONCE = 1 << 18  # 2 MB in float64


def moments(prediction: np.ndarray, target: np.ndarray, axis: int | None = None) -> np.ndarray:
    """Number, sums, sums of squares and of products of the entries with a finite target.

    Parameters
    ----------
    prediction, target : float array, one shape
        Entries whose target is not finite are left out.
    axis : 0 or None
        Axis to sum over; None sums everything.

    Returns
    -------
    float64 array, shape (..., 6), in order of ``NAMES`` (x prediction, y target)
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
    """:func:`moments` along axis 0 of arrays that are small enough to stay in a cache."""
    finite = np.isfinite(y)
    x, y = x.astype(np.float64), y.astype(np.float64)
    if not finite.all():
        x, y = np.where(finite, x, 0), np.where(finite, y, 0)
    # einsum multiplies and adds in one pass, without an array of products
    products = [np.einsum("i...,i...->...", one, other) for one, other in ((x, x), (y, y), (x, y))]
    count = finite.sum(axis=0, dtype=np.float64)
    return np.stack([count, x.sum(axis=0), y.sum(axis=0), *products], axis=-1)


def pearson(sums: np.ndarray) -> np.ndarray:
    """Pearson's r of sums as :func:`moments` gives them.

    Parameters
    ----------
    sums : float array, shape (..., 6)

    Returns
    -------
    float64 array, shape (...), NaN with fewer than two entries or a constant side
    """
    n, x, y, xx, yy, xy = np.moveaxis(np.asarray(sums, dtype=np.float64), -1, 0)
    count = np.maximum(n, 1)
    var_x, var_y = xx - x * x / count, yy - y * y / count
    defined = (n >= 2) & (var_x > _NO_VARIANCE * xx) & (var_y > _NO_VARIANCE * yy)
    scale = np.sqrt(np.where(defined, var_x, 1)) * np.sqrt(np.where(defined, var_y, 1))
    return np.where(defined, (xy - x * y / count) / scale, np.nan)
