"""A genome, and folders of tracks of two models on it."""

from pathlib import Path

import pytest
from toolkit.dna import random_dna
from toolkit.track_folders import SIZES, write_tracks

from genezip.formats.fasta import write_records


@pytest.fixture
def genome(tmp_path: Path) -> Path:
    """A plain FASTA beside the folders of tracks."""
    path = tmp_path / "my genome.fa"
    records = [(name, random_dna(size, 5).encode()) for name, size in SIZES.items()]
    write_records(path, records)
    path.with_name(path.name + ".fai").unlink()
    return path


@pytest.fixture
def one(tmp_path: Path, genome: Path) -> Path:
    return write_tracks(tmp_path / "one", f"../{genome.name}", "model-1", 1)


@pytest.fixture
def two(tmp_path: Path, genome: Path) -> Path:
    return write_tracks(tmp_path / "two", f"../{genome.name}", "model-2", 2)
