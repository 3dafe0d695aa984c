"""Accuracy, MCC and macro F1 of predicted classes, for one sample or for many at once.

All are functions of the confusion matrix, which is a sum over examples, so the bootstrap sums the
matrices of :func:`one_hot` with and without each block. An undefined metric is 0, as in
scikit-learn, so that a constant prediction has an interval; it is NaN only without any example.
"""

from collections.abc import Callable

import numpy as np

from genezip.metrics.bootstrap import BlockBootstrap, Scale, ratio


def one_hot(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Confusion matrix of every single example, float64 (n, classes, classes).

    Each has a single 1, in the row of the true class and the column of the predicted one; both
    are given as int arrays, shape (n,), 0 to ``classes`` - 1.
    """
    found = np.zeros((len(truth), classes, classes))
    found[np.arange(len(truth)), truth, predicted] = 1
    return found


def confusion(
    truth: np.ndarray, predicted: np.ndarray, classes: int, weights: np.ndarray | None = None
) -> np.ndarray:
    """Sum of the confusion matrices of examples, (classes, classes) or (k, classes, classes).

    ``weights`` are (n,) or (k, n); None gives each example 1.
    """
    weights = np.ones(len(truth)) if weights is None else np.asarray(weights, dtype=np.float64)
    return np.tensordot(weights, one_hot(truth, predicted, classes), axes=1)


def accuracy(matrix: np.ndarray) -> np.ndarray:
    """Share of examples whose class is predicted: matrix (..., c, c) -> (...)."""
    return ratio(np.trace(matrix, axis1=-2, axis2=-1), matrix.sum(axis=(-2, -1)))


def mcc(matrix: np.ndarray) -> np.ndarray:
    """Matthews' correlation of any number of classes (Gorodkin 2004, equation 8): -> (...).

    It is the correlation of the one-hot true and predicted classes, -1 to 1, and 0 where only one
    class is true or predicted.
    """
    total, right = matrix.sum(axis=(-2, -1)), np.trace(matrix, axis1=-2, axis2=-1)
    true, given = matrix.sum(axis=-1), matrix.sum(axis=-2)
    together = right * total - (true * given).sum(axis=-1)
    spread = (total**2 - (true**2).sum(axis=-1)) * (total**2 - (given**2).sum(axis=-1))
    found = np.where(spread > 0, together / np.sqrt(np.where(spread > 0, spread, 1)), 0.0)
    return np.where(total > 0, np.clip(found, -1, 1), np.nan)


def macro_f1(matrix: np.ndarray) -> np.ndarray:
    """Mean F1 of the classes that are true or predicted: matrix (..., c, c) -> (...)."""
    right = np.diagonal(matrix, axis1=-2, axis2=-1)
    either = matrix.sum(axis=-1) + matrix.sum(axis=-2)
    return ratio(np.nan_to_num(ratio(2 * right, either)).sum(axis=-1), (either > 0).sum(axis=-1))


METRICS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], Scale]] = {
    "accuracy": (accuracy, "share"),
    "mcc": (mcc, "correlation"),
    "f1_macro": (macro_f1, "share"),
}
"""Name -> formula of the confusion matrix, and its range."""


def with_and_without(
    bootstrap: BlockBootstrap, metric: str, truth: np.ndarray, predicted: np.ndarray, classes: int
) -> np.ndarray:
    """A metric of :data:`METRICS` over the sample and without each block, float64 (1 + B,)."""
    formula, _ = METRICS[metric]
    return formula(bootstrap.sums({"all": one_hot(truth, predicted, classes)})["all"])
