"""Finished parts of long work on disk, from which ``genezip compress`` and ``embed`` resume.

A part is one file, written atomically. It holds the results of consecutive bases, the state of the
stream after the last of them and the identity of the run. Positions count the bases of all records
in the order of the file (of all regions in the order of a BED), so a part may hold many short
records. :class:`Join` adds part after part of a FASTA to the table and the tracks.
"""

import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
import torch

from genezip.artifacts.states import StateFolder
from genezip.inference.table import TokenTable
from genezip.inference.tracks import TrackWriter, bits
from genezip.models.compressed import Compressed

FORMAT_VERSION = 3

# A part is written when it reaches one of these limits of memory and of work lost in a crash.
PART_BP = 4 << 20
PART_BYTES = 64 << 20
PART_SECONDS = 60.0

# Field of Compressed -> column of the token table. A part holds the fields that the system gives.
_OF_TOKENS = {
    "start_prob": "boundary_prob",
    "kept_by": "kept_by",
    "token_ids": "token_id",
    "tokens": "token",
}


class Records:
    """Names and start positions of the records of a FASTA, from their lengths in file order."""

    def __init__(self, lengths: Mapping[str, int]) -> None:
        self.names = list(lengths)
        self.bounds = np.cumsum([0, *lengths.values()])
        self.start = dict(zip(self.names, self.bounds[:-1].tolist(), strict=True))
        self.bases = int(self.bounds[-1])

    def of(self, positions: np.ndarray) -> np.ndarray:
        """Index of the record that holds each position (int64 array)."""
        return np.searchsorted(self.bounds, positions, side="right") - 1

    def between(self, start: int, end: int) -> Iterator[tuple[str, int, slice]]:
        """Name, position in the record and slice of positions, for each record in an interval."""
        while start < end:
            number = int(self.of(np.array(start)))
            stop = min(end, int(self.bounds[number + 1]))
            yield self.names[number], start - int(self.bounds[number]), slice(start, stop)
            start = stop


@dataclass(frozen=True, kw_only=True)
class Part:
    """Results of the bases from ``start`` to ``end``, half-open.

    ``arrays`` are results by name, and ``state`` is what the next base needs, as plain values and
    tensors; None between sequences.
    """

    start: int
    end: int
    arrays: dict[str, np.ndarray]
    state: dict[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class TokenPart(Part):
    """Tokens of the bases from ``start`` to ``end``, half-open.

    A span is a window, or a block of a stream.

    Attributes
    ----------
    arrays : by name

        - token_starts: int64, shape (M,), first base of every chunk, which ends where the next
          begins
        - start_prob, kept_by, token_ids, tokens: of every token, as in
          :class:`~genezip.models.compressed.Compressed`, if the system gives them
        - boundary_prob: float32, shape (end - start,), if tracks need it
        - surprisal: float32, shape (end - start,), if tracks need it: bits of every base, NaN
          where it is not predicted or the likelihood of its span is not exact
        - nats: float64, summed negative log-probability of every span
    predicted : number of predicted bases (not N, not the first of a sequence)
    bound_active : number of spans whose tokens a bound changed
    kinds : kind of likelihood (``none`` without one) -> number of spans
    state : state of the stream at ``end``; None between sequences
    """

    predicted: int
    bound_active: int
    kinds: dict[str, int]


class Draft:
    """Results of the next part.

    They are copied into memory that all parts reuse: small arrays kept from each step would
    fragment the heap between the large ones that are freed.
    """

    def __init__(self) -> None:
        self.columns: dict[str, _Column] = {}
        self.clear()

    def clear(self) -> None:
        """Begin the next part."""
        for column in self.columns.values():
            column.length = 0
        self.start = self.end = 0
        self.began = time.monotonic()

    def __bool__(self) -> bool:
        return self.end > self.start

    def append(self, start: int, end: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Add results of the bases from ``start``, where the draft ends if it has any, to ``end``.

        Every call gives the same names.
        """
        self.start = self.start if self else start
        self.end = end
        for name, values in arrays.items():
            self.columns.setdefault(name, _Column()).append(values)

    def is_full(self) -> bool:
        """Whether the part should be written."""
        return (
            self.end - self.start >= PART_BP
            or sum(column.values().nbytes for column in self.columns.values()) >= PART_BYTES
            or time.monotonic() - self.began >= PART_SECONDS
        )

    def part(self, state: dict[str, Any] | None) -> Part:
        """The part, with the state after it; valid until the next :meth:`append`."""
        return Part(start=self.start, end=self.end, arrays=self._arrays(), state=state)

    def _arrays(self) -> dict[str, np.ndarray]:
        return {name: column.values() for name, column in self.columns.items()}


class TokenDraft(Draft):
    """Tokens of the spans of the next part.

    ``prob`` and ``surprisal`` keep every base's boundary probability and bits, for tracks.
    """

    def __init__(self, prob: bool, surprisal: bool = False) -> None:
        self.prob, self.surprisal = prob, surprisal
        super().__init__()

    def clear(self) -> None:
        """Begin the next part."""
        super().clear()
        self.predicted = self.bound_active = 0
        self.kinds = Counter[str]()

    def add(self, start: int, span: Compressed) -> None:
        """Add a span that begins at ``start``."""
        log_prob = np.zeros(0) if span.log_prob is None else span.log_prob
        known = log_prob[~np.isnan(log_prob)].astype(np.float64)
        given = {name: getattr(span, name) for name in _OF_TOKENS}
        if span.tokens is not None:
            given["tokens"] = span.tokens.astype(np.float32, copy=False)
        given["boundary_prob"] = span.boundary_prob if self.prob else None
        given["surprisal"] = surprisal(span) if self.surprisal else None
        given["token_starts"] = start + span.token_starts
        given["nats"] = np.array([-known.sum()])
        arrays = {name: values for name, values in given.items() if values is not None}
        self.append(start, start + span.length, arrays)
        self.predicted += len(known)
        self.bound_active += bool(span.bound_active.any())
        self.kinds[span.likelihood or "none"] += 1

    def part(self, state: dict[str, Any] | None) -> TokenPart:
        """The part, with the state of the stream after it; valid until the next :meth:`add`."""
        return TokenPart(
            start=self.start,
            end=self.end,
            arrays=self._arrays(),
            predicted=self.predicted,
            bound_active=self.bound_active,
            kinds=dict(self.kinds),
            state=state,
        )


class _Column:
    """A growing array that keeps its memory when it is emptied."""

    def __init__(self) -> None:
        self.data: np.ndarray | None = None
        self.length = 0

    def append(self, values: np.ndarray) -> None:
        end = self.length + len(values)
        if self.data is None or end > len(self.data):
            data = np.empty((2 * end, *values.shape[1:]), dtype=values.dtype)
            if self.data is not None:
                data[: self.length] = self.values()
            self.data = data
        self.data[self.length : end] = values
        self.length = end

    def values(self) -> np.ndarray:
        assert self.data is not None
        return self.data[: self.length]


P = TypeVar("P", bound=Part)


class PartFolder(StateFolder, Generic[P]):
    """The folder of the parts of one run; it is removed at exit if it is empty.

    ``identity`` holds plain values that must be equal in all parts, and ``kind`` is their class.
    """

    def __init__(self, folder: Path, identity: dict[str, Any], kind: type[P]) -> None:
        identity = {"parts_version": FORMAT_VERSION, **identity}
        super().__init__(folder, identity, "its bases are read")
        self.kind = kind

    def write(self, part: P) -> None:
        """Write a part atomically."""
        arrays = {name: torch.from_numpy(array) for name, array in part.arrays.items()}
        self.save(part.start, part.end, {**vars(part), "arrays": arrays})

    def read(self, start: int, end: int) -> P:
        """Read a part that :meth:`finished` lists."""
        part = self.load(start, end)
        arrays = {name: array.numpy() for name, array in part["arrays"].items()}
        return self.kind(**{**part, "arrays": arrays})


@dataclass(frozen=True)
class Totals:
    """Totals of a whole FASTA.

    Attributes
    ----------
    bits_per_base : mean of minus log2 of the probability of the predicted bases; None where none
        was predicted, or not every span has an exact likelihood
    spans, bound_active, looked_ahead : number of blocks or windows, of those whose tokens a bound
        changed, and of those in which the bound looked ahead
    likelihood : the kind that all spans have; ``looked_ahead`` if one has it; None without any
    """

    records: int
    bases: int
    tokens: int
    bits_per_base: float | None
    spans: int
    bound_active: int
    looked_ahead: int
    likelihood: str | None

    def facts(self) -> dict[str, Any]:
        """The totals by their keys in the metadata of a table."""
        renamed = {"spans": "pieces", "bound_active": "bound_bit"}
        return {renamed.get(name, name): value for name, value in vars(self).items()}


class Join:
    """Adds parts in order to the table and the tracks.

    The last chunk of a part ends where the first of the next part begins, so one row is held back.
    """

    def __init__(self, records: Records, table: TokenTable, tracks: TrackWriter | None) -> None:
        self.records = records
        self.table = table
        self.tracks = tracks
        self.held: dict[str, np.ndarray] | None = None
        self.tokens = self.predicted = self.bound_active = 0
        self.kinds = Counter[str]()
        self.nats: list[float] = []

    def add(self, part: TokenPart) -> None:
        """Add the next part."""
        rows = {"start": part.arrays["token_starts"], **of_tokens(part)}
        self.tokens += len(rows["start"])
        self.predicted += part.predicted
        self.bound_active += part.bound_active
        self.kinds.update(part.kinds)
        self.nats += part.arrays["nats"].tolist()
        if self.held is not None:
            rows = {name: np.concatenate([self.held[name], rows[name]]) for name in rows}
        if len(rows["start"]):
            self._emit({name: column[:-1] for name, column in rows.items()}, rows["start"][1:])
            self.held = {name: column[-1:].copy() for name, column in rows.items()}
        if self.tracks is not None:
            self._add_bases(self.tracks, part)

    def _add_bases(self, tracks: TrackWriter, part: Part) -> None:
        """Write what a part has of every base."""
        for name, start, bases in self.records.between(part.start, part.end):
            here = slice(bases.start - part.start, bases.stop - part.start)
            if "boundary_prob" in part.arrays:
                tracks.add_prob(name, start, part.arrays["boundary_prob"][here])
            if tracks.gives_surprisal:
                tracks.add_surprisal(name, start, part.arrays["surprisal"][here])

    def finish(self) -> Totals:
        """Add the last chunk, which ends with the last record, and return the totals."""
        if self.held is not None:
            self._emit(self.held, np.array([self.records.bases]))
        nats = sum(self.nats)  # summed by span, so it does not depend on the borders of parts
        spans, exact = len(self.nats), self.kinds["exact"]
        comparable = exact == spans and self.predicted > 0
        looked_ahead = self.kinds["looked_ahead"]
        kind = "looked_ahead" if looked_ahead else next(iter(self.kinds), "none")
        return Totals(
            records=len(self.records.names),
            bases=self.records.bases,
            tokens=self.tokens,
            bits_per_base=nats / math.log(2) / self.predicted if comparable else None,
            spans=spans,
            bound_active=self.bound_active,
            looked_ahead=looked_ahead,
            likelihood=None if kind == "none" else kind,
        )

    def _emit(self, rows: dict[str, np.ndarray], ends: np.ndarray) -> None:
        """Write rows whose ends are known, in the coordinates of their records."""
        number = self.records.of(rows["start"])
        offset = self.records.bounds[number]
        chrom = pa.array(self.records.names, pa.string()).take(pa.array(number))
        self.table.add(chrom, rows["start"] - offset, ends - offset, rows)
        if self.tracks is None:
            return
        numbers, firsts = np.unique(number, return_index=True)
        for record, (first, end) in zip(numbers, pairwise([*firsts, len(number)]), strict=True):
            start = int(rows["start"][first] - offset[first])
            chunk_bp = (ends - rows["start"])[first:end]
            self.tracks.add_chunks(self.records.names[record], start, chunk_bp)


def surprisal(span: Compressed) -> np.ndarray:
    """Bits of every base of a span, minus log2 of its probability: float32, shape (length,).

    NaN where a base is not predicted, and everywhere if the likelihood is not exact.
    """
    if span.log_prob is None or span.likelihood != "exact":
        return np.full(span.length, np.nan, dtype=np.float32)
    return bits(span.log_prob)


def of_tokens(part: TokenPart) -> dict[str, np.ndarray]:
    """Columns of the token table that a part has besides chrom, start and end."""
    return {column: part.arrays[name] for name, column in _OF_TOKENS.items() if name in part.arrays}
