"""Gene pairs (eqtl, etgp) from cached features: regularised logistic regression.

The features of a probe depend on the input:

========  =====================================================================
authors   the mean state of the alternative's first 12,800 bp
full      both strands, last and mean state of the reference, of the alternative,
          and their difference (alternative - reference)
contrast  those differences alone
========  =====================================================================

Every pair is scored twice: unchanged, and with the variant (or element) masked, that is with the
reference in place of the alternative. Then all differences are 0, and a probe of ``contrast``
gives every pair one score. A difference column that is small enough beside its reference to be
rounding (``ROUNDING``) becomes 0.
"""

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from genezip.config.tasks import Pairs
from genezip.metrics.ranking import MASKED_METRICS, METRICS, auroc
from genezip.tasks.base import Note, Predictions
from genezip.tasks.features import ROUNDING, Moments, Standard
from genezip.tasks.pairs.folds import folds_of, no_folds, one_class, predictions_at, unpredicted
from genezip.tasks.pairs.sequences import STRANDS, SUMMARIES

if TYPE_CHECKING:
    from genezip.tasks.features import FeatureStore

logger = logging.getLogger(__name__)

PENALTIES = tuple(10.0**power for power in range(-4, 3))
"""Inverse penalty strengths C that are tried, strongest penalty first."""
DEFAULT_PENALTY = 0.01
"""C where no penalty can be chosen: the validation examples are of one class, or absent."""
ITERATIONS = 5000
_COLUMNS_AT_ONCE = 4096  # beyond 8192 einsum uses buffers, and sums one row in another order


@dataclass(frozen=True)
class Design:
    """The features of every pair for a probe."""

    # visible, masked: float32 array, shape (n, columns): the unchanged pairs, and the pairs with
    # the variant masked
    visible: np.ndarray
    masked: np.ndarray
    centred: bool  # whether columns are centred; those of ``contrast`` are not, so that 0 stays 0
    # list of (slice, float32 array, shape (n, c)): columns of ``visible`` that are differences, and
    # their subtrahends
    differences: list[tuple[slice, np.ndarray]] = field(default_factory=list)

    def least(self, rows: np.ndarray) -> np.ndarray:
        """Root mean square below which a column is rounding, over rows (a mask); mostly 0.

        Float64 array, shape (columns,).
        """
        found = np.zeros(self.visible.shape[1])
        for columns, reference in self.differences if rows.any() else ():
            size = np.square(reference[rows].astype(np.float64)).mean(0)
            found[columns] = ROUNDING * np.sqrt(size)
        return found


def design(store: "FeatureStore", input: str) -> Design:
    """Columns of an input (``authors``, ``full``, ``contrast``), from the store's blocks."""
    differences: list[tuple[slice, np.ndarray]] = []
    if input == "authors":
        visible = np.asarray(store.block("forward.mean.alternative"))
        masked = np.asarray(store.block("forward.mean.reference"))
    else:
        shown: list[np.ndarray] = []
        without: list[np.ndarray] = []
        for strand in STRANDS:
            for summary in SUMMARIES:
                reference = np.asarray(store.block(f"{strand}.{summary}.reference"))
                alternative = np.asarray(store.block(f"{strand}.{summary}.alternative"))
                difference = alternative - reference
                if input == "full":
                    shown += [reference, alternative]
                    without += [reference, reference]
                before = sum(part.shape[1] for part in shown)
                differences.append((slice(before, before + difference.shape[1]), reference))
                shown.append(difference)
                without.append(np.zeros_like(difference))
        visible, masked = np.concatenate(shown, 1), np.concatenate(without, 1)
    return Design(visible, masked, input != "contrast", differences)


@dataclass(frozen=True)
class Probe:
    """A fitted probe."""

    standard: Standard  # of the training rows
    weights: np.ndarray  # float64 array, shape (columns,)
    intercept: float
    penalty: float  # C, the inverse strength of the L2 penalty
    converged: bool  # whether the solver converged within ``ITERATIONS``
    valid_auroc: float  # of the chosen penalty; NaN for ``DEFAULT_PENALTY``

    def score(self, rows: np.ndarray) -> np.ndarray:
        """Log odds of class 1, float64 (n,), of rows as in :class:`Design`.

        Log odds, because probabilities near 1 round to equal values. Equal rows have equal scores
        in any order of the rows.
        """
        return linear(self.standard.apply(rows), self.weights) + self.intercept


def linear(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Product of rows (n, columns) and weights (columns,), each row summed in the same order.

    A matrix product sums some rows of a block in another order than the rest: equal rows could
    differ in the last digit, and their position would break the tie.
    """
    rows, found = np.ascontiguousarray(rows), np.zeros(len(rows))
    for low in range(0, len(weights), _COLUMNS_AT_ONCE):
        part = slice(low, low + _COLUMNS_AT_ONCE)
        found += np.einsum("ij,j->i", rows[:, part], weights[part])
    return found


def fit_probe(
    rows: np.ndarray,
    labels: np.ndarray,
    valid_rows: np.ndarray,
    valid_labels: np.ndarray,
    centred: bool,
    least: np.ndarray | None = None,
) -> Probe:
    """Logistic regression with the penalty of the highest validation AUROC (ties: the stronger).

    Rows, float (n, columns), are standardised by the training rows; nothing is random. Labels are 0
    or 1. Without both classes among the validation labels C is ``DEFAULT_PENALTY``. ``centred`` as
    of :class:`Design`, ``least`` as of :meth:`Design.least`.
    """
    from sklearn.exceptions import ConvergenceWarning  # late: a list of tasks does without
    from sklearn.linear_model import LogisticRegression

    moments = Moments(rows.shape[1])
    moments.add(rows)
    standard = moments.standard(centred, least)
    train, valid = standard.apply(rows), standard.apply(valid_rows)
    both = len(np.unique(valid_labels)) == 2
    best: Probe | None = None
    for penalty in PENALTIES if both else (DEFAULT_PENALTY,):
        model = LogisticRegression(C=penalty, solver="lbfgs", max_iter=ITERATIONS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # noted in `converged`
            model.fit(train, labels)
        weights, intercept = model.coef_[0], float(model.intercept_[0])
        value = float(auroc(valid_labels, linear(valid, weights))) if both else np.nan
        if best is None or value > best.valid_auroc:
            converged = bool(model.n_iter_[0] < ITERATIONS)
            best = Probe(standard, weights, intercept, penalty, converged, value)
    assert best is not None
    return best


def kept_probe(path: Path, identity: Mapping[str, Any], fit: Callable[[], Probe]) -> Probe:
    """The probe in the file of an interrupted call; else it is fitted, and written there.

    ``identity`` has the JSON values that decide the probe.
    """
    import torch  # late: a list of tasks does without

    from genezip.artifacts.states import kept_state, save_state

    arrays, numbers = ("centre", "scale", "weights"), ("intercept", "penalty", "valid_auroc")
    state = kept_state(path, identity, (*arrays, *numbers, "converged"))
    if state is not None:
        centre, scale, weights = (state[name].numpy() for name in arrays)
        facts = {name: state[name] for name in (*numbers, "converged")}
        return Probe(standard=Standard(centre, scale), weights=weights, **facts)
    found = fit()
    path.parent.mkdir(parents=True, exist_ok=True)
    values = {"centre": found.standard.centre, "scale": found.standard.scale}
    tensors = {
        name: torch.from_numpy(a) for name, a in (*values.items(), ("weights", found.weights))
    }
    facts = {name: float(getattr(found, name)) for name in numbers}
    save_state(path, identity, {**tensors, **facts, "converged": found.converged})
    return found


def predict_pairs(
    store: "FeatureStore",
    table: pd.DataFrame,
    input: str,
    settings: Pairs,
    work: Path | None = None,
    identity: Mapping[str, Any] | None = None,
) -> Iterator[Predictions | Note]:
    """Fit every fold of every split scheme of ``settings.rules`` and score its test pairs.

    Validation pairs are scored under ``paper`` only; under the others every pair is a test pair
    once. A fold whose training pairs are all of one class, or a split scheme without folds, has no
    rows but notes with the reason, which is logged. The table is in the order of the store.

    Every probe is kept in the folder ``work`` with the ``identity`` of the job, so that an
    interrupted call loses one fit.
    """
    from genezip.training.checkpoint import STATE  # late: a list of tasks does without torch

    columns = design(store, input)
    labels = table["label"].to_numpy()
    for rule in settings.rules:
        folds = list(folds_of(table, rule))
        reasons: list[str] = []
        if not folds:
            reasons.append(no_folds(rule))
            logger.warning(f"{rule}: {reasons[0]}; no predictions")
        predicted = 0
        for fold in folds:
            name = rule if fold.number < 0 else f"{rule}, fold {fold.number}"
            reason = one_class(labels[fold.train])
            if reason:
                reasons.append(fold.named(reason))
                logger.warning(f"{name}: {reason}; no predictions")
                continue
            fit = partial(
                fit_probe,
                columns.visible[fold.train],
                labels[fold.train],
                columns.visible[fold.valid],
                labels[fold.valid],
                columns.centred,
                columns.least(fold.train),
            )
            own = {**(identity or {}), "input": input, "rule": rule, "fold": fold.number}
            own |= {"penalties": list(PENALTIES), "iterations": ITERATIONS}
            kept = None if work is None else work / f"{rule}.{fold.number}" / STATE
            probe = fit() if kept is None else kept_probe(kept, own, fit)
            logger.info(f"{name}: {_fit_in_words(probe)}")
            for split, rows in fold.predicted(rule):
                found = [probe.score(each[rows]) for each in (columns.visible, columns.masked)]
                yield predictions_at(table, rows, split, *found, rule=rule, fold=fold.number)
            predicted += 1
        yield from unpredicted(rule, (*METRICS, *MASKED_METRICS), reasons, predicted > 0)


def _fit_in_words(probe: Probe) -> str:
    """Penalty, validation score and convergence of a fit, for the log."""
    if np.isnan(probe.valid_auroc):
        text = f"C = {probe.penalty:g}, because the validation pairs do not have both labels"
    else:
        text = f"C = {probe.penalty:g}, validation AUROC {probe.valid_auroc:.4f}"
    return text if probe.converged else f"{text}; not converged in {ITERATIONS} iterations"
