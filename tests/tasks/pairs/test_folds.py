"""Split rules of pairs: which rows train, validate and test, and what stands where none can."""

import numpy as np
import pandas as pd
import pytest

from genezip.tasks.pairs.folds import folds_of, one_class, splits_of


def test_folds_rotate_and_test_every_row_once() -> None:
    table = pd.DataFrame(
        {
            "split": ["train", "valid", "test", "train"],
            "fold_gene": [0, 1, 2, 3],
            "fold_chromosome": [-1, -1, -1, -1],
        }
    )
    (paper,) = folds_of(table, "paper")
    assert paper.number == -1
    assert [mask.nonzero()[0].tolist() for mask in (paper.train, paper.valid, paper.test)] == [
        [0, 3],
        [1],
        [2],
    ]
    folds = list(folds_of(table, "gene"))
    assert [fold.test.argmax() for fold in folds] == [0, 1, 2, 3]
    assert [fold.valid.argmax() for fold in folds] == [1, 2, 3, 0]
    for fold in folds:
        assert (fold.train.astype(int) + fold.valid + fold.test == 1).all()
    assert list(folds_of(table, "chromosome")) == []


def test_the_next_fold_validates_and_the_others_train() -> None:
    pairs = pd.DataFrame({"fold_gene": [0, 1, 2, 3, 3, 1]})
    folds = {fold.number: fold for fold in folds_of(pairs, "gene")}
    assert sorted(folds) == [0, 1, 2, 3]
    assert np.flatnonzero(folds[1].test).tolist() == [1, 5]
    assert np.flatnonzero(folds[1].valid).tolist() == [2]
    assert np.flatnonzero(folds[1].train).tolist() == [0, 3, 4]
    assert np.flatnonzero(folds[3].valid).tolist() == [0]


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ([0, 1, 0], ""),
        ([1, 1], "all 2 training pairs have the label 1"),
        ([], "there are no training pairs"),
    ],
)
def test_a_training_set_of_one_class_is_told(labels: list[int], reason: str) -> None:
    assert one_class(np.array(labels, dtype=np.int8)) == reason


def test_only_the_deposits_split_has_validation_predictions() -> None:
    assert splits_of("paper") == ("valid", "test")
    assert splits_of("gene") == ("test",)
