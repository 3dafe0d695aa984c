"""One file from a local server that breaks off, stalls, redirects, lies and refuses."""

import fcntl
import gzip
import hashlib
import os
import re
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from toolkit import processes

from genezip.download import SourceUnavailable
from genezip.download.checksum import broken_gzip
from genezip.download.plan import first_byte, remote_sizes
from genezip.download.transfer import Http, download
from genezip.errors import GenezipError

DATA = bytes(range(256)) * 40  # 10,240 bytes, as the server sends them
SHA = f"sha256:{hashlib.sha256(DATA).hexdigest()}"
MD5 = f"md5:{hashlib.md5(DATA).hexdigest()}"
HTTP = Http(timeout_s=0.4, attempts=3, backoff_s=0.0, pause_s=0.0, size_timeout_s=0.4)


@pytest.mark.parametrize("how", ["plain", "truncates", "stalls", "busy", "ignores-range"])
@pytest.mark.parametrize("checksum", [SHA, MD5])
def test_a_file_arrives_whole(server: Any, tmp_path: Path, how: str, checksum: str) -> None:
    download(server.url(how), tmp_path / "f", checksum, len(DATA), http=HTTP)
    assert (tmp_path / "f").read_bytes() == DATA
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_a_link_stays_and_its_target_is_downloaded(server: Any, tmp_path: Path) -> None:
    (tmp_path / "f").symlink_to("far/file")
    download(server.url("plain"), tmp_path / "f", SHA, http=HTTP)
    assert (tmp_path / "f").is_symlink()
    assert (tmp_path / "far" / "file").read_bytes() == DATA
    (tmp_path / "far" / "file").chmod(0o600)
    download(server.url("plain"), tmp_path / "f", SHA, http=HTTP)
    assert (tmp_path / "far" / "file").stat().st_mode & 0o777 == 0o600
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(GenezipError, match="pipe: it is a pipe or device"):
        download(server.url("plain"), tmp_path / "pipe", SHA, http=HTTP)
    assert (tmp_path / "pipe").is_fifo()


def test_resume_asks_only_for_what_is_missing(server: Any, tmp_path: Path) -> None:
    download(server.url("truncates"), tmp_path / "f", SHA, http=HTTP)
    assert server.ranges == [("truncates", 0), ("truncates", 4000), ("truncates", 8000)]


def test_resume_goes_on_after_an_interruption(server: Any, tmp_path: Path) -> None:
    (tmp_path / "f.part").write_bytes(DATA[:7000])
    download(server.url("plain"), tmp_path / "f", SHA, http=HTTP)
    assert (tmp_path / "f").read_bytes() == DATA
    assert server.ranges == [("plain", 7000)]


def test_nothing_is_continued_that_nothing_can_check(server: Any, tmp_path: Path) -> None:
    (tmp_path / "f.part").write_bytes(b"another release")
    download(server.url("plain"), tmp_path / "f", http=HTTP)
    assert (tmp_path / "f").read_bytes() == DATA
    assert server.ranges == [("plain", 0)]


def test_a_file_that_changes_on_the_server_is_begun_again(server: Any, tmp_path: Path) -> None:
    download(server.url("changes"), tmp_path / "f", http=HTTP)
    assert (tmp_path / "f").read_bytes() == b"b" * 9000


def test_a_redirect_to_another_server_keeps_the_range(
    server: Any, other: Any, tmp_path: Path
) -> None:
    server.moved["here"] = other.url("truncates")
    download(server.url("here"), tmp_path / "f", SHA, http=HTTP)
    assert (tmp_path / "f").read_bytes() == DATA
    assert other.ranges == [("truncates", 0), ("truncates", 4000), ("truncates", 8000)]


def test_a_circle_of_redirects_ends(server: Any, tmp_path: Path) -> None:
    server.moved["round"] = server.url("round")
    with pytest.raises(SourceUnavailable, match="/round"):
        download(server.url("round"), tmp_path / "f", http=HTTP)


def test_a_partial_file_that_is_already_whole_is_taken(server: Any, tmp_path: Path) -> None:
    (tmp_path / "f.part").write_bytes(DATA)
    download(server.url("plain"), tmp_path / "f", SHA, http=HTTP)
    assert (tmp_path / "f").read_bytes() == DATA


def test_a_stale_partial_file_is_thrown_away_once(server: Any, tmp_path: Path) -> None:
    (tmp_path / "f.part").write_bytes(b"another release" * 10)
    download(server.url("plain"), tmp_path / "f", SHA, http=HTTP)
    assert (tmp_path / "f").read_bytes() == DATA


@pytest.mark.parametrize("checksum", [SHA, MD5])
def test_a_wrong_byte_is_refused_by_name(server: Any, tmp_path: Path, checksum: str) -> None:
    with pytest.raises(GenezipError, match=r"/wrong \(for f\) has a wrong checksum") as error:
        download(server.url("wrong"), tmp_path / "f", checksum, http=HTTP)
    assert not isinstance(error.value, SourceUnavailable)  # no other source may hide it
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_size_is_refused(server: Any, tmp_path: Path) -> None:
    with pytest.raises(GenezipError, match="has 10240 bytes instead of 10241"):
        download(server.url("plain"), tmp_path / "f", None, 10_241, http=HTTP)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("how", "reason"),
    [("missing", "HTTP 404"), ("always-truncates", "broke off"), ("silent", "3 times in a row")],
)
def test_a_server_that_never_delivers(server: Any, tmp_path: Path, how: str, reason: str) -> None:
    with pytest.raises(SourceUnavailable, match=reason):
        download(server.url(how), tmp_path / "f", http=HTTP)
    assert not (tmp_path / "f").exists()


def test_the_pause_doubles(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("genezip.download.transfer.time.sleep", pauses.append)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{unused.getsockname()[1]}/x"
        with pytest.raises(SourceUnavailable, match="7 times in a row"):
            download(closed, tmp_path / "f", http=Http(timeout_s=0.4, attempts=7, backoff_s=2))
    assert pauses == [2, 4, 8, 16, 30, 30]


def test_the_server_may_ask_for_a_longer_pause(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("genezip.download.transfer.time.sleep", pauses.append)
    server.retry_after = "7"
    download(server.url("busy"), tmp_path / "f", SHA, http=Http(timeout_s=0.4, backoff_s=1))
    assert pauses == [7, 7]


def test_a_truncated_gzip_is_noticed(server: Any, tmp_path: Path) -> None:
    server.files["x.gz"] = gzip.compress(DATA)[:-9]
    with pytest.raises(SourceUnavailable, match=r"x\.gz is a truncated or damaged gzip file"):
        download(server.url("x.gz"), tmp_path / "f", check=broken_gzip, http=HTTP)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_one_sentence(server: Any, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(GenezipError, match=r"cannot write .*/a/f: .*choose another folder"):
        download(server.url("plain"), tmp_path / "a" / "f", http=HTTP)


def test_two_runs_do_not_write_one_partial_file(server: Any, tmp_path: Path) -> None:
    with open(tmp_path / "f.part", "wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(GenezipError, match="being written by another run"):
            download(server.url("plain"), tmp_path / "f", SHA, http=HTTP)


def test_an_interrupted_command_goes_on_where_it_stopped(server: Any, tmp_path: Path) -> None:
    """A real child is interrupted while it reads."""
    server.files["silent-half"] = DATA
    row = f"cmp/sequences.bed a/sequences.bed silent-half r {SHA} {len(DATA)}"
    table = server.table(tmp_path / "s.tsv", "dataverse - - r - -", row)
    options = ["--out", str(tmp_path / "out"), "--sources", str(table), "--only", "intervals"]
    command = ["-m", "genezip", "dnalongbench", "fetch", "cmp", *options]
    part = tmp_path / "out" / "a" / "sequences.bed.part"
    with open(tmp_path / "said", "w+b") as said:
        child = processes.start(command, tmp_path, os.environ, said, said)
        deadline = time.monotonic() + 20
        while not (part.exists() and part.stat().st_size == 5000) and time.monotonic() < deadline:
            time.sleep(0.02)
        child.send_signal(signal.SIGINT)
        assert child.wait(20) == 130
    assert (tmp_path / "said").read_text() == ""
    assert part.stat().st_size == 5000
    server.hold.set()
    assert processes.run(command, tmp_path, timeout=20).returncode == 0
    assert (tmp_path / "out" / "a" / "sequences.bed").read_bytes() == DATA
    assert server.ranges[-1] == ("silent-half", 5000)


def test_offline_is_one_sentence(server: Any) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{unused.getsockname()[1]}/x"
        began = time.monotonic()
        printed = first_byte([closed, server.url("silent")], timeout_s=0.2)
        asked = r"127\.0\.0\.1:\d+"
        # Either clock may run out first: that of the socket or that of all questions.
        silent = r"(no byte in time|no first byte within 0\.2 s)"
        assert printed is not None
        assert re.fullmatch(f"{asked}: Connection refused; {asked}: {silent}", printed)
        assert time.monotonic() - began < 0.9
        assert first_byte([closed, server.url("plain")], timeout_s=2) is None
        assert first_byte([server.url("missing")], timeout_s=2) is None  # it did answer


def test_sizes_are_asked_without_a_download(server: Any, other: Any) -> None:
    server.moved["far"] = other.url("plain")
    urls = [server.url(name) for name in ("plain", "missing", "no-length", "silent")]
    assert list(remote_sizes(urls, 0.4).values()) == [10_240, None, None, None]
    assert sum(server.seen.values()) == 0
    assert remote_sizes([], 0.4) == {}
