"""AUROC and average precision: hand values, scikit-learn, and a loop over copied examples."""

import numpy as np
import pytest
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score, roc_auc_score

from genezip.metrics.ranking import auprc, auprc_sorted, auroc, macro_auroc


def tied(seed, n=60):
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.3).astype(int)
    labels[:2] = [0, 1]
    return labels, np.round(rng.normal(size=n) + labels, 1)


def test_hand_values_of_four_pairs():
    labels, scores = np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])
    # of four pairs, 0.35 loses to 0.4; places of the positives are 1 and 3
    assert auroc(labels, scores) == 0.75
    assert auprc(labels, scores) == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert auprc_sorted(labels, scores) == pytest.approx((1 / 1 + 2 / 3) / 2)


def test_a_tie_counts_half():
    assert auroc(np.array([1, 0, 1, 0]), np.array([0.5, 0.5, 0.9, 0.1])) == 3.5 / 4
    assert auroc(np.array([1, 0, 0]), np.zeros(3)) == 0.5


def test_tied_scores_differ_between_the_two_conventions():
    first, last = np.array([1, 0, 0]), np.array([0, 0, 1])
    assert auprc(first, np.zeros(3)) == auprc(last, np.zeros(3)) == pytest.approx(1 / 3)
    assert auprc_sorted(first, np.zeros(3)) == 1
    assert auprc_sorted(last, np.zeros(3)) == pytest.approx(1 / 3)


@pytest.mark.parametrize("seed", range(5))
def test_the_values_are_those_of_scikit_learn_and_of_midranks(seed):
    labels, scores = tied(seed)
    assert auroc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert auprc(labels, scores) == pytest.approx(
        average_precision_score(labels, scores), abs=1e-12
    )
    p, q = labels.sum(), (1 - labels).sum()
    ranks = rankdata(scores)[labels == 1].sum()
    assert auroc(labels, scores) == pytest.approx((ranks - p * (p + 1) / 2) / (p * q), abs=1e-12)
    jitter = scores - 1e-6 * np.arange(len(scores))  # file order decides
    assert auprc_sorted(labels, scores) == pytest.approx(average_precision_score(labels, jitter))


def test_weights_are_copies():
    labels, scores = tied(7)
    weights = np.random.default_rng(1).integers(0, 4, (6, len(labels)))
    for metric, slow in ((auroc, roc_auc_score), (auprc, average_precision_score)):
        fast = metric(labels, scores, weights.astype(float))
        copies = [slow(np.repeat(labels, row), np.repeat(scores, row)) for row in weights]
        assert fast == pytest.approx(copies, abs=1e-12)
        assert fast[2] == pytest.approx(metric(labels, scores, weights[2].astype(float)))


def test_copies_of_an_example_share_one_place_in_the_sorted_convention():
    labels, scores = np.array([1, 0, 1]), np.array([3.0, 2, 1])
    # three of 3 copies, then three of 4, and five of 6
    weights = np.array([[3.0, 1, 2]])
    assert auprc_sorted(labels, scores, weights)[0] == pytest.approx((3 * 1 + 2 * 5 / 6) / 5)


def test_only_pairs_of_one_stratum_are_compared():
    labels = np.array([1, 0, 0, 1, 0])
    scores = np.array([0.2, 0.1, 0.3, 10, 20])
    strata = np.array([0, 0, 0, 1, 1])
    # stratum 0 wins one of two pairs, stratum 1 none of one
    assert auroc(labels, scores, strata=strata) == pytest.approx(1 / 3)
    # precision 1/2 at the positive of either stratum
    assert auprc(labels, scores, strata=strata) == pytest.approx(1 / 2)


def test_folds_without_negatives_have_no_part_in_average_precision():
    labels = np.array([1, 0, 0, 0, 1, 1])
    scores = np.array([0.1, 0.9, 0.8, 0.7, 0.5, 0.5])
    strata = np.array([0, 0, 0, 0, 1, 1])
    # the last place of four; the positives of stratum 1 meet no negative
    for metric in (auprc, auprc_sorted):
        assert metric(labels, scores, strata=strata) == 1 / 4
        assert np.isnan(metric(labels[4:], scores[4:], strata=strata[4:]))
        # a resample without the negatives of stratum 0 has no fold left
        weights = np.array([[1.0, 1, 1, 1, 1, 1], [1, 0, 0, 0, 1, 1]])
        assert np.isnan(metric(labels, scores, weights, strata)).tolist() == [False, True]


def test_scores_of_folds_on_other_scales_do_not_matter():
    labels, scores = tied(3)
    strata = np.arange(len(labels)) % 4
    moved = scores * (1 + strata) + 100 * strata
    for metric in (auroc, auprc, auprc_sorted):
        assert metric(labels, scores, strata=strata) == metric(labels, moved, strata=strata)


def test_a_single_class_has_no_score():
    assert np.isnan(auroc(np.zeros(4), np.arange(4)))
    assert np.isnan(auroc(np.ones(4), np.arange(4)))
    assert np.isnan(auprc(np.zeros(4), np.arange(4)))
    assert np.isnan(auroc(np.zeros(0), np.zeros(0)))
    weights = np.array([[1.0, 1, 0], [0, 1, 1]])  # the only positive is not drawn in the second
    assert np.isnan(auroc(np.array([1, 0, 0]), np.arange(3.0), weights)).tolist() == [False, True]


def test_a_score_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="NaN"):
        auroc(np.array([0, 1]), np.array([np.nan, 1]))


def test_macro_auroc_is_scikit_learns_mean_over_classes():
    random = np.random.default_rng(0)
    truth, found = random.integers(0, 3, 60), random.random((60, 3))
    expected = np.mean([roc_auc_score(truth == k, found[:, k]) for k in range(3)])
    assert macro_auroc(truth, found, None, None) == pytest.approx(expected)
