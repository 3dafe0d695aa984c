"""Similarity of the sequences of a set: copies, shared stretches, twins, nearest rows.

Two sequences share a stretch where 32 consecutive bases of one (all bases of a shorter one) occur
in the other, on either strand. In 101 bp this finds every copy with up to two bases changed. Twins
have equal dinucleotide counts, as a sequence and its shuffle.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from genezip.alphabet import A_ID, is_base, reverse_complement
from genezip.genome.kmers import canonical_kmers

if TYPE_CHECKING:  # functions import it, because a list of tasks does without
    from scipy import sparse

STRETCH = 32
"""Number of consecutive shared bases that make two sequences alike."""
NEAR_K = 8
"""Length of the k-mers that find the nearest row (bases).

20 shared bases give 13 shared k-mers; two random sequences of 100 bp share 0.3 on average.
"""

_CELLS = 1 << 23  # similarities in memory at once


@dataclass(frozen=True)
class Links:
    """Links between sequences: keys of shared features, and the rows that have them."""

    rows: int  # number of sequences
    # key, row: int64 arrays, shape (m,); no pair of both twice
    key: np.ndarray
    row: np.ndarray
    # bool array, shape (m,): whether the key links the row to all rows with it; else only to those
    # whose entry is whole: a short stretch links a sequence only to one of that length
    whole: np.ndarray

    def partners(
        self, asked: np.ndarray, against: np.ndarray, truth: np.ndarray, classes: int
    ) -> np.ndarray:
        """Number of links of the rows asked for, by the class of the other row.

        ``asked`` and ``against`` are bool arrays (rows,), ``truth`` has classes from 0 on; a row is
        not its own partner. The result is int64 (rows, classes); 0 for other rows.
        """
        keys = int(self.key.max(initial=-1)) + 1
        cell, used = self.key * classes + truth[self.row], against[self.row]
        every, whole = (
            np.bincount(cell[chosen], minlength=keys * classes).reshape(keys, classes)
            for chosen in (used, used & self.whole)
        )
        own = asked[self.row]
        key, row = self.key[own], self.row[own]
        found = np.where(self.whole[own, None], every[key], whole[key])
        itself = np.flatnonzero(self.whole[own] & against[row])
        found[itself, truth[row[itself]]] -= 1
        columns = [np.bincount(row, found[:, column], self.rows) for column in range(classes)]
        return np.stack(columns, axis=1).astype(np.int64)


def shares_stretch(
    queries: Sequence[np.ndarray], references: Sequence[np.ndarray], k: int = STRETCH
) -> np.ndarray:
    """Whether each sequence of token ids shares a stretch with any reference (:func:`stretches`).

    Bool array, shape (len(queries),).
    """
    links = stretches([*queries, *references], k)
    asked = np.arange(links.rows) < len(queries)
    found = links.partners(asked, ~asked, np.zeros(links.rows, dtype=np.int64), 1)
    return found[: len(queries), 0] > 0


def families(links: Links) -> np.ndarray:
    """Number of the family of each sequence; chains of links make one family.

    Int64 array, shape (rows,), from 0 in the order of first members.
    """
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components

    nodes = links.rows + int(links.key.max(initial=-1)) + 1
    edges = (np.ones(len(links.key), bool), (links.row, links.key + links.rows))
    _, found = connected_components(sparse.coo_matrix(edges, (nodes, nodes)), directed=False)
    _, first, number = np.unique(found[: links.rows], return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[number].astype(np.int64)


def copies(ids: Sequence[np.ndarray], strands: bool = False) -> Links:
    """Links between equal sequences; with ``strands`` also to reverse complements."""
    texts = [one.tobytes() for one in ids]
    if strands:
        texts = [min(one, reverse_complement(ids[row]).tobytes()) for row, one in enumerate(texts)]
    keys: dict[bytes, int] = {}
    return _one_key_each(np.array([keys.setdefault(text, len(keys)) for text in texts]))


def twins(ids: Sequence[np.ndarray]) -> Links:
    """Links between sequences of equal dinucleotide counts, copies among them."""
    counts = dinucleotide_counts(ids)
    return _one_key_each(np.unique(counts, axis=0, return_inverse=True)[1])


def _one_key_each(key: np.ndarray) -> Links:
    key = key.reshape(-1).astype(np.int64)
    return Links(len(key), key, np.arange(len(key)), np.ones(len(key), dtype=bool))


def stretches(ids: Sequence[np.ndarray], k: int = STRETCH) -> Links:
    """Links between sequences that share ``k`` consecutive bases, on either strand.

    A sequence shorter than ``k`` must lie completely in the other. Equal sequences (on either
    strand) are linked even where N interrupts them.
    """
    lengths = np.array([len(one) for one in ids], dtype=np.int64)
    found = [copies(ids, strands=True)]
    for size in sorted({k, *lengths[(lengths < k) & (lengths > 0)].tolist()}):
        rows = np.flatnonzero(lengths >= size)
        words = [np.unique(canonical_kmers(ids[row], size)) for row in rows.tolist()]
        row = np.repeat(rows, [len(one) for one in words])
        word = np.concatenate([np.zeros(0, np.uint64), *words])
        whole = (lengths[row] == size) | (size == k)
        if size < k:
            kept = np.isin(word, word[whole])
            row, word, whole = row[kept], word[kept], whole[kept]
        key = np.unique(word, return_inverse=True)[1]
        found.append(Links(len(ids), key, row, whole))
    first = np.cumsum([0, *(int(one.key.max(initial=-1)) + 1 for one in found)])
    return Links(
        len(ids),
        np.concatenate([one.key + at for one, at in zip(found, first, strict=False)]),
        np.concatenate([one.row for one in found]),
        np.concatenate([one.whole for one in found]),
    )


def nearest(
    queries: Sequence[np.ndarray], references: Sequence[np.ndarray], k: int = NEAR_K
) -> tuple[np.ndarray, np.ndarray]:
    """The nearest reference of each sequence by shared canonical k-mers.

    Similarity is the Jaccard index of the distinct k-mers, so that a long reference is not near to
    everything; ``k`` is 1 to 12 bases.

    Returns
    -------
    index : int64 array, shape (len(queries),), the first of equally near ones
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


def _words(ids: Sequence[np.ndarray], k: int) -> "sparse.csr_matrix":
    """Incidence of canonical k-mers; sparse int32 matrix of 0 and 1, (n, 4**k)."""
    from scipy import sparse

    words = [np.unique(canonical_kmers(one, k)).astype(np.int64) for one in ids]
    ends = np.cumsum([0, *map(len, words)])
    column = np.concatenate([np.zeros(0, np.int64), *words])
    return sparse.csr_matrix((np.ones(len(column), np.int32), column, ends), (len(ids), 4**k))


def dinucleotide_counts(ids: Sequence[np.ndarray]) -> np.ndarray:
    """Counts of the 16 dinucleotides on the given strand, and of those with N.

    A shuffle that keeps dinucleotides (Altschul and Erickson 1985) keeps these counts, and with
    them the length. Int64 array, shape (n, 17): AA, AC, AG, AT, CA, ... TT, with N.
    """
    found = np.zeros((len(ids), 17), dtype=np.int64)
    for row, one in enumerate(ids):
        known = is_base(one[:-1]) & is_base(one[1:])
        codes = one.astype(np.int64) - A_ID
        pair = np.where(known, 4 * codes[:-1] + codes[1:], 16)
        found[row] = np.bincount(pair, minlength=17)
    return found
