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


ISLAND_BP, ISLAND_GC, ISLAND_CPG = 500, 0.55, 0.65
"""Least length (bp), GC content and CpG observed/expected of a CpG island."""
ISLAND_GAP_BP = 100  # islands closer than this are one


def cpg_islands(ids: np.ndarray) -> np.ndarray:
    """CpG islands of a sequence, int64 (n, 2): start and end, 0-based, half-open, in order.

    Windows of 500 bp without N that meet all three limits are joined where they overlap or lie less
    than 100 bp apart; the whole must meet the limits, too (Takai and Jones 2002, PNAS 99, 3740).
    ``ids`` are token ids, uint8 (L,).
    """
    length = len(ids)
    if length < ISLAND_BP:
        return np.zeros((0, 2), dtype=np.int64)
    is_c, is_g = ids == C_ID, ids == G_ID
    both = np.append(is_c[:-1] & is_g[1:], False)
    known, c, g, pairs = map(_running, (is_base(ids), is_c, is_g, both))

    def meets(low: np.ndarray, high: np.ndarray) -> np.ndarray:
        counts = (part[high] - part[low] for part in (known, c, g))
        n, cytosine, guanine = counts
        gc, cpg = _of_counts(n, cytosine, guanine, pairs[high - 1] - pairs[low])
        return np.asarray((n == high - low) & (gc >= ISLAND_GC) & (cpg >= ISLAND_CPG))

    starts = np.arange(length - ISLAND_BP + 1)
    starts = starts[meets(starts, starts + ISLAND_BP)]
    if not len(starts):
        return np.zeros((0, 2), dtype=np.int64)
    apart = np.flatnonzero(np.diff(starts) >= ISLAND_BP + ISLAND_GAP_BP)
    low = starts[np.append(0, apart + 1)]
    high = starts[np.append(apart, len(starts) - 1)] + ISLAND_BP
    kept = meets(low, high)
    return np.stack([low[kept], high[kept]], axis=1)


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
