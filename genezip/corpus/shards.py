"""Parquet shards, schema version 2: windows with sequence and region runs in one row.

Columns: ``chrom``, ``start``, ``end`` (0-based, half-open), ``strand``, ``piece``, ``split``,
``sampling_mode``, ``n_fraction`` (share of N, padding included), ``sequence`` (ASCII letters
ACGTN, one byte per base, exactly ``window_bp`` of them), ``region_lengths`` and
``region_classes`` (runs that tile the window; ids of the classes in the head). Pages are packed
with LZ4: zstd would halve the files, but would take longer than all other steps of writing.

The file metadata key ``genezip`` is the head as JSON: ``schema_version``, ``split``,
``window_bp``, ``row_group_rows``, ``classes`` (``RegionClasses.to_json``), ``plan`` (SHA-256 of the
plan that the shard was written from) and ``regions`` (``RegionMap.sha256`` of its classes). A row
group has ``row_group_rows`` windows, about 1 Mb; only the last one of a shard may have fewer. Row
groups are read and shuffled as a whole, with little memory.

Classes are stored as runs only; the published corpora also store a class per base, which takes
63 GB for 99,000 windows of 128 kb.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from genezip import alphabet
from genezip.artifacts.manifest import Kind
from genezip.artifacts.tables import head_of, open_parquet
from genezip.errors import GenezipError
from genezip.region_classes import RegionClasses

SCHEMA_VERSION = 2
SHARD_KIND = Kind(
    noun="corpus shard",
    version=SCHEMA_VERSION,
    first="build the corpus again",
    again="build the corpus again",
    keys=("split", "window_bp", "row_group_rows", "classes", "plan", "regions"),
)
ROW_GROUP_BP = 1 << 20

SHARD_SCHEMA = pa.schema(
    [
        ("chrom", pa.string()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("strand", pa.string()),
        ("piece", pa.string()),
        ("split", pa.string()),
        ("sampling_mode", pa.string()),
        ("n_fraction", pa.float32()),
        ("sequence", pa.binary()),
        ("region_lengths", pa.list_(pa.int32())),
        ("region_classes", pa.list_(pa.uint8())),
    ]
)
TABLE_COLUMNS = SHARD_SCHEMA.names[:8]
WINDOW_COLUMNS = SHARD_SCHEMA.names[8:]

_LETTERS = b"ACGTN"
_OTHERS = bytes(code for code in range(256) if code not in _LETTERS)
# Token ids of the five letters; 0 marks an invalid letter.
_IDS = bytes.maketrans(
    _LETTERS + _OTHERS, alphabet.encode(_LETTERS).tobytes() + bytes(len(_OTHERS))
)


def row_group_rows(window_bp: int) -> int:
    """Windows in a full row group: about 1 Mb of bases, at least one window."""
    return max(1, ROW_GROUP_BP // window_bp)


@dataclass(frozen=True)
class Head:
    """The head of a shard, stored in its file metadata."""

    split: str
    window_bp: int
    row_group_rows: int
    region_classes: RegionClasses
    plan: str
    regions: str

    def to_json(self) -> dict[str, Any]:
        """The head as a JSON object, for :mod:`genezip.artifacts.tables`."""
        return SHARD_KIND.head(
            split=self.split,
            window_bp=self.window_bp,
            row_group_rows=self.row_group_rows,
            classes=self.region_classes.to_json(),
            plan=self.plan,
            regions=self.regions,
        )

    @classmethod
    def read(cls, path: Path, schema: pa.Schema) -> Self:
        """The head in the schema of a file."""
        head = head_of(path, schema.metadata, SHARD_KIND)
        try:
            if schema.equals(SHARD_SCHEMA):
                facts = {name: head[name] for name in SHARD_KIND.keys if name != "classes"}
                return cls(region_classes=RegionClasses.from_json(head["classes"]), **facts)
        except (ValueError, KeyError, TypeError, GenezipError):
            pass  # invalid classes
        raise SHARD_KIND.foreign(path)


@dataclass(frozen=True)
class RowGroup:
    """Windows of one row group as they are stored; :func:`decode` converts them to ids."""

    path: Path  # file of the windows, for messages
    codes: np.ndarray  # ASCII letters, uint8, shape (n, L)
    offsets: np.ndarray  # int64, shape (n + 1,): runs of window i are offsets[i] to offsets[i + 1]
    lengths: np.ndarray  # int32, shape (runs,)
    classes: np.ndarray  # uint8, shape (runs,)

    def __len__(self) -> int:
        return len(self.codes)


def decode(windows: Sequence[tuple[RowGroup, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Token ids and region classes of windows, given as pairs of row group and row in it.

    Returns
    -------
    ids, regions : uint8 arrays, shape (n, L); n is at least 1
    """
    length = windows[0][0].codes.shape[1]
    # One allocation for both: the allocator reuses it for the next batch, while it would return
    # two smaller ones to the system and clear their pages again.
    ids, regions = np.empty((2, len(windows), length), dtype=np.uint8)
    for line, (group, row) in enumerate(windows):
        # translate needs one byte per base, numpy indexing eight
        ids[line].data[:] = group.codes[row].tobytes().translate(_IDS)
        runs = slice(group.offsets[row], group.offsets[row + 1])
        regions[line] = group.classes[runs].repeat(group.lengths[runs])
    if not ids.all():
        window, base = np.argwhere(ids == 0)[0]
        group, row = windows[window]
        raise GenezipError(
            f"{group.path} holds the letter {chr(int(group.codes[row, base]))!r} in a sequence, "
            f"which is none of {', '.join(_LETTERS.decode())}; build the corpus again"
        )
    return ids, regions


class ShardFile:
    """An open shard that reads one row group at a time; see :func:`open_shard`."""

    def __init__(self, path: Path, file: pq.ParquetFile) -> None:
        self.path, self._file = path, file
        self.head = Head.read(path, file.schema_arrow)

    @property
    def rows(self) -> int:
        """Windows in the shard."""
        return int(self._file.metadata.num_rows)

    @property
    def groups(self) -> int:
        """Row groups in the shard."""
        return int(self._file.num_row_groups)

    def read(self, group: int) -> RowGroup:
        """Read one row group, and check its rows, its lengths, and that runs tile the windows."""
        table = self._file.read_row_group(group, WINDOW_COLUMNS, use_threads=False)
        full = self.head.row_group_rows
        expected = min(full, self.rows - group * full)
        self._require(table.num_rows == expected, f"has a row group without {expected} rows")
        sequence, lengths, classes = (_whole(column) for column in table.columns)
        offsets, runs, run_classes = self._runs(lengths, classes)
        return RowGroup(self.path, self._codes(sequence), offsets, runs, run_classes)

    def table(self) -> pd.DataFrame:
        """The columns chrom to n_fraction of all windows."""
        return self._file.read(TABLE_COLUMNS).to_pandas()

    def _codes(self, sequence: pa.BinaryArray) -> np.ndarray:
        length = self.head.window_bp
        begin, stop = sequence.offset, sequence.offset + len(sequence) + 1
        offsets = np.frombuffer(sequence.buffers()[1], dtype=np.int32)[begin:stop]
        self._require(
            sequence.null_count == 0 and (np.diff(offsets) == length).all(),
            f"holds a sequence that is not {length} bp long",
        )
        data = np.frombuffer(sequence.buffers()[2], dtype=np.uint8)
        return data[offsets[0] : offsets[-1]].reshape(len(sequence), length)

    def _runs(self, lengths: pa.ListArray, classes: pa.ListArray) -> tuple[np.ndarray, ...]:
        offsets, class_offsets = _offsets(lengths), _offsets(classes)
        runs, ids = lengths.flatten(), classes.flatten()
        right = not any(array.null_count for array in (lengths, classes, runs, ids))
        if right:
            runs, ids = runs.to_numpy(), ids.to_numpy()
            ends = np.concatenate([[0], np.cumsum(runs, dtype=np.int64)])
            right = bool(
                np.array_equal(offsets, class_offsets)
                and (runs > 0).all()
                and (np.diff(ends[offsets]) == self.head.window_bp).all()
                and (ids < len(self.head.region_classes)).all()
            )
        self._require(
            right, f"holds region runs that do not tile a window of {self.head.window_bp} bp"
        )
        return offsets, runs, ids

    def _require(self, is_right: Any, wrong: str) -> None:
        if not is_right:
            raise GenezipError(f"{self.path} {wrong}; build the corpus again")


@contextmanager
def open_shard(path: Path) -> Iterator[ShardFile]:
    """Yield an open shard; page checksums are verified when its pages are read."""
    with open_parquet(path, SHARD_KIND, page_checksum_verification=True) as file:
        yield ShardFile(path, file)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    """A column as one array, copied only if it has several chunks."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _offsets(lists: pa.ListArray) -> np.ndarray:
    """Offsets of a list array, counted from its first element (int64)."""
    offsets = lists.offsets.to_numpy().astype(np.int64)
    return offsets - offsets[0]


@dataclass(frozen=True)
class Shard:
    """A decoded shard of n windows of L bases."""

    ids: np.ndarray  # uint8 array, shape (n, L)
    regions: np.ndarray  # uint8 array, shape (n, L)
    table: pd.DataFrame  # n rows of TABLE_COLUMNS


def read_shard(path: Path) -> Shard:
    """Read and decode one shard."""
    with open_shard(path) as file:
        shape = (file.rows, file.head.window_bp)
        ids, regions = (np.empty(shape, dtype=np.uint8) for _ in range(2))
        begin = 0
        for group in range(file.groups):
            read = file.read(group)
            rows = slice(begin, begin + len(read))
            ids[rows], regions[rows] = decode([(read, row) for row in range(len(read))])
            begin = rows.stop
        return Shard(ids, regions, file.table())
