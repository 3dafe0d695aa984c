"""The region map: one of seven classes for every base of every piece.

Priority promoter > cds > utr > exon > intron > nig > dig (GeneZip, arXiv 2602.17739,
section 3). The map is made in genome coordinates from whole chromosomes of annotation and
then cut to the pieces, because a gene outside a piece still decides whether a base inside
it is near (NIG) or distal (DIG) intergenic. N bases get labels like any other.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from genezip.config import Regions
from genezip.errors import GenezipError
from genezip.genome.assembly import Assembly, Piece
from genezip.genome.genemodel import Annotation
from genezip.genome.intervals import (
    Intervals,
    clip,
    flatten_by_priority,
    is_sorted,
)
from genezip.genome.naming import match_chrom_style, say_on_stderr
from genezip.genome.tabular import read_table, wrong_interval
from genezip.genome.tracks import BED9_TYPES, write_bed9
from genezip.taxonomy import CLASS_IDS, CLASSES, item_rgb

if TYPE_CHECKING:
    import pyranges

_EMPTY = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
Runs = tuple[np.ndarray, np.ndarray, np.ndarray]
"""starts, ends (int64, sorted, disjoint) and class ids (uint8) of one chromosome."""


class RegionMap:
    """Class of every base of a set of pieces, kept as runs per chromosome."""

    def __init__(self, runs: Mapping[str, Runs]) -> None:
        self._runs = dict(runs)

    @property
    def chroms(self) -> tuple[str, ...]:
        """Chromosomes with at least one labelled base."""
        return tuple(self._runs)

    def ids(self, chrom: str, start: int, end: int) -> np.ndarray:
        """Class ids of a stretch.

        Returns
        -------
        uint8 array, shape (end - start,)

        Raises
        ------
        GenezipError
            If any base of the stretch has no label.
        """
        starts, ends, classes = self._cut(chrom, start, end)
        return np.repeat(classes, ends - starts)

    def runs(self, chrom: str, start: int, end: int) -> tuple[np.ndarray, np.ndarray]:
        """Class runs of a stretch: lengths (int32) and class ids (uint8), neighbours differ."""
        starts, _, classes = self._cut(chrom, start, end)
        if len(classes) == 0:
            return np.zeros(0, dtype=np.int32), classes
        # two pieces that touch may meet in the same class
        new = np.concatenate([[True], classes[1:] != classes[:-1]])
        return np.diff(np.append(starts[new], end)).astype(np.int32), classes[new]

    def _cut(self, chrom: str, start: int, end: int) -> Runs:
        starts, ends, classes = self._runs.get(chrom, (*_EMPTY, np.zeros(0, dtype=np.uint8)))
        first = np.searchsorted(ends, start, side="right")
        last = np.searchsorted(starts, end, side="left")
        starts, ends = clip(starts[first:last], ends[first:last], start, end)
        if int((ends - starts).sum()) != end - start:
            raise GenezipError(
                f"the region map does not cover {chrom}:{start:,}-{end:,}; build it from the same "
                "source"
            )
        return starts, ends, classes[first:last]

    def covers(self, pieces: Iterable[Piece]) -> bool:
        """True if every base of every piece has a label."""
        try:
            for piece in pieces:
                self._cut(piece.chrom, piece.start, piece.end)
        except GenezipError:
            return False
        return True

    def table(self) -> pd.DataFrame:
        """The runs as a table: chrom, start, end, name (class)."""
        names = np.array(CLASSES, dtype=object)
        frames = [
            pd.DataFrame({"chrom": chrom, "start": starts, "end": ends, "name": names[classes]})
            for chrom, (starts, ends, classes) in self._runs.items()
        ]
        empty = pd.DataFrame({"chrom": [], "start": [], "end": [], "name": []})
        return pd.concat(frames, ignore_index=True) if frames else empty

    def to_pyranges(self) -> "pyranges.PyRanges":
        """The runs as PyRanges (Name is the class), to join with intervals of your own."""
        import pyranges

        columns = {"chrom": "Chromosome", "start": "Start", "end": "End", "name": "Name"}
        return pyranges.PyRanges(self.table().rename(columns=columns))

    def write_bed9(self, path: str | Path) -> None:
        """Write the runs as BED9 with one colour per class (gzip if the name ends in .gz)."""
        table = self.table()
        colours = {name: item_rgb(name) for name in CLASSES}
        write_bed9(path, table.assign(rgb=table["name"].map(colours)))

    @classmethod
    def read_bed(cls, path: str | Path) -> "RegionMap":
        """Read what :meth:`write_bed9` wrote.

        Raises
        ------
        GenezipError
            For a missing, truncated or malformed file, an unknown class, or runs that are
            not sorted or overlap.
        """
        rows = read_table(path, BED9_TYPES, _wrong_row).to_pandas()
        chrom, name = rows["chrom"].astype(str), rows["name"].astype(str)
        unknown = sorted(set(name.unique()) - set(CLASSES))
        if unknown:
            raise GenezipError(
                f"{path} has the class {unknown[0]!r}; a region map knows {', '.join(CLASSES)}"
            )
        classes = name.map(CLASS_IDS).to_numpy(dtype=np.uint8)
        runs = {}
        for key, index in chrom.groupby(chrom, sort=False).indices.items():
            start, end = rows["start"].to_numpy()[index], rows["end"].to_numpy()[index]
            if not is_sorted(start, end):
                raise GenezipError(f"{path} is not sorted, or has overlapping runs, on {key}")
            runs[str(key)] = (start, end, classes[index])
        return cls(runs)

    def summary(self, assembly: Assembly) -> pd.DataFrame:
        """Bases of each class by split, with those that are N.

        Returns
        -------
        DataFrame
            split (train, valid, test, all), class, bp, fraction (of the split), n_bp. Every
            split and class has a row, also where bp is 0.
        """
        bp = {split: np.zeros(len(CLASSES), dtype=np.int64) for split in ("train", "valid", "test")}
        n_bp = {split: np.zeros(len(CLASSES), dtype=np.int64) for split in bp}
        for piece in assembly.pieces:
            starts, ends, classes = self._cut(piece.chrom, piece.start, piece.end)
            np.add.at(bp[piece.split], classes, ends - starts)
            for lo, hi in zip(*assembly.n_runs(piece), strict=True):
                s, e, c = self._cut(piece.chrom, int(lo), int(hi))
                np.add.at(n_bp[piece.split], c, e - s)
        bp["all"], n_bp["all"] = sum(bp.values()), sum(n_bp.values())  # type: ignore[assignment]
        rows = []
        for split, counts in bp.items():
            total = int(counts.sum())
            for index, name in enumerate(CLASSES):
                share = counts[index] / total if total else 0.0
                rows.append((split, name, int(counts[index]), share, int(n_bp[split][index])))
        return pd.DataFrame(rows, columns=["split", "class", "bp", "fraction", "n_bp"])


def class_layers(annotation: Annotation, settings: Regions) -> dict[str, list[Intervals]]:
    """Intervals of the six annotated classes of every chromosome, in order of priority.

    A base in none of them is DIG. NIG is inclusive: a base exactly ``nig_distance`` from a
    TSS is near.
    """
    tss = annotation.tss()
    half, far = settings.promoter_half_width, settings.nig_distance
    frames = [
        tss.assign(start=tss["position"] - half, end=tss["position"] + half),
        annotation.cds,
        annotation.utr,
        annotation.exons,
        annotation.transcripts,
        tss.assign(start=tss["position"] - far, end=tss["position"] + far + 1),
    ]
    layers: dict[str, list[Intervals]] = {}
    for position, frame in enumerate(frames):
        starts, ends = frame["start"].to_numpy(), frame["end"].to_numpy()
        for chrom, index in frame.groupby("chrom", sort=False).indices.items():
            found = layers.setdefault(str(chrom), [_EMPTY] * len(frames))
            found[position] = (starts[index], ends[index])
    return layers


def build_region_map(
    annotations: Mapping[str, Annotation],
    assembly: Assembly,
    settings: Regions,
    say: Callable[[str], None] = say_on_stderr,
) -> RegionMap:
    """Label every base of every piece from the annotation set that the piece names.

    Parameters
    ----------
    annotations : mapping
        Set name -> gene models.
    assembly : Assembly
    settings : Regions
        Promoter half-width, NIG distance and the classes that must not be empty.
    say : callable
        Receives warnings: converted contig names, empty classes.

    Raises
    ------
    GenezipError
        If a piece names an unknown set, a set does not fit the assembly, or a required
        class has no base.
    """
    parts: dict[str, list[Runs]] = {}
    for name in dict.fromkeys(piece.annotation for piece in assembly.pieces):
        if name not in annotations:
            raise GenezipError(f"no annotation set is called {name!r}, which pieces.tsv names")
        matched = match_chrom_style(annotations[name], assembly.chrom_sizes, say)
        layers = class_layers(matched, settings)
        pieces = [piece for piece in assembly.pieces if piece.annotation == name]
        for chrom in dict.fromkeys(piece.chrom for piece in pieces):
            whole = flatten_by_priority(
                layers.get(chrom, []), 0, assembly.chrom_sizes[chrom], fill=CLASS_IDS["dig"]
            )
            for piece in pieces:
                if piece.chrom == chrom:
                    cut = RegionMap({chrom: whole})._cut(chrom, piece.start, piece.end)
                    parts.setdefault(chrom, []).append(cut)
    runs = {}
    for chrom, cuts in parts.items():
        cuts.sort(key=lambda cut: int(cut[0][0]))
        starts, ends, classes = (np.concatenate(column) for column in zip(*cuts, strict=True))
        runs[chrom] = (starts, ends, classes)
    _check_classes(runs, settings, say)
    return RegionMap(runs)


def _check_classes(runs: Mapping[str, Runs], settings: Regions, say: Callable[[str], None]) -> None:
    present = {CLASSES[i] for _, _, classes in runs.values() for i in np.unique(classes)}
    lacking = [name for name in settings.required if name not in present]
    if lacking:
        raise GenezipError(
            f"no base is {' or '.join(lacking)}, which regions.required lists; check the "
            "annotation (its transcript, exon and CDS rows) or shorten regions.required"
        )
    for name in CLASSES:
        if name not in present:
            say(f"no base is {name}; its rows will be empty")


def tss_distance(positions: np.ndarray, tss: np.ndarray) -> np.ndarray:
    """Distance of positions to the nearest TSS of the same chromosome (bp).

    Parameters
    ----------
    positions : int64 array, shape (n,)
    tss : int64 array, shape (m,)
        TSS positions of the chromosome, any order.

    Returns
    -------
    int64 array, shape (n,); the largest int64 where the chromosome has no TSS.
    """
    tss = np.unique(tss)
    if len(tss) == 0:
        return np.full(len(positions), np.iinfo(np.int64).max)
    right = np.searchsorted(tss, positions)
    after = np.abs(tss[np.minimum(right, len(tss) - 1)] - positions)
    before = np.abs(positions - tss[np.maximum(right - 1, 0)])
    return np.minimum(before, after)


def _wrong_row(fields: list[str]) -> str | None:
    return wrong_interval(fields[1], fields[2], first=0)
