"""AUROC and average precision of scored pairs, for one sample or for many at once.

Every function takes weights: how often each example counts (0 in a block left out). With ``strata``
(the folds of a cross-validation) only examples of one fold are compared, because scores of
separately trained models have no common scale.
"""

from collections.abc import Iterator

import numpy as np

from genezip.metrics.bootstrap import ratio

METRICS = ("auroc", "auprc", "auprc_sorted")
MASKED_METRICS = ("auroc_hidden", "auroc_gain")  # of models whose input variant can be masked


def auroc(
    targets: np.ndarray,
    scores: np.ndarray,
    weights: np.ndarray | None = None,
    strata: np.ndarray | None = None,
) -> np.ndarray:
    """Probability that a positive has a higher score than a negative, () or (k,); ties count half.

    Equals (sum of mid-ranks of the positives - P(P+1)/2) / (P Q) with P positives and Q
    negatives; with strata, the sum over strata of pairs won over the sum of pairs. NaN where no
    stratum has both a positive and a negative.

    Parameters
    ----------
    targets : array, shape (n,), 1 (positive) or 0
    scores : float array, shape (n,), none NaN
    weights : float array, shape (n,) or (k, n); None gives each example 1
    strata : array, shape (n,), any values; None puts all in one
    """
    won, pairs = 0.0, 0.0
    for positive, negative in _by_threshold(targets, scores, weights, strata, merge_ties=True):
        # thresholds fall, so negatives below one are those not yet counted
        below = negative.sum(-1, keepdims=True) - np.cumsum(negative, axis=-1)
        won = won + (positive * (below + negative / 2)).sum(-1)
        pairs = pairs + positive.sum(-1) * negative.sum(-1)
    return _shaped(won, pairs, weights)


def macro_auroc(
    truth: np.ndarray, found: np.ndarray, weights: np.ndarray | None, strata: np.ndarray | None
) -> np.ndarray:
    """Mean over classes of the AUROC of one class against the rest.

    ``truth`` is an int array (n,), ``found`` a float array (n, classes).
    """
    columns = enumerate(found.T)
    each = [auroc(truth == number, scores, weights, strata) for number, scores in columns]
    return np.mean(each, axis=0)


def auprc(
    targets: np.ndarray,
    scores: np.ndarray,
    weights: np.ndarray | None = None,
    strata: np.ndarray | None = None,
) -> np.ndarray:
    """Average precision; examples of equal score share a threshold, as in scikit-learn.

    It is the mean over positives of the precision among examples of their stratum with at least
    their score. Strata without a negative (of positive weight) are left out, because every
    precision is 1 there. Parameters and result are those of :func:`auroc`, but without strata no
    negative is required: the result is NaN only without a positive.
    """
    return _average_precision(targets, scores, weights, strata, merge_ties=True)


def auprc_sorted(
    targets: np.ndarray,
    scores: np.ndarray,
    weights: np.ndarray | None = None,
    strata: np.ndarray | None = None,
) -> np.ndarray:
    """Average precision with ties left in file order, as the release computes it.

    It is the mean over positives of the precision down to their rank in a stable descending sort,
    so ties make it depend on the order of the examples. Copies of one example (a weight of 2)
    share one rank. Parameters and result are those of :func:`auprc`.
    """
    return _average_precision(targets, scores, weights, strata, merge_ties=False)


def _average_precision(
    targets: np.ndarray,
    scores: np.ndarray,
    weights: np.ndarray | None,
    strata: np.ndarray | None,
    merge_ties: bool,
) -> np.ndarray:
    total: np.ndarray | float = 0.0
    positives: np.ndarray | float = 0.0
    for positive, negative in _by_threshold(targets, scores, weights, strata, merge_ties):
        hits = np.cumsum(positive, axis=-1)
        called = hits + np.cumsum(negative, axis=-1)
        precision = np.divide(hits, called, out=np.zeros_like(hits), where=called > 0)
        # a fold may lose its negatives with a block, so each row is tested
        used = negative.sum(-1) > 0 if strata is not None else True
        total = total + np.where(used, (positive * precision).sum(-1), 0)
        positives = positives + np.where(used, positive.sum(-1), 0)
    return _shaped(total, positives, weights)


def _by_threshold(
    targets: np.ndarray,
    scores: np.ndarray,
    weights: np.ndarray | None,
    strata: np.ndarray | None,
    merge_ties: bool,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Weights of positives and negatives at each falling threshold, (k, t) per stratum."""
    targets, scores = np.asarray(targets) == 1, np.asarray(scores, dtype=np.float64)
    if np.isnan(scores).any():
        raise ValueError("a score is NaN")
    wide = np.ones((1, len(scores))) if weights is None else np.atleast_2d(weights)
    strata = np.zeros(len(scores)) if strata is None else np.asarray(strata)
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        rows = rows[np.argsort(-scores[rows], kind="stable")]
        ordered = wide[:, rows]
        positive, negative = ordered * targets[rows], ordered * ~targets[rows]
        if merge_ties:
            starts = np.flatnonzero(np.diff(scores[rows], prepend=np.inf))
            positive = np.add.reduceat(positive, starts, axis=-1)
            negative = np.add.reduceat(negative, starts, axis=-1)
        yield positive, negative


def _shaped(above: object, below: object, weights: np.ndarray | None) -> np.ndarray:
    """Ratio, NaN where the denominator is 0; shape (k,) if weights are a matrix, else ()."""
    top, bottom = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    found = ratio(top, bottom)
    if weights is not None and np.ndim(weights) == 2:
        return np.broadcast_to(found, (len(weights),)).copy()
    return found.reshape(())
