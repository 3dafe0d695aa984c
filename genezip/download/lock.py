"""Lock of downloads: size, SHA-256 and address of each file at its first download.

The lock is a JSON file beside the folder of downloads, so that it outlives that folder::

    {"schema_version": 1,
     "files": {"rmsk | UCSC hg38 rmsk": {"sha256": ..., "bytes": ..., "url": ...}},
     "listings": {"doi:10.7910/DVN/...": {...}}}

Keys of ``files`` are name and release from the table of sources.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from genezip.artifacts.files import write_json
from genezip.artifacts.manifest import Kind
from genezip.download.checksum import is_checksum
from genezip.errors import GenezipError

_AGAIN = "restore it, or delete it to record every file again"
LOCK = Kind("lock of downloads", 1, first=_AGAIN, again=_AGAIN, keys=("files", "listings"))
_OPTIONAL_TEXT = (str, type(None))
_FILE: dict[str, Any] = {"sha256": str, "bytes": int, "url": str}
_LISTING: dict[str, Any] = {"version": str, "licence": _OPTIONAL_TEXT, "files": list}
_LISTED: dict[str, Any] = {
    "path": str,
    "id": int,
    "bytes": (int, type(None)),
    "checksum": _OPTIONAL_TEXT,
    "original": bool,
    "restricted": bool,
}


def lock_path(folder: Path) -> Path:
    """The lock of a folder of downloads: ``<folder>.lock.json`` beside it."""
    if folder.name in ("", ".."):  # so that `.` and `..` get a name
        folder = folder.resolve()
    return folder.with_name(f"{folder.name}.lock.json")


class Lock:
    """The lock file; it is read when opened and again before every change."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._raw = self._read()

    def _read(self) -> dict[str, Any]:
        if not self.path.exists():
            return LOCK.head(files={}, listings={})
        raw = LOCK.read(self.path)
        files, listings = raw["files"], raw["listings"]
        if (
            not isinstance(files, dict)
            or not isinstance(listings, dict)
            or not all(_has(entry, _FILE) for entry in files.values())
            or not all(map(_is_listing, listings.values()))
        ):
            raise GenezipError(f"{self.path} has malformed entries; {LOCK.again}")
        return raw

    def file(self, key: str) -> dict[str, Any] | None:
        """Entry of a file (sha256, bytes, url); None before its first download."""
        entry: dict[str, Any] | None = self._raw["files"].get(key)
        return entry

    def listing(self, doi: str) -> dict[str, Any] | None:
        """File list of a deposit from the first request, or None."""
        entry: dict[str, Any] | None = self._raw["listings"].get(doi)
        return entry

    def record(self, key: str, sha256: str, n_bytes: int, url: str) -> None:
        """Record a file, unless it is already known."""
        if self.file(key) is not None:
            return
        with self._changing():
            self._raw["files"].setdefault(key, {"sha256": sha256, "bytes": n_bytes, "url": url})

    def record_listing(self, doi: str, listing: dict[str, Any]) -> None:
        """Record the file list of a deposit, unless it is already known."""
        if self.listing(doi) is not None:
            return
        with self._changing():
            self._raw["listings"].setdefault(doi, listing)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Read the file, let the block change it, and write it, under an exclusive lock."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            folder = os.open(self.path.parent, os.O_RDONLY)
        except OSError as error:
            raise GenezipError(
                f"cannot write {self.path}: {error.strerror}; choose another folder"
            ) from error
        try:
            with suppress(OSError):  # some file systems have no locks
                fcntl.flock(folder, fcntl.LOCK_EX)
            self._raw = self._read()
            yield
            write_json(self.path, self._raw)
        finally:
            os.close(folder)


def _has(entry: Any, types: dict[str, Any]) -> bool:
    """Whether an entry is an object with these keys and types."""
    return isinstance(entry, dict) and all(
        key in entry and isinstance(entry[key], kind) for key, kind in types.items()
    )


def _is_listing(entry: Any) -> bool:
    return _has(entry, _LISTING) and all(
        _has(file, _LISTED) and (file["checksum"] is None or is_checksum(file["checksum"]))
        for file in entry["files"]
    )
