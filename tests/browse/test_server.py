"""What the server answers: named files, byte ranges, and nothing else."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from toolkit.command_line import call
from toolkit.track_folders import serving

from genezip.browse.folder import view_of
from genezip.browse.server import answers, byte_range, server
from genezip.errors import GenezipError


@pytest.fixture
def port(one: Path, two: Path, tmp_path: Path) -> Iterator[int]:
    (tmp_path / "secret").write_text("secret")
    (one / "secret").write_text("secret")
    with serving(answers(view_of([one, two], tmp_path))) as url:
        yield int(url.rstrip("/").rpartition(":")[2])


def ask(port: int, path: str, method: str = "GET", **headers: str):  # type: ignore[no-untyped-def]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.putrequest(method, path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def test_files_and_ranges(port: int, one: Path, genome: Path) -> None:
    data = (one / "boundary_prob.bw").read_bytes()
    answer, body = ask(port, "/0/boundary_prob.bw")
    assert (answer.status, body) == (200, data) and answer.headers["Accept-Ranges"] == "bytes"
    answer, body = ask(port, "/0/boundary_prob.bw", Range="bytes=10-19")
    assert (answer.status, body) == (206, data[10:20])
    assert answer.headers["Content-Range"] == f"bytes 10-19/{len(data)}"
    answer, body = ask(port, "/0/boundary_prob.bw", Range=f"bytes={len(data)}-")
    assert (answer.status, answer.headers["Content-Range"]) == (416, f"bytes */{len(data)}")
    answer, body = ask(port, "/0/boundary_prob.bw", "HEAD")
    assert (answer.status, body) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(data))
    answer, body = ask(port, f"/genome/{quote(genome.name)}?x=1")
    assert body == genome.read_bytes()
    for name in (
        "0/chunks.bed.gz.tbi",
        "igv.js",
        "igv_session.xml",
        quote("genome/my genome.fa.fai"),
    ):
        assert ask(port, f"/{name}")[0].status == 200, name


@pytest.mark.parametrize(
    "path",
    [
        "/0/", "/0", "/genome/", "/secret", "/0/secret", "/0/../secret", "/../secret",
        "/0/%2e%2e/secret", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/0/..%2fsecret",
        "/genome/../secret", "/2/bpt.bw", "/0/bpt.bw/", "/0//bpt.bw",
    ],
)  # fmt: skip
def test_nothing_else_is_served(port: int, path: str) -> None:
    answer, body = ask(port, path)
    assert (answer.status, body) == (404, b"Not Found\n")


def test_other_pages_read_the_tracks_only_on_this_machine(port: int) -> None:
    """Pages of a notebook may; a foreign page may not, also if its name leads here."""
    local = "http://localhost:8888"
    answer, _ = ask(port, "/0/bpt.bw", Origin=local, Range="bytes=0-3")
    assert answer.headers["Access-Control-Allow-Origin"] == local
    assert "Content-Range" in answer.headers["Access-Control-Expose-Headers"]
    answer, _ = ask(port, "/0/bpt.bw", "OPTIONS", Origin=local)
    assert answer.status == 204 and answer.headers["Access-Control-Allow-Headers"] == "Range"
    for origin in (
        "https://arxiv.org",
        "null",
        "http://arxiv.org:80",
        local.replace(":8888", ".org"),
    ):
        answer, _ = ask(port, "/0/bpt.bw", Origin=origin)
        assert "Access-Control-Allow-Origin" not in answer.headers
    answer, body = ask(port, "/", Host="arxiv.org")
    assert (answer.status, body) == (403, b"Forbidden\n")
    assert ask(port, "/", Host="localhost:9000")[0].status == 200  # a forwarded port
    assert ask(port, "/", "POST")[0].status == 501


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (None, (0, 100)), ("bytes=0-9", (0, 10)), ("bytes=90-", (90, 100)),
        ("bytes=90-500", (90, 100)), ("bytes=-7", (93, 100)), ("bytes=-700", (0, 100)),
        ("bytes=100-", None), ("bytes=-0", None), ("bytes=0-1,5-6", (0, 100)),
        ("bytes=-", (0, 100)), ("bytes=9-3", (0, 100)), ("lines=1-2", (0, 100)),
    ],
)  # fmt: skip
def test_byte_ranges(header: str | None, wanted: tuple[int, int] | None) -> None:
    assert byte_range(header, 100) == wanted


def test_a_taken_port_is_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        with (
            pytest.raises(GenezipError, match=rf"port {number} cannot be used .*--port"),
            server({}, number),
        ):
            pass


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it(one: Path, tmp_path: Path, stop: signal.Signals) -> None:
    command = [sys.executable, "-m", "genezip", "browse", str(one), "--no-open"]
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    (tmp_path / "tmp").mkdir()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline()
        match = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/\n", url)
        assert match
        assert ask(int(match[1]), "/")[0].status == 200
        process.send_signal(stop)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0 and said == "stopped\n"
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_command_writes_a_page_and_a_session(
    one: Path, two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("browse", one, two, "--session", tmp_path / "igv_session.xml") == 0
    assert "11 tracks in" in capsys.readouterr().out
    assert call("browse", tmp_path, "--page", tmp_path / "page.html", "--no-bases") == 0
    assert re.search(r"11 tracks, \d\.\d MB in", capsys.readouterr().out)
    assert "<h1>model-1, model-2</h1>" in (tmp_path / "page.html").read_text()
    assert call("browse", one, "--page", tmp_path / "p", "--session", tmp_path / "s") == 1
    assert "give one at a time" in capsys.readouterr().err
