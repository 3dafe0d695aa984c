"""Fixtures that several test modules share."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

pytest_plugins = ["toolkit.corpora", "toolkit.genomes"]

REPO = Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole workflows first: begun last, they would run long after all else is done.

    Tests marked ``cuda`` skip where there is no such device.
    """
    items.sort(key=lambda item: "workflow" not in item.path.parts)
    on_gpu = [item for item in items if item.get_closest_marker("cuda")]
    if on_gpu:
        import torch  # not at the top: most tests need it late or never

        if not torch.cuda.is_available():
            for item in on_gpu:
                item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


@pytest.fixture(scope="session")
def repo() -> Path:
    return REPO


@pytest.fixture(scope="session")
def mirror() -> Path:
    """Folder of the real GRCh38 slices; skips where it is missing.

    ``GENEZIP_REQUIRE_REAL=1`` turns the skip into a failure, so that a run which should
    have the data cannot pass without it.
    """
    folder = Path(os.environ.get("GENEZIP_MIRROR") or REPO.parent / "shared" / "data")
    if not (folder / "demo" / "genome.fa.gz").exists():
        reason = f"no mirror of real data at {folder} (set GENEZIP_MIRROR)"
        if os.environ.get("GENEZIP_REQUIRE_REAL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture
def messages(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What the package told the user so far, message by message."""
    caplog.set_level(logging.INFO, "genezip")
    return lambda: [record.getMessage() for record in caplog.records]


@pytest.fixture
def at_message() -> Callable[[str, Callable[[], None]], AbstractContextManager[None]]:
    """A context in which something happens as soon as a message holds a text."""

    @contextmanager
    def listening(text: str, happen: Callable[[], None]) -> Iterator[None]:
        class Listener(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                if text in record.getMessage():
                    happen()

        # of the root, whose handlers come last: what was told before is on record
        root, logger, listener = logging.getLogger(), logging.getLogger("genezip"), Listener()
        level = logger.level
        root.addHandler(listener)
        logger.setLevel(logging.INFO)
        try:
            yield
        finally:
            root.removeHandler(listener)
            logger.setLevel(level)

    return listening
