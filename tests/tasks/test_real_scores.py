"""Sheets of the measurements on real labels, and the pieces that they are made of."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from toolkit.slow_bootstrap import slow_interval

from genezip.artifacts.scores import TASK_SCORES
from genezip.metrics.bootstrap import BlockBootstrap
from genezip.tasks import scores as real_scores
from genezip.tasks.base import Method
from genezip.tasks.windows import hic as real_contacts

ONE = Method("elements", "s", "ours", 0, "full", "frozen")
OTHER = Method("elements", "s", "control", 0, "full", "frozen")
GOOD = Method("elements", "s", "good", None, "", "baseline")
POOR = Method("elements", "s", "poor", None, "", "baseline")


def sheet(units: int = 4) -> real_scores.Sheet:
    bootstrap = BlockBootstrap(np.arange(units), 50, 0)
    return real_scores.Sheet(bootstrap, "maps", "blocks", "test", "test")


def means(values: list[float], to: real_scores.Sheet) -> np.ndarray:
    return real_scores.mean_values(np.array(values), to.bootstrap)[0]


def test_a_difference_is_paired_and_against_the_best_baseline():
    found = sheet()
    found.add(POOR, "m", means([0.0, 0.1, 0.2, 0.3], found), 4)
    found.add(GOOD, "m", means([0.5, 0.6, 0.7, 0.8], found), 4)
    found.add(ONE, "m", means([0.6, 0.7, 0.8, 0.9], found), 4)
    found.add(OTHER, "m", means([0.4, 0.5, 0.6, 0.7], found), 4)
    rows = {(row["model"], row["metric"]): row for row in found.rows("control")}
    best = rows["ours", "m_minus_best_baseline"]
    assert best["note"] == "against good; few blocks: 4 maps"
    # each map is better by the same amount, so pairing leaves no spread at all
    assert [best[k] for k in ("value", "ci_low", "ci_high")] == pytest.approx([0.1] * 3)
    assert rows["ours", "m_minus_control"]["value"] == pytest.approx(0.2)
    assert ("control", "m_minus_control") not in rows
    assert ("good", "m_minus_best_baseline") not in rows


def test_a_baseline_that_is_no_candidate_is_shown_and_never_the_best():
    found = sheet()
    found.add(GOOD, "m", means([0.5, 0.6, 0.7, 0.8], found), 4, candidate=False)
    found.add(POOR, "m", means([0.0, 0.1, 0.2, 0.3], found), 4)
    found.add(ONE, "m", means([0.6, 0.7, 0.8, 0.9], found), 4)
    rows = {(row["model"], row["metric"]): row for row in found.rows()}
    assert rows["good", "m"]["value"] == pytest.approx(0.65)
    assert rows["ours", "m_minus_best_baseline"]["note"] == "against poor; few blocks: 4 maps"


def test_a_difference_is_over_the_maps_where_both_are_defined():
    found = sheet(10)
    base = np.linspace(0, 0.9, 10)
    model = np.where(np.arange(10) < 5, np.nan, base)  # equal wherever both are defined
    found.add_mean(GOOD, "m", base)
    found.add_mean(ONE, "m", model)
    rows = {(row["model"], row["metric"]): row for row in found.rows()}
    assert rows["ours", "m"]["value"] == pytest.approx(0.7)
    assert rows["ours", "m"]["note"] == "5 maps without a defined score; few blocks: 5 maps"
    best = rows["ours", "m_minus_best_baseline"]
    assert [best[k] for k in ("value", "ci_low", "ci_high")] == [0, 0, 0]
    assert best["n"] == 5
    assert (
        best["note"]
        == "against good; over the 5 of 10 maps where both are defined; few blocks: 5 maps"
    )


def test_a_difference_of_maps_is_the_mean_of_differences():
    found = sheet(6)
    random = np.random.default_rng(1)
    one, other = random.random(6), random.random(6)
    found.add_mean(GOOD, "m", one)
    found.add_mean(ONE, "m", other)
    (row,) = [row for row in found.rows() if row["metric"].endswith("baseline")]
    slow = slow_interval(range(6), lambda rows: (other - one)[rows].mean(), 50, 0)
    assert (row["value"], row["ci_low"], row["ci_high"]) == pytest.approx(slow)


def test_each_seed_is_compared_with_the_control_of_its_seed_if_there_is_one():
    found = sheet()
    control = {0: 0.4, 1: 0.5}
    for seed, value in control.items():
        found.add(replace(OTHER, seed=seed), "m", means([value] * 4, found), 4)
    for seed in (0, 1, 2):
        found.add(replace(ONE, seed=seed), "m", means([0.6] * 4, found), 4)
    rows = [row for row in found.rows("control") if row["metric"] == "m_minus_control"]
    assert [row["model"] for row in rows] == ["ours"] * 3
    assert [row["value"] for row in rows] == pytest.approx([0.2, 0.1, 0.2])
    assert rows[2]["note"] == "against control (seed 0); few blocks: 4 maps"


def test_few_units_give_no_interval_and_say_so():
    found = sheet(2)
    found.add(ONE, "m", means([0.2, 0.4], found), 2)
    (row,) = found.rows()
    assert row["value"] == pytest.approx(0.3)
    assert row["ci_low"] is None
    assert row["note"] == "no interval: it needs 3 maps and has 2"


def test_an_undefined_metric_is_empty_with_its_reason_and_never_compared(tmp_path):
    found = sheet()
    found.add(GOOD, "m", None, 0, note="constant")
    found.add(ONE, "m", means([0.1, 0.2, 0.3, 0.4], found), 4)
    rows = found.rows()
    assert [row["metric"] for row in rows] == ["m", "m"]
    TASK_SCORES.write(tmp_path / "s.tsv", rows)
    read = pd.read_csv(tmp_path / "s.tsv", sep="\t")
    assert np.isnan(read["value"][0])
    assert read["note"][0] == "constant"


def test_pair_features_are_products_and_differences():
    vectors = np.array([[1.0, 2.0], [0.0, 0.0], [3.0, 5.0]])
    np.testing.assert_allclose(real_contacts.pair_features(vectors), [[3, 10, 2, 3]])


def test_expected_values_come_from_learned_maps_alone():
    targets = np.array([[1.0, 2.0, 3.0], [3.0, 4.0, 5.0], [100.0, 100.0, 100.0]])  # 4 bins
    folds = np.array([0, 1, 2])
    found = real_contacts._by_fold(targets, folds, real_contacts._zero)
    # entries (0,2), (0,3), (1,3): the first and last are at distance 2
    np.testing.assert_allclose(found[2][0], [3, 3, 3])  # (1+3+3+5)/4 and (2+4)/2


def test_mean_values_leave_out_undefined_scores():
    bootstrap = BlockBootstrap(np.arange(3), 20, 0)
    found, n = real_scores.mean_values(np.array([1.0, np.nan, 3.0]), bootstrap)
    assert (found[0], n) == (2.0, 2)


def made_maps() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vectors of 12 maps of 8 bins, targets that follow their products, and 4 folds."""
    random = np.random.default_rng(2)
    vectors = random.normal(size=(12, 8, 2)).astype(np.float32)
    targets = np.stack([real_contacts.pair_features(v)[:, 0] for v in vectors])
    return vectors, targets + random.normal(0, 0.3, targets.shape), np.arange(12) // 3


@pytest.mark.parametrize("name", ["ridge", "gc_product", "mean_map"])
def test_the_level_of_a_learned_map_does_not_change_a_correlation(name):
    vectors, targets, folds = made_maps()
    fit = {
        "ridge": real_contacts._ridge(vectors, folds),
        "gc_product": real_contacts._gc_product(vectors[:, :, 0]),
        "mean_map": real_contacts._mean_map,
    }[name]
    deeper = targets.copy()
    deeper[11] += 7  # of fold 3; the others learn it
    scores = []
    for known in (targets, deeper):
        found = real_contacts._by_fold(known, folds, fit)
        scores.append([real_contacts._scores(found[n], targets[n])[:2] for n in range(9)])
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-6)
    assert np.abs(scores[0]).max() > 0.1


def test_the_penalty_is_the_smallest_whose_error_is_next_to_the_lowest():
    def chosen(*errors: float) -> int:
        return real_contacts.smallest_penalty({"mean_test_score": -np.array(errors)})

    assert chosen(2.0, 1.0, 1.5) == 1
    assert chosen(2.0, 1.002, 1.0004, 1.0) == 2  # falls to a limit without a lowest point
