"""From the listed files of a set to a prepared folder."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from toolkit.labelled_sets import (
    FEW,
    listed,
    opened,
    prepared,
    settings,
    write_set,
)

from genezip.artifacts.files import sha256_file
from genezip.errors import GenezipError
from genezip.tasks import TASKS
from genezip.tasks.base import NotMeasured
from genezip.tasks.classification.sets import read_sequences
from genezip.tasks.classification.task import LabelledSequences
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.measure import measure


def test_prepared_folds_are_those_of_the_scheme(tmp_path: Path) -> None:
    found = opened(tmp_path, sizes=FEW, schemes=["official", "unseen", "family"], folds=3)
    split = found.table["split"]
    (official,) = found.folds["official"]
    for name, rows in (
        ("train", official.train),
        ("valid", official.valid),
        ("test", official.test),
    ):
        assert rows.tolist() == np.flatnonzero(split == name).tolist()
    (unseen,) = found.folds["unseen"]
    assert set(unseen.test) <= set(official.test) and len(unseen.train) == len(official.train)
    tested = np.concatenate([fold.test for fold in found.folds["family"]])
    assert sorted(tested) == list(range(len(found.table)))
    for fold in found.folds["family"]:
        assert not set(found.units[fold.train]) & set(found.units[fold.test])


def test_a_task_whose_reader_gives_no_table_is_refused(tmp_path: Path) -> None:
    class Bare(LabelledSequences):
        name = "bare"

    class Rows(Bare):
        def read(self, files: TaskFiles, genome: Path, subset: str, settings: Any) -> Any:
            return [{"sequence": "AC", "label": 1}]

    files = write_set(tmp_path, sizes=FEW)
    for task, told in ((Bare(), "has no method read"), (Rows(), "gave a list without classes")):
        with pytest.raises(GenezipError, match=told):
            task.prepare(files, Path(), "toy", settings(), 0, tmp_path / "m.json")


def test_only_listed_files_are_read_and_recorded(
    tmp_path: Path, messages: Callable[[], list[str]]
) -> None:
    write_set(tmp_path, sizes=FEW)
    (tmp_path / "toy.dev.csv").unlink()
    (tmp_path / "other.bw").touch()
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "toy.test.txt").touch()
    files = listed(tmp_path, "other.bw", "deep/toy.test.txt")
    (tmp_path / "toy.dev.csv").write_text("sequence,label\nACGT,1\n")  # there and not listed
    manifest = prepared(tmp_path, files)
    assert set(json.loads(manifest.read_text())["inputs"]) == {"toy.train.csv", "toy.test.csv"}
    found = TASKS["classification"].open(manifest, Path())
    assert "valid" not in set(found.table["split"])
    assert any(text.endswith("lists no toy.dev.csv") for text in messages())
    (tmp_path / "toy.test.csv.gz").touch()
    with pytest.raises(GenezipError, match=r"toy.test.csv and .*toy.test.csv.gz are both the test"):
        prepared(tmp_path, listed(tmp_path, "toy.test.csv.gz"))


def test_files_of_equal_names_are_both_recorded(tmp_path: Path) -> None:
    class Both(LabelledSequences):
        name = "both"

        def read(self, files: TaskFiles, genome: Path, subset: str, settings: Any) -> pd.DataFrame:
            return read_sequences(files.paths)

    write_set(tmp_path, sizes=FEW)
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        (tmp_path / f"toy.{split}.csv").rename(tmp_path / split / f"rows.{split}.csv")
    twice = [tmp_path / "train" / "rows.csv", tmp_path / "test" / "rows.csv"]
    for path in twice:
        text = (path.parent / f"rows.{path.parent.name}.csv").read_text().splitlines()
        rows = [f"{line},{path.parent.name}" for line in text[1:]]
        path.write_text("\n".join(["sequence,label,split", *rows]) + "\n")
    files = TaskFiles(tmp_path / "files.json", tuple(twice), {})
    manifest = tmp_path / "data" / "manifest.json"
    Both().prepare(files, Path(), "all", settings(), 0, manifest)
    inputs = json.loads(manifest.read_text())["inputs"]
    assert inputs == {f"{path.parent.name}/rows.csv": sha256_file(path) for path in twice}


@pytest.mark.parametrize("lacking", ["train", "test"])
def test_a_list_without_a_split_is_refused(tmp_path: Path, lacking: str) -> None:
    write_set(tmp_path, sizes=FEW)
    (tmp_path / f"toy.{lacking}.csv").rename(tmp_path / f"toy.{lacking}.old")
    with pytest.raises(GenezipError, match=f"lists no file toy.{lacking}.csv .or .csv.gz.; name"):
        prepared(tmp_path, listed(tmp_path))
    files = listed(tmp_path, reasons={"classification": "offline (none)"})
    with pytest.raises(NotMeasured, match="offline"):
        prepared(tmp_path, files)


def test_a_list_without_the_set_says_why(tmp_path: Path) -> None:
    listing = tmp_path / "files.json"
    listing.write_text(json.dumps({"files": [], "reasons": {"classification": "offline (none)"}}))
    out = tmp_path / "out.tsv"
    files = TaskFiles.load(listing)
    task = TASKS["classification"]
    measure(task, files, None, [], None, settings(), "test", out, tmp_path / "p.parquet")
    (row,) = pd.read_csv(out, sep="\t").to_dict("records")
    assert (row["model"], row["value"], row["note"]) == ("labels", 0, "offline (none)")
