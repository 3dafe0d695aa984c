"""How ``genezip compress`` reads a record: as one stream, or window by window."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from genezip.models.base import Compressed, Compressor


@dataclass(frozen=True)
class SpanResult:
    """Tokens and per-base values of a span: L consecutive bases, a block of a stream or a window.

    Attributes
    ----------
    chunk_starts : int64 array, shape (M,)
        First base of the chunk of every new token, relative to the first of the L bases;
        below 0 where a token that ends its chunk (U-Net blocks) stands in a later span.
    start_prob : float32 array, shape (M,), stage-0 boundary probability at those bases
    kept_by : uint8 array, shape (M,), codes of :data:`genezip.models.base.KEPT_BY`
    tokens : float32 array, shape (M, D)
    boundary_prob : float32 array, shape (L,), of stage 0; 1 everywhere in a flat model
    nats : summed negative log-probability of the predicted bases
    predicted : number of predicted bases (not N, not the first of the sequence)
    bound_bit : whether the bound changed the routing of any stage
    """

    chunk_starts: np.ndarray
    start_prob: np.ndarray
    kept_by: np.ndarray
    tokens: np.ndarray
    boundary_prob: np.ndarray
    nats: float
    predicted: int
    bound_bit: bool


class Reader(Protocol):
    """Reads the records of a FASTA, ``step`` bases at a time."""

    step: int

    def begin(self, saved: dict[str, Any] | None = None) -> None:
        """Stand at the start of a record, or where :meth:`state` was taken."""

    def read(self, ids: np.ndarray) -> SpanResult:
        """Read on by the given token ids (uint8 array, at most ``step``)."""

    def state(self) -> dict[str, Any] | None:
        """Where it stands, as plain values and tensors; None where nothing is carried."""


class StreamReader:
    """A record as one sequence: equal to a single pass over all of it."""

    def __init__(self, compressor: Compressor, block_bp: int) -> None:
        self.step = block_bp
        self.compressor = compressor
        self.begin()

    def begin(self, saved: dict[str, Any] | None = None) -> None:
        """Stand at the start of a record, or where :meth:`state` was taken."""
        self.stream = self.compressor.stream()
        if saved is not None:
            self.stream.load_state_dict(saved)

    def read(self, ids: np.ndarray) -> SpanResult:
        """Read one block."""
        return _span(self.stream.feed(ids))

    def state(self) -> dict[str, Any] | None:
        """Where the stream stands."""
        return self.stream.state_dict()


class WindowReader:
    """Independent windows; the last of a record may be shorter."""

    def __init__(self, compressor: Compressor, window_bp: int) -> None:
        self.step = window_bp
        self.compressor = compressor

    def begin(self, saved: dict[str, Any] | None = None) -> None:
        """Windows share nothing."""

    def read(self, ids: np.ndarray) -> SpanResult:
        """Compress one window."""
        return _span(self.compressor.encode([ids])[0])

    def state(self) -> dict[str, Any] | None:
        """Windows share nothing."""
        return None


def _span(found: Compressed) -> SpanResult:
    """The result of a block of a stream, or of a window."""
    assert found.log_prob is not None and found.tokens is not None and found.kept_by is not None
    known = found.log_prob[~np.isnan(found.log_prob)].astype(np.float64)
    # a flat model has no stage: every base is a token
    prob = np.ones(found.length, np.float32) if found.boundary_prob is None else found.boundary_prob
    start_prob = found.start_prob
    return SpanResult(
        chunk_starts=found.token_starts,
        start_prob=prob[found.token_starts] if start_prob is None else start_prob,
        kept_by=found.kept_by,
        tokens=found.tokens.astype(np.float32, copy=False),
        boundary_prob=prob.astype(np.float32, copy=False),
        nats=float(-known.sum()),
        predicted=len(known),
        bound_bit=bool(found.bound_active.any()),
    )
