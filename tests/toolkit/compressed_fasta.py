"""Runs of ``genezip compress`` on a FASTA of three records, and their files read back."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from genezip.artifacts.tables import HEAD
from genezip.inference.fasta import Summary, compress_fasta
from toolkit.dna import random_dna
from toolkit.networks import save_toy, speaking_network

BLOCKS = {"router": ("block", "block"), "stride": (4, 3), "k_min": (), "bound": "none"}


def write_model(folder: Path, seed: int = 3, **changes: Any) -> Path:
    """A folder of a model that speaks up as a trained one does."""
    targets = {"promoter": 4.0, "intergenic": 16.0}
    return save_toy(folder, speaking_network(seed, **changes), seed, targets=targets)


def dna(length: int, seed: int) -> bytes:
    """Random bases of both cases, with N."""
    return random_dna(length, seed, "ACGTacgtN").encode()


RECORDS = {"one": dna(433, 1), "two": dna(12, 2), "three": dna(230, 3)}


def write_fasta(path: Path) -> Path:
    """Write the records."""
    path.write_bytes(b"".join(b">%b\n%b\n" % (n.encode(), s) for n, s in RECORDS.items()))
    return path


@dataclass
class Result:
    """The files of one run, read back."""

    summary: Summary
    table: pa.Table
    facts: dict[str, Any]
    bytes: bytes
    tracks: Path

    def column(self, name: str, chrom: str) -> np.ndarray:
        """A column of the rows of a record."""
        rows = self.table.filter(pa.compute.equal(self.table["chrom"], chrom))
        column = rows[name].combine_chunks()
        if name == "token":
            return column.flatten().to_numpy().reshape(len(rows), -1)
        return np.array(column.to_pylist())


def read(out: Path, summary: Summary) -> Result:
    """Read the folder of a run."""
    path = out / "tokens.parquet"
    table = pq.read_table(path)
    facts = json.loads(pq.read_schema(path).metadata[HEAD])
    return Result(summary, table, facts, path.read_bytes(), out / "tracks")


def compress(fasta: Path, model: Path, out: Path, **options: Any) -> Result:
    """Compress into a folder, which then holds a table and its tracks alone."""
    summary = compress_fasta(
        fasta, model, out / "tokens.parquet", out / "tracks", device="cpu", **options
    )
    assert {path.name for path in out.iterdir()} == {"tokens.parquet", "tracks"}
    return read(out, summary)


def same_tracks(one: Path, other: Path) -> None:
    """Two folders of tracks hold the same files, to the byte."""
    assert {path.name for path in one.iterdir()} == {path.name for path in other.iterdir()}
    for path in one.iterdir():
        assert path.read_bytes() == (other / path.name).read_bytes(), path.name
