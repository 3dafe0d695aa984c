"""What a frozen model gives for DNA: one vector per base, and its tokens.

Every model that is compared stands behind :class:`Backbone`, so whatever is pooled from it is
pooled by the same code. :class:`GeneZipBackbone` is the one for all architectures of
:class:`~genezip.models.hnet.network.GeneZipNetwork`; published models of other groups are in
:mod:`genezip.models.external`.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Literal, Protocol, Self

import numpy as np
import torch

from genezip.alphabet import PAD_ID
from genezip.errors import GenezipError
from genezip.models.device import choose_device
from genezip.models.hnet.network import GeneZipNetwork
from genezip.models.hnet.streaming import Stream, chunk_starts
from genezip.models.hnet.windows import run_batch
from genezip.models.pretrained import WEIGHTS, ModelCard, load_network

ONE_WINDOW_BP = 1_048_576  # longest sequence that is held in memory as one window
BLOCK_BP = {"cpu": 8192, "cuda": 65_536}  # bases that a stream reads at a time
# bases of independent sequences in one batch; on a GPU 40 of 12,800, as the authors' release
BATCH_BP = {"cpu": 65_536, "cuda": 524_288}

Precision = Literal["fp32", "bf16"]


class StateStream(Protocol):
    """A sequence that is read piece by piece, and can be copied between two pieces."""

    def feed(self, ids: np.ndarray) -> np.ndarray:
        """Read on: uint8 ids, shape (n,) -> float32 states, shape (n, width)."""
        ...

    def skip(self, ids: np.ndarray) -> None:
        """Read on without handing out the states."""
        ...

    def copy(self) -> Self:
        """A snapshot: both go on independently from here."""
        ...


class Backbone(Protocol):
    """A frozen model."""

    @property
    def name(self) -> str:
        """As the tables call it."""
        ...

    @property
    def width(self) -> int:
        """Length of the vector of a base."""
        ...

    @property
    def token_width(self) -> int | None:
        """Length of the vector of a token; None where every base is its own token."""
        ...

    @property
    def causal(self) -> bool:
        """Whether the vector of a base depends on nothing after it."""
        ...

    @property
    def max_bp(self) -> int | None:
        """Longest sequence in one pass; None is any length."""
        ...

    @property
    def facts(self) -> dict[str, Any]:
        """What identifies the model (weights, bound, ...), JSON values."""
        ...

    def states(self, ids: np.ndarray) -> Iterator[np.ndarray]:
        """Vectors of all bases, in blocks in order: float32 arrays, shape (n, width)."""
        ...

    def pieces(self, sequences: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Vectors of independent short sequences: one float32 array (L, width) for each."""
        ...

    def tokens(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """First base of every chunk, int64 (M,), and its vector, float32 (M, token_width)."""
        ...

    def stream(self) -> StateStream | None:
        """An empty stream; None for a model that must see a sequence as a whole."""
        ...


class GeneZipStream:
    """A :class:`StateStream` over a network; long pieces go through in blocks."""

    def __init__(self, backbone: "GeneZipBackbone") -> None:
        self._backbone = backbone
        self._stream = Stream(backbone.network)

    def feed(self, ids: np.ndarray) -> np.ndarray:
        """Read on: uint8 ids, shape (n,) -> float32 states, shape (n, width)."""
        found = list(self._blocks(ids))
        if len(found) == 1:
            return found[0]
        return np.concatenate([np.zeros((0, self._backbone.width), np.float32), *found])

    def skip(self, ids: np.ndarray) -> None:
        """Read on without handing out the states."""
        for _ in self._blocks(ids):
            pass

    def copy(self) -> "GeneZipStream":
        """A snapshot: both go on independently from here."""
        other = type(self).__new__(type(self))
        other._backbone = self._backbone
        other._stream = self._stream.copy()
        return other

    def _blocks(self, ids: np.ndarray) -> Iterator[np.ndarray]:
        step = self._backbone.block_bp
        for start in range(0, len(ids), step):
            with self._backbone.precision():
                block = self._stream.feed_ids(ids[start : start + step], keep_states=True)
            assert block.states is not None
            yield block.states


class GeneZipBackbone:
    """A network of ours, GeneZip or one of its peers, as a :class:`Backbone`.

    Without a bound and with the bound ``causal`` sequences are streamed in constant memory.
    With the bound ``sequence`` a sequence is one window of at most 1,048,576 bp, and a base
    may depend on later ones. ``half`` is bf16 autocast on a GPU; a CPU computes in fp32.
    """

    def __init__(
        self,
        network: GeneZipNetwork,
        name: str,
        facts: dict[str, Any] | None = None,
        half: bool = False,
    ) -> None:
        self.network = network.eval()
        self.name = name
        device = network.embedding.device.type
        self._half = half and device == "cuda"
        self.block_bp = BLOCK_BP.get(device, BLOCK_BP["cpu"])
        self.batch_bp = BATCH_BP.get(device, BATCH_BP["cpu"])
        self.facts = {
            **(facts or {}),
            "bound": network.bound,
            "precision": "bf16" if self._half else "fp32",
        }

    @property
    def width(self) -> int:
        """Length of the vector of a base (stage-0 decoder output)."""
        return self.network.shape.d_model[0]

    @property
    def token_width(self) -> int | None:
        """Length of the vector of a token (trunk output); None for a flat model."""
        return self.network.shape.d_model[-1] if self.network.shape.n_stages else None

    @property
    def causal(self) -> bool:
        """Whether the vector of a base depends on nothing after it."""
        return self.network.bound != "sequence"

    @property
    def max_bp(self) -> int | None:
        """Longest sequence in one pass; None where sequences are streamed."""
        return None if self.causal else ONE_WINDOW_BP

    def precision(self) -> AbstractContextManager[Any]:
        """Autocast where it is asked for."""
        return torch.autocast("cuda", torch.bfloat16) if self._half else nullcontext()

    def stream(self) -> GeneZipStream | None:
        """An empty stream; None under the bound ``sequence``."""
        return GeneZipStream(self) if self.causal else None

    def states(self, ids: np.ndarray) -> Iterator[np.ndarray]:
        """Vectors of all bases, in blocks in order: float32 arrays, shape (n, width).

        Raises
        ------
        GenezipError
            If there is no base, or under the bound ``sequence`` too many for one window.
        """
        self._check(ids)
        stream = self.stream()
        if stream is None:
            yield self._batch([ids])[0]
            return
        yield from stream._blocks(ids)

    def pieces(self, sequences: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Vectors of independent sequences, each as if it were alone: float32 (L, width)."""
        found: list[np.ndarray] = []
        waiting: list[np.ndarray] = []
        for ids in sequences:
            self._check(ids)
            longest = max([len(ids), *(len(other) for other in waiting)])
            if waiting and longest * (len(waiting) + 1) > self.batch_bp:
                found += self._batch(waiting)
                waiting = []
            waiting.append(ids)
        return found + (self._batch(waiting) if waiting else [])

    def tokens(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """First base of every chunk, int64 (M,), and its trunk output, float32 (M, D)."""
        self._check(ids)
        if not self.causal:
            with self.precision():
                window = run_batch(self.network, [ids])[0]
            return window.token_starts.astype(np.int64), window.tokens
        stream = Stream(self.network)
        positions, vectors = [], []
        for start in range(0, len(ids), self.block_bp):
            with self.precision():
                block = stream.feed_ids(ids[start : start + self.block_bp])
            positions.append(block.token_positions)
            vectors.append(block.tokens.astype(np.float32))
        where = chunk_starts(np.concatenate(positions), self.network.shape.marks_end)
        return where.astype(np.int64), np.concatenate(vectors)

    @torch.inference_mode()
    def _batch(self, sequences: list[np.ndarray]) -> list[np.ndarray]:
        """One forward pass over sequences of any lengths, padded at their ends."""
        longest = max(len(ids) for ids in sequences)
        ids = np.full((len(sequences), longest), PAD_ID, dtype=np.uint8)
        for row, one in enumerate(sequences):
            ids[row, : len(one)] = one
        lengths = np.array([len(one) for one in sequences])
        valid = np.arange(longest) < lengths[:, None]
        device = self.network.embedding.device
        with self.precision():
            output = self.network(
                torch.from_numpy(ids).to(device),
                None if valid.all() else torch.from_numpy(valid).to(device),
            )
        states = output.states.float().cpu().numpy()
        return [states[row, : len(one)] for row, one in enumerate(sequences)]

    def _check(self, ids: np.ndarray) -> None:
        if len(ids) == 0:
            raise GenezipError(f"{self.name} was given a sequence without bases; leave it out")
        if self.max_bp is not None and len(ids) > self.max_bp:
            raise GenezipError(
                f"{self.name} obeys the bound sequence, which looks at one window of at most "
                f"{self.max_bp:,} bp, and was given {len(ids):,}; use the bound causal or none"
            )


def load_backbone(
    folder: str | Path, device: str | torch.device, causal: bool, precision: Precision = "fp32"
) -> GeneZipBackbone:
    """Load a model folder (or hub id) as a frozen backbone.

    Parameters
    ----------
    folder : as of :func:`genezip.models.pretrained.load_network`
    device : ``cpu``, ``cuda`` or ``auto``
    causal : whether sequences are to be streamed. A model whose own bound is ``sequence``
        then obeys ``causal``, with integers that follow from its target BPT where it brings
        none; its own bound is kept otherwise.
    precision : ``bf16`` is autocast on a GPU; a CPU always computes in fp32

    Raises
    ------
    GenezipError
        If the folder is no model, or its causal bound has neither integers nor targets.
    """
    network, card = load_network(folder)
    own = network.bound
    if causal and own == "sequence":
        network.set_bound("causal", list(card.target_bpt.values()))
    facts = {
        "name": card.name,
        "seed": card.seed,
        "sha256": _weights(card),
        "own_bound": own,
    }
    network = network.to(choose_device(str(device)))
    return GeneZipBackbone(network, card.name, facts, precision == "bf16")


def _weights(card: ModelCard) -> str:
    return str(card.training["sha256"][WEIGHTS])
