"""Large tab-separated text, plain or gzip: a fast reader and a slow one that explains errors.

The fast reader (Arrow) fails without naming the row. The slow reader then walks the lines in
Python up to the same error, and names file, line and column. Both take their lines from
:mod:`genezip.formats.lines`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from genezip.errors import GenezipError
from genezip.formats.lines import Block, Input, TextFile, opened, shown

RowCheck = Callable[[list[str]], str | None]
"""Takes the fields of a row; returns what is wrong with it, or None."""

Types = Mapping[str, pa.DataType | None]
"""Column name -> Arrow type, in file order; None for a column that is not needed."""

LINE = "line"
"""Name of the column that numbers the rows."""

FIX = "fix or remove it"
"""Advice for a malformed row of a user's file."""

_POSITION = re.compile(r"-?0*[0-9]{1,18}")  # as the fast reader: neither +1 nor 1_000
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")


@dataclass(frozen=True)
class TabularFormat:
    """Columns and checks of a tab-separated text; :mod:`genezip.formats.lines` finds its rows."""

    types: Types  # column name -> Arrow type, in file order; None for a column that is not needed
    check: RowCheck  # returns what is wrong with a row; used to explain a failure
    fasta: bool = False  # whether the table ends where a FASTA begins (GTF, GFF3)
    more: bool = False  # whether rows may have further columns, in any number
    todo: str = FIX  # advice for a malformed row

    def read(
        self,
        given: Input,
        keep: Callable[[pa.RecordBatch], pa.RecordBatch] | None = None,
        numbered: bool = False,
    ) -> pa.Table:
        """The needed columns of all rows.

        Parameters
        ----------
        keep : filters the rows of a batch, so that unneeded rows are not kept in memory
        numbered : whether to add the column :data:`LINE`: int64, the line of each row in the file,
            from 1
        """
        kinds = self._needed()
        tables = []
        with opened(given) as file:
            for block in file.blocks(self.fasta):
                table = self._parsed(file, block)
                if numbered:
                    table = table.append_column(LINE, pa.array(block.numbers))
                if keep is not None:
                    table = pa.Table.from_batches([keep(batch) for batch in table.to_batches()])
                tables.append(table)
        if tables:
            return pa.concat_tables(tables)
        if numbered:
            kinds[LINE] = pa.int64()
        return pa.table({name: pa.array([], type=kind) for name, kind in kinds.items()})

    def explain(self, given: Input) -> None:
        """Raise an error that describes the first malformed row; pass the TextFile of a pipe."""
        with opened(given) as file:
            self._explain(file, file.rows(self.fasta))

    def _needed(self) -> dict[str, pa.DataType]:
        return {name: kind for name, kind in self.types.items() if kind is not None}

    def _parsed(self, file: TextFile, block: Block) -> pa.Table:
        """The rows of a block."""
        needed = self._needed()
        data = self._cut(block.data) if self.more else block.data
        try:
            table = arrow_csv.read_csv(
                pa.BufferReader(data),
                arrow_csv.ReadOptions(
                    use_threads=False, block_size=len(data) + 1, column_names=list(self.types)
                ),
                arrow_csv.ParseOptions(delimiter="\t", quote_char=False, ignore_empty_lines=False),
                arrow_csv.ConvertOptions(
                    include_columns=list(needed), column_types=needed, null_values=[]
                ),
            )
        except pa.ArrowInvalid as error:
            self._explain(file, block.rows())
            raise GenezipError(f"{file} cannot be read: {error}") from None
        for name, kind in needed.items():
            if pa.types.is_floating(kind) and not pc.all(pc.is_finite(table[name])).as_py():
                self._explain(file, block.rows())  # `nan` and `inf` are refused
        return table

    def _cut(self, data: bytes) -> bytes:
        """Rows without their unnamed further columns."""
        columns = rb"(?m)^((?:[^\t\n]*\t){%d}[^\t\n]*)\t[^\n]*$" % (len(self.types) - 1)
        return re.sub(columns, rb"\1", data)

    def _explain(self, file: TextFile, rows: Iterable[tuple[int, str]]) -> None:
        for number, line in rows:
            fields = line.split("\t")
            if self.more:
                fields = fields[: len(self.types)]
            if len(fields) != len(self.types):
                count = f"{len(fields)} tab-separated columns instead of {len(self.types)}"
                raise malformed(file, number, f"it has {count}", self.todo)
            if wrong := self.check(fields) or _wrong_type(fields, self.types):
                raise malformed(file, number, wrong, self.todo)


def malformed(file: Input, number: int, wrong: str, todo: str = FIX) -> GenezipError:
    """The error for a malformed line, with file, line number, reason and advice."""
    return GenezipError(f"line {number} of {shown(file)} is malformed: {wrong}; {todo}")


def _wrong_type(fields: list[str], types: Types) -> str | None:
    """What is wrong with the first field that is not of its column's type, or None."""
    for column, (field, (name, kind)) in enumerate(zip(fields, types.items(), strict=True), 1):
        if kind is None:
            continue
        if pa.types.is_integer(kind) and not _POSITION.fullmatch(field.strip()):
            return f"{name} {field!r} (column {column}) is not a whole number of at most 18 digits"
        if pa.types.is_floating(kind) and not _NUMBER.fullmatch(field.strip()):
            return f"{name} {field!r} (column {column}) is not a number"
    return None


def wrong_interval(
    start: str, end: str, first: int, columns: tuple[int, int] = (2, 3), empty: bool = False
) -> str | None:
    """What is wrong with the coordinates of a row.

    Parameters
    ----------
    first : number of the first base of a contig, 0 or 1
    columns : numbers of the two columns, from 1; BED has them in columns 2 and 3
    empty : whether an interval without bases is allowed
    """
    for name, field, column in zip(("start", "end"), (start, end), columns, strict=True):
        if not _POSITION.fullmatch(field.strip()):
            return f"{name} {field!r} (column {column}) is not a whole number of at most 18 digits"
    lo, hi = int(start), int(end)
    if lo < first:
        return f"start {lo} lies before the first base, {first} (column {columns[0]})"
    if hi < lo:
        return f"end {hi} lies before start {lo} (columns {columns[1]} and {columns[0]})"
    if hi == lo and first == 0 and not empty:
        return f"start and end are both {lo} (columns {columns[0]} and {columns[1]}): it is empty"
    return None
