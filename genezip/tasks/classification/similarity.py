"""Which sequences of a labelled set are alike: shared stretches, nearest rows, equal counts.

Two sequences share a stretch where 32 bases of one (all bases, of a shorter one) stand in the
other, on either strand. In 101 bp this finds every copy with up to two bases changed.
"""

from collections.abc import Sequence

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from genezip.alphabet import A_ID, is_base, reverse_complement
from genezip.genome.kmers import canonical_kmers

STRETCH = 32
"""Bases in a row that make two sequences alike."""
NEAR_K = 8
"""Words that near rows share: in 100 bp a stretch of 20 bases in common gives 13 of them, chance
0.3."""

_CELLS = 1 << 23  # similarities held at a time


def shares_stretch(
    queries: Sequence[np.ndarray], references: Sequence[np.ndarray], k: int = STRETCH
) -> np.ndarray:
    """Whether each sequence has a stretch in common with any reference.

    A sequence shorter than ``k`` must lie in the longer one whole. Equal sequences (on either
    strand) share one even where N interrupts them.

    Parameters
    ----------
    queries, references : sequences of uint8 arrays of token ids (:mod:`genezip.alphabet`)
    k : 1 to 64 bases

    Returns
    -------
    bool array, shape (len(queries),)
    """
    key, row, whole = _stretches([*queries, *references], k)
    asked = row < len(queries)
    by_any, by_whole = np.zeros((2, int(key.max(initial=-1)) + 1), dtype=bool)
    by_any[key[~asked]] = True
    by_whole[key[~asked & whole]] = True
    found = np.zeros(len(queries), dtype=bool)
    found[row[asked & (by_whole[key] | (by_any[key] & whole))]] = True
    return found


def families(ids: Sequence[np.ndarray], k: int = STRETCH) -> np.ndarray:
    """Number of the family of each sequence: those linked by shared stretches are one family.

    Returns
    -------
    int64 array, shape (len(ids),), from 0 in order of first members
    """
    key, row, _ = _stretches(ids, k)
    nodes = len(ids) + int(key.max(initial=-1)) + 1
    links = sparse.coo_matrix((np.ones(len(key), bool), (row, key + len(ids))), (nodes, nodes))
    _, found = connected_components(links, directed=False)
    _, first, number = np.unique(found[: len(ids)], return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[number].astype(np.int64)


def _stretches(ids: Sequence[np.ndarray], k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Stretches by which sequences can be alike.

    Returns
    -------
    key : int64 array, number of the stretch, from 0
    row : int64 array, the sequence that has it
    whole : bool array
        Whether the row having this stretch is enough for a match with any other that has it. A
        stretch shorter than k counts only where it is the whole of one of the two.
    """
    lengths = np.array([len(one) for one in ids], dtype=np.int64)
    parts, keys = [(np.zeros(0, np.int64), np.zeros(0, bool))], [np.zeros(0, np.int64)]
    used = 0
    for size in sorted({k, *lengths[(lengths < k) & (lengths > 0)].tolist()}):
        rows = np.flatnonzero(lengths >= size)
        words = [canonical_kmers(ids[row], size) for row in rows.tolist()]
        row = np.repeat(rows, [len(one) for one in words])
        word = np.concatenate([np.zeros(0, np.uint64), *words])
        whole = np.ones(len(row), bool) if size == k else lengths[row] == size
        if size < k:
            kept = np.isin(word, word[whole])
            row, word, whole = row[kept], word[kept], whole[kept]
        _, number = np.unique(word, return_inverse=True)
        keys.append(number + used)
        parts.append((row, whole))
        used += int(number.max(initial=-1)) + 1
    texts = [min(one.tobytes(), reverse_complement(one).tobytes()) for one in ids]
    _, number = np.unique(np.array(texts, dtype=object), return_inverse=True)
    keys.append(number + used)
    parts.append((np.arange(len(ids)), np.ones(len(ids), bool)))
    row, whole = (np.concatenate(column) for column in zip(*parts, strict=True))
    return np.concatenate(keys), row, whole


def nearest(
    queries: Sequence[np.ndarray], references: Sequence[np.ndarray], k: int = NEAR_K
) -> tuple[np.ndarray, np.ndarray]:
    """The reference that shares most canonical k-mers with each sequence.

    Similarity is the number of distinct k-mers in common over that of both together (Jaccard),
    so that a long reference is not near to everything.

    Parameters
    ----------
    queries, references : sequences of uint8 arrays of token ids
    k : 1 to 12 bases

    Returns
    -------
    index : int64 array, shape (len(queries),), the first of those equally near
    similarity : float64 array, shape (len(queries),), 0 where no reference shares a k-mer
    """
    ours, theirs = _words(queries, k), _words(references, k).T.tocsr()
    sizes = np.asarray(theirs.sum(axis=0)).ravel()
    index = np.zeros(len(queries), dtype=np.int64)
    similarity = np.zeros(len(queries))
    step = max(_CELLS // max(len(references), 1), 1)
    for first in range(0, len(queries) if len(references) else 0, step):
        own = ours[first : first + step]
        shared = (own @ theirs).toarray()
        union = np.asarray(own.sum(axis=1)).reshape(-1, 1) + sizes - shared
        alike = shared / np.maximum(union, 1)
        best = alike.argmax(axis=1)
        index[first : first + step] = best
        similarity[first : first + step] = np.take_along_axis(alike, best[:, None], 1)[:, 0]
    return index, similarity


def _words(ids: Sequence[np.ndarray], k: int) -> sparse.csr_matrix:
    """Which sequence has which canonical k-mer; int32 matrix of 0 and 1, (n, 4**k)."""
    words = [np.unique(canonical_kmers(one, k)).astype(np.int64) for one in ids]
    ends = np.cumsum([0, *map(len, words)])
    column = np.concatenate([np.zeros(0, np.int64), *words])
    return sparse.csr_matrix((np.ones(len(column), np.int32), column, ends), (len(ids), 4**k))


def dinucleotide_counts(ids: Sequence[np.ndarray]) -> np.ndarray:
    """How often each of the 16 dinucleotides occurs on the given strand, and how many hold N.

    A shuffle that keeps dinucleotides (Altschul and Erickson 1985) keeps these counts, and with
    them the length.

    Returns
    -------
    int64 array, shape (n, 17): AA, AC, AG, AT, CA, ... TT, with N
    """
    found = np.zeros((len(ids), 17), dtype=np.int64)
    for row, one in enumerate(ids):
        known = is_base(one[:-1]) & is_base(one[1:])
        codes = one.astype(np.int64) - A_ID
        pair = np.where(known, 4 * codes[:-1] + codes[1:], 16)
        found[row] = np.bincount(pair, minlength=17)
    return found
