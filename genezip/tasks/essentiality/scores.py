"""Scores of essential genes, per organism, as means over organisms, and beside all baselines.

The headline is the macro mean of AUROC over organisms, for those that the models were trained on
and for held-out ones apart; AUROC over the genes of all of them together is beside it. Blocks of
the genome are resampled in all of these.

``auroc_combined`` asks whether a model adds to what the baselines know together: a logistic
regression of all baselines, with and without the model's score, predicts genes of blocks that it
was not fitted on. The difference from the model ``all_baselines`` is the gain.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from genezip.artifacts.scores import (
    ALL_BASELINES,
    BASELINE,
    COMBINED,
    KNOCK_OUT,
    ORGANISM_SEEN,
    STATUS_NAMES,
    Row,
)
from genezip.metrics.bootstrap import BlockBootstrap
from genezip.metrics.ranking import auprc, auroc
from genezip.tasks.base import Method, baseline_method
from genezip.tasks.classification.splits import balanced_folds
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
    ranked_support,
)

UNIT = "blocks"
METRICS = ("auroc", "auprc", COMBINED)
FOLDS = 5
TRAINED, HELD_OUT = STATUS_NAMES
_ONE_CLASS = "a fold of blocks has only essential or only other genes"


def essentiality_rows(
    files: Sequence[PredictionFile], draws: tuple[int, int], control: str | None
) -> list[Row]:
    """Rows of organisms, of means and pooled genes, and facts; each says whether it was seen."""
    status = {
        str(fact["subset"]): TRAINED if fact["value"] else HELD_OUT
        for file in files
        for fact in file.facts
        if fact["metric"] == ORGANISM_SEEN
    }
    parts = compared(files)
    known = {part.subset: part for part in parts if part.rule == KNOCK_OUT}
    rows, sheets = [], defaultdict(list)
    for part in parts:
        own = _Combined.of(part, known.get(part.subset, part))
        remark = joined(status.get(part.subset, ""), inexact(part.rule))
        sheet = own.part.sheet(own.fill, UNIT, draws)
        rows += [each | {"note": joined(remark, each["note"])} for each in sheet.rows(control)]
        if part.subset in status:
            sheets[part.rule, part.split, status[part.subset]].append((part, sheet))
    for (_, _, seen), some in sheets.items():
        mean = mean_sheet(some, f"mean_{STATUS_NAMES[seen]}", draws).rows(control)
        rows += _noted(mean, some, seen, "macro mean")
        rows += _noted(_pooled(some, seen, draws).rows(control), some, seen, "pooled genes")
    facts = [
        each | {"note": joined(status.get(str(each["subset"]), ""), each["note"])}
        for each in fact_rows(files)
    ]
    return rows + facts


@dataclass(frozen=True)
class _Combined:
    """Methods of one organism, with the baselines that a model's score is combined with."""

    part: Compared  # with the method ``all_baselines``
    x: np.ndarray  # float64 array, shape (n, baselines)
    fold: np.ndarray  # int array, shape (n,), folds of blocks

    @classmethod
    def of(cls, part: Compared, known: Compared) -> "_Combined":
        """Methods of a part with the baselines of ``known``, of the same organism."""
        own = next(each for each in part.methods.values() if each is not None)
        baselines = {m: e for m, e in known.methods.items() if m.mode == BASELINE and e is not None}
        columns = [each.prediction for each in baselines.values()]
        x = np.stack(columns, axis=1) if columns else np.zeros((len(own.example), 0))
        groups = pd.Series(own.group)
        fold = groups.map(balanced_folds(groups, FOLDS)).to_numpy()
        task = next(iter(part.methods)).task
        alone = baseline_method(ALL_BASELINES, task, part.subset)
        methods: dict[Method, Examples | None] = {**part.methods, alone: own}
        return cls(replace(part, methods=methods), x, fold)

    def fill(self, sheet: Sheet, method: Method, examples: Examples) -> None:
        """Add the metrics of a method; those of baselines are not combined with the others."""
        truth, score = examples.target, examples.prediction
        together = self.x
        if method.model != ALL_BASELINES:
            _add(sheet, method, truth, score)
            if method.mode == BASELINE:
                return
            together = np.column_stack([self.x, score])
        found = out_of_fold(together, truth, self.fold) if together.shape[1] else None
        positives, support = int(truth.sum()), ranked_support(sheet.bootstrap, truth)
        values, note = None, _ONE_CLASS
        if found is not None:
            values = sheet.bootstrap.of_weights(lambda w: auroc(truth, found, w, self.fold))
            note = f"out of {FOLDS} folds of blocks"
        sheet.add(method, COMBINED, values, len(truth), positives, note=note, support=support)


def _add(sheet: Sheet, method: Method, truth: np.ndarray, score: np.ndarray) -> None:
    """Add AUROC and average precision."""
    positives, support = int(truth.sum()), ranked_support(sheet.bootstrap, truth)
    metrics: Mapping[str, Callable[..., np.ndarray]] = {"auroc": auroc, "auprc": auprc}
    for metric, function in metrics.items():
        values = sheet.bootstrap.of_weights(lambda w, f=function: f(truth, score, w))  # type: ignore[misc]
        sheet.add(method, metric, values, len(truth), positives, support=support)


def out_of_fold(x: np.ndarray, truth: np.ndarray, fold: np.ndarray) -> np.ndarray | None:
    """Log-odds of a logistic regression on standardised columns for rows of other folds.

    ``x`` is float64 (n, columns), ``truth`` 0 or 1, (n,). None if a fit would see one class only.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    found = np.zeros(len(truth))
    for number in np.unique(fold):
        held = fold == number
        if len(np.unique(truth[~held])) < 2:
            return None
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        found[held] = model.fit(x[~held], truth[~held]).decision_function(x[held])
    return found


def _pooled(some: list[tuple[Compared, Sheet]], seen: str, draws: tuple[int, int]) -> Sheet:
    """AUROC and average precision over the genes of all organisms of one status together."""
    bootstrap = BlockBootstrap(np.concatenate([part.units for part, _ in some]), *draws)
    first = some[0][0]
    pooled = Sheet(bootstrap, UNIT, first.rule, first.split)
    found: dict[Method, list[Examples]] = defaultdict(list)
    for part, _ in some:
        for method, examples in part.methods.items():
            if examples is not None:
                found[replace(method, subset=f"pooled_{STATUS_NAMES[seen]}")].append(examples)
    for method, own in found.items():
        if len(own) == len(some):
            truth = np.concatenate([one.target for one in own])
            _add(pooled, method, truth, np.concatenate([one.prediction for one in own]))
    return pooled


def _noted(rows: list[Row], some: list[tuple[Compared, Sheet]], seen: str, what: str) -> list[Row]:
    names = ", ".join(part.subset for part, _ in some)
    note = joined(f"{seen}; {what} of {names}", inexact(some[0][0].rule))
    return [each | {"note": joined(note, each["note"])} for each in rows]
