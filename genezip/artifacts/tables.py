"""Tables on disk: Parquet with a typed head, and TSV.

The head is JSON in the metadata of the schema, under :data:`HEAD`: the version of the file's
kind and whatever its writer noted. All files are written whole or not at all.
"""

import json
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from genezip.artifacts.files import atomic_path
from genezip.artifacts.manifest import Kind
from genezip.errors import GenezipError

HEAD = b"genezip"
"""Key of the head in the metadata of every Parquet file of this program."""


def head_metadata(head: Mapping[str, Any]) -> dict[bytes, bytes]:
    """Metadata of a schema that carry a head."""
    return {HEAD: json.dumps(head).encode()}


def write_parquet(path: str | Path, table: pa.Table, head: Mapping[str, Any]) -> None:
    """Write a table with its head (zstd, atomically)."""
    with atomic_path(path) as temporary:
        pq.write_table(
            table.replace_schema_metadata(head_metadata(head)), temporary, compression="zstd"
        )


@contextmanager
def parquet_writer(
    path: str | Path, schema: pa.Schema, head: Mapping[str, Any] | None, **options: Any
) -> Iterator[pq.ParquetWriter]:
    """Yield a writer for tables that come one after the other (zstd, atomically).

    Parameters
    ----------
    head : None where it is known at the end only (:func:`add_head`)
    options : further options of ``pyarrow.parquet.ParquetWriter``
    """
    if head is not None:
        schema = schema.with_metadata(head_metadata(head))
    with (
        atomic_path(path) as temporary,
        pq.ParquetWriter(temporary, schema, **{"compression": "zstd"} | options) as writer,
    ):
        yield writer


def add_head(writer: pq.ParquetWriter, head: Mapping[str, Any]) -> None:
    """Add the head to a file that was begun without one (once)."""
    writer.add_key_value_metadata(head_metadata(head))


@contextmanager
def open_parquet(path: str | Path, kind: Kind, **options: Any) -> Iterator[pq.ParquetFile]:
    """Yield an open Parquet file; a failure while it is read raises a GenezipError, too.

    Parameters
    ----------
    options : further options of ``pyarrow.parquet.ParquetFile``

    Raises
    ------
    GenezipError
        If the file is missing, or is no Parquet that can be read.
    """
    try:
        with pq.ParquetFile(path, **options) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        if not Path(path).exists():
            raise kind.missing(path) from None
        if getattr(error, "filename", None) not in (None, str(path)):
            raise  # of another file that the block opened
        raise kind.unreadable(path, error) from None


def head_of(path: str | Path, schema: pa.Schema, kind: Kind) -> dict[str, Any]:
    """The head in a schema's metadata.

    Raises
    ------
    GenezipError
        If there is none of this kind and version.
    """
    return _head(path, schema.metadata, kind)


def _head(path: str | Path, metadata: Mapping[bytes, bytes] | None, kind: Kind) -> dict[str, Any]:
    try:
        raw = json.loads((metadata or {})[HEAD])
    except (KeyError, ValueError):
        raise kind.foreign(path) from None
    return kind.checked(path, raw)


def read_head(path: str | Path, kind: Kind) -> dict[str, Any]:
    """The head of a Parquet file, whether it was written first or last.

    Raises
    ------
    GenezipError
        If the file is missing, unreadable, or not of this kind and version.
    """
    with open_parquet(path, kind) as file:
        return _head(path, file.metadata.metadata, kind)


def read_parquet(
    path: str | Path, kind: Kind, columns: list[str] | None = None
) -> tuple[pa.Table, dict[str, Any]]:
    """Read a whole table and its head.

    Raises
    ------
    GenezipError
        If the file is missing, unreadable, lacks a column, or is not of this kind and version.
    """
    with open_parquet(path, kind) as file:
        head = head_of(path, file.schema_arrow, kind)
        lacking = set(columns or ()) - set(file.schema_arrow.names)
        if lacking:
            raise GenezipError(f"{path} lacks the column {min(lacking)}; {kind.again}")
        return file.read(columns), head


def write_tsv(path: str | Path, frame: pd.DataFrame) -> None:
    """Write a table as TSV with a header (atomically), floats with 6 significant digits."""
    with atomic_path(path) as temporary:
        frame.to_csv(temporary, sep="\t", index=False, float_format="%.6g")


def read_tsv(
    path: str | Path,
    columns: Collection[str] = (),
    text: Collection[str] | None = (),
    first: str = "run the stage that writes it first",
    again: str = "write it again",
    separator: str = "\t",
) -> pd.DataFrame:
    """Read a TSV with a header; empty cells are missing.

    Parameters
    ----------
    columns : what it must have at least
    text : columns that stay text, whatever they look like; None for all of them
    first, again : what to do where it is missing, or damaged
    separator : between cells; a comma reads CSV

    Raises
    ------
    GenezipError
        If the file is missing, is no TSV, or lacks a column.
    """
    try:
        types = str if text is None else dict.fromkeys(text, str)
        frame = pd.read_csv(path, sep=separator, dtype=types)
    except FileNotFoundError:
        raise GenezipError(f"{path} does not exist; {first}") from None
    except pd.errors.EmptyDataError:
        raise GenezipError(f"{path} is empty; {again}") from None
    except (ValueError, OSError, EOFError, zlib.error) as error:  # also of a gzip that is cut
        reason = str(error).split("\n", maxsplit=1)[0]
        raise GenezipError(f"{path} is not a readable table ({reason}); {again}") from None
    lacking = sorted(set(columns) - set(frame.columns))
    if lacking and len(columns) > len(frame.columns) == 1:
        mark = {",": "commas", "\t": "tabs"}[separator]
        raise GenezipError(
            f"{path} has the one column {frame.columns[0]!r}, and needs {', '.join(lacking)} with "
            f"{mark} between them; {again}"
        )
    if lacking:
        raise GenezipError(f"{path} lacks the columns {', '.join(lacking)}; {again}")
    return frame
