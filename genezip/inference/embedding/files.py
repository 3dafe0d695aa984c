"""Files of vectors: Parquet with one row per vector, or npz with one array of them.

Both are written in constant memory from rows in order, and equal rows give equal bytes.
"""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import pandas as pd
import pyarrow as pa

from genezip.artifacts.tables import HEAD
from genezip.errors import GenezipError
from genezip.inference.embedding.vectors import POSITIONS, RegionLevel, Rows
from genezip.inference.table import RowTable, as_column

PARQUET, NPZ = ".parquet", ".npz"

_OF_BED = {
    "chrom": pa.string(),
    "start": pa.int64(),
    "end": pa.int64(),
    "name": pa.string(),
    "strand": pa.string(),
}


class VectorFile(Protocol):
    """Writer of a file of vectors; the file is written in place, not atomically."""

    def __enter__(self) -> Self:
        """Open the file."""

    def __exit__(self, *error: object) -> None:
        """Close the file."""

    def add(self, rows: Rows) -> None:
        """Add the next rows."""

    def finish(self, facts: Mapping[str, Any]) -> None:
        """Write what follows the rows; ``facts`` describe the run."""


def check_suffix(out: Path) -> None:
    """Refuse a name that is neither of a Parquet nor of an npz file."""
    if out.suffix.lower() not in (PARQUET, NPZ):
        raise GenezipError(
            f"the name {out} ends with neither {PARQUET} nor {NPZ}, the formats of vectors; choose "
            "one of these"
        )


def vector_file(
    out: Path, path: Path, regions: pd.DataFrame, level: RegionLevel, shape: tuple[int, int]
) -> VectorFile:
    """The writer that the suffix of ``out`` asks for; it writes to ``path``.

    ``regions`` has chrom, start, end, name and strand of every row of the BED, and ``shape`` is the
    number of vectors and their length.
    """
    if out.suffix.lower() == NPZ:
        return NpzFile(path, regions, level, shape)
    return VectorTable(path, regions, level, shape[1])


class VectorTable(RowTable):
    """Parquet: ``row``, the columns of the BED, the positions of the level, and ``vector``."""

    def __init__(self, path: Path, regions: pd.DataFrame, level: RegionLevel, width: int) -> None:
        positions = dict.fromkeys(POSITIONS[level], pa.int64())
        vector = {"vector": pa.list_(pa.float32(), width)}
        super().__init__(path, pa.schema({"row": pa.int64(), **_OF_BED, **positions, **vector}))
        self._regions = {
            name: pa.array(regions[name], kind, from_pandas=True) for name, kind in _OF_BED.items()
        }

    def add(self, rows: Rows) -> None:
        """Add the next rows."""
        number = pa.array(rows["row"])
        self.append(
            [
                self._regions[field.name].take(number)
                if field.name in self._regions
                else as_column(rows[field.name], field.type)
                for field in self.schema
            ]
        )


class NpzFile:
    """npz: ``vectors``, the positions of the level and ``row`` of each; the columns of the BED.

    An archive of arrays without compression. The vectors are written as they come, while their
    positions are kept in memory.
    """

    def __init__(
        self, path: Path, regions: pd.DataFrame, level: RegionLevel, shape: tuple[int, int]
    ) -> None:
        self._regions = regions
        self._kept: dict[str, list[np.ndarray]] = {name: [] for name in ("row", *POSITIONS[level])}
        self._archive = zipfile.ZipFile(path, "w")
        self._vectors = self._entry("vectors")
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._vectors, header)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._vectors.close()
        self._archive.close()

    def add(self, rows: Rows) -> None:
        """Add the next rows."""
        self._vectors.write(rows["vector"].astype("<f4").tobytes())
        for name, parts in self._kept.items():
            parts.append(rows[name])

    def finish(self, facts: Mapping[str, Any]) -> None:
        """Write the arrays besides the vectors, and the facts as JSON in ``genezip``."""
        self._vectors.close()
        arrays = {name: np.concatenate(parts) for name, parts in self._kept.items()}
        for name, kind in _OF_BED.items():
            values = self._regions[name].fillna("").tolist()
            arrays[name] = np.array(values, str if pa.types.is_string(kind) else np.int64)
        arrays[HEAD.decode()] = np.array(json.dumps(facts))
        for name, array in arrays.items():
            with self._entry(name) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)

    def _entry(self, name: str) -> Any:
        # a ZipInfo of its own has a fixed date, so that equal rows give equal bytes
        return self._archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True)
