"""The files of a DNALongBench task as ``genezip dnalongbench fetch`` listed them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from genezip.artifacts.manifest import Kind
from genezip.errors import GenezipError

FILES = Kind("list of files", None, "fetch it first", "fetch it again", keys=("files",))
"""What a list must have, and what to do where it or a file of it is wrong."""

FETCH = ("fetch the labels first", "fetch the labels again")
"""What to do where a file of labels is missing, or damaged."""


@dataclass(frozen=True)
class TaskFiles:
    """Files named in ``TASK.json`` or ``TASK.intervals.json``.

    Attributes
    ----------
    listing : Path, the JSON
    paths : tuple of Path, every file it lists
    facts : what the JSON holds
    """

    listing: Path
    paths: tuple[Path, ...]
    facts: Mapping[str, Any]

    @classmethod
    def load(cls, listing: str | Path, advice: str = "fetch it again") -> "TaskFiles":
        """Read a list; paths in it are relative to its folder.

        Raises
        ------
        GenezipError
            If the list is missing (``advice`` says what to do) or unreadable.
        """
        listing = Path(listing)
        facts = replace(FILES, first=advice).read(listing)
        try:
            paths = tuple(listing.parent / entry["path"] for entry in facts["files"])
        except (KeyError, TypeError):
            raise FILES.foreign(listing) from None
        return cls(listing, paths, facts)

    def ending(self, *endings: str) -> list[Path]:
        """Files whose path ends so, in the order of the list; at least one, all there.

        Raises
        ------
        GenezipError
            If the list has none, or one of them does not exist.
        """
        found = [path for path in self.paths if str(path).endswith(endings)]
        if not found:
            raise GenezipError(
                f"{self.listing} lists no file {' or '.join(endings)}; fetch it again"
            )
        for path in found:
            if not path.is_file():
                raise GenezipError(
                    f"{path}, which {self.listing} lists, does not exist; fetch it again"
                )
        return found

    def one(self, *endings: str) -> Path:
        """The first of :meth:`ending`."""
        return self.ending(*endings)[0]

    def optional(self, *endings: str) -> Path | None:
        """The first file whose path ends so and that exists; None without one."""
        found = [path for path in self.paths if str(path).endswith(endings) and path.is_file()]
        return found[0] if found else None
