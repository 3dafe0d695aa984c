"""Sheets of the measurements on real labels, and the pieces that they are made of."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from genezip.evaluation.bootstrap import BlockBootstrap
from genezip.tasks import real_contacts, real_elements, real_scores
from genezip.tasks.arm import Arm
from genezip.vocab import encode, reverse_complement

ONE = Arm("elements", "s", "ours", 0, "full", "frozen")
OTHER = Arm("elements", "s", "control", 0, "full", "frozen")
GOOD = Arm("elements", "s", "good", None, "", "baseline")
POOR = Arm("elements", "s", "poor", None, "", "baseline")


def sheet(units: int = 4) -> real_scores.Sheet:
    bootstrap = BlockBootstrap(np.arange(units), 50, 0)
    return real_scores.Sheet(bootstrap, "maps", "blocks", "test", "test")


def draws(values: list[float], to: real_scores.Sheet) -> np.ndarray:
    return real_contacts.mean_draws(np.array(values), to.bootstrap)[0]


def test_a_difference_is_paired_and_against_the_best_baseline():
    found = sheet()
    found.add(POOR, "m", draws([0.0, 0.1, 0.2, 0.3], found), 4)
    found.add(GOOD, "m", draws([0.5, 0.6, 0.7, 0.8], found), 4)
    found.add(ONE, "m", draws([0.6, 0.7, 0.8, 0.9], found), 4)
    found.add(OTHER, "m", draws([0.4, 0.5, 0.6, 0.7], found), 4)
    rows = {(row["model"], row["metric"]): row for row in found.rows("control")}
    best = rows["ours", "m_minus_best_baseline"]
    assert best["note"] == "against good"
    # each map is better by the same amount, so pairing leaves no spread at all
    assert [best[k] for k in ("value", "ci_low", "ci_high")] == pytest.approx([0.1] * 3)
    assert rows["ours", "m_minus_control"]["value"] == pytest.approx(0.2)
    assert ("control", "m_minus_control") not in rows
    assert ("good", "m_minus_best_baseline") not in rows


def test_few_units_give_no_interval_and_say_so():
    found = sheet(2)
    found.add(ONE, "m", draws([0.2, 0.4], found), 2)
    (row,) = found.rows()
    assert row["value"] == pytest.approx(0.3)
    assert np.isnan(row["ci_low"])
    assert row["note"] == "no interval: only 2 maps"


def test_an_undefined_metric_is_empty_with_its_reason_and_never_compared(tmp_path):
    found = sheet()
    found.add(GOOD, "m", None, 0, note="constant")
    found.add(ONE, "m", draws([0.1, 0.2, 0.3, 0.4], found), 4)
    rows = found.rows()
    assert [row["metric"] for row in rows] == ["m", "m"]
    real_scores.write_rows(tmp_path / "s.tsv", rows)
    read = pd.read_csv(tmp_path / "s.tsv", sep="\t")
    assert list(read.columns) == list(real_scores.COLUMNS)
    assert np.isnan(read["value"][0])
    assert read["note"][0] == "constant"


def test_the_columns_are_those_of_every_other_score():
    from genezip.tasks.score_rows import COLUMNS

    assert real_scores.COLUMNS == COLUMNS


def test_macro_auroc_is_scikit_learns_mean_over_classes():
    random = np.random.default_rng(0)
    truth, found = random.integers(0, 3, 60), random.random((60, 3))
    expected = np.mean([roc_auc_score(truth == k, found[:, k]) for k in range(3)])
    assert real_elements.macro_auroc(truth, found, None, None) == pytest.approx(expected)


def test_kmer_shares_count_both_strands_as_one():
    ids = encode("AACGTNAAC")
    # 2-mers: AA AC CG GT, then AA AC; GT is AC read on the other strand
    (row,) = real_elements.kmer_shares([ids], 2)
    assert len(row) == 10
    assert sorted(row[row > 0].tolist()) == pytest.approx([1 / 6, 2 / 6, 3 / 6])
    np.testing.assert_allclose(real_elements.kmer_shares([reverse_complement(ids)], 2)[0], row)
    assert real_elements.kmer_shares([ids]).shape == (1, 136)


def test_composition_is_length_gc_and_cpg():
    (row,) = real_elements.composition([encode("ACGTCGATGC")])
    assert row == pytest.approx([1.0, 0.6, 2 * 10 / (3 * 3)])


def test_pair_features_are_products_and_differences():
    vectors = np.array([[1.0, 2.0], [0.0, 0.0], [3.0, 5.0]])
    np.testing.assert_allclose(real_contacts.pair_features(vectors), [[3, 10, 2, 3]])


def test_expected_values_come_from_learned_maps_alone():
    targets = np.array([[1.0, 2.0, 3.0], [3.0, 4.0, 5.0], [100.0, 100.0, 100.0]])  # 4 bins
    folds = np.array([0, 1, 2])
    found = real_contacts._by_fold(targets, folds, real_contacts._zero)
    # entries (0,2), (0,3), (1,3): the first and last are at distance 2
    np.testing.assert_allclose(found[2][0], [3, 3, 3])  # (1+3+3+5)/4 and (2+4)/2


def test_mean_draws_leave_out_undefined_scores():
    bootstrap = BlockBootstrap(np.arange(3), 20, 0)
    found, n = real_contacts.mean_draws(np.array([1.0, np.nan, 3.0]), bootstrap)
    assert (found[0], n) == (2.0, 2)
