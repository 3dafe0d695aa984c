"""The audit: what it must find in made and in real sets."""

import pytest
from toolkit.dna import random_dna, reverse_complement

from genezip.tasks.classification.audit import audit

SPLITS = ("train", "train", "train", "valid", "test")


def clean(seed: int = 0, rows: int = 100):
    """Unrelated sequences, classes equally often in every split."""
    return [
        (SPLITS[row // 2 % 5], random_dna(80, 1000 * seed + row), row % 2) for row in range(rows)
    ]


def found(report, check, split, against):
    rows = report.alike.set_index(["check", "split", "against"])
    return tuple(rows.loc[(check, split, against), ["rows", "same_label", "other_label"]])


def test_unrelated_sequences_have_nothing(labelled):
    report = audit(labelled(clean()))
    assert report.verdict == ["verdict: nothing found"]
    assert report.alike["rows"].sum() == 0 and len(report.alike) == 5 * 5
    assert report.mcc["baseline"].tolist() == ["nearest", "twin", "position_motif"]
    assert "nearest" in report.text() and "shuffles" not in report.text()


def test_copies_and_reverse_complements_by_label(labelled):
    rows = clean()
    a, b, c = (rows[at][1] for at in (0, 1, 2))  # of train, with the labels 0, 1, 0
    rows += [
        ("test", a, 0),
        ("test", b, 0),
        ("test", b, 0),
        ("test", reverse_complement(c), 0),
        ("train", a, 1),
    ]
    report = audit(labelled(rows))
    assert found(report, "copies", "test", "train+valid") == (3, 1, 3)
    assert found(report, "copies", "test", "test") == (2, 2, 0)
    assert found(report, "copies", "train", "train") == (2, 0, 2)
    assert found(report, "reverse_complements", "test", "train+valid") == (1, 1, 0)
    assert found(report, "shared_stretch", "test", "train+valid") == (4, 2, 3)
    assert found(report, "twins", "test", "train+valid") == (3, 1, 3)
    assert found(report, "shuffles", "test", "train+valid") == (0, 0, 0)
    assert "3 of 24 test rows (12.5%) are a copy of a training" in report.verdict[0]
    assert "2 of 61 rows of train have a copy there with another label" in report.verdict
    assert report.verdict[-1] == "verdict: the split leaks; report the split `unseen` beside it"


def test_near_copies_share_a_stretch(labelled):
    rows = clean()
    text = rows[0][1]
    other = "ACGT"["CGTA".index(text[32])]  # so that no 33rd base is shared
    near = "ACGT" + text[:32] + other + random_dna(43, 9_999)
    rows += [("test", near, 1), ("valid", text[5:37], 0)]
    report = audit(labelled(rows))
    assert found(report, "shared_stretch", "test", "train+valid") == (1, 0, 1)
    assert found(report, "shared_stretch", "valid", "train") == (1, 1, 0)
    assert found(audit(labelled(rows), k=33), "shared_stretch", "test", "train+valid")[0] == 0


def test_negatives_that_are_shuffles_are_not_fit(labelled):
    """The halves between the outermost letters swap: A x A y A becomes A y A x A."""
    rows = []
    for pair in range(90):
        x, y = (random_dna(40, 2 * pair + half) for half in (0, 1))
        parts = (f"A{x}A{y}A", f"A{y}A{x}A")
        for label, text in enumerate(parts):
            split = "test" if pair % 6 == label else "train"
            rows.append((split, text, label))
    report = audit(labelled(rows))
    assert found(report, "shuffles", "test", "train") == (30, 0, 30)
    assert report.mcc.set_index("baseline").loc["twin", "mcc"] == 1
    assert report.verdict[-1].startswith("verdict: not fit to compare models (solved by")
    assert "classes are shuffles of one another" in report.verdict[-1]


def test_length_and_class_shares_are_told(labelled):
    rows = [(split, text[: 60 + 10 * label], label) for split, text, label in clean()]
    rows += [("test", random_dna(70, 5000 + at), 1) for at in range(20)]
    report = audit(labelled(rows))
    classes = report.classes.set_index(["split", "label"])
    assert classes.loc[("train", "0"), "median_bp"] == 60
    assert classes.loc[("train", "1"), "length_auroc"] == 1
    assert classes.loc[("test", "1"), "share"] == 0.75
    assert any(
        "the share of the class 0 differs between splits: 25.0% in test, 50.0% in train" in line
        for line in report.verdict
    )
    assert any("length alone tells the class" in line for line in report.verdict)
    assert report.verdict[-1] == "verdict: usable, with the remarks above"


@pytest.mark.parametrize("splits", [("train",), ("train", "valid"), ("train", ""), ("test",)])
def test_without_test_and_training_rows_all_rows_are_compared(labelled, splits):
    """Pairs of shuffles with the two labels, wherever the two of a pair are."""
    rows = []
    for pair in range(40):
        x, y = (random_dna(40, 2 * pair + half) for half in (0, 1))
        for label, text in enumerate((f"A{x}A{y}A", f"A{y}A{x}A")):
            rows.append((splits[label % len(splits)], text, label))
    report = audit(labelled(rows))
    assert set(report.alike["split"]) == {"all"}
    assert found(report, "shuffles", "all", "all") == (80, 0, 80)
    told = "80 of 80 rows have another row of equal dinucleotide counts"
    assert any(line.startswith(told) for line in report.verdict)
    told = "verdict: not fit to compare models (classes are shuffles of one another)"
    assert report.verdict[-1].startswith(told)


def test_alike_rows_of_a_set_without_a_split_are_no_leaky_split(labelled):
    rows = [("train", text, label) for _, text, label in clean()]
    report = audit(labelled([*rows, rows[0], ("train", rows[1][1][:60], 1)]))
    assert any("share 32 bases with another row" in line for line in report.verdict)
    assert report.verdict[-1] == "verdict: rows are alike; split the set by `family`"


def test_a_set_without_splits_is_compared_with_itself(labelled):
    rows = [("", text, label) for _, text, label in clean()]
    rows.append(("", rows[0][1], 1))
    report = audit(labelled(rows))
    assert found(report, "copies", "all", "all") == (2, 0, 2)
    assert not len(report.mcc)
    assert any("2 of 101 rows (2.0%) are a copy of another row" in line for line in report.verdict)


def test_test_rows_of_one_class_are_not_fit(labelled):
    rows = [(split, text, 1 if split == "test" else label) for split, text, label in clean()]
    told = "verdict: not fit to compare models (every test row is of the class 1)"
    assert audit(labelled(rows)).verdict[-1] == told


def test_test_rows_alone_are_told_to_lack_training_rows(labelled):
    report = audit(labelled([("test", text, label) for _, text, label in clean()]))
    assert report.verdict[-2].startswith("there are no training rows")
    assert report.verdict[-1] == "verdict: usable, with the remarks above"


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        pytest.param("mouse_0", 734, marks=pytest.mark.slow),
        pytest.param("mouse_2", 300, marks=pytest.mark.slow),
        ("mouse_3", 203),
    ],
)
def test_the_shuffled_mouse_sets_are_found(gue_set, name, rows):
    report = audit(gue_set(name))
    assert found(report, "shuffles", "test", "train+valid") == (rows, 0, rows)
    twin = report.mcc.set_index("baseline").loc["twin"]
    assert twin["covered"] == rows and twin["mcc_covered"] == 1.0
    assert "classes are shuffles of one another" in report.verdict[-1]


@pytest.mark.parametrize(
    ("name", "twins"),
    [
        pytest.param("tf_2", (0, 0, 0), marks=pytest.mark.slow),
        pytest.param("tf_3", (1, 1, 0), marks=pytest.mark.slow),
        ("prom_prom_core_tata", (18, 17, 1)),
        pytest.param("prom_prom_300_tata", (6, 6, 0), marks=pytest.mark.slow),
    ],
)
def test_in_the_other_real_sets_every_twin_is_a_copy(gue_set, name, twins):
    report = audit(gue_set(name))
    assert found(report, "twins", "test", "train+valid") == twins
    assert found(report, "copies", "test", "train+valid") == twins
    assert found(report, "shuffles", "test", "train+valid") == (0, 0, 0)
    assert report.verdict[-1] == "verdict: the split leaks; report the split `unseen` beside it"


@pytest.mark.slow
def test_homologous_rows_of_a_promoter_set_by_label(gue_set):
    """Of 48 rows that share 64 bases with training, 20 do so with rows of their label alone."""
    table = gue_set("prom_prom_300_tata")
    report = audit(table[table["split"] != "valid"].reset_index(drop=True), k=64)
    rows, same, other = found(report, "shared_stretch", "test", "train")
    assert (rows, same, other) == (48, 21, 28) and rows - other == 20
