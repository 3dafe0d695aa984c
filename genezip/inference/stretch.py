"""Tokens of a stretch of a contig, with the bases before it that they depend on.

``genezip compress`` reads a contig from its first base. A stretch is read as that command reads it,
as far as memory and time allow: a stream begins some bases before the stretch, at the first base of
the contig where that is near, and a system that does not stream reads the same windows.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from genezip import log
from genezip.errors import GenezipError
from genezip.inference.forward import BLOCK_BP, WINDOW_BP, cut, longest_window, window_length
from genezip.inference.tracks import WINDOW_BP as TRACK_BP
from genezip.inference.tracks import WindowedBpt
from genezip.models.base import Compressor
from genezip.models.compressed import Compressed, check_tokens, joined

FLANK_BP = WINDOW_BP
"""Bases that a stream reads before a stretch."""

TAIL_BP, MOST_TAIL_BP = 4096, 65_536
"""Bases that a stream reads behind a stretch, and at most where its last chunk has no end yet."""


Bases = Callable[[int, int], np.ndarray]
"""Token ids of an interval of a contig, 0-based and half-open."""


@dataclass(frozen=True)
class Stretch:
    """Tokens of the bases ``start`` to ``end`` of a contig, and of those read around them.

    Attributes
    ----------
    start, end : the stretch, 0-based, half-open, in bases of the contig (bp)
    first : base of the contig at which the reading began
    found : tokens of all bases that were read, which include the stretch
    edges : int64 array, bases of the contig at which the reading or an independent window begins
    ids : token ids of all bases that were read, uint8; None where only the tokens are known
    """

    start: int
    end: int
    first: int
    found: Compressed
    edges: np.ndarray
    ids: np.ndarray | None = None

    @property
    def boundary_prob(self) -> np.ndarray | None:
        """Boundary probability of every base of the stretch, float32 (end - start,), or None."""
        prob = self.found.boundary_prob
        return None if prob is None else prob[self.start - self.first : self.end - self.first]

    @property
    def letters(self) -> np.ndarray | None:
        """Token ids of the stretch, uint8 (end - start,), or None."""
        return None if self.ids is None else self.ids[self.start - self.first :][: len(self)]

    def __len__(self) -> int:
        return self.end - self.start

    def chunks(self) -> tuple[np.ndarray, np.ndarray]:
        """Start and end of every chunk that overlaps the stretch, int64, in bases of the contig.

        They are whole, so the first and last may reach out of the stretch.
        """
        starts, ends = self._all_chunks()
        inside = (starts < self.end) & (ends > self.start)
        return starts[inside], ends[inside]

    @property
    def mean_bpt(self) -> float:
        """Bp per token of the stretch: its bases over its fractional tokens (as :meth:`bpt`)."""
        starts, ends = self.chunks()
        inside = np.minimum(ends, self.end) - np.maximum(starts, self.start)
        return float(inside.sum() / (inside / (ends - starts)).sum())

    def bpt(self, window_bp: int = TRACK_BP) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Start, end (int64) and local bp per token (float64) of the windows over the stretch.

        The windows are those of ``bpt.bw`` (:class:`genezip.inference.tracks.WindowedBpt`): they
        begin at multiples of ``window_bp`` of the contig, and only bases that were read count.
        """
        parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        windowed = WindowedBpt(lambda _, *columns: parts.append(columns), window_bp)
        starts, ends = self._all_chunks()
        if len(starts):
            windowed.add("", starts, ends, ends - starts)
            windowed.finish()
        none = np.zeros(0, dtype=np.int64)
        columns = zip(*parts, strict=True) if parts else ((none,), (none,), (none,))
        start, end, value = map(np.concatenate, columns)
        inside = (start < self.end) & (end > self.start)
        return start[inside], end[inside], value[inside]

    def _all_chunks(self) -> tuple[np.ndarray, np.ndarray]:
        edges = np.append(self.found.token_starts, self.found.length) + self.first
        return edges[:-1], edges[1:]


def read_stretch(
    compressor: Compressor, bases: Bases, length: int, start: int, end: int, flank: int = FLANK_BP
) -> Stretch:
    """Cut the bases ``start`` to ``end`` of a contig of ``length`` bases into tokens.

    A system that streams reads ``flank`` bases before the stretch, fewer at the beginning of the
    contig. Others read the windows of ``genezip compress`` that the stretch overlaps; ``flank``
    does not matter to them.
    """
    if not 0 <= start < end <= length:
        raise GenezipError(f"{start}-{end} is not inside a contig of {length:,} bases")
    if length < compressor.shortest_bp:
        raise GenezipError(
            f"the contig has {length} bases, fewer than the shortest sequence of "
            f"{compressor.name} ({compressor.shortest_bp} bp); choose a longer one"
        )
    window_bp = window_length(compressor)
    if window_bp is None:
        # blocks of a vocabulary are those of the whole contig
        first = max(start - flank, 0) // compressor.window_multiple * compressor.window_multiple
        last = min(end + TAIL_BP, length)
        last = max(last, min(first + compressor.shortest_bp, length))
        edges, step = np.array([first]), BLOCK_BP
    else:
        # with the windows of bpt.bw that the stretch overlaps
        low, high = start // TRACK_BP * TRACK_BP, -(-end // TRACK_BP) * TRACK_BP
        first = low // window_bp * window_bp
        last = min(-(-high // window_bp) * window_bp, length)
        if 0 < last % window_bp < compressor.shortest_bp and last - last % window_bp >= end:
            last -= last % window_bp  # a short last window, which may have no token
        edges, step = np.arange(first, last, window_bp), window_bp
    stream = compressor.stream() if window_bp is None else None
    ids = bases(first, last)
    complete = -(-end // TRACK_BP) * TRACK_BP  # a chunk that begins before has its whole length
    furthest = min(complete + MOST_TAIL_BP, length)
    parts, at, begun = [], 0, first
    with log.Progress("reading", len(ids), "bp") as shown:
        while at < len(ids):
            block = ids[at : at + step]
            if stream is None:
                (part,) = cut(compressor, [block])
            else:
                part = stream.feed(block)
                check_tokens(part, compressor.name, len(block), begins=False)
            if len(part.token_starts):
                begun = first + at + int(part.token_starts[-1])
            parts.append(replace(part, tokens=None))  # vectors are not drawn
            at += len(block)
            shown.advance(len(block))
            if stream is None or first + at < last:
                continue
            if begun >= complete:
                break
            if at == len(ids) and first + at < furthest:
                ids = np.concatenate([ids, bases(last, furthest)])
    return Stretch(start, end, first, joined(parts), edges, ids[:at])


def whole_stretch(compressor: Compressor, ids: np.ndarray, start: int, end: int) -> Stretch:
    """The bases ``start`` to ``end`` of a sequence that is read whole, as ``encode`` reads it."""
    (found,) = cut(compressor, [ids])
    longest = compressor.max_bp
    step = len(ids)
    if longest is not None and len(ids) > longest:
        step = longest_window(compressor, longest)
    edges = np.arange(0, len(ids), step)
    return Stretch(start, end, 0, replace(found, tokens=None), edges, ids)
