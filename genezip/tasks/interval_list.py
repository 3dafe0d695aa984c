"""A short list of intervals from a BED file, such as what is masked or replaced in a deposit.

The deposits bring bgzip files with a tabix index. They hold some thousand rows, so they are read
whole and no index is needed.
"""

from pathlib import Path

import numpy as np

from genezip.formats.bed import BED3, read_bed
from genezip.genome.assembly import ReferenceGenome
from genezip.genome.intervals import Intervals, clip, merge
from genezip.genome.names import translate

_NONE = np.zeros(0, dtype=np.int64)


class IntervalList:
    """Merged intervals by chromosome.

    Parameters
    ----------
    chromosomes : dict
        Chromosome -> (starts, ends), int64, 0-based, half-open, in any order.
    """

    def __init__(self, chromosomes: dict[str, Intervals]) -> None:
        self.chromosomes = {name: merge(*pair) for name, pair in chromosomes.items()}

    @classmethod
    def read(cls, path: Path, genome: ReferenceGenome) -> "IntervalList":
        """Read a BED of three or more columns: plain, gzip or bgzip.

        Names of chromosomes become those of the FASTA; rows on others hit nothing.

        Raises
        ------
        GenezipError
            At the first malformed row.
        """
        table = read_bed(path, BED3, more=True, todo="fetch the file again")
        names = {chrom: translate(chrom, genome.sizes) for chrom in table["chrom"].unique()}
        rows = table.groupby(table["chrom"].map(names))
        return cls({chrom: (own["start"].to_numpy(), own["end"].to_numpy()) for chrom, own in rows})

    def within(self, chrom: str, start: int, end: int) -> Intervals:
        """Covered parts of ``[start, end)``: sorted, disjoint, clipped to it (int64 arrays)."""
        starts, ends = self.chromosomes.get(chrom, (_NONE, _NONE))
        first = np.searchsorted(ends, start, side="right")
        last = np.searchsorted(starts, end, side="left")
        return clip(starts[first:last], ends[first:last], start, end)
