"""Raw Hi-C counts of one chromosome: ridge regression on bin vectors against trivial maps.

A map is a square of neighbouring bins, and maps share no base. A fold is a run of maps in the
order of the chromosome, so a tested map may lie beside a learned one only at the ends of its run.
Targets are log(1 + count), and that minus its mean at the same distance in the maps that were
learned (observed over expected). What is learned is the second, without each learned map's own
mean: how deeply a map was read says nothing about another one, and no correlation within a map
sees it. The first is the second plus the expected value.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from genezip.alphabet import encode, reverse_complement
from genezip.artifacts.scores import TASK_SCORES
from genezip.genome.assembly import Segment
from genezip.genome.sources.source import Source
from genezip.inference.forward import base_vectors
from genezip.metrics.bootstrap import BlockBootstrap
from genezip.metrics.contacts import contact_scores, entries, pair_products, stratum_means
from genezip.metrics.gc_content import gc_content
from genezip.models.base import Compressor, vector_width
from genezip.tasks.base import Method, baseline_method
from genezip.tasks.predictions import PredictionWriter
from genezip.tasks.real_run import LabelRun, model_method
from genezip.tasks.scores import Sheet
from genezip.tasks.windows.label_contacts import BIN_BP, ContactMap, read_counts, tiled

logger = logging.getLogger(__name__)

PART, SUBSET = "contacts", "K562"
PENALTIES = tuple(10.0**power for power in range(10))
WITHIN = 1.001  # of the lowest error; the smallest penalty with so low a one is taken
METRICS = ("scc", "corr", "corr_oe")
FLAT = "the prediction is constant within a diagonal, so SCC is undefined"
NO_OE = "it predicts the expected value itself, so observed over expected is constant"

Predicted = tuple[np.ndarray, np.ndarray]
"""Upper triangle of one map: expected value, and what is added to it."""


def measure_contacts(run: LabelRun) -> None:
    """Write scores and predictions of the part ``contacts``."""
    if reason := run.absent(PART):
        run.give_up(PART, reason)
        return
    assembly = Source.load(run.source).assembly()
    segments, bins = list(assembly.segments), run.settings.map_bins
    maps = tiled(read_counts(run.files().one("hic.tsv.gz")), segments, bins)
    if len(maps) < run.settings.folds:
        run.give_up(PART, f"only {len(maps)} maps of {bins} bins lie in the genome of this run")
        return
    used = sorted({contact.segment for contact in maps})
    maps.sort(key=lambda contact: contact.start)
    folds = np.arange(len(maps)) * run.settings.folds // len(maps)
    ids = {number: encode(assembly.sequence(segments[number])) for number in used}
    names = [f"{segments[m.segment].chrom}:{m.start}-{m.start + bins * BIN_BP}" for m in maps]
    targets = np.stack([contact.upper for contact in maps])
    bootstrap = BlockBootstrap(np.arange(len(maps)), run.settings.bootstrap, run.settings.seed)
    sheet = Sheet(bootstrap, "maps", "blocks", "test", run.scale)

    with PredictionWriter(run.predictions, None, "array", (targets.shape[1],)) as writer:

        def add(method: Method, predicted: list[Predicted], undefined: dict[str, str]) -> None:
            scores = np.array([_scores(p, t) for p, t in zip(predicted, targets, strict=True)])
            for column, metric in enumerate(METRICS):
                if metric in undefined:
                    sheet.add(method, metric, None, 0, note=undefined[metric])
                    writer.note(method, metric, undefined[metric])
                    continue
                sheet.add_mean(method, metric, scores[:, column])
            for fold in range(run.settings.folds):
                of = np.flatnonzero(folds == fold)
                writer.add(
                    method=method,
                    rule="blocks",
                    fold=fold,
                    split="test",
                    example=of,
                    group=[names[number] for number in of],
                    target=[targets[number] for number in of],
                    prediction=[sum(predicted[number]) for number in of],
                )
            logger.info(f"labels: contacts, {method.model}: {len(maps)} maps")

        nothing = {"scc": FLAT, "corr_oe": NO_OE}
        add(
            baseline_method("distance_mean", PART, SUBSET), _by_fold(targets, folds, _zero), nothing
        )
        add(baseline_method("mean_map", PART, SUBSET), _by_fold(targets, folds, _mean_map), {})
        gc = np.stack([_gc(ids[m.segment], m, segments, bins) for m in maps])
        fitted = _by_fold(targets, folds, _gc_product(gc))
        add(baseline_method("gc_product", PART, SUBSET), fitted, {})
        for model in run.compressors():
            vectors = bin_vectors(model, ids, maps, segments, bins)
            fitted = _by_fold(targets, folds, _ridge(vectors, folds))
            add(model_method(model, PART, SUBSET), fitted, {})
    TASK_SCORES.write(run.out, sheet.rows(run.control))


def _scores(predicted: Predicted, target: np.ndarray) -> tuple[float, float, float]:
    expected, residual = predicted
    observed = contact_scores(expected + residual, target)
    over_expected = contact_scores(residual, target - expected)
    return observed["scc"], observed["corr"], over_expected["corr"]


Fit = Callable[[np.ndarray, np.ndarray], Callable[[int], np.ndarray]]
"""Numbers of the learned maps and their residuals, each map's mean taken away -> residual of a
map by its number."""


def _by_fold(targets: np.ndarray, folds: np.ndarray, fit: Fit) -> list[Predicted]:
    """Expected value and residual of every map, learned on the other folds."""
    found: list[Predicted] = [(targets[0], targets[0])] * len(targets)
    for fold in np.unique(folds):
        train = np.flatnonzero(folds != fold)
        expected = stratum_means(targets[train].sum(0), np.full(targets.shape[1], len(train)))
        residuals = targets[train] - expected
        predict = fit(train, residuals - residuals.mean(axis=1, keepdims=True))
        for number in np.flatnonzero(folds == fold):
            found[number] = (expected, predict(int(number)))
    return found


def _zero(train: np.ndarray, residuals: np.ndarray) -> Callable[[int], np.ndarray]:
    return lambda number: np.zeros(residuals.shape[1])


def _mean_map(train: np.ndarray, residuals: np.ndarray) -> Callable[[int], np.ndarray]:
    mean = residuals.mean(axis=0)
    return lambda number: mean


def _gc_product(gc: np.ndarray) -> Fit:
    """Least squares on the product of the GC content of both bins, standardised on training."""

    def fit(train: np.ndarray, residuals: np.ndarray) -> Callable[[int], np.ndarray]:
        z = (gc - gc[train].mean()) / (gc[train].std() or 1.0)
        product = pair_products(z)
        line = LinearRegression().fit(product[train].reshape(-1, 1), residuals.ravel())
        return lambda number: line.predict(product[number][:, None])

    return fit


def _gc(ids: np.ndarray, contact: ContactMap, segments: list[Segment], bins: int) -> np.ndarray:
    """Share of G and C among the known bases of every bin (0 where none is known)."""
    return np.nan_to_num(gc_content(_bases(ids, contact, segments, bins)))


def _bases(
    values: np.ndarray, contact: ContactMap, segments: list[Segment], bins: int
) -> np.ndarray:
    """Values per base of a segment, laid out by the bins of a map: shape (bins, 5000, ...)."""
    first = contact.start - segments[contact.segment].start
    inside = values[first : first + bins * BIN_BP]
    return inside.reshape(bins, BIN_BP, *values.shape[1:])


def bin_vectors(
    compressor: Compressor,
    ids: dict[int, np.ndarray],
    maps: list[ContactMap],
    segments: list[Segment],
    bins: int,
) -> np.ndarray:
    """Mean vector of the bases of every bin, over both strands.

    Returns
    -------
    float32 array, shape (maps, bins, width)
    """
    found = np.zeros((len(maps), bins, vector_width(compressor)), dtype=np.float32)
    for segment, sequence in ids.items():
        here = [number for number, contact in enumerate(maps) if contact.segment == segment]
        place = np.array([maps[number].start - segments[segment].start for number in here])
        starts = np.sort((place[:, None] + BIN_BP * np.arange(bins)).ravel())
        turned = (len(sequence) - BIN_BP - starts)[::-1]
        forward = bin_means(base_vectors(compressor, sequence), starts)
        opposite = base_vectors(compressor, reverse_complement(sequence))
        reverse = bin_means(opposite, turned, backwards=True)[::-1]
        means = forward / 2 + reverse / 2
        for number, first in zip(here, place, strict=True):
            at = np.searchsorted(starts, first)
            found[number] = means[at : at + bins]
    return found


def bin_means(
    blocks: Iterable[np.ndarray], starts: np.ndarray, backwards: bool = False
) -> np.ndarray:
    """Mean vector of every bin of a sequence; one block and one bin are in memory.

    Parameters
    ----------
    blocks : float32 arrays, shape (n, D), vectors of consecutive bases from base 0 on
    starts : int array, shape (bins,), first base of every bin, rising
    backwards : whether the bases of a bin are summed from its end, so that those of the other
        strand are summed in the order of this one

    Returns
    -------
    float32 array, shape (bins, D), for the bins that the blocks hold whole
    """
    means: list[np.ndarray] = []
    held, at = np.zeros((0, 0), dtype=np.float32), 0  # vectors of the bases from ``at`` on
    for block in blocks:
        held = np.concatenate([held, block]) if len(held) else block
        while len(means) < len(starts) and starts[len(means)] + BIN_BP <= at + len(held):
            first = starts[len(means)] - at
            inside = held[first : first + BIN_BP]
            means.append((inside[::-1] if backwards else inside).mean(axis=0))
        needed = starts[len(means)] - at if len(means) < len(starts) else len(held)
        done = min(needed, len(held))
        held, at = held[done:], at + done
    return np.stack(means)


def pair_features(vectors: np.ndarray) -> np.ndarray:
    """[h_i * h_j, abs(h_i - h_j)] of the scored pairs of one map.

    Parameters
    ----------
    vectors : float array, shape (bins, width)

    Returns
    -------
    float array, shape (pairs, 2 width), pairs in the order of ``numpy.triu_indices(bins, 2)``
    """
    rows, columns = entries(len(vectors))
    one, two = vectors[rows], vectors[columns]
    return np.concatenate([one * two, np.abs(one - two)], axis=1)


def smallest_penalty(results: dict[str, Any]) -> int:
    """Place of the smallest penalty whose error is at most 0.1 % above the lowest.

    Parameters
    ----------
    results : ``cv_results_`` of a search whose score is the negative error, penalties ascending
    """
    error = -np.asarray(results["mean_test_score"])
    return int(np.argmax(error <= WITHIN * error.min()))


def _ridge(vectors: np.ndarray, folds: np.ndarray) -> Fit:
    """Ridge regression; its penalty is chosen by leaving out one learned fold at a time.

    Where the vectors say nothing, the error falls towards that of no prediction and has no
    lowest point. So the smallest penalty is taken whose error is next to the lowest.
    """

    def fit(train: np.ndarray, residuals: np.ndarray) -> Callable[[int], np.ndarray]:
        known = vectors[train].reshape(-1, vectors.shape[2]).astype(np.float64)
        mean, spread = known.mean(0), np.maximum(known.std(0), 1e-6)
        features = [pair_features((one - mean) / spread) for one in vectors]
        x = np.concatenate([features[number] for number in train])
        groups = np.repeat(folds[train], residuals.shape[1])
        model: Pipeline = make_pipeline(StandardScaler(), Ridge())
        search = GridSearchCV(
            model,
            {"ridge__alpha": PENALTIES},
            cv=GroupKFold(len(np.unique(groups))),
            scoring="neg_mean_squared_error",
            refit=smallest_penalty,
        )
        search.fit(x, residuals.ravel(), groups=groups)
        return lambda number: np.asarray(search.predict(features[number]))

    return fit
