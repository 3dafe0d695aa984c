"""The store: files from servers or a folder of fetched files, returned after every check."""

import logging
import os
import shutil
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from genezip.artifacts.files import atomic_path
from genezip.download import SourceUnavailable, WrongFile
from genezip.download.catalogue import Item, Row, server_name
from genezip.download.checksum import html_page, mismatch
from genezip.download.lock import Lock
from genezip.download.transfer import PATIENT, Http, download
from genezip.errors import GenezipError

logger = logging.getLogger(__name__)


class Store:
    """A folder of downloads with its lock; licence and citation of each source are logged once.

    Parameters
    ----------
    folder : folder in which each file is written at the path of its row
    lock : path of the record of first downloads
    fetched : folder of files fetched elsewhere; the network is then not used
    copied : whether files of ``fetched`` are copied into ``folder``; else they are used in place
    """

    def __init__(
        self,
        folder: Path,
        lock: Path,
        http: Http = PATIENT,
        fetched: Path | None = None,
        copied: bool = False,
    ) -> None:
        self.folder = folder
        self.lock = Lock(lock)
        self.http = http
        self.fetched = None if fetched is None else Fetched(fetched)
        self.copied = copied
        self.requests = 0
        self._logged: set[str] = set()

    def here(self, item: Item) -> bool:
        """Whether a file of known checksum is in the folder, judging by its size alone."""
        for row in item.rows:
            path, known = self.folder / row.path, self.lock.file(row.key)
            size = known["bytes"] if known else row.n_bytes
            proven = known is not None or row.checksum is not None
            if proven and path.is_file() and path.stat().st_size == size:
                return True
        return False

    def missing(self, items: Iterable[Item]) -> list[str]:
        """Paths of the files that are neither in the folder nor in ``fetched``."""
        assert self.fetched is not None
        return [
            item.rows[0].path
            for item in items
            if not self.here(item) and not any(map(self.fetched.candidates, item.rows))
        ]

    def require(self, items: Iterable[Item]) -> None:
        """Raise an error with all missing files, if there is a folder ``fetched``."""
        if self.fetched is None:
            return
        if missing := self.missing(items):
            raise GenezipError(
                f"the folder {self.fetched.folder} of fetched files lacks {', '.join(missing)}; "
                "add them (--plan prints their addresses)"
            )

    def get(self, item: Item) -> tuple[Row, Path]:
        """The file of the first row that is available, and the row with its first address.

        Raises
        ------
        SourceUnavailable
            No server delivers.
        WrongFile
            No server delivers, and at least one sent a file of a wrong size or checksum.
        GenezipError
            A file differs from the lock, or a file of ``fetched`` fails its checks.
        """
        for row in item.rows:
            path = self.folder / row.path
            proven = self.lock.file(row.key) is not None or row.checksum is not None
            if proven and path.is_file() and self._wrong(path, row, item) is None:
                return self._keep(path, row, item), path
        reasons: list[str] = []
        kind: type[GenezipError] = SourceUnavailable
        for row in item.rows:
            try:
                path = self._from_folder(row, item) if self.fetched else self._load(row, item)
            except (SourceUnavailable, WrongFile) as error:
                reasons.append(str(error))
                if isinstance(error, WrongFile):
                    kind = WrongFile
                continue
            return self._keep(path, row, item), path
        raise kind("; ".join(reasons))

    def _load(self, row: Row, item: Item) -> Path:
        path = self.folder / row.path
        self.requests += 1
        changed = partial(self._changed, row=row, item=item) if self.lock.file(row.key) else None
        download(row.url, path, row.checksum, row.n_bytes, item.check, self.http, changed)
        return path

    def _from_folder(self, row: Row, item: Item) -> Path:
        assert self.fetched is not None
        candidates = self.fetched.candidates(row)
        problems = {}
        for found in candidates:
            try:
                problem = self._wrong(found, row, item)
            except OSError as error:
                problem = f"cannot be read ({error.strerror or error})"
            if problem is None:
                break
            problems[found] = problem
        else:
            if not problems:
                raise SourceUnavailable(f"{self.fetched.folder} has no {row.path}")
            found = next(iter(problems))
            raise GenezipError(f"{found} (for {row.name}) {problems[found]}; it was not used")
        if not self.copied:
            return found
        target = self.folder / row.path
        if not (target.exists() and target.samefile(found)):
            with atomic_path(target) as temporary:
                shutil.copyfile(found, temporary)
        return target

    def _wrong(self, path: Path, row: Row, item: Item) -> str | None:
        problem = mismatch(path, row.checksum, row.n_bytes)
        known = self.lock.file(row.key)
        if problem is None and known is not None:
            found = _fingerprint(path, item)
            if found == known["sha256"]:
                return None  # the file passed its check at the first download
            problem = self._changed(path, row, item)
        check = item.check
        if check is None and known is None and row.checksum is None and row.n_bytes is None:
            check = html_page  # as for a download without known size and checksum
        return problem or (check(path) if check else None)

    def _changed(self, path: Path, row: Row, item: Item) -> str | None:
        """Difference of a file from the lock as text, or None."""
        known = self.lock.file(row.key)
        found = None if known is None else _fingerprint(path, item)
        if known is None or found is None or found == known["sha256"]:
            return None
        return (
            f"is another file than at the first download (SHA-256 {found} instead of "
            f"{known['sha256']}, kept in {self.lock.path}); to use the new file, remove the "
            f"entry {row.key!r} from the lock and run again"
        )

    def _keep(self, path: Path, row: Row, item: Item) -> Row:
        """Record a file in the lock, log its licence and citation once, and return its row.

        The row has the address of the first download, which is the same in every run.
        """
        if self.lock.file(row.key) is None:
            self.lock.record(row.key, item.fingerprint(path), path.stat().st_size, row.url)
            changed = self._changed(path, row, item)
            if changed:  # another run recorded a different file in the meantime
                raise GenezipError(f"{path} {changed}")
        line = f"licence: {row.release}: {row.licence}; cite: {row.citation}"
        if line not in self._logged:
            self._logged.add(line)
            logger.info("%s", line)
        known = self.lock.file(row.key)
        return replace(row, url=known["url"]) if known else row


def _fingerprint(path: Path, item: Item) -> str | None:
    """Fingerprint of a file, or None if it is unreadable, which the item's check will explain."""
    try:
        return item.fingerprint(path)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


class Fetched:
    """A read-only folder of files that were fetched elsewhere, searched by name at any depth."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise GenezipError(f"the folder {folder} of fetched files does not exist")
        self.folder = folder

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for parent, folders, files in os.walk(self.folder):
            folders.sort()
            for name in sorted(files):
                path = Path(parent) / name
                if path.is_file():  # excludes dangling links
                    found.setdefault(name, []).append(path)
        return found

    def candidates(self, row: Row) -> list[Path]:
        """Files that may match a row, the likeliest first.

        First the path of the row, then that path below any folder, then any file with its name
        or the name at the end of the address.
        """
        found = [self.folder / row.path] if (self.folder / row.path).is_file() else []
        named = self.named(PurePosixPath(row.path).name, *saved_as(row.url))
        found += [path for path in named if str(path).endswith("/" + row.path)] + named
        return list(dict.fromkeys(found))

    def named(self, *names: str) -> list[Path]:
        """Files of these names at any depth, those of the first name first."""
        return [path for name in names for path in self._by_name.get(name, [])]


def saved_as(url: str) -> list[str]:
    """File names that ``wget`` gives to an address.

    The end of the address with its query, ``index.html`` for an address that ends with a slash,
    and ``%2F`` for a slash in the query.
    """
    tail, query = server_name(url), urlsplit(url).query.replace("/", "%2F")
    if query:
        return [f"{tail or 'index.html'}?{query}"]
    return [tail] if tail else []
