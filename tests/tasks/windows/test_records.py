"""A conversion that is interrupted, goes on, or finds no room."""

import errno
import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from toolkit.deposits import rsap, tfrecords

from genezip.artifacts import journal
from genezip.errors import GenezipError
from genezip.formats.tfrecord import parse_example, read_payloads
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.examples import Prepared
from genezip.tasks.features import npy_head
from genezip.tasks.windows import records
from genezip.tasks.windows.activity import prepare_activity

CHR1 = rsap.bases(3 * rsap.STORED_BP + 10_000, 0)
Prepare = Callable[..., None]
Messages = Callable[[], list[str]]


@pytest.fixture
def listing(tmp_path: Path) -> Path:
    return rsap.write(tmp_path / "deposit")


@pytest.fixture
def prepare(listing: Path, tmp_path: Path) -> Prepare:
    def run(genome: Path | None = None) -> None:
        manifest = tmp_path / "human" / "manifest.json"
        files = TaskFiles.load(listing)
        prepare_activity(files, "human", genome or rsap.genome_of(listing), manifest)

    return run


@pytest.fixture
def targets(listing: Path) -> Path:
    return rsap.genome_of(listing).parents[1] / "targets"


@pytest.fixture
def cut(targets: Path) -> Path:
    """The second shard of train, cut short; the whole one lies beside it."""
    path = targets / "train-1.tfr"
    path.with_suffix(".whole").write_bytes(path.read_bytes())
    path.write_bytes(path.read_bytes()[:-1000])
    return path


def check_train(folder: Path, rows: range = range(3)) -> None:
    found = np.load(folder / "targets.train.npy")
    for row in rows:
        assert np.array_equal(found[row], rsap.target(CHR1, row * rsap.STORED_BP, 3))


def test_an_interrupted_conversion_goes_on_at_the_next_shard(
    prepare: Prepare, cut: Path, tmp_path: Path, messages: Messages
) -> None:
    """A damaged shard is fetched again: those before it are not read a second time."""
    with pytest.raises(GenezipError, match=r"train-1.tfr, record 0: the compressed file is cut"):
        prepare()
    assert messages() == ["rsap: train-0.tfr, 2 records (2 of 3 rows of train)"]
    assert not (tmp_path / "human").exists()
    cut.with_suffix(".whole").replace(cut)
    prepare()
    assert messages()[1:3] == [
        "rsap: resumed after 1 finished shards",
        "rsap: train-1.tfr, 1 records (3 of 3 rows of train)",
    ]
    check_train(tmp_path / "human")
    assert not (tmp_path / ".human.shards").exists()


def test_a_shard_that_changed_since_is_read_again(
    prepare: Prepare, cut: Path, targets: Path, tmp_path: Path, messages: Messages
) -> None:
    with pytest.raises(GenezipError):
        prepare()
    cut.with_suffix(".whole").replace(cut)
    first, *others = read_payloads(targets / "train-0.tfr")
    ones = np.ones((896, 3), dtype="<f2").tobytes()
    sequence = parse_example(first)["sequence"]
    assert isinstance(sequence, bytes)
    parts = {"sequence": sequence, "target": ones}
    new = {key: tfrecords.bytes_feature(value) for key, value in parts.items()}
    tfrecords.write(targets / "train-0.tfr", [tfrecords.example(new), *others])
    prepare()
    assert messages()[2] == "rsap: train-0.tfr, 2 records (2 of 3 rows of train)"
    assert (np.load(tmp_path / "human" / "targets.train.npy")[0] == 1).all()
    check_train(tmp_path / "human", range(1, 3))


def test_another_fasta_begins_anew(
    prepare: Prepare, cut: Path, listing: Path, tmp_path: Path, messages: Messages
) -> None:
    with pytest.raises(GenezipError):
        prepare()
    cut.with_suffix(".whole").replace(cut)
    other = tmp_path / "other.fa"
    other.write_bytes(rsap.genome_of(listing).read_bytes() + b">extra\nACGT\n")
    prepare(other)
    assert messages()[1].startswith("rsap: train-0.tfr")


def test_finished_targets_survive_an_interruption_at_the_end(
    prepare: Prepare, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, messages: Messages
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(records, "widened", interrupted)
        prepare()
    before = len(messages())
    prepare()
    assert messages()[before] == "rsap: resumed after 4 finished shards"
    assert len(messages()) == before + 2
    check_train(tmp_path / "human")


@pytest.mark.parametrize("links", [True, False])
def test_targets_survive_a_kill_while_they_are_hashed(
    prepare: Prepare,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    messages: Messages,
    links: bool,
) -> None:
    """Then the draft of the folder still has the targets, as links or, without links, alone."""
    draft, kept = tmp_path / ".human.part", tmp_path / "kept"

    def killed(*_: object) -> None:
        kept.mkdir()
        for path in draft.iterdir():
            os.link(path, kept / path.name)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(records, "widened", killed)
        prepare()
    kept.rename(draft)  # nothing was cleaned up
    if not links:
        for path in (tmp_path / ".human.shards").glob("targets.*"):
            path.unlink()
    before = len(messages())
    prepare()
    assert messages()[before] == "rsap: resumed after 4 finished shards"
    assert len(messages()) == before + 2
    assert not draft.exists()
    check_train(tmp_path / "human")


def test_a_finished_folder_is_never_written_into(
    prepare: Prepare,
    targets: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    messages: Messages,
    at_message: Callable[..., AbstractContextManager[None]],
) -> None:
    """Killed between the end of the folder and the removal of the work beside it.

    Then a shard changes, is converted anew, and that run is interrupted too.
    """
    folder, work = tmp_path / "human", tmp_path / ".human.shards"
    remove = shutil.rmtree

    def killed(path: Path, **_: object) -> None:
        if Path(path) == work and folder.exists():
            raise KeyboardInterrupt
        remove(path, ignore_errors=True)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(records.shutil, "rmtree", killed)
        prepare()
    names = [path.name for path in folder.iterdir()]
    assert (work / "targets.train.npy").samefile(folder / "targets.train.npy")
    before = {name: (folder / name).read_bytes() for name in names}
    first, *others = read_payloads(targets / "train-0.tfr")
    sequence = parse_example(first)["sequence"]
    assert isinstance(sequence, bytes)
    parts = {"sequence": sequence, "target": np.ones((896, 3), dtype="<f2").tobytes()}
    new = {key: tfrecords.bytes_feature(value) for key, value in parts.items()}
    tfrecords.write(targets / "train-0.tfr", [tfrecords.example(new), *others])

    def interrupt() -> None:
        raise KeyboardInterrupt

    since = len(messages())
    with pytest.raises(KeyboardInterrupt), at_message("rsap: ", interrupt):
        prepare()
    assert messages()[since:] == ["rsap: train-0.tfr, 2 records (2 of 3 rows of train)"]
    assert {name: (folder / name).read_bytes() for name in names} == before
    assert Prepared.load(folder / "manifest.json").counts["train"] == 3
    prepare()
    assert messages()[since + 1] == "rsap: resumed after 1 finished shards"
    assert (np.load(folder / "targets.train.npy")[0] == 1).all()


def test_a_second_conversion_replaces_the_first(prepare: Prepare, tmp_path: Path) -> None:
    prepare()
    before = (tmp_path / "human" / "manifest.json").read_bytes()
    prepare()
    assert (tmp_path / "human" / "manifest.json").read_bytes() == before


def test_without_hard_links_the_targets_are_moved(
    prepare: Prepare, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(records.os, "link", refused)
    prepare()
    assert Prepared.load(tmp_path / "human" / "manifest.json").counts["train"] == 3
    check_train(tmp_path / "human")


def test_a_disk_without_room_is_noticed_before_the_first_record(
    prepare: Prepare, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Seven targets of 896 x 3 values of two bytes: 37,632."""
    usage = shutil.disk_usage(tmp_path)._replace(free=37_631)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(GenezipError, match=r"No space .* 37,632 bytes are needed, 37,631 are free"):
        prepare()
    assert not (tmp_path / "human").exists()


def test_a_disk_that_fills_up_keeps_the_finished_shards(
    prepare: Prepare, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, messages: Messages
) -> None:
    calls = []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 5:  # of data and note in turn
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(journal.os, "fsync", full)
        with pytest.raises(GenezipError, match=r"No space left on device.*shards are kept"):
            prepare()
    prepare()
    assert "rsap: resumed after 2 finished shards" in messages()
    check_train(tmp_path / "human")


def test_a_folder_of_other_files_is_refused(prepare: Prepare, tmp_path: Path) -> None:
    (tmp_path / "human").mkdir()
    (tmp_path / "human" / "thesis.txt").write_text("mine")
    with pytest.raises(GenezipError, match=r"thesis.txt, which would be lost"):
        prepare()
    assert (tmp_path / "human" / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize("shape", [(1, 1, 1), (12, 896, 5_313), (413, 5, 99_681)])
def test_the_head_is_what_numpy_reads(tmp_path: Path, shape: tuple[int, ...]) -> None:
    found = np.load(_filled(tmp_path / "x.npy", shape), mmap_mode="r")
    assert found.shape == shape and found.dtype == np.float16


def _filled(path: Path, shape: tuple[int, ...]) -> Path:
    """The file at its full size, without taking room."""
    with open(path, "wb") as handle:
        handle.write(npy_head(shape))
        handle.truncate(handle.tell() + 2 * int(np.prod(shape)))
    return path
