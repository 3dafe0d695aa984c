"""Tracks of compressed DNA for a genome browser, written in constant memory."""

import math
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from genezip.artifacts.files import atomic_path, check_room
from genezip.errors import GenezipError
from genezip.formats.bed import bed9_rows
from genezip.formats.bigwig import ZOOM_WIDTHS, BigWigWriter
from genezip.formats.fasta import open_fasta
from genezip.formats.igv import Session, Track, write_igv_session
from genezip.formats.lines import check_row_names
from genezip.formats.tabix import atomic_indexed, index_of, index_suffix, open_indexed
from genezip.genome.intervals import true_runs
from genezip.genome.region_map import RegionMap
from genezip.genome.sources.source import Source
from genezip.inference.table import read_compressed

BOUNDARY_PROB = "boundary_prob.bw"
SURPRISAL = "surprisal.bw"
TOKENS_PER_KB = "tokens_per_kb.bw"
BPT = "bpt.bw"
CHUNKS = "chunks.bed.gz"
REGIONS = "regions.bed.gz"
SESSION = "igv_session.xml"

TITLES = {
    BOUNDARY_PROB: "boundary probability",
    SURPRISAL: "surprisal (bits)",
    TOKENS_PER_KB: "tokens per kb",
    BPT: "bp per token (1 kb windows)",
    CHUNKS: "chunks",
}
"""File -> title in the session, from top to bottom."""

CHUNK_RGB = ("33,102,172", "146,197,222")  # alternating, so that neighbours are distinct

# Bytes per base for the check of free space: at most 4.3 for a float32 with its zoom levels, 2.5
# for all tracks of chunks at 6 bp per token (0.5 at 100 bp per token)
VALUE_BYTES, CHUNK_BYTES = 5, 3

WINDOW_BP = 1000  # length of a window of bpt.bw

Write = Callable[[str, np.ndarray, np.ndarray, np.ndarray], None]
"""Takes chromosome, starts, ends (int64, adjoining) and values (float64)."""

_NO_BASES = np.zeros(0, dtype=np.int64)


def room(bases: int, per_base: int) -> int:
    """Approximate bytes of the tracks, ``per_base`` of which have a value of its own per base."""
    return (VALUE_BYTES * per_base + CHUNK_BYTES) * bases


def bits(log_prob: np.ndarray) -> np.ndarray:
    """Surprisal of bases, minus log2 of their probability, from its natural log; float32."""
    return (-log_prob / math.log(2)).astype(np.float32)


def write_tracks(compressed: Path, source_json: Path, regions: Path, out: Path) -> None:
    """Write the tracks of a window table by :class:`TrackWriter`, and regions.bed.gz.

    Padding at the end of a window is left out, but tokens per kb are those of ``compression.tsv``,
    where a chunk has its whole length with padding. Headers have the true chromosome lengths.
    """
    region_map = RegionMap.read_bed(regions)
    source = Source.load(source_json)
    sizes = source.chrom_sizes()
    order = {chrom: number for number, chrom in enumerate(sizes)}
    file = read_compressed(compressed)
    exact = (w if w.likelihood == "exact" else replace(w, nll=None) for w in file.windows("+"))
    windows = sorted(exact, key=lambda w: (order[w.chrom], w.start))
    if not windows:
        raise GenezipError(
            f"{compressed} has no window on strand +; compress the held-out DNA again"
        )
    covered = sum(window.end - window.start for window in windows)
    genome = _genome(source, sizes, out)
    prob = windows[0].boundary_prob is not None
    surprisal = any(window.nll is not None for window in windows)
    with TrackWriter(
        out, sizes, genome, {"regions": REGIONS}, covered,
        prob=prob, surprisal=surprisal, model=file.name,
    ) as tracks:  # fmt: skip
        for w in windows:
            known = None if w.nll is None else bits(-w.nll)
            tracks.add(w.chrom, w.start, w.end, w.chunk_bp, w.boundary_prob, known)
        region_map.write_bed9(out / REGIONS)


def _genome(source: Source, sizes: Mapping[str, int], out: Path) -> str:
    """The genome of the session: IGV opens public builds by name, others from their FASTA.

    A FASTA of parts of contigs has other coordinates, so the genome that IGV has open stays.
    """
    if source.kind in ("mirror", "download"):
        return source.build
    fasta = source.folder / source.raw["fasta"]
    whole = {name: len(record) for name, record in open_fasta(fasta).items()}
    if any(whole.get(chrom) != length for chrom, length in sizes.items()):
        return ""
    return os.path.relpath(fasta, out)


class TrackWriter:
    """Writes the tracks of one model, and igv_session.xml, which opens them.

    They are boundary_prob.bw, surprisal.bw, tokens_per_kb.bw, bpt.bw and chunks.bed.gz with its
    index; a system without boundary probabilities has no first one, a system without an exact
    likelihood no second one. Windows must be added in the order of ``chrom_sizes`` and of their
    starts. The files appear under their names only when all of them are complete. A contig whose
    name is invalid in BED is refused, and so is a full disk.

    Every base of a chunk of b bases has the value 1000 / b in tokens_per_kb.bw, so the mean over
    any bases, also at a zoom level, is their number of tokens per kb. bpt.bw has 1000 / that mean
    in windows of 1,000 bp (:class:`WindowedBpt`). Bases outside all windows have no value in any
    track and count in no mean.

    Parameters
    ----------
    folder : output folder
    chrom_sizes : true lengths of the chromosomes (bp), also where only segments are written
    genome : genome of the IGV session: an id such as ``hg38``, or a FASTA path
    more_tracks : title -> further file of the session
    written_bp : number of bases for the check of free space; all of the genome if None
    locus : (chrom, start, end) where the session opens; the first window if None
    prob, surprisal : whether boundary probabilities, and surprisals, will be added
    model : name of the model, which the titles of its tracks in the session begin with
    """

    def __init__(
        self,
        folder: str | Path,
        chrom_sizes: Mapping[str, int],
        genome: str = "",
        more_tracks: Mapping[str, str] | None = None,
        written_bp: int | None = None,
        locus: tuple[str, int, int] | None = None,
        prob: bool = True,
        surprisal: bool = False,
        model: str = "",
    ) -> None:
        self.folder = Path(folder)
        self.chrom_sizes = dict(chrom_sizes)
        self.genome = genome
        self.written_bp = sum(chrom_sizes.values()) if written_bp is None else written_bp
        self.more_tracks = dict(more_tracks or {})
        self.locus = locus
        self.gives_prob, self.gives_surprisal = prob, surprisal
        self.model = model
        self.n_chunks = 0

    def __enter__(self) -> Self:
        longest = max(self.chrom_sizes.values(), default=0)
        with ExitStack() as stack:  # closes the open files if another cannot be opened
            # closed in reverse order: no file gets its name before all are complete
            self.session = stack.enter_context(atomic_path(self.folder / SESSION))
            coarse = [width for width in ZOOM_WIDTHS if width > WINDOW_BP]
            zooms = {TOKENS_PER_KB: ZOOM_WIDTHS, BPT: coarse}
            of_bases = {BOUNDARY_PROB: self.gives_prob, SURPRISAL: self.gives_surprisal}
            given = [name for name, is_given in of_bases.items() if is_given]
            zooms = {**dict.fromkeys(given, ZOOM_WIDTHS), **zooms}
            parts = [stack.enter_context(atomic_path(self.folder / name)) for name in zooms]
            chunks = stack.enter_context(atomic_indexed(self.folder / CHUNKS, longest))
            needed = room(self.written_bp, len(given))
            check_room(self.folder / BOUNDARY_PROB, needed)  # before the work, not after it
            *per_base, self.tokens_per_kb, self.bpt = (
                stack.enter_context(BigWigWriter(part, self.chrom_sizes, widths))
                for part, widths in zip(parts, zooms.values(), strict=True)
            )
            self.per_base = dict(zip(given, per_base, strict=True))
            self.windowed = WindowedBpt(self.bpt.add_intervals)
            self.chunks = stack.enter_context(open_indexed(chunks))
            self.stack = stack.pop_all()
        return self

    def add(
        self,
        chrom: str,
        start: int,
        end: int,
        chunk_bp: np.ndarray,
        boundary_prob: np.ndarray | None = None,
        surprisal: np.ndarray | None = None,
    ) -> None:
        """Add one window; ``boundary_prob`` and ``surprisal`` have a value for each base, or more.

        ``chunk_bp``, integers (M,), sum to ``end - start``, or to more where the window was padded:
        a chunk that reaches into the padding is shown up to ``end`` with the token density of its
        whole length.
        """
        if self.locus is None:
            self.locus = (chrom, start, end)
        if boundary_prob is not None:
            self.add_prob(chrom, start, boundary_prob[: end - start])
        if surprisal is not None:
            self.add_surprisal(chrom, start, surprisal[: end - start])
        self.add_chunks(chrom, start, chunk_bp, end)

    def add_prob(self, chrom: str, start: int, boundary_prob: np.ndarray) -> None:
        """Add boundary probabilities (kept as float32) without chunks."""
        self.per_base[BOUNDARY_PROB].add_values(chrom, start, boundary_prob)

    def add_surprisal(self, chrom: str, start: int, surprisal: np.ndarray) -> None:
        """Add bits of consecutive bases (kept as float32); bases with NaN have no value."""
        for first, end in zip(*true_runs(~np.isnan(surprisal)), strict=True):
            self.per_base[SURPRISAL].add_values(chrom, start + int(first), surprisal[first:end])

    def add_chunks(
        self, chrom: str, start: int, chunk_bp: np.ndarray, end: int | None = None
    ) -> None:
        """Add chunks without probabilities, from ``start``; the last is cut at ``end``."""
        chunk_bp = chunk_bp.astype(np.int64)
        ends = start + np.cumsum(chunk_bp)
        starts = ends - chunk_bp
        if end is not None:
            shown = int(np.searchsorted(starts, end))
            starts, ends, chunk_bp = starts[:shown], np.minimum(ends[:shown], end), chunk_bp[:shown]
        if not len(starts):
            return
        # only contigs with rows are checked
        check_row_names([chrom], self.folder / CHUNKS)
        self.tokens_per_kb.add_intervals(chrom, starts, ends, 1000 / chunk_bp)
        self.windowed.add(chrom, starts, ends, chunk_bp)
        # without a space, at which IGV splits rows as at a tab
        name = [f"{length}bp" for length in (ends - starts).tolist()]
        turn = (self.n_chunks + np.arange(len(starts))) % len(CHUNK_RGB)
        rgb = np.array(CHUNK_RGB, dtype=object)[turn]
        self.n_chunks += len(starts)
        for rows in bed9_rows(chrom, starts, ends, name, rgb):
            self.chunks.write(rows)

    def __exit__(self, *error: Any) -> None:
        if error[0] is not None:
            self.stack.__exit__(*error)
            return
        with self.stack:
            self.windowed.finish()
            own = [name for name in TITLES if name not in (BOUNDARY_PROB, SURPRISAL)]
            before = f"{self.model}: " if self.model else ""
            names = [name for name in TITLES if name in (*self.per_base, *own)]
            targets = {before + TITLES[name]: name for name in names}
            found = {name: index_of(self.folder / name) for name in self.more_tracks.values()}
            indexes = {target: index.name for target, index in found.items() if index is not None}
            indexes[CHUNKS] = CHUNKS + index_suffix(max(self.chrom_sizes.values(), default=0))
            tracks = [
                Track(title, target, indexes.get(target))
                for title, target in {**targets, **self.more_tracks}.items()
            ]
            write_igv_session(self.session, Session(tracks, self.genome, self.locus))


class WindowedBpt:
    """Base pairs per token in windows that begin at multiples of 1,000 bp, computed as chunks come.

    The value is a window's bases over its fractional tokens, 1 / b for each base of a chunk of b
    bases (Eq. 15 of the paper). A mean of chunk lengths over bases would overweight long chunks.

    Only bases in chunks count: the last window of a contig, or one at the edge of a covered
    stretch, is as long as its covered part. Several stretches in one window share its value.
    ``write`` is called with adjoining windows, in order.
    """

    def __init__(self, write: Write, window_bp: int = WINDOW_BP) -> None:
        self.write = write
        self.window_bp = window_bp
        self.chrom = ""
        # Parts of the unfinished window: start, end and length of the whole chunk. They are summed
        # once, so the value does not depend on how chunks were grouped in calls.
        self.open = (_NO_BASES, _NO_BASES, _NO_BASES)

    def add(self, chrom: str, starts: np.ndarray, ends: np.ndarray, chunk_bp: np.ndarray) -> None:
        """Add adjoining chunks, none empty, that follow those already added.

        All are int64 (M,). ``chunk_bp`` are the lengths of the whole chunks, more than
        ``ends - starts`` for one that was cut.
        """
        if chrom != self.chrom:
            self.finish()
            self.chrom = chrom
        width, last = self.window_bp, int(ends[-1])
        grid = np.arange(int(starts[0]) // width + 1, -(-last // width)) * width
        cuts = np.union1d(starts, grid)
        chunk = np.searchsorted(starts, cuts, side="right") - 1
        parts = cuts, np.append(cuts[1:], last), chunk_bp[chunk]
        start, end, length = map(np.concatenate, zip(self.open, parts, strict=True))
        window = start // width
        done = int(np.searchsorted(window, window[-1]))
        self._write(start[:done], end[:done], length[:done])
        self.open = start[done:], end[done:], length[done:]

    def finish(self) -> None:
        """Write the unfinished window, the last of its chromosome."""
        self._write(*self.open)
        self.open = (_NO_BASES, _NO_BASES, _NO_BASES)

    def _write(self, start: np.ndarray, end: np.ndarray, length: np.ndarray) -> None:
        """Write the values of complete windows from their parts."""
        if not len(start):
            return
        new_window = np.diff(start // self.window_bp, prepend=-1) != 0
        firsts = np.flatnonzero(new_window)
        bases = np.add.reduceat(end - start, firsts)
        bpt = bases / np.add.reduceat((end - start) / length, firsts)
        gap = np.append(False, start[1:] != end[:-1])
        runs = np.flatnonzero(new_window | gap)
        run_start, run_end = start[runs], end[np.append(runs[1:], len(start)) - 1]
        value = bpt[np.cumsum(new_window)[runs] - 1]
        for stretch in np.split(np.arange(len(runs)), np.flatnonzero(gap[runs])):
            if len(stretch):
                self.write(self.chrom, run_start[stretch], run_end[stretch], value[stretch])
