"""A short list of intervals from a BED file, such as what is masked or replaced in a deposit.

The deposits bring bgzip files with a tabix index. They hold some thousand rows, so they are read
whole and no index is needed.
"""

from pathlib import Path

import numpy as np

from genezip.errors import GenezipError
from genezip.formats.lines import read_rows
from genezip.formats.tabular import wrong_interval
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
        found: dict[str, list[tuple[int, int]]] = {}
        for number, line in read_rows(path):
            cells = line.split("\t")
            if len(cells) < 3:
                wrong: str | None = f"it has {len(cells)} tab-separated columns instead of 3"
            else:
                wrong = wrong_interval(cells[1], cells[2], first=0)
            if wrong:
                raise GenezipError(
                    f"line {number} of {path} is malformed: {wrong}; fetch the file again"
                )
            found.setdefault(cells[0], []).append((int(cells[1]), int(cells[2])))
        named: dict[str, list[tuple[int, int]]] = {}
        for chrom, rows in found.items():
            named.setdefault(translate(chrom, genome.sizes), []).extend(rows)
        arrays = {chrom: np.array(rows, dtype=np.int64) for chrom, rows in named.items()}
        return cls({chrom: (rows[:, 0], rows[:, 1]) for chrom, rows in arrays.items()})

    def within(self, chrom: str, start: int, end: int) -> Intervals:
        """Covered parts of ``[start, end)``: sorted, disjoint, clipped to it (int64 arrays)."""
        starts, ends = self.chromosomes.get(chrom, (_NONE, _NONE))
        first = np.searchsorted(ends, start, side="right")
        last = np.searchsorted(starts, end, side="left")
        return clip(starts[first:last], ends[first:last], start, end)
