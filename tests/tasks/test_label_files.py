"""The folder that the real labels are copied into, and the genome that they say something about."""

import hashlib
import json
from pathlib import Path

import pandas as pd
import pytest
from toolkit.labels import LabelRun, missing, told

from genezip.cli.tasks import measure
from genezip.config.tasks import Labels
from genezip.errors import GenezipError
from genezip.tasks import TASKS
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.label_files import LABELS, PublicLabels, fetch_labels
from genezip.tasks.predictions import COLUMNS, PredictionFile

OWN = ("contacts", "elements", "enhancer_gene")
SETTINGS = Labels(tasks=["elements"], folds=3, bootstrap=20)


def fake_mirror(folder: Path, parts: list[str]) -> Path:
    rows = []
    for part in parts:
        for file in LABELS[part].files.values():
            origin = file.origin
            path = folder / origin
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(origin.encode())
            md5 = hashlib.md5(origin.encode()).hexdigest()
            rows.append(f"| `{origin}` | what | {len(origin)} | `{md5}` |")
    (folder / "README.md").write_text("\n".join(rows) + "\n")
    return folder


def test_without_a_folder_the_list_is_empty_and_says_why(tmp_path):
    listing = fetch_labels(None, ["contacts"], tmp_path / "out")
    assert json.loads(listing.read_text())["files"] == []
    assert "GENEZIP_MIRROR is not set" in missing(listing, "contacts")


def test_only_the_files_of_the_parts_are_copied_and_listed(tmp_path):
    mirror = fake_mirror(tmp_path / "mirror", ["contacts", "elements"])
    listing = fetch_labels(mirror, ["elements"], tmp_path / "out")
    assert {path.name for path in listing.parent.iterdir()} == {"labels.json", "elements.tsv.gz"}
    (entry,) = json.loads(listing.read_text())["files"]
    assert entry["sha256"] == hashlib.sha256(entry["origin"].encode()).hexdigest()
    assert entry["licence"].startswith("Apache-2.0")
    assert missing(listing, "elements") is None
    assert "lists no files of contacts" in missing(listing, "contacts")


def table_of(files: dict[str, bytes]) -> str:
    """A README.md that lists files with their checksums."""
    rows = (
        f"| `{name}` | what | {len(content)} | `{hashlib.md5(content).hexdigest()}` |"
        for name, content in files.items()
    )
    return "\n".join(rows) + "\n"


def mirror_of_two_tables(folder: Path, part: str) -> Path:
    """Files in subfolders are listed in other_systems/README.md, the others in the main one."""
    inside, above = {}, {}
    for file in LABELS[part].files.values():
        path = folder / file.origin
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.origin.encode())
        name = file.origin.removeprefix("other_systems/")
        if "/" in name:
            inside[name] = file.origin.encode()
        else:
            above[file.origin] = file.origin.encode()
    (folder / "other_systems" / "README.md").write_text(table_of(inside))
    (folder / "README.md").write_text(table_of(above))
    return folder


@pytest.mark.parametrize("part", ["essentiality", "variants"])
def test_files_of_two_tables_are_checked_and_copied(tmp_path, part):
    mirror = mirror_of_two_tables(tmp_path / "mirror", part)
    listing = fetch_labels(mirror, [part], tmp_path / "out")
    names = {path.name for path in listing.parent.iterdir()}
    assert names == {"labels.json", *LABELS[part].files}
    last = mirror / list(LABELS[part].files.values())[-1].origin
    last.write_bytes(last.read_bytes()[::-1])
    with pytest.raises(GenezipError, match="was altered"):
        fetch_labels(mirror, [part], tmp_path / "out")


def test_files_of_a_set_are_fetched_only_where_it_is_named(tmp_path):
    deposit = LABELS["classification"]
    rows = {}
    for file in deposit.chosen(["nt_H4"]).values():
        (tmp_path / "mirror" / file.origin).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mirror" / file.origin).write_bytes(file.origin.encode())
        rows[file.origin.removeprefix("other_systems/")] = file.origin.encode()
    (tmp_path / "mirror" / "README.md").write_text(table_of({}))
    (tmp_path / "mirror" / "other_systems" / "README.md").write_text(table_of(rows))
    for sets, more in (((), set()), (("nt_H4",), set(deposit.sets["nt_H4"]))):
        listing = fetch_labels(tmp_path / "mirror", ["classification"], tmp_path / "out", sets=sets)
        names = {path.name for path in listing.parent.iterdir()}
        assert names == {"labels.json", *deposit.files, *more}
    assert {"nt_H4.test.fna.gz", "EMP_H4.dev.csv.gz"} < more
    with pytest.raises(GenezipError, match="there is no set 'nt_H5'; the sets are nt_H3, nt_H4"):
        fetch_labels(tmp_path / "mirror", ["classification"], tmp_path / "out", sets=["nt_H5"])


def test_labels_without_a_public_form_say_so(tmp_path):
    public = PublicLabels(tmp_path / "none.tsv", tmp_path / "downloads")
    listing = fetch_labels(None, ["variants"], tmp_path / "out", public)
    assert "put together from several public ones" in missing(listing, "variants")


def test_a_folder_that_is_not_there_is_told_without_its_path(tmp_path, messages):
    folder = tmp_path / "gone"
    listing = fetch_labels(folder, ["contacts"], tmp_path / "out")
    assert "does not exist" in missing(listing, "contacts")
    assert str(folder) not in listing.read_text()
    assert str(folder) in messages()[0]


@pytest.mark.parametrize(
    ("change", "told"), [(b"", "truncated"), (b"x" * 200, "was altered"), (None, "is missing")]
)
def test_a_changed_file_stops_the_copy_and_leaves_nothing(tmp_path, change, told):
    mirror = fake_mirror(tmp_path / "mirror", ["elements"])
    origin = mirror / LABELS["elements"].files["elements.tsv.gz"].origin
    if change is None:
        origin.unlink()
    else:
        origin.write_bytes(change)
    with pytest.raises(GenezipError, match=told):
        fetch_labels(mirror, ["elements"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("task", OWN)
def test_without_labels_both_files_are_there_and_the_scores_say_why(tmp_path, monkeypatch, task):
    run = LabelRun(tmp_path, monkeypatch)
    assert told(run.measure(task, SETTINGS)) == "no folder was named"
    assert tuple(pd.read_parquet(run.predictions).columns) == COLUMNS
    assert len(pd.read_parquet(run.predictions)) == 0
    assert PredictionFile.open(run.predictions).methods == []
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("task", OWN)
@pytest.mark.parametrize(
    ("kind", "build", "why"),
    [("simulated", "hg38", "is simulated"), ("files", "R64", "the genome of this run is R64")],
)
def test_labels_of_another_genome_are_not_used(tmp_path, monkeypatch, task, kind, build, why):
    run = LabelRun(tmp_path, monkeypatch)
    run.use(None, kind, build)
    assert why in told(run.measure(task, SETTINGS))


def test_a_list_that_is_not_there_is_an_error_and_says_what_to_do(tmp_path):
    out = tmp_path / "scores.tsv", tmp_path / "predictions.parquet"
    with pytest.raises(GenezipError, match="run `genezip labels fetch` first"):
        measure("contacts", tmp_path / "labels.json", tmp_path / "source.json", *out, "test")
    assert not any(path.exists() for path in out)


@pytest.mark.parametrize("task", OWN)
def test_another_subset_is_refused_by_name(tmp_path, monkeypatch, task):
    run, one = LabelRun(tmp_path, monkeypatch), TASKS[task]
    files = TaskFiles.load(run.listing)
    with pytest.raises(GenezipError, match=f"no subset 'liver'; name {one.own_subset} with"):
        one.prepare(files, run.source, "liver", SETTINGS, 0, tmp_path / "d" / "manifest.json")
