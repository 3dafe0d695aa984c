"""The chapter on real labels: its sentences come from the numbers, whatever those are."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from genezip.report import style
from genezip.report.figures_labels import labels
from genezip.report.label_rows import COLUMNS, read_parts
from genezip.report.labels_section import labels_section

REFERENCE, CONTROL = "genezip-tiny", "hnet-tiny"
CELLS = {
    "task": "initiation", "subset": "procap", "rule": "blocks", "split": "test", "mode": "frozen",
    "metric": "pcc", "value": None, "ci_low": None, "ci_high": None, "n": 1000, "unit": "blocks",
    "units": 30, "seed": None, "note": "",
}  # fmt: skip


def write(folder: Path, part: str, rows: list[dict[str, object]]) -> None:
    (folder / "labels").mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame([CELLS | row for row in rows], columns=sorted(COLUMNS))
    frame.to_csv(folder / "labels" / f"{part}.tsv", sep="\t", index=False)


def initiation(low: float, high: float, units: int = 30) -> list[dict[str, object]]:
    baseline = {"mode": "baseline", "units": units}
    return [
        baseline | {"model": "constant", "note": "Pearson is undefined"},
        baseline | {"model": "tss_profile", "value": 0.2, "ci_low": 0.1, "ci_high": 0.3},
        {"model": REFERENCE, "seed": 0, "value": 0.25, "ci_low": 0.2, "ci_high": 0.3},
        {"model": REFERENCE, "seed": 0, "metric": "pcc_minus_best_baseline", "value": 0.05,
         "ci_low": low, "ci_high": high, "note": "against tss_profile", "units": units},
    ]  # fmt: skip


@pytest.fixture
def page(results, tmp_path):
    """Results whose folder is empty, to be filled by the test."""
    return replace(results, folder=tmp_path)


def shown(page):
    """The page with every part that was written."""
    parts = [path.stem for path in (page.folder / "labels").glob("*.tsv")]
    return replace(page, label_parts=tuple(parts))


def test_a_run_without_the_measurements_has_no_chapter(page):
    assert labels_section(shown(page)) is None
    assert labels(shown(page)) is None


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (0.01, 0.09, "is better than the best baseline"),
        (-0.09, -0.01, "is worse than the best baseline"),
        (-0.01, 0.09, "cannot be told apart"),
        (None, None, "has no interval"),
    ],
)
def test_who_is_better_is_said_only_where_the_paired_interval_excludes_zero(page, low, high, told):
    write(page.folder, "initiation", initiation(low, high))
    text = " ".join(labels_section(shown(page)).text)
    assert told in text
    assert "mean profile at annotated TSSs" in text
    assert ("better" in text) == (told == "is better than the best baseline")


def test_few_units_are_called_rough(page):
    write(page.folder, "initiation", initiation(0.01, 0.09, units=8))
    assert "only 8 blocks" in " ".join(labels_section(shown(page)).text)


def test_a_missing_value_is_a_dash_with_its_reason(page):
    write(page.folder, "initiation", initiation(0.01, 0.09))
    (table,) = labels_section(shown(page)).tables
    constant = next(row for row in table.rows if row[1] == "constant")
    assert constant[3] == "–"
    assert constant[-1] == "Pearson is undefined"


def test_another_metric_that_says_otherwise_is_told_too(page):
    base = {"task": "contacts", "units": 30, "unit": "maps"}
    rows = [base | {"model": "mean_map", "mode": "baseline", "metric": "scc", "value": 0.1}]
    for metric, low, high in (("scc", -0.1, 0.1), ("corr", -0.3, -0.1)):
        rows.append(
            base
            | {"model": REFERENCE, "seed": 0, "metric": f"{metric}_minus_best_baseline"}
            | {"value": (low + high) / 2, "ci_low": low, "ci_high": high}
            | {"note": "against mean_map"}
        )
    write(page.folder, "contacts", rows)
    text = " ".join(labels_section(shown(page)).text)
    assert "cannot be told apart" in text
    assert "by Pearson's r it is worse" in text


def test_labels_that_were_not_there_are_one_sentence(page):
    for part in ("initiation", "contacts"):
        absent = {"model": "labels", "metric": "available", "value": 0, "note": "no folder"}
        write(page.folder, part, [absent])
    section = labels_section(shown(page))
    assert section.text == ["The labels were not there: no folder."]
    assert section.tables == []
    assert section.figures == ()
    assert labels(shown(page)) is None


def test_a_part_without_a_model_names_the_baseline_and_why(page):
    base = {"task": "enhancer_gene", "subset": "all", "rule": "paper", "metric": "auroc"}
    number = {"value": 0.83, "ci_low": 0.78, "ci_high": 0.87}
    rows = [
        base | number | {"model": "distance", "mode": "baseline"},
        base | number | {"model": "distance", "mode": "baseline", "subset": "HCT116"},
        base | {"model": REFERENCE, "seed": 0, "note": "only 5 of 10 pairs are inside"},
    ]
    write(page.folder, "enhancer_gene", rows)
    text = " ".join(labels_section(shown(page)).text)
    assert "distance to the TSS has AUROC 0.83 (0.78 to 0.87)" in text
    assert "because only 5 of 10 pairs are inside" in text


def test_the_figure_has_a_row_for_each_value_and_none_for_empty_cells(page):
    write(page.folder, "initiation", initiation(0.01, 0.09))
    with style.applied():
        drawing = labels(shown(page))
    assert drawing.data["model"].tolist() == ["tss_profile", REFERENCE]
    assert drawing.data["value"].tolist() == [0.2, 0.25]
    assert "<svg" in drawing.svg


def test_read_parts_keeps_the_order_of_the_page(page):
    for part in ("elements", "initiation"):
        write(page.folder, part, initiation(0.01, 0.09))
    assert [part.part.id for part in read_parts(page.folder, {"elements", "initiation"})] == [
        "initiation",
        "elements",
    ]
