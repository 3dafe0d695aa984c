"""The ten bigWig tracks of the task tisp, and the two lists of intervals with replaced values.

Files: deposit doi:10.7910/DVN/VXQKWO of DNALongBench (doi 10.1038/s41467-025-65077-4), from the
training set of Puffin-D. Track k on the plus strand and track 9 - k on the minus strand are the
same assay, so the target of the other strand is the target with both axes reversed.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyBigWig

from genezip.errors import GenezipError
from genezip.formats.bigwig import open_bigwig
from genezip.genome.assembly import ReferenceGenome
from genezip.genome.names import translate
from genezip.tasks.deposits import FILES, TaskFiles
from genezip.tasks.examples import IntervalList
from genezip.tasks.initiation.windows import HELD_OUT

TRACKS = {
    "fantom_cage.plus": "agg.plus.bw.bedgraph.bw",
    "encode_cage.plus": "agg.encodecage.plus.v2.bedgraph.bw",
    "encode_rampage.plus": "agg.encoderampage.plus.v2.bedgraph.bw",
    "gro_cap.plus": "agg.plus.grocap.bedgraph.sorted.merged.bw",
    "pro_cap.plus": "agg.plus.allprocap.bedgraph.sorted.merged.bw",
    "pro_cap.minus": "agg.minus.allprocap.bedgraph.sorted.merged.bw",
    "gro_cap.minus": "agg.minus.grocap.bedgraph.sorted.merged.bw",
    "encode_rampage.minus": "agg.encoderampage.minus.v2.bedgraph.bw",
    "encode_cage.minus": "agg.encodecage.minus.v2.bedgraph.bw",
    "fantom_cage.minus": "agg.minus.bw.bedgraph.bw",
}
"""Name -> file, in the order of the rows of a target."""

REPLACED = (("plus", 0, 1), ("minus", 9, 8))
"""Strand of a list, its replaced track, and the track with the source values."""

FACTOR = 0.61357
"""Factor from source to replaced values, in the stored logarithmic scale."""


def track_files(files: TaskFiles) -> list[Path]:
    """The ten bigWigs in the order of :data:`TRACKS`.

    Their sizes are checked, as parts of a truncated bigWig can be read without an error.
    """
    found = [files.one(f"/{name}") for name in TRACKS.values()]
    entries = zip(files.paths, files.facts["files"], strict=True)
    sized = [entry for path, entry in entries if path in found and "bytes" in entry]
    FILES.check_files(files.listing, sized)
    return found


def list_files(files: TaskFiles) -> list[Path]:
    """The BED files of both strands in any folder, as some copies have no ``blacklists/``."""
    return [files.one(f"/fantom.blacklist8.{strand}.bed.gz") for strand, *_ in REPLACED]


class InitiationTracks:
    """Values of the tracks in any interval.

    Files are opened lazily, once per process, as handles cannot be shared between processes. They
    are ten bigWigs in the order of :data:`TRACKS`, and the BED lists of the plus and the minus
    strand.
    """

    def __init__(
        self, paths: Sequence[Path], lists: Sequence[Path], genome: ReferenceGenome
    ) -> None:
        self.paths = list(paths)
        self.replaced = [IntervalList.read(path, genome) for path in lists]
        self._open: dict[int, list[Any]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_open": {}}

    def _handles(self) -> list[Any]:
        process = os.getpid()
        if process not in self._open:
            self._open = {process: [open_bigwig(path) for path in self.paths]}
        return self._open[process]

    def check(self, genome: ReferenceGenome) -> dict[str, int]:
        """Compare the lengths of all chromosomes with the FASTA's.

        Returns contig -> length (bp) of the FASTA's contigs, under its names, that every bigWig
        has.
        """
        found = dict(genome.sizes)
        for path, handle in zip(self.paths, self._handles(), strict=True):
            lengths = {translate(name, found): int(n) for name, n in handle.chroms().items()}
            for name, length in lengths.items():
                if name in genome.sizes and length != genome.sizes[name]:
                    raise GenezipError(
                        f"{path} has {name} with {length:,} bases, {genome.path} has "
                        f"{genome.sizes[name]:,} (it looks like {genome.build()}); give tracks "
                        "and FASTA of one build"
                    )
            for chrom in HELD_OUT:
                if genome.name_of(chrom) not in lengths:
                    raise GenezipError(f"{path} has no chromosome {chrom}; fetch it again")
            found = {name: length for name, length in found.items() if name in lengths}
        return found

    def values(self, chrom: str, start: int, end: int) -> np.ndarray:
        """Targets of an interval inside a chromosome, float32 (10, end - start), as stored.

        In the intervals of the plus list track 0 is 0.61357 times track 1, in those of the minus
        list track 9 is 0.61357 times track 8; after that missing values are 0.
        """
        found = np.empty((len(self.paths), end - start), dtype=np.float32)
        arrays = {"numpy": True} if pyBigWig.numpy else {}  # some builds lack numpy support
        for track, handle in enumerate(self._handles()):
            own = translate(chrom, handle.chroms())
            try:
                found[track] = handle.values(own, start, end, **arrays)
            except RuntimeError as error:
                raise GenezipError(
                    f"{self.paths[track]} cannot be read at {own}:{start}-{end} ({error}); fetch "
                    "it again and prepare the task again"
                ) from None
        for (_, target, source), intervals in zip(REPLACED, self.replaced, strict=True):
            for low, high in zip(*intervals.within(chrom, start, end), strict=True):
                inside = slice(int(low) - start, int(high) - start)
                found[target, inside] = FACTOR * found[source, inside]
        found[np.isnan(found)] = 0
        return found
