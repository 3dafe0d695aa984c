"""Tracks of a compressed genome, written as the windows come (constant memory)."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import numpy as np

from genezip.genome.bigwig import BigWigWriter
from genezip.genome.tracks import open_gzip, write_igv_session
from genezip.provenance import atomic_path, check_room

BOUNDARY_PROB = "boundary_prob.bw"
BPT = "bpt.bw"
CHUNKS = "chunks.bed.gz"
SESSION = "igv_session.xml"

# Upper guesses for the check of free space: one value per base, and one per chunk
PROB_BYTES, BPT_BYTES = 5, 1


class TrackWriter:
    """boundary_prob.bw, bpt.bw, chunks.bed.gz and igv_session.xml of one folder.

    Windows must come in the order of ``chrom_sizes`` and of their starts. The files appear
    under their names only when all of them are whole.

    Parameters
    ----------
    folder : where the files go
    chrom_sizes : lengths of the chromosomes (bp), true ones also where only pieces are written
    genome : what the IGV session loads: a genome id such as ``hg38``, or a FASTA path
    more_tracks : further files of the session, by their title
    written_bp : bases that will come, for the check of free space; all of them if None
    locus : (chrom, start, end) where the session opens; the first window if None
    """

    def __init__(
        self,
        folder: str | Path,
        chrom_sizes: Mapping[str, int],
        genome: str = "",
        more_tracks: Mapping[str, str] | None = None,
        written_bp: int | None = None,
        locus: tuple[str, int, int] | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.chrom_sizes = dict(chrom_sizes)
        self.genome = genome
        self.written_bp = sum(chrom_sizes.values()) if written_bp is None else written_bp
        self.more_tracks = dict(more_tracks or {})
        self.locus = locus

    def __enter__(self) -> Self:
        with ExitStack() as stack:  # what was opened is closed if the next cannot be
            self.prob = self._bigwig(BOUNDARY_PROB, PROB_BYTES, stack)
            self.bpt = self._bigwig(BPT, BPT_BYTES, stack)
            part = stack.enter_context(atomic_path(self.folder / CHUNKS))
            self.chunks = stack.enter_context(open_gzip(part))
            self.stack = stack.pop_all()
        return self

    def _bigwig(self, name: str, bytes_per_base: int, stack: ExitStack) -> BigWigWriter:
        part = stack.enter_context(atomic_path(self.folder / name))
        check_room(self.folder / name, bytes_per_base * self.written_bp)  # now, not in the end
        return stack.enter_context(BigWigWriter(part, self.chrom_sizes))

    def add(self, chrom: str, start: int, boundary_prob: np.ndarray, chunk_bp: np.ndarray) -> None:
        """Add one window.

        Parameters
        ----------
        boundary_prob : float array, shape (L,)
        chunk_bp : integer array, shape (M,), summing to L
        """
        if self.locus is None:
            self.locus = (chrom, start, start + len(boundary_prob))
        self.add_prob(chrom, start, boundary_prob)
        self.add_chunks(chrom, start, chunk_bp)

    def add_prob(self, chrom: str, start: int, boundary_prob: np.ndarray) -> None:
        """Add boundary probabilities alone, where chunks end elsewhere."""
        self.prob.add_values(chrom, start, boundary_prob.astype(np.float64).round(4))

    def add_chunks(self, chrom: str, start: int, chunk_bp: np.ndarray) -> None:
        """Add chunks alone; the first begins at ``start``."""
        ends = start + np.cumsum(chunk_bp)
        starts = ends - chunk_bp
        self.bpt.add_intervals(chrom, starts, ends, chunk_bp)
        lines = (f"{chrom}\t{a}\t{b}\t{b - a} bp\n" for a, b in zip(starts, ends, strict=True))
        self.chunks.write("".join(lines).encode())

    def __exit__(self, *error: Any) -> None:
        if error[0] is not None:
            self.stack.__exit__(*error)
            return
        with self.stack:
            part = self.stack.enter_context(atomic_path(self.folder / SESSION))
            tracks = {"boundary probability": BOUNDARY_PROB, "bp per token": BPT}
            tracks |= {"chunks": CHUNKS, **self.more_tracks}
            write_igv_session(part, self.genome, tracks, self.locus)
