"""Download one file over HTTP: resume, retry, check, and rename when complete."""

import fcntl
import http.client
import logging
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from genezip.artifacts.destination import file_target, keep_mode
from genezip.download import SourceUnavailable, WrongFile
from genezip.download.checksum import Check, html_page, mismatch
from genezip.errors import GenezipError
from genezip.log import Progress

logger = logging.getLogger(__name__)

AGENT = {"User-Agent": "genezip"}
_BLOCK = 1 << 16
_NAMED_ABOVE = 1_000_000  # bytes; smaller files are not logged
_AGAIN = {408, 425, 429, 500, 502, 503, 504}
_NETWORK = (OSError, http.client.HTTPException)  # every urllib and socket error is an OSError


@dataclass(frozen=True)
class Http:
    """Timeouts and retries of requests to a server."""

    timeout_s: float = 10.0  # longest wait for a byte
    attempts: int = 5  # number of consecutive attempts without new bytes before giving up
    backoff_s: float = 1.0  # pause before the second attempt; it doubles each time, up to 30 s
    # pause between requests for single regions (UCSC asks for one request a second)
    pause_s: float = 1.0
    size_timeout_s: float = 5.0  # longest wait for the size of a file before a download


PATIENT = Http()


class _TryAgain(Exception):
    """A failure that another attempt may avoid."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


@dataclass
class _Seen:
    """ETag of the previous answer, so that no bytes are appended to a changed file."""

    etag: str | None = None


def download(
    url: str,
    path: str | Path,
    checksum: str | None = None,
    n_bytes: int | None = None,
    check: Check | None = None,
    http: Http = PATIENT,
    refuse: Check | None = None,
) -> None:
    """Download one file.

    After an interruption the partial file stays as ``<path>.part`` and is continued with a Range
    request; ``path`` appears only when it is complete and passed its checks. An older ``.part`` is
    continued only if a check can verify the complete file.

    Parameters
    ----------
    checksum : ``md5:...``, ``sha1:...`` or ``sha256:...``
    n_bytes : known size
    check : returns what is wrong with a complete file, or None; another server may have a better
        file. A file without checks, checksum and size must not be an HTML page.
    http : timeouts and retries
    refuse : as ``check``, for errors that another server cannot avoid

    Raises
    ------
    SourceUnavailable
        The server cannot be reached, refuses, keeps breaking off, or the file fails ``check``.
    WrongFile
        The file had a wrong checksum or size twice.
    GenezipError
        The file failed ``refuse`` twice, or it cannot be written.
    """
    path = file_target(path)
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not (checksum or check or refuse):
            part.unlink(missing_ok=True)
            check = html_page if n_bytes is None else None
        _until_right(url, path, part, (checksum, n_bytes), (check, refuse), http)
    except OSError as error:  # network errors became _TryAgain
        raise GenezipError(
            f"cannot write {path}: {error.strerror or error}; free space or choose another folder"
        ) from error


def _until_right(
    url: str,
    path: Path,
    part: Path,
    known: tuple[str | None, int | None],
    checks: tuple[Check | None, Check | None],
    http: Http,
) -> None:
    check, refuse = checks
    fruitless, rejected, most, seen = 0, 0, _size(part), _Seen()
    while True:
        try:
            _transfer(url, part, http, seen)
        except _TryAgain as error:
            gained = _size(part) > most
            most = max(most, _size(part))
            fruitless = 0 if gained else fruitless + 1
            if fruitless >= http.attempts:
                raise SourceUnavailable(
                    f"{url} failed {fruitless} times in a row, last: {error}"
                ) from None
            time.sleep(max(error.wait_s, min(30.0, http.backoff_s * 2 ** max(0, fruitless - 1))))
            continue
        wrong = mismatch(part, *known)
        refused = refuse(part) if refuse and wrong is None else None
        content = check(part) if check and wrong is None and refused is None else None
        if wrong is None and refused is None and content is None:
            keep_mode(part, path)
            part.replace(path)
            return
        part.unlink()
        rejected, most = rejected + 1, 0
        if rejected == 2:  # the first may be a stale partial file, the second is the server's
            if content:
                raise SourceUnavailable(f"{url} {content}")
            kind = WrongFile if wrong else GenezipError
            raise kind(f"{url} (for {path.name}) {wrong or refused}; nothing of it was kept")


def _transfer(url: str, part: Path, http: Http, seen: _Seen) -> None:
    """One attempt: append to ``part`` if the server supports it, else start over."""
    have = _size(part)
    headers = dict(AGENT)
    if have:
        headers["Range"] = f"bytes={have}-"
        if seen.etag:
            headers["If-Range"] = seen.etag
    try:
        response = urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=http.timeout_s
        )
    except urllib.error.HTTPError as error:
        if error.code == 416:
            if (error.headers.get("Content-Range") or "").endswith(f"/{have}"):
                return  # the partial file is already complete
            part.unlink(missing_ok=True)
            raise _TryAgain("the partial file did not fit") from None
        if error.code in _AGAIN:
            wait = error.headers.get("Retry-After") or "0"
            seconds = min(30.0, float(wait)) if wait.isdigit() else 0.0
            raise _TryAgain(f"HTTP {error.code}", seconds) from None
        raise SourceUnavailable(f"{url} answers HTTP {error.code}") from None
    except _NETWORK as error:
        raise _TryAgain(reason_of(error)) from None
    with response:
        resumed = response.status == 206 and (
            response.headers.get("Content-Range") or ""
        ).startswith(f"bytes {have}-")
        etag = response.headers.get("ETag")
        seen.etag = etag if etag and not etag.startswith("W/") else None
        begin = have if resumed else 0
        length = response.headers.get("Content-Length")
        total = begin + int(length) if length and length.isdigit() else None
        with open(part, "ab") as handle:
            _lock_part(handle, part, have)
            if not resumed:
                handle.truncate(0)
            name = part.name.removesuffix(".part")
            if total is not None and total > _NAMED_ABOVE:
                logger.info("download: %s, %.0f MB", name, total / 1e6)
            with Progress(name, total, "B", begin) as shown:
                while True:
                    try:
                        block = response.read1(_BLOCK)
                    except _NETWORK as error:
                        raise _TryAgain(reason_of(error)) from None
                    if not block:
                        break
                    handle.write(block)
                    handle.flush()  # received bytes survive a kill
                    shown.advance(len(block))
    if total is not None and _size(part) < total:
        raise _TryAgain(f"the transfer broke off after {_size(part)} of {total} bytes")


def _lock_part(handle: IO[bytes], part: Path, have: int) -> None:
    """Lock a partial file against other runs."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise GenezipError(
            f"{part} is being written by another run; wait until it has ended"
        ) from None
    except OSError:
        return  # some file systems have no locks
    if handle.seek(0, 2) != have:
        raise _TryAgain("the partial file changed")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def reason_of(error: Exception) -> str:
    """A network error in a few words."""
    reason = getattr(error, "reason", None) or error
    if isinstance(reason, TimeoutError):
        return "no byte in time"
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
