"""The files of a DNALongBench task as ``genezip dnalongbench fetch`` listed them."""

import json
from dataclasses import dataclass
from pathlib import Path

from genezip.errors import GenezipError


@dataclass(frozen=True)
class TaskFiles:
    """Files named in ``TASK.json`` or ``TASK.intervals.json``.

    Attributes
    ----------
    listing : Path, the JSON
    paths : tuple of Path, every file it lists
    """

    listing: Path
    paths: tuple[Path, ...]

    @classmethod
    def load(cls, listing: str | Path, advice: str = "fetch it again") -> "TaskFiles":
        """Read a list; paths in it are relative to its folder.

        Raises
        ------
        GenezipError
            If the list is missing (``advice`` says what to do) or unreadable.
        """
        listing = Path(listing)
        try:
            entries = json.loads(listing.read_text(encoding="utf-8"))["files"]
            paths = tuple(listing.parent / entry["path"] for entry in entries)
        except FileNotFoundError:
            raise GenezipError(f"{listing} does not exist; {advice}") from None
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise GenezipError(f"{listing} cannot be read ({error!r}); fetch it again") from None
        return cls(listing, paths)

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
