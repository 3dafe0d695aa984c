"""UCSC database tables of repeats in the formats that their own programs write."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from genezip.formats.input_file import open_bytes
from genezip.genome.assembly import Piece

RMSK_HEADER = (
    b"   SW  perc perc perc  query      position in query           matching       repeat"
    b"              position in  repeat\n"
    b"score  div. del. ins.  sequence    begin     end    (left)    repeat         class/family"
    b"         begin  end (left)   ID\n\n"
)
TRF_HEADER = (
    b"#chrom\tchromStart\tchromEnd\tname\tperiod\tcopyNum\tconsensusSize\tperMatch\tperIndel"
    b"\tscore\tA\tC\tG\tT\tentropy\tsequence\n"
)

Inside = Callable[[bytes, int, int], bool]


def overlaps(pieces: Iterable[Piece]) -> Inside:
    """A test whether an interval (chrom, start, end) overlaps any piece."""
    ends: dict[bytes, list[int]] = {}
    starts: dict[bytes, list[int]] = {}
    for piece in sorted(pieces, key=lambda piece: piece.start):  # pieces do not overlap
        starts.setdefault(piece.chrom.encode(), []).append(piece.start)
        ends.setdefault(piece.chrom.encode(), []).append(piece.end)

    def inside(chrom: bytes, start: int, end: int) -> bool:
        if chrom not in starts:
            return False
        before = bisect_left(starts[chrom], end)  # pieces that begin before the end
        return before > 0 and ends[chrom][before - 1] > start

    return inside


def rmsk_rows(path: Path, inside: Inside) -> Iterator[bytes]:
    """UCSC table rmsk as RepeatMasker .out, rows that overlap a piece.

    The table gives 0-based starts, parts per thousand, and negative "left" numbers.
    """
    yield RMSK_HEADER
    with open_bytes(path) as handle:
        for line in handle:
            f = line.rstrip(b"\n").split(b"\t")
            chrom, start, end = f[5], int(f[6]), int(f[7])
            if not inside(chrom, start, end):
                continue
            div, dele, ins = (b"%.1f" % (int(value) / 10) for value in f[2:5])
            if f[9] == b"+":
                strand, at = b"+", (f[13], f[14], b"(%d)" % -int(f[15]))
            else:
                strand, at = b"C", (b"(%d)" % -int(f[13]), f[14], f[15])
            left = b"(%d)" % -int(f[8])
            family = f[11] if f[11] == f[12] else f[11] + b"/" + f[12]
            fields = (f[1], div, dele, ins, chrom, b"%d" % (start + 1), b"%d" % end, left)
            yield b" ".join((*fields, strand, f[10], family, *at, f[16])) + b"\n"


def trf_rows(path: Path, inside: Inside) -> Iterator[bytes]:
    """UCSC table simpleRepeat without its bin column, rows that overlap a piece."""
    yield TRF_HEADER
    with open_bytes(path) as handle:
        for line in handle:
            row = line.partition(b"\t")[2]
            chrom, start, end = row.split(b"\t", 3)[:3]
            if inside(chrom, int(start), int(end)):
                yield row
