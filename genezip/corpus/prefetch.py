"""Batches decoded in background threads, so that reading overlaps with training.

Threads are enough: the decompression of Parquet and the loops of numpy run without Python's
lock. The batches, their order and the state are those of the stream itself.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from genezip.corpus.stream import Batch, Batches, WindowStream


class ReadAhead:
    """The batches of a stream, read ahead; see :func:`prefetched`.

    The state is that of the batches handed out, not of those read ahead.
    """

    def __init__(self, stream: WindowStream, threads: ThreadPoolExecutor, depth: int) -> None:
        self.stream, self.depth = stream, depth
        self._threads = threads
        self._ahead: deque[Future[Batch]] = deque()

    def next_batch(self) -> Batch:
        """The next batch; an error of a thread is raised here as it is."""
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
        """Forget the batches that were read ahead."""
        for future in self._ahead:
            future.cancel()
        self._ahead.clear()

    def state_dict(self) -> dict[str, Any]:
        """State of the stream after the last batch handed out."""
        return self.stream.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where another stream stood, see :meth:`WindowStream.load_state_dict`."""
        self.drop()
        self.stream.load_state_dict(state)


@contextmanager
def prefetched(stream: WindowStream, workers: int = 1, depth: int = 2) -> Iterator[Batches]:
    """Read a stream ahead for the block; no thread outlives it.

    Parameters
    ----------
    stream : WindowStream
        Nobody else may draw from it in the block.
    workers : int
        Background threads; 0 reads each batch when it is asked for.
    depth : int
        Batches read ahead, at least 1.
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
