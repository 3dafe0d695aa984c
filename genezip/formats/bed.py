"""BED files: one reader for intervals with any columns, and BED9 with colours for browsers."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from genezip.artifacts.files import atomic_path
from genezip.errors import GenezipError
from genezip.formats.lines import Input, TextFile, check_row_names, opened
from genezip.formats.tabix import atomic_indexed, open_indexed
from genezip.formats.tabular import FIX, TabularFormat, Types, wrong_interval

_NAME = pa.dictionary(pa.int32(), pa.string())
BED3: Types = {"chrom": pa.string(), "start": pa.int64(), "end": pa.int64()}
BED4_SPLIT: Types = {**BED3, "split": pa.string()}
BED9: Types = {
    "chrom": _NAME,
    "start": pa.int64(),
    "end": pa.int64(),
    "name": _NAME,
    **dict.fromkeys(("score", "strand", "thick_start", "thick_end", "rgb")),
}
STRANDS = "+-."
_MOST_COLUMNS = 12
_ROWS = 1 << 16  # converted to text at a time


def read_bed(
    given: Input,
    columns: Types | None = None,
    *,
    choices: Mapping[str, Collection[str]] | None = None,
    length: int | None = None,
    empty: bool = False,
    more: bool = False,
    numbered: bool = False,
    todo: str = FIX,
) -> pd.DataFrame:
    """Intervals of a BED file (tab-separated; plain or gzip, file or pipe).

    Parameters
    ----------
    columns : column name -> Arrow type, in file order, from chrom, start and end on; None for a
        column that is not needed. By default chrom, start and end are read from rows of 3 to 12
        columns, all as many as the first; then a file without rows is refused.
    choices : column name -> the values that it may have
    length : bases that every interval must have
    empty : whether intervals may hold no base (start = end)
    more, numbered, todo
        As :class:`genezip.formats.tabular.TabularFormat` and its method ``read`` have them.

    Returns
    -------
    DataFrame
        The needed columns; start and end are int64, 0-based, half-open.
    """
    allowed = choices or {}

    def wrong(fields: list[str]) -> str | None:
        lo, hi = fields[1:3]
        problem = wrong_interval(lo, hi, first=0, empty=empty)
        if problem is None and length is not None and int(hi) - int(lo) != length:
            problem = f"its window is not {length:,} bp long (columns 2 and 3)"
        for column, (name, value) in enumerate(zip(types, fields, strict=True), 1):
            if problem is None and value not in allowed.get(name, (value,)):
                listed = ", ".join(allowed[name])
                problem = f"{name} {value!r} (column {column}) is none of {listed}"
        return problem

    with opened(given) as file:
        types = columns or _as_first_row(file)
        form = TabularFormat(types, wrong, more=more, todo=todo)
        table = form.read(file, numbered=numbered).to_pandas()
        span = table["end"] - table["start"]
        odd = (table["start"] < 0) | (span < (not empty))
        if length is not None:
            odd |= span != length
        for name, values in allowed.items():
            odd |= ~table[name].isin(list(values))
        if odd.any():
            form.explain(file)
            raise GenezipError(f"{file} has a malformed row; {todo}")
    return table


def read_regions(given: Input) -> pd.DataFrame:
    """Intervals of a BED file of 3 to 12 columns with their names and strands.

    Returns
    -------
    DataFrame
        chrom, start, end (int64, 0-based, half-open), name (None where the file has no fourth
        column), strand (``+``, ``-`` or ``.``, which also stands for a missing sixth column) and
        ``line``, the number of the row's line in the file, from 1. A file without rows is refused.
    """
    with opened(given) as file:
        count = len(_as_first_row(file))
        named = {**BED3, "name": pa.string(), "4": None, "strand": pa.string()}
        types = dict(list(named.items())[:count]) | dict.fromkeys(map(str, range(6, count)))
        choices = {"strand": STRANDS} if count > 5 else None
        table = read_bed(file, types, choices=choices, numbered=True)
    absent = {"name": None, "strand": "."}
    return table.assign(**{key: value for key, value in absent.items() if key not in table})


def _as_first_row(file: TextFile) -> Types:
    """The three interval columns, and as many unnamed ones as the first row has beyond them."""
    for number, line in file.rows():
        count = line.count("\t") + 1
        if not 3 <= count <= _MOST_COLUMNS:
            raise GenezipError(
                f"line {number} of {file} has {count} tab-separated columns; BED has 3 to "
                f"{_MOST_COLUMNS}; {FIX}"
            )
        return {**BED3, **dict.fromkeys(map(str, range(3, count)))}
    raise GenezipError(f"{file} has no interval; name a BED file with some")


def bed9_rows(
    chrom: Any, start: Any, end: Any, name: Any, rgb: Any, score: Any = 0, strand: Any = "."
) -> Iterator[bytes]:
    """Rows of BED9 as text, in batches; start and end are arrays, the rest arrays or scalars."""
    columns = [chrom, start, end, name, score, strand, start, end, rgb]
    for first in range(0, len(start), _ROWS):
        part = [_text(column, slice(first, first + _ROWS)) for column in columns]
        lines = pc.binary_join_element_wise(*part, "\t").to_pylist()
        yield ("\n".join(lines) + "\n").encode()


def _text(column: Any, rows: slice) -> Any:
    if isinstance(column, str | int):
        return pa.scalar(str(column))
    return pa.array(column[rows]).cast(pa.string())


def write_bed9(path: str | Path, table: pd.DataFrame, head: str = "") -> None:
    """Write a table as BED9; bgzip with a tabix index beside it if the name ends in ``.gz``.

    Parameters
    ----------
    table : chrom, start, end, name, rgb (``R,G,B``) and, if it has them, score (0 to 1000) and
        strand. For ``.gz`` the rows of a contig stand together, and their starts ascend.
    head : comment lines before the rows, each with its line end
    """
    check_row_names(table["chrom"].unique(), path)
    optional = {name: table[name].to_numpy() for name in ("score", "strand") if name in table}
    columns = {name: table[name].to_numpy() for name in ("chrom", "start", "end", "name", "rgb")}
    rows = bed9_rows(**columns, **optional)
    if str(path).endswith(".gz"):
        last = int(table["end"].max()) if len(table) else 0
        with atomic_indexed(path, last) as part, open_indexed(part) as packed:
            packed.write(head.encode())
            for lines in rows:
                packed.write(lines)
        return
    with atomic_path(path) as temporary, open(temporary, "wb") as plain:
        plain.write(head.encode())
        plain.writelines(rows)
