"""The fast reader of tables leaves nothing behind when it fails."""

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from genezip.errors import GenezipError
from genezip.genome import tabular

TYPES = {"chrom": pa.string(), "start": pa.int64()}


def wrong(fields: list[str]) -> str | None:
    return None if fields[1].isdigit() else f"start {fields[1]!r} is no whole number"


@pytest.fixture
def handlers(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Weak references to what the reader's threads call back."""
    found: list[Any] = []
    make = tabular._row_handler

    def noted(stop_at: str | None) -> Callable[..., str]:
        handler = make(stop_at)
        found.append(weakref.ref(handler))
        return handler

    monkeypatch.setattr(tabular, "_row_handler", noted)
    return found


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("chr1\t5.0\n", "line 1 of .* start '5.0' is no whole number"),
        ("chr1\t5\nchr1\t5\t6\n", "line 2 of .* it has 3 tab-separated columns instead of 2"),
        ("chr1\t5\nchr1\tx\n", "line 2 of .* start 'x' is no whole number"),
    ],
)
def test_no_thread_holds_the_row_handler_after_a_malformed_row(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    handlers: list[Any],
    text: str,
    sentence: str,
) -> None:
    """A thread that lets go of it while the interpreter ends aborts the process."""
    monkeypatch.setattr(tabular, "_BLOCK_BYTES", 8)  # the second row is in the second block
    path = tmp_path / "a.tsv"
    path.write_text(text)
    for _ in range(50):
        with pytest.raises(GenezipError, match=sentence):
            tabular.read_table(path, TYPES, wrong)
        assert handlers.pop()() is None


def test_no_thread_holds_the_row_handler_after_a_good_table(
    tmp_path: Path, handlers: list[Any]
) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("# head\nchr1\t5\n#\tmore\tcells\nchr2\t7\n##STOP\nany\tthing\there\n")
    for _ in range(50):
        found = tabular.read_table(path, TYPES, wrong, stop_at="##STOP")
        assert found.to_pydict() == {"chrom": ["chr1", "chr2"], "start": [5, 7]}
        assert handlers.pop()() is None
