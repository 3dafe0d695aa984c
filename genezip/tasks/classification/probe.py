"""The linear probe on features of sequences, and the mean vectors of a frozen model.

All compared methods (a model's vectors, composition, k-mers) use this one probe,
so that differences of scores are differences of features.
"""

from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

from genezip.alphabet import reverse_complement
from genezip.inference.forward import sequence_vectors, tokens_and_vectors
from genezip.models.base import Compressor, Sequences, vector_width
from genezip.models.compressed import Compressed
from genezip.tasks.classification.splits import Fold

STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)
"""Inverse strengths of the L2 penalty that are tried (scikit-learn's ``C``)."""
INNER_FOLDS = 3
BATCH = 64


@runtime_checkable
class FindsGGrams(Protocol):
    """A system that finds phrases of tokens in DNA, as DNAZEN."""

    def matches(self, sequences: Sequences) -> list[Any]:
        """The places of phrases in each sequence, overlapping ones as well."""


def why_no_probe(
    truth: np.ndarray, groups: np.ndarray, folds: list[Fold], rows: str, units: str
) -> str | None:
    """Reason why probes cannot be trained and tested on these folds; None where they can.

    The strength of the penalty is chosen by cross-validation over training units, so each class
    needs several units.

    Parameters
    ----------
    truth, groups : arrays, shape (n,), class and unit (locus, family) of every row
    rows, units : words for a row (singular) and for units (plural)
    """
    from sklearn.model_selection import GroupKFold  # late: a list of tasks does without

    for fold in folds:
        if not len(fold.train) or not len(fold.test):
            return f"no {rows} is left to learn from, or none to test"
        known, of = truth[fold.seen], groups[fold.seen]
        held, classes = len(np.unique(of)), len(np.unique(known))
        if held < INNER_FOLDS or classes < 2:
            return (
                f"a probe needs training rows in {INNER_FOLDS} {units} and of 2 classes, and has "
                f"{held} and {classes}"
            )
        for inner in GroupKFold(INNER_FOLDS).split(fold.seen, known, of):
            if any(set(known[part]) != set(known) for part in inner):
                return f"a class lies in too few {units}"
    return None


def linear_probe(
    x: np.ndarray, truth: np.ndarray, groups: np.ndarray, fold: Fold, classes: int
) -> np.ndarray:
    """Class probabilities of the test rows of a fold, by logistic regression.

    Training and validation rows train the probe and standardise the features; the strength of the
    penalty is that of the least log loss in a cross-validation of these rows, by groups.

    Parameters
    ----------
    x : float array, shape (n, width), features of all rows
    truth : int array, shape (n,)
    groups : array, shape (n,); an inner fold never divides a group
    classes : number of classes; a class without training rows gets probability 0

    Returns
    -------
    float64 array, shape (len(fold.test), classes)
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, GroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    search = GridSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
        {"logisticregression__C": STRENGTHS},
        cv=GroupKFold(INNER_FOLDS),
        scoring="neg_log_loss",
    )
    search.fit(x[fold.seen], truth[fold.seen], groups=groups[fold.seen])
    found = np.zeros((len(fold.test), classes))
    found[:, search.classes_] = search.predict_proba(x[fold.test])
    return found


def vectors_and_tokens(
    compressor: Compressor, ids: list[np.ndarray], both_strands: bool = True
) -> tuple[np.ndarray, list[Compressed]]:
    """Mean vector over bases and strands of each sequence, float64 (n, width), and its tokens.

    Tokens are those of the strand that is given, and without ``both_strands`` the means, too.
    """
    found = np.zeros((len(ids), vector_width(compressor)))
    order = np.argsort([len(sequence) for sequence in ids], kind="stable")  # for little padding
    share = 0.5 if both_strands else 1.0
    given = [ids[row] for row in order]
    tokens: list[Compressed | None] = [None] * len(ids)
    for row, (one, vectors) in zip(
        order, tokens_and_vectors(compressor, given, BATCH), strict=True
    ):
        found[row] = share * vectors.mean(axis=0, dtype=np.float64)
        tokens[row] = replace(one, base_vectors=None, tokens=None)  # only starts are used
    if both_strands:
        turned = [reverse_complement(sequence) for sequence in given]
        for row, vectors in zip(order, sequence_vectors(compressor, turned, BATCH), strict=True):
            found[row] += share * vectors.mean(axis=0, dtype=np.float64)
    return found, [one for one in tokens if one is not None]
