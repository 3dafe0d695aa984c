"""Peak memory is read on Linux and where there is no /proc."""

import resource
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from genezip import peak


def test_of_this_process() -> None:
    assert 20e6 < peak.peak_bytes() < 200e9


@pytest.mark.parametrize(("system", "unit"), [("linux", 1024), ("darwin", 1)])
def test_without_proc(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, system: str, unit: int
) -> None:
    monkeypatch.setattr(peak, "STATUS", tmp_path / "missing")
    monkeypatch.setattr(resource, "getrusage", lambda _: SimpleNamespace(ru_maxrss=5_000))
    monkeypatch.setattr(sys, "platform", system)
    assert peak.peak_bytes() == 5_000 * unit
