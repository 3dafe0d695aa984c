"""A local HTTP server that breaks off, stalls, redirects, lies and refuses."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from genezip.download.catalogue import item, read_sources
from genezip.download.lock import lock_path
from genezip.download.store import Store
from genezip.download.transfer import Http

DATA = bytes(range(256)) * 40  # 10,240 bytes
HEADER = "name\tpath\turl\trelease\tchecksum\tbytes\tlicence\tcitation\twhat"


def region_dna(start: int, end: int) -> str:
    """Position i has the base that i modulo 8 says; four of them lower case."""
    return ("ACGTacgt" * ((end - start) // 8 + 2))[start % 8 :][: end - start]


class Handler(BaseHTTPRequestHandler):
    """The first word of the path says how to behave."""

    server: "LocalServer"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        path = urlsplit(self.path).path.strip("/")
        self.server.heads.append(path)
        if path == "silent":
            time.sleep(1.0)
        self.send_response(404 if path == "missing" else 200)
        if path != "no-length":
            self.send_header("Content-Length", str(len(self.server.files.get(path, DATA))))
        self.end_headers()

    def do_GET(self) -> None:
        seen, files = self.server.seen, self.server.files
        path = urlsplit(self.path).path.strip("/")
        seen[path] += 1
        self.server.asked.append(self.path)
        ranged = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
        self.server.ranges.append((path, ranged))
        body, begin = files.get(path, DATA), ranged
        if path == "missing":
            self.send_error(404)
            return
        if path == "busy" and seen[path] <= 2:
            self.send_response(503)
            self.send_header("Retry-After", self.server.retry_after)
            self.end_headers()
            return
        if path in self.server.moved:
            self.send_response(302)
            self.send_header("Location", self.server.moved[path])
            self.end_headers()
            return
        if path.startswith("wrong"):
            body = b"X" + body[1:]
        etag = None
        if path == "changes":  # a new release comes while the old one is read
            body = b"a" * 9000 if seen[path] == 1 else b"b" * 9000
            etag = f'"{body[:1].decode()}"'
            if self.headers.get("If-Range") not in (None, etag):
                begin = 0
        if path == "ignores-range":
            begin = 0
        if path == "getData":
            ask = parse_qs(urlsplit(self.path).query.replace(";", "&"))
            low, high = int(ask["start"][0]), int(ask["end"][0])
            answer = {"downloadTime": sum(seen.values()), "dna": region_dna(low, high)}
            body, begin = json.dumps(answer).encode(), 0
        if begin >= len(body) and ranged:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(body)}")
            self.end_headers()
            return
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(body) - 1}/{len(body)}")
        if etag:
            self.send_header("ETag", etag)
        self.send_header("Content-Length", str(len(body) - begin))
        self.end_headers()
        if path in ("truncates", "ignores-range") and seen[path] <= 2:
            self.wfile.write(body[begin : begin + 4000])
        elif path == "changes" and seen[path] == 1:
            self.wfile.write(body[:4000])
        elif path == "always-truncates":
            self.wfile.write(body[begin : begin + 100] if not begin else b"")
        elif path == "stalls" and seen[path] == 1:
            self.wfile.write(body[:5000])
            self.wfile.flush()
            time.sleep(1.0)
        elif path == "silent-half" and not self.server.hold.is_set():
            self.wfile.write(body[begin:5000])
            self.wfile.flush()
            self.server.hold.wait(20)
        elif path == "silent":
            time.sleep(1.0)
        else:
            self.wfile.write(body[begin:])


class LocalServer(ThreadingHTTPServer):
    """What it holds and what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: Counter[str] = Counter()
        self.files: dict[str, bytes] = {}
        self.moved: dict[str, str] = {}  # path -> address it is redirected to
        self.ranges: list[tuple[str, int]] = []
        self.asked: list[str] = []
        self.heads: list[str] = []
        self.retry_after = "0"
        self.hold = threading.Event()  # set: `silent-half` sends the rest
        threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{path}"

    def requests(self) -> int:
        return sum(self.seen.values()) + len(self.heads)

    def table(self, path: Path, *rows: str) -> Path:
        """A table of sources; a row is ``name path-or-address-word release checksum bytes``."""
        lines = [HEADER]
        for row in rows:
            name, place, tail, release, checksum, n_bytes = row.split()
            address = tail if ":" in tail.split("/")[0] else self.url(tail)
            if tail == "-":
                address = self.url("").rstrip("/")
            lines.append(
                "\t".join([name, place, address, release, checksum, n_bytes, "open", "us", "x"])
            )
        path.write_text("\n".join(lines) + "\n")
        return path


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("GENEZIP_FETCHED", raising=False)
    local = LocalServer()
    yield local
    local.shutdown()
    local.server_close()


@pytest.fixture
def other(server: LocalServer) -> Iterator[LocalServer]:
    """A second server, on another port."""
    local = LocalServer()
    yield local
    local.shutdown()
    local.server_close()


@pytest.fixture
def at(server: LocalServer, tmp_path: Path) -> Any:
    """Get one file ``x`` through a new store, as a new run would."""

    def get(*rows: str, fetched: Path | None = None, copied: bool = False) -> bytes:
        table = server.table(tmp_path / "s.tsv", *rows)
        store = Store(
            tmp_path / "downloads",
            lock_path(tmp_path / "downloads"),
            Http(timeout_s=0.4, attempts=2, backoff_s=0.0, size_timeout_s=0.4),
            fetched,
            copied,
        )
        return store.get(item(read_sources(table)["x"]))[1].read_bytes()

    return get
