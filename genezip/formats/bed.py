"""BED files: BED9 with colours for genome browsers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from genezip.artifacts.files import atomic_path
from genezip.formats.lines import check_row_names
from genezip.formats.tabix import atomic_indexed, open_indexed

_NAME = pa.dictionary(pa.int32(), pa.string())
BED9_TYPES: dict[str, pa.DataType | None] = {
    "chrom": _NAME,
    "start": pa.int64(),
    "end": pa.int64(),
    "name": _NAME,
    "score": None,
    "strand": None,
    "thick_start": None,
    "thick_end": None,
    "rgb": None,
}
_ROWS = 1 << 16  # made into text at a time


def bed9_rows(
    chrom: Any, start: Any, end: Any, name: Any, rgb: Any, score: Any = 0, strand: Any = "."
) -> Iterator[bytes]:
    """Rows of BED9 as text, many at a time.

    Parameters
    ----------
    chrom, name, rgb, score, strand : array or scalar
        Text or numbers; text stands in the file as it is, without quotes.
    start, end : integer arrays, shape (N,)
    """
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
    path : str or Path
    table : DataFrame
        chrom, start, end, name, rgb (``R,G,B``) and, if it has them, score (0 to 1000) and
        strand. For ``.gz`` the rows of a contig stand together, and their starts ascend.
    head : str
        Comment lines before the rows, each with its line end.

    Raises
    ------
    GenezipError
        If the disk is full, or for a contig that BED cannot name
        (:func:`genezip.formats.lines.check_row_names`).
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
