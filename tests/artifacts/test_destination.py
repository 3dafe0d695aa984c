"""Outputs behind links, pipes and devices: none of them is ever replaced."""

import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from genezip.artifacts.destination import descriptor, destination, file_target, folder_target
from genezip.artifacts.files import (
    atomic_path,
    check_room,
    move_file,
    write_json,
    write_text,
)
from genezip.artifacts.folder import replaced_folder, resumed_folder
from genezip.errors import GenezipError


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class Reader:
    """Reads a named pipe to its end beside the test."""

    def __init__(self, fifo: Path) -> None:
        self.found = b""
        self.thread = threading.Thread(target=self._read, args=(fifo,), daemon=True)
        self.thread.start()

    def _read(self, fifo: Path) -> None:
        self.found = fifo.read_bytes()

    def bytes(self) -> bytes:
        self.thread.join(10)
        assert not self.thread.is_alive(), "nothing was written into the pipe"
        return self.found


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def test_a_link_stays_and_its_target_is_written(tmp_path: Path) -> None:
    far = tmp_path / "far"
    far.mkdir()
    (far / "x.txt").write_text("old")
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to(far / "x.txt")
    with atomic_path(tmp_path / "one") as part:
        assert part.parent == far  # the same file system as the target
        part.write_text("new")
    assert (tmp_path / "one").readlink() == Path("two")
    assert (far / "x.txt").read_text() == (tmp_path / "one").read_text() == "new"
    assert not (far / "x.txt").is_symlink() and names(far) == {"x.txt"}


def test_a_failure_behind_a_link_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("old")
    (tmp_path / "link").symlink_to("x")
    with pytest.raises(RuntimeError), atomic_path(tmp_path / "link") as part:
        part.write_text("half")
        raise RuntimeError
    assert (tmp_path / "x").read_text() == "old" and (tmp_path / "link").is_symlink()
    assert names(tmp_path) == {"x", "link"}


@pytest.mark.parametrize("where", ["x", "new/deep/x"])
def test_the_target_of_a_dangling_link_is_made(tmp_path: Path, where: str) -> None:
    (tmp_path / "link").symlink_to(where)
    write_json(tmp_path / "link", [1])
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / where).read_text() == "[\n  1\n]\n"


def test_a_folder_on_the_way_may_be_a_dangling_link(tmp_path: Path) -> None:
    (tmp_path / "results").symlink_to("scratch/results")
    write_text(tmp_path / "results" / "x.txt", "text")
    assert (tmp_path / "scratch" / "results" / "x.txt").read_text() == "text"
    assert (tmp_path / "results").is_symlink()


@pytest.mark.parametrize("inside", ["one", "one/x"])
def test_a_circle_of_links_is_one_sentence(tmp_path: Path, inside: str) -> None:
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    for call in (write_text, check_room):
        with pytest.raises(GenezipError, match="links lead in a circle"):
            call(tmp_path / inside, "text" if call is write_text else 1)
    with (
        pytest.raises(GenezipError, match="links lead in a circle"),
        replaced_folder(tmp_path / inside, set()),
    ):
        pass
    assert names(tmp_path) == {"one", "two"}


def test_a_pipe_gets_the_finished_bytes(tmp_path: Path, fifo: Path) -> None:
    (tmp_path / "link").symlink_to("pipe")
    for path in (fifo, tmp_path / "link"):
        reader = Reader(fifo)
        write_text(path, "x" * 200_000)
        assert reader.bytes() == b"x" * 200_000
    assert fifo.is_fifo() and (tmp_path / "link").is_symlink()
    assert names(tmp_path) == {"pipe", "link"}


def test_a_pipe_gets_nothing_of_a_failure(tmp_path: Path, fifo: Path) -> None:
    with pytest.raises(RuntimeError), atomic_path(fifo) as part:
        part.write_text("half")
        raise RuntimeError  # had the pipe been opened, this would have waited for a reader
    assert fifo.is_fifo() and names(tmp_path) == {"pipe"}


def test_a_device_is_written_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A regular file that says that it is a character device, as /dev/null does."""
    device = tmp_path / "null"
    device.write_text("")
    before, real = device.stat().st_ino, Path.stat

    def as_device(path: Path, **options: bool) -> os.stat_result:
        found = real(path, **options)
        if path.name != "null":
            return found
        return os.stat_result((stat.S_IFCHR | 0o666, *found[1:]))

    monkeypatch.setattr(Path, "stat", as_device)
    write_text(device, "text")
    monkeypatch.undo()
    assert device.read_text() == "text" and device.stat().st_ino == before
    assert names(tmp_path) == {"null"}


def test_a_reader_that_goes_away_is_one_sentence(tmp_path: Path) -> None:
    program = (
        "import os\n"
        "from genezip.artifacts.files import write_text\n"
        "from genezip.errors import GenezipError\n"
        "read, write = os.pipe()\n"
        "os.close(read)\n"
        "try:\n"
        "    write_text(f'/dev/fd/{write}', 'x' * 100_000)\n"
        "except GenezipError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "Broken pipe" in done.stdout and done.returncode == 0, done.stderr


WRITE = "import sys; from genezip.artifacts.files import write_text; "


@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/dev/fd/1"])
def test_standard_output_is_appended_to_and_not_replaced(tmp_path: Path, name: str) -> None:
    """``command >> file``: what was printed stays before it, and the file is the same one."""
    log = tmp_path / "log"
    log.write_text("before\n")
    number = log.stat().st_ino
    program = f"{WRITE}print('said'); write_text({name!r}, 'text\\n'); print('after')"
    with open(log, "a") as out:
        subprocess.run([sys.executable, "-c", program], stdout=out, check=True, cwd=tmp_path)
    assert log.read_text() == "before\nsaid\ntext\nafter\n"
    assert log.stat().st_ino == number and names(tmp_path) == {"log"}


def test_a_link_to_standard_output(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("/dev/stdout")
    program = f"{WRITE}write_text('out', 'text')"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout == "text" and (tmp_path / "out").is_symlink()


def test_a_descriptor_that_is_not_open() -> None:
    with pytest.raises(GenezipError, match="descriptor 987 is not open"):
        write_text("/dev/fd/987", "text")
    assert descriptor("/dev/fd/7") == 7 and descriptor("-") == descriptor("/dev/stdout") == 1
    assert descriptor("fd/7") is None and descriptor("./x-") is None


def test_what_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GenezipError, match="it is a folder; name a file"):
        write_text(tmp_path, "text")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GenezipError, match="it is a folder; name a file"):
        write_text("", "text")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket")
        with pytest.raises(GenezipError, match="it is a socket; name a file"):
            write_text("socket", "text")
    real = Path.stat
    monkeypatch.setattr(
        Path, "stat", lambda path, **o: os.stat_result((stat.S_IFBLK | 0o600, *real(path, **o)[1:]))
    )
    with pytest.raises(GenezipError, match="it is a disk; name a file"):
        destination("socket")


def test_files_that_are_read_again_cannot_be_pipes(tmp_path: Path, fifo: Path) -> None:
    for path in (fifo, "/dev/fd/1", "-"):
        with pytest.raises(GenezipError, match="is a pipe or device, and this output is read"):
            file_target(path)
        with pytest.raises(GenezipError, match="is a pipe or device; name a folder"):
            folder_target(path)
    check_room(fifo, 1 << 60)  # nothing is kept there


def test_permission_bits_stay(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_text(path, "new")
    (tmp_path / "plain").touch()
    assert mode(path) == mode(tmp_path / "plain")  # those that every new file gets
    path.chmod(0o640)
    (tmp_path / "link").symlink_to("x")
    write_text(tmp_path / "link", "text")
    assert mode(path) == 0o640 and path.read_text() == "text"


def test_another_name_of_the_same_file_keeps_the_old_content(tmp_path: Path) -> None:
    write_text(tmp_path / "x", "old")
    os.link(tmp_path / "x", tmp_path / "hard")
    write_text(tmp_path / "x", "new")
    assert ((tmp_path / "x").read_text(), (tmp_path / "hard").read_text()) == ("new", "old")


def test_a_finished_file_is_moved_by_the_same_rules(tmp_path: Path, fifo: Path) -> None:
    (tmp_path / "link").symlink_to("x")
    for target in ("link", "pipe"):
        (tmp_path / "made").write_text("text")
        reader = Reader(fifo) if target == "pipe" else None
        move_file(tmp_path / "made", tmp_path / target)
        assert reader is None or reader.bytes() == b"text"
    assert (tmp_path / "link").is_symlink() and (tmp_path / "x").read_text() == "text"
    assert names(tmp_path) == {"link", "pipe", "x"}


@pytest.fixture(params=[replaced_folder, resumed_folder])
def folder(request: pytest.FixtureRequest) -> Iterator[object]:
    yield request.param


def test_a_link_to_a_folder_stays(tmp_path: Path, folder) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "link").symlink_to("far/out")
    for text in ("one", "two"):  # dangling at first
        with folder(tmp_path / "link", {"a"}) as new:
            (new / "a").write_text(text)
        (tmp_path / "far" / "out").chmod(0o750)
        assert (tmp_path / "far" / "out" / "a").read_text() == text
    assert (tmp_path / "link").is_symlink()
    with folder(tmp_path / "link", {"a"}):
        pass
    assert mode(tmp_path / "far" / "out") == 0o750


@pytest.mark.parametrize("kind", ["link", "pipe", "below"])
def test_links_inside_a_folder_are_not_lost(tmp_path: Path, folder, kind: str) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "out"
    (out / "a").mkdir(parents=True)
    if kind == "pipe":
        os.mkfifo(out / "b")
    else:
        (out / ("a/b" if kind == "below" else "b")).symlink_to("elsewhere")
    before = sorted(out.rglob("*"))
    with (
        pytest.raises(GenezipError, match=r"holds .*b, a link, pipe or device"),
        folder(out, {"a", "b"}),
    ):
        pass
    assert sorted(out.rglob("*")) == before


def test_a_folder_cannot_take_the_place_of_a_pipe(tmp_path: Path, fifo: Path, folder) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(GenezipError, match="is a pipe or device; name a folder"), folder(fifo, ()):
        pass
    assert fifo.is_fifo()
