"""What a download would bring: files, sizes, servers, and whether the disk can hold it."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from genezip.download.catalogue import Item
from genezip.download.probe import remote_sizes
from genezip.download.store import Store
from genezip.errors import GenezipError


@dataclass(frozen=True)
class Planned:
    """One file of a plan.

    Attributes
    ----------
    name, path : str
    urls : tuple of str
        Its servers in order.
    n_bytes : int or None
        Size; None where it is unknown.
    still : int
        Bytes that must still be written.
    state : str
        One or two words for the reader.
    """

    name: str
    path: str
    urls: tuple[str, ...]
    n_bytes: int | None
    still: int
    state: str


@dataclass(frozen=True)
class Plan:
    """Files that would come, and the room for them.

    Attributes
    ----------
    files : list of Planned
    also : int
        Bytes written besides the files, made from them.
    free : int
        Free bytes on the disk of the folder.
    folder : Path
    """

    files: list[Planned]
    also: int
    free: int
    folder: Path

    @property
    def needed(self) -> int:
        """Bytes that must still be written, as far as sizes are known."""
        return sum(file.still for file in self.files) + self.also

    @property
    def unknown(self) -> int:
        """Number of files still to come whose size is unknown."""
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
        """Refuse to begin what cannot fit.

        Raises
        ------
        GenezipError
            Says how much is needed and how much is free.
        """
        if self.needed > self.free:
            raise GenezipError(
                f"{in_words(self.needed)} are needed at {self.folder} and {in_words(self.free)} "
                "are free; "
                "free space or choose another folder"
            )


def in_words(n_bytes: int) -> str:
    """A number of bytes, large ones also in units that can be read at a glance."""
    for unit, size in (("GB", 1_000_000_000), ("MB", 1_000_000)):
        if n_bytes >= size:
            return f"{n_bytes:,} bytes ({n_bytes / size:.1f} {unit})"
    return f"{n_bytes:,} bytes"


def plan(store: Store, items: Sequence[Item], also: int = 0) -> Plan:
    """Look what is there and ask for sizes that are unknown; download nothing.

    Parameters
    ----------
    store : Store
        One with a folder of fetched files asks nothing from the network.
    items : sequence of Item
    also : int
        Bytes written besides the files.
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
    """Size known without asking anyone."""
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
    if size is None:  # alternatives are the same bytes: any server may tell
        size = next((sizes[url] for url in urls if sizes.get(url) is not None), None)
    part = store.folder / f"{row.path}.part"
    have = part.stat().st_size if part.is_file() else 0
    state = "unknown" if size is None else "partly here" if have else "to come"
    return Planned(row.name, row.path, urls, size, max(0, (size or 0) - have), state)


def free_bytes(folder: Path) -> int:
    """Free bytes on the disk that would hold a folder, which need not exist yet."""
    place = folder.absolute()
    while not place.is_dir():
        place = place.parent
    return shutil.disk_usage(place).free
