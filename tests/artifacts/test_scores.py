"""The score table: rows, columns, types, and files of before."""

import pandas as pd
import pytest

from genezip.artifacts.scores import (
    COMPARED_SCORES,
    DNA_SCORES,
    SHARED,
    TASK_SCORES,
    ScoreTable,
    cell,
)
from genezip.errors import GenezipError

PLACE = {"model": "tiny", "task": "compression", "subset": "all", "split": "test", "metric": "bpt"}


@pytest.mark.parametrize("table", [DNA_SCORES, TASK_SCORES, COMPARED_SCORES])
def test_every_kind_has_the_shared_columns(table: ScoreTable) -> None:
    assert set(SHARED) <= set(table.columns)
    assert len(set(table.columns)) == len(table.columns)
    assert tuple(table.frame()) == table.columns


def test_compared_scores_are_those_of_tasks_and_the_published_ones():
    added = set(COMPARED_SCORES.columns) - set(TASK_SCORES.columns)
    assert added == {"paper_model", "paper", "difference"}


def test_a_row_has_all_columns_and_no_others():
    row = DNA_SCORES.row(**PLACE, value=1.5)
    assert tuple(row) == DNA_SCORES.columns
    assert row["value"] == 1.5 and row["region"] is None
    with pytest.raises(KeyError, match="units"):
        DNA_SCORES.row(units=3)


def test_only_finite_numbers_fill_a_cell():
    assert [cell(value) for value in (1, float("nan"), float("inf"))] == [1.0, None, None]


def test_counts_are_written_whole_and_values_with_six_digits(tmp_path):
    path = tmp_path / "scores.tsv"
    rows = [
        DNA_SCORES.row(**PLACE, value=1234567.0, n=1234567, seed=0, blocks=8),
        DNA_SCORES.row(**PLACE, value=None, n=3),
    ]
    DNA_SCORES.write(path, rows)
    head, first, second = path.read_text().splitlines()
    assert head.split("\t") == list(DNA_SCORES.columns)
    cells = dict(zip(DNA_SCORES.columns, first.split("\t"), strict=True))
    assert (cells["value"], cells["n"], cells["seed"]) == ("1.23457e+06", "1234567", "0")
    cells = dict(zip(DNA_SCORES.columns, second.split("\t"), strict=True))
    assert (cells["value"], cells["n"], cells["seed"], cells["blocks"]) == ("", "3", "", "")
    read = DNA_SCORES.read(path)
    assert read["n"].tolist() == [1234567, 3]
    assert read["n"].dtype == read["seed"].dtype == "Int64"
    assert read["region"].isna().all()
    DNA_SCORES.write(tmp_path / "again.tsv", read)
    assert (tmp_path / "again.tsv").read_bytes() == path.read_bytes()


def test_a_file_from_before_lacks_columns_and_one_of_others_is_refused(tmp_path):
    path = tmp_path / "scores.tsv"
    DNA_SCORES.write(path, [PLACE])
    old = pd.read_csv(path, sep="\t").drop(columns=["blocks", "note"])
    old.assign(more="kept").to_csv(path, sep="\t", index=False)
    read = DNA_SCORES.read(path)
    assert list(read) == [*DNA_SCORES.columns, "more"]
    assert read["blocks"].isna().all() and read["note"].isna().all()
    old.drop(columns="strand").to_csv(path, sep="\t", index=False)
    with pytest.raises(GenezipError, match="lacks the columns strand; evaluate again"):
        DNA_SCORES.read(path)
    old.assign(seed="first").to_csv(path, sep="\t", index=False)
    with pytest.raises(GenezipError, match="has a cell of the wrong type"):
        DNA_SCORES.read(path)
