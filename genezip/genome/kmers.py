"""Canonical k-mers: the sequence that two sets of DNA share, on either strand.

A k-mer and its reverse complement count as one (the smaller of the two packed numbers).
Near-copies such as subtelomeric duplications let a model "predict" held-out DNA that it has seen,
so the share of k-mers in common is measured. Whole genomes are compared by a sample of their
k-mers: a hash selects the same k-mers in every sequence (FracMinHash, Irber et al. 2022,
doi 10.1101/2022.01.11.475838).
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from genezip.alphabet import A_ID, is_base

MAX_K = 32
"""Longest k-mer that is packed: two bits a base in one uint64."""
MAX_WORD = 2 * MAX_K
"""Longest k-mer: above ``MAX_K`` it is the hash of its first and its last 32 bases."""

_CACHE_BP = 1 << 14  # block length whose intermediate arrays fit into the processor's cache


def _packed(codes: np.ndarray, k: int) -> np.ndarray:
    """Base-4 number of every k-mer by doubling: a k-mer consists of two adjacent halves."""
    if k == 1:
        return codes
    if k > MAX_K:
        words = _packed(codes, MAX_K)
        return mixed(mixed(words[: len(codes) - k + 1]) ^ words[k - MAX_K :])
    half = _packed(codes, k // 2)
    shift = np.uint64(2 * (k // 2))
    words = (half[: len(half) - k // 2] << shift) | half[k // 2 :]
    if k % 2:
        words = (words[:-1] << np.uint64(2)) | codes[k - 1 :]
    return words


def canonical_kmers(ids: np.ndarray, k: int) -> np.ndarray:
    """Canonical k-mer at every position whose k bases are all A, C, G or T.

    Parameters
    ----------
    ids : uint8 array, shape (L,)
        Token ids (:mod:`genezip.alphabet`); N and padding break a k-mer.
    k : 1 to 64 bases

    Returns
    -------
    uint64 array, shape (at most L - k + 1,)
        In order of position: the smaller of the packed k-mer (A C G T = 0 1 2 3, first base
        in the highest bits) and its packed reverse complement. Above 32 bases the numbers are
        hashes: equal for equal k-mers, and for different ones with a probability of 2**-64.
    """
    if not 1 <= k <= MAX_WORD:
        raise ValueError(f"k must be 1 to {MAX_WORD}, not {k}")
    if len(ids) < k:
        return np.zeros(0, dtype=np.uint64)
    known = is_base(ids)
    codes = np.where(known, ids - A_ID, 0).astype(np.uint64)
    forward = _packed(codes, k)
    reverse = _packed(np.uint64(3) - codes[::-1], k)[::-1]
    unknown_before = np.concatenate([[0], np.cumsum(~known)])
    whole = unknown_before[k:] == unknown_before[:-k]
    return np.minimum(forward, reverse)[whole]


def mixed(kmers: np.ndarray) -> np.ndarray:
    """A fixed hash of packed k-mers: the last step of SplitMix64 (Steele et al. 2014).

    Every output bit depends on every input bit, and no two k-mers have the same hash.
    """
    words = kmers + np.uint64(0x9E3779B97F4A7C15)  # wraps around, so that 0 is not mapped to 0
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def sampled_kmers(ids: np.ndarray, k: int, sample: int = 1) -> np.ndarray:
    """A sample of one in ``sample`` canonical k-mers of a sequence.

    The hash of a k-mer alone decides whether it is sampled, so a sampled k-mer that two
    sequences share is found in both. The result is in order of position, repeats included.
    Parameters are as of :func:`canonical_kmers`; a ``sample`` of 1 takes every k-mer.
    """
    if sample < 1:
        raise ValueError(f"sample must be at least 1, not {sample}")
    limit = np.uint64((2**64 - 1) // sample)
    found = [np.zeros(0, dtype=np.uint64)]
    for start, end in blocks(len(ids), k, _CACHE_BP):
        kmers = canonical_kmers(ids[start:end], k)
        found.append(kmers if sample == 1 else kmers[mixed(kmers) <= limit])
    return np.concatenate(found)


class KmerSet:
    """A set of k-mers with fast membership queries; ``kmers`` is a sorted uint64 array."""

    def __init__(self, kmers: np.ndarray) -> None:
        ordered = np.sort(kmers)  # about 20 times faster here than np.unique
        self.kmers = ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])[: len(ordered)]]

    def __len__(self) -> int:
        return len(self.kmers)

    def positions(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Index of each query in ``kmers`` (int64), and whether it is in the set (bool)."""
        index = np.searchsorted(self.kmers, queries)
        index[index == len(self.kmers)] = 0
        found = self.kmers[index] == queries if len(self.kmers) else np.zeros(len(queries), bool)
        return index, found

    def occurring(self, others: Iterable[np.ndarray]) -> np.ndarray:
        """True for k-mers of the set that occur in any array of k-mers (bool, as ``kmers``)."""
        seen = np.zeros(len(self), dtype=bool)
        for kmers in others:
            index, found = self.positions(np.sort(kmers))  # sorted queries use the cache well
            seen[index[found]] = True
        return seen


def blocks(length: int, k: int, block_bp: int = 1 << 21) -> Iterator[tuple[int, int]]:
    """Cut [0, length) into blocks that overlap by k - 1, so that each k-mer is in one block."""
    for start in range(0, max(length - k + 1, 0), block_bp):
        yield start, min(start + block_bp + k - 1, length)


def shared_fraction(
    windows: Sequence[np.ndarray], others: Iterable[np.ndarray], k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Share of each window's k-mer positions whose k-mer occurs in other sequences.

    Only the distinct k-mers of the *windows* are kept in memory, while the others are streamed.

    Parameters
    ----------
    windows, others : uint8 arrays of token ids. Blocks of one long sequence in ``others`` must
        overlap by k - 1 (:func:`blocks`).

    Returns
    -------
    fractions : float64 array, shape (len(windows),)
        0 for a window that has no k-mer without N.
    counts : int64 array, shape (len(windows),)
        k-mer positions without N, the denominators.
    """
    empty = np.zeros(0, dtype=np.uint64)
    mine = KmerSet(np.concatenate([empty, *(canonical_kmers(ids, k) for ids in windows)]))
    seen = mine.occurring(canonical_kmers(ids, k) for ids in others)
    fractions = np.zeros(len(windows))
    counts = np.zeros(len(windows), dtype=np.int64)
    for number, ids in enumerate(windows):
        index, _ = mine.positions(canonical_kmers(ids, k))
        counts[number] = len(index)
        fractions[number] = seen[index].mean() if len(index) else 0.0
    return fractions, counts


def occurrences(queries: Sequence[np.ndarray], ids: np.ndarray) -> list[list[int]]:
    """Starts (0-based, ascending) at which each query occurs as it is in a sequence.

    Parameters
    ----------
    queries : uint8 arrays of token ids, of at least one base each and without N
    ids : uint8 array, shape (L,)
    """
    found: list[list[int]] = [[] for _ in queries]
    k = min([MAX_K, *map(len, queries)])
    if not queries or len(ids) < k:
        return found
    starting: dict[int, list[int]] = {}
    for row, query in enumerate(queries):
        word = int(_packed((query[:k] - A_ID).astype(np.uint64), k)[0])
        starting.setdefault(word, []).append(row)
    words = _packed(np.where(is_base(ids), ids - A_ID, 0).astype(np.uint64), k)
    _, there = KmerSet(np.array([*starting], dtype=np.uint64)).positions(words)
    for start in np.flatnonzero(there).tolist():  # an N counts as A above, and is compared below
        for row in starting[int(words[start])]:
            query = queries[row]
            if np.array_equal(ids[start : start + len(query)], query):
                found[row].append(start)
    return found
