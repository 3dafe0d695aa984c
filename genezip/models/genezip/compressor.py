"""A trained network as a compressor: tokens, likelihoods, vectors, streams, generation.

:class:`GeneZip` is the one for all architectures of
:class:`~genezip.models.hnet.network.GeneZipNetwork`: GeneZip itself, H-Net, the U-Net, flat
Mamba-2 and networks with routers that learn nothing. Raw DNA is enough: nothing here can be given
annotation.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal, Self, TypeVar, overload

import numpy as np
import torch

from genezip.alphabet import OneSequence, encode
from genezip.artifacts.files import sha256_json
from genezip.artifacts.scores import UNTRAINED
from genezip.errors import GenezipError
from genezip.models.base import Level, Sequences, choose_device, ids_of, lacks
from genezip.models.compressed import Compressed, Embedding, Likelihood, LikelihoodKind, joined
from genezip.models.hnet.architecture import BoundKind
from genezip.models.hnet.flops import flops
from genezip.models.hnet.network import GeneZipNetwork, build
from genezip.models.hnet.streaming import Stream
from genezip.models.hnet.windows import base_states, run_batch
from genezip.models.pretrained import WEIGHTS, ModelCard, load_network, save_pretrained

ONE_WINDOW_BP = 1_048_576  # longest sequence that is held in memory as one window
# bases of independent sequences in one batch; on a GPU 40 of 12,800, as the authors' release
BATCH_BP = {"cpu": 65_536, "cuda": 524_288}

Precision = Literal["fp32", "bf16"]
Result = TypeVar("Result")


class GeneZip:
    """A trained network; the methods of :class:`~genezip.models.base.Compressor`, and more.

    Without a bound and with the bound ``causal`` sequences of any length are streamed in
    constant memory. With the bound ``sequence`` a sequence is one window of at most 1,048,576
    bp, and a base may depend on later ones.

    Parameters
    ----------
    card : what the model folder says of it
    half : bf16 autocast on a GPU; a CPU computes in fp32
    """

    window_multiple = 1

    def __init__(self, network: GeneZipNetwork, card: ModelCard, half: bool = False) -> None:
        self.network = network.eval()
        self.card = card
        device = network.embedding.device.type
        self._half = half and device == "cuda"
        self.block_bp: int | None = None  # of streams; None is what the device likes
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
        bound : how the number of tokens is kept within limits: ``sequence`` as published,
            which looks at the whole sequence; ``causal``, which a stream can obey; ``none``.
            The model's own when absent. Integers of the causal bound that the model does
            not bring follow from its target BPT.
        revision : branch, tag or commit of a hub id
        streams : whether sequences are to be streamed: a model whose own bound is ``sequence``
            then obeys ``causal``
        precision : ``bf16`` is autocast on a GPU; a CPU always computes in fp32
        untrained : the same architecture and seed before the first step, named ``untrained``

        Raises
        ------
        GenezipError
            If the folder is no model, or its causal bound has neither integers nor targets.
        """
        network, card = load_network(folder, revision=revision)
        if untrained:
            network = build(network.shape, card.seed)
            card = replace(card, name=UNTRAINED, training={**card.training, "sha256": {}})
        own = network.bound
        if bound is None and streams and own == "sequence":
            bound = "causal"
        if bound is not None:
            network.set_bound(bound, list(card.target_bpt.values()))
        model = cls(network.to(choose_device(device)), card, precision == "bf16")
        model.own_bound = own
        return model

    @property
    def name(self) -> str:
        """Name of the model, from its card."""
        return self.card.name

    @property
    def bound(self) -> BoundKind:
        """The bound in force."""
        return self.network.bound

    @property
    def facts(self) -> dict[str, Any]:
        """What identifies the model in stored results, JSON values."""
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
        """What a file of its tokens records, JSON values."""
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
        """Whether the vector of a base depends on nothing after it."""
        return self.bound != "sequence"

    @property
    def max_bp(self) -> int | None:
        """Longest sequence in one pass; None where sequences are streamed."""
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
        """Exact, but under the bound ``sequence``, which may have looked ahead in a window."""
        return "exact" if self.causal else "looked_ahead"

    @property
    def gives_prob(self) -> bool:
        """Whether there is a router, and so a boundary probability: not in a flat model."""
        return self.network.shape.n_stages > 0

    def encode(self, sequences: Sequences) -> list[Compressed]:
        """Cut sequences into tokens, as many in one padded forward pass as memory is meant for.

        Under a bound that never looks ahead a sequence of more than 1,048,576 bp is streamed.

        Parameters
        ----------
        sequences : list or tuple, see :func:`genezip.models.base.ids_of`

        Raises
        ------
        GenezipError
            For what is no DNA, no base at all, or under the bound ``sequence`` too many.
        """
        windows = ids_of(sequences)
        for ids in windows:
            self._check_window(ids)
        found: list[Compressed] = []
        for batch in self._batches(windows):
            if len(batch[0]) > ONE_WINDOW_BP:  # it has no room for a second one
                found.append(self._streamed(batch[0]))
                continue
            with self.precision():
                found += run_batch(self.network, batch)
        return found

    @overload
    def compress(self, sequence: OneSequence, window_bp: int | None = None) -> Compressed: ...

    @overload
    def compress(self, sequence: Sequences, window_bp: int | None = None) -> list[Compressed]: ...

    def compress(
        self, sequence: OneSequence | Sequences, window_bp: int | None = None
    ) -> Compressed | list[Compressed]:
        """Compress a sequence of any length.

        With the bound ``causal`` or ``none`` the sequence is streamed in constant memory
        (beside the result) and equals one pass over the whole. With ``sequence`` it is one
        window of at most 1,048,576 bp, or goes window by window when ``window_bp`` is given.

        Parameters
        ----------
        sequence : str, bytes, bytearray, Biopython Seq or SeqRecord, or uint8 array of ASCII codes
            DNA of any case; U counts as T, IUPAC codes as N. Line breaks, spaces and gaps are
            refused. A list or tuple of these gives a list of results, each as if it were alone.
        window_bp : int, optional
            Compress independent windows of this length instead; the last may be shorter.

        Raises
        ------
        GenezipError
            If the sequence is of another type, shorter than one convolution, too long for one
            window, or has a letter that is no base.
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

        It is exact under the bounds ``causal`` and ``none``; under ``sequence`` windows in which
        the bound was active have looked ahead. Arguments and errors as of :meth:`compress`.
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

    def embed(self, sequences: Sequences, level: Level = "base") -> list[Embedding]:
        """Vectors of the bases (stage-0 decoder output), or of the tokens (trunk output).

        Parameters
        ----------
        sequences : list or tuple, each as if it were alone
        level : ``base`` or ``token``

        Raises
        ------
        GenezipError
            For what is no DNA, no base at all, under the bound ``sequence`` too many, or the
            tokens of a flat model.
        """
        windows = ids_of(sequences)
        for ids in windows:
            self._check_window(ids)
        if level not in ("base", "token"):
            raise GenezipError(f"there are no vectors of the level {level!r}; use base or token")
        if level == "token":
            if self.token_width is None:
                lacks(f"{self.name}, a flat model,", "vectors of tokens")
            return [self._token_vectors(ids) for ids in windows]
        states: list[np.ndarray] = []
        for batch in self._batches(windows):
            with self.precision():
                states += base_states(self.network, batch)
        return [Embedding(one, np.arange(len(one))) for one in states]

    def _batches(self, windows: list[np.ndarray]) -> Iterator[list[np.ndarray]]:
        """Windows in order, as many at a time as ``batch_bp`` holds when padded."""
        waiting: list[np.ndarray] = []
        for ids in windows:
            longest = max(len(ids), *(len(other) for other in waiting), 0)
            if waiting and longest * (len(waiting) + 1) > self.batch_bp:
                yield waiting
                waiting = []
            waiting.append(ids)
        if waiting:
            yield waiting

    def _token_vectors(self, ids: np.ndarray) -> Embedding:
        (found,) = [self._streamed(ids)] if self.causal else self.encode([ids])
        assert found.tokens is not None
        return Embedding(found.tokens.astype(np.float32), found.token_starts)

    def boundaries(self, sequences: Sequences) -> list[np.ndarray]:
        """First base of every chunk: int64 arrays, shape (M,)."""
        return [one.token_starts for one in self.encode(sequences)]

    def flops(self, lengths: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """Floating-point operations of one pass (:func:`genezip.models.hnet.flops.flops`)."""
        return flops(self.network.shape, lengths, tokens)

    def save(self, folder: str | Path) -> None:
        """Write the model folder; the bound in force is not saved, but the model's own."""
        save_pretrained(folder, self.network, self.card)

    def precision(self) -> AbstractContextManager[Any]:
        """Autocast where it is asked for."""
        return torch.autocast("cuda", torch.bfloat16) if self._half else nullcontext()

    @property
    def streams(self) -> bool:
        """Whether a sequence can be read block by block: not under the bound ``sequence``."""
        return self.causal

    def stream(self) -> Stream:
        """An empty stream: feed it block by block, copy it where two continuations part.

        Examples
        --------
        The score of a variant costs only what follows it::

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
        self,
        prompt: Sequences,
        length: int,
        temperature: float = 1.0,
        seed: int = 0,
    ) -> list[str]: ...

    def generate(
        self, prompt: OneSequence | Sequences, length: int, temperature: float = 1.0, seed: int = 0
    ) -> str | list[str]:
        """Continue a prompt by ``length`` bases (see :meth:`Stream.generate`).

        The prompt is as for :meth:`compress`, of at least one base.
        """

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
        """The result of a sequence, or of each in a list; all are checked before the first."""
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
                f"{self.name} obeys the bound sequence, which looks at one window of at most "
                f"{self.max_bp:,} bp, and was given {len(ids):,}; use the bound causal or none"
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
                f"the sequence has {len(ids):,} bases, but the bound sequence looks at all of "
                f"one window, which may have {ONE_WINDOW_BP:,}; load the model with "
                "bound='causal' to stream it, or give window_bp to go window by window"
            )
        step = window_bp or len(ids)
        for start in range(0, len(ids), step):
            yield ids[start : start + step]
