"""What a compressor is: any system that cuts DNA into tokens.

Everything that compresses, compares, draws or pools tokens works on :class:`Compressor` and
:class:`Compressed` alone, so a network, a vocabulary and a ruler are compared by the same code.
A system gives what it has: token ids, vectors, boundary probabilities and likelihoods are all
optional, and what it lacks it refuses in one sentence (:func:`lacks`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Protocol, Self

import numpy as np

from genezip.alphabet import OneSequence, encode
from genezip.errors import GenezipError

if TYPE_CHECKING:
    import torch

Sequences = list[Any] | tuple[Any, ...]
"""A list or tuple of sequences, each as :func:`genezip.alphabet.encode` takes it."""

Level = Literal["base", "token"]
"""Which vectors :meth:`Compressor.embed` gives."""

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
        """Mean of minus log2 of the probability of the predicted bases.

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
        return -self.total / np.log(2) / max(int(np.isfinite(self.log_prob).sum()), 1)


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


class Stream(Protocol):
    """One sequence that is read block by block, in memory that does not grow with it.

    What the blocks give in turn equals what the whole gives in one pass. A system that adapts
    while it reads keeps what it learned here and nowhere else, so that no result depends on
    what was read before its sequence.
    """

    def feed(self, sequence: OneSequence, vectors: bool = False) -> Compressed:
        """Read on.

        Parameters
        ----------
        sequence : the next bases, as :func:`genezip.alphabet.encode` takes them
        vectors : whether the block brings ``base_vectors``
        """
        ...

    def copy(self) -> Self:
        """Take a snapshot: both go on independently from here."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Where it stands, as plain values and tensors (for a resumable file)."""
        ...

    def load_state_dict(self, values: dict[str, Any]) -> None:
        """Go on from where :meth:`state_dict` was taken."""
        ...


class Compressor(Protocol):
    """A system that turns DNA into tokens.

    Sequences are given as a list or tuple, each as :func:`genezip.alphabet.encode` takes it
    (text, bytes, Biopython, ASCII codes or token ids), and each result is that of the sequence
    alone: neither its neighbours in the list nor anything read before change it.

    Derive from :class:`PlainCompressor` to write only what a system can do.
    """

    @property
    def name(self) -> str:
        """Name in tables and figures."""
        ...

    @property
    def facts(self) -> Mapping[str, Any]:
        """What identifies the model in stored results (weights, bound, ...), JSON values."""
        ...

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What a file of its tokens records, JSON values.

        Of these the held-out tables read ``seed``, ``target_bpt``, ``scale``, ``source``,
        ``parameters`` and ``bound``; a system leaves out what it does not have.
        """
        ...

    @property
    def causal(self) -> bool:
        """Whether what is given for a base depends on nothing after it."""
        ...

    @property
    def streams(self) -> bool:
        """Whether a sequence can be read block by block."""
        ...

    @property
    def max_bp(self) -> int | None:
        """Longest sequence that one pass takes (bp); None is any length."""
        ...

    @property
    def shortest_bp(self) -> int:
        """Shortest sequence that has a token (bp)."""
        ...

    @property
    def width(self) -> int | None:
        """Length of the vector of a base; None where bases have none."""
        ...

    @property
    def token_width(self) -> int | None:
        """Length of the vector of a token; None where tokens have none of their own."""
        ...

    @property
    def vocabulary(self) -> int | None:
        """Number of token ids; None where tokens have no ids."""
        ...

    @property
    def gives_prob(self) -> bool:
        """Whether tokens come with boundary probabilities."""
        ...

    def encode(self, sequences: Sequences) -> list[Compressed]:
        """Cut sequences into tokens, all in one pass.

        Raises
        ------
        GenezipError
            For what is no DNA (:func:`ids_of`), and where a sequence is too long or too short.
        """
        ...

    def log_likelihood(self, sequences: Sequences) -> list[Likelihood]:
        """Log-probability of every base, and of which kind it is.

        Raises
        ------
        GenezipError
            As :meth:`encode`, and if the system has no likelihood.
        """
        ...

    def embed(self, sequences: Sequences, level: Level = "base") -> list[Embedding]:
        """Vectors of the bases or of the tokens.

        Raises
        ------
        GenezipError
            As :meth:`encode`, and if the system has no vectors.
        """
        ...

    def boundaries(self, sequences: Sequences) -> list[np.ndarray]:
        """First base of every chunk: int64 arrays, shape (M,). Errors as of :meth:`encode`."""
        ...

    def flops(self, lengths: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """Floating-point operations of one pass over each sequence.

        Parameters
        ----------
        lengths : int64 array, shape (n,), bases
        tokens : int64 array, shape (n, S), tokens kept at each stage (``stage_tokens``)

        Returns
        -------
        float64 array, shape (n,); a multiply-add counts as two

        Raises
        ------
        GenezipError
            If they are not known.
        """
        ...

    def stream(self) -> Stream:
        """Open an empty stream.

        Raises
        ------
        GenezipError
            If the system does not stream.
        """
        ...


class PlainCompressor:
    """What a system has that writes no more than ``name`` and ``encode``.

    No vectors, probabilities, ids, likelihoods and streams; what is asked for and is not there
    is refused. Members are those of :class:`Compressor`.
    """

    name: str
    causal: bool = False
    streams: bool = False
    max_bp: int | None = None
    shortest_bp: int = 1
    width: int | None = None
    token_width: int | None = None
    vocabulary: int | None = None
    gives_prob: bool = False

    @property
    def facts(self) -> Mapping[str, Any]:
        """The name alone identifies it."""
        return {"name": self.name}

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The name, and what identifies it."""
        return {"model": self.name, **self.facts}

    def encode(self, sequences: Sequences) -> list[Compressed]:
        """Cut sequences into tokens."""
        raise NotImplementedError

    def log_likelihood(self, sequences: Sequences) -> list[Likelihood]:
        """Refuse: there is none."""
        lacks(self.name, "likelihood")

    def embed(self, sequences: Sequences, level: Level = "base") -> list[Embedding]:
        """Refuse: there are none."""
        lacks(self.name, "vectors")

    def boundaries(self, sequences: Sequences) -> list[np.ndarray]:
        """First base of every chunk: int64 arrays, shape (M,)."""
        return [one.token_starts for one in self.encode(sequences)]

    def flops(self, lengths: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """Refuse: they are not known."""
        lacks(self.name, "count of operations")

    def stream(self) -> Stream:
        """Refuse: a sequence is seen as a whole."""
        lacks(self.name, "stream")


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


def ids_of(sequences: Sequences) -> list[np.ndarray]:
    """Token ids of the sequences that a method was given.

    Parameters
    ----------
    sequences : list or tuple; all are checked before the first is used

    Returns
    -------
    uint8 arrays, one per sequence

    Raises
    ------
    GenezipError
        If a lone sequence is given, or one is empty, of a wrong type, or has a letter that is no
        base.
    """
    if not isinstance(sequences, list | tuple):
        raise GenezipError(
            f"a list of sequences is expected, not {type(sequences).__name__}; give [sequence]"
        )
    found = []
    for number, sequence in enumerate(sequences):
        name = f"sequence {number} of the list"
        ids = encode(sequence, name)
        if len(ids) == 0:
            raise GenezipError(f"{name} has no bases; leave it out")
        found.append(ids)
    return found


def lacks(name: str, what: str) -> NoReturn:
    """Refuse in one sentence what a system does not have.

    Raises
    ------
    GenezipError
        Always.
    """
    raise GenezipError(f"{name} gives no {what}; name a model that does")


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
    looked_ahead = any(part.likelihood == "looked_ahead" for part in parts)
    return Compressed(
        length=int(offsets[-1]),
        token_starts=np.concatenate(starts),
        inner_prob=tuple(map(np.concatenate, zip(*(p.inner_prob for p in parts), strict=True))),
        stage_tokens=np.sum([part.stage_tokens for part in parts], axis=0),
        bound_active=np.any([part.bound_active for part in parts], axis=0),
        likelihood="looked_ahead" if looked_ahead else first.likelihood,
        mode=mode or first.mode,
        **{name: _all([getattr(part, name) for part in parts]) for name in _COLUMNS},
    )


_COLUMNS = (
    "token_ids", "tokens", "boundary_prob", "start_prob", "kept_by", "log_prob", "base_vectors",
)  # fmt: skip


def _all(arrays: Sequence[np.ndarray | None]) -> np.ndarray | None:
    known = [array for array in arrays if array is not None]
    return np.concatenate(known) if len(known) == len(arrays) else None


def vector_width(compressor: Compressor) -> int:
    """Length of the vector of a base.

    Raises
    ------
    GenezipError
        If bases of this system have no vectors.
    """
    if compressor.width is None:
        lacks(compressor.name, "vectors")
    return compressor.width


def choose_device(name: str = "auto") -> "torch.device":
    """Return the device ``cpu``, ``cuda``, or for ``auto`` CUDA where there is one.

    Raises
    ------
    GenezipError
        If ``cuda`` is asked for and there is none, or there is no such device.
    """
    import torch

    if name not in ("auto", "cpu", "cuda"):
        raise GenezipError(f"there is no device {name!r}; use cpu, cuda or auto")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise GenezipError("device cuda is asked for, but none is there; use auto or cpu")
    return torch.device(name)
