"""PRO-cap counts that are made up: a bigWig of single bases, and segments to count in."""

from pathlib import Path

import numpy as np
import pyBigWig

from genezip.alphabet import decode
from genezip.genome.assembly import Segment
from toolkit.dna import random_ids
from toolkit.labels import Segments

LETTERS = np.frombuffer(decode(random_ids(30_000, 0)), dtype=np.uint8)


def write_counts(path: Path, values: dict[int, float], length: int = 5000) -> Path:
    """A bigWig of chr22 with these values of bases."""
    with pyBigWig.open(str(path), "w") as track:
        track.addHeader([("chr1", length), ("chr22", length)])
        at = sorted(values)
        track.addEntries(
            ["chr22"] * len(at), at, ends=[a + 1 for a in at], values=[values[a] for a in at]
        )
    return path


def random_segments(*segments: Segment) -> Segments:
    """An assembly of segments of random bases."""
    return Segments(*segments, letters=lambda at: LETTERS[at % len(LETTERS)])
