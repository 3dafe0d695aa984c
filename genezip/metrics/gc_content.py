"""GC content and CpG observed/expected: of whole sequences, and around every base.

Observed/expected is (CpG x n) / (C x G) with n the known bases (Gardiner-Garden and Frommer
1987, J. Mol. Biol. 196, 261), 0 where C or G is lacking. N counts as no base.
"""

import numpy as np

from genezip.alphabet import C_ID, G_ID, is_base
from genezip.metrics.bootstrap import ratio


def gc_content(ids: np.ndarray) -> np.ndarray:
    """Share of G and C among A, C, G and T: uint8 ids (..., L) -> float64 (...), NaN if none."""
    return ratio(((ids == C_ID) | (ids == G_ID)).sum(-1), is_base(ids).sum(-1))


def gc_and_cpg(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """GC content and CpG observed/expected of sequences.

    They are float64 (...) for uint8 ids (..., L), NaN without a base.
    """
    is_c, is_g = ids == C_ID, ids == G_ID
    pairs = (is_c[..., :-1] & is_g[..., 1:]).sum(-1)
    return _of_counts(is_base(ids).sum(-1), is_c.sum(-1), is_g.sum(-1), pairs)


def gc_around(ids: np.ndarray, width: int) -> np.ndarray:
    """GC content of a window of ``width`` bp centred at every base: uint8 ids (L,) -> float64 (L,).

    Windows are clipped at both ends of ``ids``; NaN where the window has no A, C, G or T.
    """
    low, high = _bounds(len(ids), width)
    known, gc = _running(is_base(ids)), _running((ids == C_ID) | (ids == G_ID))
    return ratio(gc[high] - gc[low], known[high] - known[low])


def gc_and_cpg_around(ids: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """GC content and CpG observed/expected of the windows of :func:`gc_around`.

    Both are float64 (L,), NaN where the window has no A, C, G or T.
    """
    low, high = _bounds(len(ids), width)
    is_c, is_g = ids == C_ID, ids == G_ID
    both = np.zeros(len(ids), dtype=bool)
    both[:-1] = is_c[:-1] & is_g[1:]
    known, cytosine, guanine, pairs = map(_running, (is_base(ids), is_c, is_g, both))
    return _of_counts(
        known[high] - known[low],
        cytosine[high] - cytosine[low],
        guanine[high] - guanine[low],
        # A pair counts when both bases lie inside, so the last start is high - 2.
        pairs[np.maximum(high - 1, low)] - pairs[low],
    )


def _of_counts(
    known: np.ndarray, c: np.ndarray, g: np.ndarray, cpg: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """GC content and CpG observed/expected of counts of bases and of pairs."""
    expected = np.maximum(c * g, 1)
    return ratio(c + g, known), np.where(known > 0, cpg * known / expected, np.nan)


def _bounds(length: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Window [t - width // 2, t + width - width // 2) of every base t, clipped at the ends."""
    position = np.arange(length)
    low = np.maximum(position - width // 2, 0)
    high = np.minimum(position + width - width // 2, length)
    return low, high


def _running(mask: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(mask, dtype=np.int64)])
