"""GC content and CpG observed/expected in a window that slides along the DNA."""

import numpy as np

from genezip.alphabet import A_ID, C_ID, G_ID, T_ID


def _bounds(length: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Window [t - width // 2, t + width - width // 2) of every base t, clipped at the ends."""
    position = np.arange(length)
    low = np.maximum(position - width // 2, 0)
    high = np.minimum(position + width - width // 2, length)
    return low, high


def _running(mask: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(mask, dtype=np.int64)])


def gc_content(ids: np.ndarray, width: int) -> np.ndarray:
    """Share of G and C among the A, C, G, T of a window centred at every base.

    Parameters
    ----------
    ids : uint8 token ids, shape (L,)
    width : int
        Window width in bp; windows are clipped at both ends of ``ids``.

    Returns
    -------
    float64 array, shape (L,)
        NaN where the window has no A, C, G or T.
    """
    low, high = _bounds(len(ids), width)
    known = _running((ids >= A_ID) & (ids <= T_ID))
    gc = _running((ids == C_ID) | (ids == G_ID))
    with np.errstate(invalid="ignore"):
        return (gc[high] - gc[low]) / (known[high] - known[low])


def gc_and_cpg(ids: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """GC content and CpG observed/expected of a window centred at every base.

    Observed/expected is (CpG x n) / (C x G) with n the known bases of the window
    (Gardiner-Garden and Frommer 1987), 0 where a window lacks C or G.

    Returns
    -------
    gc, cpg : float64 arrays, shape (L,)
        Both NaN where the window has no A, C, G or T.
    """
    low, high = _bounds(len(ids), width)
    is_c, is_g = ids == C_ID, ids == G_ID
    known, cytosine, guanine = (
        _running((ids >= A_ID) & (ids <= T_ID)),
        _running(is_c),
        _running(is_g),
    )
    both = np.zeros(len(ids), dtype=bool)
    both[:-1] = is_c[:-1] & is_g[1:]
    pairs = _running(both)
    n = (known[high] - known[low]).astype(np.float64)
    n_c, n_g = cytosine[high] - cytosine[low], guanine[high] - guanine[low]
    # A pair counts when both bases lie inside, so the last start is high - 2.
    n_cpg = pairs[np.maximum(high - 1, low)] - pairs[low]
    with np.errstate(invalid="ignore"):
        gc = (n_c + n_g) / n
    cpg = np.where(n > 0, n_cpg * n / np.maximum(n_c * n_g, 1), np.nan)
    return gc, cpg
