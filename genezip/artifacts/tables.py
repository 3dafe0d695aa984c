"""Tables on disk: Parquet with a typed head, and TSV.

The head is JSON in the metadata of the schema, under :data:`HEAD`: the version of the file's
kind and the facts of its writer. All files are written atomically.
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

HEAD = b"genezip"  # key of the head in the metadata of every Parquet file of this program


def head_metadata(head: Mapping[str, Any]) -> dict[bytes, bytes]:
    """Schema metadata that contain a head."""
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
    """Yield a writer for consecutive tables (zstd, atomically).

    ``head`` is None if it is known only at the end (:func:`add_head`). Further options are those of
    ``pyarrow.parquet.ParquetWriter``.
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
    """Yield an open Parquet file; errors inside the block that concern it raise GenezipError.

    ``options`` are further options of ``pyarrow.parquet.ParquetFile``.
    """
    try:
        with pq.ParquetFile(path, **options) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        if not Path(path).exists():
            raise kind.missing(path) from None
        if getattr(error, "filename", None) not in (None, str(path)):
            raise  # the error concerns another file that the block opened
        raise kind.unreadable(path, error) from None


def head_of(path: str | Path, metadata: Mapping[bytes, bytes] | None, kind: Kind) -> dict[str, Any]:
    """The head in the metadata of a schema or a file, once its kind and version are checked."""
    try:
        raw = json.loads((metadata or {})[HEAD])
    except (KeyError, ValueError):
        raise kind.foreign(path) from None
    return kind.checked(path, raw)


def read_head(path: str | Path, kind: Kind) -> dict[str, Any]:
    """The head of a Parquet file, whether it was written first or last."""
    with open_parquet(path, kind) as file:
        return head_of(path, file.metadata.metadata, kind)


def read_parquet(
    path: str | Path, kind: Kind, columns: list[str] | None = None
) -> tuple[pa.Table, dict[str, Any]]:
    """Read a whole table and its head."""
    with open_parquet(path, kind) as file:
        head = head_of(path, file.schema_arrow.metadata, kind)
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

    ``columns`` are required and ``text`` columns are kept as text, all of them if it is None. A
    comma as ``separator`` reads CSV. ``first`` is advice on a missing file, ``again`` on a bad one.
    """
    try:
        types = str if text is None else dict.fromkeys(text, str)
        frame = pd.read_csv(path, sep=separator, dtype=types)
    except FileNotFoundError:
        raise GenezipError(f"{path} does not exist; {first}") from None
    except pd.errors.EmptyDataError:
        raise GenezipError(f"{path} is empty; {again}") from None
    except (ValueError, OSError, EOFError, zlib.error) as error:  # includes truncated gzip
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
