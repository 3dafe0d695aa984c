"""Split schemes of pairs: folds that share nothing, which rows train, and what if none can."""

import numpy as np
import pandas as pd
import pytest

from genezip.tasks.pairs.folds import (
    NO_FOLD,
    chromosome_folds,
    folds_of,
    gene_folds,
    groups,
    one_class,
    splits_of,
)


def table(rows: list[tuple[str, str, str, int, int, int]]) -> pd.DataFrame:
    """Every gene has a TSS of its own."""
    columns = ["gene_id", "region_id", "chrom", "focus_start", "focus_end", "label"]
    found = pd.DataFrame(rows, columns=columns)
    return found.assign(tss=7_000 + pd.factorize(found["gene_id"])[0])


def random_pairs(seed: int, n: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    places = rng.integers(0, 4_000, n) * 5
    chroms = rng.choice(["1", "2", "3", "4", "5", "6"], n)
    return pd.DataFrame(
        {
            # genes of one chromosome only, as in the deposits
            "gene_id": [f"G{c}.{place // 300}" for c, place in zip(chroms, places, strict=True)],
            "region_id": [f"V{c}.{place}" for c, place in zip(chroms, places, strict=True)],
            "chrom": chroms,
            # two genes of a chromosome in three begin at one base
            "tss": [[0, 40, 40][place // 300 % 3] + place // 900 * 100 for place in places],
            "focus_start": places,
            "focus_end": places + rng.integers(1, 9, n),
            "label": rng.random(n) < 0.2,
        }
    ).astype({"label": np.int8})


def slow_groups(pairs: pd.DataFrame) -> list[set[int]]:
    """Rows are joined while any two groups share something."""
    found = [{row} for row in range(len(pairs))]
    rows = pairs.to_dict("records")

    def share(a: dict, b: dict) -> bool:
        places = a["chrom"] == b["chrom"] and (
            a["focus_start"] < b["focus_end"] and b["focus_start"] < a["focus_end"]
        )
        begin = (a["chrom"], a["tss"]) == (b["chrom"], b["tss"])
        names = a["gene_id"] == b["gene_id"] or a["region_id"] == b["region_id"]
        return names or places or begin

    for one in range(len(rows)):
        linked = [group for group in found if any(share(rows[one], rows[r]) for r in group)]
        found = [group for group in found if group not in linked] + [set().union(*linked)]
    return found


def test_groups_by_hand() -> None:
    pairs = table(
        [
            ("A", "v1", "1", 10, 11, 0),
            ("A", "v2", "1", 50, 51, 0),  # gene A
            ("B", "v2", "1", 50, 51, 1),  # variant v2
            ("C", "v3", "1", 100, 110, 0),
            ("D", "v4", "1", 109, 120, 0),  # one base of v3
            ("E", "v5", "1", 120, 130, 0),  # touches v4 only
            ("F", "v6", "2", 100, 110, 0),  # the same place on another chromosome
        ]
    )
    assert pd.factorize(groups(pairs))[0].tolist() == [0, 0, 0, 1, 1, 2, 3]


def test_one_gene_under_two_names_is_one_group() -> None:
    """Sources name a gene by its symbol or its id; the TSS is the same."""
    pairs = table(
        [
            ("ENSG1", "v1", "1", 10, 11, 0),
            ("SYMBOL1", "v2", "1", 50, 51, 0),  # begins where ENSG1 does
            ("ENSG2", "v3", "1", 90, 91, 0),  # begins one base later
            ("ENSG3", "v4", "2", 10, 11, 0),  # the same number on another chromosome
        ]
    ).assign(tss=[500, 500, 501, 500])
    assert pd.factorize(groups(pairs))[0].tolist() == [0, 0, 1, 2]
    many = pd.concat(
        [
            pairs.assign(
                gene_id=pairs["gene_id"] + f".{copy}",
                region_id=pairs["region_id"] + f".{copy}",
                focus_start=pairs["focus_start"] + 1_000 * copy,
                focus_end=pairs["focus_end"] + 1_000 * copy,
                tss=pairs["tss"] + 1_000 * copy,
            )
            for copy in range(20)
        ],
        ignore_index=True,
    )
    folds = pd.Series(gene_folds(many, 5, seed=0))
    assert folds.groupby([many["chrom"], many["tss"]]).nunique().max() == 1


@pytest.mark.parametrize("seed", [0, 1])
def test_groups_are_those_of_joining_pair_by_pair(seed: int) -> None:
    pairs = random_pairs(seed, 120)
    fast = pd.Series(range(120)).groupby(groups(pairs)).agg(set).tolist()
    assert sorted(map(sorted, fast)) == sorted(map(sorted, slow_groups(pairs)))


@pytest.mark.parametrize("folds", [3, 5])
def test_no_gene_and_no_region_is_in_two_folds_and_every_fold_has_rows(folds: int) -> None:
    pairs = random_pairs(2)
    found = gene_folds(pairs, folds, seed=0)
    for columns in (["gene_id"], ["region_id"], ["chrom", "tss"]):
        assert pairs.assign(fold=found).groupby(columns)["fold"].nunique().max() == 1
    for _, own in pairs.assign(fold=found).groupby("chrom"):
        rows = own.sort_values("focus_start")
        overlap = rows["focus_start"].iloc[1:].to_numpy() < rows["focus_end"].iloc[:-1].to_numpy()
        folds_of = rows["fold"].to_numpy()
        assert (folds_of[1:] == folds_of[:-1])[overlap].all()
    assert sorted(set(found.tolist())) == list(range(folds))
    whole = chromosome_folds(pairs, folds, seed=0)
    assert pd.Series(whole).groupby(pairs["chrom"].to_numpy()).nunique().max() == 1
    assert sorted(set(whole.tolist())) == list(range(folds))


def test_folds_have_equal_positives_and_rows_where_groups_are_alike() -> None:
    """Twelve groups of two rows, six with one positive: every one of three folds gets two."""
    rows = []
    for number in range(12):
        place = 100 * number
        label = int(number < 6)
        rows.append((f"G{number}", f"a{number}", "1", place, place + 1, label))
        rows.append((f"G{number}", f"b{number}", "1", place + 50, place + 51, 0))
    pairs = table(rows)
    found = pairs.assign(fold=gene_folds(pairs, 3, seed=4)).groupby("fold")["label"]
    assert found.sum().tolist() == [2, 2, 2]
    assert found.size().tolist() == [8, 8, 8]


def test_positives_come_before_rows() -> None:
    """Groups of 4, 3, 2 and 1 positives; those with fewer positives have more rows.

    Dealt to two folds by positives: 4 + 1 and 3 + 2. The group without one goes where rows are
    fewest.
    """
    rows = []
    for number, (positives, negatives) in enumerate([(4, 0), (3, 20), (2, 40), (1, 60), (0, 5)]):
        for row in range(positives + negatives):
            place = 1_000 * number + 10 * row
            label = int(row < positives)
            rows.append((f"G{number}", f"v{number}.{row}", "1", place, place + 1, label))
    pairs = table(rows)
    found = pairs.assign(fold=gene_folds(pairs, 2, seed=0)).groupby("fold")
    genes = sorted(sorted(set(names)) for _, names in found["gene_id"])
    # 4 + 61 rows and 23 + 42: both 65, so the last group goes to the first fold
    assert genes == [["G0", "G3", "G4"], ["G1", "G2"]]
    assert found["label"].sum().tolist() == [5, 5]


def test_folds_do_not_depend_on_the_order_of_rows_but_on_the_seed() -> None:
    pairs = random_pairs(3)
    shuffled = pairs.sample(frac=1, random_state=1)
    for deal in (gene_folds, chromosome_folds):
        once = pd.Series(deal(pairs, 5, 0), index=pairs.index)
        again = pd.Series(deal(shuffled, 5, 0), index=shuffled.index)
        assert once.equals(again.sort_index())
    assert not np.array_equal(gene_folds(pairs, 5, 0), gene_folds(pairs, 5, 1))


def test_too_few_groups_have_no_folds() -> None:
    pairs = table([("A", "v1", "1", 10, 11, 0), ("B", "v2", "2", 50, 51, 1)])
    assert gene_folds(pairs, 3, 0).tolist() == [NO_FOLD, NO_FOLD]
    assert chromosome_folds(pairs, 2, 0).tolist() != [NO_FOLD, NO_FOLD]


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
