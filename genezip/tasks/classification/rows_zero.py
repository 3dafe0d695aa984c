"""Rows zero: what labels cost that need no model, at the head of every table of a set.

``nearest`` gives the label of the training row that shares most k-mers. ``twin`` gives the label
of the training rows with equal dinucleotide counts, or another one where that is better: where
negatives are shuffled positives, a row's twin has the other label. ``position_motif`` multiplies
the class shares of the base at each position. "Training" rows are all whose label may be used
(training and validation); the labels of test rows decide nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import softmax

from genezip.alphabet import A_ID, N_ID
from genezip.artifacts.scores import SOLVED
from genezip.metrics.classification import confusion, mcc
from genezip.tasks.classification.similarity import nearest, twins
from genezip.tasks.classification.splits import Fold

SOLVED_ALL = 0.7
SOLVED_COVERED = 0.9
SOLVED_ROWS = 30
"""Covered rows from which a set can be called solved."""
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
    how : what is true of the covered rows, in words
    inverted : whether it gives another class than that of the rows it found
    """

    name: str
    predicted: np.ndarray
    covered: np.ndarray
    how: str
    inverted: bool = False

    def of(self, places: np.ndarray) -> "RowZero":
        """The same for some of the rows."""
        return replace(self, predicted=self.predicted[places], covered=self.covered[places])


def note_of(folds: Sequence[RowZero]) -> str:
    """How many rows of all folds one row zero covers, how, and where it inverts labels."""
    covered = np.concatenate([one.covered for one in folds])
    text = f"{covered.sum():,} of {len(covered):,} rows {folds[0].how}"
    inverted = sum(one.inverted for one in folds)
    if inverted:
        text += ", whose label is inverted"
        text += f" in {inverted} of {len(folds)} folds" if len(folds) > 1 else ""
    return text


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
    return RowZero("nearest", predicted, covered, "share a k-mer with a training row")


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
    return RowZero("twin", predicted, covered, "have a training row of equal counts", inverted)


def position_motif(
    seen: Sequence[np.ndarray], labels: np.ndarray, tested: Sequence[np.ndarray], classes: int
) -> RowZero:
    """The most probable class of :func:`position_probabilities`; parameters as there."""
    found = position_probabilities(seen, labels, tested, classes)
    where = "first" if len({len(one) for one in [*seen, *tested]}) == 1 else "middle"
    every = np.ones(len(tested), dtype=bool)
    return RowZero(
        "position_motif", found.argmax(axis=1), every, f"are aligned by the {where} base"
    )


def position_probabilities(
    seen: Sequence[np.ndarray], labels: np.ndarray, tested: Sequence[np.ndarray], classes: int
) -> np.ndarray:
    """Class probabilities by the bases at each position: naive Bayes, a log-odds matrix per class.

    Sequences are laid above one another by their middle base, which for sequences of one length
    is the same as by their first. A position that a sequence lacks, or where it has N, says
    nothing. Parameters as of :func:`nearest_row`.

    Returns
    -------
    float64 array, shape (len(tested), classes)
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
    return softmax(score, axis=1) if len(tested) else score


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


def solved(row: RowZero, truth: np.ndarray, classes: int) -> str | None:
    """Why a set is solved by a row zero, so that it tells nothing of models; None where it is not.

    It has an MCC of 0.7 over all test rows and of 0.9 over at least 30 that it covers: then labels
    follow from how the set was made, and 0.7 is more than a published model reaches on most sets
    of GUE (median of DNABERT-2: 0.68). A trained model of the same table decides nothing, because
    a weak one would mark every set.

    Parameters
    ----------
    row : a row zero
    truth : int array, shape (n,), classes of the same test rows
    classes : number of classes
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
