"""A region map in memory (runs of region classes per chromosome) and on disk (BED9).

If a map has user classes, the first line of its BED file is a comment: ``#genezip-classes``, a tab,
and these classes as JSON. The seven classes alone need no such line.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from genezip.errors import GenezipError
from genezip.formats.bed import BED9, read_bed, write_bed9
from genezip.formats.lines import Input, TextFile, is_row, opened
from genezip.genome.assembly import SPLITS, Assembly, Segment
from genezip.genome.intervals import NO_INTERVALS, clip, is_sorted, value_runs
from genezip.region_classes import GENE7, RegionClasses

if TYPE_CHECKING:
    import pyranges

CLASSES_LINE = "#genezip-classes\t"
"""Prefix of the comment with the user classes."""

Runs = tuple[np.ndarray, np.ndarray, np.ndarray]
"""starts, ends (int64, sorted, disjoint) and class ids (uint8) of one chromosome."""

_NO_RUNS: Runs = (*NO_INTERVALS, np.zeros(0, dtype=np.uint8))


class RegionMap:
    """Class of every base of a set of segments, kept as runs per chromosome.

    Parameters
    ----------
    runs : mapping
        Chromosome -> its runs.
    region_classes : RegionClasses
        Names and ids of the classes.
    """

    def __init__(self, runs: Mapping[str, Runs], region_classes: RegionClasses = GENE7) -> None:
        self._runs = dict(runs)
        self.region_classes = region_classes

    def sha256(self) -> str:
        """Hash of all runs and classes; equal maps have equal hashes."""
        digest = hashlib.sha256(json.dumps(self.region_classes.to_json()).encode())
        for chrom in sorted(self._runs):
            digest.update(chrom.encode() + b"\0")
            for column, kind in zip(self._runs[chrom], ("<i8", "<i8", "u1"), strict=True):
                digest.update(np.asarray(column, dtype=kind).tobytes())
        return digest.hexdigest()

    @property
    def chroms(self) -> tuple[str, ...]:
        """Chromosomes with at least one classified base."""
        return tuple(self._runs)

    def ids(self, chrom: str, start: int, end: int) -> np.ndarray:
        """Class ids of an interval, uint8 array of shape (end - start,); as :meth:`cut`."""
        starts, ends, classes = self.cut(chrom, start, end)
        return np.repeat(classes, ends - starts)

    def runs(self, chrom: str, start: int, end: int) -> tuple[np.ndarray, np.ndarray]:
        """Maximal class runs of an interval: lengths (int32) and class ids (uint8)."""
        starts, _, classes = self.cut(chrom, start, end)
        # two adjacent segments may meet in the same class
        first, classes = value_runs(classes)
        return np.diff(np.append(starts[first], end)).astype(np.int32), classes

    def many_runs(
        self, chrom: str, starts: np.ndarray, ends: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Class runs of many intervals of a chromosome at once, each as :meth:`runs` gives it.

        Parameters
        ----------
        starts, ends : int64 arrays, shape (n,)
            Not empty; in any order, and they may overlap.

        Returns
        -------
        counts : int64 array, shape (n,), runs of each interval
        lengths : int32 array, shape (sum of counts,), one interval after the other
        classes : uint8 array, the same shape
        """
        run_starts, run_ends, run_classes = self._runs.get(chrom, _NO_RUNS)
        first = np.searchsorted(run_ends, starts, side="right")
        counts = np.maximum(np.searchsorted(run_starts, ends, side="left") - first, 0)
        owner = np.repeat(np.arange(len(starts)), counts)
        begins = np.cumsum(counts) - counts  # first run of each interval
        index = np.arange(len(owner)) - begins[owner] + first[owner]
        lengths = np.minimum(run_ends[index], ends[owner])
        lengths = lengths - np.maximum(run_starts[index], starts[owner])
        covered = np.bincount(owner, weights=lengths, minlength=len(starts))
        for wrong in np.flatnonzero(covered != ends - starts):
            self.cut(chrom, int(starts[wrong]), int(ends[wrong]))  # raises
        classes = run_classes[index]
        new = np.ones(len(index), dtype=bool)  # two adjacent segments may meet in the same class
        new[1:] = (classes[1:] != classes[:-1]) | (owner[1:] != owner[:-1])
        begin = np.flatnonzero(new)
        if not len(begin):
            return counts, lengths.astype(np.int32), classes
        joined = np.add.reduceat(lengths, begin).astype(np.int32)
        return np.bincount(owner[begin], minlength=len(starts)), joined, classes[begin]

    def cut(self, chrom: str, start: int, end: int) -> Runs:
        """Starts, ends and class ids of the runs of an interval, which must be classified."""
        starts, ends, classes = self._runs.get(chrom, _NO_RUNS)
        first = np.searchsorted(ends, start, side="right")
        last = np.searchsorted(starts, end, side="left")
        starts, ends = clip(starts[first:last], ends[first:last], start, end)
        if int((ends - starts).sum()) != end - start:
            raise GenezipError(
                f"the region map does not cover {chrom}:{start:,}-{end:,}; build it from the same "
                "source"
            )
        return starts, ends, classes[first:last]

    def covers(self, segments: Iterable[Segment]) -> bool:
        """True if every base of every segment has a region class."""
        try:
            for segment in segments:
                self.cut(segment.chrom, segment.start, segment.end)
        except GenezipError:
            return False
        return True

    def table(self) -> pd.DataFrame:
        """The runs as a table: chrom, start, end, name (class)."""
        names = np.array(self.region_classes.names, dtype=object)
        frames = [
            pd.DataFrame({"chrom": chrom, "start": starts, "end": ends, "name": names[classes]})
            for chrom, (starts, ends, classes) in self._runs.items()
        ]
        empty = pd.DataFrame({"chrom": [], "start": [], "end": [], "name": []})
        return pd.concat(frames, ignore_index=True) if frames else empty

    def to_pyranges(self) -> "pyranges.PyRanges":
        """The runs as PyRanges (Name is the class), to join with other intervals."""
        import pyranges

        columns = {"chrom": "Chromosome", "start": "Start", "end": "End", "name": "Name"}
        return pyranges.PyRanges(self.table().rename(columns=columns))

    def write_bed9(self, path: str | Path) -> None:
        """Write BED9 with one colour per class; for ``.gz``, as bgzip with a tabix index."""
        table = self.table()
        colours = {name: self.region_classes.item_rgb(name) for name in self.region_classes.names}
        user = self.region_classes.to_json()
        head = f"{CLASSES_LINE}{json.dumps(user)}\n" if user else ""
        write_bed9(path, table.assign(rgb=table["name"].map(colours)), head)

    @classmethod
    def read_bed(cls, given: Input) -> "RegionMap":
        """Read a file or pipe in the format of :meth:`write_bed9`."""
        with opened(given) as file:
            path = str(file)
            rows = read_bed(file, BED9)
            region_classes = _read_region_classes(file)
        chrom, name = rows["chrom"].astype(str), rows["name"].astype(str)
        unknown = sorted(set(name.unique()) - set(region_classes.names))
        if unknown:
            raise GenezipError(
                f"{path} has the class {unknown[0]!r}; the region classes are "
                f"{', '.join(region_classes.names)}"
            )
        classes = name.map(region_classes.ids).to_numpy(dtype=np.uint8)
        runs = {}
        for key, index in chrom.groupby(chrom, sort=False).indices.items():
            start, end = rows["start"].to_numpy()[index], rows["end"].to_numpy()[index]
            if not is_sorted(start, end):
                raise GenezipError(f"{path} is not sorted, or has overlapping runs, on {key}")
            runs[str(key)] = (start, end, classes[index])
        return cls(runs, region_classes)

    def totals(self, chroms: Iterable[str] | None = None) -> pd.DataFrame:
        """Bases of each class on some chromosomes; None takes all.

        Returns
        -------
        DataFrame
            class, bp, fraction. Every class has a row, also where bp is 0.
        """
        counts = np.zeros(len(self.region_classes), dtype=np.int64)
        for chrom in self.chroms if chroms is None else chroms:
            starts, ends, classes = self._runs[chrom]
            np.add.at(counts, classes, ends - starts)
        fraction = counts / max(int(counts.sum()), 1)
        return pd.DataFrame(
            {"class": self.region_classes.names, "bp": counts, "fraction": fraction}
        )

    def summary(self, assembly: Assembly) -> pd.DataFrame:
        """Bases of each class by split, with those that are N.

        Returns
        -------
        DataFrame
            split (train, valid, test, all), class, bp, fraction (of the split), n_bp. Every
            split and class has a row, also where bp is 0.
        """
        names = self.region_classes.names
        bp = {split: np.zeros(len(names), dtype=np.int64) for split in SPLITS}
        n_bp = {split: np.zeros(len(names), dtype=np.int64) for split in bp}
        for segment in assembly.segments:
            starts, ends, classes = self.cut(segment.chrom, segment.start, segment.end)
            np.add.at(bp[segment.split], classes, ends - starts)
            for lo, hi in zip(*assembly.n_runs(segment), strict=True):
                s, e, c = self.cut(segment.chrom, int(lo), int(hi))
                np.add.at(n_bp[segment.split], c, e - s)
        bp["all"], n_bp["all"] = sum(bp.values()), sum(n_bp.values())  # type: ignore[assignment]
        frames = [
            pd.DataFrame(
                {
                    "split": split,
                    "class": names,
                    "bp": counts,
                    "fraction": counts / max(int(counts.sum()), 1),
                    "n_bp": n_bp[split],
                }
            )
            for split, counts in bp.items()
        ]
        return pd.concat(frames, ignore_index=True)


def _read_region_classes(file: TextFile) -> RegionClasses:
    """The region classes of a file: the seven, and those of the comment above the rows."""
    for number, line in file.lines():
        if is_row(line):
            break
        if not line.startswith(CLASSES_LINE):
            continue
        try:
            return RegionClasses.from_json(json.loads(line.removeprefix(CLASSES_LINE)))
        except (ValueError, TypeError):
            raise GenezipError(
                f"line {number} of {file} does not list region classes in the form that genezip "
                "writes; build the region map again"
            ) from None
    return GENE7
