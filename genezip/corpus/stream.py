"""The training stream: shuffled, resumable batches of windows over many epochs.

The order is a pure function of corpus, seed and epoch, whatever the number of processes and
threads. Every epoch permutes the row groups of a split, splits them into buffers of about 32 Mb of
bases, and permutes the windows inside a buffer. Training windows are stored in the random order in
which they were drawn, so this is as good as a full shuffle.

A batch is the next ``batch`` windows of the order, counted through all epochs. A process reads a
buffer of row groups as they are stored (one byte per base, runs of classes) and decodes only
requested windows, so its memory is that of one buffer, or two if a batch spans two. Batches may be
decoded ahead in background threads, so that reading overlaps with training. Threads are enough,
because Parquet decompression and numpy loops run without Python's lock.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Any, NamedTuple, Protocol, Self

import numpy as np

from genezip.alphabet import is_base
from genezip.alphabet import reverse_complement as complement
from genezip.artifacts.files import sha256_json
from genezip.corpus.corpus import CorpusReader
from genezip.corpus.shards import RowGroup, ShardFile, decode, open_shard
from genezip.errors import GenezipError

BUFFER_BP = 1 << 25
"""Approximate number of bases in a shuffle buffer."""

BUFFERS = 2
"""Number of buffers in memory, because a batch may span two."""

# Random streams of an epoch; they are separate, so that drawing strands does not change the order.
_GROUPS, _WINDOWS, _STRANDS = 1, 2, 3


class RowAddress(NamedTuple):
    """The stored row of a window: numbers of its file, row group, and row in the group."""

    file: int
    group: int
    row: int


@dataclass(frozen=True)
class ShuffleBuffer:
    """Windows that are shuffled together: number ``begin`` to ``end`` of an epoch."""

    epoch: int
    number: int  # of the buffer in the epoch
    begin: int  # half-open, counted in the order of the epoch
    end: int
    files: np.ndarray  # file of each row group that the buffer reads, int64, shape (G,)
    groups: np.ndarray  # number of each row group in its file, int64, shape (G,)
    group: np.ndarray  # row group of every window, 0 to G - 1, int64, shape (end - begin,)
    row: np.ndarray  # row of every window in its row group, int64, shape (end - begin,)
    # windows to reverse-complement if the stream is asked to, bool, shape (end - begin,)
    flipped: np.ndarray

    def address(self, window: int) -> RowAddress:
        """The stored row of a window of the epoch."""
        group = self.group[window - self.begin]
        row = self.row[window - self.begin]
        return RowAddress(int(self.files[group]), int(self.groups[group]), int(row))


class Order:
    """The order of the windows of a split.

    Parameters
    ----------
    rows : windows of each file
    group_rows : windows in a full row group of each file (at least 1)
    window_bp : length of a window
    seed : random seed of the order, not negative
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
        self._per_buffer = max(1, BUFFER_BP // full_bp)
        # two, because the last buffer of an epoch and the first of the next alternate
        self._epoch = lru_cache(maxsize=2)(self._permuted)

    def _random(self, *stream: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *stream])

    def _permuted(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Row groups in the order of an epoch, and the window numbers at the buffer borders."""
        order = self._random(epoch, _GROUPS).permutation(len(self._sizes))
        ends = np.cumsum(self._sizes[order])
        last = np.arange(self._per_buffer, len(order) + self._per_buffer, self._per_buffer) - 1
        return order, np.concatenate([[0], ends[np.minimum(last, len(order) - 1)]])

    def buffer_at(self, epoch: int, window: int) -> int:
        """Number of the buffer with a window of an epoch."""
        return int(np.searchsorted(self._epoch(epoch)[1], window, side="right")) - 1

    def buffer(self, epoch: int, number: int) -> ShuffleBuffer:
        """A buffer of an epoch."""
        order, edges = self._epoch(epoch)
        members = order[number * self._per_buffer : (number + 1) * self._per_buffer]
        sizes = self._sizes[members]
        count = int(sizes.sum())
        group = np.repeat(np.arange(len(members)), sizes)
        row = np.concatenate([np.arange(size) for size in sizes])
        shuffled = self._random(epoch, _WINDOWS, number).permutation(count)
        return ShuffleBuffer(
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


Batch = dict[str, np.ndarray]
"""``ids`` (token ids) and ``regions`` (class ids), uint8 arrays of shape (rows, L)."""


class Batches(Protocol):
    """Endless batches that can be resumed: a stream, or a stream read ahead."""

    def next_batch(self) -> Batch:
        """The next batch."""

    def state_dict(self) -> dict[str, Any]:
        """The position in the stream: plain values, JSON-ready."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from the state of other batches."""


class WindowStream:
    """Endless batches of the windows of a split.

    Parameters
    ----------
    batch : windows per batch, which may span buffers and epochs
    seed : random seed of the order; streams with one seed give the same batches
    split : ``train``, ``valid`` or ``test``
    rows : rows of every batch that are decoded and returned; all by default
    reverse_complement : reverse-complement half of the windows, chosen by the seed; the order of
        their regions is reversed
    """

    def __init__(
        self,
        reader: CorpusReader,
        batch: int,
        seed: int = 0,
        split: str = "train",
        rows: slice | None = None,
        reverse_complement: bool = False,
    ) -> None:
        if batch < 1:
            raise ValueError(f"batch must be at least 1, not {batch}")
        self.reader, self.batch, self.seed, self.split = reader, batch, seed, split
        self.reverse_complement = reverse_complement
        self.files = reader.files(split)
        self.windows_per_epoch = sum(entry["rows"] for entry in self.files)
        if not self.windows_per_epoch:
            raise GenezipError(f"{reader.path} has no {split} windows; build the corpus again")
        self.window_bp: int = reader.manifest["splits"][split]["window_bp"]
        self.order = Order(
            [entry["rows"] for entry in self.files],
            [entry["row_group_rows"] for entry in self.files],
            self.window_bp,
            seed,
        )
        self.rows = range(batch)[rows or slice(None)]
        if self.rows.step != 1:
            raise ValueError(f"rows must be consecutive, not {rows}")
        self.position = 0
        self._corpus = sha256_json([entry["sha256"] for entry in self.files])
        self._buffers: OrderedDict[tuple[int, int], Future[_Loaded]] = OrderedDict()
        self._lock = Lock()

    def share(self, rows: slice) -> Self:
        """A stream of other rows of the same batches."""
        return type(self)(
            self.reader, self.batch, self.seed, self.split, rows, self.reverse_complement
        )

    def __iter__(self) -> Iterator[Batch]:
        """Yield batches endlessly."""
        while True:
            yield self.next_batch()

    def next_batch(self) -> Batch:
        """The selected rows of the next batch."""
        batch = self.batch_at(self.position)
        self.advance()
        return batch

    def advance(self) -> None:
        """Skip one batch."""
        self.position += self.batch

    def batch_at(self, position: int) -> Batch:
        """The selected rows of the batch after ``position`` windows of all epochs; thread-safe."""
        parts: list[tuple[np.ndarray, np.ndarray]] = []
        begin, end = position + self.rows.start, position + self.rows.stop
        while begin < end:
            epoch, window = divmod(begin, self.windows_per_epoch)
            loaded = self._loaded(epoch, self.order.buffer_at(epoch, window))
            stop = min(window + end - begin, loaded.buffer.end)
            parts.append(loaded.decode(window, stop, self.reverse_complement))
            begin += stop - window
        ids, regions = (
            found[0] if len(found) == 1 else np.concatenate(found)
            for found in zip(*parts, strict=True)
        )
        return {"ids": ids, "regions": regions}

    def _loaded(self, epoch: int, number: int) -> "_Loaded":
        """A buffer with its row groups; one thread reads it while other users wait."""
        key = (epoch, number)
        with self._lock:
            found = self._buffers.get(key)
            mine = found is None
            if found is None:
                while len(self._buffers) >= BUFFERS:
                    self._buffers.popitem(last=False)
                found = self._buffers[key] = Future()
            self._buffers.move_to_end(key)
        if mine:
            try:
                found.set_result(self._load(self.order.buffer(epoch, number)))
            except BaseException as error:
                found.set_exception(error)
                with self._lock:
                    self._buffers.pop(key, None)
        return found.result()

    def _load(self, buffer: ShuffleBuffer) -> "_Loaded":
        """Read the row groups of a buffer; each file is opened once."""
        groups: dict[int, RowGroup] = {}
        for index in np.unique(buffer.files):
            entry = self.files[index]
            path = self.reader.path.parent / entry["path"]
            with open_shard(path) as file:
                self._compare(file, entry)
                for member in np.flatnonzero(buffer.files == index):
                    groups[int(member)] = file.read(int(buffer.groups[member]))
        return _Loaded(buffer, [groups[member] for member in range(len(groups))])

    def _compare(self, file: ShardFile, entry: dict[str, Any]) -> None:
        """Refuse a shard that differs from its manifest entry."""
        head = file.head
        for what, found, wanted in (
            ("rows", file.rows, entry["rows"]),
            ("rows in a row group", head.row_group_rows, entry["row_group_rows"]),
            ("bp in a window", head.window_bp, self.window_bp),
        ):
            if found != wanted:
                raise GenezipError(
                    f"{file.path} has {found} {what}, the manifest lists {wanted}; build the "
                    "corpus again"
                )
        manifest = self.reader.manifest
        if (head.plan, head.regions) != (manifest["plan"], manifest["regions"]):
            raise GenezipError(
                f"{file.path} was written from another plan or region map than "
                f"{self.reader.path} lists; build the corpus again"
            )

    def state_dict(self) -> dict[str, Any]:
        """The position in the stream: plain values, JSON-ready.

        ``epoch`` and ``window`` are the position; ``shard``, ``row_group`` and ``row`` show where
        the next window is stored.
        """
        epoch, window = divmod(self.position, self.windows_per_epoch)
        address = self.order.buffer(epoch, self.order.buffer_at(epoch, window)).address(window)
        return {
            "epoch": epoch,
            "window": window,
            "shard": self.files[address.file]["path"],
            "row_group": address.group,
            "row": address.row,
            "seed": self.seed,
            "split": self.split,
            "reverse_complement": self.reverse_complement,
            "corpus": self._corpus,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from the state of a stream of the same windows, order and seed, or raise."""
        before = self.position
        here = self.state_dict()
        for name in ("corpus", "split", "seed", "reverse_complement"):
            if state.get(name) != here[name]:
                self._refuse(name)
        self.position = state["epoch"] * self.windows_per_epoch + state["window"]
        if self.state_dict() != state:
            self.position = before
            self._refuse("order")

    def _refuse(self, name: str) -> None:
        raise GenezipError(
            f"the checkpoint has another {name} of training windows than "
            f"{self.reader.path}; start again in an empty folder"
        )


class _Loaded:
    """A buffer with its row groups as they are stored."""

    def __init__(self, buffer: ShuffleBuffer, groups: list[RowGroup]) -> None:
        self.buffer, self._groups = buffer, groups

    def decode(self, start: int, stop: int, strands: bool) -> tuple[np.ndarray, np.ndarray]:
        """Ids and regions of windows ``start`` to ``stop`` of the epoch."""
        wanted = slice(start - self.buffer.begin, stop - self.buffer.begin)
        group, row = self.buffer.group[wanted].tolist(), self.buffer.row[wanted].tolist()
        ids, regions = decode([(self._groups[g], r) for g, r in zip(group, row, strict=True)])
        if strands:
            flipped = self.buffer.flipped[wanted]
            ids[flipped] = complement(ids[flipped])
            regions[flipped] = regions[flipped, ::-1]
        return ids, regions


class ReadAhead:
    """Batches of a stream that threads decode ahead; see :func:`prefetched`.

    The state is that of the batches returned so far, not of those read ahead.
    """

    def __init__(self, stream: WindowStream, threads: ThreadPoolExecutor, depth: int) -> None:
        self.stream, self.depth = stream, depth
        self._threads = threads
        self._ahead: deque[Future[Batch]] = deque()

    def next_batch(self) -> Batch:
        """The next batch; an error of a thread is raised here unchanged."""
        self._read_ahead()
        try:
            batch = self._ahead[0].result()
        except BaseException:
            self.drop()
            raise
        self._ahead.popleft()
        self.stream.advance()
        self._read_ahead()
        return batch

    def _read_ahead(self) -> None:
        while len(self._ahead) < self.depth:
            position = self.stream.position + len(self._ahead) * self.stream.batch
            self._ahead.append(self._threads.submit(self.stream.batch_at, position))

    def drop(self) -> None:
        """Discard the batches that were read ahead."""
        for future in self._ahead:
            future.cancel()
        self._ahead.clear()

    def state_dict(self) -> dict[str, Any]:
        """State of the stream after the last returned batch."""
        return self.stream.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from the state of another stream, see :meth:`WindowStream.load_state_dict`."""
        self.drop()
        self.stream.load_state_dict(state)


@contextmanager
def prefetched(stream: WindowStream, workers: int = 1, depth: int = 2) -> Iterator[Batches]:
    """Decode batches ahead in the block; no thread outlives it.

    Parameters
    ----------
    stream : must not be used otherwise in the block
    workers : number of background threads; 0 reads each batch when it is requested
    depth : number of batches read ahead, at least 1
    """
    if workers < 0 or depth < 1:
        raise ValueError(f"workers {workers} must not be negative, depth {depth} at least 1")
    if not workers:
        yield stream
        return
    threads = ThreadPoolExecutor(workers, thread_name_prefix="batches")
    ahead = ReadAhead(stream, threads, depth)
    try:
        yield ahead
    finally:
        ahead.drop()
        threads.shutdown(wait=True, cancel_futures=True)


def sampled(reader: CorpusReader, bases: int, seed: int) -> Iterator[np.ndarray]:
    """Token ids of random training windows without repetition, in constant memory.

    The windows have ``bases`` A, C, G, T in all, fewer if the corpus has no more; the last window
    is cut at the last of them.
    """
    stream = WindowStream(reader, batch=1, seed=seed)
    while bases > 0 and stream.position < stream.windows_per_epoch:
        window = stream.next_batch()["ids"][0]
        known = np.cumsum(is_base(window))
        taken = window[: int(np.searchsorted(known, bases)) + 1]
        bases -= int(known[len(taken) - 1])
        yield taken
