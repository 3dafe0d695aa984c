"""PRO-cap counts at single bases: a frozen model beside profile, constant and local bases.

Targets are ln(count + 1), as in the PRO-cap tracks of DNALongBench. Head and loss are those of
GeneZip: a layer norm and a linear map to the log of the rate. As the loss is the Poisson deviance
and the head is linear, the fit is exact (Newton's method), without a learning rate. One map
predicts the strand of the vector, another the opposite strand; the rate of a strand is the mean
over the predictions from both strands' vectors.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from genezip import config
from genezip.alphabet import A_ID, reverse_complement
from genezip.artifacts.scores import Row
from genezip.errors import GenezipError
from genezip.models.base import Compressor, vector_width
from genezip.tasks.base import Found, Job, Layout, Note, Predictions, Task
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.examples import Prepared
from genezip.tasks.initiation.baselines import (
    HALF_BP,
    NO_TSS,
    Sites,
    laid_out,
    mean_profile,
    sites_of,
)
from genezip.tasks.initiation.procap_labels import (
    NAME,
    SUBSET,
    Block,
    CountedSegment,
    ProcapExamples,
    Sampled,
    has_training_bases,
    prepare_procap,
    sample,
    training_bases,
)
from genezip.tasks.initiation.scores import FLAT, METRIC, RULE, UNIT, procap_rows
from genezip.tasks.label_files import measurable
from genezip.tasks.predictions import PredictionFile

if TYPE_CHECKING:  # a function imports it: a list of tasks does without
    from sklearn.linear_model import PoissonRegressor

logger = logging.getLogger(__name__)

LOCAL_BP = 10  # on each side of a base
RIDGE = 1e-5
MOST_COUNTS = 500_000_000  # token-id counts of bases, nearly all of them 0
UNANNOTATED = "no annotated TSS is known, so there is no profile"
_NORM_EPS = 1e-5  # of the layer norm, as in PyTorch

BaseFeatures = tuple[np.ndarray, np.ndarray]
"""Features of every base on both strands; row i of both arrays belongs to base i."""


class PROcap(Task[ProcapExamples]):
    """The task of PRO-cap counts on the segments of chr22, with a head for each fold of blocks."""

    name = NAME
    settings = config.Labels
    metrics = dict.fromkeys((METRIC,), UNIT)
    layout = Layout("array", (2, -1), "<f4", "<f4", "two strands and an axis of positions")
    caches = False
    own_subset = SUBSET

    def prepare(
        self, files: TaskFiles, genome: Path, subset: str, settings: Any, seed: int, manifest: Path
    ) -> Prepared:
        """As of :class:`Task`."""
        assembly = measurable(self, files, genome, subset).assembly()
        return prepare_procap(assembly, files, genome, settings, seed, manifest)

    def open(self, manifest: Path, genome: Path) -> ProcapExamples:
        """As of :class:`Task`."""
        return ProcapExamples.load(manifest, genome)

    def annotated_tss(self, source: Path) -> pd.DataFrame:
        """As of :class:`Task`."""
        from genezip.tasks.run import annotated_tss

        return annotated_tss(source, "basic", None)

    def baselines(self, job: Job[ProcapExamples], tss: pd.DataFrame | None) -> Iterator[Found]:
        """As of :class:`Task`: one value, the profile around TSSs, the bases around a base."""
        examples, gap_bp = job.examples, job.settings.gap_bp
        cut, targets, segments = examples.blocks, examples.targets, examples.segments
        yield Note(METRIC, FLAT, RULE, model="constant")
        yield from _predictions(examples, constant(cut, targets, gap_bp), "constant")
        if tss is None:
            yield Note(METRIC, UNANNOTATED, RULE, model="tss_profile")
        else:
            profile = tss_profile(cut, targets, segments, tss, gap_bp)
            yield from _predictions(examples, profile, "tss_profile")
        local = [local_features(segment.ids) for segment in segments]
        yield from _predictions(examples, _fitted(job, local), "local_bases")

    def fit_uncached(self, compressor: Compressor, job: Job[ProcapExamples]) -> Iterator[Found]:
        """As of :class:`Task`."""
        segments = job.examples.segments
        if reason := too_many_counts(compressor, sum(len(segment.ids) for segment in segments)):
            logger.warning(f"{NAME}, {compressor.name} not measured: {reason}")
            yield Note(METRIC, reason, RULE)
            return
        vectors = [normed(both_strands(compressor, segment.ids)) for segment in segments]
        yield from _predictions(job.examples, _fitted(job, vectors))

    def scores(
        self, files: Sequence[PredictionFile], bootstrap: int, seed: int, control: str | None
    ) -> list[Row]:
        """As of :class:`Task`."""
        return procap_rows(files, bootstrap, seed, control)


def _fitted(job: Job[ProcapExamples], features: Sequence[BaseFeatures]) -> list[np.ndarray]:
    cut, targets, gap_bp = job.examples.blocks, job.examples.targets, job.settings.gap_bp
    sampled = sample(targets, job.settings.zero_share, job.seed)
    if not has_training_bases(cut, targets, sampled, gap_bp):
        raise GenezipError(
            f"with gap_bp {gap_bp:,} no training base is left beside the test blocks; prepare "
            f"{NAME} again with these settings"
        )
    return cross_fitted(cut, targets, features, sampled, gap_bp)


def _predictions(
    examples: ProcapExamples, predicted: list[np.ndarray], model: str | None = None
) -> Iterator[Predictions]:
    """Predictions of every block, fold by fold."""
    targets = examples.targets
    for fold in sorted({block.fold for block in examples.blocks}):
        of = [(n, block) for n, block in enumerate(examples.blocks) if block.fold == fold]
        yield Predictions(
            "test",
            example=np.array([number for number, _ in of], dtype=np.int64),
            group=[examples.names[number] for number, _ in of],
            target=[targets[block.segment][:, block.first : block.last] for _, block in of],
            prediction=[predicted[number] for number, _ in of],
            rule=RULE,
            fold=fold,
            model=model,
        )


def cross_fitted(
    cut: list[Block],
    targets: list[np.ndarray],
    features: Sequence[BaseFeatures],
    sampled: list[Sampled],
    gap_bp: int,
) -> list[np.ndarray]:
    """Rates of every block from heads fitted on the other folds, on the scale of the targets.

    Each strand's rate is clipped at the highest training target; float32 (2, bases) per block.
    """

    def fit(test: list[Block]) -> Callable[[Block], np.ndarray]:
        free = training_bases(test, targets, gap_bp)
        chosen = [s.at[free[number][s.at]] for number, s in enumerate(sampled)]
        weight = np.concatenate([s.weight[f[s.at]] for s, f in zip(sampled, free, strict=True)])
        rows = [features[segment][way][at] for way in (0, 1) for segment, at in enumerate(chosen)]
        x = np.concatenate(rows).astype(np.float64)
        plus, minus = (
            np.concatenate([t[strand, at] for t, at in zip(targets, chosen, strict=True)])
            for strand in (0, 1)
        )
        weights = np.concatenate([weight, weight])
        # The rate is an exponential: near runs of N, which are not in training, it can be millions.
        top = max(float(plus.max()), float(minus.max()))
        same = poisson_head(x, np.concatenate([plus, minus]), weights)
        other = poisson_head(x, np.concatenate([minus, plus]), weights)

        def predict(block: Block) -> np.ndarray:
            forward, reverse = (
                way[block.first : block.last].astype(np.float32) for way in features[block.segment]
            )
            straight, crossed = (
                [np.minimum(head.predict(way), top) for way in (forward, reverse)]
                for head in (same, other)
            )
            plus = (straight[0] + crossed[1]) / 2
            minus = (crossed[0] + straight[1]) / 2
            return np.stack([plus, minus]).astype(np.float32)

        return predict

    return _by_fold(cut, fit)


def poisson_head(x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> "PoissonRegressor":
    """Linear map to the log of a rate that minimises the Poisson deviance.

    ``x`` is float (n, width), ``y`` and ``weight`` are float (n,), none negative.
    """
    from sklearn.linear_model import PoissonRegressor

    head = PoissonRegressor(alpha=RIDGE, solver="newton-cholesky", max_iter=200, tol=1e-6)
    return head.fit(x, y, sample_weight=weight)


def constant(cut: list[Block], targets: list[np.ndarray], gap_bp: int) -> list[np.ndarray]:
    """The mean of the training bases, over both strands, at every base."""

    def fit(test: list[Block]) -> Callable[[Block], np.ndarray]:
        free = training_bases(test, targets, gap_bp)
        total = sum(float(t[:, f].sum()) for t, f in zip(targets, free, strict=True))
        mean = total / max(2 * sum(int(f.sum()) for f in free), 1)
        return lambda block: np.full((2, block.last - block.first), mean, dtype=np.float32)

    return _by_fold(cut, fit)


def tss_profile(
    cut: list[Block],
    targets: list[np.ndarray],
    segments: list[CountedSegment],
    tss: pd.DataFrame,
    gap_bp: int,
) -> list[np.ndarray]:
    """The mean profile around training TSSs, added at every annotated TSS."""
    known = sites_of(tss, {s.segment.chrom: s.segment.end for s in segments})
    sites = {}
    for number, segment in enumerate(s.segment for s in segments):
        own = known.get(segment.chrom, NO_TSS)
        sites[number] = Sites(own.positions - segment.start, own.plus)
    lengths = {number: target.shape[1] for number, target in enumerate(targets)}

    def fit(test: list[Block]) -> Callable[[Block], np.ndarray]:
        free = training_bases(test, targets, gap_bp)
        profile = mean_profile(
            lambda number, start, end: targets[number][:, start:end],
            sites,
            lengths,
            0,
            lambda number, start, end: bool(free[number][start:end].all()),
        )
        if profile is None:
            profile = np.zeros((2, 2 * HALF_BP + 1))

        def predict(block: Block) -> np.ndarray:
            own = sites[block.segment]
            return laid_out(profile, own, block.first, block.last).astype(np.float32)

        return predict

    return _by_fold(cut, fit)


def _by_fold(
    cut: list[Block], fit: Callable[[list[Block]], Callable[[Block], np.ndarray]]
) -> list[np.ndarray]:
    """Predictions of the blocks of each fold by a fit on the other blocks."""
    found: list[np.ndarray | None] = [None] * len(cut)
    for fold in sorted({block.fold for block in cut}):
        predict = fit([block for block in cut if block.fold == fold])
        for number, block in enumerate(cut):
            if block.fold == fold:
                found[number] = predict(block)
    return [block for block in found if block is not None]


def too_many_counts(compressor: Compressor, length: int) -> str | None:
    """Reason why token-id counts of all bases do not fit in memory; None where they fit."""
    from genezip.models.token_counts import TokenCounts

    width = vector_width(compressor)
    if not isinstance(compressor, TokenCounts) or length * width <= MOST_COUNTS:
        return None
    return (
        f"{width:,} token-id counts for each of {length:,} bases are {length * width:,} numbers, "
        f"and at most {MOST_COUNTS:,} are held in memory"
    )


def both_strands(compressor: Compressor, ids: np.ndarray) -> BaseFeatures:
    """Vectors of every base on both strands: two float32 arrays (L, width), of token ids (L,).

    Row i of both belongs to base i; in the second, its vector comes from reading the complement of
    the bases right of it and then its own.
    """
    from genezip.inference.forward import base_vectors

    forward = np.concatenate(list(base_vectors(compressor, ids)))
    reverse = np.concatenate(list(base_vectors(compressor, reverse_complement(ids))))[::-1]
    return forward, reverse


def normed(features: BaseFeatures) -> BaseFeatures:
    """Layer norm without scale and shift of each vector, kept in half precision."""

    def one(states: np.ndarray) -> np.ndarray:
        mean = states.mean(axis=1, keepdims=True)
        spread = np.sqrt(states.var(axis=1, keepdims=True) + _NORM_EPS)
        return ((states - mean) / spread).astype(np.float16)

    forward, reverse = features
    return one(forward), one(reverse)


def local_features(ids: np.ndarray, reach: int = LOCAL_BP) -> BaseFeatures:
    """One-hot bases within ``reach`` of every base, on both strands; zero at N and outside.

    Two float16 arrays, shape (L, 4 (2 reach + 1)); row i of both belongs to base i.
    """

    def one(sequence: np.ndarray) -> np.ndarray:
        padded = np.pad(sequence, reach)
        around = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
        hot = around[:, :, None] == np.arange(A_ID, A_ID + 4)
        return hot.reshape(len(sequence), -1).astype(np.float16)

    return one(ids), one(reverse_complement(ids))[::-1]
