"""Intervals of the genome that are used, and the split of each.

Only :func:`parse_interval` reads ``chrom:start-end``: a contig may itself be named ``ctg:1-500``,
so a text that is the name of a contig stands for that contig.
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
"""Uses of a segment: training, model selection, evaluation."""

HELD_OUT_CHROMOSOMES = tuple(Genome.model_fields["test"].default)
"""Chromosomes that the paper holds out (GeneZip, section 4.1): the default of ``genome.test``."""


@dataclass(frozen=True)
class Region:
    """An interval to use, with its split in the table of intervals."""

    chrom: str
    start: int
    end: int
    marked: str

    @property
    def name(self) -> str:
        """``chrom:start-end`` (0-based, half-open)."""
        return f"{self.chrom}:{self.start}-{self.end}"


def read_regions(path: Input) -> list[Region]:
    """Read a BED file with a split (train, valid, test) in the fourth column."""
    table = read_bed(path, BED4_SPLIT, choices={"split": SPLITS}, more=True)
    return [Region(*row) for row in table.itertuples(index=False, name=None)]


def demo_regions(settings: Genome) -> list[Region]:
    """The slices and windows of the demo on the configured chromosomes."""
    return wanted(read_regions(Path(__file__).with_name("demo_regions.tsv")), settings)


def wanted(regions: list[Region], settings: Genome) -> list[Region]:
    """The regions on ``settings.chromosomes`` (null takes all)."""
    chosen = settings.chromosomes
    return [region for region in regions if chosen is None or region.chrom in chosen]


def split_of(chrom: str, marked: str, settings: Genome) -> str:
    """Split of a segment with the split ``marked`` in the table of intervals.

    Whole chromosomes are held out whatever is marked, and a segment that is marked test on another
    chromosome is used for training.
    """
    if chrom in settings.test and chrom in settings.valid:
        raise GenezipError(f"genome.test and genome.valid both name {chrom}; name it in one")
    if chrom in settings.test:
        return "test"
    return "valid" if marked == "valid" or chrom in settings.valid else "train"


_PART = re.compile(r"(.+):([\d,]+)-([\d,]+)")
_LISTED = 30  # contig names in a message


def parse_interval(text: str, contigs: Collection[str] = ()) -> tuple[str, int, int] | None:
    """Parse ``chrom:start-end`` (0-based, half-open; thousands may be separated).

    Returns None for another text, and for the name of one of the ``contigs``.
    """
    match = None if text in contigs else _PART.fullmatch(text)
    if match is None or not all(any(map(str.isdigit, match[k])) for k in (2, 3)):
        return None
    return match[1], int(match[2].replace(",", "")), int(match[3].replace(",", ""))


def chrom_of(entry: str, contigs: Collection[str] = ()) -> str:
    """Chromosome of an entry of ``genome.valid`` or ``genome.test``, a name or an interval."""
    interval = parse_interval(entry, contigs)
    return interval[0] if interval else entry


def check_names(
    settings: Genome, contigs: Collection[str], used: Collection[str], where: str
) -> None:
    """Raise for a name in ``genome.chromosomes``, ``valid`` or ``test`` that selects nothing.

    Names must be spelled as in the assembly: ``chr8`` does not match ``8``, because results use the
    configured names. The message suggests the assembly's name.

    Parameters
    ----------
    contigs : all contigs of the assembly
    used : contigs with DNA in this run; ``valid`` and ``test`` must select among them, except
        where ``test`` was left at its default
    where : name of the assembly in messages
    """
    for key in ("chromosomes", "valid", "test"):
        entries = list(dict.fromkeys(getattr(settings, key) or []))
        parts = key != "chromosomes"  # `chromosomes` takes no intervals
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
    """Advice with the assembly's name, if a contig has it in another style; else empty."""
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
    """Cut a chromosome at the intervals of it in ``genome.valid`` and ``genome.test``.

    The parts (start, end, split) tile the chromosome; the rest of it is for training. ``contigs``
    are all contig names of the genome, see :func:`parse_interval`.
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
                    f"genome.{split} names {entry}, which is not part of {chrom} ({length:,} bp); "
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
