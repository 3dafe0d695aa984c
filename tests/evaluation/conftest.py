"""Settings of the evaluation, and writers of compressed windows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toolkit.compressed import make_window, random_starts
from toolkit.genomes import ToyGenome
from toolkit.region_classes import with_enhancer

from genezip.config import Evaluation
from genezip.inference.table import (
    CompressedFile,
    CompressedWindow,
    read_compressed,
    write_compressed,
)


@pytest.fixture
def eight(toy: ToyGenome) -> ToyGenome:
    """An empty genome whose bases may also be enhancers."""
    toy.region_classes = with_enhancer(group="genic")
    return toy


@pytest.fixture
def settings() -> Evaluation:
    return Evaluation(
        bootstrap=200,
        block_bp=64,
        shifts=20,
        composition_windows=[8, 16],
        composition_sharpness=[1, 2],
    )


@pytest.fixture
def compressed_window() -> Callable[..., CompressedWindow]:
    return make_window


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., CompressedFile]:
    """Write compressed windows and open the file."""

    def write(name: str, windows: list[CompressedWindow], **head: Any) -> CompressedFile:
        path = tmp_path / f"{name}.{head.get('seed')}.parquet"
        write_compressed(path, windows, name=name, **head)
        return read_compressed(path)

    return write


@pytest.fixture
def random_cuts() -> Callable[..., np.ndarray]:
    return random_starts
