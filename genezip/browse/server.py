"""A page and its data on this machine: named files alone, byte ranges, and no listing."""

import logging
import os
import re
import sys
import webbrowser
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from genezip.artifacts.journal import StopRequest, stop_request
from genezip.browse.folder import View
from genezip.browse.page import (
    BINARY,
    CONTIGS,
    LIBRARY,
    contigs,
    served_page,
    served_session,
    url_of,
)
from genezip.errors import GenezipError
from genezip.formats.igv import session_text

HOST = "127.0.0.1"
LOCAL = ("127.0.0.1", "localhost")
"""Names of this machine; other pages may not read the tracks, whatever name they came by."""
STOP_SECONDS = 0.25
"""Longest wait before Ctrl-C is noticed."""
_BLOCK = 1 << 20
_LOCAL_ORIGIN = re.compile(rf"http://(?:{'|'.join(map(re.escape, LOCAL))})(?::\d+)?")
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """What an address gives: a file, or text of the page."""

    kind: str
    path: Path | None = None
    text: bytes = b""


def answers(view: View) -> dict[str, Answer]:
    """Address (unquoted, without the first ``/``) -> what it gives; nothing else is served."""
    found = {
        "": Answer("text/html; charset=utf-8", text=served_page(view).encode()),
        "igv.js": Answer("text/javascript; charset=utf-8", text=LIBRARY.read_bytes()),
        CONTIGS: Answer("text/plain", text=contigs(view).encode()),
        "igv_session.xml": Answer("text/xml", text=session_text(served_session(view)).encode()),
    }
    for shown in view.tracks:
        address = unquote(url_of(shown))
        found[address] = Answer(BINARY, shown.path)
        if shown.index is not None:
            found[address + shown.index.suffix] = Answer(BINARY, shown.index)
    if view.fasta is not None:
        address = f"genome/{view.fasta.path.name}"
        found[address] = Answer(BINARY, view.fasta.path)
        found[f"{address}.fai"] = Answer("text/plain", view.fasta.fai)
        if view.fasta.gzi is not None:
            found[f"{address}.gzi"] = Answer(BINARY, view.fasta.gzi)
    return found


class _Server(ThreadingHTTPServer):
    """Takes all connections that a browser opens at once, and asks no name server for its name."""

    request_queue_size = 64

    def server_bind(self) -> None:
        TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, int(self.server_address[1])


@contextmanager
def server(found: Mapping[str, Answer], port: int = 0) -> Iterator[ThreadingHTTPServer]:
    """Yield a server that listens on this machine only; 0 is a free port.

    ``server_port`` is its port. A port that is taken or not allowed is refused.
    """
    handler = type("Handler", (_Handler,), {"found": dict(found)})
    try:
        made = _Server((HOST, port), handler)
    except OSError as error:
        raise GenezipError(
            f"port {port} cannot be used ({error.strerror}); give another --port, or none for a "
            "free one"
        ) from None
    with made:
        yield made


def show(
    found: Mapping[str, Answer], port: int, in_browser: bool, said: Callable[[str], None]
) -> None:
    """Serve until Ctrl-C or SIGTERM; ``said`` gets the address of the page.

    With ``in_browser`` the page is opened in the web browser, if there is a screen.
    """
    with stop_request() as stop, server(found, port) as made:
        url = f"http://{HOST}:{made.server_port}/"
        said(url)
        if in_browser and _has_screen():
            webbrowser.open(url)
        serve(made, stop)
    logger.info("stopped")


def _has_screen() -> bool:
    """Whether a browser with windows can open; else one in the terminal would."""
    if sys.platform in ("darwin", "win32"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def serve(made: ThreadingHTTPServer, stop: StopRequest) -> None:
    """Answer requests until a stop is requested."""
    made.timeout = STOP_SECONDS
    while not stop:
        made.handle_request()


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD with whole files or one range of bytes."""

    found: Mapping[str, Answer]
    protocol_version = "HTTP/1.1"
    server_version = "genezip"
    sys_version = ""

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_OPTIONS(self) -> None:
        """Answer the question of a browser whether another local page may ask for ranges."""
        if self._is_local():
            self.send_response(HTTPStatus.NO_CONTENT)
            self._allow_origin()
            self.send_header("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS")
            self.send_header("Access-Control-Allow-Headers", "Range")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def _answer(self, with_body: bool) -> None:
        if not self._is_local():
            return
        answer = self.found.get(unquote(urlsplit(self.path).path).removeprefix("/"))
        if answer is None:
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        if answer.path is None:
            self._head(HTTPStatus.OK, answer.kind, len(answer.text))
            if with_body:
                self.wfile.write(answer.text)
            return
        try:
            file = open(answer.path, "rb")  # noqa: SIM115  (closed below)
        except OSError:  # gone since the start
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        with file:
            self._send_file(file, answer.kind, answer.path.stat().st_size, with_body)

    def _send_file(self, file: BinaryIO, kind: str, size: int, with_body: bool) -> None:
        wanted = byte_range(self.headers.get("Range"), size)
        if wanted is None:
            self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            self._allow_origin()
            self.send_header("Content-Range", f"bytes */{size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start, end = wanted
        part = {} if end - start == size else {"Content-Range": f"bytes {start}-{end - 1}/{size}"}
        self._head(HTTPStatus.PARTIAL_CONTENT if part else HTTPStatus.OK, kind, end - start, part)
        if with_body:
            file.seek(start)
            left = end - start
            while left and (block := file.read(min(left, _BLOCK))):
                self.wfile.write(block)
                left -= len(block)

    def _head(
        self, status: HTTPStatus, kind: str, length: int, more: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        self._allow_origin()
        headers = {
            "Content-Type": kind,
            "Content-Length": str(length),
            "Accept-Ranges": "bytes",
            "Cache-Control": "no-store",  # tracks may be written again
            "X-Content-Type-Options": "nosniff",
            **(more or {}),
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _refuse(self, status: HTTPStatus) -> None:
        text = f"{status.phrase}\n".encode()
        self._head(status, "text/plain", len(text))
        if self.command != "HEAD":
            self.wfile.write(text)

    def _is_local(self) -> bool:
        """Refuse a request that came by another name than this machine's, as a foreign page can."""
        if urlsplit(f"//{self.headers.get('Host', '')}").hostname in LOCAL:
            return True
        self._refuse(HTTPStatus.FORBIDDEN)
        return False

    def _allow_origin(self) -> None:
        """Let other pages of this machine (a notebook) read the tracks, and no foreign page."""
        origin = self.headers.get("Origin", "")
        self.send_header("Vary", "Origin")
        if _LOCAL_ORIGIN.fullmatch(origin):
            self.send_header("Access-Control-Allow-Origin", origin)
            self.send_header("Access-Control-Expose-Headers", "Content-Range, Content-Length")

    def log_message(self, format: str, *arguments: object) -> None:
        """Messages of requests are for those who search a fault."""
        logger.debug(format % arguments)


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Start and end (half-open) of the bytes that a ``Range`` header wants; None outside the file.

    Without a header, and for one of another form (several ranges), it is the whole file.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or match[1] == match[2] == "":
        return 0, size
    if not match[1]:  # the last bytes
        wanted = min(int(match[2]), size)
        return (size - wanted, size) if wanted else None
    start, end = int(match[1]), min(int(match[2] or size), size - 1) + 1
    if match[2] and int(match[2]) < start:
        return 0, size
    return (start, end) if start < size else None
