"""Tiling and sampling on pieces of a few bases."""

import gzip
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from genezip.errors import GenezipError
from genezip.genome.annotation import Annotation
from genezip.genome.assembly import Piece
from genezip.genome.windows import (
    Placement,
    Pool,
    legal_tiles,
    read_intervals,
    sample,
    tile,
)

COLUMNS = ["chrom", "start", "end", "strand", "transcript_id"]
NONE = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))


def piece(chrom: str, start: int, end: int, annotation: str = "genes") -> Piece:
    return Piece(f"{chrom}:{start}", chrom, start, end, "train", annotation, False, False, False)


def annotation(tss: list[tuple] = (), cds: list[tuple] = ()) -> Annotation:
    transcripts = pd.DataFrame(tss, columns=COLUMNS).assign(gene_id="", gene_name="", gene_type="")
    coding = pd.DataFrame(cds, columns=COLUMNS)
    return Annotation(transcripts, coding, coding, coding.iloc[:0], "genes")


def pool(pieces: list[Piece], window_bp: int, n=None, excluded=(), **sets: Annotation) -> Pool:
    return Pool(
        pieces,
        window_bp,
        sets or {"genes": annotation()},
        {own.name: (n or {}).get(own.name, NONE) for own in pieces},
        pd.DataFrame(excluded, columns=["chrom", "start", "end"]),
    )


def draw(of: Pool, count: int, seed: int = 0, max_n: float = 0.0, **weights: float):
    shares = {"uniform": 0.0, "tss": 0.0, "cds": 0.0} | weights
    return sample(of, count, shares, max_n, np.random.default_rng(seed))


def test_tiles_by_eye() -> None:
    own = piece("a", 5, 28)
    spans = [(w.start, w.end) for w in tile(own, 10, keep_short=True)]
    assert spans == [(5, 15), (15, 25), (25, 28)]
    assert [(w.start, w.end) for w in tile(own, 10)] == spans[:2]
    assert [(w.start, w.end) for w in tile(piece("a", 5, 25), 10, True)] == spans[:2]
    assert tile(own, 30) == []
    assert [(w.start, w.end, w.mode) for w in tile(own, 30, True)] == [(5, 28, "tile")]


def test_published_window_counts() -> None:
    """Table 5: 3,262 windows of 128,000 bp and 32,605 of 12,800 bp on chr8, chr9, chr10."""
    lengths = {"chr8": 145_138_636, "chr9": 138_394_717, "chr10": 133_797_422}
    for window_bp, windows in ((128_000, 3_262), (12_800, 32_605)):
        tiles = [tile(piece(name, 0, bp), window_bp, True) for name, bp in lengths.items()]
        assert sum(map(len, tiles)) == windows


def test_uniform_starts_are_equally_likely() -> None:
    # 1 start in a, 3 in b, none in the piece that is too short.
    of = pool([piece("a", 7, 17), piece("c", 0, 9), piece("b", 100, 112)], 10)
    windows = draw(of, 4000, uniform=1.0)
    counts = Counter((w.piece.chrom, w.start) for w in windows)
    assert set(counts) == {("a", 7), ("b", 100), ("b", 101), ("b", 102)}
    assert all(900 < number < 1100 for number in counts.values())
    assert all(w.end - w.start == 10 and w.mode == "uniform" for w in windows)


def test_tss_lies_uniformly_in_the_central_half() -> None:
    # + starts at 100; - starts at its end - 1 = 149. Two transcripts share the first TSS.
    genes = annotation(
        tss=[("a", 100, 120, "+", "1"), ("a", 100, 130, "+", "2"), ("a", 140, 150, "-", "3")]
    )
    windows = draw(pool([piece("a", 50, 250)], 20, genes=genes), 4000, tss=1.0)
    offsets = Counter(
        (tss, tss - w.start) for w in windows for tss in (100, 149) if w.start <= tss < w.end
    )
    assert {offset for _, offset in offsets} == set(range(5, 15))
    by_tss = Counter(tss for (tss, _), number in offsets.items() for _ in range(number))
    assert abs(by_tss[100] - by_tss[149]) < 250  # a position counts once


def test_cds_bases_are_equally_likely() -> None:
    # Coding bases 100-110 and 300-330 (twice): one in four lies in the first exon.
    genes = annotation(
        cds=[
            ("a", 100, 110, "+", "1"),
            ("a", 300, 330, "+", "1"),
            ("a", 300, 330, "+", "2"),
            ("b", 0, 500, "+", "3"),
        ]
    )
    windows = draw(pool([piece("a", 0, 500)], 40, genes=genes), 4000, cds=1.0)
    first = sum(w.start < 200 for w in windows)
    assert 880 < first < 1120
    assert all(w.mode == "cds" for w in windows)


def test_each_piece_takes_anchors_from_its_own_set() -> None:
    sets = {
        "one": annotation(tss=[("a", 50, 60, "+", "1"), ("b", 20, 30, "+", "2")]),
        "two": annotation(tss=[("b", 70, 80, "+", "3")]),
    }
    pieces = [piece("a", 0, 100, "one"), piece("b", 0, 100, "two")]
    windows = draw(pool(pieces, 8, **sets), 50, tss=1.0)
    anchors = {
        (w.piece.chrom, tss) for w in windows for tss in (20, 50, 70) if w.start <= tss < w.end
    }
    assert anchors == {("a", 50), ("b", 70)}


def test_modes_have_their_shares() -> None:
    genes = annotation(tss=[("a", 50, 60, "+", "1")], cds=[("a", 52, 58, "+", "1")])
    of = pool([piece("a", 0, 100)], 8, genes=genes)
    modes = Counter(w.mode for w in draw(of, 2000, uniform=0.5, tss=0.3, cds=0.2))
    assert modes["uniform"] == pytest.approx(1000, abs=80)
    assert modes["tss"] == pytest.approx(600, abs=80)
    assert modes["cds"] == pytest.approx(400, abs=80)


def test_equal_seeds_give_equal_windows() -> None:
    of = pool([piece("a", 0, 1000)], 8)
    assert draw(of, 20, uniform=1.0) == draw(of, 20, uniform=1.0)
    assert draw(of, 20, uniform=1.0) != draw(of, 20, seed=1, uniform=1.0)


def test_n_limit_and_exclusions() -> None:
    # 10 bp windows of [0, 40): N at 20-22, one N allowed; 30-31 excluded.
    n = {"a:0": (np.array([20]), np.array([22]))}
    of = pool([piece("a", 0, 40)], 10, n=n, excluded=[("a", 30, 31), ("b", 0, 40)])
    starts = {w.start for w in draw(of, 500, uniform=1.0, max_n=0.1)}
    # Up to 11 only the first N is inside; from 21 on only the second, but 21-30 touch 30.
    assert starts == set(range(12))


def test_windows_stay_inside_their_piece() -> None:
    # The TSS is the last base, so every window around it crosses the end of a.
    genes = annotation(tss=[("a", 99, 120, "+", "1")])
    of = pool([piece("a", 0, 100), piece("b", 0, 100)], 8, genes=genes)
    with pytest.raises(GenezipError, match=r"of (\d+) candidates of the mode tss \1 cross the end"):
        draw(of, 5, tss=1.0)


@pytest.mark.parametrize(
    ("n", "excluded", "cause"),
    [
        ({"a:0": (np.array([0]), np.array([100]))}, [], "hold more than 0 of N"),
        ({}, [("a", 0, 100)], "overlap an excluded interval"),
    ],
)
def test_no_legal_window(n, excluded, cause) -> None:
    of = pool([piece("a", 0, 100)], 8, n=n, excluded=excluded)
    with pytest.raises(GenezipError, match=rf"of (\d+) candidates .*\1 {cause}"):
        draw(of, 1, uniform=1.0)


def test_window_longer_than_every_piece() -> None:
    with pytest.raises(GenezipError, match="longest of 2 pieces to draw from has 9 bp"):
        pool([piece("a", 0, 9), piece("b", 0, 5)], 10)


def test_no_anchor() -> None:
    with pytest.raises(GenezipError, match="no TSS lies in the pieces"):
        draw(pool([piece("a", 0, 100)], 8), 1, tss=1.0)


def test_legal_tiles() -> None:
    pieces = [piece("a", 0, 30), piece("b", 5, 9), piece("c", 10, 30)]
    n = {"a:0": (np.array([9]), np.array([11])), "c:10": (np.array([28]), np.array([30]))}
    of = pool(pieces, 10, n=n, excluded=[("c", 10, 11)])
    tiles = [placed for own in pieces for placed in tile(own, 10)]
    assert legal_tiles(tiles, of, 0.1) == [
        Placement(pieces[0], start, start + 10, "tile") for start in (0, 10, 20)
    ]
    assert [w.start for w in legal_tiles(tiles, of, 0.0)] == [20]


def test_read_intervals(tmp_path) -> None:
    text = "track name=x\n# note\n\nchr1\t5\t9\tname\nchr2 1 2\n"
    (tmp_path / "a.bed").write_text(text)
    with gzip.open(tmp_path / "a.bed.gz", "wt") as handle:
        handle.write(text)
    for name in ("a.bed", "a.bed.gz"):
        frame = read_intervals(tmp_path / name, {"chr1": 10})
        assert frame.values.tolist() == [["chr1", 5, 9], ["chr2", 1, 2]]
    packed = (tmp_path / "a.bed.gz").read_bytes()
    (tmp_path / "cut.bed.gz").write_bytes(packed[:-12])
    with pytest.raises(GenezipError, match=r"cut\.bed\.gz cannot be read"):
        read_intervals(tmp_path / "cut.bed.gz", {"chr1": 10})
