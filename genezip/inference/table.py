"""The two tables of compressed DNA: windows of held-out DNA, and tokens of any FASTA.

The window table is the input of evaluation. Models and controls write the same Parquet, so every
metric is computed by the same code, without a GPU and without the model. One row is one window on
one strand. Positions are offsets in forward coordinates of the window, also for strand ``-``: a
chunk [a, b) of the reverse complement is the chunk [L - b, L - a).

The token table is the output of ``genezip compress``: one row per token, in the coordinates of its
record.
"""

import base64
import logging
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from genezip.artifacts.journal import Journal, stop_now, stop_request
from genezip.artifacts.manifest import Kind
from genezip.artifacts.tables import head_metadata, open_parquet, parquet_writer, read_head
from genezip.metrics.compression import token_density
from genezip.models.compressed import KEPT_BY, LikelihoodKind

logger = logging.getLogger(__name__)

KIND = Kind(
    "file of compressed windows",
    1,
    "compress the held-out DNA first",
    "compress the held-out DNA again",
    keys=("name", "seed", "target_bpt", "info"),
)

SCHEMA = pa.schema(
    [
        ("chrom", pa.string()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("strand", pa.string()),
        ("piece", pa.string()),
        ("split", pa.string()),
        ("length", pa.int32()),
        ("token_starts", pa.list_(pa.int32())),
        ("stage_tokens", pa.list_(pa.int32())),
        ("bound_bit", pa.list_(pa.bool_())),
        ("boundary_prob", pa.binary()),
        ("nll", pa.binary()),
        ("likelihood", pa.string()),
    ]
)
BATCH_ROWS = 64  # windows in memory together, and of a row group
PART_SECONDS = 60.0  # of work that a kill loses at most, but for the last rows of a group
ROW_GROUP = 16_384  # rows of a row group of the token table
# columns of the window table whose names in Python differ
_RENAMED = {"piece": "segment", "bound_bit": "bound_active"}


@dataclass(frozen=True)
class CompressedWindow:
    """One window on one strand.

    Attributes
    ----------
    chrom, start, end : genome interval, 0-based, half-open
    strand : '+' or '-'
    segment, split : segment of the source and split that hold the window
    token_starts, stage_tokens, bound_active : int32 (M,), int32 (S,) and bool (S,), as in
        :class:`~genezip.models.compressed.Compressed`, in forward coordinates
    boundary_prob : float array, shape (length,), or None, stage-0 boundary probability of every
        base (strand '+' only). The table holds float16 (within 0.05 %), the only rounding on the
        way to a track
    nll : float32 array, shape (length,), or None, negative log likelihood of every base given those
        before it (nats); NaN where the base is not predicted (first base, N, padding). None for
        systems without a likelihood
    nll_kind : kind of likelihood of ``nll``
    length : window length in bp; more than ``end - start`` where the window is padded with N
    """

    chrom: str
    start: int
    end: int
    strand: str
    segment: str
    split: str
    length: int
    token_starts: np.ndarray
    stage_tokens: np.ndarray
    bound_active: np.ndarray
    boundary_prob: np.ndarray | None = None
    nll: np.ndarray | None = None
    nll_kind: LikelihoodKind = "exact"

    @property
    def likelihood(self) -> LikelihoodKind | None:
        """Kind of likelihood, None without one; only exact likelihoods are comparable."""
        return None if self.nll is None else self.nll_kind

    @property
    def chunk_bp(self) -> np.ndarray:
        """Chunk lengths in bp, int64 array of shape (M,), summing to ``length``."""
        return np.diff(np.append(self.token_starts.astype(np.int64), self.length))

    def token_density(self) -> np.ndarray:
        """Tokens per base, float64 array of shape (length,), summing to M (Eq. 15).

        The token of a chunk of b bases counts 1 / b on each, so the sum over any set of bases is
        the fractional token count of that set.
        """
        return token_density(self.token_starts, self.length)


@dataclass(frozen=True)
class CompressedFile:
    """The window table of one router, with its metadata."""

    name: str
    seed: int | None
    target_bpt: dict[str, float] | None
    info: dict[str, Any]
    path: Path

    def windows(
        self, strand: str | None = None, within: Collection[tuple[str, int, int]] | None = None
    ) -> Iterator[CompressedWindow]:
        """Windows in file order, of one strand or of both.

        ``within`` are intervals (chrom, start, end); windows that overlap none are not decoded.
        """
        with open_parquet(self.path, KIND) as file:
            for batch in file.iter_batches(batch_size=BATCH_ROWS):
                wanted = batch if within is None else batch.filter(_overlapping(batch, within))
                for cells in wanted.to_pylist():
                    if strand is None or cells["strand"] == strand:
                        yield self._window(cells)

    def places(self, strand: str) -> Iterator[dict[str, Any]]:
        """Cells chrom, start, end, piece and split of the windows of a strand, and nothing else."""
        names = ["chrom", "start", "end", "piece", "split", "strand"]
        with open_parquet(self.path, KIND) as file:
            for batch in file.iter_batches(batch_size=ROW_GROUP, columns=names):
                yield from (cells for cells in batch.to_pylist() if cells["strand"] == strand)

    def _window(self, cells: dict[str, Any]) -> CompressedWindow:
        prob, nll = cells.pop("boundary_prob"), cells.pop("nll")
        bound_active = np.array(cells.pop("bound_bit"), dtype=bool)
        # older files have no column `likelihood`; in them only the bound sequence looks ahead
        looked_ahead = self.info.get("bound") == "sequence" and bool(bound_active.any())
        derived: LikelihoodKind = "looked_ahead" if looked_ahead else "exact"
        return CompressedWindow(
            token_starts=np.array(cells.pop("token_starts"), dtype=np.int32),
            stage_tokens=np.array(cells.pop("stage_tokens"), dtype=np.int32),
            bound_active=bound_active,
            boundary_prob=None if prob is None else np.frombuffer(prob, dtype=np.float16),
            nll=None if nll is None else np.frombuffer(nll, dtype=np.float32),
            nll_kind=cells.pop("likelihood", None) or derived,
            segment=cells.pop("piece"),
            **cells,
        )


def _overlapping(batch: pa.RecordBatch, within: Collection[tuple[str, int, int]]) -> pa.Array:
    """Whether the windows of a batch overlap any interval."""
    chrom, start, end = (batch.column(name).to_numpy(False) for name in ("chrom", "start", "end"))
    found = np.zeros(len(start), dtype=bool)
    for name, low, high in within:
        found |= (chrom == name) & (start < high) & (end > low)
    return pa.array(found)


def _cells(window: CompressedWindow) -> dict[str, Any]:
    starts = window.token_starts
    if len(starts) == 0 or starts[0] != 0 or (np.diff(starts) <= 0).any():
        raise ValueError(f"token starts of {window.chrom}:{window.start} do not tile the window")
    cells = {name: getattr(window, _RENAMED.get(name, name)) for name in SCHEMA.names}
    for name in ("token_starts", "stage_tokens", "bound_bit"):
        cells[name] = cells[name].tolist()
    if window.boundary_prob is not None:
        cells["boundary_prob"] = window.boundary_prob.astype(np.float16).tobytes()
    if window.nll is not None:
        cells["nll"] = window.nll.astype(np.float32).tobytes()
    return cells


def write_compressed(
    path: str | Path,
    windows: Iterable[CompressedWindow],
    *,
    name: str,
    seed: int | None = None,
    target_bpt: dict[str, float] | None = None,
    **info: Any,
) -> int:
    """Write windows atomically and in constant memory; return their number."""
    head = KIND.head(name=name, seed=seed, target_bpt=target_bpt, info=info)
    rows, count = map(_cells, windows), 0
    with parquet_writer(path, SCHEMA, head) as out:
        while batch := list(islice(rows, BATCH_ROWS)):
            out.write_table(pa.Table.from_pylist(batch, schema=SCHEMA))
            count += len(batch)
    return count


def write_resumable(
    path: str | Path,
    rows_from: Callable[[int], Iterable[CompressedWindow]],
    identity: Any,
    *,
    name: str,
    seed: int | None = None,
    target_bpt: dict[str, float] | None = None,
    **info: Any,
) -> int:
    """Write the file of :func:`write_compressed` in parts from which a later call goes on.

    ``rows_from`` gives the windows without the first so many, and ``identity`` (JSON values)
    decides what they are: parts of another one count as none. Parts lie in ``.NAME.parts`` beside
    the file until it is whole; one ends every minute, and where a stop is requested.
    """
    path = Path(path)
    folder = path.with_name(f".{path.name}.parts")
    head = KIND.head(name=name, seed=seed, target_bpt=target_bpt, info=info)
    journal = Journal(folder / "done.json", identity)
    if not all((folder / part).is_file() for part in journal.done):
        journal.clear()
    done = sum(facts["rows"] for facts in journal.done.values())
    if done:
        logger.info(f"{name}: resuming after {done:,} windows")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    with stop_request() as stop:
        rows = map(_cells, rows_from(done))
        more = True
        while more:
            part, begun, count = f"{done:09}.parquet", time.monotonic(), 0
            with parquet_writer(folder / part, SCHEMA, head) as out:
                while more and not (stop or (time.monotonic() - begun > PART_SECONDS and count)):
                    batch = list(islice(rows, BATCH_ROWS))
                    more = len(batch) == BATCH_ROWS
                    if batch:
                        out.write_table(pa.Table.from_pylist(batch, schema=SCHEMA))
                    count += len(batch)
            with open(folder / part, "r+b") as data:
                journal.note(part, {"rows": count}, data)
            done += count
            if stop and more:
                stop_now(f"{name}: stopped after {done:,} windows")
    with parquet_writer(path, SCHEMA, head) as out:
        for part in journal.done:
            with open_parquet(folder / part, KIND) as file:
                for number in range(file.num_row_groups):
                    out.write_table(file.read_row_group(number))
    shutil.rmtree(folder)
    return done


def read_compressed(path: str | Path) -> CompressedFile:
    """Open a window table; its rows are read by :meth:`CompressedFile.windows`."""
    head = read_head(path, KIND)
    return CompressedFile(head["name"], head["seed"], head["target_bpt"], head["info"], Path(path))


TOKEN_COLUMNS = {
    "boundary_prob": pa.float32(),
    "kept_by": pa.dictionary(pa.int8(), pa.string()),
    "token_id": pa.int64(),
    "token": pa.float32(),
}
"""Optional columns of the token table, in order; ``token`` is a vector."""


class RowTable:
    """Writer of a table of any number of rows in constant memory.

    Row groups have one size, so that equal rows give equal bytes however they are added. The file
    is written in place, not atomically.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.schema = schema
        # pyarrow writes the schema at the beginning, but the metadata are known only at the end:
        # :meth:`finish` writes the key of the schema.
        self.writer = pq.ParquetWriter(path, self.schema, compression="zstd", store_schema=False)
        self.waiting = self.schema.empty_table()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.writer.close()

    def append(self, columns: Sequence[pa.Array]) -> None:
        """Add rows, given as the columns of the schema in order."""
        more = pa.Table.from_arrays(columns, schema=self.schema)
        self.waiting = pa.concat_tables([self.waiting, more])
        while self.waiting.num_rows >= ROW_GROUP:
            self._write(self.waiting.slice(0, ROW_GROUP))
            self.waiting = self.waiting.slice(ROW_GROUP)

    def finish(self, facts: Mapping[str, Any]) -> None:
        """Write the last rows and the metadata.

        The bytes are those that pyarrow writes when it knows the metadata from the start: the
        Arrow schema as base64 under ``ARROW:schema``, with the metadata in it and beside it.
        """
        if self.waiting.num_rows:
            self._write(self.waiting)
        head = head_metadata(facts)
        packed = base64.b64encode(self.schema.with_metadata(head).serialize())
        self.writer.add_key_value_metadata({**head, b"ARROW:schema": packed})

    def _write(self, rows: pa.Table) -> None:
        self.writer.write_table(rows.combine_chunks())


class TokenTable(RowTable):
    """Writer of the token table: chrom, start, end, then :data:`TOKEN_COLUMNS` of the system.

    ``like`` has an array of any number of rows for each of the further columns, which defines the
    columns and the length of a vector.
    """

    def __init__(self, path: Path, like: Mapping[str, np.ndarray]) -> None:
        fields = [("chrom", pa.string()), ("start", pa.int64()), ("end", pa.int64())]
        for name, kind in TOKEN_COLUMNS.items():
            if name in like:
                width = like[name].shape[1:]
                fields.append((name, pa.list_(kind, *width) if width else kind))
        super().__init__(path, pa.schema(fields))

    def add(
        self, chrom: pa.Array, start: np.ndarray, end: np.ndarray, columns: Mapping[str, np.ndarray]
    ) -> None:
        """Add rows; ``start`` and ``end`` are positions in the record."""
        further = list(self.schema)[3:]
        arrays = [as_column(columns[field.name], field.type) for field in further]
        self.append([chrom, pa.array(start), pa.array(end), *arrays])


def as_column(values: np.ndarray, kind: pa.DataType) -> pa.Array:
    """A column of a table, from an array of its rows."""
    if pa.types.is_dictionary(kind):
        codes = pa.array(values.astype(np.int8))
        return pa.DictionaryArray.from_arrays(codes, pa.array(KEPT_BY))
    if pa.types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), kind.list_size)
    return pa.array(values, kind)
