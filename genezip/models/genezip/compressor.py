"""A trained network as a compressor: tokens, likelihoods, vectors, streams, generation.

:class:`GeneZip` is the class for all architectures of
:class:`~genezip.models.hnet.network.GeneZipNetwork`: GeneZip, H-Net, the U-Net, flat Mamba-2 and
networks with routers that learn nothing. The only input is raw DNA, never annotation.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self, overload

import numpy as np
import torch

from genezip.alphabet import OneSequence, encode
from genezip.artifacts.files import sha256_json, write_text
from genezip.artifacts.scores import UNTRAINED
from genezip.errors import GenezipError
from genezip.models import CARD
from genezip.models.base import (
    Level,
    Plots,
    Result,
    Sequences,
    Shareable,
    lacks,
    one_or_each,
)
from genezip.models.card import model_card
from genezip.models.compressed import Compressed, Embedding, Likelihood, LikelihoodKind, joined
from genezip.models.device import choose_device
from genezip.models.hnet.architecture import BoundKind, Direction
from genezip.models.hnet.flops import flops, guide_flops
from genezip.models.hnet.network import GeneZipNetwork, build
from genezip.models.hnet.streaming import Stream
from genezip.models.hnet.windows import base_states, route_batch, run_batch
from genezip.models.pretrained import WEIGHTS, ModelCard, load_card, load_network, save_pretrained

ONE_WINDOW_BP = 1_048_576  # longest sequence that is held in memory as one window
# bases of independent sequences in one batch; on a GPU 40 of 12,800, as in the release
BATCH_BP = {"cpu": 8192, "cuda": 524_288}

Precision = Literal["fp32", "bf16"]


class GeneZip(Shareable, Plots):
    """A trained network with the methods of :class:`~genezip.models.base.Compressor`, and more.

    Every method takes one sequence, and returns its result, or a list or tuple of sequences, and
    returns a list of their results in order. A result does not depend on the others in the list.

    Without a bound, or with the bound ``causal``, sequences of any length are streamed in constant
    memory. With the bound ``sequence`` a sequence is one window of at most 1,048,576 bp, and a
    base may depend on later ones. ``card`` is the content of the model folder's ``config.json``;
    ``half`` is bf16 autocast on a GPU, while a CPU computes in fp32.
    """

    window_multiple = 1
    direction: Direction = "forward"

    def __init__(self, network: GeneZipNetwork, card: ModelCard, half: bool = False) -> None:
        if network.shape.direction != self.direction:
            raise GenezipError(
                f"{card.name} has a network of direction {network.shape.direction}, but "
                f"{type(self).__name__} takes {self.direction}; open it with genezip.load, and "
                "train networks of both directions as compressor ldarnet, others as another"
            )
        self.network = network.eval()
        self.card = card
        device = network.embedding.device.type
        self._half = half and device == "cuda"
        self.block_bp: int | None = None  # of streams; None is the default of the device
        self.batch_bp = BATCH_BP.get(device, BATCH_BP["cpu"])
        self.own_bound = network.bound

    @classmethod
    def from_pretrained(
        cls,
        folder: str | Path,
        device: str = "cpu",
        bound: BoundKind | None = None,
        revision: str | None = None,
        *,
        streams: bool = False,
        precision: Precision = "fp32",
        untrained: bool = False,
    ) -> Self:
        """Load a model folder (``config.json`` and ``model.safetensors``) or a hub id.

        Parameters
        ----------
        device : ``cpu``, ``cuda`` or ``auto``
        bound : limit on the number of tokens: ``sequence`` as published, which depends on the
            whole sequence; ``causal``, which can be streamed; ``none``; None for that of the model.
            A model without integers of the causal bound takes those computed from its target BPT
        revision : branch, tag or commit of a hub id
        streams : replace the bound ``sequence`` of a model by ``causal``, so that it can stream
        precision : ``bf16`` is autocast on a GPU; a CPU always computes in fp32
        untrained : use the same architecture and seed before the first step, named ``untrained``
        """
        network, card = load_network(folder, revision=revision)
        if untrained:
            trained, network = network, build(network.shape, card.seed)
            network.take_guide(trained)  # a guide is trained from the start
            card = replace(card, name=UNTRAINED, training={**card.training, "sha256": {}})
        saved = network.bound
        if bound is None and streams and saved == "sequence" and cls.direction == "forward":
            bound = "causal"
        if bound is not None:
            network.set_bound(bound, list(card.target_bpt.values()))
        model = cls(network.to(choose_device(device)), card, precision == "bf16")
        model.own_bound = saved
        return model

    @property
    def name(self) -> str:
        """Name of the model, from its card."""
        return self.card.name

    @property
    def bound(self) -> BoundKind:
        """The current bound on tokens."""
        return self.network.bound

    @property
    def facts(self) -> dict[str, Any]:
        """JSON values that identify the model in stored results."""
        return {
            "name": self.card.name,
            "seed": self.card.seed,
            "sha256": self._sha256,
            "own_bound": self.own_bound,
            "bound": self.bound,
            "precision": "bf16" if self._half else "fp32",
        }

    @property
    def metadata(self) -> dict[str, Any]:
        """JSON values that are recorded in files of its tokens."""
        bounds: list[Any] = [router.bound for router in self.network.routers]
        return {
            "model": self.card.name,
            "seed": self.card.seed,
            "weights_sha256": self._sha256,
            "architecture_sha256": sha256_json(self.card.architecture.to_dict()),
            "bound": self.bound,
            "precision": self.facts["precision"],
            "bound_settings": [None if bound is None else asdict(bound) for bound in bounds],
            "target_bpt": self.card.target_bpt,
            "scale": self.card.training.get("scale"),
            "source": self.card.training.get("source"),
            "parameters": self.network.count_parameters(),
        }

    @property
    def _sha256(self) -> str | None:
        return self.card.training.get("sha256", {}).get(WEIGHTS)

    @property
    def causal(self) -> bool:
        """Whether the results of a base do not depend on later bases."""
        return self.bound != "sequence"

    @property
    def max_bp(self) -> int | None:
        """Longest sequence of one pass (bp); None if sequences are streamed."""
        return None if self.causal else ONE_WINDOW_BP

    @property
    def shortest_bp(self) -> int:
        """Bases of the shortest sequence with a token: a convolution, or a block of a U-Net."""
        shape = self.network.shape
        # a U-Net has its first token at the end of its first block
        blocks = [stride or 1 for stride in shape.stride] if shape.marks_end else []
        return max(shape.d_conv, int(np.prod(blocks, dtype=np.int64)))

    @property
    def width(self) -> int:
        """Length of the vector of a base (stage-0 decoder output)."""
        return self.network.shape.d_model[0]

    @property
    def token_width(self) -> int | None:
        """Length of the vector of a token (trunk output); None for a flat model."""
        return self.network.shape.d_model[-1] if self.network.shape.n_stages else None

    @property
    def vocabulary(self) -> None:
        """None: tokens are vectors and have no ids."""

    @property
    def likelihood(self) -> LikelihoodKind:
        """``exact``, or ``looked_ahead`` under the bound ``sequence``, which may look ahead."""
        return "exact" if self.causal else "looked_ahead"

    @property
    def gives_prob(self) -> bool:
        """Whether there are boundary probabilities, which a flat model does not have."""
        return self.network.shape.n_stages > 0

    @overload
    def encode(self, sequences: OneSequence) -> Compressed: ...

    @overload
    def encode(self, sequences: Sequences) -> list[Compressed]: ...

    def encode(self, sequences: OneSequence | Sequences) -> Compressed | list[Compressed]:
        """Cut sequences into tokens, ``batch_bp`` bases in one padded forward pass.

        A sequence of more than 1,048,576 bp is streamed, or refused under the bound ``sequence``.
        """
        return one_or_each(sequences, lambda windows: self._encode(windows, vectors=False))

    @overload
    def encode_with_vectors(self, sequences: OneSequence) -> Compressed: ...

    @overload
    def encode_with_vectors(self, sequences: Sequences) -> list[Compressed]: ...

    def encode_with_vectors(
        self, sequences: OneSequence | Sequences
    ) -> Compressed | list[Compressed]:
        """Tokens and vectors of the bases (``base_vectors``) in one forward pass.

        Each sequence has at most 1,048,576 bp.
        """
        return one_or_each(sequences, lambda windows: self._encode(windows, vectors=True))

    def _encode(self, windows: list[np.ndarray], vectors: bool) -> list[Compressed]:
        read = partial(run_batch, vectors=vectors)
        return self._in_batches(windows, read, streams=not vectors)

    @overload
    def encode_boundaries(self, sequences: OneSequence) -> Compressed: ...

    @overload
    def encode_boundaries(self, sequences: Sequences) -> list[Compressed]: ...

    def encode_boundaries(
        self, sequences: OneSequence | Sequences
    ) -> Compressed | list[Compressed]:
        """The results of :meth:`encode` without vectors and log-probabilities, in less time.

        Only encoders and routers are run.
        """
        return one_or_each(sequences, lambda windows: self._in_batches(windows, route_batch))

    def _in_batches(
        self,
        windows: list[np.ndarray],
        read: Callable[[GeneZipNetwork, list[np.ndarray]], list[Compressed]],
        streams: bool = True,
    ) -> list[Compressed]:
        """What ``read`` makes of batches; a sequence beyond one window is streamed if it may be."""
        for ids in windows:
            self._check_window(ids)
        found: list[Compressed] = []
        for batch in self._batches(windows):
            if len(batch[0]) > ONE_WINDOW_BP and streams:  # it is alone in its batch
                found.append(self._streamed(batch[0]))
                continue
            with self.precision():
                found += read(self.network, batch)
        return found

    @overload
    def compress(self, sequence: OneSequence, window_bp: int | None = None) -> Compressed: ...

    @overload
    def compress(self, sequence: Sequences, window_bp: int | None = None) -> list[Compressed]: ...

    def compress(
        self, sequence: OneSequence | Sequences, window_bp: int | None = None
    ) -> Compressed | list[Compressed]:
        """Compress a sequence of any length, or each of a list or tuple independently.

        With the bound ``causal`` or ``none`` the sequence is streamed in constant memory (apart
        from the result), which equals one pass over the whole. With ``sequence`` it is one window
        of at most 1,048,576 bp, or independent windows of ``window_bp`` if that is given, of which
        the last may be shorter.

        A sequence is str, bytes, bytearray, Biopython Seq or SeqRecord, or a uint8 array of ASCII
        codes: DNA of any case; U counts as T, IUPAC codes as N. Line breaks, spaces and gaps are
        refused, and so is a sequence shorter than one convolution.
        """
        return self._each(sequence, lambda ids: self._compress(ids, window_bp))

    def _compress(self, ids: np.ndarray, window_bp: int | None) -> Compressed:
        if window_bp is None and self.causal:
            found = self._streamed(ids)
        else:
            parts = [part for ids in self._windows(ids, window_bp) for part in self.encode([ids])]
            mode = "one window" if window_bp is None else f"windows of {window_bp} bp"
            found = joined(parts, mode)
        if not len(found.token_starts):
            raise GenezipError(
                f"a sequence of {len(ids)} bases is shorter than the blocks of this model; "
                "give a longer one"
            )
        return found

    @overload
    def log_likelihood(self, sequence: OneSequence, window_bp: int | None = None) -> Likelihood: ...

    @overload
    def log_likelihood(
        self, sequence: Sequences, window_bp: int | None = None
    ) -> list[Likelihood]: ...

    def log_likelihood(
        self, sequence: OneSequence | Sequences, window_bp: int | None = None
    ) -> Likelihood | list[Likelihood]:
        """Natural log of the probability of every base given those before it.

        It is exact under the bounds ``causal`` and ``none``; under ``sequence`` it looks ahead in
        windows in which the bound is active. Arguments are those of :meth:`compress`.
        """
        return self._each(sequence, lambda ids: self._likelihood(ids, window_bp))

    def _likelihood(self, ids: np.ndarray, window_bp: int | None) -> Likelihood:
        kind: LikelihoodKind = "exact"
        if window_bp is None and self.causal:
            log_prob = np.concatenate([block.log_prob for block in self._blocks(ids)])
            return Likelihood(
                log_prob=log_prob, kind=kind, looked_ahead=np.zeros(0, dtype=bool), mode="stream"
            )
        windows = [one for part in self._windows(ids, window_bp) for one in self.encode([part])]
        log_prob = np.concatenate([one.log_prob for one in windows if one.log_prob is not None])
        looked = np.array([one.likelihood == "looked_ahead" for one in windows])
        if looked.any():
            kind = "looked_ahead"
        mode = "one window" if window_bp is None else f"windows of {window_bp} bp"
        return Likelihood(log_prob=log_prob, kind=kind, looked_ahead=looked, mode=mode)

    @overload
    def embed(self, sequences: OneSequence, level: Level = "base") -> Embedding: ...

    @overload
    def embed(self, sequences: Sequences, level: Level = "base") -> list[Embedding]: ...

    def embed(
        self, sequences: OneSequence | Sequences, level: Level = "base"
    ) -> Embedding | list[Embedding]:
        """Vectors of the bases (stage-0 decoder output), or at level ``token`` of the trunk output.

        Tokens of a flat model have no vectors.
        """
        return one_or_each(sequences, lambda windows: self._embed(windows, level))

    def _embed(self, windows: list[np.ndarray], level: Level) -> list[Embedding]:
        for ids in windows:
            self._check_window(ids)
        if level not in ("base", "token"):
            raise GenezipError(f"there are no vectors of the level {level!r}; use base or token")
        if level == "token":
            if self.token_width is None:
                lacks(f"{self.name}, a flat model,", "vectors of tokens")
            return [one for batch in self._batches(windows) for one in self._token_vectors(batch)]
        states: list[np.ndarray] = []
        for batch in self._batches(windows):
            with self.precision():
                states += base_states(self.network, batch)
        return [Embedding(one, np.arange(len(one))) for one in states]

    def _batches(self, windows: Iterable[np.ndarray]) -> Iterator[list[np.ndarray]]:
        """Windows in order, in batches of at most ``batch_bp`` bases with padding."""
        waiting: list[np.ndarray] = []
        for ids in windows:
            longest = max(len(ids), *(len(other) for other in waiting), 0)
            if waiting and longest * (len(waiting) + 1) > self.batch_bp:
                yield waiting
                waiting = []
            waiting.append(ids)
        if waiting:
            yield waiting

    def _token_vectors(self, batch: list[np.ndarray]) -> list[Embedding]:
        # a sequence that fills a batch may be of any length, and a stream reads it block by block
        alone = self.causal and len(batch) == 1
        found = [self._streamed(batch[0])] if alone else self._encode(batch, vectors=False)
        return [
            Embedding(one.tokens.astype(np.float32), one.token_starts)
            for one in found
            if one.tokens is not None
        ]

    @overload
    def boundaries(self, sequences: OneSequence) -> np.ndarray: ...

    @overload
    def boundaries(self, sequences: Sequences) -> list[np.ndarray]: ...

    def boundaries(self, sequences: OneSequence | Sequences) -> np.ndarray | list[np.ndarray]:
        """First base of every chunk: int64 arrays, shape (M,)."""
        return one_or_each(
            sequences, lambda windows: [one.token_starts for one in self.encode_boundaries(windows)]
        )

    def flops(self, lengths: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """Floating-point operations of one pass (:func:`genezip.models.hnet.flops.flops`)."""
        return flops(self.network.shape, lengths, tokens)

    def guide_flops(self, lengths: np.ndarray) -> np.ndarray:
        """Operations of the guide of a control (:func:`genezip.models.hnet.flops.guide_flops`)."""
        return guide_flops(self.network.shape, lengths)

    def save(self, folder: str | Path) -> None:
        """Write the model folder with the bound that the model was loaded with, and a card.

        The card is that of the folder that the model was loaded from, as long as the weights are
        the same.
        """
        folder = Path(folder)
        save_pretrained(folder, self.network, self.card)
        written = load_card(folder)
        same = written.training["sha256"][WEIGHTS] == self._sha256
        parameters = self.network.count_parameters()
        text = self.card.text if same else ""
        write_text(folder / CARD, text or model_card(written, parameters))

    def precision(self) -> AbstractContextManager[Any]:
        """Autocast if the model was loaded with ``bf16`` on a GPU."""
        return torch.autocast("cuda", torch.bfloat16) if self._half else nullcontext()

    @property
    def streams(self) -> bool:
        """Whether sequences can be streamed: not under the bound ``sequence``."""
        return self.causal

    def stream(self) -> Stream:
        """An empty stream, which is fed block by block and copied where two continuations differ.

        Examples
        --------
        The score of a variant costs only the bases after it::

            shared = model.stream()
            shared.feed(before)
            reference, alternative = shared.copy(), shared.copy()
            reference.feed("A" + after).log_prob.sum()
            alternative.feed("G" + after).log_prob.sum()
        """
        return Stream(self.network, self.block_bp, self._half)

    @overload
    def generate(
        self, prompt: OneSequence, length: int, temperature: float = 1.0, seed: int = 0
    ) -> str: ...

    @overload
    def generate(
        self, prompt: Sequences, length: int, temperature: float = 1.0, seed: int = 0
    ) -> list[str]: ...

    def generate(
        self, prompt: OneSequence | Sequences, length: int, temperature: float = 1.0, seed: int = 0
    ) -> str | list[str]:
        """Continue a prompt of at least one base by ``length`` bases (:meth:`Stream.generate`)."""

        def continued(ids: np.ndarray) -> str:
            stream = self.stream()
            stream.feed(ids)
            return stream.generate(length, temperature, seed)

        return self._each(prompt, continued, "prompt", shortest=0)

    def _each(
        self,
        sequences: OneSequence | Sequences,
        one: Callable[[np.ndarray], Result],
        name: str = "sequence",
        shortest: int | None = None,
    ) -> Result | list[Result]:
        """Result of a sequence, or of each in a list; all are checked before the first is used."""
        if not isinstance(sequences, list | tuple):
            return one(self._ids(sequences, name, shortest))
        named = [(item, f"{name} {number} of the list") for number, item in enumerate(sequences)]
        return [one(ids) for ids in [self._ids(item, called, shortest) for item, called in named]]

    def _ids(self, sequence: OneSequence, name: str, shortest: int | None) -> np.ndarray:
        ids = encode(sequence, name)
        limit = self.network.shape.d_conv if shortest is None else shortest
        called = "the sequence" if name == "sequence" else name
        if len(ids) < limit:
            raise GenezipError(
                f"{called} has {len(ids)} bases, fewer than one convolution of the model "
                f"({limit}); give a longer one"
            )
        return ids

    def _check_window(self, ids: np.ndarray) -> None:
        if self.max_bp is not None and len(ids) > self.max_bp:
            raise GenezipError(
                f"{self.name} has the bound sequence, which takes one window of at most "
                f"{self.max_bp:,} bp, but {len(ids):,} are given; use the bound causal or none"
            )

    def _streamed(self, ids: np.ndarray) -> Compressed:
        return self.stream().feed(ids)

    def _blocks(self, ids: np.ndarray) -> Iterator[Compressed]:
        stream = self.stream()
        for start in range(0, len(ids), stream.block_bp):
            yield stream.feed(ids[start : start + stream.block_bp])

    def _windows(self, ids: np.ndarray, window_bp: int | None) -> Iterator[np.ndarray]:
        if window_bp is not None and (not isinstance(window_bp, int) or window_bp < 1):
            raise GenezipError(f"window_bp is {window_bp}; give a whole number of at least 1")
        if window_bp is None and len(ids) > ONE_WINDOW_BP:
            raise GenezipError(
                f"the sequence has {len(ids):,} bases, but the bound sequence takes one window of "
                f"at most {ONE_WINDOW_BP:,}; load the model with bound='causal' to stream it, or "
                "give window_bp for independent windows"
            )
        step = window_bp or len(ids)
        for start in range(0, len(ids), step):
            yield ids[start : start + step]
