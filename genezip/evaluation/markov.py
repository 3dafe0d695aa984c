"""Markov models of order 0 to 12: the simplest language models, controls of perplexity.

The models are trained on the training segments (every base once, forward strand, N breaks the
context) and scored on exactly the targets of the neural models: every A, C, G, T of a held-out
window but its first base, with no context from outside the window.

Orders are interpolated recursively: order k backs off to order k - 1 with a prior strength,

    p_k(x | c) = (n(c x) + strength_k p_{k-1}(x | c')) / (n(c) + strength_k),

where c' is c without its oldest base and order -1 is uniform. The strengths are powers of two,
chosen order by order on validation windows (never on held-out ones). A base with fewer than k
bases of context (near the window start or an N) is scored with the longest order that fits.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from genezip.alphabet import A_ID, N_ID, is_base
from genezip.corpus.corpus import CorpusReader
from genezip.errors import GenezipError
from genezip.evaluation.windows import spaced_windows
from genezip.genome.assembly import Assembly, Segment

logger = logging.getLogger(__name__)

STRENGTHS = tuple(float(2**power) for power in range(15))
NO_TRAINING_DNA = (
    "the training segments have no A, C, G or T (look at the FASTA, and at genome.valid and "
    "genome.test, which may hold out all of it)"
)
DEFAULT_STRENGTH = 16.0  # where there is no validation window to choose on
_BUFFER_BP = 4_000_000
_VALIDATION_BP = 4_000_000  # at most so many bases of evenly spaced validation windows


def _context(ids: np.ndarray, longest: int) -> tuple[np.ndarray, np.ndarray]:
    """Digit (0..3) of every base and number of known bases before it, at most ``longest``.

    The context length of N is -1: N is neither counted nor predicted.
    """
    known = is_base(ids)
    digit = np.where(known, ids - A_ID, 0).astype(np.int64)
    position = np.arange(len(ids))
    last_n = np.maximum.accumulate(np.where(known, -1, position))
    run = np.minimum(position - last_n - 1, longest)
    return digit, np.where(known, run, -1)


def _add_oldest(code: np.ndarray, digit: np.ndarray, order: int) -> np.ndarray:
    """Codes of order ``order`` from those of order - 1: the oldest base is the highest digit.

    Codes are undefined where the context is shorter than ``order``.
    """
    longer = code.copy()
    if order:
        longer[order:] += digit[:-order] * 4**order
    else:
        longer += digit
    return longer


def _joined(sequences: Iterable[tuple[np.ndarray, int]]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Sequences joined by N into buffers of a few Mbp, for fewer and larger array operations.

    Takes (ids, lead), where the first ``lead`` bases are context only; yields ids and the mask of
    those that count.
    """
    parts: list[np.ndarray] = []
    leads: list[int] = []

    def buffer() -> tuple[np.ndarray, np.ndarray]:
        separated = [np.append(ids, np.uint8(N_ID)) for ids in parts]
        counted = np.concatenate(
            [np.arange(len(ids)) >= lead for ids, lead in zip(separated, leads, strict=True)]
        )
        return np.concatenate(separated), counted

    for ids, lead in sequences:
        parts.append(ids)
        leads.append(lead)
        if sum(map(len, parts)) >= _BUFFER_BP:
            yield buffer()
            parts, leads = [], []
    if parts:
        yield buffer()


def _blocks(
    assembly: Assembly, segments: Iterable[Segment], order: int
) -> Iterator[tuple[np.ndarray, int]]:
    """Segments in blocks that one buffer holds, each led by the ``order`` bases before it."""
    for segment in segments:
        for start in range(segment.start, segment.end, _BUFFER_BP):
            lead = min(order, start - segment.start)
            end = min(start + _BUFFER_BP, segment.end)
            yield assembly.ids(segment, start - lead, end), lead


@dataclass(frozen=True)
class MarkovModel:
    """Counts and prior strength of every order.

    ``counts[k]`` is int64 of shape (4^(k+1),), indexed by context + base as base-4 digits, oldest
    base first. ``validation_bits`` are the bits per base of every order on the windows on which the
    strengths were chosen; empty without any.
    """

    counts: list[np.ndarray]
    strengths: tuple[float, ...]
    validation_bits: tuple[float, ...] = ()

    @property
    def order(self) -> int:
        """Longest context in bases."""
        return len(self.counts) - 1

    @cached_property
    def totals(self) -> list[np.ndarray]:
        """Counts of the contexts: int64 of shape (4^k,) for each order k."""
        return [counts.reshape(-1, 4).sum(axis=1) for counts in self.counts]


def train(sequences: Iterable[tuple[np.ndarray, int]], order: int) -> MarkovModel:
    """Count all orders up to ``order``, with the default strengths.

    A sequence is (uint8 token ids, lead), of which the first ``lead`` bases are context only. A
    base counts for order k when k known bases precede it in the same sequence.
    """
    counts = [np.zeros(4 ** (k + 1), dtype=np.int64) for k in range(order + 1)]
    seen = 0
    for ids, inside in _joined(sequences):
        seen += int(is_base(ids[inside]).sum())
        digit, run = _context(ids, order)
        code = np.zeros(len(ids), dtype=np.int64)
        for k in range(order + 1):
            code = _add_oldest(code, digit, k)
            # Bases with the full context reach lower orders by summing out the oldest base.
            counted = run >= order if k == order else (run >= k) & (run < order)
            counts[k] += np.bincount(code[counted & inside], minlength=4 ** (k + 1))
        logger.info(f"Markov models: {seen / 1e6:.1f} Mbp counted")
    longer = counts[order]
    for k in range(order - 1, -1, -1):
        longer = longer.reshape(4, -1).sum(axis=0)
        counts[k] += longer
    if counts[0].sum() == 0:
        raise GenezipError(f"{NO_TRAINING_DNA}; Markov models cannot be made")
    return MarkovModel(counts, (DEFAULT_STRENGTH,) * (order + 1))


def _interpolated(
    model: MarkovModel,
    ids: np.ndarray,
    choose: Callable[[np.ndarray, np.ndarray, np.ndarray], float],
) -> Iterator[np.ndarray]:
    """Probability of each base (1 for N) under order 0, then 1, and so on.

    ``choose(n, total, lower)`` returns the strength of an order from the counts of context + base,
    the counts of the context and the probability under the order below.
    """
    digit, run = _context(ids, model.order)
    code = np.zeros(len(ids), dtype=np.int64)
    p = np.where(run >= 0, 0.25, 1.0)
    for k, counts in enumerate(model.counts):
        code = _add_oldest(code, digit, k)
        here = np.flatnonzero(run >= k)
        n = counts[code[here]].astype(np.float64)
        total = model.totals[k][code[here] >> 2].astype(np.float64)
        lower = p[here]
        strength = choose(n, total, lower)
        p = p.copy()
        p[here] = (n + strength * lower) / (total + strength)
        yield p


def choose_strengths(model: MarkovModel, windows: Iterable[np.ndarray]) -> MarkovModel:
    """Model with the strengths that maximise the likelihood of the (validation) windows.

    Windows are uint8 token ids; without any base the model is returned unchanged.
    """
    parts = [ids for ids, _ in _joined((window, 0) for window in windows)]
    ids = np.concatenate(parts) if parts else np.zeros(0, dtype=np.uint8)
    if not is_base(ids).any():
        return model
    chosen: list[float] = []

    def best(n: np.ndarray, total: np.ndarray, lower: np.ndarray) -> float:
        def loss(strength: float) -> float:
            return -float(np.log((n + strength * lower) / (total + strength)).sum())

        chosen.append(min(STRENGTHS, key=loss))
        return chosen[-1]

    bases = is_base(ids).sum() * np.log(2)
    bits = [float(-np.log(p).sum() / bases) for p in _interpolated(model, ids, best)]
    return MarkovModel(model.counts, tuple(chosen), tuple(bits))


def negative_log_likelihood(model: MarkovModel, ids: np.ndarray) -> np.ndarray:
    """Negative log likelihood (nats) of every base under every order, float64 (order + 1, L).

    N has 0. The first base has no context; callers leave it out.
    """
    strengths = iter(model.strengths)
    every = _interpolated(model, ids, lambda n, total, lower: next(strengths))
    return np.stack([-np.log(p) for p in every])


def fit_markov(reader: CorpusReader, assembly: Assembly, order: int) -> MarkovModel:
    """Train all orders on the training segments, choosing strengths on validation windows."""
    model = train(_blocks(assembly, assembly.segments_of("train"), order), order)
    spaced = spaced_windows(reader, "valid", _VALIDATION_BP)
    model = choose_strengths(model, (window.ids for window in spaced))
    chosen = ", ".join(f"{value:g}" for value in model.strengths)
    logger.info(f"Markov models: prior strengths {chosen}")
    return model
