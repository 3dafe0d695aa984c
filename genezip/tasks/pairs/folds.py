"""Split rules of pairs: which rows train, validate and test, and what to say where none can."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from genezip.tasks.base import Arm
    from genezip.tasks.predictions import PredictionWriter


@dataclass(frozen=True)
class Fold:
    """One training set and what it is validated and tested on (masks of the table's rows).

    Attributes
    ----------
    number : int, -1 for the rule ``paper``
    train, valid, test : bool arrays, shape (n,)
    """

    number: int
    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray


def folds_of(table: pd.DataFrame, rule: str) -> Iterator[Fold]:
    """Folds of a split rule.

    ``paper`` has one, the column ``split``. ``gene`` and ``chromosome`` have as many as
    ``fold_gene`` and ``fold_chromosome`` name: fold f is tested, f + 1 is for validation, and
    the others train. None where rows were not dealt to folds (-1).
    """
    if rule == "paper":
        split = table["split"].to_numpy()
        yield Fold(-1, split == "train", split == "valid", split == "test")
        return
    fold = table[f"fold_{rule}"].to_numpy()
    count = int(fold.max(initial=-1)) + 1
    for number in range(count):
        test, valid = fold == number, fold == (number + 1) % count
        yield Fold(number, ~test & ~valid & (fold >= 0), valid, test)


def splits_of(rule: str) -> tuple[str, ...]:
    """Splits that are predicted: with folds every pair is a test pair once."""
    return ("valid", "test") if rule == "paper" else ("test",)


def no_folds(rule: str) -> str:
    """Why a rule has no predictions where :func:`folds_of` yields nothing."""
    return f"the data have no folds by {rule}"


def one_class(labels: np.ndarray) -> str:
    """Why nothing can be learned from these labels; empty where both classes are there.

    Parameters
    ----------
    labels : array, shape (n,), 0 or 1, of the training pairs
    """
    kinds = np.unique(labels)
    if len(kinds) == 2:
        return ""
    if not len(kinds):
        return "there are no training pairs"
    return f"all {len(labels)} training pairs have the label {int(kinds[0])}"


def note_unpredicted(
    writer: "PredictionWriter",
    arm: "Arm",
    rule: str,
    metrics: Sequence[str],
    reasons: Sequence[str],
    some: bool,
) -> None:
    """Note why pairs of a rule have no prediction; without a reason nothing is noted.

    Parameters
    ----------
    metrics : whose cells give the reasons
    reasons : one of the rule, or one per fold that could not be predicted
    some : whether other folds were predicted, so that values stand beside the reasons
    """
    for split in splits_of(rule) if reasons else ():
        for metric in metrics:
            writer.note(arm, metric, "; ".join(reasons), rule, split, value_stands=some)
