"""Two-sided Markov models: the probability of a base given some bases on each side of it.

They are what a network that predicts masked bases must beat, and get the same masks. A neighbour
is A, C, G, T or unknown: MASK, N and the places beyond the end of a sequence are one fifth symbol,
which is counted as it occurs. So the training DNA is masked like the DNA that is predicted, and
what is told about a masked neighbour's neighbour is used. Every training base is counted with its
neighbours as the masks show them, on both strands; whether it is itself masked says nothing about
its neighbours.

A network learns from the masked bases of its windows alone. A second model is given no more: it
counts the chosen bases of one pass over the training windows of the corpus, with their masks.

Widths are interpolated recursively, as orders are in :mod:`genezip.evaluation.markov`: with k bases
c_k on each side,

    p_k(x | c_k) = (n(x, c_k) + strength_k p_{k-1}(x | c_{k-1})) / (n(c_k) + strength_k),

where p_{-1} is uniform. Strengths, and the best width, are chosen at the masked bases of validation
windows.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from genezip.alphabet import A_ID, N_ID, is_base
from genezip.corpus.corpus import CorpusReader
from genezip.errors import GenezipError
from genezip.evaluation.baselines import stretches
from genezip.evaluation.markov import NO_TRAINING_DNA, STRENGTHS
from genezip.evaluation.windows import spaced_windows
from genezip.genome.assembly import Assembly
from genezip.models.masking import COUNTED, VALIDATION, MaskedRows, mask_rows

logger = logging.getLogger(__name__)

MOST_WIDTH = 12  # a context of both sides and its base fit 64 bits
_UNKNOWN = 4  # symbol of a neighbour that is not known
_SYMBOLS = _UNKNOWN + 1
_COMPLEMENT = np.array([3, 2, 1, 0, _UNKNOWN])
_VALIDATION_BP = 1_000_000  # at most so many bases of evenly spaced validation windows

Masking = tuple[np.ndarray, np.ndarray]
"""What is shown and what is true, uint8 token ids of equal shape (L,)."""


def symbols(ids: np.ndarray) -> np.ndarray:
    """A, C, G, T as 0 to 3, anything else as 4: int64 (L,)."""
    return np.where(is_base(ids), ids.astype(np.int64) - A_ID, _UNKNOWN)


def contexts(ids: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Number of the context of every position, and that on the reverse strand: int64 (L,) each.

    The context has ``width`` bases on each side. Its digits in base 5 are pairs of a left and a
    right neighbour, the nearest in the lowest place, so the context of width k is the number modulo
    25^k.
    """
    found = symbols(ids)
    edge = np.full(width, _UNKNOWN)
    around = np.concatenate([edge, found, edge])
    length = len(ids)
    forward, reverse = np.zeros((2, length), dtype=np.int64)
    for distance in range(1, width + 1):
        left = around[width - distance : width - distance + length]
        right = around[width + distance : width + distance + length]
        place = (_SYMBOLS**2) ** (distance - 1)
        forward += (left * _SYMBOLS + right) * place
        reverse += (_COMPLEMENT[right] * _SYMBOLS + _COMPLEMENT[left]) * place
    return forward, reverse


@dataclass(frozen=True)
class Counts:
    """Bases seen in each context of one width.

    ``contexts`` are the numbers of those that occur, int64 (n,), ascending; ``bases``, int64
    (n, 4), how often A, C, G and T was between them.
    """

    contexts: np.ndarray
    bases: np.ndarray

    def of(self, wanted: np.ndarray) -> np.ndarray:
        """Counts in some contexts, float64 (m, 4): 0 in one that never occurred."""
        at = np.minimum(np.searchsorted(self.contexts, wanted), len(self.contexts) - 1)
        known = self.contexts[at] == wanted
        return self.bases[at] * known[:, None].astype(np.float64)


def _summed(keys: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keys without repetition, ascending, and the summed counts of each."""
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    first = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
    return keys[first], np.add.reduceat(counts[order], first)


def _table(keys: np.ndarray, counts: np.ndarray) -> Counts:
    """Counts by context from counts by 4 x context + base."""
    found, row = np.unique(keys >> 2, return_inverse=True)
    bases = np.zeros((len(found), 4), dtype=np.int64)
    bases[row, keys & 3] = counts
    return Counts(found, bases)


@dataclass(frozen=True)
class TwoSidedMarkov:
    """Counts and prior strength of every width from 0.

    ``validation_bits`` are the bits per masked base of every width on validation windows.
    """

    counts: tuple[Counts, ...]
    strengths: tuple[float, ...]
    validation_bits: tuple[float, ...]

    @property
    def width(self) -> int:
        """Most bases on each side."""
        return len(self.counts) - 1

    @property
    def best_width(self) -> int:
        """The width with fewest bits on validation windows."""
        return int(np.argmin(self.validation_bits))

    def log_prob(self, ids: np.ndarray, where: np.ndarray) -> list[np.ndarray]:
        """Natural log of the probabilities of A, C, G, T at some positions, under each width.

        ``ids`` are uint8 token ids that may hold MASK, (L,), and ``where`` chooses n positions,
        bool (L,). The results are float64 (n, 4).
        """
        context = contexts(ids, self.width)[0][where]
        p = np.full((len(context), 4), 0.25)
        found = []
        for width, (counts, strength) in enumerate(zip(self.counts, self.strengths, strict=True)):
            p = _mixed(counts.of(context % _SYMBOLS ** (2 * width)), p, strength)
            found.append(np.log(p))
        return found


def _mixed(bases: np.ndarray, lower: np.ndarray, strength: float) -> np.ndarray:
    """Probabilities of a width from its counts and the probabilities of the width below."""
    return (bases + strength * lower) / (bases.sum(axis=1, keepdims=True) + strength)


def train(sequences: Iterable[Masking], width: int) -> tuple[Counts, ...]:
    """Count every known base of the sequences in its contexts of every width, on both strands."""
    if not 0 <= width <= MOST_WIDTH:
        raise ValueError(f"a width is between 0 and {MOST_WIDTH}, not {width}")
    every = [np.zeros(0, dtype=np.int64)]
    for shown, true in sequences:
        known = is_base(true)
        base = symbols(true)[known]
        for context, letter in zip(contexts(shown, width), (base, 3 - base), strict=True):
            every.append(4 * context[known] + letter)
    keys = np.concatenate(every)
    del every
    if not len(keys):
        raise GenezipError(f"{NO_TRAINING_DNA}; a two-sided Markov model cannot be made")
    counts = np.ones(len(keys), dtype=np.int64)
    tables = []
    for narrower in range(width, -1, -1):
        inside = (keys >> 2) % _SYMBOLS ** (2 * narrower)
        keys, counts = _summed(4 * inside + (keys & 3), counts)
        tables.append(_table(keys, counts))
    return tuple(tables[::-1])


def choose_strengths(
    counts: tuple[Counts, ...], windows: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]
) -> TwoSidedMarkov:
    """The model with the strengths that predict chosen bases of some windows best.

    A window is what is shown, what is true (uint8 token ids) and which bases count (bool).
    """
    width = len(counts) - 1
    context = np.concatenate([contexts(shown, width)[0][where] for shown, _, where in windows])
    base = np.concatenate([symbols(true)[where] for _, true, where in windows])
    row = np.arange(len(base))
    p = np.full((len(base), 4), 0.25)
    strengths, bits = [], []
    for narrower, table in enumerate(counts):
        bases = table.of(context % _SYMBOLS ** (2 * narrower))
        own, total, lower = bases[row, base], bases.sum(axis=1), p[row, base]
        losses = [
            -float(np.log((own + strength * lower) / (total + strength)).mean())
            for strength in STRENGTHS
        ]
        strengths.append(STRENGTHS[int(np.argmin(losses))])
        bits.append(min(losses) / np.log(2))
        p = _mixed(bases, p, strengths[-1])
    return TwoSidedMarkov(counts, tuple(strengths), tuple(bits))


@dataclass(frozen=True)
class TwoSidedModels:
    """Two-sided Markov models of one corpus.

    ``hidden`` counts every base of the training segments, and ``equal`` only the chosen bases of
    the training windows; both get the masks of what they predict. ``visible`` sees all neighbours.
    """

    hidden: TwoSidedMarkov
    equal: TwoSidedMarkov
    visible: TwoSidedMarkov


def fit_two_sided(
    reader: CorpusReader, assembly: Assembly, width: int, rate: float, most_bp: int, seed: int
) -> TwoSidedModels:
    """The models of a corpus and its training segments.

    All choose strengths and width at the same masked bases of the validation windows, without
    which they are refused. ``most_bp`` is the number of training bases that are counted, in evenly
    spaced stretches or windows; ``rate`` and ``seed`` are those of their masks.
    """
    windows = [window.ids for window in spaced_windows(reader, "valid", _VALIDATION_BP)]
    masked = [
        mask_rows(ids[None], rate, [(VALIDATION, number)]) for number, ids in enumerate(windows)
    ]
    if not any(one.hidden.any() for one in masked):
        raise GenezipError(
            f"{reader.path} has no validation windows, on which the width of the two-sided Markov "
            "model is chosen; build the corpus with some (corpus.valid_windows)"
        )
    dna = [assembly.ids(*one) for one in stretches(assembly.segments_of("train"), most_bp)]
    shown = _masked(dna, rate, seed)
    everything = [(one.ids[0], ids) for one, ids in zip(shown, dna, strict=True)]
    read = [window.ids for window in spaced_windows(reader, "train", most_bp)]
    chosen = [
        (one.ids[0], np.where(one.chosen[0], ids, N_ID).astype(np.uint8))
        for one, ids in zip(_masked(read, rate, seed), read, strict=True)
    ]
    models = []
    for name, training, hidden in (
        ("every base, the same masks", everything, True),
        ("masked bases, the same masks", chosen, True),
        ("every base, all visible", [(ids, ids) for ids in dna], False),
    ):
        validation = [
            (one.ids[0] if hidden else ids, ids, one.hidden[0])
            for one, ids in zip(masked, windows, strict=True)
        ]
        model = choose_strengths(train(training, width), validation)
        models.append(model)
        logger.info(
            f"two-sided Markov models, {name}: best with {model.best_width} bases on each side, "
            f"{min(model.validation_bits):.4f} bits per base"
        )
    return TwoSidedModels(*models)


def _masked(dna: Sequence[np.ndarray], rate: float, seed: int) -> list[MaskedRows]:
    return [mask_rows(ids[None], rate, [(COUNTED, seed, n)]) for n, ids in enumerate(dna)]
