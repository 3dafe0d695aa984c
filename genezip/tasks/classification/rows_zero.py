"""Rows zero: what labels cost that need no model, at the head of every table of a set.

``nearest`` gives the label of the training row that shares most k-mers. ``twin`` gives the label
of the training rows with equal dinucleotide counts, or another one where that is better: where
negatives are shuffled positives, a row's twin has the other label. ``position_motif`` multiplies
the class shares of the base at each position. "Training" rows are all whose label may be used
(training and validation); the labels of test rows decide nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from genezip.alphabet import A_ID, N_ID
from genezip.artifacts.scores import SOLVED
from genezip.metrics.classification import METRICS, confusion
from genezip.tasks.classification.similarity import nearest, twins
from genezip.tasks.classification.splits import Fold

SOLVED_ALL = 0.7
SOLVED_COVERED = 0.9
PSEUDOCOUNT = 1.0


@dataclass(frozen=True)
class RowZero:
    """Predictions of one row zero for the test rows of a fold.

    Attributes
    ----------
    name : ``nearest``, ``twin`` or ``position_motif``
    predicted : int64 array, shape (n,), class
    covered : bool array, shape (n,)
        Rows that it knows anything of; the others get the largest class of training.
    score : float64 array, shape (n,) or (n, classes), or None
        Similarity of the nearest row, probability of each class; a twin has none.
    note : how many rows are covered, and how
    """

    name: str
    predicted: np.ndarray
    covered: np.ndarray
    score: np.ndarray | None
    note: str


def rows_zero(
    ids: Sequence[np.ndarray], truth: np.ndarray, fold: Fold, classes: int
) -> list[RowZero]:
    """Every row zero of a fold.

    Parameters
    ----------
    ids : uint8 token ids of every sequence of the set
    truth : int array, shape (n,), class of each; of ``fold.test`` none is read
    fold : row numbers
    classes : number of classes
    """
    rows: tuple[Callable[..., RowZero], ...] = (nearest_row, twin_row, position_motif)
    seen, tested = ([ids[row] for row in rows] for rows in (fold.seen, fold.test))
    return [row(seen, truth[fold.seen], tested, classes) for row in rows]


def nearest_row(
    seen: Sequence[np.ndarray], labels: np.ndarray, tested: Sequence[np.ndarray], classes: int
) -> RowZero:
    """Class of the nearest training row (:func:`genezip.tasks.classification.similarity.nearest`).

    Parameters
    ----------
    seen, tested : token ids of training rows and of rows to predict
    labels : int array, shape (len(seen),), classes of the training rows
    classes : number of classes
    """
    index, similarity = nearest(tested, seen)
    covered = similarity > 0
    predicted = np.where(covered, labels[index], _largest(labels, classes))
    note = f"{covered.sum():,} of {len(covered):,} rows share a k-mer with a training row"
    return RowZero("nearest", predicted, covered, similarity, note)


def twin_row(
    seen: Sequence[np.ndarray], labels: np.ndarray, tested: Sequence[np.ndarray], classes: int
) -> RowZero:
    """Most frequent class of the training rows with equal dinucleotide counts, or another class.

    Whether another class is given is decided by the training rows alone, each against its twins
    among the others: where more of them are right so. Then it is the most frequent other class.
    Parameters as of :func:`nearest_row`.
    """
    links = twins([*seen, *tested])
    known = np.arange(links.rows) < len(seen)
    every = np.concatenate([labels, np.zeros(len(tested), dtype=np.int64)])
    counts = links.partners(np.ones(links.rows, dtype=bool), known, every, classes)
    # the training rows, each without itself, decide what a twin's label means
    other, counts, own = _other_class(labels, classes), counts[len(seen) :], counts[: len(seen)]
    has = own.any(axis=1)
    copied = own[has].argmax(axis=1)
    inverted = bool((other[copied] == labels[has]).sum() > (copied == labels[has]).sum())
    covered, found = np.asarray(counts.any(axis=1)), counts.argmax(axis=1)
    predicted = np.where(covered, other[found] if inverted else found, _largest(labels, classes))
    how = ", whose label is inverted" if inverted else ""
    note = f"{covered.sum():,} of {len(covered):,} rows have a training row of equal counts{how}"
    return RowZero("twin", predicted, covered, None, note)


def position_motif(
    seen: Sequence[np.ndarray], labels: np.ndarray, tested: Sequence[np.ndarray], classes: int
) -> RowZero:
    """Class by the bases at each position: naive Bayes, a log-odds matrix for each class.

    Sequences are laid above one another by their middle base, which for sequences of one length
    is the same as by their first. A position that a sequence lacks, or where it has N, says
    nothing. Parameters as of :func:`nearest_row`.
    """
    reach = max((len(one) for one in [*seen, *tested]), default=0)
    counts = np.full((classes, reach + 1, 4), PSEUDOCOUNT)
    for one, label in zip(seen, labels, strict=True):
        place, base = _placed(one, reach)
        counts[label, place, base] += 1
    tables = np.log(counts / counts.sum(axis=2, keepdims=True))
    # a class without training rows has no share
    share = np.bincount(labels, minlength=classes) / len(labels)
    prior = np.log(share, out=np.full(classes, -np.inf), where=share > 0)
    score = np.tile(prior, (len(tested), 1))
    for row, one in enumerate(tested):
        place, base = _placed(one, reach)
        score[row] += tables[:, place, base].sum(axis=1)
    probability = softmax(score, axis=1) if len(tested) else score
    lengths = {len(one) for one in [*seen, *tested]}
    note = "aligned by the first base" if len(lengths) == 1 else "aligned by the middle base"
    covered = np.ones(len(tested), dtype=bool)
    return RowZero("position_motif", score.argmax(axis=1), covered, probability, note)


def _placed(one: np.ndarray, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """Column of the table and base (0 to 3) of every known base of a sequence."""
    known = np.flatnonzero((one >= A_ID) & (one < N_ID))
    return known + reach // 2 - len(one) // 2, one[known].astype(np.int64) - A_ID


def _largest(labels: np.ndarray, classes: int) -> int:
    return int(np.bincount(labels, minlength=classes).argmax())


def _other_class(labels: np.ndarray, classes: int) -> np.ndarray:
    """For each class the largest of the others; int64, (classes,)."""
    counts = np.tile(np.bincount(labels, minlength=classes), (classes, 1))
    np.fill_diagonal(counts, -1)
    return counts.argmax(axis=1)


def solved(
    row: RowZero, truth: np.ndarray, classes: int, metric: str, published: float | None = None
) -> str | None:
    """Why a set is solved by a row zero, so that it tells nothing of models; None where it is not.

    Either the row zero is at least as good as the best published model, by the task's metric: no
    score below it can come from a model alone. Or it has an MCC of 0.7 over all test rows and of
    0.9 over those that it covers: then labels follow from how the set was made, and 0.7 is more
    than a published model reaches on most sets of GUE (median of DNABERT-2: 0.68). A trained
    model of the same table decides nothing, because a weak one would mark every set.

    Parameters
    ----------
    row : a row zero
    truth : int array, shape (n,), classes of the same test rows
    metric : name of the task's metric, a key of :data:`genezip.metrics.classification.METRICS`
    published : best published value of that metric on these rows, or None
    """

    def value(of: str, rows: np.ndarray) -> float:
        return float(METRICS[of][0](confusion(truth[rows], row.predicted[rows], classes)))

    every = np.ones(len(truth), dtype=bool)
    own = value(metric, every)
    if published is not None and own >= published:
        return f"{SOLVED}{row.name}: {metric} {own:.3f}, best published {published:.3f}"
    overall, inside = value("mcc", every), value("mcc", row.covered)
    if overall >= SOLVED_ALL and inside >= SOLVED_COVERED:
        return (
            f"{SOLVED}{row.name}: MCC {overall:.3f}, and {inside:.3f} on the "
            f"{row.covered.sum():,} of {len(truth):,} rows that it covers"
        )
    return None
