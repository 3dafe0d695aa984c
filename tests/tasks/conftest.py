"""Pairs of both tasks as they lie on disk."""

from pathlib import Path

import pytest
from toolkit.deposits.prepared_pairs import PairsOnDisk


@pytest.fixture
def eqtl(tmp_path: Path) -> PairsOnDisk:
    return PairsOnDisk(tmp_path)


@pytest.fixture
def etgp(tmp_path: Path) -> PairsOnDisk:
    return PairsOnDisk(tmp_path, "etgp")
