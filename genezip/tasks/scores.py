"""Score rows: cells that name the method, a statistic with its interval, and sheets of methods.

A :class:`Sheet` holds the scores of all methods on one set of examples. All of them are taken
without the same unit each time, so a difference of two of them is a paired one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from genezip.artifacts.scores import (
    AGAINST_BASELINE,
    AGAINST_CONTROL,
    BASELINE,
    EXAMPLES,
    MEASURED,
    TASK_SCORES,
    Row,
    cell,
)
from genezip.metrics.bootstrap import BlockBootstrap, Scale, interval_note, ratio, scarcer
from genezip.tasks.base import Method
from genezip.tasks.predictions import PredictionFile


def row(method: Method, **cells: Any) -> Row:
    """A row of a method with every column; unknown names raise, absent ones stay empty."""
    own = {
        "model": method.model,
        "task": method.task,
        "subset": method.subset,
        "input": method.input,
        "mode": method.mode,
        "seed": method.seed,
        "origin": MEASURED,
        "note": "",
    }
    return TASK_SCORES.row(**(own | cells))


def joined(*notes: str) -> str:
    """Notes in one cell."""
    return "; ".join(note for note in notes if note)


def estimated(
    bootstrap: BlockBootstrap,
    values: np.ndarray,
    unit: str,
    scale: Scale = "difference",
    support: np.ndarray | None = None,
) -> Row:
    """Cells value, ci_low, ci_high, unit, units and note of one statistic.

    Parameters
    ----------
    bootstrap : BlockBootstrap
    values : float array, shape (1 + B,)
        Row 0 is the sample itself, the others leave one unit out; NaN where undefined.
    unit : str, plural of what is resampled
    scale : what values the statistic can take
    support : bool array, shape (B,), units that hold what is measured; None for all
    """
    found = bootstrap.summarise(np.asarray(values, dtype=np.float64), support, scale)
    return {
        "value": cell(found.value),
        "ci_low": cell(found.low),
        "ci_high": cell(found.high),
        "unit": unit,
        "units": bootstrap.n_blocks,
        "note": interval_note(float(found.value), float(found.low), int(found.blocks), unit),
    }


def ranked_support(bootstrap: BlockBootstrap, labels: np.ndarray) -> np.ndarray:
    """Units with a positive, or those with a negative where these are fewer; bool, (B,).

    Parameters
    ----------
    labels : array, shape (n,), 1 or True for a positive
    """
    positive = np.asarray(labels) == 1
    return scarcer(bootstrap.support(positive), bootstrap.support(~positive))


def fact_rows(files: Sequence[PredictionFile]) -> list[Row]:
    """The facts of prediction files: about the examples, or about a method where it is named."""
    found = []
    for file in files:
        assert file.task is not None
        methods = {(method.label, method.subset): method for method in file.methods}
        for fact in file.facts:
            method = Method(*file.task, EXAMPLES, None, "", "")
            if "arm" in fact:
                method = methods[fact["arm"], fact["subset"]]
            cells = {name: fact[name] for name in ("rule", "split", "metric", "n")}
            value = None if fact["value"] is None else cell(fact["value"])
            found.append(row(method, value=value, **cells))
    return found


@dataclass(frozen=True)
class Entry:
    """One metric of one method.

    Attributes
    ----------
    method, metric, note : what was measured
    values : float64 array, shape (1 + B,), of the sample (row 0) and without each unit
    n, positives : numbers of examples
    candidate : whether a baseline may be the best one
    scale, support : what values the metric can take, and units that hold what it measures, as of
        :meth:`genezip.metrics.bootstrap.BlockBootstrap.summarise`
    units : float64 array, scores of the units whose mean ``values`` is, NaN where undefined; None
        where it is no such mean
    """

    method: Method
    metric: str
    values: np.ndarray
    n: int
    positives: int | None
    note: str
    candidate: bool = True
    units: np.ndarray | None = None
    scale: Scale = "share"
    support: np.ndarray | None = None


@dataclass
class Sheet:
    """Scores of all methods on one set of examples.

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
        method: Method,
        metric: str,
        values: np.ndarray | None,
        n: int,
        positives: int | None = None,
        note: str = "",
        candidate: bool = True,
        scale: Scale = "share",
        support: np.ndarray | None = None,
    ) -> None:
        """Add a metric; ``values`` is None where it is undefined, which ``note`` explains.

        A baseline that is no ``candidate`` is shown, and no model is compared with it.
        """
        empty = np.full(1, np.nan)
        found = empty if values is None else values
        entry = Entry(method, metric, found, n, positives, note, candidate, None, scale, support)
        self.entries.append(entry)

    def add_mean(self, method: Method, metric: str, scores: np.ndarray) -> None:
        """Add the mean of one correlation per unit; units without a finite score are left out.

        Parameters
        ----------
        scores : float array, shape (units,)
        """
        values, n = mean_values(scores, self.bootstrap)
        lost = len(scores) - n
        note = f"{lost} {self.unit} without a defined score" if lost else ""
        units = np.asarray(scores)
        held = self.bootstrap.support(np.isfinite(units))
        entry = Entry(method, metric, values, n, None, note, True, units, "correlation", held)
        self.entries.append(entry)

    def rows(self, control: str | None = None) -> list[Row]:
        """Every value, then the paired differences of the models.

        Each model is compared with the candidate among the baselines whose value of that metric
        is highest (``<metric>_minus_best_baseline``), and with the model named ``control``
        (``<metric>_minus_control``): its run of the same seed, or of the lowest where there is
        none. The difference of two means of units is taken over the units where both are defined.
        """
        rows = [self._row(e, e.metric, e.values, e.note) for e in self.entries]
        for entry in self.entries:
            if entry.method.mode == BASELINE or not np.isfinite(entry.values[0]):
                continue
            for name, other in (
                (AGAINST_BASELINE, self._best_baseline(entry.metric)),
                (AGAINST_CONTROL, self._control(entry, control)),
            ):
                if other is not None:
                    rows.append(self._difference(entry, other, entry.metric + name))
        return rows

    def _difference(self, entry: Entry, other: Entry, metric: str) -> Row:
        note = f"against {other.method.model}"
        if other.method.seed not in (entry.method.seed, None) and other.method.mode != BASELINE:
            note += f" (seed {other.method.seed})"
        if entry.units is None or other.units is None:
            entry = replace(entry, scale="difference")
            return self._row(entry, metric, entry.values - other.values, note)
        units = entry.units - other.units
        values, n = mean_values(units, self.bootstrap)
        held = self.bootstrap.support(np.isfinite(units))
        if n < len(entry.units):
            note += f"; over the {n} of {len(entry.units)} {self.unit} where both are defined"
        entry = replace(entry, n=n, scale="difference", support=held)
        return self._row(entry, metric, values, note)

    def _best_baseline(self, metric: str) -> Entry | None:
        known = [
            entry
            for entry in self.entries
            if entry.metric == metric
            and entry.method.mode == BASELINE
            and entry.candidate
            and np.isfinite(entry.values[0])
        ]
        return max(known, key=lambda entry: float(entry.values[0]), default=None)

    def _control(self, of: Entry, name: str | None) -> Entry | None:
        """The run of the control that a model is compared with; none for the control itself."""
        known = [
            entry
            for entry in self.entries
            if entry.metric == of.metric
            and entry.method.model == name != of.method.model
            and np.isfinite(entry.values[0])
        ]
        same = [entry for entry in known if entry.method.seed == of.method.seed]
        return min(same or known, key=lambda entry: entry.method.seed or 0, default=None)

    def _row(self, entry: Entry, metric: str, values: np.ndarray, note: str) -> Row:
        if np.isfinite(values[0]):
            cells = estimated(self.bootstrap, values, self.unit, entry.scale, entry.support)
            note = joined(note, cells["note"])
        else:
            cells = {"unit": self.unit, "units": self.bootstrap.n_blocks}
            note = note or "undefined on these examples"
        return row(
            entry.method,
            rule=self.rule,
            split=self.split,
            metric=metric,
            n=entry.n,
            positives=entry.positives,
            scale=self.scale,
            **{**cells, "note": note},
        )


def mean_values(scores: np.ndarray, bootstrap: BlockBootstrap) -> tuple[np.ndarray, int]:
    """Mean of the finite scores with and without each unit, and their number.

    Parameters
    ----------
    scores : float array, shape (units,)

    Returns
    -------
    float64 array, shape (1 + B,), NaN where no score is finite; int
    """
    finite = np.isfinite(scores)
    sums = bootstrap.sums({"score": np.where(finite, scores, 0), "n": finite})
    return ratio(sums["score"], sums["n"]), int(finite.sum())
