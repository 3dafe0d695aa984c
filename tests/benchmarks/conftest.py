"""What all tests of benchmarks share."""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """The benchmarks set the threads of torch; other tests keep theirs."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)
