"""Intervals of one assembly on another, through a UCSC chain file.

pyliftover moves single positions; here the blocks of its chains (:mod:`genezip.formats.chain`)
move whole intervals, so that no base between the ends is forgotten.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from genezip.errors import GenezipError
from genezip.formats.chain import read_chains
from genezip.formats.lines import Input, shown

MIN_MAPPED = 0.95
"""Share of an interval's bases that must map: the default of UCSC's liftOver."""

MAX_CHANGE = 1.1
"""A whole interval may become so many times longer or shorter, not more."""


@dataclass(frozen=True)
class Part:
    """Bases that map in one stretch: a block, cut to the interval asked for.

    Attributes
    ----------
    chrom, start, end : str, int, int
        Where they lie in the target assembly, 0-based, half-open.
    strand : str
        ``-`` where the target runs the other way.
    """

    chrom: str
    start: int
    end: int
    strand: str


@dataclass(frozen=True)
class Span:
    """An interval of the target assembly, 0-based, half-open."""

    chrom: str
    start: int
    end: int

    @property
    def length(self) -> int:
        """Length (bp)."""
        return self.end - self.start

    def holds(self, part: Part) -> bool:
        """True if a part lies wholly inside."""
        return self.chrom == part.chrom and self.start <= part.start and part.end <= self.end


class Liftover:
    """The chains of one file, checked against the two assemblies that they join.

    Parameters
    ----------
    path : chain file, plain or gzip; a file or a pipe
    source_sizes, target_sizes : mapping
        Chromosome -> length (bp). Names that a table lacks (scaffolds, alternative haplotypes)
        are not checked; at least one name of each side must be known.
    pair : str
        What the file must join, for the error message, such as ``hg19 to hg38``.

    Raises
    ------
    GenezipError
        If the file is missing, truncated or no chain file, or joins other assemblies.
    """

    def __init__(
        self,
        path: Input,
        source_sizes: Mapping[str, int],
        target_sizes: Mapping[str, int],
        pair: str = "hg19 to hg38",
    ) -> None:
        chains = read_chains(path)
        sources = {chain.source_name: chain.source_size for chain in chains}
        targets = {chain.target_name: chain.target_size for chain in chains}
        for found, sizes in ((sources, source_sizes), (targets, target_sizes)):
            wrong = [name for name, bp in found.items() if sizes.get(name, bp) != bp]
            if wrong or not set(found) & set(sizes):
                name = (wrong or list(found))[0]
                known = f"{sizes[name]:,} bp" if name in sizes else "unknown"
                raise GenezipError(
                    f"{shown(path)} is no chain file from {pair}: its {name} has {found[name]:,} "
                    f"bp where {known} was expected; give the chain file of that pair and direction"
                )
        self._blocks: dict[str, list[tuple[int, int, str, int, int, str]]] = {}
        for chain in chains:
            own = self._blocks.setdefault(chain.source_name, [])
            for start, end, target in chain.blocks:
                first = target
                if chain.target_strand == "-":
                    first = chain.target_size - (target + end - start)
                place = (chain.target_name, first, first + end - start, chain.target_strand)
                own.append((start, end, *place))
        self._edges = {}
        for chrom, blocks in self._blocks.items():
            blocks.sort()
            starts = np.array([block[0] for block in blocks])
            # Blocks of different chains may overlap: how far any block up to here reaches.
            reach = np.maximum.accumulate([block[1] for block in blocks])
            self._edges[chrom] = (starts, reach)

    def parts(self, chrom: str, start: int, end: int) -> list[Part]:
        """Every piece of the target assembly that a base of [start, end) maps to."""
        if chrom not in self._blocks:
            return []
        starts, reach = self._edges[chrom]
        first = int(np.searchsorted(reach, start, side="right"))
        last = int(np.searchsorted(starts, end, side="left"))
        found = []
        for lo, hi, name, target, target_end, strand in self._blocks[chrom][first:last]:
            left, right = max(start - lo, 0), max(hi - end, 0)  # cut off at either side
            if strand == "-":
                left, right = right, left
            if target + left < target_end - right:
                found.append(Part(name, target + left, target_end - right, strand))
        return found

    def whole(self, chrom: str, start: int, end: int) -> Span | None:
        """The interval on the target, or None where it does not map as one.

        It maps as one if all bases that map do so to one chromosome and strand, they are at
        least :data:`MIN_MAPPED` of it, and from the first to the last they span neither much
        more nor much less than it does (:data:`MAX_CHANGE`).
        """
        parts = self.parts(chrom, start, end)
        length = end - start
        mapped = sum(part.end - part.start for part in parts)
        if len({(part.chrom, part.strand) for part in parts}) != 1 or mapped < MIN_MAPPED * length:
            return None
        span = hull(parts)
        if not length / MAX_CHANGE <= span.length <= length * MAX_CHANGE:
            return None
        return span


def hull(parts: "list[Part] | list[Span]") -> Span:
    """The shortest interval that holds all parts, which lie on one chromosome."""
    chrom = parts[0].chrom
    return Span(chrom, min(part.start for part in parts), max(part.end for part in parts))
