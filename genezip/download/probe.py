"""Short questions to servers: does anyone answer, and how large are the files."""

import queue
import threading
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from genezip.download.transfer import AGENT, reason_of

_AT_ONCE = 8


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
        request = urllib.request.Request(url, headers=AGENT | {"Range": "bytes=0-0"})
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as response:
                response.read(1)
        except urllib.error.HTTPError:
            answers.put((url, None))
        except Exception as error:
            answers.put((url, reason_of(error)))
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


def remote_sizes(urls: list[str], timeout_s: float) -> dict[str, int | None]:
    """Sizes of files on servers in bytes, by HEAD requests; None where it stays unknown.

    Eight servers are asked at once. The whole takes no longer than ``timeout_s`` for each
    eight files, also where a name lookup hangs.
    """
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    answers: queue.Queue[tuple[str, int | None]] = queue.Queue()
    sizes: dict[str, int | None] = dict.fromkeys(urls)
    for url in sizes:
        waiting.put(url)

    def ask() -> None:
        while True:
            try:
                url = waiting.get_nowait()
            except queue.Empty:
                return
            answers.put((url, _remote_size(url, timeout_s)))

    for _ in range(min(_AT_ONCE, len(sizes))):
        threading.Thread(target=ask, daemon=True).start()
    deadline = time.monotonic() + timeout_s * -(-len(sizes) // _AT_ONCE)
    for _ in range(len(sizes)):
        try:
            url, size = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        sizes[url] = size
    return sizes


def _remote_size(url: str, timeout_s: float) -> int | None:
    try:
        request = urllib.request.Request(url, headers=AGENT, method="HEAD")
        with urllib.request.urlopen(request, timeout=timeout_s) as response:
            length = response.headers.get("Content-Length")
    except Exception:  # whatever it is: the size stays unknown, the download will tell why
        return None
    return int(length) if length and length.isdigit() else None
