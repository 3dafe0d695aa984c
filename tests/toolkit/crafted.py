"""Compressors that are no networks, whose vectors and tokens can be told by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np

from genezip.alphabet import is_base
from genezip.models.base import (
    Compressed,
    Compressor,
    Embedding,
    Level,
    Likelihood,
    Sequences,
    Stream,
    given,
    lacks,
)

Vectors = Callable[[np.ndarray], np.ndarray]
"""Token ids of L bases -> their vectors, shape (L, width)."""


class Crafted:
    """A compressor that reads a sequence whole, as models that see both directions do.

    A token begins every ``token_bp`` bases and has the mean vector of them; without ``token_bp``
    every base is its own token. ``read`` keeps what it was given.
    """

    causal, streams, gives_prob = True, False, False
    shortest_bp = 1
    vocabulary: int | None = None

    def __init__(
        self,
        name: str,
        width: int | None = None,
        vectors: Vectors | None = None,
        token_bp: int | None = None,
        max_bp: int | None = None,
    ) -> None:
        self.name, self.width, self.max_bp = name, width, max_bp
        self.facts = self.metadata = {"name": name}
        self.token_bp = token_bp
        self.token_width = None if token_bp is None else width
        self.read: list[np.ndarray] = []
        self._vectors = vectors

    def boundaries(self, sequences: Sequences) -> list[np.ndarray]:
        return [np.arange(0, len(ids), self.token_bp or 1) for ids in given(sequences)]

    def encode(self, sequences: Sequences) -> list[Compressed]:
        return [self._compressed(ids, self.boundaries([ids])[0]) for ids in given(sequences)]

    def _compressed(self, ids: np.ndarray, starts: np.ndarray, **more: Any) -> Compressed:
        assert self.max_bp is None or len(ids) <= self.max_bp
        none = np.zeros(0)
        return Compressed(
            length=len(ids),
            token_starts=starts,
            stage_tokens=none.astype(np.int64),
            bound_active=none.astype(bool),
            **more,
        )

    def embed(self, sequences: Sequences, level: Level = "base") -> list[Embedding]:
        return [self._embedding(ids, level) for ids in given(sequences)]

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

    def log_likelihood(self, sequences: Sequences) -> list[Likelihood]:
        lacks(self.name, "likelihood")

    def flops(self, lengths: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        lacks(self.name, "count of operations")

    def stream(self) -> Stream:
        lacks(self.name, "stream")


class Runs(Crafted):
    """A compressor without vectors: a token is a run of one letter of at most four bases.

    Its id says letter and length, 4 x (number of the letter, N is 4) + length - 1. Vocabularies
    above 20 have ids that no token has.
    """

    def __init__(self, vocabulary: int = 20, max_bp: int | None = None) -> None:
        super().__init__("runs", max_bp=max_bp)
        self.vocabulary = vocabulary

    def boundaries(self, sequences: Sequences) -> list[np.ndarray]:
        found = []
        for ids in given(sequences):
            starts = [0]
            for at in range(1, len(ids)):
                if ids[at] != ids[at - 1] or at - starts[-1] == 4:
                    starts.append(at)
            found.append(np.array(starts, dtype=np.int64))
        return found

    def encode(self, sequences: Sequences) -> list[Compressed]:
        found = []
        for ids in given(sequences):
            (starts,) = self.boundaries([ids])
            letters = np.where(is_base(ids), ids.astype(np.int64) - 3, 4)[starts]
            lengths = np.diff(np.append(starts, len(ids)))
            found.append(self._compressed(ids, starts, token_ids=4 * letters + lengths - 1))
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
