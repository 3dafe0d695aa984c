"""Any compressor over more DNA than one pass takes."""

from collections.abc import Iterator, Sequence

import numpy as np

from genezip.models.base import Compressor, vector_width
from genezip.models.token_counts import TokenCounts

VECTORS_BP = 65_536  # bases whose vectors are in memory together,
WIDEST = 1_024  # if a vector is no longer than this


def vectors_bp(compressor: Compressor) -> int:
    """Bases whose vectors are in memory together: fewer of a system with long vectors.

    Raises
    ------
    GenezipError
        If bases of this system have no vectors.
    """
    return max(1, min(VECTORS_BP, VECTORS_BP * WIDEST // vector_width(compressor)))


def base_vectors(compressor: Compressor, ids: np.ndarray) -> Iterator[np.ndarray]:
    """Vectors of all bases of a sequence, in blocks in order.

    A system that streams reads it as one sequence; another in consecutive independent windows
    of the longest length that it takes.

    Parameters
    ----------
    ids : uint8 array of token ids, shape (L,)

    Yields
    ------
    float32 arrays, shape (n, width)
    """
    block_bp = vectors_bp(compressor)
    if compressor.streams:
        stream = compressor.stream()
        for start in range(0, len(ids), block_bp):
            block = stream.feed(ids[start : start + block_bp], vectors=True)
            assert block.base_vectors is not None
            yield block.base_vectors
        return
    window_bp = compressor.max_bp or max(len(ids), 1)
    for start in range(0, max(len(ids), 1), window_bp):
        window = ids[start : start + window_bp]
        if isinstance(compressor, TokenCounts):
            yield from compressor.blocks(window, block_bp)
        else:
            yield compressor.embed([window])[0].vectors


def sequence_vectors(
    compressor: Compressor, sequences: Sequence[np.ndarray], at_a_time: int
) -> Iterator[np.ndarray]:
    """Vectors of the bases of independent sequences, in order.

    Parameters
    ----------
    sequences : uint8 arrays of token ids
    at_a_time : sequences whose vectors are in memory together; fewer where vectors are long

    Yields
    ------
    float32 arrays, shape (L, width), one per sequence
    """
    step = max(1, at_a_time * vectors_bp(compressor) // VECTORS_BP)
    for first in range(0, len(sequences), step):
        for found in compressor.embed(list(sequences[first : first + step])):
            yield found.vectors
