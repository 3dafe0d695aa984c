"""Raw Hi-C counts of one chromosome: ridge regression on bin vectors, and baseline maps.

A map is a square of neighbouring bins, and maps share no base. A fold is a run of maps in
chromosome order, so a test map can be next to a training map only at the ends of its run. Targets
are log(1 + count), and the residual: that minus its mean at the same distance in the training maps
(observed over expected). The residual is fitted, without each training map's own mean: a map's
read depth is unrelated to that of others, and no correlation within a map depends on it. The
prediction of the first target is the residual plus the expected value.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from genezip import config
from genezip.alphabet import encode, reverse_complement
from genezip.artifacts.files import sha256_file
from genezip.artifacts.scores import Row
from genezip.config.tasks import Input
from genezip.errors import GenezipError
from genezip.genome.assembly import Assembly, Segment
from genezip.inference.forward import base_vectors
from genezip.metrics.contacts import (
    OFFSET,
    contact_scores,
    entries,
    is_triangle,
    n_bins,
    pair_products,
    stratum_means,
)
from genezip.metrics.gc_content import gc_content
from genezip.models.base import Compressor, vector_width
from genezip.tasks.base import Found, Job, Layout, Method, Note, NotMeasured, Predictions, Task
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.examples import Prepared, preparing
from genezip.tasks.features import Extraction, FeatureStore, StorePlan
from genezip.tasks.label_files import measurable, same_genome
from genezip.tasks.predictions import PredictionFile
from genezip.tasks.scores import Examples, Sheet, compared

if TYPE_CHECKING:  # functions import scipy and scikit-learn: a list of tasks does without
    from scipy.sparse import csr_matrix

logger = logging.getLogger(__name__)

CHROM = "chr22"
BIN_BP = 5_000
TARGETS = "targets.npy"
UNIT = "maps"
PENALTIES = tuple(10.0**power for power in range(10))
WITHIN = 1.001  # times the lowest error: limit for the smallest penalty, which is chosen
ROUNDING = 1e-12  # a residual that varies less, as a share of the prediction, is constant
METRICS = ("scc", "corr", "corr_oe")
FLAT = "the prediction is constant within a diagonal, so SCC is undefined"
NO_OE = "it predicts the expected value itself, so observed over expected is constant"

Predicted = tuple[np.ndarray, np.ndarray]
"""Upper triangle of one map: expected value, and predicted residual."""


@dataclass(frozen=True)
class Maps:
    """The maps of a prepared folder, with their genome."""

    prepared: Prepared
    # columns example, split (test), fold, segment (its number), first (base of the segment),
    # chrom, start, end; by start
    table: pd.DataFrame
    # float64 array, shape (maps, pairs of bins), log(1 + count) as of :attr:`ContactMap.upper`
    targets: np.ndarray
    assembly: Assembly

    @property
    def bins(self) -> int:
        """Bins of a map."""
        return n_bins(self.targets.shape[1])

    def ids(self, segment: int) -> np.ndarray:
        """Token ids of a segment, uint8."""
        return encode(self.assembly.sequence(self.assembly.segments[segment]))


class HiC(Task[Maps]):
    """The task of contacts of bins of 5,000 bp in K562."""

    name = "contacts"
    settings = config.Labels
    metrics = dict.fromkeys(METRICS, UNIT)
    layout = Layout("array", (-1,), "<f8", "<f8", "one number for every pair of bins")
    own_subset = "K562"

    def prepare(
        self, files: TaskFiles, genome: Path, subset: str, settings: Any, seed: int, manifest: Path
    ) -> Prepared:
        """As of :class:`Task`."""
        segments = list(measurable(self, files, genome, subset).assembly().segments)
        counts, bins = files.one("hic.tsv.gz"), settings.map_bins
        maps = tiled(read_counts(counts), segments, bins)
        if len(maps) < settings.folds:
            raise NotMeasured(f"only {len(maps)} maps of {bins} bins lie in the genome of this run")
        maps.sort(key=lambda contact: contact.start)
        table = pd.DataFrame([(m.segment, m.start) for m in maps], columns=["segment", "start"])
        table = table.assign(example=table.index, split="test", chrom=CHROM)
        table["fold"] = table["example"] * settings.folds // len(table)
        table["first"] = table["start"] - [segments[m.segment].start for m in maps]
        table["end"] = table["start"] + bins * BIN_BP
        inputs = {"counts": counts, "genome": genome}
        with preparing(manifest, self.name, subset, inputs, (TARGETS,)) as draft:
            draft.write_examples(table)
            np.save(draft.folder / TARGETS, np.stack([contact.upper for contact in maps]))
            draft.facts = {"genome_sha256": sha256_file(genome)}
        return Prepared.load(manifest, self.name)

    def open(self, manifest: Path, genome: Path) -> Maps:
        """As of :class:`Task`."""
        prepared = Prepared.load(manifest, self.name)
        assembly = same_genome(prepared, genome).assembly()
        return Maps(prepared, prepared.table(), np.load(prepared.folder / TARGETS), assembly)

    def features(
        self, compressor: Compressor, examples: Maps, input: Input, settings: Any
    ) -> Extraction:
        """As of :class:`Task`: the mean vector of every bin, segment by segment."""
        if input != "full":
            raise GenezipError(f"{self.name} reads whole segments; use the input full")
        table, blocks = examples.table, {"mean": vector_width(compressor)}
        inner = (examples.bins,)
        plan = StorePlan.of(examples.prepared, table, input, compressor.facts, blocks, inner)
        number, first = (table[name].to_numpy() for name in ("segment", "first"))
        held: dict[int, np.ndarray] = {}

        def compute(rows: range) -> tuple[np.ndarray, int]:
            bases = 0
            for row in rows:
                if row in held:
                    continue
                here = np.flatnonzero(number == number[row])
                ids = examples.ids(number[row])
                means = bin_vectors(compressor, ids, first[here], examples.bins)
                held.update(zip(here.tolist(), means, strict=True))
                bases += 2 * len(ids)
            return np.stack([held.pop(row) for row in rows]), bases

        return Extraction(plan, compute, 1)

    def fit(self, features: FeatureStore, job: Job[Maps]) -> Iterator[Found]:
        """As of :class:`Task`."""
        fit = _ridge(features.block("mean"), job.examples.table["fold"].to_numpy())
        yield from _predicted(job.examples, fit, job.method.model)

    def baselines(self, job: Job[Maps], tss: pd.DataFrame | None) -> Iterator[Found]:
        """Predictions of the expected value alone, with the mean residual, and with a GC line."""
        maps = job.examples
        for metric, reason in (("scc", FLAT), ("corr_oe", NO_OE)):
            yield Note(metric, reason, rule="blocks", model="distance_mean")
        fits = {"distance_mean": _zero, "mean_map": _mean_map, "gc_product": _gc_product(_gc(maps))}
        for model, fit in fits.items():
            yield from _predicted(maps, fit, model)

    def scores(
        self, files: Sequence[PredictionFile], bootstrap: int, seed: int, control: str | None
    ) -> list[Row]:
        """As of :class:`Task`."""
        rows: list[Row] = []
        for part in compared(files):
            rows += part.rows(_score, UNIT, (bootstrap, seed), control, resampled="example")
        return rows


def _score(sheet: Sheet, method: Method, maps: Examples) -> None:
    """Add the mean over maps of every metric."""
    targets, predictions = np.stack(maps.target), np.stack(maps.prediction)
    if not is_triangle(targets.shape[1]):
        raise GenezipError(
            f"{method.label} has {targets.shape[1]} contacts of a map, which are no upper triangle "
            "from the second diagonal on; predict again"
        )
    found = map_scores(targets, predictions, maps.fold)
    for column, metric in enumerate(METRICS):
        sheet.add_mean(method, metric, found[:, column])


def map_scores(targets: np.ndarray, predictions: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """SCC, correlation, and correlation of observed over expected of every map.

    Targets and predictions are float64 (maps, pairs of bins); the expected value of a map is that
    of the other folds, int (maps,). The scores are float64 (maps, 3), NaN where undefined.
    """
    found = np.full((len(targets), len(METRICS)), np.nan)
    for fold in np.unique(folds):
        expected = expected_value(targets[folds != fold])
        for number in np.flatnonzero(folds == fold):
            target, prediction = targets[number], predictions[number]
            residual = prediction - expected
            # a smaller spread is the rounding of the sum
            if np.ptp(residual) <= ROUNDING * np.abs(prediction).max():
                residual = np.zeros_like(residual)
            observed = contact_scores(prediction, target)
            over_expected = contact_scores(residual, target - expected)
            found[number] = observed["scc"], observed["corr"], over_expected["corr"]
    return found


def expected_value(targets: np.ndarray) -> np.ndarray:
    """Map with the mean of maps (maps, pairs) at every distance: float64, (pairs,)."""
    return stratum_means(targets.sum(0), np.full(targets.shape[1], len(targets)))


Fit = Callable[[np.ndarray, np.ndarray], Callable[[int], np.ndarray]]
"""Numbers of the training maps, and their residuals minus each map's mean -> function from the
number of a map to its residual."""


def _predicted(maps: Maps, fit: Fit, model: str) -> Iterator[Predictions]:
    """Predictions of every fold by fits on the other folds."""
    columns = maps.table[["chrom", "start", "end"]].itertuples(index=False)
    names = np.array([f"{chrom}:{start}-{end}" for chrom, start, end in columns])
    folds = maps.table["fold"].to_numpy()
    found = by_fold(maps.targets, folds, fit)
    for fold in np.unique(folds):
        of = np.flatnonzero(folds == fold)
        yield Predictions(
            "test",
            example=maps.table["example"].to_numpy()[of],
            group=names[of],
            target=maps.targets[of],
            prediction=[expected + residual for expected, residual in (found[n] for n in of)],
            rule="blocks",
            fold=int(fold),
            model=model,
        )
    logger.info(f"contacts, {model}: {len(maps.table)} maps")


def by_fold(targets: np.ndarray, folds: np.ndarray, fit: Fit) -> list[Predicted]:
    """Expected value and residual of every map, fitted on the other folds."""
    found: list[Predicted] = [(targets[0], targets[0])] * len(targets)
    for fold in np.unique(folds):
        train = np.flatnonzero(folds != fold)
        expected = expected_value(targets[train])
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
        from sklearn.linear_model import LinearRegression

        z = (gc - gc[train].mean()) / (gc[train].std() or 1.0)
        product = pair_products(z)
        line = LinearRegression().fit(product[train].reshape(-1, 1), residuals.ravel())
        return lambda number: line.predict(product[number][:, None])

    return fit


def _gc(maps: Maps) -> np.ndarray:
    """GC content of every bin (0 without known bases); float64 (maps, bins)."""
    found = np.zeros((len(maps.table), maps.bins))
    number, first = (maps.table[name].to_numpy() for name in ("segment", "first"))
    for segment in np.unique(number):
        ids = maps.ids(segment)
        for row in np.flatnonzero(number == segment):
            inside = ids[first[row] : first[row] + maps.bins * BIN_BP]
            found[row] = np.nan_to_num(gc_content(inside.reshape(maps.bins, BIN_BP)))
    return found


def bin_vectors(
    compressor: Compressor, ids: np.ndarray, first: np.ndarray, bins: int
) -> np.ndarray:
    """Mean vector of the bases of every bin of the maps of a segment, over both strands.

    Float32, shape (maps, bins, width). ``ids`` is uint8 (L,), of the segment, and ``first`` int
    (maps,), the first base of every map, in any order.
    """
    starts = np.sort((first[:, None] + BIN_BP * np.arange(bins)).ravel())
    opposite_starts = (len(ids) - BIN_BP - starts)[::-1]
    forward = bin_means(base_vectors(compressor, ids), starts)
    opposite = base_vectors(compressor, reverse_complement(ids))
    reverse = bin_means(opposite, opposite_starts, from_end=True)[::-1]
    means = forward / 2 + reverse / 2
    return means[np.searchsorted(starts, first)[:, None] + np.arange(bins)]


def bin_means(
    blocks: Iterable[np.ndarray], starts: np.ndarray, from_end: bool = False
) -> np.ndarray:
    """Mean vector of every bin of a sequence, with one block and one bin in memory.

    Returns float32 (bins, D), of the bins that lie completely in the blocks.

    Parameters
    ----------
    blocks : float32 arrays, shape (n, D), vectors of consecutive bases from base 0 on
    starts : int array, shape (bins,), first base of every bin, rising
    from_end : whether the bases of a bin are summed from its end, so that those of the other strand
        are summed in the order of this one
    """
    means: list[np.ndarray] = []
    held, at = np.zeros((0, 0), dtype=np.float32), 0  # vectors of the bases from ``at`` on
    for block in blocks:
        held = np.concatenate([held, block]) if len(held) else block
        while len(means) < len(starts) and starts[len(means)] + BIN_BP <= at + len(held):
            first = starts[len(means)] - at
            inside = held[first : first + BIN_BP]
            means.append((inside[::-1] if from_end else inside).mean(axis=0))
        needed = starts[len(means)] - at if len(means) < len(starts) else len(held)
        done = min(needed, len(held))
        held, at = held[done:], at + done
    return np.stack(means)


def pair_features(vectors: np.ndarray) -> np.ndarray:
    """[h_i * h_j, abs(h_i - h_j)] of the scored pairs of one map, float array (pairs, 2 width).

    Pairs are in the order of ``numpy.triu_indices(bins, 2)``; ``vectors`` is (bins, width).
    """
    rows, columns = entries(len(vectors))
    one, two = vectors[rows], vectors[columns]
    return np.concatenate([one * two, np.abs(one - two)], axis=1)


def smallest_penalty(results: dict[str, Any]) -> int:
    """Index of the smallest penalty whose error is at most 0.1 % above the lowest.

    ``results`` is ``cv_results_`` of a search whose score is the negative error, penalties
    ascending.
    """
    error = -np.asarray(results["mean_test_score"])
    return int(np.argmax(error <= WITHIN * error.min()))


def _ridge(vectors: np.ndarray, folds: np.ndarray) -> Fit:
    """Ridge regression whose penalty is chosen by cross-validation over the training folds.

    With uninformative vectors the error decreases towards that of no prediction, without a
    minimum; hence the choice of :func:`smallest_penalty`.
    """

    def fit(train: np.ndarray, residuals: np.ndarray) -> Callable[[int], np.ndarray]:
        from sklearn.linear_model import Ridge
        from sklearn.model_selection import GridSearchCV, GroupKFold
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        known = vectors[train].reshape(-1, vectors.shape[2]).astype(np.float64)
        mean, spread = known.mean(0), np.maximum(known.std(0), 1e-6)
        features = [pair_features((one - mean) / spread) for one in vectors]
        x = np.concatenate([features[number] for number in train])
        groups = np.repeat(folds[train], residuals.shape[1])
        search = GridSearchCV(
            make_pipeline(StandardScaler(), Ridge()),
            {"ridge__alpha": PENALTIES},
            cv=GroupKFold(len(np.unique(groups))),
            scoring="neg_mean_squared_error",
            refit=smallest_penalty,
        )
        search.fit(x, residuals.ravel(), groups=groups)
        return lambda number: np.asarray(search.predict(features[number]))

    return fit


@dataclass(frozen=True)
class ContactMap:
    """A square map inside one segment."""

    segment: int  # number of its segment
    start: int  # first base in genome coordinates, a multiple of 5,000
    counts: np.ndarray  # float64 array, shape (n, n), symmetric, raw counts

    @property
    def upper(self) -> np.ndarray:
        """log(1 + count) of the upper triangle from the second diagonal on, as a vector."""
        rows = np.triu_indices(len(self.counts), OFFSET)
        return np.asarray(np.log1p(self.counts[rows]))


def read_counts(path: Path) -> "csr_matrix":
    """Read a table without header: start of bin 1, start of bin 2, count.

    Returns a symmetric sparse matrix over bins of 5,000 bp from the chromosome's first base on.
    """
    try:
        table = pd.read_csv(path, sep="\t", header=None, names=["one", "two", "count"])
        at = table[["one", "two"]].to_numpy(dtype=np.int64)
        count = table["count"].to_numpy(dtype=np.float64)
    except (ValueError, OSError, pd.errors.ParserError) as error:
        raise GenezipError(f"{path} cannot be read ({error}); fetch the labels again") from None
    if len(at) == 0 or (at % BIN_BP).any() or at.min() < 0 or (at[:, 0] > at[:, 1]).any():
        raise GenezipError(
            f"{path} is no upper triangle of bins of {BIN_BP} bp; fetch the labels again"
        )
    wrong = ~(np.isfinite(count) & (count >= 0))
    if wrong.any():
        line = int(np.argmax(wrong))
        raise GenezipError(
            f"line {line + 1} of {path} has the count {count[line]:g}; counts are numbers from 0 "
            "on, so fetch the labels again"
        )
    from scipy.sparse import csr_matrix

    one, two = (at // BIN_BP).T
    size = int(two.max()) + 1
    upper = csr_matrix((count, (one, two)), shape=(size, size))
    diagonal = csr_matrix((count[one == two], (one[one == two],) * 2), shape=(size, size))
    return csr_matrix(upper + upper.T - diagonal)


def tiled(counts: "csr_matrix", segments: list[Segment], bins: int) -> list[ContactMap]:
    """Adjacent maps of ``bins`` whole bins inside the segments of :data:`CHROM`.

    A map without a scored contact (DNA to which short reads do not map uniquely) is left out.
    ``ContactMap.segment`` is an index of the list of segments.
    """
    found = []
    for number, segment in enumerate(segments):
        if segment.chrom != CHROM:
            continue
        first = -(-segment.start // BIN_BP)  # the first bin that begins inside the segment
        last = min(segment.end // BIN_BP, counts.shape[0])
        for at in range(first, last - bins + 1, bins):
            contact = ContactMap(
                number, at * BIN_BP, counts[at : at + bins, at : at + bins].toarray()
            )
            if contact.upper.any():
                found.append(contact)
    return found
