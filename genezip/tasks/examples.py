"""Prepared task data: a folder that is complete once its ``manifest.json`` exists.

``examples.parquet`` has one row per example; ``example`` is its number in the deposit, counted
from 0 within its table or, for records of shards, within its split.

:class:`IntervalList` holds a short list of intervals of a deposit, such as those that are masked.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genezip.artifacts.files import atomic_path, sha256_file, sha256_json, write_json
from genezip.artifacts.folder import replaced_folder
from genezip.artifacts.manifest import Kind, file_entries
from genezip.artifacts.provenance import versions
from genezip.artifacts.tables import open_parquet
from genezip.errors import GenezipError
from genezip.formats.bed import BED3, read_bed
from genezip.genome.assembly import ReferenceGenome
from genezip.genome.intervals import Intervals, clip, merge
from genezip.genome.names import translate
from genezip.genome.sources.splits import SPLITS

KIND = Kind(
    "manifest of a prepared task",
    1,
    "prepare the task first",
    "prepare the task again",
    keys=("task", "subset", "counts", "dropped", "facts", "files"),
)
MANIFEST = "manifest.json"
EXAMPLES = "examples.parquet"
_NONE = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class Prepared:
    """A prepared folder."""

    folder: Path
    task: str
    subset: str
    counts: dict[str, int]  # split -> number of examples
    dropped: dict[str, int]  # reason -> number of rows of the deposit that never become examples
    facts: dict[str, Any]  # further facts of the writer (JSON values)

    @classmethod
    def load(cls, manifest: str | Path, task: str | None = None) -> "Prepared":
        """Read ``manifest.json`` and compare the sizes of the files it lists."""
        path = Path(manifest)
        raw = KIND.read(path)
        if task is not None and raw["task"] != task:
            raise GenezipError(f"{path} holds the task {raw['task']}, not {task}; name another")
        KIND.check_files(path, raw["files"])
        return cls(
            path.parent, raw["task"], raw["subset"], raw["counts"], raw["dropped"], raw["facts"]
        )

    def table(self) -> pd.DataFrame:
        """The table ``examples.parquet``, rows in its order."""
        with open_parquet(self.folder / EXAMPLES, KIND) as file:
            return file.read().to_pandas()

    def genome(self, path: str | Path) -> ReferenceGenome:
        """Open the FASTA that the data were prepared with; fact ``sizes_sha256`` proves it."""
        genome = ReferenceGenome(path)
        if sha256_json(genome.sizes) != self.facts["sizes_sha256"]:
            raise GenezipError(
                f"{path} has other chromosomes than the FASTA that {self.folder / MANIFEST} was "
                "prepared with; give that one, or prepare the task again"
            )
        return genome


@contextmanager
def preparing(
    manifest: str | Path,
    task: str,
    subset: str,
    inputs: Mapping[str, Path],
    more: tuple[str, ...] = (),
) -> Iterator["Draft"]:
    """Yield a draft; it replaces the folder, with a manifest, when the block succeeds.

    Parameters
    ----------
    manifest : ``FOLDER/manifest.json``; the folder is replaced as a whole
    inputs : name -> source file, whose SHA-256 goes into the manifest
    more : names of files besides examples and manifest
    """
    folder = Path(manifest).parent
    with replaced_folder(folder, (MANIFEST, EXAMPLES, *more)) as new:
        draft = Draft(new)
        yield draft
        facts = KIND.head(
            task=task,
            subset=subset,
            counts=draft.counts,
            dropped=draft.dropped,
            facts=draft.facts,
            files=file_entries(new, sorted(path.name for path in new.iterdir())),
            inputs={name: sha256_file(path) for name, path in inputs.items()},
            versions=versions(),
        )
        write_json(new / MANIFEST, facts)


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
        self.counts = by_split(table["split"])


def by_split(column: pd.Series) -> dict[str, int]:
    """Number of rows of each split in a column of splits."""
    counts = column.value_counts()
    return {split: int(counts.get(split, 0)) for split in SPLITS}


def rows_by_split(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Row numbers of each split, int64, in the order of the table."""
    split = table["split"].to_numpy()
    return {name: np.flatnonzero(split == name) for name in SPLITS}


class IntervalList:
    """Merged intervals by chromosome: (starts, ends), int64, 0-based, half-open.

    The deposits have bgzip files of some thousand rows with a tabix index; the files are read
    whole, so the index is not needed.
    """

    def __init__(self, chromosomes: dict[str, Intervals]) -> None:
        self.chromosomes = {name: merge(*pair) for name, pair in chromosomes.items()}

    @classmethod
    def read(cls, path: Path, genome: ReferenceGenome) -> "IntervalList":
        """Read a BED of three or more columns: plain, gzip or bgzip.

        Chromosome names become those of the FASTA; rows on other chromosomes are never returned.
        """
        table = read_bed(path, BED3, more=True, todo="fetch the file again")
        names = {chrom: translate(chrom, genome.sizes) for chrom in table["chrom"].unique()}
        rows = table.groupby(table["chrom"].map(names))
        return cls({chrom: (own["start"].to_numpy(), own["end"].to_numpy()) for chrom, own in rows})

    def within(self, chrom: str, start: int, end: int) -> Intervals:
        """Covered parts of ``[start, end)``: sorted, disjoint, clipped (int64 arrays)."""
        starts, ends = self.chromosomes.get(chrom, (_NONE, _NONE))
        first = np.searchsorted(ends, start, side="right")
        last = np.searchsorted(starts, end, side="left")
        return clip(starts[first:last], ends[first:last], start, end)
