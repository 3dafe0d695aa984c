"""Parquet shards: windows with sequence and run-length region labels in one row.

Labels are runs, not one byte per base: the published sets store dense labels beside runs,
which takes 63 GB for 99,000 windows of 128 kb. Decoding is two numpy calls per shard.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from genezip import vocab
from genezip.errors import GenezipError
from genezip.provenance import sha256_file
from genezip.taxonomy import CLASSES

SCHEMA_VERSION = 1
ROW_GROUP = 512
"""Windows in one Parquet row group, and in memory while writing."""

SCHEMA = pa.schema(
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
TABLE_COLUMNS = SCHEMA.names[:8]
_REPEATING = ["chrom", "strand", "piece", "split", "sampling_mode"]


@dataclass(frozen=True)
class Row:
    """One window on its way into a shard.

    Attributes
    ----------
    chrom, start, end, piece, split, sampling_mode : where it lies and how it was chosen
    ids : uint8 array, shape (L,)
        Token ids; L is more than ``end - start`` where the window is padded with N.
    region_lengths : int32 array, shape (R,); sums to L
    region_classes : uint8 array, shape (R,)
    """

    chrom: str
    start: int
    end: int
    piece: str
    split: str
    sampling_mode: str
    ids: np.ndarray
    region_lengths: np.ndarray
    region_classes: np.ndarray

    @property
    def n_bp(self) -> int:
        """Bases that are not A, C, G or T, padding included."""
        return int((~vocab.is_base(self.ids)).sum())


@dataclass(frozen=True)
class Shard:
    """A decoded shard of n windows of L bases.

    Attributes
    ----------
    ids : uint8 array, shape (n, L)
    regions : uint8 array, shape (n, L)
    table : DataFrame, n rows
        chrom, start, end, strand, piece, split, sampling_mode, n_fraction.
    """

    ids: np.ndarray
    regions: np.ndarray
    table: pd.DataFrame


def _runs(rows: list[np.ndarray], value_type: pa.DataType) -> pa.ListArray:
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int32)
    return pa.ListArray.from_arrays(offsets, pa.array(np.concatenate(rows), value_type))


def _table(rows: list[Row], schema: pa.Schema) -> pa.Table:
    columns: dict[str, Any] = {
        name: [getattr(row, name) for row in rows]
        for name in ("chrom", "start", "end", "piece", "split", "sampling_mode")
    }
    columns["strand"] = ["+"] * len(rows)
    columns["n_fraction"] = [row.n_bp / len(row.ids) for row in rows]
    columns["sequence"] = [vocab.decode(row.ids) for row in rows]
    columns["region_lengths"] = _runs([row.region_lengths for row in rows], pa.int32())
    columns["region_classes"] = _runs([row.region_classes for row in rows], pa.uint8())
    return pa.table([columns[name] for name in schema.names], schema=schema)


def _batches(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    rows = iter(rows)
    while batch := list(islice(rows, size)):
        yield batch


def write_shards(
    rows: Iterable[Row], root: Path, split: str, window_bp: int, shard_rows: int
) -> list[dict[str, Any]]:
    """Write the windows of a split as ``root/split/shard-00000.parquet`` and so on.

    Returns
    -------
    list of dict
        One entry per shard for the manifest: path (relative to ``root``), split, rows, bytes,
        sha256.
    """
    head = {"schema_version": SCHEMA_VERSION, "split": split, "window_bp": window_bp}
    schema = SCHEMA.with_metadata({b"genezip": json.dumps(head).encode()})
    (root / split).mkdir()
    rows = iter(rows)
    entries: list[dict[str, Any]] = []
    while (first := next(rows, None)) is not None:
        path = root / split / f"shard-{len(entries):05d}.parquet"
        count = 0
        with pq.ParquetWriter(
            path, schema, compression="zstd", use_dictionary=_REPEATING, write_statistics=False
        ) as out:
            rest = islice(rows, shard_rows - 1)
            for batch in _batches(_chain(first, rest), ROW_GROUP):
                out.write_table(_table(batch, schema))
                count += len(batch)
        entries.append(
            {
                "path": str(path.relative_to(root)),
                "split": split,
                "rows": count,
                "bytes": path.stat().st_size,
                "sha256": sha256_file(path),
            }
        )
    return entries


def _chain(first: Row, rest: Iterable[Row]) -> Iterator[Row]:
    yield first
    yield from rest


def read_shard(path: Path) -> Shard:
    """Read and decode one shard.

    Raises
    ------
    GenezipError
        If the file is missing or no corpus shard, a sequence is shorter or longer than the
        window, or region runs do not tile a window. The sentence names the file.
    """
    table = _open(path)
    head = json.loads(table.schema.metadata[b"genezip"])
    length, count = head["window_bp"], table.num_rows
    sequence = table["sequence"].combine_chunks()
    bp = np.diff(_offsets(sequence))
    _require((bp == length).all(), path, "holds a sequence that is not {} bp long", length)
    ids = vocab.encode(b"".join(sequence.to_pylist()), str(path)).reshape(count, length)
    return Shard(ids, _regions(table, path, length), table.select(TABLE_COLUMNS).to_pandas())


def _regions(table: pa.Table, path: Path, length: int) -> np.ndarray:
    lists = table["region_lengths"].combine_chunks()
    class_lists = table["region_classes"].combine_chunks()
    runs = lists.flatten().to_numpy()
    classes = class_lists.flatten().to_numpy()
    offsets = _offsets(lists)
    tiled = (
        np.array_equal(np.diff(offsets), np.diff(_offsets(class_lists)))
        and (runs > 0).all()
        and (np.diff(np.concatenate([[0], np.cumsum(runs)])[offsets]) == length).all()
        and (classes < len(CLASSES)).all()
    )
    _require(tiled, path, "holds region runs that do not tile a window of {} bp", length)
    return np.repeat(classes, runs).reshape(table.num_rows, length)


def _offsets(array: Any) -> np.ndarray:
    """Offsets of a list or binary array from its own first element (int64)."""
    sizes = pc.binary_length(array) if pa.types.is_binary(array.type) else None
    if sizes is None:
        sizes = pc.list_value_length(array)
    return np.concatenate([[0], np.cumsum(sizes.to_numpy())]).astype(np.int64)


def _open(path: Path) -> pa.Table:
    try:
        table = pq.read_table(path, partitioning=None)
    except FileNotFoundError:
        raise GenezipError(f"{path} is missing; build the corpus again") from None
    except (pa.ArrowInvalid, OSError) as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        raise GenezipError(
            f"{path} is not a readable Parquet file ({reason}); build the corpus again"
        ) from None
    head = json.loads((table.schema.metadata or {}).get(b"genezip", b"{}"))
    if head.get("schema_version") != SCHEMA_VERSION or table.schema.names != SCHEMA.names:
        raise GenezipError(
            f"{path} is no corpus shard of schema version {SCHEMA_VERSION}; build the corpus again"
        )
    return table


def _require(is_right: Any, path: Path, wrong: str, *values: Any) -> None:
    if not is_right:
        raise GenezipError(f"{path} {wrong.format(*values)}; build the corpus again")
