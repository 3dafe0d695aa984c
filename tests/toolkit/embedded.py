"""A BED on the records of ``compressed_fasta``, and files of vectors read back."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from genezip.artifacts.tables import HEAD

# both strands and none, contig ends, overlaps, a base alone, and long ones
BED = [
    ("one", 0, 130, "first", 0, "+"),
    ("one", 100, 433, "long", 0, "-"),
    ("three", 5, 230, "whole end", 0, "+"),
    ("one", 200, 201, "base", 0, "-"),
    ("two", 0, 12, ".", 0, "."),
    ("three", 3, 90, "turned", 0, "-"),
]
FLANK = 40


def write_bed(path: Path, columns: int = 6) -> Path:
    """Write the BED with so many columns."""
    lines = ["\t".join(map(str, row[:columns])) for row in BED]
    path.write_text("# regions\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


@dataclass
class Vectors:
    """The columns of a file of vectors, ``vector`` as a matrix, and what it says of its run."""

    columns: dict[str, np.ndarray]
    facts: dict[str, Any]

    def of(self, row: int) -> dict[str, np.ndarray]:
        """The columns of a region."""
        return {name: column[self.columns["row"] == row] for name, column in self.columns.items()}


def read_vectors(path: Path) -> Vectors:
    """Read a Parquet file of vectors."""
    table = pq.read_table(path)
    columns = {
        name: np.array(table[name].to_pylist()) for name in table.column_names if name != "vector"
    }
    flat = table["vector"].combine_chunks().flatten().to_numpy()
    columns["vector"] = flat.reshape(table.num_rows, table.schema.field("vector").type.list_size)
    return Vectors(columns, json.loads(table.schema.metadata[HEAD]))
