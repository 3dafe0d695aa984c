"""A compressor that learns nothing, to hold what is done with compressors to the protocol alone."""

from typing import Any, Self

import numpy as np

from genezip.alphabet import A_ID, OneSequence, encode, is_base
from genezip.errors import GenezipError
from genezip.models.base import PlainCompressor, Sequences, ids_of, lacks
from genezip.models.compressed import Compressed, LikelihoodKind, tokens_at


class Ruler(PlainCompressor):
    """Cuts every ``stride`` bases; the id of a token is its first base.

    Parameters
    ----------
    stride : bases of a token
    max_bp : longest sequence in one pass; such a ruler does not stream
    likelihood : every base has the probability 1/4, of this kind; without it there is none
    """

    vocabulary = 5
    causal = True

    def __init__(
        self, stride: int, max_bp: int | None = None, likelihood: LikelihoodKind | None = None
    ) -> None:
        self.name = f"ruler {stride}"
        self.stride, self.max_bp, self.likelihood = stride, max_bp, likelihood
        self.streams = max_bp is None

    @classmethod
    def from_settings(cls, settings: str) -> Self:
        """Of ``STRIDE`` or ``STRIDE,MAX_BP``."""
        return cls(*map(int, settings.split(",")))

    def cut(self, ids: np.ndarray, start: int = 0, mode: str = "one window") -> Compressed:
        """Tokens of bases that begin at ``start`` of their sequence."""
        if self.max_bp is not None and len(ids) > self.max_bp:
            raise GenezipError(f"{self.name} takes at most {self.max_bp} bp; give less")
        starts = np.arange(-start % self.stride, len(ids), self.stride)
        log_prob = np.where(is_base(ids), np.log(0.25), np.nan).astype(np.float32)
        return tokens_at(
            len(ids),
            starts,
            token_ids=ids[starts].astype(np.int64) - A_ID,
            log_prob=None if self.likelihood is None else log_prob,
            likelihood=self.likelihood,
            mode=mode,
        )

    def encode(self, sequences: Sequences) -> list[Compressed]:
        return [self.cut(ids) for ids in ids_of(sequences)]

    def stream(self) -> "RulerStream":
        if not self.streams:
            lacks(self.name, "stream")
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
