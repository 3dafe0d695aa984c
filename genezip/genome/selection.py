"""Which intervals of the genome are used, and which split each belongs to."""

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from genezip.config import Genome
from genezip.errors import GenezipError
from genezip.genome.lines import Input, opened
from genezip.genome.tabular import malformed, wrong_interval


@dataclass(frozen=True)
class Region:
    """An interval to use, with the split that its table gives it."""

    chrom: str
    start: int
    end: int
    marked: str

    @property
    def name(self) -> str:
        """``chrom:start-end`` (0-based, half-open)."""
        return f"{self.chrom}:{self.start}-{self.end}"


def read_regions(path: Input) -> list[Region]:
    """Rows of a BED file with a split (train, valid, test) in the fourth column."""
    regions = []
    with opened(path) as file:
        for number, line in file.rows():
            cells = line.split("\t")
            if len(cells) < 4:
                wrong: str | None = f"it has {len(cells)} tab-separated columns instead of 4"
            elif cells[3] not in ("train", "valid", "test"):
                wrong = f"split {cells[3]!r} (column 4) is none of train, valid, test"
            else:
                wrong = wrong_interval(cells[1], cells[2], first=0)
            if wrong:
                raise malformed(file, number, wrong)
            regions.append(Region(cells[0], int(cells[1]), int(cells[2]), cells[3]))
    return regions


def demo_regions(settings: Genome) -> list[Region]:
    """The slices and windows of the demo, on the chromosomes asked for."""
    return wanted(read_regions(Path(__file__).with_name("demo_regions.tsv")), settings)


def wanted(regions: list[Region], settings: Genome) -> list[Region]:
    """The regions on ``settings.chromosomes`` (null takes all)."""
    chosen = settings.chromosomes
    return [region for region in regions if chosen is None or region.chrom in chosen]


def split_of(chrom: str, marked: str, settings: Genome) -> str:
    """Split of a piece: whole chromosomes are held out, whatever their tables say.

    Parameters
    ----------
    marked : {"train", "valid", "test"}
        What the table of intervals says. A piece marked test outside the held-out
        chromosomes trains.

    Raises
    ------
    GenezipError
        For a chromosome that is to validate and to be held out.
    """
    if chrom in settings.test and chrom in settings.valid:
        raise GenezipError(f"genome.test and genome.valid both name {chrom}; name it in one")
    if chrom in settings.test:
        return "test"
    return "valid" if marked == "valid" or chrom in settings.valid else "train"


_PART = re.compile(r"(.+):([\d,]+)-([\d,]+)")


def chrom_of(entry: str) -> str:
    """Chromosome of an entry of ``genome.valid`` or ``genome.test``, a name or a part."""
    match = _PART.fullmatch(entry)
    return match[1] if match else entry


def split_parts(chrom: str, length: int, settings: Genome) -> list[tuple[int, int, str]]:
    """Cut a chromosome where ``genome.valid`` and ``genome.test`` name parts of it.

    Parameters
    ----------
    chrom : str
    length : int
        Its length (bp).

    Returns
    -------
    list of (start, end, split)
        They tile the chromosome. What is not named trains; one part where the whole
        chromosome has one split.

    Raises
    ------
    GenezipError
        For a part that ends before it begins or beyond the chromosome, or overlaps another
        part or the whole chromosome, named too.
    """
    named: list[tuple[int, int, str]] = []
    for split, entries in (("test", settings.test), ("valid", settings.valid)):
        for entry in dict.fromkeys(entries):
            if entry == chrom:
                named.append((0, length, split))
                continue
            match = _PART.fullmatch(entry)
            if match is None or match[1] != chrom:
                continue
            start, end = (int(number.replace(",", "")) for number in match.groups()[1:])
            if not 0 <= start < end <= length:
                raise GenezipError(
                    f"genome.{split} names {entry}, which is no part of {chrom} ({length:,} bp); "
                    "write it as chr4:1,000,000-2,000,000 (0-based, half-open)"
                )
            named.append((start, end, split))
    named.sort()
    for left, right in pairwise(named):
        if right[0] < left[1]:
            raise GenezipError(
                f"genome.{left[2]} and genome.{right[2]} name overlapping parts of {chrom}, "
                f"{left[0]:,}-{left[1]:,} and {right[0]:,}-{right[1]:,}; make them disjoint"
            )
    edges = sorted({0, length, *(edge for start, end, _ in named for edge in (start, end))})
    splits = {start: split for start, _, split in named}
    return [(start, end, splits.get(start, "train")) for start, end in pairwise(edges)]
