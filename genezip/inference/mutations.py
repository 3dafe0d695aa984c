"""In-silico mutagenesis of a boundary: which base makes this cut?

Every base of a stretch is replaced by each of the three others, one at a time, and the boundary
probability of one position is computed again. A system that streams reads the bases before a
mutation once and continues from a copy of its state; any other reads every changed sequence as a
whole. Both ways give the same numbers, up to rounding.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from genezip import log
from genezip.alphabet import A_ID, BASES, decode
from genezip.errors import GenezipError
from genezip.inference.changes import Change, read_changed
from genezip.inference.forward import cut as cut_all
from genezip.inference.stretch import Stretch
from genezip.models.base import Compressor, lacks

GROUP = 16
"""Changed sequences that are read together where there is no stream."""


@dataclass(frozen=True)
class Mutations:
    """Boundary probability at one position in a sequence and in its mutants of one base each.

    Attributes
    ----------
    at : the position whose boundary probability this is, 0-based in the sequence
    start : first mutated position, 0-based in the sequence
    ids : token ids of the L mutated positions in the sequence as it is, uint8 (L,)
    prob : boundary probability at ``at`` in the sequence as it is
    mutated : float64 array, shape (L, 4)
        Boundary probability at ``at`` with A, C, G or T at each position; ``prob`` where the
        sequence has that base.
    """

    at: int
    start: int
    ids: np.ndarray
    prob: float
    mutated: np.ndarray

    @property
    def change(self) -> np.ndarray:
        """``mutated`` minus ``prob``, float64 (L, 4)."""
        return self.mutated - self.prob

    def table(self, chrom: str, offset: int = 0) -> pd.DataFrame:
        """One row per mutation, by position: its place, both bases and the effect.

        Returns
        -------
        DataFrame
            chrom, start, end (the mutated base, 0-based, half-open), ref, alt, cut (the position
            ``at``, 0-based), boundary_prob (at the cut, with the mutation), change (of it).
            ``offset`` is added to all positions.
        """
        place, base = np.nonzero(self.ids[:, None] != np.arange(A_ID, A_ID + 4))
        start = place + self.start + offset
        letters = np.frombuffer(decode(self.ids), dtype="S1").astype(str)
        return pd.DataFrame(
            {
                "chrom": chrom,
                "start": start,
                "end": start + 1,
                "ref": letters[place],
                "alt": np.array([*BASES.decode()])[base],
                "cut": self.at + offset,
                "boundary_prob": self.mutated[place, base].round(6),
                "change": self.change[place, base].round(6),
            }
        )


def strongest(boundary_prob: np.ndarray, start: int, end: int, edges: np.ndarray) -> int:
    """Position in [start, end) of the highest boundary probability; the first of equals.

    The first base of a sequence or window (``edges``) begins a token whatever it is, so it counts
    only where there is no other.
    """
    prob = boundary_prob[start:end].astype(np.float64)
    inside = edges[(edges >= start) & (edges < end)] - start
    prob[inside] = -1
    return start + int(prob.argmax())


def mutate(compressor: Compressor, ids: np.ndarray, at: int, start: int, end: int) -> Mutations:
    """Mutate the positions ``start`` to ``end`` of a sequence and read the boundary at ``at``.

    Parameters
    ----------
    ids : token ids of the sequence, uint8 (N,), with the bases before ``start`` that the system
        shall know
    at : position whose boundary probability is read; not 0, where every sequence has a token
    """
    check(compressor, ids, at, start, end)
    if compressor.streams:
        return streamed_mutations(compressor, ids, at, start, end)
    return whole_mutations(compressor, ids, at, start, end)


def mutate_stretch(compressor: Compressor, stretch: Stretch, at: int | None = None) -> Mutations:
    """Mutate every base of a stretch and read the boundary at ``at``, by default the strongest.

    Positions, also those of the result, are bases of the contig. Mutations in another window than
    that of ``at`` change nothing.
    """
    prob, ids, first = stretch.found.boundary_prob, stretch.ids, stretch.first
    if prob is None or ids is None:
        lacks(compressor.name, "boundary probability, which mutations change")
    if at is None:
        own = strongest(prob, stretch.start - first, stretch.end - first, stretch.edges - first)
        at = own + first
    ends = np.append(stretch.edges, first + len(ids))
    window = int(np.searchsorted(ends, at, side="right"))
    low, high = int(ends[window - 1]), int(ends[window])
    if at == low:
        raise GenezipError(
            f"base {at + 1:,} (counted from 1) is the first that is read, or that of a window, and "
            "begins a token whatever it is; choose another cut"
        )
    start, end = max(stretch.start, low), min(stretch.end, high)
    inside = mutate(compressor, ids[low - first : high - first], at - low, start - low, end - low)
    mutated = np.full((len(stretch), 4), inside.prob)
    mutated[start - stretch.start : end - stretch.start] = inside.mutated
    letters = ids[stretch.start - first : stretch.end - first]
    return Mutations(at, stretch.start, letters, inside.prob, mutated)


def check(compressor: Compressor, ids: np.ndarray, at: int, start: int, end: int) -> None:
    """Refuse a system without boundary probabilities, and positions that are not inside."""
    if not compressor.gives_prob:
        lacks(compressor.name, "boundary probability, which mutations change")
    if not 0 <= start < end <= len(ids) or not 0 < at < len(ids):
        raise GenezipError(
            f"positions {start}-{end} and the cut {at} are not all inside a sequence of "
            f"{len(ids):,} bases, behind its first; choose others"
        )


def changes_of(ids: np.ndarray, start: int, end: int) -> list[Change]:
    """All mutations of the positions ``start`` to ``end``: each of the other bases, by position."""
    return [
        Change(at, np.array([base], dtype=np.uint8))
        for at in range(start, end)
        for base in range(A_ID, A_ID + 4)
        if base != ids[at]
    ]


def streamed_mutations(
    compressor: Compressor, ids: np.ndarray, at: int, start: int, end: int
) -> Mutations:
    """:func:`mutate` from copies of one stream, in which no base behind ``at`` matters."""
    some = changes_of(ids, start, min(end, at + 1))
    reference, probs = np.nan, np.full(len(some), np.nan)
    with log.Progress("mutations", len(some), "mutation") as shown:
        for number, found in read_changed(compressor.stream(), ids[: at + 1], some):
            assert found.boundary_prob is not None
            if number is None:
                reference = float(found.boundary_prob[-1])
            else:
                probs[number] = found.boundary_prob[-1]
                shown.advance()
    return _mutations(ids, at, start, end, reference, some, probs)


def whole_mutations(
    compressor: Compressor, ids: np.ndarray, at: int, start: int, end: int
) -> Mutations:
    """:func:`mutate` by reading every changed sequence as a whole."""
    some = changes_of(ids, start, end)
    reference, probs = _prob(compressor, [ids], at)[0], np.full(len(some), np.nan)
    with log.Progress("mutations", len(some), "mutation") as shown:
        for first in range(0, len(some), GROUP):
            group = some[first : first + GROUP]
            copies = []
            for change in group:
                copy = ids.copy()
                copy[change.start] = change.ids[0]
                copies.append(copy)
            probs[first : first + len(group)] = _prob(compressor, copies, at)
            shown.advance(len(group))
    return _mutations(ids, at, start, end, reference, some, probs)


def _prob(compressor: Compressor, sequences: list[np.ndarray], at: int) -> list[float]:
    found = [one.boundary_prob for one in cut_all(compressor, sequences)]
    return [float("nan") if prob is None else float(prob[at]) for prob in found]


def _mutations(
    ids: np.ndarray, at: int, start: int, end: int,
    prob: float, some: list[Change], probs: np.ndarray,
) -> Mutations:  # fmt: skip
    """The result; a mutation that was not read (behind the cut of a stream) changes nothing."""
    mutated = np.full((end - start, 4), prob)
    for change, value in zip(some, probs, strict=True):
        mutated[change.start - start, int(change.ids[0]) - A_ID] = value
    return Mutations(at, start, ids[start:end].copy(), prob, mutated)
