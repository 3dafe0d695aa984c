"""Trivial baselines: predictions from similarity alone, in the first rows of every table of a set.

``nearest`` predicts the label of the training row with most shared k-mers. ``twin`` predicts the
label of the training rows with equal dinucleotide counts, or another one where that is better:
where negatives are shuffled positives, a row's twin has the other label. ``position_motif``
multiplies the class shares of the base at each position. "Training" rows here include validation
rows; labels of test rows are never used.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from genezip.alphabet import A_ID, N_ID
from genezip.artifacts.scores import SOLVED
from genezip.metrics.classification import confusion, mcc
from genezip.tasks.classification.similarity import nearest, twins
from genezip.tasks.classification.splits import Fold

SOLVED_ALL = 0.7
SOLVED_COVERED = 0.9
SOLVED_ROWS = 30
"""Least number of covered rows of a solved set."""
PSEUDOCOUNT = 1.0


@dataclass(frozen=True)
class TrivialBaseline:
    """Predictions of one trivial baseline for the test rows of a fold."""

    name: str  # ``nearest``, ``twin`` or ``position_motif``
    predicted: np.ndarray  # int64 array, shape (n,), class
    # bool array, shape (n,): rows with evidence; the others get the largest training class
    covered: np.ndarray
    how: str  # what covered rows have in common, in words
    inverted: bool = False  # whether another class than that of the found rows is predicted

    def of(self, rows: np.ndarray) -> "TrivialBaseline":
        """The predictions for some of the rows."""
        return replace(self, predicted=self.predicted[rows], covered=self.covered[rows])


def note_of(folds: Sequence[TrivialBaseline]) -> str:
    """Note on the covered rows of all folds, their evidence, and inverted labels."""
    covered = np.concatenate([one.covered for one in folds])
    text = f"{covered.sum():,} of {len(covered):,} rows {folds[0].how}"
    inverted = sum(one.inverted for one in folds)
    if inverted:
        text += ", whose label is inverted"
        text += f" in {inverted} of {len(folds)} folds" if len(folds) > 1 else ""
    return text


def trivial_baselines(
    ids: Sequence[np.ndarray], truth: np.ndarray, fold: Fold, classes: int
) -> list[TrivialBaseline]:
    """Predictions of every trivial baseline for a fold, without the classes of its test rows."""
    rows: tuple[Callable[..., TrivialBaseline], ...] = (nearest_row, twin_row, position_motif)
    seen, test = ([ids[row] for row in rows] for rows in (fold.seen, fold.test))
    return [row(seen, truth[fold.seen], test, classes) for row in rows]


def nearest_row(
    seen: Sequence[np.ndarray], labels: np.ndarray, test: Sequence[np.ndarray], classes: int
) -> TrivialBaseline:
    """Class of the nearest training row (:func:`genezip.tasks.classification.similarity.nearest`).

    Parameters
    ----------
    seen, test : token ids of training rows and of rows to predict
    labels : int array, shape (len(seen),), classes of the training rows
    """
    index, similarity = nearest(test, seen)
    covered = similarity > 0
    predicted = np.where(covered, labels[index], _largest(labels, classes))
    return TrivialBaseline("nearest", predicted, covered, "share a k-mer with a training row")


def twin_row(
    seen: Sequence[np.ndarray], labels: np.ndarray, test: Sequence[np.ndarray], classes: int
) -> TrivialBaseline:
    """Most frequent class of the training rows with equal dinucleotide counts, or another class.

    The most frequent other class is predicted where that is right for more of the training rows,
    each predicted from its twins among the others. Parameters as of :func:`nearest_row`.
    """
    links = twins([*seen, *test])
    known = np.arange(links.rows) < len(seen)
    every = np.concatenate([labels, np.zeros(len(test), dtype=np.int64)])
    counts = links.partners(np.ones(links.rows, dtype=bool), known, every, classes)
    # the training rows, each without itself, decide whether labels are inverted
    other, counts, own = _other_class(labels, classes), counts[len(seen) :], counts[: len(seen)]
    has = own.any(axis=1)
    copied = own[has].argmax(axis=1)
    inverted = bool((other[copied] == labels[has]).sum() > (copied == labels[has]).sum())
    covered, found = np.asarray(counts.any(axis=1)), counts.argmax(axis=1)
    predicted = np.where(covered, other[found] if inverted else found, _largest(labels, classes))
    return TrivialBaseline(
        "twin", predicted, covered, "have a training row of equal counts", inverted
    )


def position_motif(
    seen: Sequence[np.ndarray], labels: np.ndarray, test: Sequence[np.ndarray], classes: int
) -> TrivialBaseline:
    """The most probable class of :func:`position_probabilities`, with its parameters."""
    found = position_probabilities(seen, labels, test, classes)
    where = "first" if len({len(one) for one in [*seen, *test]}) == 1 else "middle"
    every = np.ones(len(test), dtype=bool)
    return TrivialBaseline(
        "position_motif", found.argmax(axis=1), every, f"are aligned by the {where} base"
    )


def position_probabilities(
    seen: Sequence[np.ndarray], labels: np.ndarray, test: Sequence[np.ndarray], classes: int
) -> np.ndarray:
    """Class probabilities by the bases at each position: naive Bayes, a log-odds matrix per class.

    Sequences are aligned by their middle base, which for sequences of one length equals alignment
    by their first. Positions without a known base are skipped. Parameters as of
    :func:`nearest_row`; float64 array, shape (len(test), classes).
    """
    from scipy.special import softmax  # late: a list of tasks does without

    reach = max((len(one) for one in [*seen, *test]), default=0)
    counts = np.full((classes, reach + 1, 4), PSEUDOCOUNT)
    for one, label in zip(seen, labels, strict=True):
        column, base = _aligned(one, reach)
        counts[label, column, base] += 1
    tables = np.log(counts / counts.sum(axis=2, keepdims=True))
    # a class without training rows has no share
    share = np.bincount(labels, minlength=classes) / len(labels)
    prior = np.log(share, out=np.full(classes, -np.inf), where=share > 0)
    score = np.tile(prior, (len(test), 1))
    for row, one in enumerate(test):
        column, base = _aligned(one, reach)
        score[row] += tables[:, column, base].sum(axis=1)
    return softmax(score, axis=1) if len(test) else score


def _aligned(one: np.ndarray, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """Column of the table and base (0 to 3) of every known base of a sequence."""
    known = np.flatnonzero((one >= A_ID) & (one < N_ID))
    return known + reach // 2 - len(one) // 2, one[known].astype(np.int64) - A_ID


def _largest(labels: np.ndarray, classes: int) -> int:
    return int(np.bincount(labels, minlength=classes).argmax())


def _other_class(labels: np.ndarray, classes: int) -> np.ndarray:
    """The largest other class of each class; int64, (classes,)."""
    counts = np.tile(np.bincount(labels, minlength=classes), (classes, 1))
    np.fill_diagonal(counts, -1)
    return counts.argmax(axis=1)


def solved(row: TrivialBaseline, truth: np.ndarray, classes: int) -> str | None:
    """Reason why a trivial baseline solves a set, which then cannot compare models; None otherwise.

    Such a baseline has an MCC of 0.7 over all test rows (classes ``truth``) and of 0.9 over at
    least 30 covered ones: then labels follow from how the set was made, and 0.7 is more than a
    published model reaches on most sets of GUE (median of DNABERT-2: 0.68). Trained models of the
    same table are not considered, because a weak one would mark every set.
    """
    overall, inside = (
        float(mcc(confusion(truth[rows], row.predicted[rows], classes)))
        for rows in (np.ones(len(truth), dtype=bool), row.covered)
    )
    count = int(row.covered.sum())
    if count >= SOLVED_ROWS and overall >= SOLVED_ALL and inside >= SOLVED_COVERED:
        return (
            f"{SOLVED}{row.name}: MCC {overall:.3f}, and {inside:.3f} on the "
            f"{count:,} of {len(truth):,} rows that it covers"
        )
    return None
