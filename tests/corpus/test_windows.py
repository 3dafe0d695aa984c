"""Tiling and strict blocks on pieces of a few bases."""

from collections import Counter

import pytest

from genezip.corpus.windows import strict_blocks, tile
from genezip.errors import GenezipError
from genezip.genome.assembly import Piece


def piece(chrom: str, start: int, end: int) -> Piece:
    return Piece(f"{chrom}:{start}", chrom, start, end, "train", "genes", False, False, False)


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


def test_strict_blocks_tile_the_pieces_and_share_no_block() -> None:
    pieces = [piece("a", 5, 97), piece("a", 97, 200), piece("b", 0, 33)]
    train, valid = strict_blocks(pieces, 10, 0.3, seed=1)
    owner = {}
    for split, parts in (("train", train), ("valid", valid)):
        for part in parts:
            for base in range(part.start, part.end):
                assert owner.setdefault((part.name, base), split) == split
    assert Counter(name for name, _ in owner) == {"a:5": 92, "a:97": 103, "b:0": 33}
    for own in pieces:  # within a block of a piece, one split
        for start in range(own.start // 10 * 10, own.end, 10):
            inside = range(max(start, own.start), min(start + 10, own.end))
            assert len({owner[own.name, base] for base in inside}) == 1
    # 10 + 11 + 4 blocks; 0.3 of 25 is 7.5
    blocks = {(name, base // 10) for (name, base), split in owner.items() if split == "valid"}
    assert len(blocks) == round(25 * 0.3)
    assert strict_blocks(pieces, 10, 0.3, seed=1) == (train, valid)
    assert strict_blocks(pieces, 10, 0.3, seed=2) != (train, valid)


def test_neighbouring_blocks_of_one_split_stay_together() -> None:
    train, valid = strict_blocks([piece("a", 0, 100)], 10, 0.1, seed=0)
    assert len(valid) == 1 and valid[0].length == 10
    assert sum(part.length for part in train) == 90 and len(train) <= 2


def test_strict_blocks_keep_a_block_for_each_split() -> None:
    train, valid = strict_blocks([piece("a", 0, 20)], 10, 0.0, seed=0)
    assert len(train) == len(valid) == 1
    train, valid = strict_blocks([piece("a", 0, 20)], 10, 1.0, seed=0)
    assert len(train) == len(valid) == 1
    with pytest.raises(GenezipError, match="make 1 block of 1,000 bp"):
        strict_blocks([piece("a", 0, 20)], 1000, 0.5, seed=0)
