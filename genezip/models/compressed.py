"""What a compressor makes of a sequence: its tokens, its likelihood, its vectors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from genezip.errors import GenezipError

LikelihoodKind = Literal["exact", "looked_ahead", "pseudo"]
"""What a log-probability of a base is.

``exact``: given all bases before it and none after, so the sum is a log-likelihood.
``looked_ahead``: the same network, but a bound that saw the whole sequence changed where its
tokens are, so a guess may know of later bases. ``pseudo``: given the bases on both sides, each
base masked in turn. Only exact ones are comparable as bits per base.
"""

KEPT_BY = ("router", "floor", "forced")
"""Why a position is a token; index by the codes of ``kept_by``."""


@dataclass(frozen=True, kw_only=True)
class Compressed:
    """Tokens of a sequence of L bases, or of a block of a stream.

    Attributes
    ----------
    length : L
    token_starts : int64 array, shape (M,)
        First base of the chunk behind every token, increasing; a chunk ends where the next
        begins, the last at L. Of a whole sequence the first is 0. In a block of a stream they
        count from the first base of the block and are below 0 where a token closes a chunk
        that began in an earlier block.
    token_ids : int64 array, shape (M,), or None
        Id of every token in the vocabulary of the system.
    tokens : float array, shape (M, D), or None
        Vector of every token (of a network the trunk output after its closing norm).
    boundary_prob : float32 array, shape (L,), or None
        Probability that a token begins at each base, stage 0 of a hierarchy. A system with soft
        boundaries gives them here, and in ``token_starts`` what it decides on.
    inner_prob : float32 arrays, one per stage below
        Boundary probability of the tokens that entered the stage.
    start_prob : float32 array, shape (M,), or None
        Boundary probability at the first base of every chunk.
    kept_by : uint8 array, shape (M,), or None
        Why each token is one: index into :data:`KEPT_BY`.
    stage_tokens : int64 array, shape (S,)
        Tokens kept at each stage; the last is M. Empty where there is one token per base.
    bound_active : bool array, shape (S,)
        Whether a bound changed the choice of tokens at each stage anywhere.
    log_prob : float32 array, shape (L,), or None
        Natural log of the probability of every base, where the pass that makes the tokens
        gives it; NaN where a base is not predicted (the first of a sequence, N).
    likelihood : what ``log_prob`` is; None where there is none
    base_vectors : float32 array, shape (L, width), or None
        Vector of every base, where they were asked for.
    mode : how it went through: ``one window``, ``windows of N bp`` or ``stream``
    """

    length: int
    token_starts: np.ndarray
    token_ids: np.ndarray | None = None
    tokens: np.ndarray | None = None
    boundary_prob: np.ndarray | None = None
    inner_prob: tuple[np.ndarray, ...] = ()
    start_prob: np.ndarray | None = None
    kept_by: np.ndarray | None = None
    stage_tokens: np.ndarray
    bound_active: np.ndarray
    log_prob: np.ndarray | None = None
    likelihood: LikelihoodKind | None = None
    base_vectors: np.ndarray | None = None
    mode: str = "one window"

    @property
    def chunk_bp(self) -> np.ndarray:
        """Bases behind each token: int64 array of shape (M,), summing to L."""
        return np.diff(np.append(self.token_starts, self.length))

    @property
    def bpt(self) -> float:
        """Base pairs per token."""
        return self.length / len(self.token_starts)


@dataclass(frozen=True, kw_only=True)
class Likelihood:
    """How well a system guesses a sequence of L bases.

    Attributes
    ----------
    log_prob : float32 array, shape (L,)
        Natural log of the probability of each base; NaN where it is not predicted: N, and
        for a system that reads forward the first base of the sequence (of each window).
    kind : what the probabilities are
    looked_ahead : bool array, one per window
        Where a bound saw the future; empty for a stream.
    mode : ``one window``, ``windows of N bp`` or ``stream``
    """

    log_prob: np.ndarray
    kind: LikelihoodKind
    looked_ahead: np.ndarray
    mode: str = "one window"

    @property
    def total(self) -> float:
        """Log-probability of the predicted bases, summed (nats)."""
        return float(np.nansum(self.log_prob, dtype=np.float64))

    @property
    def bits_per_base(self) -> float:
        """Mean of minus log2 of the probability of the predicted bases; NaN where none is.

        Raises
        ------
        GenezipError
            If the likelihood is not exact, so that the number could not be compared.
        """
        if self.kind != "exact":
            raise GenezipError(
                f"bits per base need an exact likelihood, and this one is {self.kind}; use a model "
                "that reads forward, under the bound causal or none"
            )
        predicted = int(np.isfinite(self.log_prob).sum())
        return -self.total / np.log(2) / predicted if predicted else float("nan")


@dataclass(frozen=True)
class Embedding:
    """Vectors of one sequence, of its bases or of its tokens.

    Attributes
    ----------
    vectors : float32 array, shape (L, width) or (M, token_width)
    starts : int64 array, shape (L,) or (M,), first base behind each vector
    """

    vectors: np.ndarray
    starts: np.ndarray


def tokens_at(length: int, token_starts: np.ndarray, **columns: Any) -> Compressed:
    """Tokens of a system of one stage without a bound.

    Parameters
    ----------
    length : bases L of the sequence, at least 1
    token_starts : int array, shape (M,), first base of every chunk: 0, then increasing
    columns : further fields of :class:`Compressed`, as ``token_ids``
    """
    starts = np.asarray(token_starts, dtype=np.int64)
    return Compressed(
        length=length,
        token_starts=starts,
        stage_tokens=np.array([len(starts)], dtype=np.int64),
        bound_active=np.zeros(1, dtype=bool),
        **columns,
    )


def check_tokens(found: Compressed, name: str, length: int, begins: bool = True) -> None:
    """Refuse what cannot be the tokens of ``length`` bases: the code of a system may be anyone's.

    Parameters
    ----------
    found : what the system ``name`` made of them
    begins : whether a token must begin at the first base: not in later blocks of a stream

    Raises
    ------
    GenezipError
        If the tokens do not tile the bases, or a column has another length than theirs.
    """
    starts = found.token_starts
    fault = None
    if found.length != length:
        fault = f"{found.length:,} bases"
    elif len(starts) and ((np.diff(starts) <= 0).any() or starts[-1] >= length):
        fault = "tokens that do not follow each other"
    elif begins and (len(starts) == 0 or starts[0] != 0):
        fault = "no token that begins at the first base"
    columns = {
        **dict.fromkeys(("token_ids", "tokens", "start_prob", "kept_by"), len(starts)),
        **dict.fromkeys(("boundary_prob", "log_prob", "base_vectors"), length),
    }
    for column, size in columns.items():
        values = getattr(found, column)
        if fault is None and values is not None and len(values) != size:
            fault = f"{column} of {len(values):,} values for {size:,}"
    if fault is None and found.log_prob is not None and found.likelihood is None:
        fault = "log_prob of no stated likelihood"
    if fault is not None:
        raise GenezipError(
            f"the compressor {name} gives {fault} for a sequence of {length:,} bases; its encode "
            "must tile every sequence (docs/api.md, Compressed)"
        )


def joined(parts: Sequence[Compressed], mode: str | None = None) -> Compressed:
    """One result of consecutive windows, or blocks of a stream.

    Parameters
    ----------
    parts : of one system, in order, at least one
    mode : of the result; that of the first part when absent

    Returns
    -------
    What only some of the parts have is None.
    """
    first = parts[0]
    offsets = np.cumsum([0, *(part.length for part in parts)])
    starts = [part.token_starts + at for part, at in zip(parts, offsets, strict=False)]
    kinds = {part.likelihood for part in parts}
    kind = first.likelihood if len(kinds) == 1 else "looked_ahead"
    return Compressed(
        length=int(offsets[-1]),
        token_starts=np.concatenate(starts),
        inner_prob=tuple(map(np.concatenate, zip(*(p.inner_prob for p in parts), strict=True))),
        stage_tokens=np.sum([part.stage_tokens for part in parts], axis=0),
        bound_active=np.any([part.bound_active for part in parts], axis=0),
        likelihood=None if None in kinds else kind,
        mode=mode or first.mode,
        **{name: _all([getattr(part, name) for part in parts]) for name in _COLUMNS},
    )


_COLUMNS = (
    "token_ids", "tokens", "boundary_prob", "start_prob", "kept_by", "log_prob", "base_vectors",
)  # fmt: skip


def _all(arrays: Sequence[np.ndarray | None]) -> np.ndarray | None:
    known = [array for array in arrays if array is not None]
    return np.concatenate(known) if len(known) == len(arrays) else None
