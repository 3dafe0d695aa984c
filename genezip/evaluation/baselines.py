"""Language models without a network on the held-out windows: the honest bar for a network.

They are the Markov models (:mod:`genezip.evaluation.markov`), the context-mixing model
(:mod:`genezip.evaluation.mixing`) and, where the source holds several organisms, the Markov model
of each organism itself. All of them predict exactly the targets of the neural models: every A, C,
G, T of a held-out window but its first base, with no context from outside the window.

``markov_own`` scores the windows of an organism with a Markov model fitted on that organism alone:
on its training segments if it has some, else, in turn, on one half of its held-out windows for the
other half (cross-fitting). Strengths and order are chosen on every fifth stretch of the DNA that it
is fitted on, and orders with more contexts than bases are not tried. It is a reference, no rival: a
held-out organism's own DNA is not given to any other model.

What a network adds to the mixing model is measured on their mixture, p = w p_1 + (1 - w) p_2. The
weight depends on the bases before t alone, by how well each model predicted the most recent ones:

    log(w_t / (1 - w_t)) = sum_{j >= 1} RECENT^(j - 1) (log p_1(x_{t-j}) - log p_2(x_{t-j})),

starting at 1/2 in each window (GeCo's weights; Pratas et al. 2016, doi:10.1109/DCC.2016.60).

The file of sums per window is the input of paired comparisons. One row is one held-out window under
one model: the sum of the negative log likelihood (nats) and the number of predicted bases in each
region class, in order of class ids; for the mixing model also the loss of every base.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from scipy.signal import lfilter
from scipy.special import expit

from genezip.alphabet import is_base
from genezip.artifacts.manifest import Kind
from genezip.artifacts.scores import (
    MARKOV,
    MARKOV_OWN,
    MIXING,
    Metric,
    Row,
    markov_name,
    markov_order,
)
from genezip.artifacts.tables import read_parquet, write_parquet
from genezip.config import Evaluation
from genezip.corpus.corpus import CorpusReader, Window
from genezip.errors import GenezipError
from genezip.evaluation.compression import Found, expand, language_model_metrics
from genezip.evaluation.markov import (
    MarkovModel,
    choose_strengths,
    fit_markov,
    negative_log_likelihood,
    train,
)
from genezip.evaluation.windows import Columns, WindowFacts
from genezip.genome.assembly import Assembly, Segment
from genezip.genome.organisms import organism_of_contig
from genezip.log import progress
from genezip.metrics.bootstrap import Estimate

if TYPE_CHECKING:
    from genezip.evaluation.mixing import MixingModel

logger = logging.getLogger(__name__)

RECENT = 0.95  # what a prediction counts for, one base later
_STRETCH_BP = 1 << 17
_CHOOSES = 5  # every so many stretches one chooses strengths and order

KIND = Kind(
    noun="table of Markov and mixing models by window",
    version=2,
    first="run `genezip evaluate markov` first",
    again="run `genezip evaluate markov` again",
    keys=("split", "classes"),
)

Losses = Callable[[int, Window], Sequence[np.ndarray]]
"""Loss of every base of a window (nats), by number and window, under each of some models."""

_INTERVAL, _SUMS = ["chrom", "start", "end"], ["nll", "predicted"]


@dataclass(frozen=True)
class BaselineWindows:
    """Sums over every held-out window under each model, in the order of WindowFacts.

    ``by_model`` maps a name to columns ``nll`` and ``predicted``, float64 (n, R). ``mixing_nll``
    has the loss of every base (nats) under the mixing model, a float32 array for each window, NaN
    where a base is not predicted; None without that model.
    """

    by_model: dict[str, Columns]
    mixing_nll: tuple[np.ndarray, ...] | None = None

    def columns(self, model: str, chosen: np.ndarray) -> Columns:
        """Columns of some windows under one model."""
        return {name: values[chosen] for name, values in self.by_model[model].items()}

    @property
    def mixed(self) -> Callable[[int, np.ndarray], np.ndarray] | None:
        """Losses in the mixture with the mixing model, from number and losses of a window."""
        by_base = self.mixing_nll
        return None if by_base is None else lambda number, nll: mixture(nll, by_base[number])


@dataclass(frozen=True)
class BaselineScores:
    """Sums over held-out windows, and the Markov models behind them."""

    windows: BaselineWindows
    markov: MarkovModel


def targets(ids: np.ndarray) -> np.ndarray:
    """Bases of a window that are predicted: every A, C, G, T but the first base, bool (L,)."""
    found = is_base(ids)
    found[0] = False
    return found


def _summed(
    windows: Iterable[Window], names: Sequence[str], facts: WindowFacts, nats: Losses
) -> dict[str, Columns]:
    """Sums of nll and predicted by region class, (n, R), of each model.

    ``nats(number, window)`` gives the loss of every base of a window under each model.
    """
    n_windows, classes = len(facts.cells), len(facts.region_classes)
    nll = {name: np.zeros((n_windows, classes)) for name in names}
    predicted = np.zeros((n_windows, classes))
    for number, window in enumerate(windows):
        target = targets(window.ids)
        region = window.regions[target].astype(np.int64)
        predicted[number] = np.bincount(region, minlength=classes)
        for name, losses in zip(names, nats(number, window), strict=True):
            nll[name][number] = np.bincount(region, losses[target], minlength=classes)
    return {name: {"nll": nll[name], "predicted": predicted} for name in names}


def stretches(segments: Iterable[Segment], most_bp: int) -> list[tuple[Segment, int, int]]:
    """Segments in stretches of 131 kb, interleaved, so that a reader sees all of them throughout.

    Stretches are ordered by their relative position in their segment. Of more than about
    ``most_bp`` bases, evenly spaced stretches are taken.
    """
    found = [
        ((start - segment.start) / segment.length, segment, start)
        for segment in segments
        for start in range(segment.start, segment.end, _STRETCH_BP)
    ]
    found.sort(key=lambda one: one[0])
    bp = sum(min(_STRETCH_BP, segment.end - start) for _, segment, start in found)
    step = max(1, -(-bp // most_bp))
    return [
        (segment, start, min(start + _STRETCH_BP, segment.end))
        for _, segment, start in found[::step]
    ]


def fit_mixing(assembly: Assembly, settings: Evaluation) -> "MixingModel":
    """The context-mixing model of the training segments, in stretches that are spread over them."""
    from genezip.evaluation.mixing import MixingModel

    chosen = stretches(assembly.segments_of("train"), settings.mixing_bp)
    bases = sum(end - start for _, start, end in chosen)
    model = MixingModel(bases, settings.mixing_orders)
    for segment, start, end in progress(chosen, "mixing model", unit="block"):
        model.read(assembly.ids(segment, start, end))
    logger.info(
        f"mixing model: {bases / 1e6:.1f} Mbp read, {model.memory_bytes / 1e6:.0f} MB of tables"
    )
    return model


def _mixing(
    reader: CorpusReader, assembly: Assembly, facts: WindowFacts, settings: Evaluation
) -> tuple[dict[str, Columns], tuple[np.ndarray, ...]]:
    """Sums of the mixing model, and its loss of every base, for each held-out window."""
    model, by_base = fit_mixing(assembly, settings), []

    def nats(number: int, window: Window) -> list[np.ndarray]:
        losses = model.score(window.ids)
        losses[~targets(window.ids)] = np.nan
        by_base.append(losses.astype(np.float32))
        return [losses]

    columns = _summed(reader.windows(facts.split), [MIXING], facts, nats)
    return columns, tuple(by_base)


def fit_own(sequences: Sequence[np.ndarray], most_order: int) -> tuple[MarkovModel, int]:
    """Markov model of some DNA, and the order that predicts every fifth sequence of it best.

    Sequences are uint8 token ids. The chosen strengths are kept when all sequences are counted.
    Orders with more contexts than there are bases are left out.
    """
    bases = sum(int(is_base(ids).sum()) for ids in sequences)
    order = min(most_order, max((max(bases, 1).bit_length() - 1) // 2, 0))
    choosing = sequences[_CHOOSES - 1 :: _CHOOSES]
    counted = [ids for number, ids in enumerate(sequences) if (number + 1) % _CHOOSES]
    model = train(((ids, 0) for ids in counted), order)
    model = choose_strengths(model, choosing)
    bits = model.validation_bits
    whole = train(((ids, 0) for ids in sequences), order)
    return MarkovModel(whole.counts, model.strengths), int(np.argmin(bits)) if bits else order


def _own(
    reader: CorpusReader, assembly: Assembly, facts: WindowFacts, settings: Evaluation
) -> dict[str, Columns]:
    """Sums of the Markov model of each organism itself."""
    of_contig = organism_of_contig(facts.organisms)
    most = max(settings.markov_orders)
    organism_of = [of_contig[chrom] for chrom in facts.table["chrom"]]
    losses: dict[int, np.ndarray] = {}
    for organism in dict.fromkeys(organism_of):
        numbers = [n for n, one in enumerate(organism_of) if one == organism]
        segments = [s for s in assembly.segments_of("train") if s.chrom in organism.contigs]
        if segments:
            fits = [([assembly.ids(*one) for one in stretches(segments, 1 << 62)], numbers)]
        else:
            every = dict(zip(numbers, _windows(reader, facts, numbers), strict=True))
            halves = numbers[: len(numbers) // 2], numbers[len(numbers) // 2 :]
            fits = [
                ([every[number].ids for number in other], half)
                for half, other in (halves, halves[::-1])
            ]
        for sequences, scored in fits:
            if not any(is_base(ids).any() for ids in sequences):
                continue
            model, order = fit_own(sequences, most)
            logger.info(f"Markov model of {organism.name} itself: order {order}")
            for number, window in zip(scored, _windows(reader, facts, scored), strict=True):
                losses[number] = negative_log_likelihood(model, window.ids)[order]
    if len(losses) < len(facts.cells):
        left = sorted({str(chrom) for chrom in facts.table["chrom"].drop(list(losses))})
        logger.warning(
            f"{', '.join(left[:5])}: too little DNA for a Markov model of the organism itself, so "
            "markov_own is left out for all; hold out more windows"
        )
        return {}
    every_window = reader.windows(facts.split)
    return _summed(every_window, [MARKOV_OWN], facts, lambda number, window: [losses[number]])


def _windows(
    reader: CorpusReader, facts: WindowFacts, numbers: Collection[int]
) -> Iterator[Window]:
    """The windows with some numbers, in corpus order."""
    wanted = set(numbers)
    for number, window in enumerate(reader.windows(facts.split)):
        if number in wanted:
            yield window


def score_baselines(
    reader: CorpusReader, assembly: Assembly, facts: WindowFacts, settings: Evaluation
) -> BaselineScores:
    """Fit every model to the training segments and score the held-out windows."""
    orders = sorted(set(settings.markov_orders))
    model = fit_markov(reader, assembly, orders[-1])

    def nats(number: int, window: Window) -> list[np.ndarray]:
        every = negative_log_likelihood(model, window.ids)
        return [every[order] for order in orders]

    windows = reader.windows(facts.split)
    by_model = _summed(windows, [markov_name(order) for order in orders], facts, nats)
    by_base = None
    if facts.organisms:
        by_model |= _own(reader, assembly, facts, settings)
    if settings.mixing:
        mixing, by_base = _mixing(reader, assembly, facts, settings)
        by_model |= mixing
    return BaselineScores(BaselineWindows(by_model, by_base), model)


def baseline_rows(scores: BaselineScores, facts: WindowFacts, scale: str, source: str) -> list[Row]:
    """Score rows of every model.

    Rows of a Markov order (``markov<order>``) also have its strength (``prior_strength``) and its
    bits per base on validation windows; the model ``markov`` has the order that is best on them
    (``best_order``), where there are validation windows.
    """
    rows: list[Row] = []
    common = {"split": facts.split, "strand": "+", "scale": scale, "source": source}
    nowhere = np.array(np.nan)
    for name in scores.windows.by_model:
        order = markov_order(name)
        for subset in facts.subsets:
            if not subset.chosen.any():
                continue
            columns = scores.windows.columns(name, subset.chosen)
            found: Found = language_model_metrics(columns, subset, facts)
            if order is not None:
                facts_of_order = {Metric.PRIOR_STRENGTH: scores.markov.strengths[order]}
                if scores.markov.validation_bits:
                    facts_of_order[Metric.VALIDATION_BITS] = scores.markov.validation_bits[order]
                for metric, value in facts_of_order.items():
                    estimate = Estimate(np.array(value), nowhere, nowhere)
                    found[metric] = (("all",), estimate, np.array(int(subset.chosen.sum())))
            task = MIXING if name == MIXING else "markov"
            rows += expand(found, model=name, task=task, subset=subset.name, **common)
    best = best_order(scores)
    if best is not None:
        everything = facts.subsets[0]
        estimate = Estimate(np.array(float(best)), nowhere, nowhere)
        found = {Metric.BEST_ORDER: (("all",), estimate, np.array(len(everything.chosen)))}
        rows += expand(found, model=MARKOV, task="markov", subset=everything.name, **common)
    return rows


def best_order(scores: BaselineScores) -> int | None:
    """The scored order with fewest bits per base on validation windows, None without them."""
    scored = [
        order for name in scores.windows.by_model if (order := markov_order(name)) is not None
    ]
    bits = scores.markov.validation_bits
    return min(scored, key=bits.__getitem__) if bits else None


def mixture(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Loss of every base (nats) under the mixture of two models, float64 (L,).

    ``one`` and ``other`` are the losses under each, (L,), in the order of reading. Where one of
    them has no prediction (NaN) neither has the mixture, and the base does not count for the
    weight.
    """
    both = np.isfinite(one) & np.isfinite(other)
    first, second = (np.asarray(loss, dtype=np.float64)[both] for loss in (one, other))
    found = np.full(len(both), np.nan)
    if not len(first):
        return found
    log_odds = lfilter([0.0, 1.0], [1.0, -RECENT], second - first)
    found[both] = -np.logaddexp(np.log(expit(log_odds)) - first, np.log(expit(-log_odds)) - second)
    return found


def write_baseline_windows(path: str | Path, windows: BaselineWindows, facts: WindowFacts) -> None:
    """Write the sums of every window and model (atomically)."""
    intervals = facts.table[_INTERVAL]
    classes = facts.region_classes.names
    tables = []
    for model, columns in windows.by_model.items():
        table = pa.Table.from_pandas(intervals.assign(model=model), preserve_index=False)
        for name in _SUMS:
            flat = pa.array(np.ascontiguousarray(columns[name], dtype=np.float64).reshape(-1))
            table = table.append_column(name, pa.FixedSizeListArray.from_arrays(flat, len(classes)))
        by_base: list[bytes | None] = [None] * len(intervals)
        if model == MIXING and windows.mixing_nll is not None:
            by_base = [losses.tobytes() for losses in windows.mixing_nll]
        tables.append(table.append_column("by_base", pa.array(by_base, pa.large_binary())))
    head = KIND.head(split=facts.split, classes=classes)
    write_parquet(path, pa.concat_tables(tables), head)


def read_baseline_windows(path: str | Path, facts: WindowFacts) -> BaselineWindows:
    """Read the sums by window; refuse a table of another split, other windows or other classes."""
    table, head = read_parquet(path, KIND, [*_INTERVAL, "model", *_SUMS, "by_base"])
    if head["split"] != facts.split:
        raise GenezipError(
            f"{path} holds {head['split']} windows, not {facts.split} windows; {KIND.again}"
        )
    if tuple(head["classes"]) != facts.region_classes.names:
        raise GenezipError(
            f"{path} was made for the region classes {', '.join(head['classes'])}, the corpus has "
            f"{', '.join(facts.region_classes.names)}; {KIND.again}"
        )
    intervals = table.select([*_INTERVAL, "model"]).to_pandas()
    wanted = facts.table[_INTERVAL]
    sums = {
        name: table.column(name).combine_chunks().flatten().to_numpy(zero_copy_only=False)
        for name in _SUMS
    }
    by_model: dict[str, Columns] = {}
    by_base = None
    for model, rows in intervals.groupby("model", sort=False).indices.items():
        if not np.array_equal(intervals.iloc[rows][_INTERVAL], wanted):
            raise GenezipError(f"{path} holds other windows than the corpus; {KIND.again}")
        by_model[str(model)] = {
            name: values.reshape(-1, len(head["classes"]))[rows] for name, values in sums.items()
        }
        if model == MIXING:
            packed = table.column("by_base").take(rows).to_pylist()
            by_base = tuple(np.frombuffer(one, dtype=np.float32) for one in packed)
    return BaselineWindows(by_model, by_base)
