"""What a compressor is: any system that cuts DNA into tokens.

Everything that compresses, compares, draws or pools tokens works on :class:`Compressor` and
:class:`Compressed` alone, so a network, a vocabulary and a ruler are compared by the same code.
A system gives what it has: token ids, vectors, boundary probabilities and likelihoods are all
optional, and what it lacks it refuses in one sentence (:func:`lacks`).
"""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Protocol, Self

import numpy as np

from genezip.alphabet import OneSequence, encode
from genezip.artifacts.files import sha256_file
from genezip.errors import GenezipError
from genezip.models.compressed import Compressed, Embedding, Likelihood, LikelihoodKind

if TYPE_CHECKING:
    import torch

Sequences = list[Any] | tuple[Any, ...]
"""A list or tuple of sequences, each as :func:`genezip.alphabet.encode` takes it."""

Level = Literal["base", "token"]
"""Which vectors :meth:`Compressor.embed` gives."""


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
        """Longest sequence that one pass takes (bp); None is any length.

        Where a system does not stream, a longer one goes through it in windows of so many.
        """
        ...

    @property
    def window_multiple(self) -> int:
        """Length of which windows should be multiples (bp), 1 where any length is as good.

        Cut there, the windows of a vocabulary with blocks give what the whole sequence gives.
        """
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
    def likelihood(self) -> LikelihoodKind | None:
        """What :meth:`log_likelihood` gives at its best; None where there is none."""
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

    def save(self, folder: str | Path) -> None:
        """Write a model folder that :func:`genezip.models.load` opens.

        A system with token ids writes the files by which ``transformers`` opens its tokenizer,
        where it has one of that kind.

        Raises
        ------
        GenezipError
            If the system has no model folder.
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
    window_multiple: int = 1
    shortest_bp: int = 1
    width: int | None = None
    token_width: int | None = None
    vocabulary: int | None = None
    gives_prob: bool = False
    likelihood: LikelihoodKind | None = None

    @property
    def facts(self) -> Mapping[str, Any]:
        """The name, the class, and the code that it stands in, so that a change of it is seen."""
        system = type(self)
        code = inspect.getsourcefile(system)
        return {
            "name": self.name,
            "class": f"{system.__module__}:{system.__qualname__}",
            "code_sha256": None if code is None else sha256_file(code),
        }

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The name, and what identifies it."""
        return {"model": self.name, **self.facts}

    def encode(self, sequences: Sequences) -> list[Compressed]:
        """Refuse: a system must write this."""
        lacks(self.name, "tokens: its class has no method encode")

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

    def save(self, folder: str | Path) -> None:
        """Refuse: it has no model folder."""
        lacks(self.name, "model folder")


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
