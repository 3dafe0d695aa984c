"""Results of a compressor for a sequence: tokens, likelihood and vectors."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from genezip.errors import GenezipError

if TYPE_CHECKING:
    import pandas as pd

    from genezip.view.genes import GeneModels
    from genezip.view.picture import Picture

LikelihoodKind = Literal["exact", "looked_ahead", "pseudo"]
"""Kind of the log-probabilities of bases.

``exact``: conditional on all bases before and none after, so the sum is a log-likelihood.
``looked_ahead``: the same network, but a bound on the whole sequence changed the tokens, so a
probability may depend on later bases. ``pseudo``: conditional on the bases on both sides, each base
masked in turn. Only exact ones are comparable as bits per base.
"""

KEPT_BY = ("router", "floor", "forced")
"""Reasons for a token, in order of the codes of ``kept_by``."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Compressed:
    """Tokens of a sequence of L bases, or of a block of a stream.

    Attributes
    ----------
    length : L
    token_starts : int64 array, shape (M,)
        First base of the chunk of every token, increasing; a chunk ends where the next begins,
        the last at L. The first of a whole sequence is 0. In a block of a stream they are
        relative to the block, and below 0 if a token ends a chunk of an earlier block.
    token_ids : int64 array, shape (M,), or None, id of every token in the vocabulary of the system
    tokens : float array, shape (M, D), or None
        Vector of every token (in a network the trunk output after its last norm).
    boundary_prob : float32 array, shape (L,), or None, probability that a token begins at each base
        (stage 0 of a hierarchy); ``token_starts`` has the decisions
    inner_prob : float32 arrays, one per further stage
        Boundary probability of the tokens that are the input of the stage.
    start_prob : float32 array, shape (M,), or None
        Boundary probability at the first base of every chunk.
    kept_by : uint8 array, shape (M,), or None, reason for each token: index into :data:`KEPT_BY`
    stage_tokens : int64 array, shape (S,)
        Tokens kept at each stage; the last is M. Empty if every base is a token.
    bound_active : bool array, shape (S,)
        Whether a bound changed any choice of tokens at each stage.
    log_prob : float32 array, shape (L,), or None, natural log of the probability of every base, if
        ``encode`` computes it; NaN where a base is not predicted (the first of a sequence, N)
    likelihood : kind of ``log_prob``; None without it
    base_vectors : float32 array, shape (L, width), or None, vector of every base, if requested
    mode : ``one window``, ``windows of N bp`` or ``stream``
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
        """Bases of each chunk: int64 array of shape (M,), summing to L."""
        return np.diff(np.append(self.token_starts, self.length))

    @property
    def bpt(self) -> float:
        """Base pairs per token; NaN without a token, as in a short block of a stream."""
        return self.length / len(self.token_starts) if len(self.token_starts) else float("nan")

    def to_frame(self) -> "pd.DataFrame":
        """One row per token: ``start``, ``end`` and ``bp`` of its chunk (0-based, half-open).

        There are also ``boundary_prob``, ``kept_by`` (in words), ``token_id`` and ``bits``, the
        bits of the predicted bases of the chunk, where the system gives them.
        """
        import pandas as pd

        starts = self.token_starts
        table = pd.DataFrame({"start": starts, "end": starts + self.chunk_bp, "bp": self.chunk_bp})
        if self.start_prob is not None:
            table["boundary_prob"] = self.start_prob
        if self.kept_by is not None:
            table["kept_by"] = np.array(KEPT_BY)[self.kept_by]
        if self.token_ids is not None:
            table["token_id"] = self.token_ids
        if self.log_prob is not None and len(starts) and starts[0] == 0:
            bits = -np.nan_to_num(self.log_prob.astype(np.float64)) / np.log(2)
            table["bits"] = np.add.reduceat(bits, starts)
        return table

    def plot(
        self,
        model: str = "",
        name: str = "sequence",
        region: tuple[int, int] | None = None,
        genes: "GeneModels | None" = None,
    ) -> "Picture":
        """Draw boundary probability, chunks and local bp per token.

        Notebooks show the picture, and its method ``save`` writes SVG or PNG. A result has no
        letters of its sequence; :meth:`Compressor.plot` draws them, and mutations.

        Parameters
        ----------
        model : name of the model in the title
        name : name of the sequence, and of its contig in ``genes``
        region : (start, end) of the bases to draw, 0-based, half-open; all by default, at most
            2,000,000
        genes : gene models, or a file of them: genes and the region classes are drawn
        """
        from genezip.view.plot import plot_compressed  # matplotlib is loaded for pictures alone

        return plot_compressed(self, model, name, region, genes)

    def _facts(self) -> dict[str, str]:
        """What a reader wants to know at a glance."""
        facts = {
            "bases": f"{self.length:,}",
            "tokens": f"{len(self.token_starts):,}",
            "bases per token": f"{self.bpt:.4g}",
            "mode": self.mode,
        }
        if len(self.stage_tokens) > 1:
            facts["tokens by stage"] = ", ".join(f"{count:,}" for count in self.stage_tokens)
        if self.bound_active.any():
            facts["bound"] = "changed the tokens"
        if self.log_prob is not None and self.likelihood is not None:
            facts["likelihood"] = self.likelihood
            if self.likelihood == "exact":  # others are not comparable
                exact = Likelihood(
                    log_prob=self.log_prob, kind="exact", looked_ahead=np.zeros(0, dtype=bool)
                )
                facts["bits per base"] = f"{exact.bits_per_base:.4g}"
        return facts

    def __repr__(self) -> str:
        return f"Compressed({'; '.join(f'{name}: {text}' for name, text in self._facts().items())})"

    def _repr_html_(self) -> str:
        """Table for notebooks."""
        rows = "".join(
            f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>"
            for name, text in self._facts().items()
        )
        return f"<table><caption>Compressed</caption>{rows}</table>"


@dataclass(frozen=True, kw_only=True)
class Likelihood:
    """Probabilities that a system assigns to a sequence of L bases.

    Attributes
    ----------
    log_prob : float32 array, shape (L,), natural log of the probability of each base; NaN where it
        is not predicted: N, and for a causal system the first base of the sequence (of each window)
    kind : kind of the probabilities
    looked_ahead : bool array, one per window, whether a bound looked ahead; empty for a stream
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
        """Mean of minus log2 of the probability of the predicted bases; NaN without any.

        Likelihoods that are not exact are refused, because the number would not be comparable.
        """
        if self.kind != "exact":
            raise GenezipError(
                f"bits per base need an exact likelihood, but this one is {self.kind}; use a "
                "causal model, with the bound causal or none"
            )
        predicted = int(np.isfinite(self.log_prob).sum())
        return -self.total / np.log(2) / predicted if predicted else float("nan")


@dataclass(frozen=True)
class Embedding:
    """Vectors of one sequence, of its bases or of its tokens, and the first base of each.

    ``vectors`` are float32, shape (L, width) or (M, token_width), ``starts`` int64.
    """

    vectors: np.ndarray
    starts: np.ndarray


def tokens_at(length: int, token_starts: np.ndarray, **columns: Any) -> Compressed:
    """Tokens of a sequence of at least 1 base in a system of one stage without a bound.

    ``token_starts`` are the first bases of the chunks, shape (M,): 0, then increasing. ``columns``
    are further fields of :class:`Compressed`, such as ``token_ids``.
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
    """Refuse results of the system ``name`` that do not tile ``length`` bases.

    Systems outside this package may be wrong. A token must begin at the first base if ``begins``
    is set, which it is not in later blocks of a stream.
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
    """Join results of consecutive windows or blocks of a stream of one system, at least one.

    ``mode`` is by default that of the first part. Fields that only some of the parts have are None.
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
