"""Examples of contact maps and regulatory activity: bases from the FASTA, targets from the disk."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from genezip.errors import GenezipError
from genezip.genome.assembly import ReferenceGenome
from genezip.tasks.examples import Prepared
from genezip.tasks.windows.records import targets_name

TASKS = ("cmp", "rsap")


@dataclass(frozen=True)
class WindowExamples:
    """A prepared folder of windows with its genome.

    Attributes
    ----------
    prepared : Prepared
        ``facts["tracks"]`` names the tracks: the second axis of targets of ``cmp``, the last
        axis of ``rsap``.
    genome : ReferenceGenome
    table : DataFrame
        example (number in its split), split, chrom, start, end (input window, 0-based,
        half-open; may reach beyond the chromosome), locus (windows of one split that overlap,
        directly or through others: one unit of the bootstrap).
    """

    prepared: Prepared
    genome: ReferenceGenome
    table: pd.DataFrame

    @classmethod
    def load(cls, manifest: str | Path, genome: ReferenceGenome | str | Path) -> "WindowExamples":
        """Open a folder that ``prepare_contact_maps`` or ``prepare_activity`` wrote.

        Raises
        ------
        GenezipError
            If it is missing, of another task, or its chromosomes have other lengths in the
            FASTA.
        """
        prepared = Prepared.load(manifest)
        if prepared.task not in TASKS:
            raise GenezipError(
                f"{manifest} holds the task {prepared.task}, not one of {', '.join(TASKS)}; "
                "name another"
            )
        if not isinstance(genome, ReferenceGenome):
            genome = ReferenceGenome(genome)
        for chrom, length in prepared.facts.get("chromosome_bp", {}).items():
            if genome.length(chrom) != length:
                raise GenezipError(
                    f"{genome.path} has {genome.length(chrom):,} bases of {chrom}, {manifest} was "
                    f"prepared with {length:,}; give the same FASTA"
                )
        return cls(prepared, genome, prepared.table())

    def __len__(self) -> int:
        return len(self.table)

    def ids(self, row: int) -> np.ndarray:
        """Token ids of an input window: uint8 array, shape (L,), N outside the chromosome.

        Parameters
        ----------
        row : int
            Position in ``table``.
        """
        place = self.table.iloc[row]
        return self.genome.ids(place["chrom"], int(place["start"]), int(place["end"]))

    def targets(self, split: str) -> np.memmap:
        """Targets of a split, rows in the order of its rows in ``table``.

        Returns
        -------
        float16 memory map, read-only
            Shape (n, 5, 99_681) of ``cmp``, (n, 896, tracks) of ``rsap``.
        """
        if split not in self.prepared.counts:
            raise ValueError(f"{split!r} is none of {', '.join(self.prepared.counts)}")
        found = np.load(self.prepared.folder / targets_name(split), mmap_mode="r")
        assert isinstance(found, np.memmap)
        return found
