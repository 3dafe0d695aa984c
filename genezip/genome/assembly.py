"""Bases by genome coordinate: the segments of a source, or a whole reference genome.

An :class:`Assembly` has segments, stretches of chromosomes with sequence, coordinates and split.
At demo scale a segment is a slice or a window of GRCh38, at full scale a whole chromosome; all
callers use genome coordinates, so this makes no difference to them. A :class:`ReferenceGenome`
gives the bases of any interval, with N outside the chromosome.
"""

import itertools
import mmap
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pyfaidx

from genezip.alphabet import N_ID, encode, is_base
from genezip.errors import GenezipError
from genezip.formats.chrom_sizes import hg19_sizes, hg38_sizes, read_chrom_sizes
from genezip.formats.fasta import open_fasta
from genezip.genome.intervals import Intervals, is_tiling, laps, merge, true_runs
from genezip.genome.names import translate
from genezip.genome.sources.source import Source
from genezip.genome.sources.splits import SPLITS

_BLOCK_BP = 1 << 22  # whole chromosomes are read in blocks, so memory stays small


@dataclass(frozen=True)
class Segment:
    """A stretch of a chromosome whose sequence is available."""

    name: str  # name of its FASTA record
    chrom: str  # genome coordinates, 0-based, half-open (bp)
    start: int
    end: int
    split: str  # train, valid or test
    annotation: str  # name of the annotation set that its region classes come from
    soft_masked: bool  # whether lower case marks repeats
    rmsk: bool  # whether a RepeatMasker table covers it
    trf: bool  # whether a TRF table covers it

    @property
    def length(self) -> int:
        """Length (bp)."""
        return self.end - self.start


SEGMENT_COLUMNS = tuple(field.name for field in fields(Segment))
"""Columns of ``pieces.tsv``."""


class Assembly:
    """Segments with their sequence, read from an indexed FASTA on demand."""

    def __init__(
        self,
        build: str,
        chrom_sizes: dict[str, int],
        segments: tuple[Segment, ...],
        fasta: pyfaidx.Fasta,
        circular: Collection[str] = (),
    ) -> None:
        self.build = build
        self.chrom_sizes = chrom_sizes
        self.segments = segments
        self.circular = frozenset(circular)
        self._fasta = fasta
        with open(fasta.filename, "rb") as handle:
            self._map = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)

    @classmethod
    def open(
        cls,
        fasta: str | Path,
        segments_tsv: str | Path,
        chrom_sizes: str | Path,
        build: str,
        circular: Collection[str] = (),
    ) -> "Assembly":
        """Open segments and check them against the FASTA and the chromosome lengths.

        ``circular`` names the contigs that are circular.
        """
        sizes = read_chrom_sizes(chrom_sizes)
        segments = _read_segments(Path(segments_tsv))
        _check_segments(segments, sizes, Path(segments_tsv))
        opened = open_fasta(fasta)
        for segment in segments:
            if segment.name not in opened:
                raise GenezipError(
                    f"{fasta} has no record {segment.name}, which {segments_tsv} lists; "
                    "run `genezip fetch` again"
                )
            found = len(opened[segment.name])
            if found != segment.length:
                raise GenezipError(
                    f"record {segment.name} of {fasta} has {found:,} bases, {segments_tsv} lists "
                    f"{segment.length:,}; run `genezip fetch` again"
                )
        return cls(build, sizes, segments, opened, circular)

    def segments_of(self, split: str) -> tuple[Segment, ...]:
        """The segments of one split, in file order."""
        return tuple(segment for segment in self.segments if segment.split == split)

    def wraps(self, segment: Segment) -> bool:
        """Whether a segment is a whole circular contig, so that intervals continue at its start."""
        whole = (segment.start, segment.end) == (0, self.chrom_sizes[segment.chrom])
        return whole and segment.chrom in self.circular

    def contig(self, chrom: str) -> np.ndarray:
        """Bases of a whole contig as ASCII codes (uint8), joined from its segments.

        A contig that the segments do not cover raises.
        """
        parts = [segment for segment in self.segments if segment.chrom == chrom]
        parts.sort(key=lambda segment: segment.start)
        starts = np.array([segment.start for segment in parts], dtype=np.int64)
        ends = np.array([segment.end for segment in parts], dtype=np.int64)
        if not is_tiling(starts, ends, 0, self.chrom_sizes.get(chrom, -1)):
            raise GenezipError(
                f"the segments do not cover the contig {chrom}; fetch whole contigs of this genome"
            )
        return np.concatenate([self.sequence(segment) for segment in parts])

    def sequence(
        self, segment: Segment, start: int | None = None, end: int | None = None
    ) -> np.ndarray:
        """Bases of a segment as ASCII codes (uint8, shape (end - start,)), case as in the source.

        ``start`` and ``end`` are genome coordinates inside the segment, by default its ends. On a
        segment that :meth:`wraps` an interval may reach over either end, by less than its length.
        """
        start = segment.start if start is None else start
        end = segment.end if end is None else end
        if self.wraps(segment) and start <= end and (start < 0 or end > segment.end):
            parts = laps(start, end, segment.length)
            return np.concatenate([self.sequence(segment, *part) for part in parts])
        if not segment.start <= start <= end <= segment.end:
            raise GenezipError(
                f"{segment.chrom}:{start}-{end} is not inside the segment {segment.name}; "
                "ask for coordinates of the chromosome"
            )
        if start == end:
            return np.zeros(0, dtype=np.uint8)
        record = self._fasta.faidx.index[segment.name]
        first, last = start - segment.start, end - segment.start

        def offset(base: int) -> int:
            """Offset of a base in the file."""
            line, column = divmod(base, record.lenc)
            return int(record.offset + line * record.lenb + column)

        # The bytes of the lines without line ends; pyfaidx converts to text, twice as slowly.
        text = self._map[offset(first) : offset(last - 1) + 1].replace(b"\n", b"")
        if record.lenb - record.lenc == 2:  # CRLF line ends
            text = text.replace(b"\r", b"")
        if len(text) != end - start:
            raise GenezipError(
                f"the FASTA gave {len(text):,} of {end - start:,} bases of {segment.name}: it is "
                "cut short or its .fai is out of date; remove the .fai or fetch again"
            )
        return np.frombuffer(text, dtype=np.uint8)

    def ids(self, segment: Segment, start: int | None = None, end: int | None = None) -> np.ndarray:
        """Token ids of :meth:`sequence` (uint8 array; see :mod:`genezip.alphabet`)."""
        return encode(self.sequence(segment, start, end), segment.name)

    def lower_case(
        self, segment: Segment, start: int | None = None, end: int | None = None
    ) -> np.ndarray:
        """Bool array: the bases of :meth:`sequence` in lower case, which marks repeats."""
        return self.sequence(segment, start, end) >= ord("a")

    def n_runs(self, segment: Segment) -> Intervals:
        """Runs of N and other ambiguity codes of a segment, in genome coordinates, sorted."""
        return _n_runs(lambda lo, hi: self.ids(segment, lo, hi), segment.start, segment.end)


def _read_segments(path: Path) -> tuple[Segment, ...]:
    # Not read as CSV, because a contig name may contain quotes.
    try:
        head, *lines = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        raise GenezipError(f"{path} does not exist; run `genezip fetch` first") from None
    columns = head.split("\t")
    missing = [name for name in SEGMENT_COLUMNS if name not in columns]
    if missing:
        raise GenezipError(f"{path} lacks the column {missing[0]}; run `genezip fetch` again")
    segments = []
    for number, line in enumerate(lines, 2):
        if not line:
            continue
        cells = line.split("\t")
        try:
            row = dict(zip(columns, cells, strict=True))
            start, end = int(row["start"]), int(row["end"])
            marks = {name: bool(int(row[name])) for name in ("soft_masked", "rmsk", "trf")}
        except ValueError:
            raise GenezipError(
                f"line {number} of {path} is malformed; run `genezip fetch` again"
            ) from None
        segments.append(
            Segment(row["name"], row["chrom"], start, end, row["split"], row["annotation"], **marks)
        )
    if not segments:
        raise GenezipError(f"{path} lists no segment; run `genezip fetch` again")
    return tuple(segments)


def _check_segments(segments: tuple[Segment, ...], sizes: dict[str, int], where: Path) -> None:
    names: set[str] = set()
    for segment in segments:
        if segment.name in names:
            raise GenezipError(f"{where} lists the segment {segment.name} twice; keep one")
        names.add(segment.name)
        if segment.split not in SPLITS:
            raise GenezipError(
                f"segment {segment.name} of {where} has split {segment.split!r}; use "
                f"{', '.join(SPLITS)}"
            )
        if segment.chrom not in sizes:
            raise GenezipError(
                f"segment {segment.name} of {where} is on {segment.chrom}, which has no "
                "length in chrom.sizes; add it"
            )
        if not 0 <= segment.start < segment.end <= sizes[segment.chrom]:
            raise GenezipError(
                f"segment {segment.name} of {where} covers {segment.start:,}-{segment.end:,}, "
                f"outside {segment.chrom}, which has {sizes[segment.chrom]:,} bases: wrong build?"
            )
    check_no_overlap(segments, f" of {where}")


def check_no_overlap(segments: Iterable[Segment], where: str = "") -> None:
    """Raise if two segments share a base; ``where`` follows their names in the message."""
    ordered = sorted(segments, key=lambda segment: (segment.chrom, segment.start))
    for left, right in itertools.pairwise(ordered):
        if left.chrom == right.chrom and right.start < left.end:
            raise GenezipError(
                f"the segments {left.name} and {right.name}{where} overlap; keep one"
            )


class ReferenceGenome:
    """An indexed FASTA with random access by genome coordinate.

    Parameters
    ----------
    path : path
        A FASTA (plain with ``.fai``, or bgzip), or ``source.json`` of whole chromosomes.

    Attributes
    ----------
    path : Path, the FASTA
    sizes : dict, record name -> length (bp)
    """

    def __init__(self, path: str | Path) -> None:
        path = Path(path)
        if path.suffix == ".json":
            source = Source.load(path)
            path = source.folder / source.raw["fasta"]
        self.path = path
        self._fasta: pyfaidx.Fasta = open_fasta(path)
        self.sizes = {name: len(self._fasta[name]) for name in self._fasta.keys()}  # noqa: SIM118

    def name_of(self, chrom: str) -> str:
        """The FASTA's name of a chromosome (``8`` for ``chr8`` or the other way round)."""
        found = translate(chrom, self.sizes)
        if found not in self.sizes:
            raise GenezipError(
                f"{self.path} has no chromosome {chrom}; give the FASTA of the whole genome "
                f"(this one looks like {self.build()})"
            )
        return found

    def length(self, chrom: str) -> int:
        """Length of a chromosome (bp)."""
        return self.sizes[self.name_of(chrom)]

    def ids(self, chrom: str, start: int, end: int) -> np.ndarray:
        """Token ids of an interval; N outside the chromosome.

        Parameters
        ----------
        chrom : str, with or without ``chr``
        start, end : int
            0-based, half-open; may lie outside the chromosome.

        Returns
        -------
        uint8 array, shape (end - start,), token ids (:mod:`genezip.alphabet`)
        """
        if end < start:
            raise ValueError(f"{chrom}:{start}-{end} ends before it starts")
        name = self.name_of(chrom)
        found = np.full(end - start, N_ID, dtype=np.uint8)
        lo, hi = max(start, 0), min(end, self.sizes[name])
        if lo < hi:
            # fetch counts from 1 and includes its end
            text = self._fasta.faidx.fetch(name, lo + 1, hi)
            found[lo - start : hi - start] = encode(text, f"{name} of {self.path}")
        return found

    def n_runs(self, chrom: str) -> Intervals:
        """Runs of N and other ambiguity codes of a chromosome, as :meth:`Assembly.n_runs`."""
        return _n_runs(lambda lo, hi: self.ids(chrom, lo, hi), 0, self.length(chrom))

    def build(self) -> str:
        """Build that the chromosome lengths match: ``hg38``, ``hg19`` or ``another genome``."""
        for build, sizes in (("hg38", hg38_sizes()), ("hg19", hg19_sizes())):
            known = [(translate(name, sizes), length) for name, length in self.sizes.items()]
            equal = [sizes[name] == length for name, length in known if name in sizes]
            if equal and all(equal):
                return build
        return "another genome"


def _n_runs(ids: Callable[[int, int], np.ndarray], start: int, end: int) -> Intervals:
    """Runs of bases other than A, C, G, T in [start, end), read block by block."""
    runs = [
        true_runs(~is_base(ids(lo, min(lo + _BLOCK_BP, end))), lo)
        for lo in range(start, end, _BLOCK_BP)
    ]
    starts, ends = map(np.concatenate, zip(*runs, strict=True))
    return merge(starts, ends)  # joins runs that a block end has cut
