"""Gene pairs (eqtl, etgp) from cached features: regularised logistic regression.

What a probe sees depends on the input:

========  =====================================================================
authors   the mean state of the alternative's first 12,800 bp
full      both strands, last and mean state of the reference, of the alternative,
          and their difference (alternative - reference)
contrast  those differences alone
========  =====================================================================

Every pair is scored twice: as it is, and with the variant (or element) hidden, that is with the
reference in the alternative's place. Then all differences are 0, and a probe of ``contrast``
gives every pair one score.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from genezip.config.benchmarks import Pairs
from genezip.tasks.metrics_ranking import auroc
from genezip.tasks.standard import Moments, Standard

if TYPE_CHECKING:
    from genezip.tasks.feature_store import FeatureStore
    from genezip.tasks.predictions import PredictionWriter

STRANDS = ("forward", "reverse")
SUMMARIES = ("last", "mean")
PENALTIES = tuple(10.0**power for power in range(-4, 3))
"""Inverse penalty strengths C that are tried, strongest penalty first."""
DEFAULT_PENALTY = 0.01
"""C where the validation examples cannot tell: they are all of one class, or there are none."""
ITERATIONS = 5000


@dataclass(frozen=True)
class Design:
    """What a probe sees of every pair.

    Attributes
    ----------
    visible, hidden : float32 array, shape (n, columns)
        The pairs as they are, and with the variant hidden.
    centred : bool
        Whether columns are centred; differences alone are not, so that 0 stays 0.
    """

    visible: np.ndarray
    hidden: np.ndarray
    centred: bool


def design(store: "FeatureStore", input: str) -> Design:
    """Columns of an input (``authors``, ``full``, ``contrast``), from the store's blocks."""
    if input == "authors":
        visible = np.asarray(store.block("forward.mean.alternative"))
        hidden = np.asarray(store.block("forward.mean.reference"))
    else:
        shown: list[np.ndarray] = []
        unseen: list[np.ndarray] = []
        for strand in STRANDS:
            for summary in SUMMARIES:
                reference = np.asarray(store.block(f"{strand}.{summary}.reference"))
                alternative = np.asarray(store.block(f"{strand}.{summary}.alternative"))
                difference = alternative - reference
                if input == "full":
                    shown += [reference, alternative]
                    unseen += [reference, reference]
                shown.append(difference)
                unseen.append(np.zeros_like(difference))
        visible, hidden = np.concatenate(shown, 1), np.concatenate(unseen, 1)
    return Design(visible, hidden, input != "contrast")


@dataclass(frozen=True)
class Probe:
    """A fitted probe.

    Attributes
    ----------
    standard : of the training rows
    weights : float64 array, shape (columns,)
    intercept : float
    penalty : C, the inverse strength of the L2 penalty
    converged : whether the solver did within its iterations
    valid_auroc : of the penalty chosen; NaN where validation cannot tell
    """

    standard: Standard
    weights: np.ndarray
    intercept: float
    penalty: float
    converged: bool
    valid_auroc: float

    def score(self, rows: np.ndarray) -> np.ndarray:
        """Log odds of class 1, float64 (n,), of rows as in :class:`Design`.

        Log odds and not probabilities: those round to equal values near 1.
        """
        return self.standard.apply(rows) @ self.weights + self.intercept


def fit_probe(
    rows: np.ndarray,
    labels: np.ndarray,
    valid_rows: np.ndarray,
    valid_labels: np.ndarray,
    centred: bool,
) -> Probe:
    """Logistic regression with the penalty of the highest validation AUROC (ties: the stronger).

    Rows are standardised by the training rows. Nothing is drawn at random. Without both
    classes among the validation labels C is ``DEFAULT_PENALTY``.

    Parameters
    ----------
    rows, valid_rows : float array, shape (n, columns)
    labels, valid_labels : array, shape (n,), 0 or 1; ``labels`` holds both
    centred : see :class:`Design`
    """
    moments = Moments(rows.shape[1])
    moments.add(rows)
    standard = moments.standard(centred)
    seen, tested = standard.apply(rows), standard.apply(valid_rows)
    telling = len(np.unique(valid_labels)) == 2
    best: Probe | None = None
    for penalty in PENALTIES if telling else (DEFAULT_PENALTY,):
        model = LogisticRegression(C=penalty, solver="lbfgs", max_iter=ITERATIONS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # told by `converged`
            model.fit(seen, labels)
        weights, intercept = model.coef_[0], float(model.intercept_[0])
        value = float(auroc(valid_labels, tested @ weights + intercept)) if telling else np.nan
        if best is None or value > best.valid_auroc:
            converged = bool(model.n_iter_[0] < ITERATIONS)
            best = Probe(standard, weights, intercept, penalty, converged, value)
    assert best is not None
    return best


@dataclass(frozen=True)
class Fold:
    """Rows of one fit, bool arrays (n,); ``number`` is -1 for the deposit's own split."""

    number: int
    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray


def folds_of(table: pd.DataFrame, rule: str) -> Iterator[Fold]:
    """Fits of a split rule: ``paper`` has one; ``gene`` and ``chromosome`` one per fold.

    Fold f is tested, the next one validates, the others train. Data whose folds are all -1
    (too few groups to deal) have none.
    """
    if rule == "paper":
        split = table["split"].to_numpy()
        yield Fold(-1, split == "train", split == "valid", split == "test")
        return
    column = table[f"fold_{rule}"].to_numpy()
    count = int(column.max()) + 1
    for number in range(count):
        test, valid = column == number, column == (number + 1) % count
        yield Fold(number, (column >= 0) & ~test & ~valid, valid, test)


def predict_pairs(
    store: "FeatureStore",
    table: pd.DataFrame,
    input: str,
    settings: Pairs,
    writer: "PredictionWriter",
    say: Callable[[str], None],
) -> None:
    """Fit every fold of every rule of ``settings.rules`` and write scores of its test pairs.

    Validation scores are written for ``paper`` only; for the others every pair is a test pair
    once. A fold whose training pairs are all of one class has no rows, and a line says so.

    Parameters
    ----------
    table : the prepared examples, in the order of the store
    """
    seen = design(store, input)
    labels = table["label"].to_numpy()
    for rule in settings.rules:
        folds = list(folds_of(table, rule))
        if not folds:
            say(f"{rule}: the data have no folds by {rule}; no predictions")
        for fold in folds:
            name = rule if fold.number < 0 else f"{rule}, fold {fold.number}"
            kinds = np.unique(labels[fold.train])
            if len(kinds) < 2:
                what = "there are no training pairs"
                if len(kinds):
                    what = f"all {fold.train.sum()} training pairs have the label {kinds[0]}"
                say(f"{name}: {what}; no predictions")
                continue
            probe = fit_probe(
                seen.visible[fold.train],
                labels[fold.train],
                seen.visible[fold.valid],
                labels[fold.valid],
                seen.centred,
            )
            say(f"{name}: {_told(probe)}")
            written = {"valid": fold.valid} if rule == "paper" else {}
            for split, mask in {**written, "test": fold.test}.items():
                rows = np.flatnonzero(mask)
                writer.add(
                    rule=rule,
                    fold=fold.number,
                    split=split,
                    example=table["example"].to_numpy()[rows],
                    group=table["gene_id"].astype(str).to_numpy()[rows],
                    target=labels[rows].astype(np.float64),
                    prediction=probe.score(seen.visible[rows]),
                    hidden=probe.score(seen.hidden[rows]),
                )


def _told(probe: Probe) -> str:
    """One line about a fit."""
    if np.isnan(probe.valid_auroc):
        text = f"C = {probe.penalty:g}, because the validation pairs do not have both labels"
    else:
        text = f"C = {probe.penalty:g}, validation AUROC {probe.valid_auroc:.4f}"
    return text if probe.converged else f"{text}; not converged in {ITERATIONS} iterations"
