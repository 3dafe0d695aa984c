"""The shuffled order of a training stream: a pure function of corpus, seed and epoch.

Every epoch permutes the row groups of a split, takes them in pools of about 32 Mb of bases,
and permutes the windows inside a pool. Training windows are stored in the random order in
which they were drawn, so this is as good as a full shuffle, and reading needs one pool in
memory. Neither the number of processes nor that of threads has a part in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

POOL_BP = 1 << 25

# Which of the random streams of an epoch; a stream of its own keeps the order as it is when
# strands are drawn as well.
_GROUPS, _WINDOWS, _STRANDS = 1, 2, 3


class Place(NamedTuple):
    """Where a window is stored: numbers of its file, row group, and row in the group."""

    file: int
    group: int
    row: int


@dataclass(frozen=True)
class Pool:
    """Windows ``begin`` to ``end`` of an epoch.

    Attributes
    ----------
    epoch, number : which pool
    begin, end : half-open, counted in the order of the epoch
    files, groups : int64 arrays, shape (G,)
        The row groups that the pool reads.
    group, row : int64 arrays, shape (end - begin,)
        Row group (0 to G - 1) and row in it of every window, in their order.
    flipped : bool array, shape (end - begin,)
        Windows that are read from the other strand where that is asked for.
    """

    epoch: int
    number: int
    begin: int
    end: int
    files: np.ndarray
    groups: np.ndarray
    group: np.ndarray
    row: np.ndarray
    flipped: np.ndarray

    def place(self, window: int) -> Place:
        """Where a window of the epoch is stored."""
        group = self.group[window - self.begin]
        row = self.row[window - self.begin]
        return Place(int(self.files[group]), int(self.groups[group]), int(row))


class Order:
    """The order of the windows of a split.

    Parameters
    ----------
    rows : windows of each file
    group_rows : windows in a full row group of each file (at least 1)
    window_bp : length of a window
    seed : decides the order; not negative
    """

    def __init__(
        self, rows: Sequence[int], group_rows: Sequence[int], window_bp: int, seed: int
    ) -> None:
        files, groups, sizes = [], [], []
        for file, (count, full) in enumerate(zip(rows, group_rows, strict=True)):
            for group, begin in enumerate(range(0, count, full)):
                files.append(file)
                groups.append(group)
                sizes.append(min(full, count - begin))
        self._files, self._groups, self._sizes = (
            np.array(values, dtype=np.int64) for values in (files, groups, sizes)
        )
        self.windows = int(self._sizes.sum())
        self.seed = seed
        full_bp = max(group_rows, default=1) * window_bp
        self._per_pool = max(1, POOL_BP // full_bp)
        # the last pool of an epoch and the first of the next are asked for in turn
        self._epoch = lru_cache(maxsize=2)(self._permuted)

    def _random(self, *stream: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *stream])

    def _permuted(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Row groups in the order of an epoch, and its windows before and after each pool."""
        order = self._random(epoch, _GROUPS).permutation(len(self._sizes))
        ends = np.cumsum(self._sizes[order])
        last = np.arange(self._per_pool, len(order) + self._per_pool, self._per_pool) - 1
        return order, np.concatenate([[0], ends[np.minimum(last, len(order) - 1)]])

    def pool_at(self, epoch: int, window: int) -> int:
        """Number of the pool that holds a window of an epoch."""
        return int(np.searchsorted(self._epoch(epoch)[1], window, side="right")) - 1

    def pool(self, epoch: int, number: int) -> Pool:
        """A pool of an epoch."""
        order, edges = self._epoch(epoch)
        members = order[number * self._per_pool : (number + 1) * self._per_pool]
        sizes = self._sizes[members]
        count = int(sizes.sum())
        group = np.repeat(np.arange(len(members)), sizes)
        row = np.concatenate([np.arange(size) for size in sizes])
        shuffled = self._random(epoch, _WINDOWS, number).permutation(count)
        return Pool(
            epoch=epoch,
            number=number,
            begin=int(edges[number]),
            end=int(edges[number + 1]),
            files=self._files[members],
            groups=self._groups[members],
            group=group[shuffled],
            row=row[shuffled],
            flipped=self._random(epoch, _STRANDS, number).random(count) < 0.5,
        )
