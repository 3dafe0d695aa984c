"""A token every ``stride`` bases from the start of the sequence."""

from pathlib import Path
from typing import Any, Self

import numpy as np

from genezip.alphabet import A_ID, N_ID, OneSequence, encode, is_base
from genezip.artifacts.files import write_json, write_text
from genezip.errors import GenezipError
from genezip.models import CARD, CONFIG, KIND
from genezip.models.base import PlainCompressor, Sequences, ids_of, lacks
from genezip.models.compressed import Compressed, tokens_at
from genezip.models.hub import model_folder

LONGEST_KMER = 6  # longest stride whose tokens have ids: they are 4 to the power of the stride


class Fixed(PlainCompressor):
    """Tokens of ``stride`` bases; the last one of a sequence may be shorter.

    Up to a stride of 6 a token has an id: the number of its k-mer in base 4 with A, C, G, T as
    0, 1, 2, 3 and the first base as the highest digit, or 4^k for a token that has an N or is
    shorter. There are no vectors, probabilities or likelihoods. Streams exist only above a stride
    of 6, because a stream returns a token at its first base, when its id is still unknown; windows
    of a multiple of the stride have the tokens of the whole sequence.

    The name in tables is ``fixed-<stride>`` when absent; ``seed`` and ``facts`` are values of the
    model folder, if there is one.
    """

    causal = True

    def __init__(
        self,
        stride: int,
        name: str | None = None,
        seed: int | None = None,
        facts: dict[str, Any] | None = None,
    ) -> None:
        if not isinstance(stride, int) or isinstance(stride, bool) or stride < 1:
            raise GenezipError(f"the stride is {stride!r}; give a whole number of at least 1")
        self.stride, self.seed = stride, seed
        self.window_multiple = stride
        self.vocabulary = 4**stride + 1 if stride <= LONGEST_KMER else None
        self.streams = self.vocabulary is None
        self.name = name or f"fixed-{stride}"
        self._facts = facts or {}

    @classmethod
    def from_settings(cls, settings: str) -> Self:
        """Construct from the stride as text, as in ``fixed:16``."""
        if not (settings.isascii() and settings.isdigit()):
            raise GenezipError(f"fixed:{settings} has no stride; give bases per token: fixed:16")
        return cls(int(settings))

    @classmethod
    def from_pretrained(
        cls, folder: str | Path, device: str = "cpu", revision: str | None = None
    ) -> Self:
        """Open a model folder, or a hub id ``owner/name``; ``device`` is not used."""
        path = model_folder(folder, revision, [CONFIG]) / CONFIG
        config = KIND.read(path)
        types = {"name": str, "stride": int, "training": dict}
        wrong = any(not isinstance(config.get(key), kind) for key, kind in types.items())
        if wrong or config.get("compressor") != "fixed" or config["stride"] < 1:
            raise KIND.foreign(path)
        return cls(config["stride"], config["name"], config.get("seed"), config["training"])

    def save(self, folder: str | Path) -> None:
        """Write the model folder: ``config.json``, and a model card."""
        text = f"A token every {self.stride} bases from the start of each sequence."
        write_text(Path(folder) / CARD, f"# {self.name}\n\n{text} Nothing is learned.\n")
        facts = {"name": self.name, "seed": self.seed, "stride": self.stride}
        head = KIND.head(compressor="fixed", **facts, training=self._facts)
        write_json(Path(folder) / CONFIG, head)

    @property
    def facts(self) -> dict[str, Any]:
        """JSON values that identify the model in stored results."""
        return {"compressor": "fixed", "name": self.name, "seed": self.seed, "stride": self.stride}

    @property
    def metadata(self) -> dict[str, Any]:
        """JSON values that are recorded in files of its tokens."""
        known = {key: value for key, value in self._facts.items() if key in ("scale", "source")}
        return {"model": self.name, "seed": self.seed, "stride": self.stride, **known}

    def encode(self, sequences: Sequences) -> list[Compressed]:
        """Cut sequences of any length into tokens."""
        return [
            tokens_at(len(ids), np.arange(0, len(ids), self.stride), token_ids=self._token_ids(ids))
            for ids in ids_of(sequences)
        ]

    def flops(self, lengths: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """Zeros, float64, shape (n,): there are no multiplications."""
        return np.zeros(len(lengths))

    def stream(self) -> "FixedStream":
        """Open an empty stream; refused if tokens have ids."""
        if not self.streams:
            lacks(self.name, "stream")
        return FixedStream(self)

    def _token_ids(self, ids: np.ndarray) -> np.ndarray | None:
        if self.vocabulary is None:
            return None
        whole = np.full(-(-len(ids) // self.stride) * self.stride, N_ID, dtype=np.uint8)
        whole[: len(ids)] = ids
        bases = whole.reshape(-1, self.stride)
        powers = 4 ** np.arange(self.stride - 1, -1, -1)
        numbers = (bases.astype(np.int64) - A_ID) @ powers
        return np.where(is_base(bases).all(axis=1), numbers, 4**self.stride)


class FixedStream:
    """One sequence that is read block by block; its state is the number of bases read."""

    def __init__(self, model: Fixed, position: int = 0) -> None:
        self._model, self.position = model, position

    def feed(self, sequence: OneSequence, vectors: bool = False) -> Compressed:
        """Read the next bases; ``vectors`` are refused."""
        if vectors:
            lacks(self._model.name, "vectors")
        length, stride = len(encode(sequence)), self._model.stride
        starts = np.arange(-self.position % stride, length, stride)
        self.position += length
        return tokens_at(length, starts, mode="stream")

    def copy(self) -> Self:
        """A snapshot; both streams continue independently."""
        return type(self)(self._model, self.position)

    def state_dict(self) -> dict[str, Any]:
        """The state as plain values."""
        return {"position": self.position}

    def load_state_dict(self, values: dict[str, Any]) -> None:
        """Continue from a state of :meth:`state_dict`."""
        self.position = values["position"]
