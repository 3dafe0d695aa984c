"""Stretches of a FASTA that are still to be compressed, and the loop that compresses them.

A stretch is work for one process: consecutive bases of which no part is finished. One process takes
all of them in the order of the file. For several they are cut where a new stream or window begins,
so that their results do not depend on who compresses them, nor on the order.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from genezip.artifacts.journal import StopRequest
from genezip.formats.fasta import FastaStream
from genezip.inference.parts import PART_BP, PartFolder, Records, TokenDraft, TokenPart
from genezip.models.base import Compressor, Stream
from genezip.models.compressed import check_tokens

PER_PROCESS = 64
"""Stretches for each process where windows or records allow it: the last to finish is late by so
small a share of the work."""


class Stretch(NamedTuple):
    """Bases from ``start`` to ``end``, half-open, counted over all records in order of the file.

    ``before`` is the start of the finished part that ends at ``start``; None without one.
    """

    start: int
    end: int
    before: int | None = None


def missing(records: Records, finished: Iterable[tuple[int, int]]) -> list[Stretch]:
    """What the finished parts, in order, leave over, in order."""
    found, at, before = [], 0, None
    for start, end in [*finished, (records.bases, records.bases)]:
        if start > at:
            found.append(Stretch(at, start, before))
        at, before = end, start
    return found


def divided(
    stretches: Iterable[Stretch], records: Records, window_bp: int | None, processes: int
) -> list[Stretch]:
    """Divide stretches for several processes, in the order in which they should begin.

    A stream is not divided (``window_bp`` is None), so that a long record remains whole; windows
    are. The longest come first, because one that begins last would keep the others waiting. Lengths
    count in multiples of the shortest, and equal ones keep the order of the file: a process that
    goes back in the file reads it from the beginning, so it should do that few times.
    """
    stretches = list(stretches)
    bases = sum(stretch.end - stretch.start for stretch in stretches)
    least = max(1, min(PART_BP, bases // (PER_PROCESS * processes)))
    found = []
    for stretch in stretches:
        start, before = stretch.start, stretch.before
        for cut in _cuts(stretch, records, window_bp, least):
            if cut - start >= least or cut == stretch.end:
                found.append(Stretch(start, cut, before))
                start, before = cut, None
    return sorted(found, key=lambda one: -((one.end - one.start) // least))


def _cuts(stretch: Stretch, records: Records, window_bp: int | None, least: int) -> Iterator[int]:
    """Places where a stretch may be cut, in order; the last is its end."""
    for _, _, bases in records.between(stretch.start, stretch.end):
        if window_bp is not None:
            step = -(-least // window_bp) * window_bp
            yield from range(bases.start + step, bases.stop, step)
        yield bases.stop


@dataclass(frozen=True)
class Reading:
    """How every process of a run reads the FASTA, and where it writes what it finds.

    Attributes
    ----------
    streamed : whether every record is one stream; otherwise windows are independent
    step : bases of a block of a stream, or of a window
    draft : an empty one
    """

    fasta: FastaStream
    streamed: bool
    step: int
    parts: PartFolder[TokenPart]
    draft: TokenDraft

    def blocks(
        self, stretches: Iterable[Stretch]
    ) -> Iterator[tuple[Stretch, int, int, np.ndarray]]:
        """(stretch, position, start in the record, token ids) of the blocks of every stretch.

        The file is read once if the stretches are in order, and again from the beginning for a
        stretch that lies before the last.
        """
        begins = Records(self.fasta.lengths).start
        windows, at = self.fasta.windows(self.step), 0
        for stretch in stretches:
            if stretch.start < at:
                windows, at = self.fasta.windows(self.step), 0
            while at < stretch.end:
                record, start, ids = next(windows)
                first = begins[record] + start
                at = first + len(ids)
                if first >= stretch.start:
                    yield stretch, first, start, ids


def compress_stretches(
    reading: Reading,
    compressor: Compressor,
    stretches: Iterable[Stretch],
    stop: StopRequest,
    advance: Callable[[int], None],
    wrote: Callable[[tuple[int, int]], None],
) -> None:
    """Compress stretches into parts; on a stop request finish the block, write it and return.

    ``advance`` is called with the length of every block, ``wrote`` with start and end of each part.
    """
    parts, draft = reading.parts, reading.draft
    bounds = Records(reading.fasta.lengths).bounds
    stream: Stream | None = None

    def write() -> None:
        inside = draft.end not in bounds  # a stream keeps its state within a record only
        parts.write(draft.part(stream.state_dict() if stream and inside else None))
        wrote((draft.start, draft.end))
        draft.clear()

    for stretch, first, start, ids in reading.blocks(stretches):
        if reading.streamed and (start == 0 or first == stretch.start):
            stream = compressor.stream()
            if start:
                assert stretch.before is not None
                state = parts.read(stretch.before, first).state
                assert state is not None
                stream.load_state_dict(state)
        span = compressor.encode([ids])[0] if stream is None else stream.feed(ids)
        at_first = stream is None or (start == 0 and len(span.token_starts) > 0)
        check_tokens(span, compressor.name, len(ids), at_first)
        draft.add(first, span)
        advance(len(ids))
        if stop or draft.is_full() or draft.end == stretch.end:
            write()
        if stop:
            return
