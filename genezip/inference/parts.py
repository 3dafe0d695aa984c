"""Finished parts of a FASTA on disk, so that ``genezip compress`` can stop and go on.

A part is one file, written and then renamed. It holds the results of consecutive bases and
the state of the stream after the last of them, and says of which run it is. Positions count
the bases of all records in the order of the file, so a part may hold many short records.
:class:`Join` makes one table and the tracks of all of them, a part at a time.
"""

import logging
import math
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import torch

from genezip.artifacts.states import load_state, refuse_other_run, save_state
from genezip.errors import GenezipError
from genezip.inference.table import TokenTable
from genezip.inference.tracks import TrackWriter
from genezip.models.compressed import Compressed

logger = logging.getLogger(__name__)

FORMAT_VERSION = 2

# A part is written as soon as it has one of these: what memory holds, what a crash costs.
PART_BP = 4 << 20
PART_BYTES = 64 << 20
PART_SECONDS = 60.0

# What Compressed says of every token -> the column of the token table. Of these and of the
# boundary probabilities a part holds what the system gives.
_OF_TOKENS = {
    "start_prob": "boundary_prob",
    "kept_by": "kept_by",
    "token_ids": "token_id",
    "tokens": "token",
}


class Records:
    """Names and lengths of the records of a FASTA, and where each lies when all are counted.

    Parameters
    ----------
    lengths : record name -> bases, in the order of the file
    """

    def __init__(self, lengths: Mapping[str, int]) -> None:
        self.names = list(lengths)
        self.bounds = np.cumsum([0, *lengths.values()])
        self.start = dict(zip(self.names, self.bounds[:-1].tolist(), strict=True))
        self.bases = int(self.bounds[-1])

    def of(self, positions: np.ndarray) -> np.ndarray:
        """Number of the record that holds each position (int64 array)."""
        return np.searchsorted(self.bounds, positions, side="right") - 1

    def between(self, start: int, end: int) -> Iterator[tuple[str, int, slice]]:
        """Record by record: name, position in it, and which of the bases start to end."""
        while start < end:
            number = int(self.of(np.array(start)))
            stop = min(end, int(self.bounds[number + 1]))
            yield self.names[number], start - int(self.bounds[number]), slice(start, stop)
            start = stop


@dataclass(frozen=True)
class Part:
    """Results of the bases from ``start`` to ``end``, half-open.

    A span is a window, or what was read of a stream at a time.

    Attributes
    ----------
    arrays : by name

        - token_starts: int64, shape (M,), first base of every chunk, which ends where the next
          begins
        - start_prob, kept_by, token_ids, tokens: of every token, as in
          :class:`~genezip.models.compressed.Compressed`, where the system gives them
        - boundary_prob: float32, shape (end - start,), where tracks want it
        - nats: float64, summed negative log-probability of every span
    predicted : number of predicted bases (not N, not the first of a sequence)
    bound_active : spans whose tokens a bound changed
    kinds : what the likelihood is (``none`` without one) -> number of spans
    state : where the stream stands at ``end``; None between sequences
    """

    start: int
    end: int
    arrays: dict[str, np.ndarray]
    predicted: int
    bound_active: int
    kinds: dict[str, int]
    state: dict[str, Any] | None


class Draft:
    """Results of spans that will be the next part.

    They are copied into memory that every part uses again: small arrays kept from each span,
    between the large ones that come and go, would scatter the heap.

    Parameters
    ----------
    prob : keep the boundary probability of every base
    """

    def __init__(self, prob: bool) -> None:
        self.prob = prob
        self.columns: dict[str, _Column] = {}
        self.clear()

    def clear(self) -> None:
        """Begin the next part."""
        for column in self.columns.values():
            column.length = 0
        self.start = self.end = self.predicted = self.bound_active = 0
        self.kinds = Counter[str]()
        self.began = time.monotonic()

    def __bool__(self) -> bool:
        return self.end > self.start

    def add(self, start: int, span: Compressed) -> None:
        """Add a span that begins at ``start``."""
        self.start = self.start if self else start
        self.end = start + span.length
        log_prob = np.zeros(0) if span.log_prob is None else span.log_prob
        known = log_prob[~np.isnan(log_prob)].astype(np.float64)
        given = {name: getattr(span, name) for name in _OF_TOKENS}
        if span.tokens is not None:
            given["tokens"] = span.tokens.astype(np.float32, copy=False)
        given["boundary_prob"] = span.boundary_prob if self.prob else None
        given["token_starts"] = start + span.token_starts
        given["nats"] = np.array([-known.sum()])
        for name, values in given.items():
            if values is not None:
                self.columns.setdefault(name, _Column()).append(values)
        self.predicted += len(known)
        self.bound_active += bool(span.bound_active.any())
        self.kinds[span.likelihood or "none"] += 1

    def is_full(self) -> bool:
        """Whether it is time to write it."""
        return (
            self.end - self.start >= PART_BP
            or sum(column.values().nbytes for column in self.columns.values()) >= PART_BYTES
            or time.monotonic() - self.began >= PART_SECONDS
        )

    def part(self, state: dict[str, Any] | None) -> Part:
        """The spans as one, with the state of the stream after the last; valid until the next."""
        return Part(
            start=self.start,
            end=self.end,
            arrays={name: column.values() for name, column in self.columns.items()},
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


class PartFolder:
    """The folder of the parts of one run.

    Parameters
    ----------
    folder : made if it is missing, and removed again if nothing was written
    identity : plain values that must be equal in all parts of a run
    """

    def __init__(self, folder: Path, identity: dict[str, Any]) -> None:
        self.folder = folder
        self.identity = {"parts_version": FORMAT_VERSION, **identity}

    def __enter__(self) -> Self:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise GenezipError(
                f"cannot make the folder {self.folder}: {error.strerror}; choose another --out"
            ) from error
        return self

    def __exit__(self, *error: object) -> None:
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def write(self, part: Part) -> None:
        """Write a part (atomically; a full disk is one sentence)."""
        arrays = {name: torch.from_numpy(array) for name, array in part.arrays.items()}
        values = {"part": {**vars(part), "arrays": arrays}}
        save_state(self._path(part.start, part.end), self.identity, values)

    def read(self, start: int, end: int) -> Part:
        """Read a part that :meth:`finished` named."""
        path = self._path(start, end)
        state = load_state(path, ("part",))
        if state is None:
            raise GenezipError(f"{path} was damaged meanwhile; run the same command again")
        part = state["part"]
        arrays = {name: array.numpy() for name, array in part["arrays"].items()}
        return Part(**{**part, "arrays": arrays})

    def finished(self) -> list[tuple[int, int]]:
        """Start and end of every whole part, in order; damaged ones are removed with a warning.

        Raises
        ------
        GenezipError
            If the folder holds parts of another run; nothing is touched.
        """
        found: list[tuple[int, int]] = []
        damaged = []
        for path in sorted(self.folder.glob("*.pt")):
            state = load_state(path, ("part",))
            if state is None:
                damaged.append(path)
                continue
            refuse_other_run(self.folder, "an unfinished run", state["identity"], self.identity)
            start, end = state["part"]["start"], state["part"]["end"]
            if not found or start >= found[-1][1]:
                found.append((start, end))
        for path in damaged:
            logger.warning(f"{path} is damaged; its bases are compressed again")
            path.unlink()
        return found

    def remove(self) -> None:
        """Delete all parts."""
        shutil.rmtree(self.folder)

    def _path(self, start: int, end: int) -> Path:
        return self.folder / f"{start:013d}-{end:013d}.pt"  # sorted by start


@dataclass(frozen=True)
class Totals:
    """What a whole FASTA came to.

    Attributes
    ----------
    records, bases, tokens : what went in and came out
    bits_per_base : mean of minus log2 of the probability of the predicted bases; None where none
        was predicted, or not every span has an exact likelihood
    spans, bound_active, looked_ahead : blocks or windows; those whose tokens a bound changed, and
        those of them in which it saw the future
    likelihood : the kind that all spans have; ``looked_ahead`` where one has; None without one
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
        """The same under the names that they have in the head of a table."""
        renamed = {"spans": "pieces", "bound_active": "bound_bit"}
        return {renamed.get(name, name): value for name, value in vars(self).items()}


class Join:
    """Adds parts in order to the table and the tracks.

    The chunk of a part's last token ends where the next part's first begins, so one row is
    always held back.
    """

    def __init__(self, records: Records, table: TokenTable, tracks: TrackWriter | None) -> None:
        self.records = records
        self.table = table
        self.tracks = tracks
        self.held: dict[str, np.ndarray] | None = None
        self.tokens = self.predicted = self.bound_active = 0
        self.kinds = Counter[str]()
        self.nats: list[float] = []

    def add(self, part: Part) -> None:
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
        if self.tracks is not None and "boundary_prob" in part.arrays:
            for name, start, bases in self.records.between(part.start, part.end):
                here = slice(bases.start - part.start, bases.stop - part.start)
                self.tracks.add_prob(name, start, part.arrays["boundary_prob"][here])

    def finish(self) -> Totals:
        """The last chunk ends with the last record."""
        if self.held is not None:
            self._emit(self.held, np.array([self.records.bases]))
        nats = sum(self.nats)  # span by span, so it does not depend on where parts were cut
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
        """Rows whose ends are known, counted over all records, to the coordinates of each."""
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


def of_tokens(part: Part) -> dict[str, np.ndarray]:
    """Columns of the token table that a part has beside chrom, start and end."""
    return {column: part.arrays[name] for name, column in _OF_TOKENS.items() if name in part.arrays}
