"""Plan of a download: files, sizes, servers, and whether the disk has room for them.

Two short requests go to servers: whether any of them answers, and how large the files are.
"""

import queue
import shutil
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from genezip.download.catalogue import Item
from genezip.download.store import Store
from genezip.download.transfer import AGENT, reason_of
from genezip.errors import GenezipError

Answer = TypeVar("Answer")

_AT_ONCE = 8  # parallel requests


@dataclass(frozen=True)
class Planned:
    """One file of a plan."""

    name: str
    path: str
    urls: tuple[str, ...]  # its addresses in order
    n_bytes: int | None  # size; None if unknown
    still: int  # bytes that must still be written
    state: str  # one or two words for the user


@dataclass(frozen=True)
class Plan:
    """Files to download, and the free disk space."""

    files: list[Planned]
    also: int  # bytes of further files that are made from the downloads
    free: int  # free bytes on the disk of the folder
    folder: Path

    @property
    def needed(self) -> int:
        """Bytes that must still be written, for files of known size."""
        return sum(file.still for file in self.files) + self.also

    @property
    def unknown(self) -> int:
        """Number of missing files of unknown size."""
        return sum(file.state == "unknown" for file in self.files)

    def lines(self) -> list[str]:
        """The plan as text, one line for each file and its addresses, then the totals."""
        found = []
        for file in self.files:
            size = "" if file.n_bytes is None else f", {in_words(file.n_bytes)}"
            state = "size unknown" if file.state == "unknown" else file.state
            found.append(f"{file.name}: {file.path}: {state}{size}")
            found += [f"    {url}" for url in file.urls]
        total = f"total: {in_words(self.needed)} to write"
        if self.also:
            total += f", {in_words(self.also)} of them made from the downloads"
        if self.unknown:
            total += f", and {self.unknown} of {len(self.files)} files of unknown size"
        found.append(f"{total}; free disk at {self.folder}: {in_words(self.free)}")
        if self.needed > self.free:
            found.append(
                f"warning: this does not fit; {in_words(self.needed - self.free)} are lacking"
            )
        return found

    def check_room(self) -> None:
        """Raise if the files do not fit on the disk."""
        if self.needed > self.free:
            raise GenezipError(
                f"{in_words(self.needed)} are needed at {self.folder} and {in_words(self.free)} "
                "are free; free space or choose another folder"
            )


def in_words(n_bytes: int) -> str:
    """A number of bytes as text, with MB or GB for large ones."""
    for unit, size in (("GB", 1_000_000_000), ("MB", 1_000_000)):
        if n_bytes >= size:
            return f"{n_bytes:,} bytes ({n_bytes / size:.1f} {unit})"
    return f"{n_bytes:,} bytes"


def plan(store: Store, items: Sequence[Item], also: int = 0) -> Plan:
    """Plan a download without downloading: find local files and request unknown sizes.

    With a folder of fetched files there are no requests. ``also`` is as of :class:`Plan`.
    """
    absent = [item for item in items if not store.here(item)]
    ask = [row.url for item in absent if _stated(store, item) is None for row in item.rows]
    sizes = {} if store.fetched else remote_sizes(ask, store.http.size_timeout_s)
    return Plan(
        files=[_planned(store, item, sizes) for item in items],
        also=also,
        free=free_bytes(store.folder),
        folder=store.folder,
    )


def _stated(store: Store, item: Item) -> int | None:
    """Size that is known without a request, or None."""
    for row in item.rows:
        known = store.lock.file(row.key)
        size = row.n_bytes if row.n_bytes is not None else known["bytes"] if known else None
        if size is not None:
            return int(size)
    return item.about


def _planned(store: Store, item: Item, sizes: dict[str, int | None]) -> Planned:
    row = item.rows[0]
    urls = tuple(other.url for other in item.rows)
    size = _stated(store, item)
    if store.here(item):
        return Planned(row.name, row.path, urls, size, 0, "already here")
    if store.fetched:
        found = [path for other in item.rows for path in store.fetched.candidates(other)]
        if not found:
            return Planned(row.name, row.path, urls, size, 0, "missing")
        size = found[0].stat().st_size
        still = size if store.copied else 0
        return Planned(row.name, row.path, urls, size, still, f"in {found[0].parent}")
    if size is None:  # alternatives have the same bytes, so any server's answer counts
        size = next((sizes[url] for url in urls if sizes.get(url) is not None), None)
    part = store.folder / f"{row.path}.part"
    have = part.stat().st_size if part.is_file() else 0
    state = "unknown" if size is None else "partly here" if have else "to come"
    return Planned(row.name, row.path, urls, size, max(0, (size or 0) - have), state)


def free_bytes(folder: Path) -> int:
    """Free bytes on the disk of a folder, which need not exist yet."""
    existing = folder.absolute()
    while not existing.is_dir():
        existing = existing.parent
    return shutil.disk_usage(existing).free


def first_byte(urls: list[str], timeout_s: float) -> str | None:
    """Request the first byte from all servers at once; any answer counts, even an error page.

    None is returned as soon as one server answers, else the servers and why each failed.
    """

    def failure(url: str) -> str | None:
        request = urllib.request.Request(url, headers=AGENT | {"Range": "bytes=0-0"})
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as response:
                response.read(1)
        except urllib.error.HTTPError:
            return None
        except Exception as error:
            return reason_of(error)
        return None

    reasons = dict.fromkeys(urls, f"no first byte within {timeout_s:g} s")
    for url, reason in _answers(failure, urls, timeout_s):
        if reason is None:
            return None
        reasons[url] = reason
    return "; ".join(f"{urlsplit(url).netloc}: {reason}" for url, reason in reasons.items())


def remote_sizes(urls: list[str], timeout_s: float) -> dict[str, int | None]:
    """Sizes of remote files in bytes, by HEAD requests; None if unknown."""

    def size_of(url: str) -> int | None:
        try:
            request = urllib.request.Request(url, headers=AGENT, method="HEAD")
            with urllib.request.urlopen(request, timeout=timeout_s) as response:
                length = response.headers.get("Content-Length")
        except Exception:  # the size stays unknown, and the download will report the error
            return None
        return int(length) if length and length.isdigit() else None

    sizes: dict[str, int | None] = dict.fromkeys(urls)
    sizes.update(_answers(size_of, list(sizes), timeout_s))
    return sizes


def _answers(
    ask: Callable[[str], Answer], urls: Sequence[str], timeout_s: float
) -> Iterator[tuple[str, Answer]]:
    """(url, ``ask(url)``) of each address as it arrives.

    Eight requests run at once, and each eight addresses take at most ``timeout_s``, even if a name
    lookup hangs.
    """
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    answers: queue.Queue[tuple[str, Answer]] = queue.Queue()
    for url in urls:
        waiting.put(url)

    def work() -> None:
        with suppress(queue.Empty):
            while True:
                url = waiting.get_nowait()
                answers.put((url, ask(url)))

    for _ in urls[:_AT_ONCE]:
        # daemon threads, because a hanging name lookup must not block the program's exit
        threading.Thread(target=work, daemon=True).start()
    deadline = time.monotonic() + timeout_s * -(-len(urls) // _AT_ONCE)
    with suppress(queue.Empty):
        for _ in urls:
            yield answers.get(timeout=max(0.0, deadline - time.monotonic()))
