"""Rows of the measurements on real labels: values, intervals and paired differences.

All arms of a sheet are resampled together, so a difference of two of them is a paired one.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genezip.evaluation.bootstrap import MIN_BLOCKS, BlockBootstrap
from genezip.provenance import atomic_path
from genezip.tasks.arm import Arm

COLUMNS = (
    "model", "task", "subset", "rule", "split", "input", "mode", "metric", "value", "ci_low",
    "ci_high", "n", "positives", "unit", "units", "seed", "scale", "origin", "note",
)  # fmt: skip
BASELINE = "baseline"
LABELS = "labels"
"""Model name of the row that says why a part was not measured."""
AGAINST_BASELINE = "_minus_best_baseline"
AGAINST_CONTROL = "_minus_control"


@dataclass(frozen=True)
class Entry:
    """One metric of one arm: the sample (row 0) and its resamples, float64, shape (1 + r,)."""

    arm: Arm
    metric: str
    draws: np.ndarray
    n: int
    positives: int | None
    note: str


@dataclass
class Sheet:
    """Scores of all arms on one set of examples.

    Attributes
    ----------
    bootstrap : resamples of the units
    unit : what is resampled (blocks, maps, loci, genes)
    rule, split, scale : as in the columns
    """

    bootstrap: BlockBootstrap
    unit: str
    rule: str
    split: str
    scale: str
    entries: list[Entry] = field(default_factory=list)

    def add(
        self,
        arm: Arm,
        metric: str,
        draws: np.ndarray | None,
        n: int,
        positives: int | None = None,
        note: str = "",
    ) -> None:
        """Add a metric; ``draws`` is None where it is undefined, which ``note`` explains."""
        empty = np.full(1, np.nan)
        self.entries.append(
            Entry(arm, metric, empty if draws is None else draws, n, positives, note)
        )

    def rows(self, control: str | None = None) -> list[dict[str, Any]]:
        """Every value, then the paired differences of the models.

        Each model is compared with the baseline whose value of that metric is highest
        (``<metric>_minus_best_baseline``), and with the model named ``control``
        (``<metric>_minus_control``).
        """
        rows = [self._row(e, e.metric, e.draws, e.note) for e in self.entries]
        for entry in self.entries:
            if entry.arm.mode == BASELINE or not np.isfinite(entry.draws[0]):
                continue
            for name, other in (
                (AGAINST_BASELINE, self._best_baseline(entry.metric)),
                (AGAINST_CONTROL, self._model(entry.metric, control)),
            ):
                if other is not None and other.arm != entry.arm:
                    difference = entry.draws - other.draws
                    note = f"against {other.arm.model}"
                    rows.append(self._row(entry, entry.metric + name, difference, note))
        return rows

    def _best_baseline(self, metric: str) -> Entry | None:
        known = [
            entry
            for entry in self.entries
            if entry.metric == metric and entry.arm.mode == BASELINE and np.isfinite(entry.draws[0])
        ]
        return max(known, key=lambda entry: float(entry.draws[0]), default=None)

    def _model(self, metric: str, name: str | None) -> Entry | None:
        known = [
            entry
            for entry in self.entries
            if entry.metric == metric and entry.arm.model == name and np.isfinite(entry.draws[0])
        ]
        return known[0] if known else None

    def _row(self, entry: Entry, metric: str, draws: np.ndarray, note: str) -> dict[str, Any]:
        value, low, high = float(draws[0]), np.nan, np.nan
        units = self.bootstrap.n_blocks
        if np.isfinite(value):
            found = self.bootstrap.summarise(draws, np.array(units))
            low, high = float(found.low), float(found.high)
            if not np.isfinite(low):
                why = f"only {units} {self.unit}" if units < MIN_BLOCKS else "undefined resamples"
                note = "; ".join(filter(None, [note, f"no interval: {why}"]))
        elif not note:
            note = "undefined on these examples"
        arm = entry.arm
        return {
            "model": arm.model,
            "task": arm.task,
            "subset": arm.subset,
            "rule": self.rule,
            "split": self.split,
            "input": arm.input,
            "mode": arm.mode,
            "metric": metric,
            "value": value,
            "ci_low": low,
            "ci_high": high,
            "n": entry.n,
            "positives": entry.positives,
            "unit": self.unit,
            "units": units,
            "seed": arm.seed,
            "scale": self.scale,
            "origin": "measured",
            "note": note,
        }


def absent_row(task: str, scale: str, reason: str) -> dict[str, Any]:
    """The row of a part that was not measured, with the reason."""
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    told = {"model": LABELS, "task": task, "metric": "available", "value": 0, "note": reason}
    return {**row, **told, "scale": scale, "origin": "measured"}


def write_rows(path: str | Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write the rows as TSV, in the order of :data:`COLUMNS`, floats with 6 digits."""
    frame = pd.DataFrame(list(rows), columns=list(COLUMNS))
    for name in ("n", "positives", "units", "seed"):
        frame[name] = frame[name].astype("Int64")
    with atomic_path(path) as temporary:
        frame.to_csv(temporary, sep="\t", index=False, float_format="%.6g")
