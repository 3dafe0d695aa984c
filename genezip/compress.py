"""Compress DNA in Python: tokens, likelihoods, streams, generation.

Raw DNA is enough: nothing here can be given annotation. FASTA files of any size go through
:mod:`genezip.inference.fasta` (``genezip compress``).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar, overload

import numpy as np

from genezip.alphabet import OneSequence, encode
from genezip.errors import GenezipError
from genezip.models.device import choose_device
from genezip.models.hnet.architecture import BoundKind
from genezip.models.hnet.network import GeneZipNetwork
from genezip.models.hnet.streaming import Block, Stream, chunk_starts
from genezip.models.hnet.windows import WindowResult, run
from genezip.models.pretrained import ModelCard, load_network

# Under the bound `sequence` a sequence is one window, held in memory as a whole, up to here.
ONE_WINDOW_BP = 1_048_576
BLOCK_BP = 8192

Sequences = OneSequence | list[Any] | tuple[Any, ...]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Compressed:
    """A compressed sequence of L bases.

    Attributes
    ----------
    tokens : float32 array, shape (M, D)
        Trunk output of every token, after its closing norm.
    chunk_bp : int64 array, shape (M,)
        Bases behind each token, over all stages, summing to L.
    boundary_prob : float32 array, shape (L,)
        Stage-0 boundary probability of every base; empty for a flat model.
    boundary_prob_1 : float32 array
        Boundary probability of every stage-0 token at stage 1; empty with fewer stages.
    token_starts : int64 array, shape (M,)
        First base of every chunk.
    kept_by : uint8 array, shape (M,)
        Why each token is one: index into :data:`genezip.models.routing.learned.KEPT_BY`
        (router, floor, forced).
    bound_bit : bool array, shape (S,)
        Whether floor or ceiling changed the routing of each stage anywhere.
    mode : str
        How the sequence went through: ``one window``, ``windows of N bp`` or ``stream``.
    """

    tokens: np.ndarray
    chunk_bp: np.ndarray
    boundary_prob: np.ndarray
    boundary_prob_1: np.ndarray
    token_starts: np.ndarray
    kept_by: np.ndarray
    bound_bit: np.ndarray
    mode: str

    @property
    def bpt(self) -> float:
        """Base pairs per token."""
        return float(self.chunk_bp.sum() / len(self.chunk_bp))


@dataclass(frozen=True)
class Likelihood:
    """How well a model guesses a sequence of L bases.

    Attributes
    ----------
    log_prob : float32 array, shape (L,)
        Natural log of the probability of each base given those before it; NaN where it is
        not predicted: the first base of the sequence (of each window), and N.
    looked_ahead : bool array, one per window
        Where the bound ``sequence`` bit, so that guesses may know of later bases and the
        sum is no likelihood; empty for a stream.
    mode : str
        ``one window``, ``windows of N bp`` or ``stream``, as of :class:`Compressed`.
    """

    log_prob: np.ndarray
    looked_ahead: np.ndarray
    mode: str

    @property
    def total(self) -> float:
        """Log-likelihood of the predicted bases (nats)."""
        return float(np.nansum(self.log_prob, dtype=np.float64))


class GeneZip:
    """A trained compressor."""

    def __init__(self, network: GeneZipNetwork, card: ModelCard) -> None:
        self.network = network.eval()
        self.card = card

    @classmethod
    def from_pretrained(
        cls,
        folder: str | Path,
        device: str = "cpu",
        bound: BoundKind | None = None,
        revision: str | None = None,
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
        """
        network, card = load_network(folder, revision=revision)
        if bound is not None:
            network.set_bound(bound, list(card.target_bpt.values()))
        return cls(network.to(choose_device(device)), card)

    @property
    def bound(self) -> BoundKind:
        """The bound in force."""
        return self.network.bound

    @overload
    def compress(self, sequence: OneSequence, window_bp: int | None = None) -> Compressed: ...

    @overload
    def compress(
        self, sequence: list[Any] | tuple[Any, ...], window_bp: int | None = None
    ) -> list[Compressed]: ...

    def compress(
        self, sequence: Sequences, window_bp: int | None = None
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
        if window_bp is None and self.bound != "sequence":
            return self._streamed(list(self._blocks(ids)), len(ids))
        results = list(run(self.network, self._windows(ids, window_bp), 1))
        step = window_bp or len(ids)
        starts = [number * step + r.token_starts for number, r in enumerate(results)]
        return _joined(results, np.concatenate(starts), len(ids), _mode(window_bp))

    @overload
    def log_likelihood(self, sequence: OneSequence, window_bp: int | None = None) -> Likelihood: ...

    @overload
    def log_likelihood(
        self, sequence: list[Any] | tuple[Any, ...], window_bp: int | None = None
    ) -> list[Likelihood]: ...

    def log_likelihood(
        self, sequence: Sequences, window_bp: int | None = None
    ) -> Likelihood | list[Likelihood]:
        """Natural log of the probability of every base given those before it.

        Arguments and errors as of :meth:`compress`.
        """
        return self._each(sequence, lambda ids: self._likelihood(ids, window_bp))

    def _likelihood(self, ids: np.ndarray, window_bp: int | None) -> Likelihood:
        if window_bp is None and self.bound != "sequence":
            log_prob = np.concatenate([block.log_prob for block in self._blocks(ids)])
            return Likelihood(log_prob, np.zeros(0, dtype=bool), "stream")
        windows = list(run(self.network, self._windows(ids, window_bp), 1))
        log_prob = np.concatenate([-result.nll for result in windows])
        looked = np.array([self.bound == "sequence" and r.bound_bit.any() for r in windows])
        return Likelihood(log_prob, looked, _mode(window_bp))

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
        return Stream(self.network)

    @overload
    def generate(
        self, prompt: OneSequence, length: int, temperature: float = 1.0, seed: int = 0
    ) -> str: ...

    @overload
    def generate(
        self,
        prompt: list[Any] | tuple[Any, ...],
        length: int,
        temperature: float = 1.0,
        seed: int = 0,
    ) -> list[str]: ...

    def generate(
        self, prompt: Sequences, length: int, temperature: float = 1.0, seed: int = 0
    ) -> str | list[str]:
        """Continue a prompt by ``length`` bases (see :meth:`Stream.generate`).

        The prompt is as for :meth:`compress`, of at least one base.
        """

        def continued(ids: np.ndarray) -> str:
            stream = self.stream()
            for start in range(0, len(ids), BLOCK_BP):
                stream.feed_ids(ids[start : start + BLOCK_BP])
            return stream.generate(length, temperature, seed)

        return self._each(prompt, continued, "prompt", shortest=0)

    def _each(
        self,
        given: Sequences,
        one: Callable[[np.ndarray], Result],
        name: str = "sequence",
        shortest: int | None = None,
    ) -> Result | list[Result]:
        """The result of a sequence, or of each in a list; all are checked before the first."""
        if not isinstance(given, list | tuple):
            return one(self._ids(given, name, shortest))
        named = [(item, f"{name} {number} of the list") for number, item in enumerate(given)]
        return [one(ids) for ids in [self._ids(item, called, shortest) for item, called in named]]

    def _ids(self, sequence: OneSequence, name: str, shortest: int | None) -> np.ndarray:
        ids = encode(sequence, name)
        if shortest is None:
            shortest = self.network.shape.d_conv
        if len(ids) < shortest:
            called = "the sequence" if name == "sequence" else name
            raise GenezipError(
                f"{called} has {len(ids)} bases, fewer than one convolution of the model "
                f"({shortest}); give a longer one"
            )
        return ids

    def _blocks(self, ids: np.ndarray) -> Iterator[Block]:
        stream = self.stream()
        for start in range(0, len(ids), BLOCK_BP):
            yield stream.feed_ids(ids[start : start + BLOCK_BP])

    def _streamed(self, blocks: list[Block], length: int) -> Compressed:
        starts = chunk_starts(
            np.concatenate([block.token_positions for block in blocks]),
            self.network.shape.marks_end,
        )
        return _joined(blocks, starts, length, "stream")

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


def _mode(window_bp: int | None) -> str:
    return "one window" if window_bp is None else f"windows of {window_bp} bp"


def _joined(
    parts: Sequence[WindowResult | Block], starts: np.ndarray, length: int, mode: str
) -> Compressed:
    """One result of consecutive windows or blocks."""
    if not len(starts):
        raise GenezipError(
            f"a sequence of {length} bases is shorter than the blocks of this model; "
            "give a longer one"
        )
    starts = starts.astype(np.int64)
    stages = len(parts[0].boundary_prob)
    prob = [
        np.concatenate([part.boundary_prob[s] for part in parts])
        if s < stages
        else np.zeros(0, dtype=np.float32)
        for s in range(2)
    ]
    kept_by = np.concatenate([part.kept_by for part in parts])
    return Compressed(
        tokens=np.concatenate([part.tokens for part in parts]),
        chunk_bp=np.diff(np.append(starts, length)),
        boundary_prob=prob[0],
        boundary_prob_1=prob[1],
        token_starts=starts,
        kept_by=kept_by,
        bound_bit=np.any([part.bound_bit for part in parts], axis=0),
        mode=mode,
    )
