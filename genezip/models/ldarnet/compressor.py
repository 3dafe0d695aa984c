"""LDARNet as a compressor: tokens from both directions, and probabilities of masked bases."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, overload

import numpy as np

from genezip.alphabet import A_ID, MASK_ID, OneSequence, is_base, reverse_complement
from genezip.errors import GenezipError
from genezip.models.base import Level, Sequences, ids_of
from genezip.models.compressed import Compressed, Embedding, Likelihood, LikelihoodKind
from genezip.models.genezip.compressor import ONE_WINDOW_BP, GeneZip, Precision
from genezip.models.hnet.architecture import BoundKind
from genezip.models.hnet.windows import masked_base


class LDARNet(GeneZip):
    """A trained LDARNet, with the methods of :class:`~genezip.models.genezip.compressor.GeneZip`.

    It reads a sequence as a whole, in one window of at most 1,048,576 bp or in windows of
    ``window_bp``, and neither streams nor generates. Its likelihood is a pseudo-likelihood, which
    masks every base in turn: one pass per base, comparable with that of other masked models only.

    ``both_strands`` averages what is predicted of a base, and the vectors of bases, over the two
    strands. Tokens are those of the strand that is given, because boundaries are not symmetric.
    ``genezip.load`` opens a folder with this class if ``config.json`` has ``compressor: ldarnet``.
    """

    direction = "both"
    both_strands: bool = False

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
        both_strands: bool = False,
    ) -> Self:
        """Load a model folder or a hub id.

        Parameters are those of GeneZip, of which ``streams`` changes nothing, and ``both_strands``.
        """
        model = super().from_pretrained(
            folder, device, bound, revision, precision=precision, untrained=untrained
        )
        model.both_strands = both_strands
        return model

    @property
    def facts(self) -> dict[str, Any]:
        """Those of GeneZip, and whether both strands are averaged, if they are."""
        return {**super().facts, **({"both_strands": True} if self.both_strands else {})}

    @property
    def causal(self) -> bool:
        """False: every result may depend on all bases of the sequence."""
        return False

    @property
    def likelihood(self) -> LikelihoodKind:
        """``pseudo``: each base is masked in turn and read from both sides."""
        return "pseudo"

    def _encode(self, windows: list[np.ndarray], vectors: bool) -> list[Compressed]:
        """Tokens and vectors of the bases, these averaged over strands if the model does so."""
        found = super()._encode(windows, vectors)
        if not (vectors and self.both_strands):
            return found
        pairs = zip(found, self._embed(windows, "base"), strict=True)
        return [replace(one, base_vectors=embedded.vectors) for one, embedded in pairs]

    def masked_log_prob(
        self,
        sequences: Sequences,
        positions: Sequence[Sequence[int] | np.ndarray],
        together: bool = False,
    ) -> list[np.ndarray]:
        """Log-probabilities of A, C, G, T at masked positions, one position masked at a time.

        With ``together`` all positions of a sequence are masked at once.

        The results are float32 arrays, shape (len(positions), 4), one per sequence, in natural
        logarithms. They sum to a little less than 1 over the four bases, since the vocabulary has
        N, MASK and padding, too. N is never masked and not predicted: its row is NaN.

        Parameters
        ----------
        sequences : list of sequences, each of at most 1,048,576 bp
        positions : 0-based positions for every sequence
        """
        windows = ids_of(sequences)
        if len(positions) != len(windows):
            raise GenezipError(
                f"there are positions for {len(positions)} sequences, but {len(windows)} "
                "sequences; give one list of positions for each"
            )
        wanted = []
        for number, (ids, where) in enumerate(zip(windows, positions, strict=True)):
            self._check_window(ids)
            at = np.asarray(where, dtype=np.int64).reshape(-1)
            outside = at[(at < 0) | (at >= len(ids))]
            if len(outside):
                raise GenezipError(
                    f"position {outside[0]} is outside sequence {number}, which has {len(ids)} "
                    "bases; positions are 0-based"
                )
            wanted.append(at)
        found = self._masked(windows, wanted, together)
        if self.both_strands:
            turned = [reverse_complement(ids) for ids in windows]
            mirrored = [len(ids) - 1 - at for ids, at in zip(windows, wanted, strict=True)]
            others = self._masked(turned, mirrored, together)
            # complements of A, C, G, T are the columns from last to first
            pairs = zip(found, others, strict=True)
            found = [_mean_of_logs(one, other[:, ::-1]) for one, other in pairs]
        return found

    def _masked(
        self, windows: Sequence[np.ndarray], positions: Sequence[np.ndarray], together: bool
    ) -> list[np.ndarray]:
        """:meth:`masked_log_prob` of one strand."""
        jobs = [
            (number, row, int(at))
            for number, (ids, where) in enumerate(zip(windows, positions, strict=True))
            for row, at in enumerate(where)
            if is_base(ids[at])
        ]

        def copies() -> Iterator[np.ndarray]:
            for number, _, at in jobs:
                copy = windows[number].copy()
                hidden = positions[number] if together else np.array([at])
                copy[hidden[is_base(copy[hidden])]] = MASK_ID
                yield copy

        found = [np.full((len(where), 4), np.nan, dtype=np.float32) for where in positions]
        done = 0
        for batch in self._batches(copies()):
            here = jobs[done : done + len(batch)]
            with self.precision():
                values = masked_base(self.network, batch, [at for _, _, at in here])
            for (number, row, _), value in zip(here, values, strict=True):
                found[number][row] = value
            done += len(batch)
        return found

    @overload
    def log_likelihood(
        self, sequence: OneSequence, window_bp: int | None = None, *, pseudo: bool = False
    ) -> Likelihood: ...

    @overload
    def log_likelihood(
        self, sequence: Sequences, window_bp: int | None = None, *, pseudo: bool = False
    ) -> list[Likelihood]: ...

    def log_likelihood(
        self,
        sequence: OneSequence | Sequences,
        window_bp: int | None = None,
        *,
        pseudo: bool = False,
    ) -> Likelihood | list[Likelihood]:
        """Natural log of the probability of every base given all others (pseudo-likelihood).

        Every base is masked in turn, so the sum is no log-likelihood of the sequence, and one pass
        is needed per base. It is therefore refused without ``pseudo``. N has NaN.
        """
        if not pseudo:
            raise GenezipError(
                f"{self.name} predicts masked bases from both sides, so it has no likelihood of a "
                "sequence; give pseudo=True for the pseudo-likelihood, which is not comparable"
            )
        return self._each(sequence, lambda ids: self._pseudo(ids, window_bp))

    def _pseudo(self, ids: np.ndarray, window_bp: int | None) -> Likelihood:
        parts = []
        for window in self._windows(ids, window_bp):
            at = np.flatnonzero(is_base(window))
            (table,) = self.masked_log_prob([window], [at])
            log_prob = np.full(len(window), np.nan, dtype=np.float32)
            log_prob[at] = table[np.arange(len(at)), window[at] - A_ID]
            parts.append(log_prob)
        mode = "one window" if window_bp is None else f"windows of {window_bp} bp"
        looked = np.zeros(len(parts), dtype=bool)
        return Likelihood(
            log_prob=np.concatenate(parts), kind="pseudo", looked_ahead=looked, mode=mode
        )

    def _embed(self, windows: list[np.ndarray], level: Level) -> list[Embedding]:
        """Vectors as of GeneZip; those of bases are means of both strands if that is chosen."""
        found = super()._embed(windows, level)
        if not self.both_strands or level != "base":
            return found
        turned = super()._embed([reverse_complement(ids) for ids in windows], level)
        return [
            Embedding((one.vectors + other.vectors[::-1]) / 2, one.starts)
            for one, other in zip(found, turned, strict=True)
        ]

    def _check_window(self, ids: np.ndarray) -> None:
        if len(ids) > ONE_WINDOW_BP:
            raise GenezipError(
                f"{self.name} reads at most {ONE_WINDOW_BP:,} bp at a time, but {len(ids):,} are "
                "given; give window_bp for independent windows, or cut the sequence"
            )

    def _windows(self, ids: np.ndarray, window_bp: int | None) -> Iterator[np.ndarray]:
        if window_bp is None:
            self._check_window(ids)
        yield from super()._windows(ids, window_bp)


def _mean_of_logs(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Geometric mean of two rows of probabilities over the four bases, scaled to their mean sum.

    So the log-ratio of two bases is the mean of those of the strands.
    """
    mean = (one + other) / 2
    sums = np.log((np.exp(one).sum(1) + np.exp(other).sum(1)) / 2)
    return np.asarray(mean + (sums - np.log(np.exp(mean).sum(1)))[:, None], dtype=np.float32)
