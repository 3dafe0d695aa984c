"""Score rows: cells that name the method, a statistic with its interval, and sheets of methods.

A :class:`Sheet` holds the scores of all methods on one set of examples. Each resample leaves out
the same unit for all methods, so the difference of two scores is a paired one.
:func:`compared` reads such sets, with their notes, from prediction files.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, Literal

import numpy as np

from genezip.artifacts.scores import (
    AGAINST_BASELINE,
    AGAINST_CONTROL,
    AGAINST_UNTRAINED,
    BASELINE,
    EXAMPLES,
    MEASURED,
    TASK_SCORES,
    UNTRAINED,
    Row,
    cell,
)
from genezip.errors import GenezipError
from genezip.inference.changes import KINDS
from genezip.metrics.bootstrap import (
    NO_SPREAD,
    BlockBootstrap,
    Scale,
    interval_note,
    ratio,
    scarcer,
)
from genezip.models.compressed import LikelihoodKind
from genezip.tasks.base import Method
from genezip.tasks.predictions import METHOD_COLUMNS, ArrayRow, PredictionFile, method_of


def row(method: Method, **cells: Any) -> Row:
    """A row of a method with every column; unknown names raise, omitted ones stay empty."""
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


def of_kind(rule: str, kind: LikelihoodKind) -> str:
    """Name of what is scored by a kind of likelihood.

    Only scores of exact likelihoods have the plain name, so no other is compared with them.
    """
    return rule if kind == "exact" else f"{rule}_{kind}"


def inexact(rule: str) -> str:
    """Note on scores of a likelihood that is not exact; empty for others."""
    for kind in KINDS[1:]:
        if rule.endswith(f"_{kind}"):
            return f"{kind} likelihood, not comparable with exact ones"
    return ""


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
    values : float array, shape (1 + B,)
        Row 0 is the sample itself, the others leave one unit out; NaN where undefined.
    unit : plural of the resampled unit
    scale : range of the statistic
    support : bool array, shape (B,), units that contribute to the statistic; None for all
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


def ranked_support(bootstrap: BlockBootstrap, targets: np.ndarray) -> np.ndarray:
    """Units with a positive (1 or True), or with a negative where these are fewer; bool, (B,)."""
    positive = np.asarray(targets) == 1
    return scarcer(bootstrap.support(positive), bootstrap.support(~positive))


def class_support(bootstrap: BlockBootstrap, truth: np.ndarray, classes: int) -> np.ndarray:
    """Units that have (or lack) the class with the fewest such units; bool, (B,)."""
    return reduce(scarcer, [ranked_support(bootstrap, truth == one) for one in range(classes)])


def fact_rows(files: Sequence[PredictionFile]) -> list[Row]:
    """Rows of the facts of prediction files, about the examples or about a named method."""
    found = []
    for file in files:
        assert file.task is not None
        methods = {(method.label, method.subset): method for method in file.methods}
        for fact in file.facts:
            task, subset = file.task
            # files of earlier versions have one subset and do not name it
            method = Method(task, fact.get("subset") or subset, EXAMPLES, None, "", "")
            if "arm" in fact:
                method = methods[fact["arm"], fact["subset"]]
            cells = {name: fact[name] for name in ("rule", "split", "metric", "n")}
            value = None if fact["value"] is None else cell(fact["value"])
            found.append(row(method, value=value, **cells))
    return found


@dataclass(frozen=True)
class Entry:
    """One metric of one method."""

    # method, metric, note: as in the columns
    method: Method
    metric: str
    values: np.ndarray  # float64 array, shape (1 + B,), of the sample (row 0) and without each unit
    # n, positives: numbers of examples
    n: int
    positives: int | None
    note: str
    # float64 array, scores of the units, NaN where undefined, where ``values`` is their mean; None
    # elsewhere
    units: np.ndarray | None = None
    # scale, support: range of the metric and units that contribute to it, as of
    # :meth:`genezip.metrics.bootstrap.BlockBootstrap.summarise`
    scale: Scale = "share"
    support: np.ndarray | None = None


@dataclass
class Sheet:
    """Scores of all methods on one set of examples."""

    bootstrap: BlockBootstrap  # resamples of the units
    unit: str  # plural of the resampled unit (blocks, maps, loci, genes)
    # rule, split: as in the columns
    rule: str
    split: str
    # (label of a method, metric) -> its note in a prediction file
    notes: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    # names of baselines that are shown, but that no model is compared with
    shown: frozenset[str] = frozenset()
    entries: list[Entry] = field(default_factory=list)

    def add(
        self,
        method: Method,
        metric: str,
        values: np.ndarray | None,
        n: int,
        positives: int | None = None,
        note: str = "",
        scale: Scale = "share",
        support: np.ndarray | None = None,
    ) -> None:
        """Add a metric; ``values`` is None where it is undefined, and ``note`` has the reason."""
        found = np.full(1, np.nan) if values is None else values
        self._add(Entry(method, metric, found, n, positives, note, None, scale, support))

    def add_mean(self, method: Method, metric: str, scores: np.ndarray) -> None:
        """Add the mean of one correlation per unit, float (units,), over finite ones."""
        values, n = mean_values(scores, self.bootstrap)
        lost = len(scores) - n
        note = f"{lost} {self.unit} without a defined score" if lost else ""
        units = np.asarray(scores)
        held = self.bootstrap.support(np.isfinite(units))
        self._add(Entry(method, metric, values, n, None, note, units, "correlation", held))

    def _add(self, entry: Entry) -> None:
        """Add an entry, emptied where a note states that its metric does not apply."""
        noted = self.notes.get((entry.method.label, entry.metric))
        if noted is not None:
            reason = noted["reason"]
            if noted["value_stands"]:
                entry = replace(entry, note=joined(reason, entry.note))
            else:
                n = entry.n if entry.units is None else 0  # no unit has a score
                entry = Entry(entry.method, entry.metric, np.full(1, np.nan), n, None, reason)
        self.entries.append(entry)

    def rows(self, control: str | None = None) -> list[Row]:
        """Rows of every value, then of the paired differences of the models.

        Each model is compared with the candidate among the baselines whose value of that metric
        is highest (``<metric>_minus_best_baseline``), with the model named ``control``
        (``<metric>_minus_control``) and with the untrained one (``<metric>_minus_untrained``): its
        run of the same seed, or of the lowest where there is none. The difference of two means of
        units is taken over the units where both are defined.
        """
        rows = [self._row(e, e.metric, e.values, e.note) for e in self.entries]
        for entry in self.entries:
            if entry.method.mode == BASELINE or not np.isfinite(entry.values[0]):
                continue
            for name, other in (
                (AGAINST_BASELINE, self._best_baseline(entry.metric)),
                (AGAINST_CONTROL, self._control(entry, control)),
                (AGAINST_UNTRAINED, self._control(entry, UNTRAINED)),
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
            and entry.method.model not in self.shown
            and np.isfinite(entry.values[0])
        ]
        return max(known, key=lambda entry: float(entry.values[0]), default=None)

    def _control(self, of: Entry, name: str | None) -> Entry | None:
        """The run of the control that a model is compared with; None for the control itself."""
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
            **{**cells, "note": note},
        )


def mean_values(scores: np.ndarray, bootstrap: BlockBootstrap) -> tuple[np.ndarray, int]:
    """Mean of the finite scores, float (units,), with and without each unit, and their number.

    The means are a float64 array (1 + B,), NaN where no score is finite.
    """
    finite = np.isfinite(scores)
    sums = bootstrap.sums({"score": np.where(finite, scores, 0), "n": finite})
    return ratio(sums["score"], sums["n"]), int(finite.sum())


@dataclass(frozen=True)
class Examples:
    """Predictions of a method under one split scheme and split, in order of the example number."""

    # example, fold: int64 arrays, shape (n,)
    example: np.ndarray
    fold: np.ndarray
    group: np.ndarray  # str array, shape (n,)
    # target, prediction: float64 arrays, shape (n,); of an array task lists of n arrays
    target: Any
    prediction: Any


@dataclass(frozen=True)
class Compared:
    """Methods that predicted the same examples: those of one split scheme and split of a subset."""

    # subset, rule, split: as in the columns
    subset: str
    rule: str
    split: str
    methods: Mapping[Method, Examples | None]  # predictions of each; None where it has only notes
    notes: Mapping[tuple[str, str], Mapping[str, Any]]  # as of :class:`Sheet`

    @property
    def units(self) -> np.ndarray:
        """Resampled unit of every example, with the subset's name before its own; str (n,)."""
        first = next(each for each in self.methods.values() if each is not None)
        return np.array([f"{self.subset}\t{group}" for group in first.group])

    def of(self, model: str) -> Examples | None:
        """Predictions of the first method with this model; None without one."""
        return next((each for key, each in self.methods.items() if key.model == model), None)

    def rows(
        self,
        fill: Callable[[Sheet, Method, Examples], None],
        unit: str,
        draws: tuple[int, int],
        control: str | None,
        resampled: Literal["group", "example"] = "group",
        shown: frozenset[str] = frozenset(),
        least_spread: float = NO_SPREAD,
    ) -> list[Row]:
        """Rows of every value, then of the paired differences, as of :meth:`Sheet.rows`.

        ``control`` is that of :meth:`Sheet.rows`, the others are those of :meth:`sheet`.
        """
        return self.sheet(fill, unit, draws, resampled, shown, least_spread).rows(control)

    def sheet(
        self,
        fill: Callable[[Sheet, Method, Examples], None],
        unit: str,
        draws: tuple[int, int],
        resampled: Literal["group", "example"] = "group",
        shown: frozenset[str] = frozenset(),
        least_spread: float = NO_SPREAD,
    ) -> Sheet:
        """Scores of every method.

        Parameters
        ----------
        fill : adds the metrics of a method; those with a note become empty
        draws : number of resamples, and their seed
        resampled : whether groups of examples or single examples are resampled
        least_spread : as of :class:`genezip.metrics.bootstrap.BlockBootstrap`
        """
        first = next(each for each in self.methods.values() if each is not None)
        bootstrap = BlockBootstrap(getattr(first, resampled), *draws, least_spread)
        sheet = Sheet(bootstrap, unit, self.rule, self.split, self.notes, shown)
        for method, examples in self.methods.items():
            if examples is not None:
                fill(sheet, method, examples)
                continue
            for label, metric in self.notes:
                if label == method.label:
                    sheet.add(method, metric, None, 0)
        return sheet


def mean_sheet(
    some: Sequence[tuple[Compared, Sheet]],
    subset: str,
    draws: tuple[int, int],
    scale: Scale = "share",
) -> Sheet:
    """Macro means over subsets, each with a sheet of one split scheme, as the subset ``subset``.

    Units of all subsets are resampled. Without a unit the value of its subset changes, and the mean
    by that change over the number of subsets. A method has a mean only if all subsets have a value.
    """
    groups = [part.units for part, _ in some]
    bootstrap = BlockBootstrap(np.concatenate(groups), *draws)
    order = np.unique(np.concatenate(groups))
    places = [1 + np.searchsorted(order, np.unique(own)) for own in groups]
    first = some[0][1]
    mean = Sheet(bootstrap, first.unit, first.rule, first.split, shown=first.shown)
    entries: dict[tuple[Method, str], list[Entry]] = defaultdict(list)
    for _, sheet in some:
        for entry in sheet.entries:
            entries[replace(entry.method, subset=subset), entry.metric].append(entry)
    for (method, metric), own in entries.items():
        n, positives = sum(one.n for one in own), [one.positives for one in own]
        known = None if None in positives else sum(one or 0 for one in positives)
        if len(own) < len(some) or any(len(one.values) == 1 for one in own):
            mean.add(method, metric, None, n, known, note="a subset has no value")
            continue
        whole = np.array([one.values[0] for one in own])
        values = np.full(1 + bootstrap.n_blocks, whole.mean())
        for one, rows in zip(own, places, strict=True):
            values[rows] += (one.values[1:] - one.values[0]) / len(own)
        mean.add(method, metric, values, n, known, scale=scale)
    return mean


def compared(files: Sequence[PredictionFile]) -> list[Compared]:
    """Sets of examples in the order of the files, with every method that predicted them.

    Two methods that predicted different examples of one split scheme and split are an error.
    """
    found: dict[tuple[Method, str, str], Examples] = {}
    for file in files:
        found |= _numbers(file) if file.kind == "scalar" else _arrays(file)
    methods = [method for file in files for method in file.methods]
    sets = []
    for subset, rule, split in dict.fromkeys((m.subset, r, s) for m, r, s in found):
        notes = {
            (note["arm"], note["metric"]): note
            for file in files
            for note in file.notes
            if (note.get("subset", subset), note["rule"], note["split"]) == (subset, rule, split)
        }
        noted = {label for label, _ in notes}
        own = {
            method: found.get((method, rule, split))
            for method in methods
            if method.subset == subset and ((method, rule, split) in found or method.label in noted)
        }
        _refuse_others(own, f"{rule}, {split}")
        sets.append(Compared(subset, rule, split, own, notes))
    return sets


def _numbers(file: PredictionFile) -> dict[tuple[Method, str, str], Examples]:
    found = {}
    columns = ("example", "fold", "group", "target", "prediction")
    keys = [*METHOD_COLUMNS, "rule", "split"]
    for cells, own in file.frame().groupby(keys, dropna=False, sort=False):
        *method, rule, split = cells
        own = own.sort_values("example", kind="stable")
        key = method_of(method), str(rule), str(split)
        found[key] = Examples(*(own[name].to_numpy() for name in columns))
    return found


def _arrays(file: PredictionFile) -> dict[tuple[Method, str, str], Examples]:
    rows: dict[tuple[Method, str, str], list[ArrayRow]] = defaultdict(list)
    for row in file.rows():
        rows[row.method, row.rule, row.split].append(row)
    found = {}
    for key, own in rows.items():
        own.sort(key=lambda row: row.example)
        found[key] = Examples(
            example=np.array([row.example for row in own]),
            fold=np.array([row.fold for row in own]),
            group=np.array([row.group for row in own]),
            target=[row.target for row in own],
            prediction=[row.prediction for row in own],
        )
    return found


def _refuse_others(methods: Mapping[Method, Examples | None], where: str) -> None:
    """Refuse methods whose examples differ, as their differences would not be paired."""
    held = [(method, each) for method, each in methods.items() if each is not None]
    for method, each in held[1:]:
        if not np.array_equal(each.example, held[0][1].example):
            raise GenezipError(
                f"{held[0][0].label} and {method.label} predicted different examples ({where}); "
                "predict them again from one prepared folder"
            )
