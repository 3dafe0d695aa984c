"""Windows of the task tisp: a tiling of the held-out chromosomes, and random training windows.

Both are those of DNALongBench (doi 10.1038/s41467-025-65077-4), whose evaluation is that of
Puffin-D. Windows have 100,000 bp and start every 50,000 bp, with one more flush with the end of the
chromosome. Only their middle is scored, so that every position has context on both sides.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from genezip.errors import GenezipError
from genezip.genome.assembly import ReferenceGenome
from genezip.genome.intervals import Covered, is_tiling
from genezip.log import progress

WINDOW_BP = 100_000
STEP_BP = 50_000
TRIM_BP = 25_000
"""Bases at each side of a window, and at each end of a chromosome, that are not scored."""

HELD_OUT = {"chr10": "valid", "chr8": "test", "chr9": "test"}
"""Chromosomes whose windows are not trained on, and their split."""

MIN_CONTIG_BP = 300_000
"""Training contigs are longer than this."""

MARGIN_BP = 100_000
"""Centres of training windows keep this distance from both ends of a contig."""

MAX_N = 0.3
"""Training windows with a larger share of N are drawn again."""

SAMPLER_SEED = 3
"""Seed of the published sampler, whose windows cannot be reproduced, only its distribution."""

_DRAWS = 10_000  # attempts at one window before an error
_HAPLOTYPE = re.compile("(?:CHR_)?(?:HSCHR([0-9]+|X|Y)_|HG[0-9])")  # of Ensembl


def tiling(length: int) -> pd.DataFrame:
    """Windows of a held-out chromosome of ``length`` bp and the part of each that is scored.

    The columns are start, end, keep_start, keep_end (int64). The kept parts tile the chromosome but
    for 25,000 bp at each end: each window keeps its middle 50,000 bp, and the last one, flush with
    the end, takes precedence over the one before.
    """
    if length < WINDOW_BP:
        raise GenezipError(
            f"a held-out chromosome has {length:,} bases, fewer than a window of {WINDOW_BP:,}; "
            "give the whole genome"
        )
    last = length - WINDOW_BP
    starts = np.unique(np.append(np.arange(0, last + 1, STEP_BP, dtype=np.int64), last))
    keep_starts = starts + TRIM_BP
    keep_ends = np.append(keep_starts[1:], length - TRIM_BP)
    # A window keeps 50,000 bp, or fewer where the last one begins sooner.
    assert (keep_ends - keep_starts <= WINDOW_BP - 2 * TRIM_BP).all()
    assert is_tiling(keep_starts, keep_ends, TRIM_BP, length - TRIM_BP)
    return pd.DataFrame(
        {
            "start": starts,
            "end": starts + WINDOW_BP,
            "keep_start": keep_starts,
            "keep_end": keep_ends,
        }
    )


@dataclass(frozen=True)
class TrainingWindows:
    """Random windows of the training contigs; window i does not depend on earlier draws."""

    lengths: dict[str, int]  # contig -> length (bp) of every training contig
    # contig -> bases that are N (:class:`genezip.genome.intervals.Covered`)
    unknown: dict[str, Covered]
    seed: int

    def draw(self, number: int) -> tuple[str, int]:
        """Contig and start of a training window.

        A contig is drawn in proportion to its length minus 200,000 bp, the centre uniformly at
        least 100,000 bp from both ends; a window with more than 30 % N is drawn again. Unlike the
        published sampler, 38 small intervals at centromeres are not rejected, as the deposit lacks
        their list.
        """
        rng = np.random.default_rng([SAMPLER_SEED, self.seed, number])
        names = list(self.lengths)
        room = np.array([self.lengths[name] - 2 * MARGIN_BP for name in names], dtype=np.float64)
        edges = np.cumsum(room / room.sum())
        for _ in range(_DRAWS):
            index = np.searchsorted(edges, rng.random(), side="right")
            name = names[min(int(index), len(names) - 1)]
            centre = int(rng.integers(MARGIN_BP, self.lengths[name] - MARGIN_BP))
            start = centre - WINDOW_BP // 2
            bounds = np.array([start]), np.array([start + WINDOW_BP])
            if self.unknown[name].within(*bounds)[0] <= MAX_N * WINDOW_BP:
                return name, start
        raise GenezipError(
            "no training window with at most 30 % N was found on "
            f"{', '.join(names[:3])}; give the whole genome"
        )


def training_contigs(sizes: Mapping[str, int], tracks: Mapping[str, int]) -> dict[str, int]:
    """Contigs from which training windows are drawn -> length (bp), in the order of the FASTA.

    They are in the FASTA (``sizes``) and in every bigWig (``tracks``), longer than 300,000 bp,
    without chr8, chr9 and chr10, their alternative haplotypes (UCSC ``chr8_..._alt``, Ensembl
    ``CHR_HSCHR8_...``) and Ensembl's patches (``CHR_HG..._PATCH``), whose names lack the
    chromosome.
    """
    found = {
        name: length
        for name, length in sizes.items()
        if name in tracks and not _held_out(name) and length > MIN_CONTIG_BP
    }
    if not found:
        raise GenezipError(
            f"no contig longer than {MIN_CONTIG_BP:,} bp besides chr8, chr9 and chr10 is in both "
            "the FASTA and the tracks; give the whole genome"
        )
    return found


def _held_out(name: str) -> bool:
    """Whether a contig belongs, or may belong, to a held-out chromosome."""
    haplotype = _HAPLOTYPE.match(name)
    if haplotype:
        return haplotype[1] is None or f"chr{haplotype[1]}" in HELD_OUT
    return f"chr{name.split('_')[0].removeprefix('chr')}" in HELD_OUT


def unknown_bases(genome: ReferenceGenome, contigs: Mapping[str, int]) -> dict[str, Covered]:
    """Runs without A, C, G or T of contigs, each read once in blocks of a few million bases."""
    found = {}
    for name in progress(contigs, "N of contigs", unit="contig"):
        found[name] = Covered(*genome.n_runs(name))
    return found
