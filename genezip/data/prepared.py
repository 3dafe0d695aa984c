"""A task's data once converted: a folder whose ``manifest.json`` is written last.

``examples.parquet`` has one row per example; ``example`` is its number in the deposit, counted
from 0 within its table or, for records of shards, within its split.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from genezip.artifacts.files import atomic_path, sha256_file, write_json
from genezip.artifacts.folder import replaced_folder
from genezip.artifacts.provenance import versions
from genezip.errors import GenezipError
from genezip.genome.sources.splits import SPLITS

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"
EXAMPLES = "examples.parquet"


@dataclass(frozen=True)
class Prepared:
    """A prepared folder.

    Attributes
    ----------
    folder : Path
    task, subset : str
    counts : split -> number of examples
    dropped : reason -> number of rows of the deposit that never become examples
    facts : dict
        What else the writer noted (JSON values).
    """

    folder: Path
    task: str
    subset: str
    counts: dict[str, int]
    dropped: dict[str, int]
    facts: dict[str, Any]

    @classmethod
    def load(cls, manifest: str | Path, task: str | None = None) -> "Prepared":
        """Read ``manifest.json`` and compare the sizes of the files it lists.

        Raises
        ------
        GenezipError
            If it is missing, unreadable, of another version or task, or a file of it is.
        """
        path = Path(manifest)
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise GenezipError(f"{path} does not exist; prepare the task first") from None
        except (ValueError, OSError) as error:
            raise GenezipError(f"{path} cannot be read ({error}); prepare it again") from None
        version = raw.get("schema_version") if isinstance(raw, dict) else None
        if version != SCHEMA_VERSION:
            raise GenezipError(
                f"{path} has schema_version {version}, this genezip reads {SCHEMA_VERSION}; "
                "prepare the task again"
            )
        if task is not None and raw["task"] != task:
            raise GenezipError(f"{path} holds the task {raw['task']}, not {task}; name another")
        for entry in raw["files"]:
            file = path.parent / entry["path"]
            if not file.is_file() or file.stat().st_size != entry["bytes"]:
                raise GenezipError(f"{file} is missing or incomplete; prepare the task again")
        return cls(
            path.parent, raw["task"], raw["subset"], raw["counts"], raw["dropped"], raw["facts"]
        )

    def table(self) -> pd.DataFrame:
        """``examples.parquet``, rows in its order."""
        return pd.read_parquet(self.folder / EXAMPLES)


@contextmanager
def preparing(
    manifest: str | Path,
    task: str,
    subset: str,
    inputs: Mapping[str, Path],
    own: tuple[str, ...] = (),
) -> Iterator["Draft"]:
    """Yield a draft whose folder takes its place, with a manifest, when the block succeeds.

    Parameters
    ----------
    manifest : path
        ``FOLDER/manifest.json``; the folder is replaced as a whole.
    inputs : name -> file it is made from, for the record of provenance (SHA-256)
    own : names of files besides examples and manifest
    """
    folder = Path(manifest).parent
    with replaced_folder(folder, (MANIFEST, EXAMPLES, *own)) as new:
        draft = Draft(new)
        yield draft
        names = sorted(path.name for path in new.iterdir())
        write_json(
            new / MANIFEST,
            {
                "schema_version": SCHEMA_VERSION,
                "task": task,
                "subset": subset,
                "counts": draft.counts,
                "dropped": draft.dropped,
                "facts": draft.facts,
                "files": [
                    {
                        "path": name,
                        "bytes": (new / name).stat().st_size,
                        "sha256": sha256_file(new / name),
                    }
                    for name in names
                ],
                "inputs": {name: sha256_file(path) for name, path in inputs.items()},
                "versions": versions(),
            },
        )


class Draft:
    """A prepared folder being written: fill ``folder``, then set counts, dropped and facts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.counts: dict[str, int] = {}
        self.dropped: dict[str, int] = {}
        self.facts: dict[str, Any] = {}

    def write_examples(self, table: pd.DataFrame) -> None:
        """Write ``examples.parquet`` and count its rows by split."""
        with atomic_path(self.folder / EXAMPLES) as temporary:
            table.to_parquet(temporary, index=False)
        counts = table["split"].value_counts()
        self.counts = {name: int(counts.get(name, 0)) for name in SPLITS}
