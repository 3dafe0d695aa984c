"""Signed rank correlations of variant effect, with intervals over residues.

Variants of one residue are not independent, so residues are resampled. The sign counts: the
absolute value of a mean rewards a wrong sign and is shown only beside the headline. The partial
correlation holds the number of changed nucleotides fixed.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from genezip.artifacts.scores import (
    BASELINE,
    CONDITION,
    GIVEN_CHANGES,
    LIKELIHOOD,
    MEAN_IN_DOMAIN,
    OUTSIDE,
    SPEARMAN,
    Row,
)
from genezip.tasks.base import Method
from genezip.tasks.predictions import PredictionFile
from genezip.tasks.scores import (
    Compared,
    Examples,
    Sheet,
    compared,
    fact_rows,
    inexact,
    joined,
    mean_sheet,
    row,
)
from genezip.tasks.variants.baselines import CHANGES, POSITION

UNIT = "residues"
ABSOLUTE = "spearman_absolute"
METRICS = (SPEARMAN, GIVEN_CHANGES)
_REWARDS = "absolute values reward a wrong sign, so this is no headline"


def variant_rows(
    files: Sequence[PredictionFile], draws: tuple[int, int], control: str | None
) -> list[Row]:
    """Rows of sets, of means over the sets inside the domain, and facts."""
    marks: dict[str, list[str]] = defaultdict(list)
    for file in files:
        for fact in file.facts:
            if fact["metric"] in (OUTSIDE, CONDITION) and fact["value"]:
                marks[str(fact["subset"])].append(_WORDS[fact["metric"]])
    parts = compared(files)
    known = {part.subset: part.of(CHANGES) for part in parts if part.rule == LIKELIHOOD}
    rows: list[Row] = []
    sheets: dict[tuple[str, str], list[tuple[Compared, Sheet]]] = defaultdict(list)
    for part in parts:
        sheet = part.sheet(_Fill(known.get(part.subset)), UNIT, draws, shown=frozenset({POSITION}))
        remark = joined(*marks[part.subset], inexact(part.rule))
        rows += [each | {"note": joined(remark, each["note"])} for each in sheet.rows(control)]
        if not marks[part.subset]:
            sheets[part.rule, part.split].append((part, sheet))
    for (rule, _), some in sheets.items():
        names = ", ".join(part.subset for part, _ in some)
        note = joined(f"macro mean of {names}", inexact(rule))
        mean = mean_sheet(some, MEAN_IN_DOMAIN, draws, "correlation")
        rows += [each | {"note": joined(note, each["note"])} for each in mean.rows(control)]
        rows += _absolute(some, mean, note)
    return rows + fact_rows(files)


_WORDS = {
    OUTSIDE: "outside the domain of the models",
    CONDITION: "a second condition of the experiment of another set",
}


class _Fill:
    """Adds the metrics of a method to a sheet."""

    def __init__(self, changes: Examples | None) -> None:
        self._changes = changes

    def __call__(self, sheet: Sheet, method: Method, examples: Examples) -> None:
        target, found = examples.target, examples.prediction
        units = sheet.bootstrap
        values = units.of_weights(lambda weights: spearman(target, found, weights))
        sheet.add(method, SPEARMAN, values, len(target), scale="correlation")
        if self._changes is not None and method.mode != BASELINE:
            count = self._changes.prediction
            partial = units.of_weights(lambda w: partial_spearman(target, found, count, w))
            sheet.add(method, GIVEN_CHANGES, partial, len(target), scale="correlation")


def spearman(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Rank correlation of the examples of weight 1, float64 (k,); NaN where one is constant.

    ``x`` and ``y`` are float arrays (n,), ``weights`` 0 or 1, (k, n); ties have their mean rank.
    """
    return np.array([_correlation(x[own], y[own]) for own in weights.astype(bool)])


def partial_spearman(
    x: np.ndarray, y: np.ndarray, given: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Rank correlation of x and y with the ranks of ``given`` held fixed, as :func:`spearman`."""
    found = np.full(len(weights), np.nan)
    for number, own in enumerate(weights.astype(bool)):
        xy = _correlation(x[own], y[own])
        xz, yz = _correlation(x[own], given[own]), _correlation(y[own], given[own])
        rest = (1 - xz**2) * (1 - yz**2)
        if rest > 0:
            found[number] = (xy - xz * yz) / np.sqrt(rest)
    return found


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Pearson's r of the ranks."""
    from scipy.stats import rankdata  # late: a list of tasks does without

    a, b = rankdata(x), rankdata(y)
    a, b = a - a.mean(), b - b.mean()
    size = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / size) if size > 0 else float("nan")


def _absolute(some: list[tuple[Compared, Sheet]], mean: Sheet, note: str) -> list[Row]:
    """Means of the absolute values of the sets, without intervals."""
    found: dict[Method, list[float]] = defaultdict(list)
    for _, sheet in some:
        for entry in sheet.entries:
            if entry.metric == SPEARMAN:
                found[replace(entry.method, subset=MEAN_IN_DOMAIN)].append(
                    abs(float(entry.values[0]))
                )
    common = {"rule": mean.rule, "split": mean.split, "metric": ABSOLUTE}
    return [
        row(
            entry.method,
            value=float(np.mean(found[entry.method])),
            n=entry.n,
            note=joined(note, _REWARDS),
            **common,
        )
        for entry in mean.entries
        if entry.metric == SPEARMAN and np.isfinite(entry.values[0])
    ]
