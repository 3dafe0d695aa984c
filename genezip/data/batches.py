"""The training stream: shuffled batches of windows, epoch after epoch, that can be resumed.

One shard is in memory at a time: each epoch shuffles the order of the shards and the windows
inside each shard. Training windows are stored in the random order in which they were drawn, so
this is as good as a full shuffle. The order follows from the seed alone; two models with one
seed see the same batches.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from genezip.data.corpus import CorpusReader
from genezip.data.shards import Shard
from genezip.errors import GenezipError
from genezip.provenance import sha256_json


class WindowStream:
    """Endless batches of the windows of a split.

    Parameters
    ----------
    reader : CorpusReader
    batch : int
        Windows per batch. A batch may span two shards, or two epochs.
    seed : int
        Decides the order.
    split : str
        ``train``, ``valid`` or ``test``.

    Examples
    --------
    ``state_dict()`` after a batch, given to ``load_state_dict()`` of a new stream, continues
    with the very next window.
    """

    def __init__(
        self, reader: CorpusReader, batch: int, seed: int = 0, split: str = "train"
    ) -> None:
        if batch < 1:
            raise ValueError(f"batch must be at least 1, not {batch}")
        self.reader = reader
        self.batch = batch
        self.seed = seed
        self.split = split
        self.files = reader.files(split)
        self.windows_per_epoch = sum(entry["rows"] for entry in self.files)
        if not self.windows_per_epoch:
            raise GenezipError(f"{reader.path} has no {split} windows; build the corpus again")
        self.epoch = 0
        self.position = 0
        self._corpus = sha256_json([entry["sha256"] for entry in self.files])
        self._shard: tuple[int, Shard] | None = None

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        """Yield batches for ever."""
        while True:
            yield self.next_batch()

    def next_batch(self) -> dict[str, np.ndarray]:
        """The next batch.

        Returns
        -------
        dict
            ``ids`` (token ids) and ``regions`` (class ids), uint8 arrays of shape (batch, L).
        """
        parts: list[tuple[np.ndarray, np.ndarray]] = []
        missing = self.batch
        while missing:
            shard, rows = self._rows(missing)
            parts.append((shard.ids[rows], shard.regions[rows]))
            missing -= len(rows)
        ids, regions = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return {"ids": ids, "regions": regions}

    def _rows(self, limit: int) -> tuple[Shard, np.ndarray]:
        """Up to ``limit`` next windows of the current shard; moves the position."""
        order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.files))
        counts = np.array([self.files[index]["rows"] for index in order])
        ends = np.cumsum(counts)
        turn = int(np.searchsorted(ends, self.position, side="right"))
        index = int(order[turn])
        if self._shard is None or self._shard[0] != index:
            self._shard = (index, self.reader.shard(self.files[index]))
        rows = np.random.default_rng([self.seed, self.epoch, index]).permutation(counts[turn])
        begin = self.position - int(ends[turn] - counts[turn])
        chosen = rows[begin : begin + limit]
        self.position += len(chosen)
        if self.position == self.windows_per_epoch:
            self.epoch, self.position = self.epoch + 1, 0
        return self._shard[1], chosen

    def state_dict(self) -> dict[str, Any]:
        """Where the stream stands: plain values, JSON-ready."""
        return {
            "epoch": self.epoch,
            "position": self.position,
            "seed": self.seed,
            "split": self.split,
            "corpus": self._corpus,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where another stream stood.

        Raises
        ------
        GenezipError
            If that stream read other windows or had another seed.
        """
        own = self.state_dict()
        for name in ("corpus", "split", "seed"):
            if state[name] != own[name]:
                raise GenezipError(
                    f"the checkpoint was made with another {name} of training windows than "
                    f"{self.reader.path}; start again in an empty folder"
                )
        self.epoch, self.position = state["epoch"], state["position"]
