"""Transcription initiation at single bases: PRO-cap counts on the segments of a genome."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from genezip.alphabet import N_ID, encode
from genezip.errors import GenezipError
from genezip.formats.bigwig import open_bigwig
from genezip.genome.assembly import Assembly, Segment

CHROM = "chr22"  # the bigWigs name every chromosome and hold values of this one
NEAR_N = 500  # bp; the benchmark scores no base with an N this near


@dataclass(frozen=True)
class LabelledSegment:
    """A stretch of sequence with counts.

    Attributes
    ----------
    segment : Segment
    ids : uint8 array, shape (L,), token ids
    counts : float32 array, shape (2, L), 5' ends on the forward and the reverse strand
    scored : bool array, shape (L,), False within 500 bp of an N
    """

    segment: Segment
    ids: np.ndarray
    counts: np.ndarray
    scored: np.ndarray


@dataclass(frozen=True)
class Block:
    """Neighbouring bases of one segment that are in one fold: ``first`` to ``last`` in it."""

    segment: int
    first: int
    last: int
    fold: int


@dataclass(frozen=True)
class Sampled:
    """Bases of a segment that may be learned: those with signal, and some of the others.

    Attributes
    ----------
    at : int64 array, places in the segment
    weight : float64 array, how many bases each stands for
    """

    at: np.ndarray
    weight: np.ndarray


def read_initiation(plus: Path, minus: Path, assembly: Assembly) -> list[LabelledSegment]:
    """Counts on every segment of :data:`CHROM` that has any.

    A segment without a single count lies where short reads cannot be placed (copies of other DNA);
    its zeros say nothing.

    Parameters
    ----------
    plus, minus : bigWig with one count per base; a reverse strand may be negative
    assembly : segments of the same genome build

    Returns
    -------
    list of LabelledSegment; may be empty

    Raises
    ------
    GenezipError
        If a file cannot be read or a chromosome is shorter than a segment of it.
    """
    tracks = [open_bigwig(path, "fetch the labels again") for path in (plus, minus)]
    try:
        found = []
        for segment in assembly.segments:
            if segment.chrom != CHROM:
                continue
            values = []
            for path, track in zip((plus, minus), tracks, strict=True):
                if track.chroms().get(segment.chrom, 0) < segment.end:
                    raise GenezipError(
                        f"{path} ends before {segment.name}; it is of another genome build"
                    )
                row = track.values(segment.chrom, segment.start, segment.end, numpy=True)
                values.append(np.abs(np.nan_to_num(row)))
            counts = np.stack(values).astype(np.float32)
            if counts.any():
                ids = encode(assembly.sequence(segment), segment.name)
                found.append(LabelledSegment(segment, ids, counts, far_from_n(ids)))
        return found
    finally:
        for track in tracks:
            track.close()


def far_from_n(ids: np.ndarray, distance: int = NEAR_N) -> np.ndarray:
    """True where no base within ``distance`` bp is N (bool, the shape of ``ids``)."""
    seen = np.concatenate([[0], np.cumsum(ids == N_ID)])
    at = np.arange(len(ids))
    low, high = np.maximum(at - distance, 0), np.minimum(at + distance + 1, len(ids))
    return np.asarray(seen[high] == seen[low])


def blocks(lengths: Iterable[int], block_bp: int, folds: int) -> list[Block]:
    """Cut segments into blocks; block after block goes to the next fold.

    Parameters
    ----------
    lengths : lengths of the segments (bp)
    block_bp : length of a block; the last of a segment is shorter
    """
    found: list[Block] = []
    for segment, length in enumerate(lengths):
        for first in range(0, length, block_bp):
            last = min(first + block_bp, length)
            found.append(Block(segment, first, last, len(found) % folds))
    return found


def learned(length: int, tested: Iterable[Block], gap_bp: int) -> np.ndarray:
    """Bases of a segment that may be learned: farther than ``gap_bp`` from every tested block.

    Returns
    -------
    bool array, shape (length,)
    """
    free = np.ones(length, dtype=bool)
    for block in tested:
        free[max(block.first - gap_bp, 0) : block.last + gap_bp] = False
    return free


def sample(targets: list[np.ndarray], zero_share: float, seed: int) -> list[Sampled]:
    """All bases with signal on either strand, and a random share of the others.

    Parameters
    ----------
    targets : float arrays, shape (2, L), NaN where a base is not scored
    zero_share : chance of a base without signal; it then has the weight one over it
    """
    random = np.random.default_rng(seed)
    found = []
    for target in targets:
        signal = np.asarray((target > 0).any(axis=0))
        at = np.flatnonzero(signal | (random.random(len(signal)) < zero_share))
        found.append(Sampled(at, np.where(signal[at], 1.0, 1 / zero_share)))
    return found
