"""The chapter on DNALongBench: who stands in which row, and what an empty cell looks like."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from genezip.errors import GenezipError
from genezip.report.chapter import Section
from genezip.report.chapters.tasks.benchmarks import section as of_results
from genezip.report.results import Results

Chapter = Callable[..., Any]


def row(**cells: object) -> dict[str, object]:
    blank = dict.fromkeys(
        [
            *("seed", "input", "mode", "value", "ci_low", "ci_high", "n", "positives", "unit"),
            *("paper", "difference", "note"),
        ]
    )
    first = {"origin": "measured", "rule": "paper", "split": "test", "metric": "auroc"}
    return {**blank, **first, **cells}


@pytest.fixture
def section(results: Results) -> Chapter:
    """The chapter on tables of rows."""

    def made(scale: str = "full", **tables: list[dict[str, object]]) -> Section | None:
        frames = {name: pd.DataFrame(rows) for name, rows in tables.items()}
        return of_results(replace(results, task_tables=frames, scale=scale))

    return made


def test_measured_and_published_stand_in_one_table(section: Chapter) -> None:
    known = {"model": "m", "seed": 0, "input": "full", "mode": "frozen"}
    counted = {"n": 570, "positives": 27, "unit": "genes"}
    found = section(
        table3_eqtl=[
            row(**known, **counted, subset="artery", value=0.7, ci_low=0.6, ci_high=0.8),
            row(**known, subset="mean", value=0.65),
            row(**known, **counted, subset="blood", value=None, note="only negatives"),
            row(origin="paper", model="GeneZip", subset="artery", value=0.86),
        ]
    )
    (table,) = found.tables
    assert table.head == ["model", "artery", "blood", "mean"]
    assert table.rows == [
        ["m, full, frozen, seed 0", "0.700 (0.600 to 0.800)", "–", "0.650"],
        ["GeneZip (paper)", "0.860", "–", "–"],
    ]
    assert "artery 570 (27 positive)" in table.note
    assert "intervals resample genes" in table.note


def test_published_maps_stand_beside_validation_maps(section: Chapter) -> None:
    paper = row(origin="paper", model="GeneZip", subset="HFF", metric="scc", value=0.1399)
    ours = {"model": "m", "subset": "HFF", "metric": "scc"}
    found = section(
        table2_contact_map=[
            row(**ours, value=0.2),
            row(**ours, value=0.1, split="valid100", paper=0.1399, difference=-0.0399),
            paper,
        ]
    )
    test, validation = found.tables
    assert test.rows == [["m", "0.200"]]
    assert validation.rows == [["m", "0.100; paper 0.140"], ["GeneZip (paper)", "0.140"]]


def test_one_subset_has_a_column_for_each_metric(section: Chapter) -> None:
    rows = [
        row(model="m", subset="procap", metric="pcc_fc", value=0.5),
        row(model="m", subset="procap", metric="pcc_mean", value=0.4),
    ]
    (table,) = section(tisp=rows, scale="test").tables
    assert table.head == ["model", "FANTOM CAGE", "mean"]
    assert table.rows == [["m", "0.500", "0.400"]]


def test_without_tables_there_is_no_chapter(section: Chapter) -> None:
    assert section() is None


def test_several_subsets_with_a_column_for_each_metric_have_rows_of_their_own(
    section: Chapter,
) -> None:
    ours = {"model": "m", "seed": 0, "input": "full", "mode": "frozen"}
    rows = [
        row(**ours, subset="human", metric="pcc_track", value=0.5, n=10),
        row(**ours, subset="human", metric="pcc_flat", value=0.6, n=10),
        row(**ours, subset="mouse", metric="pcc_track", value=0.3, n=7),
        row(**ours, subset="mean", metric="pcc_track", value=0.4, n=17),
    ]
    (table,) = section(rsap=rows).tables
    assert table.head == ["model", "per track", "over everything"]
    assert table.rows == [
        ["m, full, frozen, seed 0: human", "0.500", "0.600"],
        ["m, full, frozen, seed 0: mouse", "0.300", "–"],
    ]
    assert "human 10, mouse 7" in table.note


def test_two_values_for_one_cell_are_refused(section: Chapter) -> None:
    twice = [row(model="m", subset="artery", value=value) for value in (0.5, 0.6)]
    with pytest.raises(GenezipError, match=r"table3_eqtl has two values of auroc for m, split"):
        section(table3_eqtl=twice)


def test_an_interval_over_few_genes_is_marked(section: Chapter) -> None:
    known = {"model": "m", "value": 0.7, "ci_low": 0.6, "ci_high": 0.8, "unit": "genes"}
    rows = [
        row(**known, subset="artery", note="few blocks: 5 genes"),
        row(**known, subset="blood"),
    ]
    (table,) = section(table3_eqtl=rows).tables
    assert table.rows == [["m", "0.700 (0.600 to 0.800, few blocks)", "0.700 (0.600 to 0.800)"]]


def test_a_table_without_views_shows_its_first_metric_split_by_split(section: Chapter) -> None:
    known = {"model": "m", "seed": 0, "input": "full", "mode": "frozen", "n": 9, "unit": "groups"}
    rows = [
        row(**known, subset="set", rule=rule, metric=metric, value=value)
        for rule, value in (("official", 0.5), ("unseen", 0.25))
        for metric in ("mcc", "accuracy")
    ]
    tables = section(my_task=rows).tables
    assert [table.title for table in tables] == [
        "my_task, mcc, split official", "my_task, mcc, split unseen",
    ]  # fmt: skip
    assert [table.rows[0][1] for table in tables] == ["0.500", "0.250"]
