"""One file over HTTP: resumed, retried, checked, and renamed into place when whole."""

import hashlib
import http.client
import queue
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tqdm import tqdm

from genezip.errors import GenezipError
from genezip.genome.source import SourceUnavailable
from genezip.provenance import sha256_file

_BLOCK = 1 << 16
_AGAIN = {408, 425, 429, 500, 502, 503, 504}
_NETWORK = (OSError, http.client.HTTPException)  # every urllib and socket error is an OSError

Check = Callable[[Path], str | None]


@dataclass(frozen=True)
class Http:
    """Patience with a server.

    Attributes
    ----------
    timeout_s : float
        Longest wait for a byte.
    attempts : int
        Attempts in a row that bring nothing new before giving up.
    backoff_s : float
        Pause before the second attempt; it doubles each time, up to 30 s.
    pause_s : float
        Pause between requests for single regions (UCSC asks for one request a second).
    """

    timeout_s: float = 10.0
    attempts: int = 5
    backoff_s: float = 1.0
    pause_s: float = 1.0


class _TryAgain(Exception):
    """This attempt failed in a way that another may mend."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


def download(
    url: str,
    path: str | Path,
    sha256: str | None = None,
    n_bytes: int | None = None,
    check: Check | None = None,
    http: Http = Http(),
) -> None:
    """Download one file.

    What arrived before an interruption stays in ``<path>.part`` and is continued with a
    Range request; ``path`` itself appears only when it is whole and passed its checks.

    Parameters
    ----------
    sha256, n_bytes : optional
        Known checksum and size.
    check : callable, optional
        Looks at the whole file and returns what is wrong with it, or None.

    Raises
    ------
    SourceUnavailable
        The server cannot be reached, refuses, or keeps breaking off.
    GenezipError
        The file came twice with a wrong checksum or size, or cannot be written.
    """
    path = Path(path)
    part = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    fruitless, rejected, most = 0, 0, _size(part)
    while True:
        try:
            _transfer(url, part, http)
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
        problem = _mismatch(part, sha256, n_bytes)
        content = None if problem or check is None else check(part)
        if problem is None and content is None:
            part.replace(path)
            return
        part.unlink()
        rejected, most = rejected + 1, 0
        if rejected == 2:  # once may be a stale partial file; twice is the server
            if problem:
                raise GenezipError(f"{url} (for {path.name}) {problem}; nothing of it was kept")
            raise SourceUnavailable(f"{url} {content}")


def _transfer(url: str, part: Path, http: Http) -> None:
    """One attempt: append to ``part`` where the server allows it, else start over."""
    have = _size(part)
    headers = {"User-Agent": "genezip"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=http.timeout_s
        )
    except urllib.error.HTTPError as error:
        if error.code == 416:
            if (error.headers.get("Content-Range") or "").endswith(f"/{have}"):
                return  # everything was there already
            part.unlink(missing_ok=True)
            raise _TryAgain("the partial file did not fit") from None
        if error.code in _AGAIN:
            wait = error.headers.get("Retry-After") or "0"
            seconds = min(30.0, float(wait)) if wait.isdigit() else 0.0
            raise _TryAgain(f"HTTP {error.code}", seconds) from None
        raise SourceUnavailable(f"{url} answers HTTP {error.code}") from None
    except _NETWORK as error:
        raise _TryAgain(_reason(error)) from None
    with response:
        resumed = response.status == 206 and (
            response.headers.get("Content-Range") or ""
        ).startswith(f"bytes {have}-")
        begin = have if resumed else 0
        length = response.headers.get("Content-Length")
        total = begin + int(length) if length else None
        with open(part, "ab" if resumed else "wb") as handle, _progress(part, begin, total) as bar:
            while True:
                try:
                    block = response.read1(_BLOCK)
                except _NETWORK as error:
                    raise _TryAgain(_reason(error)) from None
                if not block:
                    break
                handle.write(block)
                bar.update(len(block))
    if total is not None and _size(part) < total:
        raise _TryAgain(f"it broke off after {_size(part)} of {total} bytes")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    if isinstance(reason, TimeoutError):
        return "no byte in time"
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__


def _mismatch(path: Path, sha256: str | None, n_bytes: int | None) -> str | None:
    if n_bytes is not None and path.stat().st_size != n_bytes:
        return f"has {path.stat().st_size} bytes instead of {n_bytes}"
    if sha256 is not None and sha256_file(path) != sha256:
        return f"has a wrong checksum (SHA-256 is not {sha256})"
    return None


@contextmanager
def _progress(part: Path, begin: int, total: int | None) -> "Iterator[tqdm]":
    """A bar on a terminal; otherwise one line for a file above 1 MB."""
    name = part.name.removesuffix(".part")
    plain = not sys.stderr.isatty()
    if plain and total is not None and total > 1_000_000:
        print(f"download: {name}, {total / 1e6:.0f} MB", file=sys.stderr, flush=True)
    with tqdm(
        total=total, initial=begin, unit="B", unit_scale=True, desc=name, leave=False, disable=plain
    ) as bar:
        yield bar


def first_byte(urls: list[str], timeout_s: float) -> str | None:
    """Whether any of several servers answers at all.

    All are asked at once. Any answer counts, an error page too.

    Returns
    -------
    None as soon as one answers within ``timeout_s``, otherwise one sentence saying which
    were asked and why each failed.
    """
    answers: queue.Queue[tuple[str, str | None]] = queue.Queue()

    def ask(url: str) -> None:
        request = urllib.request.Request(
            url, headers={"User-Agent": "genezip", "Range": "bytes=0-0"}
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as response:
                response.read(1)
        except urllib.error.HTTPError:
            answers.put((url, None))
        except Exception as error:
            answers.put((url, _reason(error)))
        else:
            answers.put((url, None))

    for url in urls:
        # daemon: a name lookup that hangs must not hold the program at its end
        threading.Thread(target=ask, args=(url,), daemon=True).start()
    deadline = time.monotonic() + timeout_s
    reasons = dict.fromkeys(urls, f"no first byte within {timeout_s:g} s")
    for _ in urls:
        try:
            url, reason = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        if reason is None:
            return None
        reasons[url] = reason
    return "; ".join(f"{urlsplit(url).netloc}: {reason}" for url, reason in reasons.items())


def url_name(url: str) -> str:
    """A short file name that belongs to one URL alone."""
    tail = urlsplit(url).path.rsplit("/", 1)[-1] or "file"
    return f"{hashlib.sha256(url.encode()).hexdigest()[:12]}.{tail}"
