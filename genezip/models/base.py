"""The protocol of compressors: systems that cut DNA into tokens.

All code that compresses, compares, plots or pools tokens uses only :class:`Compressor` and
:class:`Compressed`, so a network, a vocabulary and tokens of equal length are compared by the same
code. Token ids, vectors, boundary probabilities and likelihoods are optional; a request for what a
system lacks raises one clear error (:func:`lacks`).
"""

import inspect
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    NoReturn,
    Protocol,
    Self,
    TypedDict,
    TypeVar,
    Unpack,
    overload,
)

import numpy as np

from genezip.alphabet import OneSequence, encode
from genezip.artifacts.files import sha256_file
from genezip.errors import GenezipError
from genezip.models.compressed import Compressed, Embedding, Likelihood, LikelihoodKind
from genezip.models.hub import upload

if TYPE_CHECKING:
    from genezip.view.genes import GeneModels
    from genezip.view.picture import Picture

Sequences = list[Any] | tuple[Any, ...]
"""A list or tuple of sequences, each as :func:`genezip.alphabet.encode` takes it."""


class PlotOptions(TypedDict, total=False):
    """Options of :meth:`Compressor.plot`, which describes them."""

    name: str | None
    region: tuple[int, int] | None
    genes: "GeneModels | None"
    mutate: bool
    at: int | None


Level = Literal["base", "token"]
"""Kind of vectors of :meth:`Compressor.embed`."""

Result = TypeVar("Result")


class Stream(Protocol):
    """One sequence that is read block by block in constant memory.

    The results of the blocks together equal the result of one pass over the whole sequence. A list
    is refused, since several sequences need a stream each and blocks of one are fed in turn. The
    state of a system that adapts while it reads is kept only here, so that no result depends on
    other sequences.
    """

    def feed(self, sequence: OneSequence, vectors: bool = False) -> Compressed:
        """Read the next bases; ``vectors`` adds ``base_vectors`` to the result."""

    def copy(self) -> Self:
        """A snapshot; both streams continue independently."""

    def state_dict(self) -> dict[str, Any]:
        """The state as plain values and tensors (for a resumable file)."""

    def load_state_dict(self, values: dict[str, Any]) -> None:
        """Continue from a state of :meth:`state_dict`."""


class Compressor(Protocol):
    """A system that turns DNA into tokens.

    Sequences are given as a list or tuple, each as :func:`genezip.alphabet.encode` takes it
    (text, bytes, Biopython, ASCII codes or token ids), and the result is a list in their order.
    The protocol refuses a sequence alone, so that a method has one type of result in all systems;
    methods of :class:`~genezip.models.genezip.compressor.GeneZip` take one as well. Each result
    depends on its sequence only, not on others in the list or read before.

    A class derived from :class:`PlainCompressor` defines only what its system can do.
    """

    @property
    def name(self) -> str:
        """Name in tables and figures."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """JSON values that identify the model in stored results (weights, bound, ...)."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """JSON values that are recorded in files of its tokens.

        Held-out tables use ``seed``, ``target_bpt``, ``scale``, ``source``, ``parameters`` and
        ``bound``; all are optional.
        """

    @property
    def causal(self) -> bool:
        """Whether the results of a base do not depend on later bases."""

    @property
    def streams(self) -> bool:
        """Whether a sequence can be read block by block."""

    @property
    def max_bp(self) -> int | None:
        """Longest sequence of one pass (bp); None for any length.

        A system that does not stream reads longer sequences in windows of this length.
        """

    @property
    def window_multiple(self) -> int:
        """Windows should have a multiple of this length (bp); 1 for any length.

        Such windows of a vocabulary with blocks have the tokens of the whole sequence.
        """

    @property
    def shortest_bp(self) -> int:
        """Shortest sequence that has a token (bp)."""

    @property
    def width(self) -> int | None:
        """Length of the vector of a base; None if bases have no vectors."""

    @property
    def token_width(self) -> int | None:
        """Length of the vector of a token; None if tokens have no vectors."""

    @property
    def vocabulary(self) -> int | None:
        """Number of token ids; None if tokens have no ids."""

    @property
    def likelihood(self) -> LikelihoodKind | None:
        """Best kind of likelihood of :meth:`log_likelihood`; None without a likelihood."""

    @property
    def gives_prob(self) -> bool:
        """Whether results have boundary probabilities."""

    def encode(self, sequences: Sequences) -> list[Compressed]:
        """Cut sequences into tokens, each in one pass."""

    def log_likelihood(self, sequences: Sequences) -> list[Likelihood]:
        """Log-probability of every base, and its kind."""

    def embed(self, sequences: Sequences, level: Level = "base") -> list[Embedding]:
        """Vectors of the bases or of the tokens."""

    def boundaries(self, sequences: Sequences) -> list[np.ndarray]:
        """First base of every chunk: int64 arrays, shape (M,)."""

    def flops(self, lengths: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """Floating-point operations of one pass over each sequence, float64 (n,).

        A multiply-add counts as two. ``lengths`` are bases, int64 (n,), and ``tokens`` the tokens
        kept at each stage (``stage_tokens``), int64 (n, S).
        """

    def stream(self) -> Stream:
        """Open an empty stream."""

    @overload
    def plot(self, sequence: OneSequence, **options: Unpack[PlotOptions]) -> "Picture": ...

    @overload
    def plot(self, sequence: Sequences, **options: Unpack[PlotOptions]) -> "list[Picture]": ...

    def plot(
        self, sequence: OneSequence | Sequences, **options: Unpack[PlotOptions]
    ) -> "Picture | list[Picture]":
        """Draw boundary probability, chunks and local bp per token of a sequence.

        Each sequence of a list or tuple has its own picture. A sequence is read as by
        :meth:`encode`. A system without boundary probabilities has chunks and bp per token alone.
        Notebooks show the picture, and its method ``save`` writes SVG or PNG.

        Parameters
        ----------
        name : name of the sequence, by default that of a Biopython record
        region : (start, end) of the bases to draw, 0-based, half-open; all by default, at most
            2,000,000
        genes : gene models, or a file of them, whose contig is ``name``: genes and the region
            classes are drawn
        mutate : also draw how each mutation of one base changes the boundary probability of a cut
            (a heat map, and the attribute ``mutations``); the region has at most 500 bp
        at : base of that cut, 0-based; None takes the strongest boundary of the region
        """

    def save(self, folder: str | Path) -> None:
        """Write a model folder that :func:`genezip.models.load` opens.

        If the system has a tokenizer of that kind, ``transformers`` can open it from the folder.
        """


class Shareable:
    """Names under which other libraries save and share a model, for a class that has ``save``."""

    def save(self, folder: str | Path) -> None:
        """Write a model folder."""
        raise NotImplementedError

    def save_pretrained(self, folder: str | Path) -> None:
        """Write a model folder with its card, as :meth:`save` does."""
        self.save(folder)

    def push_to_hub(
        self,
        repo_id: str,
        private: bool = False,
        token: str | None = None,
        message: str = "Upload a genezip model",
    ) -> str:
        """Upload the model folder with its card to the Hugging Face hub; return the address.

        The repository ``owner/name`` is created if it does not exist. ``token`` is by default that
        of the last login. The package ``huggingface_hub`` must be installed.
        """
        with TemporaryDirectory(prefix="genezip-") as folder:
            self.save(folder)
            return upload(Path(folder), repo_id, private, token, message)


class Plots:
    """The method ``plot`` of all systems (:meth:`Compressor.plot`)."""

    @overload
    def plot(
        self: Compressor, sequence: OneSequence, **options: Unpack[PlotOptions]
    ) -> "Picture": ...

    @overload
    def plot(
        self: Compressor, sequence: Sequences, **options: Unpack[PlotOptions]
    ) -> "list[Picture]": ...

    def plot(
        self: Compressor, sequence: OneSequence | Sequences, **options: Unpack[PlotOptions]
    ) -> "Picture | list[Picture]":
        """Draw boundary probability, chunks and bp per token; see :meth:`Compressor.plot`."""
        from genezip.view.plot import plot_sequences  # matplotlib is loaded for pictures alone

        return plot_sequences(self, sequence, **options)


class PlainCompressor(Shareable, Plots):
    """Base class of a system that defines only ``name`` and ``encode``.

    It has no vectors, probabilities, ids, likelihoods or streams; requests for them are refused.
    Members are those of :class:`Compressor`.
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

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Self:
        """Open a folder of ``genezip weights adopt``, which gives a class another name."""
        made = cls()
        made.name = str(json.loads((Path(folder) / "config.json").read_text())["name"])
        return made

    @property
    def facts(self) -> Mapping[str, Any]:
        """The name, the class, and the hash of its source file, which detects changed code."""
        system = type(self)
        code = inspect.getsourcefile(system)
        return {
            "name": self.name,
            "class": f"{system.__module__}:{system.__qualname__}",
            "code_sha256": None if code is None else sha256_file(code),
        }

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The name and the facts."""
        return {"model": self.name, **self.facts}

    def encode(self, sequences: Sequences) -> list[Compressed]:
        """Refuse: a subclass must define this method."""
        lacks(self.name, "tokens: its class has no method encode")

    def log_likelihood(self, sequences: Sequences) -> list[Likelihood]:
        """Refuse: there is no likelihood."""
        lacks(self.name, "likelihood")

    def embed(self, sequences: Sequences, level: Level = "base") -> list[Embedding]:
        """Refuse: there are no vectors."""
        lacks(self.name, "vectors")

    def boundaries(self, sequences: Sequences) -> list[np.ndarray]:
        """First base of every chunk: int64 arrays, shape (M,)."""
        return [one.token_starts for one in self.encode(sequences)]

    def flops(self, lengths: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """Refuse: the number of operations is unknown."""
        lacks(self.name, "count of operations")

    def stream(self) -> Stream:
        """Refuse: sequences are read as a whole."""
        lacks(self.name, "stream")

    def save(self, folder: str | Path) -> None:
        """Refuse: the system has no model folder."""
        lacks(self.name, "model folder")


def ids_of(sequences: Sequences) -> list[np.ndarray]:
    """Token ids of every sequence of a list or tuple, uint8; a single or empty one is refused.

    All sequences are checked before the first is used.
    """
    if not isinstance(sequences, list | tuple):
        raise GenezipError(
            f"a list of sequences is expected, not {type(sequences).__name__}; give [sequence]"
        )
    return [_ids(one, f"sequence {n} of the list") for n, one in enumerate(sequences)]


def one_or_each(
    sequences: OneSequence | Sequences, of_list: Callable[[list[np.ndarray]], list[Result]]
) -> Result | list[Result]:
    """Result of one sequence, or of each in a list; ``of_list`` takes ids as of :func:`ids_of`."""
    if isinstance(sequences, list | tuple):
        return of_list(ids_of(sequences))
    return of_list([_ids(sequences, "sequence")])[0]


def _ids(sequence: OneSequence, name: str) -> np.ndarray:
    ids = encode(sequence, name)
    if len(ids) == 0:
        raise GenezipError(f"{name} has no bases; leave it out")
    return ids


def on_request(compressor: Compressor) -> bool:
    """Whether a likelihood must be requested as ``log_likelihood(sequences, pseudo=True)``.

    Such a pseudo-likelihood reads the sequence once per base, so nothing computes it unasked.
    """
    return "pseudo" in inspect.signature(compressor.log_likelihood).parameters


def lacks(name: str, what: str) -> NoReturn:
    """Raise the error for something that a system does not have."""
    raise GenezipError(f"{name} gives no {what}; name a model that does")


def vector_width(compressor: Compressor) -> int:
    """Length of the vector of a base; a system whose bases have no vectors is refused."""
    if compressor.width is None:
        lacks(compressor.name, "vectors")
    return compressor.width
