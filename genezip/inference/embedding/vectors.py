"""Rows of vectors from the results of a system, one per base, token or region."""

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import torch

from genezip.genome.assembly import ReferenceGenome
from genezip.inference.embedding.regions import Step, Stretch
from genezip.models.base import Compressor, Level, Stream
from genezip.models.compressed import Compressed

RegionLevel = Literal["base", "token", "region"]
"""What has a vector: every base of a region, every token that begins in it, or the region."""

PoolKind = Literal["mean", "max", "last"]
"""How a vector of a region is made of those of its bases."""

POOLS = ("mean", "max", "last")
POSITIONS: dict[RegionLevel, tuple[str, ...]] = {
    "base": ("position",),
    "token": ("token_start", "token_end"),
    "region": (),
}
"""Columns that say where a vector belongs, besides the number of its region."""

Rows = dict[str, np.ndarray]
"""``row``, int64 (n,), the columns of :data:`POSITIONS`, int64 (n,), and ``vector``, float32."""


class Pool:
    """One vector of the bases of a region, which are added in order, in blocks of any lengths."""

    def __init__(self, kind: PoolKind) -> None:
        self.kind = kind
        self.count, self.value = 0, np.zeros(0)

    def add(self, vectors: np.ndarray) -> None:
        """Add vectors of the next bases, float32 (n, width); the sum of a mean is float64."""
        if self.kind == "mean":
            block = vectors.sum(0, dtype=np.float64)
        else:
            block = vectors.max(0) if self.kind == "max" else vectors[-1]
        if not self.count or self.kind == "last":
            self.value = np.array(block)
        else:
            self.value = (
                self.value + block if self.kind == "mean" else np.maximum(self.value, block)
            )
        self.count += len(vectors)

    def take(self) -> np.ndarray:
        """The vector, float32 (1, width); the next base begins another region."""
        found = self.value / self.count if self.kind == "mean" else self.value
        self.count = 0
        return found.astype(np.float32)[None]


class RegionReader:
    """Reads steps in order and gives their rows.

    Between two steps inside a region it holds the stream, the sum of a pooled vector, or a token
    whose chunk has not ended.
    """

    def __init__(
        self, compressor: Compressor, genome: ReferenceGenome, level: RegionLevel, pool: PoolKind
    ) -> None:
        self.compressor, self.genome, self.level = compressor, genome, level
        self.pool = Pool(pool)
        self.stream: Stream | None = None
        self.held: tuple[int, np.ndarray] | None = None

    def state(self) -> dict[str, Any]:
        """What the next base of the same region needs, as plain values and tensors."""
        start, vector = self.held or (-1, np.zeros(0))
        return {
            "stream": None if self.stream is None else self.stream.state_dict(),
            "count": self.pool.count,
            "value": torch.from_numpy(np.array(self.pool.value)),
            "held_start": start,
            "held_vector": torch.from_numpy(np.array(vector)),
        }

    def restore(self, state: dict[str, Any] | None) -> None:
        """Continue from a state of :meth:`state`, or at the beginning of a region."""
        self.pool.count, self.stream, self.held = 0, None, None
        if state is None:
            return
        self.pool.count, self.pool.value = state["count"], state["value"].numpy()
        if state["stream"] is not None:
            self.stream = self.compressor.stream()
            self.stream.load_state_dict(state["stream"])
        if state["held_start"] >= 0:
            self.held = state["held_start"], state["held_vector"].numpy()

    def read(self, step: Step) -> Rows:
        """The rows of a step."""
        found = self._block(step) if step.block else self._batch(step.stretches)
        parts = list(found)
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _batch(self, stretches: tuple[Stretch, ...]) -> Iterator[Rows]:
        level: Level = "token" if self.level == "token" else "base"
        ids = [one.ids(self.genome, 0, one.read_bp) for one in stretches]
        # in order of length, so that a padded batch of the system has little padding
        order = sorted(range(len(ids)), key=lambda number: len(ids[number]))
        embedded = self.compressor.embed([ids[number] for number in order], level)
        of = dict(zip(order, embedded, strict=True))
        for number, one in enumerate(stretches):
            if self.level == "token":
                starts = of[number].starts
                ends = np.append(starts[1:], one.read_bp)
                yield token_rows(one, starts, ends, of[number].vectors)
            else:
                first = one.before
                vectors = of[number].vectors[first : first + one.length]
                yield self._of_bases(one, first, vectors, one.last)

    def _block(self, step: Step) -> Iterator[Rows]:
        (one,) = step.stretches
        assert step.block is not None
        first, last = (one.before + at for at in step.block)
        ends = step.block[1] == one.length
        if step.block[0] == 0:
            self.stream = self.compressor.stream()
            yield from self._fed(one, 0, first, False)
        yield from self._fed(one, first, last, ends and last == one.read_bp)
        if ends:
            yield from self._fed(one, last, one.read_bp, True)
            self.stream = None

    def _fed(self, one: Stretch, first: int, last: int, ends: bool) -> Iterator[Rows]:
        """Feed bases of a stretch to the stream; ``ends`` if no more follow."""
        if first == last:
            return
        assert self.stream is not None
        inside = one.before <= first < one.before + one.length
        ids = one.ids(self.genome, first, last)
        if self.level == "token":
            yield self._of_tokens(one, first, self.stream.feed(ids), ends)
        elif inside:
            vectors = self.stream.feed(ids, vectors=True).base_vectors
            assert vectors is not None
            yield self._of_bases(one, first, vectors, last == one.before + one.length)
        else:
            self.stream.feed(ids)

    def _of_bases(self, one: Stretch, first: int, vectors: np.ndarray, ends: bool) -> Rows:
        """Rows of bases from ``first`` on; ``ends`` if the region has no more."""
        if self.level == "base":
            read = np.arange(first, first + len(vectors))
            position, _ = one.intervals(read, read + 1)
            return _rows(one, vectors, position=position)
        self.pool.add(vectors)
        return _rows(one, self.pool.take() if ends and one.last else vectors[:0])

    def _of_tokens(self, one: Stretch, first: int, block: Compressed, ends: bool) -> Rows:
        """Rows of tokens whose chunks have ended; the last is held back until the next begins."""
        assert block.tokens is not None
        starts, vectors = first + block.token_starts, block.tokens.astype(np.float32, copy=False)
        if self.held is not None:
            starts = np.append(self.held[0], starts)
            vectors = np.concatenate([self.held[1][None], vectors])
        known = np.append(starts[1:], one.read_bp)
        self.held = None
        if not ends and len(starts):
            self.held = int(starts[-1]), vectors[-1].copy()
            starts, known, vectors = starts[:-1], known[:-1], vectors[:-1]
        return token_rows(one, starts, known, vectors)


def token_rows(one: Stretch, starts: np.ndarray, ends: np.ndarray, vectors: np.ndarray) -> Rows:
    """Rows of the tokens whose first base, in the direction of reading, lies in the stretch."""
    inside = (starts >= one.before) & (starts < one.before + one.length)
    start, end = one.intervals(starts[inside], ends[inside])
    return _rows(one, vectors[inside], token_start=start, token_end=end)


def _rows(one: Stretch, vectors: np.ndarray, **positions: np.ndarray) -> Rows:
    return {"row": np.full(len(vectors), one.row, np.int64), **positions, "vector": vectors}
