"""Finished parts of a FASTA to one Parquet table and tracks, a part at a time."""

import base64
import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from genezip.artifacts.tables import head_metadata
from genezip.inference.parts import Part, Records
from genezip.inference.tracks import TrackWriter
from genezip.models.base import KEPT_BY

ROW_GROUP = 16_384


@dataclass(frozen=True)
class Totals:
    """What a whole FASTA came to.

    Attributes
    ----------
    records, bases, tokens : what went in and came out
    bits_per_base : mean next-base loss; None if no base was predicted
    spans, bound_bit : blocks or windows, and those whose routing the bound changed
    """

    records: int
    bases: int
    tokens: int
    bits_per_base: float | None
    spans: int
    bound_bit: int

    def facts(self) -> dict[str, Any]:
        """The same under the names that they have in the head of a table."""
        return {("pieces" if name == "spans" else name): n for name, n in vars(self).items()}


class Join:
    """Adds parts in order to the table and the tracks.

    The chunk of a part's last token ends where the next part's first begins, so one row is
    always held back.
    """

    def __init__(self, records: Records, table: "TokenTable", tracks: TrackWriter | None) -> None:
        self.records = records
        self.table = table
        self.tracks = tracks
        self.held: dict[str, np.ndarray] | None = None
        self.tokens = self.predicted = self.bound_bit = 0
        self.nats: list[float] = []

    def add(self, part: Part) -> None:
        """Add the next part."""
        self.tokens += len(part.tokens)
        self.predicted += part.predicted
        self.bound_bit += part.bound_bit
        self.nats += part.nats.tolist()
        rows = {
            "start": part.chunk_starts,
            "boundary_prob": part.start_prob,
            "kept_by": part.kept_by,
            "token": part.tokens,
        }
        if self.held is not None:
            rows = {name: np.concatenate([self.held[name], rows[name]]) for name in rows}
        if len(rows["start"]):
            self._emit({name: column[:-1] for name, column in rows.items()}, rows["start"][1:])
            self.held = {name: column[-1:].copy() for name, column in rows.items()}
        if self.tracks is not None:
            for name, start, bases in self.records.between(part.start, part.end):
                here = slice(bases.start - part.start, bases.stop - part.start)
                self.tracks.add_prob(name, start, part.boundary_prob[here])

    def finish(self) -> Totals:
        """The last chunk ends with the last record."""
        if self.held is not None:
            self._emit(self.held, np.array([self.records.bases]))
        nats = sum(self.nats)  # span by span, so it does not depend on where parts were cut
        return Totals(
            records=len(self.records.names),
            bases=self.records.bases,
            tokens=self.tokens,
            bits_per_base=nats / math.log(2) / self.predicted if self.predicted else None,
            spans=len(self.nats),
            bound_bit=self.bound_bit,
        )

    def _emit(self, rows: dict[str, np.ndarray], ends: np.ndarray) -> None:
        """Rows whose ends are known, counted over all records, to the coordinates of each."""
        number = self.records.of(rows["start"])
        offset = self.records.bounds[number]
        chrom = pa.array(self.records.names, pa.string()).take(pa.array(number))
        self.table.add(chrom, rows, rows["start"] - offset, ends - offset)
        if self.tracks is None:
            return
        numbers, firsts = np.unique(number, return_index=True)
        for record, (first, end) in zip(numbers, pairwise([*firsts, len(number)]), strict=True):
            start = int(rows["start"][first] - offset[first])
            chunk_bp = (ends - rows["start"])[first:end]
            self.tracks.add_chunks(self.records.names[record], start, chunk_bp)


class TokenTable:
    """Token rows as Parquet, in groups of a size that reads well.

    Parameters
    ----------
    width : length of a token vector
    """

    def __init__(self, path: Path, width: int) -> None:
        self.width = width
        self.schema = pa.schema(
            [
                ("chrom", pa.string()),
                ("start", pa.int64()),
                ("end", pa.int64()),
                ("boundary_prob", pa.float32()),
                ("kept_by", pa.dictionary(pa.int8(), pa.string())),
                ("token", pa.list_(pa.float32(), width)),
            ]
        )
        # What the table says of itself is known in the end only, and pyarrow writes the schema in
        # the beginning: its key is left to :meth:`finish`.
        self.writer = pq.ParquetWriter(path, self.schema, compression="zstd", store_schema=False)
        self.waiting = self.schema.empty_table()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.writer.close()

    def add(
        self, chrom: pa.Array, rows: dict[str, np.ndarray], start: np.ndarray, end: np.ndarray
    ) -> None:
        """Add rows; ``start`` and ``end`` count in their record."""
        reasons = pa.array(rows["kept_by"].astype(np.int8))
        columns = [
            chrom,
            pa.array(start),
            pa.array(end),
            pa.array(rows["boundary_prob"]),
            pa.DictionaryArray.from_arrays(reasons, pa.array(KEPT_BY)),
            pa.FixedSizeListArray.from_arrays(pa.array(rows["token"].ravel()), self.width),
        ]
        more = pa.Table.from_arrays(columns, schema=self.schema)
        self.waiting = pa.concat_tables([self.waiting, more])
        # groups of one size whatever the parts: equal rows, equal bytes
        while self.waiting.num_rows >= ROW_GROUP:
            self._write(self.waiting.slice(0, ROW_GROUP))
            self.waiting = self.waiting.slice(ROW_GROUP)

    def finish(self, facts: dict[str, Any]) -> None:
        """Write the last rows and the head, which says how all came about.

        The file is what pyarrow would have written had it known the head from the start: an Arrow
        schema stands as base64 under ``ARROW:schema``, and its metadata stand beside it once more.
        """
        if self.waiting.num_rows:
            self._write(self.waiting)
        head = head_metadata(facts)
        packed = base64.b64encode(self.schema.with_metadata(head).serialize())
        self.writer.add_key_value_metadata({**head, b"ARROW:schema": packed})

    def _write(self, rows: pa.Table) -> None:
        self.writer.write_table(rows.combine_chunks())
