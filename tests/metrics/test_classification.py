"""Metrics of predicted classes: hand values, scikit-learn, and a loop over units."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, matthews_corrcoef

from genezip.metrics.bootstrap import BlockBootstrap
from genezip.metrics.classification import (
    METRICS,
    accuracy,
    confusion,
    macro_f1,
    mcc,
    with_and_without,
)

SLOW = {
    "accuracy": accuracy_score,
    "mcc": matthews_corrcoef,
    "f1_macro": lambda truth, given, **w: f1_score(truth, given, average="macro", **w),
}


def predicted(seed: int, classes: int = 3, n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = random.integers(0, classes, n)
    return truth, np.where(random.random(n) < 0.5, truth, random.integers(0, classes, n))


def test_hand_values_of_eight_rows():
    truth, given = np.array([1, 1, 1, 1, 0, 0, 0, 0]), np.array([1, 1, 1, 0, 0, 0, 1, 1])
    matrix = confusion(truth, given, 2)
    assert matrix.tolist() == [[2, 2], [1, 3]]
    assert accuracy(matrix) == 5 / 8
    assert mcc(matrix) == pytest.approx((3 * 2 - 2 * 1) / np.sqrt(5 * 4 * 4 * 3))
    assert macro_f1(matrix) == pytest.approx((2 * 3 / 9 + 2 * 2 / 7) / 2)


@pytest.mark.parametrize("classes", [2, 3, 9])
@pytest.mark.parametrize("metric", METRICS)
def test_each_is_scikit_learns_with_and_without_weights(metric, classes):
    truth, given = predicted(classes, classes)
    formula, _ = METRICS[metric]
    assert np.array_equal(confusion(truth, given, classes), confusion_matrix(truth, given))
    assert formula(confusion(truth, given, classes)) == pytest.approx(SLOW[metric](truth, given))
    weights = np.random.default_rng(1).integers(0, 4, (5, len(truth))).astype(float)
    found = formula(confusion(truth, given, classes, weights))
    slow = [SLOW[metric](truth, given, sample_weight=row) for row in weights]
    np.testing.assert_allclose(found, slow)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(("truth", "given"), [([0, 1, 1], [1, 1, 1]), ([1, 1, 1], [0, 1, 1])])
def test_a_constant_has_the_value_of_scikit_learn(metric, truth, given):
    """A third class that no row has, or is given, does not count."""
    truth, given = np.array(truth), np.array(given)
    formula, _ = METRICS[metric]
    assert formula(confusion(truth, given, 3)) == pytest.approx(SLOW[metric](truth, given))


@pytest.mark.parametrize("metric", METRICS)
def test_without_a_row_all_are_undefined(metric):
    empty = np.zeros(0, dtype=int)
    assert np.isnan(METRICS[metric][0](confusion(empty, empty, 2)))


def test_exact_and_opposite_predictions_end_the_scale():
    truth = np.arange(7) % 2
    assert mcc(confusion(truth, truth, 2)) == 1
    assert mcc(confusion(truth, 1 - truth, 2)) == -1


@pytest.mark.parametrize("metric", METRICS)
def test_the_bootstrap_leaves_units_out(metric):
    truth, given = predicted(5)
    units = np.random.default_rng(2).integers(0, 11, len(truth))
    bootstrap = BlockBootstrap(units, 100, 0)
    found = with_and_without(bootstrap, metric, truth, given, 3)
    slow = [SLOW[metric](truth, given)]
    slow += [SLOW[metric](truth[units != unit], given[units != unit]) for unit in np.unique(units)]
    np.testing.assert_allclose(found, slow)
    formula, scale = METRICS[metric]
    weighted = bootstrap.of_weights(lambda weights: formula(confusion(truth, given, 3, weights)))
    np.testing.assert_allclose(found, weighted)
    estimate = bootstrap.summarise(found, scale=scale)
    assert estimate.low < estimate.value < estimate.high
