"""Compressors that are no networks, whose vectors and tokens can be told by hand."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from genezip.alphabet import A_ID, C_ID, is_base
from genezip.models.base import Compressor, Level, PlainCompressor, Sequences, ids_of, lacks
from genezip.models.compressed import Compressed, Embedding, tokens_at


class Crafted(PlainCompressor):
    """A causal compressor with vectors, which reads a sequence whole.

    A token begins every ``token_bp`` bases and has the mean vector of them; without ``token_bp``
    every base is its own token. ``read`` keeps what went through.

    Parameters
    ----------
    vectors : token ids of L bases -> their vectors, shape (L, width)
    """

    causal = True

    def __init__(
        self,
        name: str,
        width: int | None = None,
        vectors: Callable[[np.ndarray], np.ndarray] | None = None,
        token_bp: int | None = None,
        max_bp: int | None = None,
    ) -> None:
        self.name, self.width, self.max_bp = name, width, max_bp
        self.token_bp, self._vectors = token_bp, vectors
        self.token_width = None if token_bp is None else width
        self.read: list[np.ndarray] = []

    def encode(self, sequences: Sequences) -> list[Compressed]:
        return [
            tokens_at(len(ids), np.arange(0, len(ids), self.token_bp or 1))
            for ids in ids_of(sequences)
        ]

    def embed(self, sequences: Sequences, level: Level = "base") -> list[Embedding]:
        return [self._embedding(ids, level) for ids in ids_of(sequences)]

    def _embedding(self, ids: np.ndarray, level: Level) -> Embedding:
        if self._vectors is None:
            lacks(self.name, "vectors")
        assert self.max_bp is None or len(ids) <= self.max_bp
        self.read.append(ids)
        vectors = self._vectors(ids).astype(np.float32)
        if level == "base":
            return Embedding(vectors, np.arange(len(ids)))
        (starts,) = self.boundaries([ids])
        means = [part.mean(axis=0) for part in np.split(vectors, starts[1:])]
        return Embedding(np.stack(means), starts)


def base_counts() -> Crafted:
    """A model whose vector of a base is how often A and C occurred so far."""
    letters = np.array([A_ID, C_ID])
    return Crafted("counting", 2, lambda ids: np.cumsum(ids[:, None] == letters, axis=0))


class Runs(PlainCompressor):
    """A compressor with token ids alone: a token is a run of one letter of at most four bases.

    Its id is 4 x (number of the letter, of N 4) + length - 1. Vocabularies above 20 have ids
    that no token has.
    """

    def __init__(self, vocabulary: int = 20, max_bp: int | None = None, name: str = "runs") -> None:
        self.name, self.vocabulary, self.max_bp = name, vocabulary, max_bp

    @property
    def metadata(self) -> Mapping[str, Any]:
        return {"model": self.name}

    def encode(self, sequences: Sequences) -> list[Compressed]:
        found = []
        for ids in ids_of(sequences):
            assert self.max_bp is None or len(ids) <= self.max_bp
            starts = [0]
            for at in range(1, len(ids)):
                if ids[at] != ids[at - 1] or at - starts[-1] == 4:
                    starts.append(at)
            letters = np.where(is_base(ids), ids.astype(np.int64) - A_ID, 4)[starts]
            lengths = np.diff([*starts, len(ids)])
            token_ids = 4 * letters + lengths - 1
            found.append(tokens_at(len(ids), np.array(starts), token_ids=token_ids))
        return found


def counted_tokens(model: Compressor, ids: np.ndarray, first: int, last: int) -> np.ndarray:
    """Tokens of each id in the bases [first, last), one by one; a cut token by its share."""
    (found,) = model.encode([ids])
    assert found.token_ids is not None and model.vocabulary is not None
    counts = np.zeros(model.vocabulary)
    for start, length, token in zip(
        found.token_starts, found.chunk_bp, found.token_ids, strict=True
    ):
        inside = min(last, start + length) - max(first, start)
        counts[token] += max(0, inside) / length
    return counts
