"""GC content of a sequence and of its bins: the plainest thing a baseline can look at."""

import numpy as np

from genezip.alphabet import C_ID, G_ID, is_base
from genezip.data.bins import Bins


def gc_share(ids: np.ndarray) -> float:
    """Share of G and C among A, C, G and T: uint8 ids -> float, NaN without a base."""
    bases = int(is_base(ids).sum())
    return float(((ids == C_ID) | (ids == G_ID)).sum() / bases) if bases else float("nan")


def gc_of_bins(ids: np.ndarray, bins: Bins) -> np.ndarray:
    """GC share of every bin of a window.

    Parameters
    ----------
    ids : uint8 array, shape (L,), token ids of the window
    bins : Bins inside it

    Returns
    -------
    float64 array, shape (bins.count,), NaN for a bin without a base
    """
    inside = ids[bins.first_bp : bins.first_bp + bins.count * bins.width_bp]
    table = inside.reshape(bins.count, bins.width_bp)
    bases = is_base(table).sum(axis=1)
    gc = ((table == C_ID) | (table == G_ID)).sum(axis=1)
    return np.divide(gc, bases, out=np.full(bins.count, np.nan), where=bases > 0)


def standardised(values: np.ndarray) -> np.ndarray:
    """Mean 0 and standard deviation 1 over finite values; 0 where not finite or all equal.

    Parameters
    ----------
    values : float array, shape (n,)

    Returns
    -------
    float64 array, shape (n,)
    """
    finite = np.isfinite(values)
    found = np.zeros(len(values))
    if finite.any() and values[finite].min() < values[finite].max():
        found[finite] = (values[finite] - values[finite].mean()) / values[finite].std()
    return found
