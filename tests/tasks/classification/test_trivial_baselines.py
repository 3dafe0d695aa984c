"""Trivial baselines against slow twins, and on the real sets."""

import math
from collections import Counter

import numpy as np
import pytest
from toolkit.dna import random_dna, random_ids_and_n

from genezip.alphabet import encode
from genezip.metrics.classification import confusion, mcc
from genezip.tasks.classification.splits import Fold, split_folds
from genezip.tasks.classification.trivial_baselines import (
    TrivialBaseline,
    nearest_row,
    note_of,
    position_motif,
    position_probabilities,
    solved,
    trivial_baselines,
    twin_row,
)


def shuffles(text: str, count: int) -> list[str]:
    """Other texts of equal dinucleotide counts: stretches between equal letters swap places."""
    found = []
    for seed in range(10_000):
        random = np.random.default_rng(seed)
        letter = random.choice(list("ACGT"))
        cuts = np.flatnonzero(np.array(list(text)) == letter)
        if len(cuts) < 4:
            continue
        a, b, c, d = np.sort(random.choice(cuts, 4, replace=False))
        made = text[:a] + text[c:d] + text[b:c] + text[a:b] + text[d:]
        if made != text and made not in found:
            found.append(made)
        if len(found) == count:
            return found
    raise AssertionError("too few shuffles")


def dinucleotides(text: str) -> Counter[str]:
    return Counter(text[at : at + 2] for at in range(len(text) - 1))


def encoded(texts):
    return [encode(text) for text in texts]


def test_the_nearest_row_gives_its_label_and_similarity():
    seen = [random_dna(60, seed) for seed in range(4)]
    tested = [seen[2][:40] + random_dna(20, 9), seen[1], "NNN"]
    found = nearest_row(encoded(seen), np.array([0, 1, 2, 2]), encoded(tested), 3)
    assert found.predicted.tolist() == [2, 1, 2]
    assert found.covered.tolist() == [True, True, False]
    assert note_of([found]) == "2 of 3 rows share a k-mer with a training row"


@pytest.mark.parametrize("inverted", [False, True])
def test_a_twin_gives_its_label_or_the_other_as_training_rows_decide(inverted):
    """Pairs of a text and its shuffle; a test row's own label is never looked at."""
    texts = [random_dna(80, seed) for seed in range(12)]
    assert all(dinucleotides(text) == dinucleotides(shuffles(text, 1)[0]) for text in texts)
    labels = np.arange(12) % 2
    seen, known, tested = [], [], [random_dna(80, 99)]
    for text, label in zip(texts[:8], labels, strict=False):
        seen += [text, shuffles(text, 1)[0]]
        known += [label, 1 - label if inverted else label]
    for text, label in zip(texts[8:], labels[8:], strict=True):
        seen.append(text)
        known.append(label)
        tested.append(shuffles(text, 1)[0])
    known[-1] = known[-2] = 1  # so class 1 is the larger
    found = twin_row(encoded(seen), np.array(known), encoded(tested), 2)
    assert found.covered.tolist() == [False] + [True] * 4
    expected = np.array(known[-4:])
    assert found.predicted.tolist() == [1, *(1 - expected if inverted else expected)]
    assert note_of([found]).startswith("4 of 5 rows have")
    assert found.inverted == note_of([found]).endswith("inverted") == inverted


def test_the_most_frequent_label_of_several_twins_counts():
    text = random_dna(80, 1)
    made = shuffles(text, 4)
    found = twin_row(encoded(made), np.array([0, 2, 2, 2]), encoded([text]), 3)
    assert found.predicted.tolist() == [2] and not found.inverted


def test_of_three_classes_the_inverse_is_the_largest_other_one():
    texts = [random_dna(80, seed) for seed in range(6)]
    seen, labels = [], []
    for text in texts[:5]:
        seen += [text, shuffles(text, 1)[0]]
        labels += [0, 2]
    seen.append(texts[5])
    labels.append(1)
    tested = [shuffles(texts[5], 1)[0], shuffles(texts[0], 2)[1]]
    found = twin_row(encoded(seen), np.array(labels), encoded(tested), 3)
    # of 0 and 2, equally many: the first; the twins of the last row are one 0 and one 2
    assert found.predicted.tolist() == [0, 2] and found.inverted


@pytest.mark.parametrize("lengths", [(30, 31), (4, 40)])
def test_the_position_table_is_that_of_a_loop(lengths):
    random = np.random.default_rng(0)
    sizes = random.integers(*lengths, 40)
    ids = [random_ids_and_n(size, seed) for seed, size in enumerate(sizes)]
    labels = random.integers(0, 3, 30)
    given = (ids[:30], labels, ids[30:], 3)
    found, probability = position_motif(*given), position_probabilities(*given)
    middle = max(map(len, ids)) // 2
    for row, one in enumerate(ids[30:]):
        score = [math.log((labels == label).mean()) for label in range(3)]
        for at, base in enumerate(one.tolist()):
            if base == 7:
                continue
            for label in range(3):
                column = []
                for other, own in zip(ids[:30], labels, strict=True):
                    place = at + middle - len(one) // 2 - (middle - len(other) // 2)
                    if own == label and 0 <= place < len(other) and other[place] != 7:
                        column.append(int(other[place]))
                score[label] += math.log((column.count(base) + 1) / (len(column) + 4))
        odds = np.exp(np.array(score) - max(score))
        np.testing.assert_allclose(probability[row], odds / odds.sum())
        assert found.predicted[row] == np.argmax(score)
    equal = "first" if lengths == (30, 31) else "middle"
    assert note_of([found]) == f"10 of 10 rows are aligned by the {equal} base"


def test_a_class_without_training_rows_is_never_predicted():
    ids = [random_ids_and_n(20, seed) for seed in range(6)]
    found = position_probabilities(ids[:4], np.array([0, 2, 0, 2]), ids[4:], 3)
    assert found[:, 1].tolist() == [0, 0]


def test_labels_of_test_rows_decide_nothing():
    ids = [encode(random_dna(60, seed)) for seed in range(12)]
    truth = np.arange(12) % 2
    fold = Fold(-1, np.arange(6), np.arange(8, 12), np.arange(6, 8))
    changed = truth.copy()
    changed[fold.test] = 1 - truth[fold.test]
    for one, other in zip(
        trivial_baselines(ids, truth, fold, 2),
        trivial_baselines(ids, changed, fold, 2),
        strict=True,
    ):
        assert one.name == other.name and one.predicted.tolist() == other.predicted.tolist()


def test_the_note_of_folds_adds_up_their_rows_and_counts_the_inverted():
    how = "have a training row of equal counts"
    one = TrivialBaseline("twin", np.zeros(3, int), np.array([True, True, False]), how, True)
    other = TrivialBaseline("twin", np.zeros(2, int), np.array([False, True]), how)
    assert note_of([one]) == f"2 of 3 rows {how}, whose label is inverted"
    assert note_of([one, other]) == f"3 of 5 rows {how}, whose label is inverted in 1 of 2 folds"
    assert note_of([other]) == f"1 of 2 rows {how}"
    part = one.of(np.array([2, 0]))
    assert part.covered.tolist() == [False, True] and part.inverted


def row_of(predicted, covered):
    return TrivialBaseline("twin", np.array(predicted), np.array(covered), "")


def test_a_set_is_solved_by_a_row_that_knows_the_labels_of_enough_rows():
    truth, every = np.arange(60) % 2, np.arange(60)
    right = row_of(truth, every >= 0)
    assert solved(right, truth, 2) == (
        "solved by twin: MCC 1.000, and 1.000 on the 60 of 60 rows that it covers"
    )
    half = row_of(np.where(every < 30, truth, 0), every < 30)
    assert solved(half, truth, 2) is None  # right where it knows, which is too seldom
    most = row_of(np.where(every < 54, truth, 1 - truth), every >= 0)
    assert solved(most, truth, 2) is None  # MCC 0.8, but wrong where it is sure
    assert solved(row_of(truth, every < 30), truth, 2) is not None
    assert solved(row_of(truth, every < 29), truth, 2) is None  # too few to say so


REAL = {
    "mouse_0": (734, 810, 0.8313, 0.642),
    "mouse_2": (300, 328, 0.8207, 0.829),
    "mouse_3": (203, 239, 0.7666, 0.735),
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("mouse_0", marks=pytest.mark.slow),
        pytest.param("mouse_2", marks=pytest.mark.slow),
        "mouse_3",
    ],
)
def test_twins_of_the_mouse_sets_have_the_other_label(gue_set, name):
    covered, of, train_only, published = REAL[name]
    table = gue_set(name)
    ids, truth = [encode(text) for text in table["sequence"]], table["class"].to_numpy()
    (fold,), _ = split_folds(table, ids, "official", 0)
    _, twin, _ = trivial_baselines(ids, truth, fold, 2)
    assert len(fold.test) == of and twin.covered.sum() == covered
    assert twin.inverted
    own = truth[fold.test]
    assert mcc(confusion(own[twin.covered], twin.predicted[twin.covered], 2)) == 1.0
    every = float(mcc(confusion(own, twin.predicted, 2)))
    assert every > published
    assert solved(twin, own, 2)
    _, twin, _ = trivial_baselines(ids, truth, Fold(-1, fold.train, fold.test), 2)
    assert mcc(confusion(own, twin.predicted, 2)) == pytest.approx(train_only, abs=1e-4)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("tf_2", marks=pytest.mark.slow),
        "prom_prom_core_tata",
        pytest.param("prom_prom_300_tata", marks=pytest.mark.slow),
    ],
)
def test_other_real_sets_are_not_solved(gue_set, name):
    table = gue_set(name)
    ids, truth = [encode(text) for text in table["sequence"]], table["class"].to_numpy()
    (fold,), _ = split_folds(table, ids, "official", 0)
    rows = trivial_baselines(ids, truth, fold, 2)
    assert [row.name for row in rows] == ["nearest", "twin", "position_motif"]
    assert not any(solved(row, truth[fold.test], 2) for row in rows)
    if "core" in name:  # the TATA box stands at one place
        assert mcc(confusion(truth[fold.test], rows[2].predicted, 2)) > 0.6
