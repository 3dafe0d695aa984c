"""Sheets of methods on one set of examples, and such sets from prediction files."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from toolkit.slow_bootstrap import slow_interval

from genezip.artifacts.scores import TASK_SCORES
from genezip.errors import GenezipError
from genezip.metrics.bootstrap import BlockBootstrap
from genezip.tasks import scores
from genezip.tasks.base import Layout, Method, Note, Predictions
from genezip.tasks.predictions import PredictionFile, PredictionWriter

ONE = Method("elements", "s", "ours", 0, "full", "frozen")
OTHER = Method("elements", "s", "control", 0, "full", "frozen")
GOOD = Method("elements", "s", "good", None, "", "baseline")
POOR = Method("elements", "s", "poor", None, "", "baseline")


def sheet(units: int = 4, **how: Any) -> scores.Sheet:
    bootstrap = BlockBootstrap(np.arange(units), 50, 0)
    return scores.Sheet(bootstrap, "maps", "blocks", "test", **how)


def means(values: list[float], to: scores.Sheet) -> np.ndarray:
    return scores.mean_values(np.array(values), to.bootstrap)[0]


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


def test_a_baseline_that_is_only_shown_is_never_the_best():
    found = sheet(shown=frozenset(["good"]))
    found.add(GOOD, "m", means([0.5, 0.6, 0.7, 0.8], found), 4)
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


def test_mean_values_leave_out_undefined_scores():
    bootstrap = BlockBootstrap(np.arange(3), 20, 0)
    found, n = scores.mean_values(np.array([1.0, np.nan, 3.0]), bootstrap)
    assert (found[0], n) == (2.0, 2)


def noted(reason: str, stands: bool) -> dict[str, Any]:
    return {"reason": reason, "value_stands": stands}


def test_a_note_of_the_file_empties_a_cell_or_stands_before_its_own():
    notes = {
        (GOOD.label, "m"): noted("constant", False),
        (POOR.label, "m"): noted("of 3 maps", True),
        (ONE.label, "other"): noted("constant", False),
    }
    found = sheet(notes=notes)
    for method in (GOOD, POOR, ONE):
        found.add_mean(method, "m", np.array([0.1, np.nan, 0.3, 0.5]))
    rows = {(row["model"], row["metric"]): row for row in found.rows()}
    empty, beside = rows["good", "m"], rows["poor", "m"]
    assert (empty["value"], empty["n"], empty["note"]) == (None, 0, "constant")
    assert beside["value"] == pytest.approx(0.3)
    assert beside["note"] == "of 3 maps; 1 maps without a defined score; few blocks: 3 maps"
    assert rows["ours", "m"]["note"].startswith("1 maps without")
    assert rows["ours", "m_minus_best_baseline"]["note"].startswith("against poor")


NUMBERS = Layout("scalar")
ARRAYS = Layout("array", (2,), "<f8", "<f8")


def predicted(example: list[int], layout: Layout, **cells: Any) -> Predictions:
    numbers = np.array(example, dtype=float)
    values = numbers / 10 if layout.kind == "scalar" else np.stack([numbers, -numbers], axis=1)
    target = numbers % 2 if layout.kind == "scalar" else values + 1
    return Predictions(
        "test", np.array(example), [f"g{n}" for n in example], target, values, **cells
    )


@pytest.mark.parametrize("layout", [NUMBERS, ARRAYS], ids=["numbers", "arrays"])
def test_sets_are_those_of_a_subset_rule_and_split_by_number_of_the_example(tmp_path, layout):
    path, of = tmp_path / "p.parquet", replace(GOOD, model="")
    with PredictionWriter(path, layout, of=("elements", "s")) as writer:
        for found in (
            predicted([3, 1], layout, fold=1, model="good"),
            predicted([2], layout, fold=0, model="good"),
            predicted([2, 3, 1], layout, model="poor"),
            predicted([7], layout, rule="gene", model="good"),
        ):
            writer.add(found, of)
        writer.add(Note("m", "too long"), ONE)
        writer.add(Note("m", "too long", rule="nowhere"), OTHER)
    first, second = scores.compared([PredictionFile.open(path)])
    assert (first.subset, first.rule, first.split) == ("s", "paper", "test")
    assert [method.model for method in first.methods] == ["good", "poor", "ours"]
    good = first.of("good")
    assert good is not None and first.of("ours") is None
    assert good.example.tolist() == [1, 2, 3] and good.fold.tolist() == [1, 0, 1]
    assert good.group.tolist() == ["g1", "g2", "g3"]
    expected = [0.1, 0.2, 0.3] if layout is NUMBERS else [[1, -1], [2, -2], [3, -3]]
    assert np.array(good.prediction).tolist() == expected
    assert (second.rule, [method.model for method in second.methods]) == ("gene", ["good"])

    def fill(sheet: scores.Sheet, method: Method, examples: scores.Examples) -> None:
        sheet.add(method, "m", None, len(examples.example), note="undefined")

    cells = [(r["model"], r["n"], r["note"]) for r in first.rows(fill, "maps", (9, 0), None)]
    assert cells == [("good", 3, "undefined"), ("poor", 3, "undefined"), ("ours", 0, "too long")]


def test_methods_on_different_examples_are_never_compared(tmp_path):
    path = tmp_path / "p.parquet"
    with PredictionWriter(path, NUMBERS) as writer:
        writer.add(predicted([1, 2], NUMBERS), GOOD)
        writer.add(predicted([1, 3], NUMBERS), ONE)
    with pytest.raises(GenezipError, match="predicted different examples"):
        scores.compared([PredictionFile.open(path)])
