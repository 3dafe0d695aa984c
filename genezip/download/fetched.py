"""A folder of files that were fetched elsewhere, for computers without internet."""

import os
from functools import cached_property
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from genezip.download.catalogue import Row, server_name
from genezip.errors import GenezipError


class Fetched:
    """Files by name, at any depth; nothing in the folder is ever changed.

    Raises
    ------
    GenezipError
        The folder does not exist.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise GenezipError(f"the folder {folder} of fetched files does not exist")
        self.folder = folder

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for place, folders, files in os.walk(self.folder):
            folders.sort()
            for name in sorted(files):
                path = Path(place) / name
                if path.is_file():  # no link that leads nowhere
                    found.setdefault(name, []).append(path)
        return found

    def candidates(self, row: Row) -> list[Path]:
        """Files that may be the one of a row, the likeliest first.

        First the path of the row, then that path below any folder, then any file of its
        name, or of the name that the address ends with.
        """
        names = [PurePosixPath(row.path).name, *saved_as(row.url)]
        found = [self.folder / row.path] if (self.folder / row.path).is_file() else []
        named = self.named(*names)
        tail = "/" + row.path
        found += [path for path in named if str(path).endswith(tail)] + named
        return list(dict.fromkeys(found))

    def named(self, *names: str) -> list[Path]:
        """Files of these names at any depth, those of the first name first."""
        return [path for name in names for path in self._by_name.get(name, [])]


def saved_as(url: str) -> list[str]:
    """Names that a program for downloads gives a file.

    Those of ``wget``: the end of the address with its query, ``index.html`` for an address that
    ends with a slash, and ``%2F`` for a slash in the query.
    """
    tail, query = server_name(url), urlsplit(url).query.replace("/", "%2F")
    if query:
        return [f"{tail or 'index.html'}?{query}"]
    return [tail] if tail else []
