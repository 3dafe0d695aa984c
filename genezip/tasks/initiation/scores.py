"""Scores of initiation: Pearson's r over all scored positions, both strands together.

tisp has one r per assay and the mean of the five; PRO-cap counts have one r. Sums are kept per
block, so that leaving one out is cheap.
"""

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from genezip.artifacts.scores import Row
from genezip.metrics.bootstrap import BlockBootstrap
from genezip.metrics.correlation import (
    ASSAYS,
    INITIATION_METRICS,
    NAMES,
    initiation_pcc,
    initiation_sums,
    moments,
    pearson,
    transformed,
)
from genezip.tasks.base import Method
from genezip.tasks.predictions import ArrayRow, PredictionFile, gathered
from genezip.tasks.scores import Examples, Sheet, compared, estimated, row

logger = logging.getLogger(__name__)

UNIT = "blocks"
METRIC, RULE = "pcc", "blocks"
"""Metric of PRO-cap counts, and their split scheme: every block is tested once."""
FLAT = "the prediction is constant within a fold, so Pearson is undefined"


def _zeros() -> np.ndarray:
    return np.zeros((len(ASSAYS), len(NAMES)))


@dataclass
class _Blocks:
    """Sums of one method, split scheme and split by block."""

    positions: int = 0
    sums: dict[str, np.ndarray] = field(default_factory=lambda: defaultdict(_zeros))

    def add(self, each: ArrayRow) -> None:
        self.positions += int(np.isfinite(each.target).any(axis=0).sum())
        self.sums[each.group] += initiation_sums(each.prediction, each.target)


def initiation_rows(files: Sequence[PredictionFile], bootstrap: int, seed: int) -> list[Row]:
    """Rows of every method, split scheme and split of files of one subset."""

    def finish(method: Method, rule: str, split: str, blocks: _Blocks) -> Iterator[Row]:
        # a block without a scored position contributes nothing
        scored = {name: sums for name, sums in blocks.sums.items() if sums[:, 0].any()}
        sums = np.stack(list(scored.values())) if scored else np.zeros((0, *_zeros().shape))
        boot = BlockBootstrap(np.array(list(scored), dtype=str), bootstrap, seed)
        values = initiation_pcc(boot.sums({"sums": sums})["sums"])
        common = {"rule": rule, "split": split, "n": blocks.positions}
        for metric, found in zip(INITIATION_METRICS, values.T, strict=True):
            cells = estimated(boot, found, UNIT, "correlation")
            if cells["value"] is None:
                cells["note"] = _undefined(metric, values[0], blocks.positions)
            yield row(method, metric=metric, **common, **cells)

    return [each for file in files for each in gathered(file, _Blocks, finish)]


def _undefined(metric: str, values: np.ndarray, positions: int) -> str:
    if not positions:
        return "no position is scored"
    lost = [name for name, value in zip(INITIATION_METRICS, values, strict=True) if np.isnan(value)]
    if metric == INITIATION_METRICS[-1] and len(lost) <= len(ASSAYS):
        return f"undefined, as {', '.join(lost[:-1])} {'is' if len(lost) == 2 else 'are'}"
    return "labels or predictions have no variance, so Pearson's r is undefined"


def procap_rows(
    files: Sequence[PredictionFile], bootstrap: int, seed: int, control: str | None
) -> list[Row]:
    """Rows of every method on PRO-cap counts, and of the paired differences."""
    rows: list[Row] = []
    for part in compared(files):
        rows += part.rows(_procap, UNIT, (bootstrap, seed), control, resampled="example")
    return rows


def _procap(sheet: Sheet, method: Method, examples: Examples) -> None:
    """Add one r over all blocks; n is the number of scored bases."""
    pairs = list(zip(examples.prediction, examples.target, strict=True))
    sums = np.stack([procap_sums(prediction, target) for prediction, target in pairs])
    r = pearson(sheet.bootstrap.sums({"moments": sums})["moments"])
    scored = sum(int(np.isfinite(target[0]).sum()) for _, target in pairs)
    sheet.add(method, METRIC, r, scored, scale="correlation")
    found = sheet.entries[-1]
    logger.info(f"{method.task}, {method.model}: {found.note or f'r = {found.values[0]:.3f}'}")


def procap_sums(prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Moments over both strands of a block, on the scale of the benchmark.

    Both are float (2, n), ln(count + 1); NaN targets are left out. The result is float64 (6,), as
    of :func:`genezip.metrics.correlation.moments`.
    """
    return moments(transformed(prediction, "pc"), transformed(target, "pc"))
