"""Real PRO-cap counts at single bases: a frozen model against profile, constant and local bases.

Targets are ln(count + 1), as the PRO-cap tracks of DNALongBench. The head is a layer norm and a
linear map to the log of the rate, as GeneZip's, under the same loss. That loss is the Poisson
deviance and the head is linear, so it is solved exactly (Newton's method) and no learning rate is
chosen. One map reads the strand of the vector, one the other strand; the rate of a strand is the
mean over both strands that are read.
"""

import logging
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from sklearn.linear_model import PoissonRegressor

from genezip.artifacts.scores import TASK_SCORES
from genezip.genome.sources.source import Source
from genezip.metrics.bootstrap import BlockBootstrap
from genezip.metrics.correlation import moments, pearson, transformed
from genezip.tasks.base import Method, baseline_method
from genezip.tasks.initiation.base_features import BaseFeatures, local_features, normed
from genezip.tasks.initiation.baselines import add_profile, oriented
from genezip.tasks.initiation.label_initiation import (
    CHROM,
    Block,
    LabelledSegment,
    Sampled,
    blocks,
    learned,
    read_initiation,
    sample,
)
from genezip.tasks.predictions import PredictionWriter
from genezip.tasks.real_run import (
    LabelRun,
    both_strands,
    model_method,
    too_long,
    too_many_counts,
)
from genezip.tasks.scores import Sheet
from genezip.tasks.tasks import annotated_tss

logger = logging.getLogger(__name__)

PART, SUBSET = "initiation", "procap"
PROFILE_BP = 1_000  # on each side of a TSS
RIDGE = 1e-5
CONSTANT = "constant"
FLAT = "the prediction is constant within a fold, so Pearson is undefined"


def measure_initiation(run: LabelRun) -> None:
    """Write scores and predictions of the part ``initiation``."""
    if reason := run.absent(PART):
        run.give_up(PART, reason)
        return
    files, assembly = run.files(), Source.load(run.source).assembly()
    if reason := too_long(segment for segment in assembly.segments if segment.chrom == CHROM):
        run.give_up(PART, reason)
        return
    segments = read_initiation(files.one("procap.plus.bw"), files.one("procap.minus.bw"), assembly)
    if not segments:
        run.give_up(PART, "the genome of this run has no segment of chr22 with PRO-cap counts")
        return
    settings = run.settings
    cut = blocks([len(segment.ids) for segment in segments], settings.block_bp, settings.folds)
    targets = [_scored(np.log1p(segment.counts), segment.scored) for segment in segments]
    sampled = sample(targets, settings.zero_share, settings.seed)
    if not learnable(cut, targets, sampled, settings.gap_bp):
        blocks_of = f"{len(cut)} block{'s' if len(cut) > 1 else ''} of {settings.block_bp:,} bp"
        reason = f"PRO-cap counts cover {blocks_of}, too few to learn some and test the others"
        run.give_up(PART, reason)
        return
    names = [f"{segments[b.segment].segment.name}+{b.first}" for b in cut]
    bootstrap = BlockBootstrap(np.arange(len(cut)), settings.bootstrap, settings.seed)
    sheet = Sheet(bootstrap, "blocks", "blocks", "test", run.scale)
    scored = int(sum(segment.scored.sum() for segment in segments))
    truth = [targets[b.segment][:, b.first : b.last] for b in cut]

    with PredictionWriter(run.predictions, None, "array", (2, -1)) as writer:

        def add(method: Method, predicted: list[np.ndarray]) -> None:
            sums = np.stack([_sums(p, t) for p, t in zip(predicted, truth, strict=True)])
            r = pearson(bootstrap.sums({"moments": sums})["moments"])
            if method.model == CONSTANT:
                sheet.add(method, "pcc", None, scored, note=FLAT)
                writer.note(method, "pcc", FLAT)
                score = FLAT
            else:
                sheet.add(method, "pcc", r, scored, scale="correlation")
                score = f"r = {r[0]:.3f}"
            for fold in range(settings.folds):
                of = [number for number, block in enumerate(cut) if block.fold == fold]
                writer.add(
                    method=method,
                    rule="blocks",
                    fold=fold,
                    split="test",
                    example=np.array(of, dtype=np.int64),
                    group=[names[number] for number in of],
                    target=[truth[number] for number in of],
                    prediction=[predicted[number] for number in of],
                )
            logger.info(f"labels: initiation, {method.model}: {score}")

        tss = annotated_tss(run.source, "basic", None)
        add(baseline_method(CONSTANT, PART, SUBSET), _constant(cut, targets, settings.gap_bp))
        profile = _profile(cut, targets, segments, tss, settings.gap_bp)
        add(baseline_method("tss_profile", PART, SUBSET), profile)
        local = [local_features(segment.ids) for segment in segments]
        fitted = cross_fitted(cut, targets, local, sampled, settings.gap_bp)
        add(baseline_method("local_bases", PART, SUBSET), fitted)
        for model in run.compressors():
            method = model_method(model, PART, SUBSET)
            if reason := too_many_counts(model, sum(len(segment.ids) for segment in segments)):
                sheet.add(method, "pcc", None, 0, note=reason)
                logger.warning(f"labels: initiation, {method.model} not measured: {reason}")
                continue
            vectors = [normed(both_strands(model, segment.ids)) for segment in segments]
            add(method, cross_fitted(cut, targets, vectors, sampled, settings.gap_bp))
    TASK_SCORES.write(run.out, sheet.rows(run.control))


def _scored(target: np.ndarray, scored: np.ndarray) -> np.ndarray:
    """NaN where a base is not scored; such a base is not learned either."""
    return np.where(scored, target, np.nan)


def _sums(predicted: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Both strands of a block together, on the scale of the benchmark."""
    return moments(transformed(predicted, "pc"), transformed(target, "pc"))


def learnable(
    cut: list[Block], targets: list[np.ndarray], sampled: list[Sampled], gap_bp: int
) -> bool:
    """Whether every fold leaves some sampled base to learn from."""
    for fold in {block.fold for block in cut}:
        free = _learned([block for block in cut if block.fold == fold], targets, gap_bp)
        if not any(f[s.at].any() for f, s in zip(free, sampled, strict=True)):
            return False
    return True


def cross_fitted(
    cut: list[Block],
    targets: list[np.ndarray],
    features: Sequence[BaseFeatures],
    sampled: list[Sampled],
    gap_bp: int,
) -> list[np.ndarray]:
    """Rates of every block from heads that learned the other folds.

    No rate of a strand that is read is higher than the highest target that was learned.

    Returns
    -------
    One float32 array (2, bases) per block, on the scale of the targets.
    """

    def fit(tested: list[Block]) -> Callable[[Block], np.ndarray]:
        free = _learned(tested, targets, gap_bp)
        chosen = [s.at[free[number][s.at]] for number, s in enumerate(sampled)]
        weight = np.concatenate([s.weight[f[s.at]] for s, f in zip(sampled, free, strict=True)])
        rows = [features[segment][way][at] for way in (0, 1) for segment, at in enumerate(chosen)]
        x = np.concatenate(rows).astype(np.float64)
        plus, minus = (
            np.concatenate([t[strand, at] for t, at in zip(targets, chosen, strict=True)])
            for strand in (0, 1)
        )
        weights = np.concatenate([weight, weight])
        # The rate is an exponential: next to runs of N, which are not learned, it can be millions.
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


def poisson_head(x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> PoissonRegressor:
    """Linear map to the log of a rate that minimises the Poisson deviance.

    Parameters
    ----------
    x : float array, shape (n, width); y : float array, shape (n,), none negative
    weight : float array, shape (n,)
    """
    head = PoissonRegressor(alpha=RIDGE, solver="newton-cholesky", max_iter=200, tol=1e-6)
    return head.fit(x, y, sample_weight=weight)


def _constant(cut: list[Block], targets: list[np.ndarray], gap_bp: int) -> list[np.ndarray]:
    """The mean of the learned bases, over both strands, at every base."""

    def fit(tested: list[Block]) -> Callable[[Block], np.ndarray]:
        free = _learned(tested, targets, gap_bp)
        total = sum(float(t[:, f].sum()) for t, f in zip(targets, free, strict=True))
        mean = total / max(2 * sum(int(f.sum()) for f in free), 1)
        return lambda block: np.full((2, block.last - block.first), mean, dtype=np.float32)

    return _by_fold(cut, fit)


def _profile(
    cut: list[Block],
    targets: list[np.ndarray],
    segments: list[LabelledSegment],
    tss: pd.DataFrame,
    gap_bp: int,
) -> list[np.ndarray]:
    """The mean profile around learned TSSs, added at every annotated TSS."""
    places = [_tss_of(segment, tss) for segment in segments]

    def fit(tested: list[Block]) -> Callable[[Block], np.ndarray]:
        free = _learned(tested, targets, gap_bp)
        windows = []
        for number, target in enumerate(targets):
            for at, plus in places[number]:
                low, high = at - PROFILE_BP, at + PROFILE_BP + 1
                if low >= 0 and high <= target.shape[1] and free[number][low:high].all():
                    windows.append(oriented(target[:, low:high], plus))
        profile = np.mean(windows, axis=0) if windows else np.zeros((2, 2 * PROFILE_BP + 1))

        def predict(block: Block) -> np.ndarray:
            found = np.zeros((2, block.last - block.first), dtype=np.float32)
            for at, plus in places[block.segment]:
                add_profile(found, profile, at - PROFILE_BP - block.first, plus)
            return found

        return predict

    return _by_fold(cut, fit)


def _tss_of(segment: LabelledSegment, tss: pd.DataFrame) -> list[tuple[int, bool]]:
    """Place in the segment of the TSSs near it, and whether they are on the plus strand."""
    low, high = segment.segment.start - PROFILE_BP, segment.segment.end + PROFILE_BP
    near = tss[(tss["chrom"] == segment.segment.chrom) & tss["position"].between(low, high)]
    at, plus = near["position"] - segment.segment.start, near["strand"] != "-"
    return list(zip(at.tolist(), plus.tolist(), strict=True))


def _learned(tested: list[Block], targets: list[np.ndarray], gap_bp: int) -> list[np.ndarray]:
    """Scored bases of each segment that are far enough from the tested blocks."""
    return [
        learned(target.shape[1], [b for b in tested if b.segment == number], gap_bp)
        & np.isfinite(target[0])
        for number, target in enumerate(targets)
    ]


def _by_fold(
    cut: list[Block], fit: Callable[[list[Block]], Callable[[Block], np.ndarray]]
) -> list[np.ndarray]:
    """Fit once per fold, without its blocks, and predict them."""
    found: list[np.ndarray | None] = [None] * len(cut)
    for fold in sorted({block.fold for block in cut}):
        predict = fit([block for block in cut if block.fold == fold])
        for number, block in enumerate(cut):
            if block.fold == fold:
                found[number] = predict(block)
    return [block for block in found if block is not None]
