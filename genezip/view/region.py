"""The region that a user names, ``chr1:1,001-2,000``, and its bases in a FASTA."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from genezip.errors import GenezipError
from genezip.formats.fasta import FastaStream
from genezip.formats.input_file import is_pipe, shown_path
from genezip.genome.assembly import ReferenceGenome
from genezip.genome.names import first_names, translate
from genezip.genome.sources.splits import parse_interval

MOST_BP = 2_000_000
"""Longest region of a picture."""

_STEP_BP = 1 << 20


@dataclass(frozen=True)
class Region:
    """An interval of a contig, 0-based, half-open (bp); as text it counts from 1, both ends in."""

    chrom: str
    start: int
    end: int

    def __str__(self) -> str:
        return f"{self.chrom}:{self.start + 1:,}-{self.end:,}"


def parse_region(text: str, sizes: Mapping[str, int], where: object) -> Region:
    """The region of a text such as ``chr1:1,001-2,000``, or of the name of a whole contig.

    Positions of the text count from 1 and include both ends, as in samtools and genome browsers.
    ``1`` is found as ``chr1`` and the other way round.

    Parameters
    ----------
    sizes : contig -> length (bp)
    where : name of the file with the contigs, for messages
    """
    text = text.strip()
    interval = parse_interval(text, sizes)
    name = interval[0] if interval else text
    chrom = translate(name, sizes)
    if chrom not in sizes:
        if interval is None and ":" in text:
            raise GenezipError(
                f"{text!r} is no region; write it as {next(iter(sizes))}:1,001-2,000"
            )
        raise GenezipError(
            f"{where} has no contig {name!r}; it has {first_names(sizes)}: name one of them"
        )
    length = sizes[chrom]
    low, high = interval[1:] if interval else (1, length)
    if low < 1:
        raise GenezipError(f"the region {text} begins at {low}, but bases count from 1; correct it")
    if high <= low:
        raise GenezipError(
            f"the region {text} has no length: its end {high:,} is not behind its start {low:,}; "
            "correct one of them"
        )
    if high > length:
        raise GenezipError(
            f"the region {text} reaches out of {chrom}, which has {length:,} bases; choose an end "
            f"of at most {length:,}"
        )
    check_length(high - low + 1)
    return Region(chrom, low - 1, high)


def check_length(length: int) -> None:
    """Refuse a region that is too long for a picture."""
    if length > MOST_BP:
        raise GenezipError(
            f"the region has {length:,} bases, but a picture shows at most {MOST_BP:,}; choose a "
            "shorter one, or write tracks for a genome browser with genezip compress --tracks"
        )


class Contigs:
    """Contigs of a FASTA: their lengths, and bases of one of them; close it, or use ``with``.

    With an index beside the file (``.fai``) only the bases that are asked for are read. Any other
    FASTA, plain or compressed, file or pipe, is read from its beginning, and no index is written.
    """

    def __init__(self, path: str | Path) -> None:
        path = Path(path)
        self._genome = self._stream = None
        if not is_pipe(path) and path.is_file() and path.with_name(path.name + ".fai").exists():
            self._genome = ReferenceGenome(path)
            self.sizes = dict(self._genome.sizes)
        else:
            self._stream = FastaStream(path)
            self.sizes = dict(self._stream.lengths)
        self.name = shown_path(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()

    def ids(self, chrom: str, start: int, end: int) -> np.ndarray:
        """Token ids of an interval inside a contig, 0-based, half-open: uint8 (end - start,)."""
        if self._stream is None:
            assert self._genome is not None
            return self._genome.ids(chrom, start, end)
        parts = []
        for name, at, ids in self._stream.windows(_STEP_BP):
            if name == chrom and at < end and at + len(ids) > start:
                parts.append(ids[max(start - at, 0) : end - at])
            if parts and (name != chrom or at + len(ids) >= end):
                break
        return np.concatenate(parts)
