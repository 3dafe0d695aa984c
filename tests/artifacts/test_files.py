"""Files are whole or absent."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from genezip.artifacts.files import (
    atomic_path,
    check_room,
    part_name,
    sha256_file,
    write_json,
    write_text,
)
from genezip.errors import GenezipError


def test_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError), atomic_path(path) as part:
        part.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["x.txt"]


def test_what_a_killed_process_left_is_removed_a_day_later(tmp_path: Path) -> None:
    """Never what belongs to a process that lives, to another machine, or to another file."""
    path = tmp_path / "x.txt"
    own = part_name(path)
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], stdout=-1)
    dead = own.with_name(own.name.replace(str(os.getpid()), done.stdout.decode().strip()))
    fresh = dead.with_name(dead.name.replace("x.txt", "y.txt"))
    parent = own.with_name(own.name.replace(str(os.getpid()), str(os.getppid())))
    elsewhere = tmp_path / ".x.txt.othermachine-1.part"
    foreign = tmp_path / ".x.txt.part"
    for left in (dead, fresh, parent, elsewhere, foreign):
        left.write_text("half")
        os.utime(left, (1e9, 1e9))
    os.utime(fresh)
    write_text(path, "whole")
    assert set(tmp_path.iterdir()) == {path, fresh, parent, elsewhere, foreign}
    write_text(tmp_path / "y.txt", "whole")
    assert fresh.exists()  # it may be one of a container that has the name of this machine
    os.utime(fresh, (1e9, 1e9))
    write_text(tmp_path / "y.txt", "whole")
    assert not fresh.exists()


def test_full_disk_is_a_sentence(tmp_path: Path) -> None:
    full = pytest.raises(GenezipError, match=r"cannot write .*x\.txt: No space left")
    with full, atomic_path(tmp_path / "x.txt"):
        raise OSError(28, os.strerror(28))
    assert list(tmp_path.iterdir()) == []


def test_other_files_keep_their_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "x.txt"):
        open(tmp_path / "missing")  # noqa: SIM115


def test_no_room(tmp_path: Path) -> None:
    check_room(tmp_path / "x", 1000)
    with pytest.raises(GenezipError, match="bytes are needed"):
        check_room(tmp_path / "x", 1 << 60)
    assert list(tmp_path.iterdir()) == []


def test_room_is_asked_without_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On every system: nothing here is Linux alone, and no block is written."""
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    asked = []

    def usage(folder: Path) -> SimpleNamespace:
        asked.append(Path(folder))
        return SimpleNamespace(total=10_000, used=9_000, free=1_000)

    monkeypatch.setattr("genezip.artifacts.files.shutil.disk_usage", usage)
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to("disk/new/x")
    check_room(tmp_path / "link", 1_000)
    full = r"No space left.* \(about 1,001 bytes are needed, 1,000 are free\)"
    with pytest.raises(GenezipError, match=full):
        check_room(tmp_path / "link", 1_001)
    assert asked == [tmp_path / "disk"] * 2  # the disk of the link's target
    assert list((tmp_path / "disk").iterdir()) == []


def test_the_limit_of_a_file_is_asked_of_a_single_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genezip.artifacts.files._largest_file", lambda: 999)
    with pytest.raises(GenezipError, match=r"File too large \(about 1,000 bytes are needed\)"):
        check_room(tmp_path / "x", 1000)
    check_room(tmp_path, 1000, files=3)


def test_a_file_system_that_does_not_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = SimpleNamespace(total=0, used=0, free=0)
    monkeypatch.setattr("genezip.artifacts.files.shutil.disk_usage", lambda _: silent)
    check_room(tmp_path / "x", 1 << 60)


@pytest.mark.parametrize("name", ["a/x", "a/b/x"])
def test_no_room_below_a_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "a").write_text("kept")
    with pytest.raises(GenezipError, match=r"cannot write .*/x: .*bytes are needed"):
        check_room(tmp_path / name, 1000)
    assert (tmp_path / "a").read_text() == "kept"


def test_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(GenezipError, match="cannot make the folder"):
        write_text(tmp_path / "a" / "b", "text")


def test_json_and_hash(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"b": 1, "a": [2]})
    assert (tmp_path / "x.json").read_text() == '{\n  "b": 1,\n  "a": [\n    2\n  ]\n}\n'
    (tmp_path / "e").write_bytes(b"")
    assert sha256_file(tmp_path / "e").startswith("e3b0c44298fc1c14")
