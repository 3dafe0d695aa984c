"""Vectors for systems that have none: counts of their token ids.

A vocabulary or a ruler gives ids and no vectors, and a probe needs numbers. So a base gets a
vector that is 1 / (bases of its token) at the id of its token and 0 elsewhere. Summed over a token
that is one, so a sum over bases counts token ids, a token that is cut counting by its share, and a
mean over bases is counts per base.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from genezip.models.base import Compressor, Level, PlainCompressor, Sequences, ids_of, lacks
from genezip.models.compressed import Compressed, Embedding, Likelihood


def with_vectors(compressor: Compressor) -> Compressor:
    """The system itself where its bases have vectors, else with counts of its token ids for them.

    Raises
    ------
    GenezipError
        If it has neither vectors nor token ids.
    """
    return compressor if compressor.width is not None else TokenCounts(compressor)


class TokenCounts(PlainCompressor):
    """A compressor whose bases have vectors that count its token ids; else it is as before.

    It is read whole, not as a stream: which token a base is of may depend on bases after it.

    Parameters
    ----------
    compressor : a system with token ids

    Raises
    ------
    GenezipError
        If it has none.
    """

    def __init__(self, compressor: Compressor) -> None:
        if compressor.vocabulary is None:
            lacks(compressor.name, "vectors and no token ids")
        self._compressor = compressor
        self.name = compressor.name
        self.max_bp, self.shortest_bp = compressor.max_bp, compressor.shortest_bp
        self.width = self.vocabulary = compressor.vocabulary
        self.gives_prob, self.likelihood = compressor.gives_prob, compressor.likelihood
        self.window_multiple = compressor.window_multiple

    @property
    def facts(self) -> Mapping[str, Any]:
        """Those of the system, and that its token ids are counted."""
        counts = {"vectors": "token-id counts", "vocabulary": self.vocabulary}
        return {**self._compressor.facts, **counts}

    @property
    def metadata(self) -> Mapping[str, Any]:
        """As of the system."""
        return self._compressor.metadata

    def encode(self, sequences: Sequences) -> list[Compressed]:
        """Cut sequences into tokens, as the system does."""
        return self._compressor.encode(sequences)

    def log_likelihood(self, sequences: Sequences) -> list[Likelihood]:
        """Log-probabilities of the system, where it has any."""
        return self._compressor.log_likelihood(sequences)

    def flops(self, lengths: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """Floating-point operations of the system; counting is free."""
        return self._compressor.flops(lengths, tokens)

    def embed(self, sequences: Sequences, level: Level = "base") -> list[Embedding]:
        """Vectors of bases: float32, shape (L, vocabulary); tokens have none of their own."""
        if level == "token":
            lacks(self.name, "vectors of tokens")
        whole = [next(self.blocks(ids, len(ids))) for ids in ids_of(sequences)]
        return [Embedding(vectors, np.arange(len(vectors))) for vectors in whole]

    def blocks(self, ids: np.ndarray, block_bp: int) -> Iterator[np.ndarray]:
        """Vectors of the bases of one sequence, cut into tokens as a whole, in blocks.

        Parameters
        ----------
        ids : uint8 array of token ids of the alphabet, shape (L,)
        block_bp : bases whose vectors are in memory together

        Yields
        ------
        float32 arrays, shape (n, vocabulary)
        """
        (found,) = self.encode([ids])
        assert found.token_ids is not None and self.width is not None
        share = (1 / found.chunk_bp).astype(np.float32)
        for first in range(0, len(ids), block_bp):
            bases = np.arange(first, min(first + block_bp, len(ids)))
            token = np.searchsorted(found.token_starts, bases, side="right") - 1
            known = np.flatnonzero(token >= 0)  # none where a sequence is too short for a token
            vectors = np.zeros((len(bases), self.width), dtype=np.float32)
            vectors[known, found.token_ids[token[known]]] = share[token[known]]
            yield vectors
