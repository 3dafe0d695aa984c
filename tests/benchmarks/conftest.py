"""What all tests of benchmarks share; their programs are imported by name."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """The benchmarks set the threads of torch; other tests keep theirs."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def report(tmp_path: Path):  # type: ignore[no-untyped-def]
    """A real run's report of nine minutes, in its last part."""
    from toolkit.gpu_report import report_of  # not at the top: it needs the path of above

    return report_of(tmp_path)
