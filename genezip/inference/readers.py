"""How ``genezip compress`` reads a record: as one stream, or window by window."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from genezip.compress import GeneZip
from genezip.models.hnet.streaming import chunk_starts
from genezip.models.hnet.windows import run_batch


@dataclass(frozen=True)
class SpanResult:
    """Tokens and per-base values of a span: L consecutive bases, a block of a stream or a window.

    Attributes
    ----------
    chunk_starts : int64 array, shape (M,)
        First base of the chunk of every new token, relative to the first of the L bases;
        below 0 where a token that ends its chunk (U-Net blocks) stands in a later span.
    start_prob : float32 array, shape (M,), stage-0 boundary probability at those bases
    kept_by : uint8 array, shape (M,), codes of :data:`genezip.models.routing.learned.KEPT_BY`
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

    def __init__(self, zipper: GeneZip, block_bp: int) -> None:
        self.step = block_bp
        self.zipper = zipper
        self.marks_end = zipper.network.shape.marks_end
        self.begin()

    def begin(self, saved: dict[str, Any] | None = None) -> None:
        """Stand at the start of a record, or where :meth:`state` was taken."""
        self.stream = self.zipper.stream()
        self.tokenless = np.zeros(0, dtype=np.float32)  # p of bases whose token is to come
        if saved is not None:
            self.stream.load_state_dict(saved["stream"])
            self.tokenless = saved["tokenless"].numpy()

    def read(self, ids: np.ndarray) -> SpanResult:
        """Read one block."""
        block = self.stream.feed_ids(ids)
        prob = _stage_0(block.boundary_prob, len(ids))
        back = len(self.tokenless)
        known = np.concatenate([self.tokenless, prob])
        positions = block.token_positions - block.start + back
        starts = chunk_starts(positions, self.marks_end)
        if self.marks_end:
            self.tokenless = known[positions[-1] + 1 :] if len(positions) else known
        return _span(block, starts - back, known[starts], prob, block.log_prob)

    def state(self) -> dict[str, Any] | None:
        """Where the stream stands."""
        tokenless = torch.from_numpy(self.tokenless.copy())
        return {"stream": self.stream.state_dict(), "tokenless": tokenless}


class WindowReader:
    """Independent windows; the last of a record may be shorter."""

    def __init__(self, zipper: GeneZip, window_bp: int) -> None:
        self.step = window_bp
        self.network = zipper.network

    def begin(self, saved: dict[str, Any] | None = None) -> None:
        """Windows share nothing."""

    def read(self, ids: np.ndarray) -> SpanResult:
        """Compress one window."""
        (window,) = run_batch(self.network, [ids])
        prob = _stage_0(window.boundary_prob, len(ids))
        starts = window.token_starts.astype(np.int64)
        return _span(window, starts, prob[starts], prob, -window.nll)

    def state(self) -> dict[str, Any] | None:
        """Windows share nothing."""
        return None


def _stage_0(boundary_prob: list[np.ndarray], length: int) -> np.ndarray:
    """A flat model has no stage: every base is a token."""
    if not boundary_prob:
        return np.ones(length, dtype=np.float32)
    return boundary_prob[0].astype(np.float32, copy=False)


def _span(
    result: Any, starts: np.ndarray, start_prob: np.ndarray, prob: np.ndarray, log_prob: np.ndarray
) -> SpanResult:
    """The result of a block of a stream, or of a window."""
    known = log_prob[~np.isnan(log_prob)].astype(np.float64)
    return SpanResult(
        chunk_starts=starts,
        start_prob=start_prob,
        kept_by=result.kept_by,
        tokens=result.tokens.astype(np.float32, copy=False),
        boundary_prob=prob,
        nats=float(-known.sum()),
        predicted=len(known),
        bound_bit=bool(result.bound_bit.any()),
    )
