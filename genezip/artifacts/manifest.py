"""JSON files that later steps open, with one set of error messages for all kinds.

A :class:`Kind` declares what a file is, which version is read, and what to do if it is missing or
damaged. It checks manifests and the heads of Parquet files (:mod:`genezip.artifacts.tables`).
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genezip.artifacts.files import sha256_file
from genezip.errors import GenezipError

ABSENT = "nothing"


@dataclass(frozen=True)
class Kind:
    """One kind of file that this program writes and reads again.

    Attributes
    ----------
    noun : what the file is, as in "is not a <noun>"
    version : schema version that is written and read; None if such files have none
    first : advice for a missing file ("build the corpus first")
    again : advice for a damaged file or another version ("build the corpus again")
    keys : required keys besides the version
    version_key : key of the version in the file
    """

    noun: str
    version: int | None
    first: str
    again: str
    keys: tuple[str, ...] = ()
    version_key: str = "schema_version"

    def head(self, **facts: Any) -> dict[str, Any]:
        """Content of a file of this kind: the version, then the facts."""
        return facts if self.version is None else {self.version_key: self.version, **facts}

    def read(self, path: str | Path) -> dict[str, Any]:
        """Read a JSON file of this kind."""
        return self.checked(path, self.read_json(path))

    def read_json(self, path: str | Path) -> Any:
        """Read the JSON value of a file without checking its kind."""
        try:
            return json.loads(Path(path).read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise self.missing(path) from None
        except ValueError as error:  # includes bytes that are not UTF-8
            raise GenezipError(f"{path} is not valid JSON ({error}); {self.again}") from None
        except OSError as error:
            raise self.unreadable(path, error) from None

    def checked(self, path: str | Path, raw: object) -> dict[str, Any]:
        """Return an object once its kind, version and keys are checked; ``path`` is for errors."""
        marks = self.keys if self.version is None else (self.version_key,)
        if not isinstance(raw, dict) or not any(key in raw for key in marks):
            raise self.foreign(path)
        found = raw.get(self.version_key)
        if self.version is not None and found != self.version:
            raise GenezipError(
                f"{path} has {self.version_key} {found}, this genezip reads {self.version}; "
                f"{self.again}"
            )
        lacking = [key for key in self.keys if key not in raw]
        if lacking:
            raise GenezipError(f"{path} lacks {', '.join(lacking)}; {self.again}")
        return raw

    def missing(self, path: str | Path) -> GenezipError:
        """The error for a file that does not exist."""
        return GenezipError(f"{path} does not exist; {self.first}")

    def foreign(self, path: str | Path) -> GenezipError:
        """The error for a file that is something else."""
        return GenezipError(f"{path} is not a {self.noun}; {self.again}")

    def unreadable(self, path: str | Path, error: object) -> GenezipError:
        """The error for a file that exists but cannot be read, with one line of the reason."""
        reason = getattr(error, "strerror", None) or str(error).split("\n", maxsplit=1)[0]
        return GenezipError(f"{path} cannot be read ({reason}); {self.again}")

    def check_files(self, manifest: str | Path, entries: Iterable[Mapping[str, Any]]) -> None:
        """Raise at the first listed file that is missing or of another size (`file_entries`)."""
        for entry in entries:
            path = Path(manifest).parent / entry["path"]
            if not path.is_file():
                raise GenezipError(f"{path} is missing; {self.again}")
            found = path.stat().st_size
            if found != entry["bytes"]:
                raise GenezipError(
                    f"{path} has {found:,} bytes, {Path(manifest).name} lists "
                    f"{entry['bytes']:,}; {self.again}"
                )


def file_entries(folder: Path, names: Iterable[str]) -> list[dict[str, Any]]:
    """Path (inside ``folder``), bytes and SHA-256 of files, as manifests list them."""
    return [
        {
            "path": name,
            "bytes": (folder / name).stat().st_size,
            "sha256": sha256_file(folder / name),
        }
        for name in names
    ]


def first_difference(
    old: Mapping[str, Any], new: Mapping[str, Any], free: Collection[str] = ()
) -> tuple[str, str, str] | None:
    """Dotted key and both values of the first difference of two settings, or None.

    Settings are nested mappings of JSON values (tuples count as lists); ``free`` keys may differ.
    """
    before, after = _flat(old), _flat(new)
    for key in [*after, *(key for key in before if key not in after)]:
        values = before.get(key, ABSENT), after.get(key, ABSENT)
        if key not in free and values[0] != values[1]:
            return key, *values
    return None


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Dotted key to its value as JSON text."""
    flat: dict[str, str] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = json.dumps(value)
    return flat
