"""Vectors for systems that have none: counts of their token ids.

A vocabulary, or tokens of equal length, have ids but no vectors, which a probe needs. A base then
has a vector that is 1 / (bases of its token) at the id of its token and 0 elsewhere. So a sum over
bases counts token ids (fractionally for a token that is cut), and a mean over bases is counts per
base.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from genezip.models.base import Compressor, Level, PlainCompressor, Sequences, ids_of, lacks
from genezip.models.compressed import Compressed, Embedding, Likelihood


def with_vectors(compressor: Compressor) -> Compressor:
    """The system itself if its bases have vectors, else with counts of its token ids."""
    return compressor if compressor.width is not None else TokenCounts(compressor)


class TokenCounts(PlainCompressor):
    """A compressor with token ids, whose bases get vectors that count these ids.

    It does not stream, because the token of a base may depend on later bases.
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
        """Facts of the system, and that its vectors are counts of token ids."""
        counts = {"vectors": "token-id counts", "vocabulary": self.vocabulary}
        return {**self._compressor.facts, **counts}

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Metadata of the system."""
        return self._compressor.metadata

    def encode(self, sequences: Sequences) -> list[Compressed]:
        """Tokens of the system."""
        return self._compressor.encode(sequences)

    def log_likelihood(self, sequences: Sequences) -> list[Likelihood]:
        """Log-probabilities of the system."""
        return self._compressor.log_likelihood(sequences)

    def flops(self, lengths: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """Floating-point operations of the system; counts need none."""
        return self._compressor.flops(lengths, tokens)

    def embed(self, sequences: Sequences, level: Level = "base") -> list[Embedding]:
        """Vectors of bases: float32, shape (L, vocabulary); tokens have no vectors."""
        if level == "token":
            lacks(self.name, "vectors of tokens")
        whole = [next(self.blocks(ids, len(ids))) for ids in ids_of(sequences)]
        return [Embedding(vectors, np.arange(len(vectors))) for vectors in whole]

    def blocks(self, ids: np.ndarray, block_bp: int) -> Iterator[np.ndarray]:
        """Vectors of the bases of one sequence, float32 (n, vocabulary) per block of ``block_bp``.

        The sequence (uint8 token ids of the alphabet) is cut into tokens as a whole.
        """
        (found,) = self.encode([ids])
        assert found.token_ids is not None and self.width is not None
        share = (1 / found.chunk_bp).astype(np.float32)
        for first in range(0, len(ids), block_bp):
            bases = np.arange(first, min(first + block_bp, len(ids)))
            token = np.searchsorted(found.token_starts, bases, side="right") - 1
            known = np.flatnonzero(token >= 0)  # empty if a sequence is too short for a token
            vectors = np.zeros((len(bases), self.width), dtype=np.float32)
            vectors[known, found.token_ids[token[known]]] = share[token[known]]
            yield vectors
