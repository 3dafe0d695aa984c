"""Real sequence for timings: bases in a row without N."""

import os
from pathlib import Path

import numpy as np
from latency_models import ROOT

from genezip.alphabet import is_base
from genezip.formats.fasta import FastaStream

WHOLE_RECORD = 1 << 40


def default_fasta() -> Path | None:
    """The genome of the demo in the mirror folder; None where there is no mirror."""
    mirror = os.environ.get("GENEZIP_MIRROR") or ROOT.parent / "shared" / "data"
    path = Path(mirror) / "demo" / "genome.fa.gz"
    return path if path.exists() else None


def longest_run(ids: np.ndarray) -> np.ndarray:
    """The longest stretch of A, C, G and T (the first of several; empty where there is none)."""
    edges = np.flatnonzero(np.diff(np.pad(is_base(ids).astype(np.int8), 1)))
    starts, ends = edges[::2], edges[1::2]
    if len(starts) == 0:
        return ids[:0]
    longest = int((ends - starts).argmax())
    return ids[starts[longest] : ends[longest]]


def longest_known(fasta: Path, length: int) -> np.ndarray:
    """Bases of the first record with ``length`` of them in a row, else of the best record.

    Returns
    -------
    uint8 array of token ids, at most ``length`` long

    Raises
    ------
    GenezipError
        For a file that is no FASTA (:class:`genezip.formats.fasta.FastaStream`).
    """
    best = np.zeros(0, dtype=np.uint8)
    with FastaStream(fasta) as stream:
        for _, _, ids in stream.windows(WHOLE_RECORD):
            found = longest_run(ids)
            if len(found) > len(best):
                best = found
            if len(best) >= length:
                break
    return best[:length]
