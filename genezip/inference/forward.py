"""Any compressor over more DNA than one pass takes."""

from collections.abc import Iterator

import numpy as np

from genezip.models.base import Compressor

VECTORS_BP = 65_536  # bases whose vectors are in memory together


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
    if not compressor.streams:
        step = compressor.max_bp or max(len(ids), 1)
        for start in range(0, max(len(ids), 1), step):
            yield compressor.embed([ids[start : start + step]])[0].vectors
        return
    stream = compressor.stream()
    for start in range(0, len(ids), VECTORS_BP):
        block = stream.feed(ids[start : start + VECTORS_BP], vectors=True)
        assert block.base_vectors is not None
        yield block.base_vectors
