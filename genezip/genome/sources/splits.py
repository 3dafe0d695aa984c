"""Which intervals of the genome are used, and which split each belongs to.

The text ``chrom:start-end`` is read by :func:`parse_interval` alone: contigs may themselves be
called ``ctg:1-500``, so a text that is the whole name of a contig is that contig and no part.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from genezip.config import Genome
from genezip.errors import GenezipError
from genezip.formats.bed import BED4_SPLIT, read_bed
from genezip.formats.lines import Input
from genezip.genome.names import translate

SPLITS = ("train", "valid", "test")
"""What the bases of a segment are for: training, choosing between trainings, measuring."""

HELD_OUT_CHROMOSOMES = tuple(Genome.model_fields["test"].default)
"""Chromosomes that the paper holds out (GeneZip, section 4.1): the default of ``genome.test``."""


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
    table = read_bed(path, BED4_SPLIT, choices={"split": SPLITS}, more=True)
    return [Region(*row) for row in table.itertuples(index=False, name=None)]


def demo_regions(settings: Genome) -> list[Region]:
    """The slices and windows of the demo, on the chromosomes asked for."""
    return wanted(read_regions(Path(__file__).with_name("demo_regions.tsv")), settings)


def wanted(regions: list[Region], settings: Genome) -> list[Region]:
    """The regions on ``settings.chromosomes`` (null takes all)."""
    chosen = settings.chromosomes
    return [region for region in regions if chosen is None or region.chrom in chosen]


def split_of(chrom: str, marked: str, settings: Genome) -> str:
    """Split of a segment: whole chromosomes are held out, whatever the table of intervals marks.

    Parameters
    ----------
    marked : str, one of SPLITS
        The mark in the table of intervals. A segment marked test outside the held-out
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
_LISTED = 30  # names of contigs in a message


def parse_interval(text: str, contigs: Collection[str] = ()) -> tuple[str, int, int] | None:
    """Read ``chrom:start-end`` (0-based, half-open; thousands may be separated).

    Parameters
    ----------
    text : str
    contigs : collection of str
        Names of the genome. A text that is one of them whole is a contig and no part of one,
        whatever it looks like.

    Returns
    -------
    (chrom, start, end), or None where the text is no part of a contig
    """
    match = None if text in contigs else _PART.fullmatch(text)
    if match is None or not all(any(map(str.isdigit, match[k])) for k in (2, 3)):
        return None
    return match[1], int(match[2].replace(",", "")), int(match[3].replace(",", ""))


def chrom_of(entry: str, contigs: Collection[str] = ()) -> str:
    """Chromosome of an entry of ``genome.valid`` or ``genome.test``, a name or a part."""
    interval = parse_interval(entry, contigs)
    return interval[0] if interval else entry


def check_names(
    settings: Genome, contigs: Collection[str], used: Collection[str], where: str
) -> None:
    """Refuse a name in ``genome.chromosomes``, ``valid`` or ``test`` that selects nothing.

    Names are those of the assembly, letter by letter: ``chr8`` does not mean ``8`` here, because
    the same names stand in every result. The message gives the assembly's name.

    Parameters
    ----------
    settings : Genome
    contigs : collection of str
        Every contig of the assembly.
    used : collection of str
        Those with DNA in this run. What ``valid`` and ``test`` name must be among them, except
        where ``test`` was left at its default.
    where : str
        What the assembly is called in messages.

    Raises
    ------
    GenezipError
        With the key, the names, and the names that there are.
    """
    for key in ("chromosomes", "valid", "test"):
        entries = list(dict.fromkeys(getattr(settings, key) or []))
        parts = key != "chromosomes"  # which takes whole ones only
        absent = [
            entry
            for entry in entries
            if (chrom_of(entry, contigs) if parts else entry) not in contigs
        ]
        if absent:
            raise GenezipError(
                f"genome.{key} names {', '.join(absent)}, which is not in {where}; "
                f"{_instead(absent[0], contigs)}its contigs are {_listed(contigs)}"
            )
        if not parts or key not in settings.model_fields_set:
            continue
        unused = [entry for entry in entries if chrom_of(entry, contigs) not in used]
        if unused:
            raise GenezipError(
                f"genome.{key} names {', '.join(unused)}, of which this run has no DNA; add it to "
                f"genome.chromosomes, or name one of {_listed(used)}"
            )


def _instead(entry: str, contigs: Collection[str]) -> str:
    """The assembly's name of a contig that is named in another style, as advice."""
    chrom = chrom_of(entry, contigs)
    other = translate(chrom, dict.fromkeys(contigs, 0))
    if other == chrom:
        return ""
    return f"write {other}{entry.removeprefix(chrom)} for {entry}: "


def _listed(names: Collection[str]) -> str:
    shown = list(names)[:_LISTED]
    more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return ", ".join(shown) + more


def split_parts(
    chrom: str, length: int, settings: Genome, contigs: Collection[str] = ()
) -> list[tuple[int, int, str]]:
    """Cut a chromosome where ``genome.valid`` and ``genome.test`` name parts of it.

    Parameters
    ----------
    chrom : str
    length : int
        Its length (bp).
    contigs : collection of str
        All names of the genome; an entry that is one of them whole is no part.

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
            interval = parse_interval(entry, contigs)
            if interval is None or interval[0] != chrom:
                continue
            _, start, end = interval
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
