"""Finished parts of a FASTA on disk, so that ``genezip compress`` can stop and go on.

A part is one file, written and then renamed. It holds the results of consecutive bases and
the state of the stream after the last of them, and says of which run it is. Positions count
the bases of all records in the order of the file, so a part may hold many short records.
"""

import logging
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from genezip.artifacts.states import load_state, refuse_other_run, save_state
from genezip.errors import GenezipError
from genezip.inference.readers import SpanResult

logger = logging.getLogger(__name__)

FORMAT_VERSION = 1

# A part is written as soon as it has one of these: what memory holds, what a crash costs.
PART_BP = 4 << 20
PART_BYTES = 64 << 20
PART_SECONDS = 60.0

_ARRAYS = ("chunk_starts", "start_prob", "kept_by", "tokens", "boundary_prob", "nats")


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

    Attributes
    ----------
    chunk_starts : int64 array, shape (M,); a chunk ends where the next begins
    start_prob, kept_by, tokens : of every token, as in ``SpanResult``
    boundary_prob : float32 array, shape (end - start,), or (0,) where no tracks are wanted
    nats : float64 array, summed negative log-probability of every span
    predicted, bound_bit : predicted bases; spans that the bound changed
    state : where the reader stands at ``end``; None between sequences
    """

    start: int
    end: int
    chunk_starts: np.ndarray
    start_prob: np.ndarray
    kept_by: np.ndarray
    tokens: np.ndarray
    boundary_prob: np.ndarray
    nats: np.ndarray
    predicted: int
    bound_bit: int
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
        self.columns: dict[str, _Column] = {name: _Column() for name in _ARRAYS}
        self.clear()

    def clear(self) -> None:
        """Begin the next part."""
        for column in self.columns.values():
            column.length = 0
        self.start = self.end = self.predicted = self.bound_bit = 0
        self.began = time.monotonic()

    def __bool__(self) -> bool:
        return self.end > self.start

    def add(self, start: int, span: SpanResult) -> None:
        """Add a span that begins at ``start``."""
        self.start = self.start if self else start
        self.end = start + len(span.boundary_prob)
        new = vars(span) | {
            "chunk_starts": start + span.chunk_starts,
            "boundary_prob": span.boundary_prob if self.prob else span.boundary_prob[:0],
            "nats": np.array([span.nats]),
        }
        for name, column in self.columns.items():
            column.append(new[name])
        self.predicted += span.predicted
        self.bound_bit += span.bound_bit

    def is_full(self) -> bool:
        """Whether it is time to write it."""
        return (
            self.end - self.start >= PART_BP
            or self.columns["tokens"].values().nbytes >= PART_BYTES
            or time.monotonic() - self.began >= PART_SECONDS
        )

    def part(self, state: dict[str, Any] | None) -> Part:
        """The spans as one, with the state of the reader after the last; valid until the next."""
        return Part(
            start=self.start,
            end=self.end,
            predicted=self.predicted,
            bound_bit=self.bound_bit,
            state=state,
            **{name: column.values() for name, column in self.columns.items()},
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
        values = vars(part) | {name: torch.from_numpy(getattr(part, name)) for name in _ARRAYS}
        save_state(self._path(part.start, part.end), self.identity, {"part": values})

    def read(self, start: int, end: int) -> Part:
        """Read a part that :meth:`finished` named."""
        path = self._path(start, end)
        state = load_state(path, ("part",))
        if state is None:
            raise GenezipError(f"{path} was damaged meanwhile; run the same command again")
        part = state["part"]
        return Part(**(part | {name: part[name].numpy() for name in _ARRAYS}))

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
