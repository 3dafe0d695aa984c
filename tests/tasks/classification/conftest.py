"""Labelled sets: made ones, and those of GUE where the real data are."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pytest

from genezip.tasks.classification.sets import read_sequences

REPO = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def gue() -> Path:
    """Folder of the real GUE sets; skips where it is missing (as the fixture ``mirror``)."""
    folder = Path(os.environ.get("GENEZIP_MIRROR") or REPO.parent / "shared" / "data")
    folder = folder / "other_systems" / "gue"
    if not (folder / "mouse_0.test.csv.gz").exists():
        reason = f"no GUE sets at {folder} (set GENEZIP_MIRROR)"
        if os.environ.get("GENEZIP_REQUIRE_REAL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def gue_set(gue: Path) -> Callable[[str], pd.DataFrame]:
    """A set of GUE by its name."""

    def read(name: str) -> pd.DataFrame:
        return read_sequences([gue / f"{name}.{part}.csv.gz" for part in ("train", "dev", "test")])

    return read


@pytest.fixture
def labelled() -> Callable[..., pd.DataFrame]:
    """A set as the readers give it, of (split, sequence, class)."""

    def made(rows: Sequence[tuple[str, str, int]]) -> pd.DataFrame:
        table = pd.DataFrame(rows, columns=["split", "sequence", "class"])
        table["label"] = table["class"].astype(str)
        table["example"] = range(len(table))
        return table

    return made
