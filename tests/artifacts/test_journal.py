"""The journal of a long job: taken up by the same job only, and never ahead of its data."""

import json
import os
import signal

import pytest

from genezip.artifacts import journal as module
from genezip.artifacts.journal import Journal, stop_request
from genezip.errors import GenezipError

JOB = {"model": "m", "shape": (10, 5)}


@pytest.fixture
def data(tmp_path):
    """An open file that parts are written into."""
    with open(tmp_path / "data", "w+b") as file:
        yield file


def test_the_same_job_goes_on(tmp_path, data):
    path = tmp_path / "done.json"
    first = Journal(path, JOB)
    assert first.done == {} and not path.exists()
    first.note("a", {"rows": 3}, data)
    first.note("b", {"rows": 4}, data)
    first.note("a", {"rows": 5}, data)
    assert Journal(path, {"shape": [10, 5], "model": "m"}).done == {
        "a": {"rows": 5},
        "b": {"rows": 4},
    }


def test_another_job_begins_anew_and_leaves_the_file_until_its_first_note(tmp_path, data, messages):
    path = tmp_path / "done.json"
    Journal(path, JOB).note("a", {}, data)
    before = path.read_bytes()
    other = Journal(path, {**JOB, "model": "n"})
    assert other.done == {} and path.read_bytes() == before
    other.note("b", {}, data)
    assert Journal(path, JOB).done == {} and messages() == []


@pytest.mark.parametrize(
    "content", [b"", b'{"key": ', b"\xff", b"[]", b'{"key": "1f", "rows": 8, "bases": 800}']
)
def test_a_journal_that_cannot_be_read_begins_anew_with_a_warning(tmp_path, content, messages):
    path = tmp_path / "done.json"
    path.write_bytes(content)
    assert Journal(path, JOB).done == {}
    assert messages() == [f"{path} is damaged or of an older version; the job starts over"]


def test_a_part_that_is_made_again_is_not_done_meanwhile(tmp_path, data):
    path = tmp_path / "done.json"
    journal = Journal(path, JOB)
    journal.forget("a")
    assert not path.exists()
    journal.note("a", {}, data)
    journal.note("b", {}, data)
    journal.forget("a")
    assert list(Journal(path, JOB).done) == ["b"]


def test_clear_forgets_all(tmp_path, data):
    path = tmp_path / "done.json"
    journal = Journal(path, JOB)
    journal.note("a", {}, data)
    journal.clear()
    journal.clear()
    assert journal.done == {} and not path.exists()


def test_data_are_on_the_disk_before_the_note_and_the_note_before_its_name(
    tmp_path, data, monkeypatch
):
    path = tmp_path / "done.json"
    steps = []

    def synced(descriptor):
        about = os.fstat(descriptor)
        steps.append((about.st_ino, about.st_size, path.exists()))

    monkeypatch.setattr(module.os, "fsync", synced)
    data.write(b"rows")  # still in the buffer of the file
    Journal(path, JOB).note("a", {}, data)
    about = path.stat()
    assert steps == [
        (os.fstat(data.fileno()).st_ino, 4, False),
        (about.st_ino, about.st_size, False),
    ]


def test_data_that_do_not_reach_the_disk_are_not_noted(tmp_path, data, monkeypatch):
    path = tmp_path / "done.json"
    journal = Journal(path, JOB)
    journal.note("a", {"rows": 1}, data)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(module.os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            journal.note("b", {"rows": 2}, data)
    assert json.loads(path.read_text())["done"] == {"a": {"rows": 1}}
    assert list(journal.done) == ["a"]


def test_a_full_disk_at_the_note_is_one_sentence_and_keeps_the_old_one(tmp_path, data, monkeypatch):
    path = tmp_path / "done.json"
    journal = Journal(path, JOB)
    journal.note("a", {}, data)
    calls = []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(module.os, "fsync", full)
        with pytest.raises(GenezipError, match=r"cannot write .*done.json: No space left"):
            journal.note("b", {}, data)
    assert list(Journal(path, JOB).done) == ["a"]
    assert sorted(item.name for item in tmp_path.iterdir()) == ["data", "done.json"]


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_a_batch_system_may_ask_more_than_once(first: signal.Signals) -> None:
    with stop_request() as stop:
        assert not stop
        signal.raise_signal(first)
        assert stop
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_a_second_ctrl_c_stops_at_once_but_never_one_of_several_processes(
    first: signal.Signals,
) -> None:
    with stop_request() as stop, pytest.raises(KeyboardInterrupt):
        signal.raise_signal(first)
        signal.raise_signal(signal.SIGINT)
    assert stop
    with stop_request(again_at_once=False):
        signal.raise_signal(first)
        signal.raise_signal(signal.SIGINT)
