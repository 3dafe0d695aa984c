"""Compressors that learn nothing, to hold what is done with compressors to the protocol alone."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from genezip.alphabet import A_ID, OneSequence, encode, is_base
from genezip.errors import GenezipError
from genezip.models.base import (
    Compressed,
    Embedding,
    Level,
    Likelihood,
    LikelihoodKind,
    Sequences,
    given,
    lacks,
)


class Ruler:
    """Cuts every ``stride`` bases; the id of a token is its first base. It has nothing else.

    Parameters
    ----------
    stride : bases of a token
    max_bp : longest sequence in one pass; such a ruler does not stream
    likelihood : every base has the probability 1/4, of this kind; without it there is none
    """

    width = token_width = None
    vocabulary = 5
    gives_prob = False
    causal = True
    shortest_bp = 1

    def __init__(
        self, stride: int = 7, max_bp: int | None = None, likelihood: LikelihoodKind | None = None
    ) -> None:
        self.stride, self.max_bp, self.likelihood = stride, max_bp, likelihood
        self.name = f"ruler {stride}"

    @classmethod
    def from_settings(cls, settings: str) -> Self:
        """Of ``STRIDE`` or ``STRIDE,MAX_BP``."""
        return cls(*map(int, settings.split(",")))

    @property
    def facts(self) -> Mapping[str, Any]:
        return {"name": self.name}

    @property
    def metadata(self) -> Mapping[str, Any]:
        return {"model": self.name, "stride": self.stride}

    @property
    def streams(self) -> bool:
        return self.max_bp is None

    def cut(self, ids: np.ndarray, start: int = 0, mode: str = "one window") -> Compressed:
        """Tokens of bases that begin at ``start`` of their sequence."""
        if self.max_bp is not None and len(ids) > self.max_bp:
            raise GenezipError(f"{self.name} takes at most {self.max_bp} bp; give less")
        starts = np.arange(-start % self.stride, len(ids), self.stride)
        log_prob = np.where(is_base(ids), np.log(0.25), np.nan).astype(np.float32)
        return Compressed(
            length=len(ids),
            token_starts=starts,
            token_ids=ids[starts].astype(np.int64) - A_ID,
            stage_tokens=np.array([len(starts)]),
            bound_active=np.zeros(0, dtype=bool),
            log_prob=None if self.likelihood is None else log_prob,
            likelihood=self.likelihood,
            mode=mode,
        )

    def encode(self, sequences: Sequences) -> list[Compressed]:
        return [self.cut(ids) for ids in given(sequences)]

    def log_likelihood(self, sequences: Sequences) -> list[Likelihood]:
        lacks(self.name, "likelihood")

    def embed(self, sequences: Sequences, level: Level = "base") -> list[Embedding]:
        lacks(self.name, "vectors")

    def boundaries(self, sequences: Sequences) -> list[np.ndarray]:
        return [found.token_starts for found in self.encode(sequences)]

    def flops(self, lengths: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        return np.zeros(len(lengths))

    def stream(self) -> "RulerStream":
        if not self.streams:
            lacks(self.name, "streams")
        return RulerStream(self)


class RulerStream:
    """A sequence under a ruler, block by block."""

    def __init__(self, ruler: Ruler, position: int = 0) -> None:
        self.ruler, self.position = ruler, position

    def feed(self, sequence: OneSequence, vectors: bool = False) -> Compressed:
        ids = encode(sequence)
        found = self.ruler.cut(ids, self.position, "stream")
        self.position += len(ids)
        return found

    def copy(self) -> Self:
        return type(self)(self.ruler, self.position)

    def state_dict(self) -> dict[str, Any]:
        return {"position": self.position}

    def load_state_dict(self, values: dict[str, Any]) -> None:
        self.position = values["position"]
