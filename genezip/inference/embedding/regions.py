"""Regions of a BED, the context that is read with them, and what is read together.

Positions count the bases of all regions in the order of the BED, so a position names a row and a
base of it. Bases are read in the direction of the strand: on ``-`` the reverse complement, from the
last base of the region to its first.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import pandas as pd

from genezip.alphabet import reverse_complement
from genezip.errors import GenezipError
from genezip.formats.bed import read_regions
from genezip.formats.lines import TextFile
from genezip.genome.assembly import ReferenceGenome
from genezip.genome.names import first_names, match_intervals, translate


@dataclass(frozen=True)
class Context:
    """Bases that are read before and after a region, in the direction of reading (bp).

    There are fewer at the end of a contig.
    """

    before: int
    after: int


@dataclass(frozen=True)
class Stretch:
    """A region, or a part of it that is read alone.

    Attributes
    ----------
    row : number of the region in the BED, from 0
    at : position of its first base in the direction of reading
    contig : name in the FASTA
    start, end : its interval on the contig, 0-based, half-open
    low, high : the interval that is read, which includes the context
    reverse : whether the reverse complement is read
    last : whether the region ends with it
    """

    row: int
    at: int
    contig: str
    start: int
    end: int
    low: int
    high: int
    reverse: bool
    last: bool

    @property
    def length(self) -> int:
        """Bases without the context."""
        return self.end - self.start

    @property
    def read_bp(self) -> int:
        """Bases with the context."""
        return self.high - self.low

    @property
    def before(self) -> int:
        """Bases of context that are read before the first of its own."""
        return self.high - self.end if self.reverse else self.start - self.low

    def ids(self, genome: ReferenceGenome, first: int, last: int) -> np.ndarray:
        """Token ids of bases ``first`` to ``last`` (half-open) of those read, uint8, in order."""
        if self.reverse:
            return reverse_complement(genome.ids(self.contig, self.high - last, self.high - first))
        return genome.ids(self.contig, self.low + first, self.low + last)

    def intervals(self, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Intervals on the contig of intervals among the bases that are read (int64 arrays)."""
        if self.reverse:
            return self.high - ends, self.high - starts
        return self.low + starts, self.low + ends


@dataclass(frozen=True)
class Step:
    """What is read at once: whole stretches as a batch, or a block of one that is streamed.

    ``block`` is the block's interval among the bases of the stretch without its context, None for
    whole stretches. ``at`` and ``end`` are positions.
    """

    stretches: tuple[Stretch, ...]
    block: tuple[int, int] | None = None

    @property
    def at(self) -> int:
        """Position of the first base."""
        return self.stretches[0].at + (self.block[0] if self.block else 0)

    @property
    def end(self) -> int:
        """Position after the last base."""
        last = self.stretches[-1]
        return last.at + (self.block[1] if self.block else last.length)


class Regions:
    """The rows of a BED, file or pipe, on a genome; rows that do not fit it are refused.

    Attributes
    ----------
    table : chrom, start, end, name, strand and line, as :func:`genezip.formats.bed.read_regions`
        gives them, with the names of the BED
    bed, name : path and name of the BED in messages
    sha256 : hex hash of the BED
    bounds : position of the first base of every row, and the number of bases; int64, (rows + 1,)
    """

    def __init__(self, bed: str | Path, genome: ReferenceGenome) -> None:
        self.genome = genome
        with TextFile(bed) as file:
            self.bed, self.name = str(file), file.name
            self.table = read_regions(file)
            self.sha256 = file.sha256()
        self._refuse_unknown()
        matched = match_intervals(self.name, self.table, genome.sizes)
        self._contigs = matched["chrom"].tolist()
        lengths = self.table["end"] - self.table["start"]
        self.bounds = np.concatenate([[0], lengths.cumsum()]).astype(np.int64)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def bases(self) -> int:
        """Bases of all regions; a base in two regions counts twice."""
        return int(self.bounds[-1])

    def _refuse_unknown(self) -> None:
        sizes = self.genome.sizes
        for chrom in self.table["chrom"].unique():
            if translate(chrom, sizes) in sizes:
                continue
            line = self.table["line"][self.table["chrom"] == chrom].iloc[0]
            close = get_close_matches(chrom, sizes, 3)
            advice = (
                f"did you mean {' or '.join(close)}?"
                if close
                else f"give files of the same genome (the FASTA has {first_names(sizes)})"
            )
            raise GenezipError(
                f"line {line} of {self.bed} is on the contig {chrom}, which {self.genome.path} "
                f"lacks; {advice}"
            )

    def stretches(self, context: Context, window_bp: int | None) -> Iterator[Stretch]:
        """All regions in order, each whole or in parts of ``window_bp``, the last one shorter."""
        columns = [self.table[name].tolist() for name in ("start", "end", "strand")]
        rows = zip(self._contigs, *columns, strict=True)
        for row, (contig, start, end, strand) in enumerate(rows):
            size, reverse, length = self.genome.sizes[contig], strand == "-", end - start
            left, right = context.before, context.after
            if reverse:
                left, right = right, left
            step = window_bp or length
            for first in range(0, length, step):
                last = min(first + step, length)
                lo, hi = (end - last, end - first) if reverse else (start + first, start + last)
                yield Stretch(
                    row=row,
                    at=int(self.bounds[row]) + first,
                    contig=contig,
                    start=lo,
                    end=hi,
                    low=max(lo - left, 0),
                    high=min(hi + right, size),
                    reverse=reverse,
                    last=last == length,
                )

    def line_of(self, stretch: Stretch) -> str:
        """Where a region stands, for messages."""
        return f"line {self.table['line'].iloc[stretch.row]} of {self.bed}"

    def columns(self) -> pd.DataFrame:
        """What the written files repeat of the BED: chrom, start, end, name and strand."""
        return self.table[["chrom", "start", "end", "name", "strand"]]


def steps(stretches: Iterator[Stretch], most_bp: int, streams: bool) -> Iterator[Step]:
    """Batches of whole stretches of about ``most_bp`` bases with their context, in order.

    A longer stretch is alone in its batch, or read in blocks of ``most_bp`` if ``streams`` is set.
    The steps depend on these arguments only, so that a resumed run has those of the first.
    """
    batch: list[Stretch] = []
    held = 0
    for one in stretches:
        if batch and held + one.read_bp > most_bp:
            yield Step(tuple(batch))
            batch, held = [], 0
        if streams and one.read_bp > most_bp:
            for first in range(0, one.length, most_bp):
                yield Step((one,), (first, min(first + most_bp, one.length)))
            continue
        batch.append(one)
        held += one.read_bp
    if batch:
        yield Step(tuple(batch))
