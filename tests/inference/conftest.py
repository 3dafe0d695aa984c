"""Models of every shape and a FASTA, for the tests of ``genezip compress``."""

from pathlib import Path
from typing import Any

import pytest
from toolkit.compressed_fasta import BLOCKS, write_fasta, write_model
from toolkit.networks import FLAT, FREE, LONG_CHUNKS


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    shapes: dict[str, dict[str, Any]] = {
        "causal": LONG_CHUNKS,
        "none": FREE,
        "sequence": {"k_min": (30, 4)},
        "flat": FLAT,
        "blocks": BLOCKS,
    }
    return {name: write_model(folder / name, **shape) for name, shape in shapes.items()}


@pytest.fixture
def fasta(tmp_path: Path) -> Path:
    return write_fasta(tmp_path / "my.fa")
