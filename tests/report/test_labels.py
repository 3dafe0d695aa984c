"""The chapter on real labels: its sentences come from the numbers, whatever those are."""

from dataclasses import replace
from pathlib import Path

import pytest

from genezip.artifacts.scores import TASK_SCORES
from genezip.report import style
from genezip.report.chapters.provenance import data_section
from genezip.report.chapters.tasks.labels import labels, read_parts, section

REFERENCE, CONTROL = "genezip-tiny", "hnet-tiny"
CELLS = {
    "task": "initiation", "subset": "procap", "rule": "blocks", "split": "test", "mode": "frozen",
    "metric": "pcc", "value": None, "ci_low": None, "ci_high": None, "n": 1000, "unit": "blocks",
    "units": 30, "seed": None, "note": "",
}  # fmt: skip


def write(folder: Path, part: str, rows: list[dict[str, object]]) -> None:
    (folder / "labels").mkdir(parents=True, exist_ok=True)
    TASK_SCORES.write(folder / "labels" / f"{part}.tsv", [CELLS | row for row in rows])


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
    assert section(shown(page)) is None
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
    text = " ".join(section(shown(page)).text)
    assert told in text
    assert "mean profile at annotated TSSs" in text
    assert ("better" in text) == (told == "is better than the best baseline")


@pytest.mark.parametrize(("low", "high"), [(0.01, 0.09), (-0.09, -0.01), (-0.01, 0.09)])
def test_few_units_give_numbers_and_no_verdict(page, low, high):
    rows = initiation(low, high, units=7)
    against = {"metric": "pcc_minus_control", "value": -0.2, "ci_low": -0.3, "ci_high": -0.1}
    rows.append({"model": REFERENCE, "seed": 0, "note": "against control", "units": 7} | against)
    write(page.folder, "initiation", rows)
    text = " ".join(section(shown(page)).text)
    assert "only 7 blocks, too few to tell which is better" in text
    assert "is 0.25 (0.20 to 0.30)" in text
    assert "0.20 (0.10 to 0.30); the difference is +0.05" in text
    for verdict in ("is better than", "is worse than", "cannot be told apart"):
        assert verdict not in text


def test_few_units_that_hold_what_is_measured_give_no_verdict(page):
    """There are 30 blocks, but what is ranked lies in five of them."""
    rows = initiation(0.02, 0.08)
    for row in rows:
        row["note"] = f"{row.get('note', '')}; few blocks: 5 blocks".removeprefix("; ")
    write(page.folder, "initiation", rows)
    text = " ".join(section(shown(page)).text)
    assert "Too few blocks have measured examples to tell which is better" in text
    assert "is 0.25 (0.20 to 0.30, few blocks)" in text
    assert "is better than" not in text


def elements(*sides: tuple[float, float], units: int = 30) -> list[dict[str, object]]:
    """Rows of four metrics; ``sides`` are the intervals of the differences, in page order."""
    base = {"task": "elements", "subset": "ensembl", "unit": "loci", "units": units}
    trees = {"model": "length", "mode": "baseline", "value": 0.976, "ci_low": 0.96, "ci_high": 0.98}
    rows = [base | trees | {"metric": "auroc_macro", "rule": "chromosome"}]
    names = [(m, r) for r in ("chromosome", "paper") for m in ("auroc_macro", "accuracy")]
    for (metric, rule), (low, high) in zip(names, sides, strict=True):
        where = base | {"rule": rule, "metric": metric}
        rows.append(where | {"model": "kmer4", "mode": "baseline", "value": 0.7})
        model = where | {"model": REFERENCE, "seed": 0}
        rows.append(model | {"value": 0.75, "ci_low": 0.7, "ci_high": 0.8})
        difference = {"metric": f"{metric}_minus_best_baseline", "note": "against kmer4"}
        interval = {"value": (low + high) / 2, "ci_low": low, "ci_high": high}
        rows.append(model | difference | interval)
    return rows


UP, AROUND = (0.01, 0.03), (-0.01, 0.03)


def test_a_metric_that_cannot_tell_is_said_where_the_headline_can(page):
    write(page.folder, "elements", elements(UP, AROUND, UP, AROUND))
    text = " ".join(section(shown(page)).text)
    assert "is better than the best baseline, 4-mers (logistic) (macro AUROC, new chrom" in text
    assert "by accuracy, new chromosomes it and the best baseline" in text
    assert "by accuracy, published split it and the best baseline" in text
    assert "by macro AUROC, published split" not in text  # says the same as the headline


def test_metrics_that_agree_are_said_once(page):
    write(page.folder, "elements", elements(UP, UP, UP, UP))
    assert "; by " not in " ".join(section(shown(page)).text)


def test_lengths_that_give_classes_away_are_told_and_never_the_best_baseline(page):
    rows = elements(UP, UP, UP, UP)
    write(page.folder, "elements", rows)
    text = " ".join(section(shown(page)).text)
    assert "published lengths alone have macro AUROC, new chromosomes 0.98" in text
    assert "nearly separate the classes" in text
    kept = [row for row in rows if row["model"] != REFERENCE]
    kept[0] |= {"value": 0.8}
    write(page.folder, "elements", kept)
    text = " ".join(section(shown(page)).text)
    assert "Regulatory elements: 4-mers (logistic) has macro AUROC" in text
    assert "nearly" not in text


def test_the_opening_counts_the_parts_and_says_of_each_only_what_holds(page):
    write(page.folder, "initiation", initiation(0.01, 0.09))
    text = section(shown(page)).text[0]
    assert text.startswith("One kind of measured targets")
    assert "tested on blocks not in their training." in text
    assert "published split" not in text
    write(page.folder, "elements", elements(UP, UP, UP, UP))
    write(page.folder, "enhancer_gene", screens())
    text = section(shown(page)).text[0]
    assert text.startswith("Three kinds of measured targets")
    assert "For transcription initiation and regulatory elements a small head" in text
    assert "tested on blocks and chromosomes not in their training; in the published" in text


def test_the_opening_claims_nothing_of_the_dna_of_this_run_for_the_screens(page):
    write(page.folder, "enhancer_gene", screens())
    text = section(shown(page)).text[0]
    assert text == "One kind of measured targets, each with trivial baselines."


def test_the_table_shows_the_first_two_metrics_of_a_part(page):
    write(page.folder, "elements", elements(UP, UP, UP, UP))
    (table,) = section(shown(page)).tables
    shown_metrics = list(dict.fromkeys(row[0] for row in table.rows))
    assert shown_metrics == [
        "regulatory elements: macro AUROC, new chromosomes",
        "regulatory elements: accuracy, new chromosomes",
    ]


def test_a_missing_value_is_a_dash_with_its_reason(page):
    write(page.folder, "initiation", initiation(0.01, 0.09))
    (table,) = section(shown(page)).tables
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
    text = " ".join(section(shown(page)).text)
    assert "cannot be told apart" in text
    assert "by Pearson's r it is worse" in text


def test_labels_that_were_not_there_are_one_sentence(page):
    for part in ("initiation", "contacts"):
        absent = {"model": "labels", "metric": "available", "value": 0, "note": "no folder"}
        write(page.folder, part, [absent])
    found = section(shown(page))
    assert found.text == ["The measured targets were not available: no folder."]
    assert found.tables == []
    assert not found.illustrated
    assert labels(shown(page)) is None


def screens() -> list[dict[str, object]]:
    """Rows of a part where distance has a number and the model none."""
    base = {"task": "enhancer_gene", "subset": "all", "rule": "paper", "metric": "auroc"}
    number = {"value": 0.83, "ci_low": 0.78, "ci_high": 0.87}
    return [
        base | number | {"model": "distance", "mode": "baseline"},
        base | number | {"model": "distance", "mode": "baseline", "subset": "HCT116"},
        base | {"model": REFERENCE, "seed": 0, "note": "only 5 of 10 pairs are inside"},
    ]


def test_a_part_without_a_model_names_the_baseline_and_why(page):
    write(page.folder, "enhancer_gene", screens())
    text = " ".join(section(shown(page)).text)
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


def test_label_files_stand_in_the_list_of_data(page):
    entry = {"path": "hic.tsv.gz", "origin": "labels/contacts/x", "licence": "MIT", "bytes": 12}
    (table,) = data_section(replace(page, label_files=[entry])).tables
    assert table.rows[-1][0] == {"code": "labels/hic.tsv.gz"}
    assert table.rows[-1][3] == "MIT"
