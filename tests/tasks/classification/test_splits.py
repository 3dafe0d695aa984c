"""Split schemes of labelled sets."""

import numpy as np
import pandas as pd
import pytest
from toolkit.dna import random_dna, reverse_complement

from genezip.alphabet import encode
from genezip.artifacts.published import nucleotide_transformer, published_fits
from genezip.errors import GenezipError
from genezip.tasks.classification.splits import (
    Fold,
    balanced_folds,
    fit_of,
    fold_column,
    folds_in,
    folds_of,
    mean_of_fits,
    random_validation,
    resampling_units,
    split_folds,
)

A, B, C, D = (random_dna(70, seed) for seed in range(4))


@pytest.fixture
def published(labelled):
    """Test rows: new, the reverse complement of a training row, overlapping one of validation."""
    return labelled(
        [
            ("train", A, 0),
            ("valid", B, 1),
            ("test", C, 0),
            ("test", reverse_complement(A), 1),
            ("test", B[38:] + D[32:], 1),
            ("train", D[:20], 1),
            ("test", B[39:] + D[31:], 1),
        ]
    )


def ids_of(table):
    return [encode(text) for text in table["sequence"]]


def test_the_official_split_is_that_of_the_column(published):
    (fold,), note = split_folds(published, ids_of(published), "official", 0)
    assert fold.number == -1 and fold.train.tolist() == [0, 5]
    assert fold.valid.tolist() == [1] and fold.test.tolist() == [2, 3, 4, 6]
    assert fold.seen.tolist() == [0, 5, 1]
    assert note == "4 of 4 test rows"


def test_unseen_rows_share_no_32_bases_with_training_or_validation(published):
    (fold,), note = split_folds(published, ids_of(published), "unseen", 0)
    assert fold.test.tolist() == [2, 6]  # 31 bases in common are too few
    assert fold.train.tolist() == [0, 5] and fold.valid.tolist() == [1]
    assert note.startswith("2 of 4 test rows, without those that share 32 bases with a training")
    (fold,), _ = split_folds(published, ids_of(published), "unseen", 0, k=31)
    assert fold.test.tolist() == [2]


def test_no_chromosome_is_learned_from_and_tested(labelled):
    table = labelled([("", A, 0), ("", B, 1), ("", C, 0), ("", D, 1)])
    table["chrom"] = ["1", "2", "1", "X"]
    folds, note = split_folds(table, ids_of(table), "chromosome", 2)
    assert [fold.test.tolist() for fold in folds] == [[0, 2], [1, 3]]
    assert [fold.train.tolist() for fold in folds] == [[1, 3], [0, 2]]
    assert note == "4 of 4 rows in 2 folds of 3 chromosomes"


def test_no_family_is_learned_from_and_tested(labelled):
    table = labelled([("", A, 0), ("", B, 1), ("", C, 0), ("", A[30:] + D[:30], 1), ("", D, 0)])
    folds, note = split_folds(table, ids_of(table), "family", 2)
    tested = [fold.test.tolist() for fold in folds]
    assert sorted(row for rows in tested for row in rows) == list(range(5))
    family = {0, 3}
    assert all(family <= set(rows) or not family & set(rows) for rows in tested)
    assert note == "5 of 5 rows in 2 folds of 4 families of alike sequences"


@pytest.mark.parametrize(
    ("scheme", "split", "told"),
    [
        ("chromosome", "train", "needs coordinates"),
        ("family", "train", "2 folds need as many families .* has 1; ask for fewer"),
        ("official", "train", "has no test row"),
        ("unseen", "", "has no train row"),
        ("random", "train", "there is no split 'random'; the splits are official, unseen"),
    ],
)
def test_a_scheme_that_a_set_cannot_have_is_one_sentence(labelled, scheme, split, told):
    table = labelled([(split, A, 0), (split, A, 1)])
    with pytest.raises(GenezipError, match=told):
        split_folds(table, ids_of(table), scheme, 2)


def test_the_largest_chromosome_goes_first_and_the_next_to_the_emptiest_fold():
    chroms = pd.Series(["a"] * 5 + ["b"] * 3 + ["c"] * 2 + ["d"])
    assert balanced_folds(chroms, 2) == {"a": 0, "b": 1, "c": 1, "d": 0}


def test_every_fold_is_tested_once_and_trained_on_the_others():
    folds = folds_of(np.array([2, 0, 2, 5]))
    assert [(f.number, f.train.tolist(), f.test.tolist(), len(f.valid)) for f in folds] == [
        (0, [0, 2, 3], [1], 0),
        (2, [1, 3], [0, 2], 0),
        (5, [0, 1, 2], [3], 0),
    ]


def test_units_are_groups_else_loci_else_families(labelled):
    table = labelled([("", A, 0), ("", B, 1), ("", reverse_complement(A), 0)])
    ids = ids_of(table)
    assert resampling_units(table, ids).tolist() == ["0", "1", "0"]
    table = table.assign(chrom=["1", "1", "2"], start=[5, 1_000_000, 5])
    assert resampling_units(table, ids).tolist() == ["1:0", "1:1", "2:0"]
    assert resampling_units(table, ids, 4).tolist() == ["1:1", "1:250000", "2:1"]
    assert resampling_units(table.assign(group=["x", "y", "y"]), ids).tolist() == ["x", "y", "y"]


@pytest.mark.parametrize(
    ("name", "left", "of"),
    [
        ("prom_prom_core_tata", 575, 613),
        pytest.param("prom_prom_300_tata", 535, 613, marks=pytest.mark.slow),
        pytest.param("tf_2", 933, 1000, marks=pytest.mark.slow),
        pytest.param("tf_3", 888, 1000, marks=pytest.mark.slow),
    ],
)
def test_rows_left_of_the_real_sets(gue_set, name, left, of):
    table = gue_set(name)
    (fold,), note = split_folds(table, ids_of(table), "unseen", 0)
    assert note.startswith(f"{left:,} of {of:,} test rows") and len(fold.test) == left
    texts = table["sequence"].tolist()
    words = {texts[row][at : at + 32] for row in fold.seen for at in range(len(texts[row]) - 31)}
    for row in fold.test:
        for text in (texts[row], reverse_complement(texts[row])):
            assert not any(text[at : at + 32] in words for at in range(len(text) - 31))


def test_rows_without_a_chromosome_are_in_no_fold(labelled):
    table = labelled([("", random_dna(60, seed), seed % 2) for seed in range(12)])
    table["chrom"] = ["a", "b", "", "c"] * 3
    folds, note = split_folds(table, [encode(one) for one in table["sequence"]], "chromosome", 3)
    lost = {2, 6, 10}
    for fold in folds:
        assert not lost & {*fold.train, *fold.test}
        assert len(fold.train) + len(fold.test) == 9
    assert note == "9 of 12 rows in 3 folds of 3 chromosomes"
    column = fold_column(folds, 12)
    for one, again in zip(folds, folds_in(column, table["split"].to_numpy()), strict=True):
        assert one.train.tolist() == again.train.tolist()
        assert one.test.tolist() == again.test.tolist()


def test_random_validation_divides_the_training_rows_and_leaves_the_test_rows():
    truth = np.arange(40) % 2
    fold = Fold(-1, np.arange(20), np.arange(30, 40), np.arange(20, 30))
    parts = random_validation(fold, truth, 10, seed=3)
    assert sorted(np.concatenate([part.valid for part in parts])) == list(range(30))
    for number, part in enumerate(parts):
        assert part.number == number and part.test.tolist() == list(range(30, 40))
        assert sorted([*part.train, *part.valid]) == list(range(30))
    again, other = (random_validation(fold, truth, 10, seed=seed)[0] for seed in (3, 4))
    assert again.valid.tolist() == parts[0].valid.tolist() != other.valid.tolist()


@pytest.mark.parametrize(
    ("rows", "told"),
    [(2, "2 training rows cannot be divided into 3"), (9, "every training row of the class")],
)
def test_a_part_must_leave_each_class_to_learn_from(rows, told):
    truth = np.zeros(12, dtype=np.int64)
    truth[4] = 1
    with pytest.raises(GenezipError, match=told):
        random_validation(Fold(-1, np.arange(rows), np.arange(9, 12)), truth, 3, 0)


@pytest.mark.parametrize("name", ["H3", "H4", "enhancers_types", "promoter_all"])
def test_the_mean_of_fits_and_its_interval_are_those_of_the_published_table(name):
    """Ten published fits give the mean and the interval of the published table, as rounded."""
    values = published_fits(name)
    cells = {"model": "m", "seed": 0, "input": "full", "mode": "full", "subset": name}
    cells |= {"split": "test", "metric": "mcc", "ci_low": -1, "ci_high": 1, "n": 9, "unit": "x"}
    rows = [
        cells | {"rule": fit_of("official", number), "value": value}
        for number, value in enumerate(values)
    ]
    (mean,) = mean_of_fits([*rows, cells | {"rule": "official", "value": 0.1}])
    table = nucleotide_transformer().set_index("set").loc[name]
    assert len(values) == 10 and mean["rule"] == "official_fits" and mean["units"] == 10
    assert mean["value"] == pytest.approx(table["released"], abs=0.0005001)
    assert mean["ci_high"] - mean["value"] == pytest.approx(table["ci95"], abs=0.0005001)
    assert mean["value"] - mean["ci_low"] == pytest.approx(mean["ci_high"] - mean["value"])
