"""Tiles, strict blocks and drawn windows on segments of a few bases."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from genezip.corpus.sampling import (
    MODES,
    PlannedWindow,
    Pool,
    legal_tiles,
    sample,
    strict_blocks,
    thinned,
    tile,
)
from genezip.errors import GenezipError
from genezip.genome.assembly import Segment
from genezip.genome.gene_models import Annotation

COLUMNS = ["chrom", "start", "end", "strand", "transcript_id"]
NONE = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))


def segment(chrom: str, start: int, end: int, annotation: str = "genes") -> Segment:
    return Segment(f"{chrom}:{start}", chrom, start, end, "train", annotation, False, False, False)


def annotation(tss: list[tuple] = (), cds: list[tuple] = ()) -> Annotation:
    transcripts = pd.DataFrame(tss, columns=COLUMNS).assign(gene_id="", gene_name="", gene_type="")
    coding = pd.DataFrame(cds, columns=COLUMNS)
    return Annotation(transcripts, coding, coding, coding.iloc[:0], "genes")


def pool(segments: list[Segment], window_bp: int, n=None, excluded=(), **sets: Annotation) -> Pool:
    return Pool(
        segments,
        window_bp,
        sets or {"genes": annotation()},
        {own.name: (n or {}).get(own.name, NONE) for own in segments},
        pd.DataFrame(excluded, columns=["chrom", "start", "end"]),
    )


def draw(
    of: Pool,
    count: int,
    seed: int = 0,
    max_n: float = 0.0,
    distinct: bool = False,
    **weights: float,
) -> list[PlannedWindow]:
    shares = {"uniform": 0.0, "tss": 0.0, "cds": 0.0} | weights
    rng = np.random.default_rng(seed)
    table = sample(of, count, shares, max_n, rng, distinct).table()
    segments = {own.name: own for own in of.segments}
    return [
        PlannedWindow(segments[row.piece], row.start, row.end, row.sampling_mode)
        for row in table.itertuples()
    ]


def test_uniform_starts_are_equally_likely() -> None:
    # 1 start in a, 3 in b, none in the segment that is too short.
    of = pool([segment("a", 7, 17), segment("c", 0, 9), segment("b", 100, 112)], 10)
    windows = draw(of, 4000, uniform=1.0)
    counts = Counter((w.segment.chrom, w.start) for w in windows)
    assert set(counts) == {("a", 7), ("b", 100), ("b", 101), ("b", 102)}
    assert all(900 < number < 1100 for number in counts.values())
    assert all(w.end - w.start == 10 and w.mode == "uniform" for w in windows)


def test_tss_lies_uniformly_in_the_central_half() -> None:
    # + starts at 100; - starts at its end - 1 = 149. Two transcripts share the first TSS.
    genes = annotation(
        tss=[("a", 100, 120, "+", "1"), ("a", 100, 130, "+", "2"), ("a", 140, 150, "-", "3")]
    )
    windows = draw(pool([segment("a", 50, 250)], 20, genes=genes), 4000, tss=1.0)
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
    windows = draw(pool([segment("a", 0, 500)], 40, genes=genes), 4000, cds=1.0)
    first = sum(w.start < 200 for w in windows)
    assert 880 < first < 1120
    assert all(w.mode == "cds" for w in windows)


def test_each_segment_takes_anchors_from_its_own_set() -> None:
    sets = {
        "one": annotation(tss=[("a", 50, 60, "+", "1"), ("b", 20, 30, "+", "2")]),
        "two": annotation(tss=[("b", 70, 80, "+", "3")]),
    }
    segments = [segment("a", 0, 100, "one"), segment("b", 0, 100, "two")]
    windows = draw(pool(segments, 8, **sets), 50, tss=1.0)
    anchors = {
        (w.segment.chrom, tss) for w in windows for tss in (20, 50, 70) if w.start <= tss < w.end
    }
    assert anchors == {("a", 50), ("b", 70)}


def test_modes_have_their_shares() -> None:
    genes = annotation(tss=[("a", 50, 60, "+", "1")], cds=[("a", 52, 58, "+", "1")])
    of = pool([segment("a", 0, 100)], 8, genes=genes)
    modes = Counter(w.mode for w in draw(of, 2000, uniform=0.5, tss=0.3, cds=0.2))
    assert modes["uniform"] == pytest.approx(1000, abs=80)
    assert modes["tss"] == pytest.approx(600, abs=80)
    assert modes["cds"] == pytest.approx(400, abs=80)


def test_equal_seeds_give_equal_windows() -> None:
    of = pool([segment("a", 0, 1000)], 8)
    assert draw(of, 20, uniform=1.0) == draw(of, 20, uniform=1.0)
    assert draw(of, 20, uniform=1.0) != draw(of, 20, seed=1, uniform=1.0)


def test_n_limit_and_exclusions() -> None:
    # 10 bp windows of [0, 40): N at 20-22, one N allowed; 30-31 excluded.
    n = {"a:0": (np.array([20]), np.array([22]))}
    of = pool([segment("a", 0, 40)], 10, n=n, excluded=[("a", 30, 31), ("b", 0, 40)])
    starts = {w.start for w in draw(of, 500, uniform=1.0, max_n=0.1)}
    # Up to 11 only the first N is inside; from 21 on only the second, but 21-30 touch 30.
    assert starts == set(range(12))


def test_windows_stay_inside_their_segment() -> None:
    # The TSS is the last base, so every window around it crosses the end of a.
    genes = annotation(tss=[("a", 99, 120, "+", "1")])
    of = pool([segment("a", 0, 100), segment("b", 0, 100)], 8, genes=genes)
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
    of = pool([segment("a", 0, 100)], 8, n=n, excluded=excluded)
    with pytest.raises(GenezipError, match=rf"of (\d+) candidates .*\1 {cause}"):
        draw(of, 1, uniform=1.0)


def test_window_longer_than_every_segment() -> None:
    with pytest.raises(GenezipError, match="longest of 2 segments to draw from has 9 bp"):
        pool([segment("a", 0, 9), segment("b", 0, 5)], 10)


def test_the_key_that_sets_the_window_is_named() -> None:
    nothing = pd.DataFrame({"chrom": [], "start": [], "end": []})
    with pytest.raises(GenezipError, match=r"^corpus\.heldout_window_bp is 10 but"):
        Pool([segment("a", 0, 9)], 10, {}, {}, nothing, "corpus.heldout_window_bp")
    with pytest.raises(GenezipError, match=r"^corpus\.window_bp is 10 but"):
        Pool([segment("a", 0, 9)], 10, {}, {}, nothing)


def test_no_anchor() -> None:
    with pytest.raises(GenezipError, match="no TSS lies in the segments"):
        draw(pool([segment("a", 0, 100)], 8), 1, tss=1.0)


def spans(windows: list[PlannedWindow]) -> list[tuple[str, int]]:
    return [(w.segment.chrom, w.start) for w in windows]


def test_distinct_windows_come_once_and_all_come() -> None:
    """36 starts of two segments, 10 of them at an N: 26 are legal, and all 26 can be had."""
    n = {"b:0": (np.array([12]), np.array([13]))}
    of = pool([segment("a", 0, 25), segment("b", 0, 29)], 10, n=n)
    every = {("a", start) for start in range(16)} | {("b", s) for s in (0, 1, 2, *range(13, 20))}
    for count in (5, len(every)):
        found = spans(draw(of, count, distinct=True, uniform=1.0))
        assert len(set(found)) == count and set(found) <= every
    with pytest.raises(GenezipError, match=r"needs 27 windows .* but only 26 distinct ones"):
        draw(of, 27, distinct=True, uniform=1.0)


def test_distinct_windows_of_several_modes() -> None:
    genes = annotation(tss=[("a", 20, 30, "+", "1")], cds=[("a", 22, 23, "+", "1")])
    of = pool([segment("a", 0, 60)], 16, genes=genes)
    windows = draw(of, 30, distinct=True, uniform=0.8, tss=0.1, cds=0.1)
    assert len(set(spans(windows))) == 30
    assert {w.mode for w in windows} == {"uniform", "tss", "cds"}
    # a TSS at 20 lies in the central half of the windows that begin at 9 to 16
    assert {w.start for w in windows if w.mode == "tss"} <= set(range(9, 17))
    with pytest.raises(GenezipError, match=r"windows of the mode tss, but only \d distinct ones"):
        draw(of, 30, distinct=True, tss=1.0)


def test_distinct_drawing_equals_a_set_kept_by_hand() -> None:
    """One candidate after the other, new ones kept, as long as a mode has plenty left."""
    genes = annotation(tss=[("a", 300, 400, "+", "1")], cds=[("a", 500, 600, "+", "1")])
    of = pool([segment("a", 0, 3000), segment("b", 0, 900)], 80, genes=genes)
    shares = {"uniform": 0.94, "tss": 0.01, "cds": 0.05}
    rng = np.random.default_rng(7)
    modes = rng.choice(3, size=1500, p=list(shares.values()))
    expected, taken = np.zeros(1500, dtype=np.int64), set()
    for mode in ("cds", "tss", "uniform"):
        slots = np.flatnonzero(modes == MODES.index(mode)).tolist()
        while slots:
            starts, own = of.candidates(mode, max(len(slots), 256), rng)
            wrong = np.logical_or.reduce(list(of.faults(starts, own, 0.0).values()))
            for start in starts[~wrong].tolist():
                if slots and start not in taken:
                    taken.add(start)
                    expected[slots.pop(0)] = start
    drawn = sample(of, 1500, shares, 0.0, np.random.default_rng(7), distinct=True)
    assert drawn.mode.tolist() == modes.tolist()
    assert (of.offsets[drawn.segment] + drawn.start).tolist() == expected.tolist()


def test_nearly_all_windows_are_had_in_few_rounds(monkeypatch) -> None:
    """Drawing the last one of 30,000 windows would need thousands of rounds."""
    of = pool([segment("a", 0, 30_099)], 100)
    rounds = 0
    candidates = of.candidates

    def counted(*arguments):
        nonlocal rounds
        rounds += 1
        assert rounds < 150
        return candidates(*arguments)

    monkeypatch.setattr(of, "candidates", counted)
    assert len(set(spans(draw(of, 29_999, distinct=True, uniform=1.0)))) == 29_999
    assert rounds > 1


def test_few_legal_candidates_are_still_drawn(monkeypatch) -> None:
    """Only windows that were had before end the drawing, not those that are rejected."""
    of = pool([segment("a", 0, 100_000)], 100, excluded=[("a", 0, 99_000)])
    monkeypatch.setattr(of, "legal_starts", None)
    assert len(set(spans(draw(of, 300, distinct=True, uniform=1.0)))) == 300


@pytest.mark.parametrize("mode", ["uniform", "tss", "cds"])
def test_legal_starts_are_all_that_drawing_finds(mode) -> None:
    n = {"a:0": (np.array([40]), np.array([41]))}
    genes = annotation(
        tss=[("a", 20, 30, "+", "1"), ("b", 3, 30, "+", "2")], cds=[("a", 22, 25, "+", "1")]
    )
    of = pool(
        [segment("a", 0, 60), segment("b", 0, 20)], 8, n=n, excluded=[("a", 50, 52)], genes=genes
    )
    counted = np.concatenate(list(of.legal_starts(mode, 0.0)))
    drawn = draw(of, 3000, **{mode: 1.0})
    offset = {"a": 0, "b": 60}
    assert set(counted.tolist()) == {offset[w.segment.chrom] + w.start for w in drawn}


def test_legal_tiles() -> None:
    segments = [segment("a", 0, 30), segment("b", 5, 9), segment("c", 10, 30)]
    n = {"a:0": (np.array([9]), np.array([11])), "c:10": (np.array([28]), np.array([30]))}
    of = pool(segments, 10, n=n, excluded=[("c", 10, 11)])
    tiles = [window for own in segments for window in tile(own, 10)]
    assert legal_tiles(tiles, of, 0.1) == [
        PlannedWindow(segments[0], start, start + 10, "tile") for start in (0, 10, 20)
    ]
    assert [w.start for w in legal_tiles(tiles, of, 0.0)] == [20]


def test_tiles_by_eye() -> None:
    own = segment("a", 5, 28)
    spans = [(w.start, w.end) for w in tile(own, 10, keep_short=True)]
    assert spans == [(5, 15), (15, 25), (25, 28)]
    assert [(w.start, w.end) for w in tile(own, 10)] == spans[:2]
    assert [(w.start, w.end) for w in tile(segment("a", 5, 25), 10, True)] == spans[:2]
    assert tile(own, 30) == []
    assert [(w.start, w.end, w.mode) for w in tile(own, 30, True)] == [(5, 28, "tile")]


def test_held_out_windows_are_thinned_along_each_segment() -> None:
    long, short = segment("a", 0, 100), segment("b", 0, 30)
    tiles = [window for own in (long, short) for window in tile(own, 10)]
    kept = [(w.segment.chrom, w.start) for w in thinned(tiles, 4)]
    assert kept == [("a", 0), ("a", 20), ("a", 50), ("a", 70), ("b", 0), ("b", 10), ("b", 20)]
    assert thinned(tiles, None) == tiles == thinned(tiles, 10)
    assert [w.start for w in thinned(tiles, 1)] == [0, 0]


def test_published_window_counts() -> None:
    """Table 5: 3,262 windows of 128,000 bp and 32,605 of 12,800 bp on chr8, chr9, chr10."""
    lengths = {"chr8": 145_138_636, "chr9": 138_394_717, "chr10": 133_797_422}
    for window_bp, windows in ((128_000, 3_262), (12_800, 32_605)):
        tiles = [tile(segment(name, 0, bp), window_bp, True) for name, bp in lengths.items()]
        assert sum(map(len, tiles)) == windows


def test_strict_blocks_tile_the_segments_and_share_no_block() -> None:
    segments = [segment("a", 5, 97), segment("a", 97, 200), segment("b", 0, 33)]
    train, valid = strict_blocks(segments, 10, 0.3, seed=1)
    owner = {}
    for split, parts in (("train", train), ("valid", valid)):
        for part in parts:
            for base in range(part.start, part.end):
                assert owner.setdefault((part.name, base), split) == split
    assert Counter(name for name, _ in owner) == {"a:5": 92, "a:97": 103, "b:0": 33}
    for own in segments:  # within a block of a segment, one split
        for start in range(own.start // 10 * 10, own.end, 10):
            inside = range(max(start, own.start), min(start + 10, own.end))
            assert len({owner[own.name, base] for base in inside}) == 1
    # 10 + 11 + 4 blocks; 0.3 of 25 is 7.5
    blocks = {(name, base // 10) for (name, base), split in owner.items() if split == "valid"}
    assert len(blocks) == round(25 * 0.3)
    assert strict_blocks(segments, 10, 0.3, seed=1) == (train, valid)
    assert strict_blocks(segments, 10, 0.3, seed=2) != (train, valid)


def test_neighbouring_blocks_of_one_split_stay_together() -> None:
    train, valid = strict_blocks([segment("a", 0, 100)], 10, 0.1, seed=0)
    assert len(valid) == 1 and valid[0].length == 10
    assert sum(part.length for part in train) == 90 and len(train) <= 2


def test_strict_blocks_keep_a_block_for_each_split() -> None:
    train, valid = strict_blocks([segment("a", 0, 20)], 10, 0.0, seed=0)
    assert len(train) == len(valid) == 1
    train, valid = strict_blocks([segment("a", 0, 20)], 10, 1.0, seed=0)
    assert len(train) == len(valid) == 1
    with pytest.raises(GenezipError, match="make 1 block of 1,000 bp"):
        strict_blocks([segment("a", 0, 20)], 1000, 0.5, seed=0)
