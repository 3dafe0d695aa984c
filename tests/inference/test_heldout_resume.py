"""Compression of held-out windows that is stopped or killed goes on, and ends with equal bytes."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toolkit.crafted import Crafted

from genezip.config import Compress
from genezip.inference import forward, table
from genezip.inference.forward import HeldoutWindow, HeldoutWindows, compress_heldout
from genezip.inference.table import read_compressed, write_compressed

WINDOWS, LENGTH = 150, 32


def window(number: int) -> HeldoutWindow:
    ids = np.random.default_rng(number).integers(3, 7, LENGTH).astype(np.uint8)
    return HeldoutWindow("c", number * LENGTH, (number + 1) * LENGTH, "c", "test", ids)


class Counting(Crafted):
    """It keeps what it read, and calls ``at`` before its so many-th window."""

    def __init__(
        self, at: dict[int, Callable[[], None]] | None = None, name: str = "counts"
    ) -> None:
        super().__init__(name, token_bp=5)
        self.at, self.windows = at or {}, 0

    def encode(self, sequences: Any) -> Any:
        for _ in sequences:
            self.windows += 1
            self.at.get(self.windows, lambda: None)()
        return super().encode(sequences)


@pytest.fixture
def compress(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Compress the windows with a system, in parts of a group."""
    monkeypatch.setattr(table, "PART_SECONDS", -1.0)
    every = HeldoutWindows(WINDOWS, lambda: map(window, range(WINDOWS)))

    def run(system: Counting, out: Path, windows: Any = every, **settings: Any) -> int:
        monkeypatch.setattr(forward, "load", lambda *_, **__: system)
        compress_heldout("any", windows, Compress(**{"batch": 3, **settings}), out)
        return system.windows

    return run


@pytest.fixture
def whole(compress: Callable[..., int], tmp_path: Path) -> bytes:
    assert compress(Counting(), tmp_path / "whole.parquet") == 2 * WINDOWS
    return (tmp_path / "whole.parquet").read_bytes()


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"whole.parquet"}


def test_it_has_the_bytes_of_a_file_that_is_written_at_once(whole: bytes, tmp_path: Path) -> None:
    file = read_compressed(tmp_path / "whole.parquet")
    rows: Iterator[Any] = file.windows()
    head = {"name": file.name, "seed": file.seed, "target_bpt": file.target_bpt, **file.info}
    assert write_compressed(tmp_path / "again.parquet", rows, **head) == 2 * WINDOWS
    assert (tmp_path / "again.parquet").read_bytes() == whole
    assert files(tmp_path) == {"again.parquet"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_keeps_all_finished_windows(
    number: signal.Signals, compress: Any, whole: bytes, tmp_path: Path, messages: Any
) -> None:
    out = tmp_path / "one.parquet"
    stopped = Counting({100: lambda: os.kill(os.getpid(), number)})
    with pytest.raises(KeyboardInterrupt):
        compress(stopped, out)
    # two groups of 64, and the rest of the batch that was begun
    assert messages()[-1] == "counts: stopped after 128 windows; run the same command to resume"
    assert not out.exists()
    second = compress(Counting(), out)
    assert 2 * WINDOWS - 128 <= second <= 2 * WINDOWS - 128 + 2  # batches are as they were
    assert out.read_bytes() == whole and files(tmp_path) == {"one.parquet"}


def test_a_kill_loses_the_part_that_was_begun(compress: Any, whole: bytes, tmp_path: Path) -> None:
    def killed() -> None:
        raise MemoryError

    out = tmp_path / "one.parquet"
    for at in (200, 40):  # in the reverse strand, and soon after it began again
        with pytest.raises(MemoryError):
            compress(Counting({at: killed}), out)
    assert compress(Counting(), out) <= 2 * WINDOWS - 192 + 2
    assert out.read_bytes() == whole and files(tmp_path) == {"one.parquet"}


@pytest.mark.parametrize("other", ["name", "windows", "strands"])
def test_parts_of_another_job_are_not_used(other: str, compress: Any, tmp_path: Path) -> None:
    def killed() -> None:
        raise MemoryError

    out = tmp_path / "one.parquet"
    with pytest.raises(MemoryError):
        compress(Counting({100: killed}), out)
    system = Counting(name="other" if other == "name" else "counts")
    windows = HeldoutWindows(WINDOWS, lambda: map(window, range(1, WINDOWS + 1)))
    more = {"windows": windows} if other == "windows" else {}
    one_strand = {"both_strands": False} if other == "strands" else {}
    expected = WINDOWS if one_strand else 2 * WINDOWS
    assert compress(system, out, **more, **one_strand) == expected


def test_an_empty_table_is_valid(compress: Any, tmp_path: Path) -> None:
    assert compress(Counting(), tmp_path / "none.parquet", windows=[]) == 0
    assert list(read_compressed(tmp_path / "none.parquet").windows()) == []
    assert files(tmp_path) == {"none.parquet"}
