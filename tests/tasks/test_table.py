"""A task's table: measured rows, their means, published rows, and what may be compared."""

from pathlib import Path

import pandas as pd
import pytest

from genezip.artifacts.scores import MEAN, TASK_SCORES
from genezip.errors import GenezipError
from genezip.tasks import TASKS
from genezip.tasks.table import NOT_RECOVERED, published_rows, task_table, write_table

PAPER = Path(__file__).resolve().parents[2] / "genezip" / "artifacts" / "paper"
TISSUES = {"artery": "Artery_Tibial", "blood": "Whole_Blood"}


def scores(subset: str, **rows: float | None) -> pd.DataFrame:
    """Rows ``model="input.split" -> value`` of one subset."""
    found = []
    for name, value in rows.items():
        model, input, split = name.split("__")
        found.append(
            {
                "task": "eqtl",
                "subset": subset,
                "model": model.replace("_", "-"),
                "origin": "measured",
                "seed": 0,
                "input": input,
                "mode": "release",
                "rule": "paper",
                "split": split,
                "metric": "auroc",
                "value": value,
                "n": 10,
                "positives": 3,
                "scale": "full",
                "note": None,
            }
        )
    return TASK_SCORES.frame(found)


def test_published_tables_are_read_whole() -> None:
    eqtl = published_rows(TASKS["eqtl"], PAPER / "table3_eqtl.csv", TISSUES)
    values = {(row["model"], row["subset"]): row["value"] for row in eqtl}
    assert values["GeneZip", "artery"] == 0.860
    assert values["JanusDNA", "blood"] == 0.821
    assert len(eqtl) == 9 * 2
    lines = {"HFF": "HFF", "HCT116": "HCT116"}
    maps = published_rows(TASKS["cmp"], PAPER / "table2_contact_map.csv", lines)
    values = {(row["model"], row["subset"], row["metric"]): row["value"] for row in maps}
    assert values["UNet", "HFF", "corr"] == 0.1853
    assert values["GeneZip", MEAN, "scc"] == 0.1360
    genes = published_rows(TASKS["etgp"], PAPER / "table7_etgp.csv", {"K562": "x"})
    assert {(row["model"], row["metric"]): row["value"] for row in genes}[
        "GeneZip", "auprc_sorted"
    ] == 0.462
    (initiation,) = published_rows(TASKS["tisp"], None, {"procap": "all"})
    assert "value" not in initiation and initiation["note"] == NOT_RECOVERED
    assert published_rows(TASKS["rsap"], None, {"human": "human"}) == []


def test_an_unknown_subset_names_the_missing_column() -> None:
    with pytest.raises(GenezipError, match="lacks the columns Brain; restore"):
        published_rows(TASKS["eqtl"], PAPER / "table3_eqtl.csv", {"brain": "Brain"})


def test_a_published_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(GenezipError, match=r"none\.csv does not exist; restore the published"):
        published_rows(TASKS["eqtl"], tmp_path / "none.csv", TISSUES)


def test_only_what_can_be_compared_is_compared() -> None:
    measured = [
        scores("artery", genezip_70m__authors__test=0.80, genezip_70m__full__test=0.70),
        scores("blood", genezip_70m__authors__test=0.90, genezip_70m__full__test=None),
    ]
    table = task_table(TASKS["eqtl"], measured, PAPER / "table3_eqtl.csv", TISSUES, "full")
    ours = table[table["origin"] == "measured"].set_index(["subset", "input"])
    assert ours.loc[("artery", "authors"), "paper_model"] == "GeneZip"
    assert ours.loc[("artery", "authors"), "difference"] == pytest.approx(0.80 - 0.86)
    assert pd.isna(ours.loc[("artery", "full"), "paper"])
    assert ours.loc[(MEAN, "authors"), "value"] == pytest.approx(0.85)
    assert ours.loc[(MEAN, "authors"), "n"] == 20
    assert pd.isna(ours.loc[(MEAN, "full"), "value"])
    assert "no value for blood" in ours.loc[(MEAN, "full"), "note"]
    demo = task_table(TASKS["eqtl"], measured, PAPER / "table3_eqtl.csv", TISSUES, "demo")
    assert demo["difference"].isna().all()


@pytest.mark.parametrize(
    ("model", "mode", "compared"),
    [
        ("genezip-70m", "release", True),
        ("genezip-70m", "frozen", False),
        ("genezip-70m", "full", False),
        ("cnn", "full", True),
        ("cnn", "release", False),
    ],
)
def test_only_the_arm_that_the_paper_ran_is_compared(model: str, mode: str, compared: bool) -> None:
    rows = scores("artery", any__authors__test=0.8).assign(model=model, mode=mode)
    table = task_table(TASKS["eqtl"], [rows], PAPER / "table3_eqtl.csv", TISSUES, "full")
    ours = table[(table["origin"] == "measured") & (table["subset"] == "artery")]
    assert ours["difference"].notna().tolist() == [compared]


@pytest.mark.parametrize(
    ("task", "mode", "table", "subset"),
    [
        ("cmp", "frozen", "table2_contact_map", "HFF"),
        ("etgp", "lora", "table7_etgp", "K562"),
    ],
)
def test_every_task_has_its_own_mode_in_the_paper(
    task: str, mode: str, table: str, subset: str
) -> None:
    metric, split = ("scc", "valid100") if task == "cmp" else ("auroc", "test")
    rows = pd.concat(
        scores(subset, genezip_70m__authors__test=0.5).assign(
            task=task, mode=each, metric=metric, split=split
        )
        for each in ("frozen", "head_only", "release", "lora", "full")
    )
    found = task_table(TASKS[task], [rows], PAPER / f"{table}.csv", {subset: subset}, "full")
    assert found.loc[found["difference"].notna(), "mode"].tolist() == [mode]


def test_a_result_file_of_headers_alone_is_no_obstacle(tmp_path: Path) -> None:
    path, empty = tmp_path / "artery.tsv", tmp_path / "blood.tsv"
    rows = scores("artery", genezip_70m__authors__test=0.8)
    TASK_SCORES.write(path, rows)
    TASK_SCORES.write(empty, [])
    out = tmp_path / "table.tsv"
    write_table("eqtl", [empty, path], None, TISSUES, "full", out)
    found = pd.read_csv(out, sep="\t").set_index("subset")
    assert found.loc["artery", "value"] == 0.8
    assert "no value for blood" in found.loc[MEAN, "note"]
    write_table("eqtl", [empty], PAPER / "table3_eqtl.csv", TISSUES, "full", out)
    assert set(pd.read_csv(out, sep="\t")["origin"]) == {"paper"}


def test_the_file_is_whole_or_absent(tmp_path: Path) -> None:
    path = tmp_path / "artery.tsv"
    TASK_SCORES.write(path, scores("artery", genezip_70m__authors__test=0.8))
    out = tmp_path / "table.tsv"
    write_table("eqtl", [path], None, {"artery": "Artery_Tibial"}, "full", out)
    assert pd.read_csv(out, sep="\t").loc[0, "value"] == 0.8
    with pytest.raises(GenezipError, match="holds scores of eqtl, not of cmp"):
        write_table("cmp", [path], None, {"artery": "x"}, "full", tmp_path / "other.tsv")
    pd.DataFrame({"task": ["eqtl"]}).to_csv(path, sep="\t", index=False)
    with pytest.raises(GenezipError, match=r"needs .*model"):
        write_table("eqtl", [path], None, {"artery": "x"}, "full", tmp_path / "other.tsv")
    assert not (tmp_path / "other.tsv").exists()


def test_a_mean_over_sets_names_those_that_a_trivial_baseline_solves() -> None:
    rows = [
        scores("artery", any__authors__test=0.8).assign(note="solved by twin: MCC 0.9"),
        scores("blood", any__authors__test=0.6),
    ]
    found = task_table(TASKS["eqtl"], rows, None, TISSUES, "full")
    (mean,) = found[found["subset"] == MEAN]["note"]
    assert mean.endswith("; solved by a trivial baseline, so not a comparison of models: artery")
