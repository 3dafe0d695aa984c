"""The chapter on labelled sequences: its sentences come from the numbers, whatever those are."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genezip.artifacts.scores import SOLVED, TASK_SCORES, TRIVIAL_BASELINES
from genezip.report import style
from genezip.report.chapters.tasks import labels
from genezip.report.chapters.tasks.labelled import classification, read_sets, section
from genezip.report.results import Results
from genezip.tasks.classification.splits import Fold
from genezip.tasks.classification.trivial_baselines import (
    TrivialBaseline,
    solved,
    trivial_baselines,
)

REFERENCE, CONTROL = "genezip-tiny", "hnet-tiny"
CELLS = {
    "task": "classification", "subset": "tf_2", "rule": "official", "split": "test", "n": 1000,
    "mode": "baseline", "metric": "mcc", "unit": "groups", "units": 900, "note": "",
}  # fmt: skip
MARK = "solved by twin: MCC 0.866, and 0.995 on the 870 of 1,000 rows that it covers"
UP, DOWN, AROUND = (0.01, 0.09), (-0.09, -0.01), (-0.01, 0.09)

Rows = list[dict[str, Any]]


def estimate(value: float, spread: float = 0.05) -> dict[str, float]:
    return {"value": value, "ci_low": value - spread, "ci_high": value + spread}


def one_set(
    name: str,
    official: tuple[float, float] = UP,
    unseen: tuple[float, float] | None = None,
    marked: tuple[str, ...] = (),
) -> Rows:
    """Rows of a set as ``run.measure`` writes them: values, differences, then facts.

    ``official`` and ``unseen`` are the intervals of the difference from the best baseline;
    ``marked`` are split schemes that a trivial baseline solves.
    """
    rows: Rows = []
    facts: Rows = []
    sides = {"official": official} | ({"unseen": unseen} if unseen else {})
    for rule, (low, high) in sides.items():
        own: Rows = [
            {"model": "nearest"} | estimate(0.2),
            {"model": "twin"} | estimate(0.1),
            {"model": "position_motif", "note": "aligned by the first base"} | estimate(0.3),
            {"model": "kmer4"} | estimate(0.4),
        ]
        for model, value in ((REFERENCE, 0.45), (CONTROL, 0.44)):
            cells = {"model": model, "mode": "frozen", "seed": 0}
            own.append(cells | estimate(value))
            facts += [
                cells | {"rule": rule, "metric": "bpt", "value": 8.741, "units": None},
                cells | {"rule": rule, "metric": "floor_forced_share", "value": 0.998},
            ]
        against = {"metric": "mcc_minus_best_baseline", "note": "against kmer4"}
        limits = {"value": (low + high) / 2, "ci_low": low, "ci_high": high}
        own.append({"model": REFERENCE, "mode": "frozen", "seed": 0} | against | limits)
        for row in own:
            row["rule"], row["n"] = rule, 1000 if rule == "official" else 900
            if rule in marked:
                row["note"] = "; ".join(filter(None, (MARK, row.get("note", ""))))
        rows += own
    return [CELLS | {"subset": name} | row for row in rows + facts]


@pytest.fixture
def page(results: Results, tmp_path: Path) -> Any:
    """Function that writes rows into an empty folder and returns its results."""

    def made(*sets: Rows) -> Results:
        (tmp_path / "labels").mkdir(exist_ok=True)
        rows = [row for rows in sets for row in rows]
        TASK_SCORES.write(tmp_path / "labels" / "classification.tsv", rows)
        return replace(results, folder=tmp_path, label_parts=("classification",))

    return made


def text_of(results: Results) -> str:
    found = section(results)
    assert found is not None
    return " ".join(found.text)


def test_a_run_without_the_task_has_no_chapter(page):
    run = replace(page(one_set("tf_2")), label_parts=("initiation",))
    assert section(run) is None
    assert classification(run) is None


def test_the_task_is_no_part_of_the_chapter_on_real_labels(page):
    assert labels.section(page(one_set("tf_2"))) is None


@pytest.mark.parametrize(
    ("interval", "told"),
    [
        (UP, "is better than the best baseline, 4-mers (logistic)"),
        (DOWN, "is worse than the best baseline, 4-mers (logistic)"),
        (AROUND, "and the best baseline, 4-mers (logistic), cannot be told apart"),
    ],
)
def test_who_is_better_goes_by_the_paired_difference(page, interval, told):
    text = text_of(page(one_set("tf_2", interval)))
    assert "Set tf_2: genezip-tiny " in text and told in text
    assert (
        "the best trivial baseline, position motif (naive Bayes), has MCC 0.30 (0.25 to 0.35)."
        in text
    )
    assert sum(word in text for word in ("is better than", "is worse than", "told apart")) == 1


def test_the_unseen_split_is_told_where_it_shows_something_else(page):
    assert "unseen it is worse than" in text_of(page(one_set("tf_2", UP, DOWN)))
    assert "unseen it" not in text_of(page(one_set("tf_2", UP, UP)))


def test_few_units_give_numbers_and_no_verdict(page):
    rows = [row | {"units": 7} for row in one_set("tf_2")]
    text = text_of(page(rows))
    assert "only 7 groups, too few to tell which is better; the best trivial baseline" in text
    assert "is better than" not in text


@pytest.mark.parametrize("marked", [("official",), ("unseen",), ("official", "unseen")])
def test_no_model_is_judged_on_a_solved_set(page, marked):
    run = page(one_set("tf_2", UP, UP, marked), one_set("tf_3", DOWN, DOWN))
    found = section(run)
    (told,) = [text for text in found.text if text.startswith("Set tf_2")]
    how = "; ".join(f"dinucleotide match, {rule}: {MARK.split(': ')[1]}" for rule in marked)
    assert (
        told
        == f"Set tf_2 is solved by dinucleotide match, so no models are compared on it ({how})."
    )
    table = found.tables[0]
    assert {row[0] for row in table.rows} == {"tf_2 (solved by dinucleotide match)", "tf_3"}
    with style.applied():
        drawing = classification(run)
    grey, plain = drawing.figure.axes
    assert grey.get_title(loc="left") == "tf_2 (solved by dinucleotide match)"
    assert plain.get_title(loc="left") == "tf_3"
    colours = [{line.get_markeredgecolor() for line in axes.lines if line.get_marker() != "None"}
               for axes in (grey, plain)]  # fmt: skip
    assert len(colours[0]) == 1 and not colours[0] & colours[1]
    assert "Grey panels" in drawing.caption


def test_the_mark_is_read_as_the_task_writes_it(page):
    """A note of the task itself, for a trivial baseline that is always right."""
    truth = np.array([0, 1] * 20)
    mark = solved(TrivialBaseline("twin", truth, np.ones(40, dtype=bool), ""), truth, 2)
    rows = [row | {"note": f"{mark}; {row['note']}"} for row in one_set("tf_2")]
    assert mark.startswith(SOLVED)
    assert "dinucleotide match, official: MCC 1.000, and 1.000 on the 40 of 40 rows" in text_of(
        page(rows)
    )


def test_trivial_baselines_are_named_as_the_task_names_them():
    ids, truth = [np.zeros(40, dtype=np.uint8)] * 4, np.array([0, 1, 0, 1])
    fold = Fold(-1, np.array([0, 1]), np.array([2, 3]))
    assert tuple(one.name for one in trivial_baselines(ids, truth, fold, 2)) == TRIVIAL_BASELINES


def test_an_unsolved_set_is_not_grey(page):
    with style.applied():
        assert "Grey" not in classification(page(one_set("tf_2"))).caption


def test_the_table_has_trivial_baselines_first_then_baselines_then_models(page):
    rows = one_set("tf_2", UP, UP)
    table = section(page(rows[::-1])).tables[0]  # whatever the order of the file
    methods = [row[1] for row in table.rows]
    assert methods == [
        "position motif (naive Bayes)",
        "dinucleotide match (training row of equal counts)",
        "nearest training row (k-mers)",
        "4-mers (logistic)",
        "model: hnet-tiny, seed 0",
        "model: genezip-tiny, seed 0",
    ]


def test_the_table_shows_both_splits_and_what_routing_did(page):
    table = section(page(one_set("tf_2", UP, UP))).tables[0]
    assert table.head[2:5] == ["MCC, official", "MCC, unseen", "test rows"]
    by_method = {row[1]: row[2:] for row in table.rows}
    value = "0.450 (0.400 to 0.500)"
    assert by_method["model: genezip-tiny, seed 0"] == [
        value, value, "1,000 / 900", "8.74", "99.8 %",
    ]  # fmt: skip
    assert by_method["4-mers (logistic)"][-2:] == ["–", "–"]


def test_a_missing_value_is_a_dash_with_its_reason(page):
    rows = one_set("tf_2")
    rows[0] |= {"value": None, "ci_low": None, "ci_high": None, "n": None, "note": "no row"}
    run = page(rows)
    table = section(run).tables[0]
    assert table.rows[0][2:4] == ["– (no row)", "–"]
    with style.applied():
        assert "nearest" not in set(classification(run).data["model"])


def test_sets_that_are_not_there_are_told(page):
    absent = {"model": "labels", "metric": "available", "value": 0, "note": "no file"}
    missing = [CELLS | {"subset": "tf_3", "rule": "", "mode": ""} | absent]
    run = page(one_set("tf_2"), missing)
    assert text_of(run).endswith("Set tf_3 was not measured: no file.")
    assert [part.part.id for part in read_sets(run)] == ["tf_2", "tf_3"]
    alone = page(missing)
    found = section(alone)
    assert found.text == ["The measured targets were not available: no file."]
    assert found.tables == [] and not found.illustrated
    assert classification(alone) is None


HISTONE = "1,497 official test rows; trained on 2,688 rows of GUE's dev and test files"


def histones(*seeds: int, name: str = "H3") -> Rows:
    """Rows of a histone mark, with differences of every seed and an untrained network."""
    rows = [row | {"rule": "pool"} for row in one_set(name) if row["mode"] == "baseline"]
    rows.append(rows[0] | {"model": "class_prior", "note": HISTONE} | estimate(0))
    for seed in seeds:
        for number, model in enumerate((REFERENCE, CONTROL, "untrained")):
            own = rows[0] | {"model": model, "mode": "frozen", "seed": seed, "note": ""}
            rows.append(own | estimate(0.5 + seed / 10 - number / 10))
            if model == REFERENCE:
                rows.append(own | {"metric": "mcc_minus_control"} | estimate(0.1 + seed, 0.02))
                rows.append(own | {"metric": "mcc_minus_untrained"} | estimate(0.2 + seed, 0.02))
    return rows


def test_every_seed_has_a_row_of_values_and_of_differences(page):
    found = section(page(histones(0, 1)))
    values, differences, _ = found.tables
    seeds = [row[1] for row in values.rows if row[1].startswith("model: genezip-tiny")]
    assert seeds == ["model: genezip-tiny, seed 0", "model: genezip-tiny, seed 1"]
    assert differences.head[4:] == ["the control, hnet-tiny", "the untrained network"]
    own = [row for row in differences.rows if row[2] == REFERENCE]
    assert [row[:4] for row in own] == [["H3", "pool", REFERENCE, str(n)] for n in (0, 1)]
    assert own[0][4:] == ["+0.10 (0.08 to 0.12)", "+0.20 (0.18 to 0.22)"]


def test_a_histone_mark_says_what_it_was_trained_on(page):
    text = text_of(page(histones(0), one_set("tf_2")))
    assert "pool has the official test part of the Nucleotide Transformer and is trained on" in text
    assert f"Set H3 has {HISTONE.replace('; ', ', ')}." in text
    assert "Set tf_2 has" not in text


def test_published_values_are_beside_ours_and_other_sets_stay_empty(page):
    found = section(page(histones(0), one_set("tf_2")))
    (table,) = [one for one in found.tables if "published" in one.title]
    by_set = {row[0]: row[1:] for row in table.rows}
    assert len(by_set) == 18
    assert by_set["H3"][:2] == ["0.500 (0.450 to 0.550)", "0.400 (0.350 to 0.450)"]
    assert by_set["H3"][2:4] == ["0.817 (0.809 to 0.825)", "0.782"]
    assert sum(row[:2] == ["–", "–"] for row in by_set.values()) == 17
    assert "17 of the 18 sets were not measured here" in table.note
    assert "All values are MCC" in table.note
    assert not any("published" in one.title for one in section(page(one_set("tf_2"))).tables)


def test_fits_of_a_network_are_told_with_their_mean(page):
    run = page(one_set("tf_2"))
    row = CELLS | {"model": REFERENCE, "mode": "full", "seed": 0, "subset": "H3", "input": "full"}
    fits = [row | {"rule": f"pool_fit{n}", "value": 0.3 + n / 10} for n in range(3)]
    fits.append(row | {"rule": "pool_fits", "units": 3, "unit": "fits"} | estimate(0.4))
    frame = TASK_SCORES.frame(fits)
    (table,) = [
        one
        for one in section(replace(run, task_tables={"classification": frame})).tables
        if "fine-tuned" in one.title
    ]
    assert table.rows == [
        ["H3", "pool", "genezip-tiny, full", "0", "0.400 (0.350 to 0.450)", "0.300, 0.400, 0.500"]
    ]
    assert "about training, not about data" in table.note


def test_a_set_without_a_model_names_the_best_baseline(page):
    rows = [row for row in one_set("tf_2") if row["mode"] == "baseline"]
    assert "Set tf_2: 4-mers (logistic) has MCC 0.40 (0.35 to 0.45);" in text_of(page(rows))


def test_the_figure_has_every_value_and_a_panel_for_each_set(page):
    run = page(one_set("tf_2"), one_set("tf_3"), one_set("prom_core_tata"))
    with style.applied():
        drawing = classification(run)
    shown = [axes for axes in drawing.figure.axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in shown] == ["tf_2", "tf_3", "prom_core_tata"]
    assert len(drawing.data) == 3 * 6
    own = drawing.data[drawing.data["part"] == "tf_3"].set_index("model")["value"]
    assert own.to_dict() == {
        "nearest": 0.2, "twin": 0.1, "position_motif": 0.3, "kmer4": 0.4,
        REFERENCE: 0.45, CONTROL: 0.44,
    }  # fmt: skip
    assert "bootstrap over groups" in drawing.caption
    markers = [line.get_marker() for line in shown[0].lines if line.get_marker() != "None"]
    assert markers == ["s"] * 4 + ["o"] * 2
