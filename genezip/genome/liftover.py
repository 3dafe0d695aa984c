"""Lift intervals from one assembly to another with a UCSC chain file.

pyliftover lifts single positions; here the blocks of its chains (:mod:`genezip.formats.chain`)
lift whole intervals, including all bases between the ends.

:func:`lift_pairs` loses no input of a task: an input that does not map as one interval is joined
from its two ends, and if that fails, widened. Inputs that do not map at all are listed.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from genezip.errors import GenezipError
from genezip.formats.chain import read_chains
from genezip.formats.lines import Input, shown
from genezip.genome.intervals import union

logger = logging.getLogger(__name__)

MIN_MAPPED = 0.95
"""Share of an interval's bases that must map: the default of UCSC's liftOver."""

MAX_CHANGE = 1.1
"""Largest factor by which a whole interval may become longer or shorter."""

LONGEST = 2
"""Largest span of two lifted ends, flanks included, as a multiple of the original length."""

_NAMED = 5  # inputs listed in a message


@dataclass(frozen=True)
class Part:
    """An aligned block, cut to the lifted interval, in target coordinates (0-based, half-open).

    ``strand`` is ``-`` if the target is reversed.
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
        """True if a part lies completely inside."""
        return self.chrom == part.chrom and self.start <= part.start and part.end <= self.end


class Liftover:
    """The chains of one file, checked against the lengths of the two assemblies.

    Parameters
    ----------
    path : chain file, plain or gzip; a file or a pipe
    source_sizes, target_sizes : chromosome -> length (bp). Names that a table lacks (scaffolds,
        alternative haplotypes) are not checked; at least one name of each side must be known.
    pair : assemblies of the file, for the error message, such as ``hg19 to hg38``
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
                    f"{shown(path)} is not a chain file from {pair}: its {name} has "
                    f"{found[name]:,} bp where {known} was expected; give the chain file of that "
                    "pair and direction"
                )
        self._blocks: dict[str, list[tuple[int, int, str, int, int, str]]] = {}
        for chain in chains:
            blocks = self._blocks.setdefault(chain.source_name, [])
            for start, end, target in chain.blocks:
                first = target
                if chain.target_strand == "-":
                    first = chain.target_size - (target + end - start)
                image = (chain.target_name, first, first + end - start, chain.target_strand)
                blocks.append((start, end, *image))
        self._edges = {}
        for chrom, blocks in self._blocks.items():
            blocks.sort()
            starts = np.array([block[0] for block in blocks])
            # Blocks of different chains may overlap, so the furthest end so far is stored.
            reach = np.maximum.accumulate([block[1] for block in blocks])
            self._edges[chrom] = (starts, reach)

    def parts(self, chrom: str, start: int, end: int) -> list[Part]:
        """All parts of the target assembly to which bases of [start, end) map."""
        if chrom not in self._blocks:
            return []
        starts, reach = self._edges[chrom]
        first = int(np.searchsorted(reach, start, side="right"))
        last = int(np.searchsorted(starts, end, side="left"))
        found = []
        for lo, hi, name, target, target_end, strand in self._blocks[chrom][first:last]:
            left, right = max(start - lo, 0), max(hi - end, 0)  # bases cut off at each side
            if strand == "-":
                left, right = right, left
            if target + left < target_end - right:
                found.append(Part(name, target + left, target_end - right, strand))
        return found

    def whole(self, chrom: str, start: int, end: int) -> Span | None:
        """The interval on the target, or None if it does not map as one.

        An interval maps as one if all its mapped bases are on one chromosome and strand, they are
        at least :data:`MIN_MAPPED` of it, and their span is similar in length (:data:`MAX_CHANGE`).
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


@dataclass(frozen=True)
class Lifted:
    """Inputs on the new assembly."""

    table: pd.DataFrame  # chrom, start, end (may reach beyond a chromosome), split, reason
    widened: Mapping[str, int]  # split -> number of inputs that are excluded as widened parts
    # split -> names of inputs without any base on the new assembly
    not_lifted: Mapping[str, list[str]]


def lift_pairs(spans: pd.DataFrame, lift: Liftover) -> Lifted:
    """Lift the spans of gene-element pairs (:func:`genezip.tasks.pairs.gene_pairs.pair_spans`)."""
    rows: list[tuple[str, int, int, str, str]] = []
    names: dict[str, list[tuple[str, str]]] = {}
    spans = spans.drop_duplicates()
    for row in spans.to_dict("records"):
        split, start, end = str(row["split"]), max(int(row["start"]), 0), int(row["end"])
        windows = [
            (max(int(row[f"{side}_start"]), 0), int(row[f"{side}_end"]))
            for side in ("tss", "region")
        ]
        how, found = lift_input(lift, str(row["chrom"]), (start, end), windows)
        name = f"gene {row['gene_id']} with element {row['region_id']}"
        names.setdefault(how, []).append((split, name))
        reason = f"{name} of hg19" + (", widened" if how == "widened" else "")
        rows += [(span.chrom, span.start, span.end, split, reason) for span in found]
    widened, lost = names.get("widened", []), names.get("lost", [])
    counts = {how: len(names.get(how, [])) for how in ("whole", "ends", "widened", "lost")}
    logger.info(
        f"etgp: of {len(spans):,} inputs {counts['whole']:,} lift to hg38 as one, "
        f"{counts['ends']:,} by their two ends"
    )
    if widened:
        logger.warning(
            f"etgp: {len(widened):,} inputs lift in parts only; each end part is "
            f"excluded with the length of the input on both sides: {_some(widened)}"
        )
    if lost:
        logger.warning(
            f"etgp: {len(lost):,} inputs cannot be lifted and are NOT excluded: {_some(lost)}"
        )
    not_lifted: dict[str, list[str]] = {}
    for split, name in lost:
        not_lifted.setdefault(split, []).append(name)
    table = pd.DataFrame(rows, columns=["chrom", "start", "end", "split", "reason"])
    return Lifted(table, Counter(split for split, _ in widened), not_lifted)


def lift_input(
    lift: Liftover, chrom: str, span: tuple[int, int], windows: list[tuple[int, int]]
) -> tuple[str, list[Span]]:
    """Lift one input of a task, a span with a TSS window and an element window at its ends.

    Returns
    -------
    how : str
        ``whole``: the input maps as one interval. ``ends``: both windows do, on one chromosome and
        spanning at most :data:`LONGEST` times its length. ``widened``: neither; the parts of the
        windows (or of the whole input if these have none) are widened by its length on both
        sides. ``lost``: no base maps.
    spans : list of Span
        Together they contain every base to which the input maps.
    """
    whole = lift.whole(chrom, *span)
    if whole is not None:
        return "whole", [whole]
    parts = lift.parts(chrom, *span)
    if not parts:
        return "lost", []
    length = span[1] - span[0]
    ends = [end for window in windows if (end := lift.whole(chrom, *window)) is not None]
    if len(ends) == len(windows) and len({end.chrom for end in ends}) == 1:
        joined = hull(ends)
        if joined.length <= LONGEST * length:
            return "ends", [joined, *_outside(parts, [joined])]
    end_parts = [part for window in windows for part in lift.parts(chrom, *window)] or parts
    wide = [Span(part.chrom, part.start - length, part.end + length) for part in end_parts]
    return "widened", [*_joined(wide), *_outside(parts, wide)]


def _outside(parts: list[Part], spans: list[Span]) -> list[Span]:
    """Parts outside all spans: bases of the input that map elsewhere."""
    return _joined(part for part in parts if not any(span.holds(part) for span in spans))


def _joined(parts: Iterable[Part | Span]) -> list[Span]:
    """Union of parts or spans, sorted; touching ones are joined."""
    return [Span(*one) for one in union((part.chrom, part.start, part.end) for part in parts)]


def _some(named: list[tuple[str, str]]) -> str:
    shown = [name for _, name in named[:_NAMED]]
    return "; ".join(shown) + ("; ..." if len(named) > _NAMED else "")


def hull(parts: "list[Part] | list[Span]") -> Span:
    """The shortest interval that contains all parts, which lie on one chromosome."""
    chrom = parts[0].chrom
    return Span(chrom, min(part.start for part in parts), max(part.end for part in parts))
