"""Peak memory is read on Linux and where there is no /proc."""

import resource
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest


@pytest.fixture
def peak(repo: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.syspath_prepend(str(repo / "benchmarks"))
    import peak

    return peak


def test_of_this_process(peak) -> None:  # type: ignore[no-untyped-def]
    assert 20e6 < peak.peak_bytes() < 200e9


@pytest.mark.parametrize(("system", "unit"), [("linux", 1024), ("darwin", 1)])
def test_without_proc(  # type: ignore[no-untyped-def]
    peak, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, system: str, unit: int
) -> None:
    monkeypatch.setattr(peak, "STATUS", tmp_path / "missing")
    monkeypatch.setattr(resource, "getrusage", lambda _: SimpleNamespace(ru_maxrss=5_000))
    monkeypatch.setattr(sys, "platform", system)
    assert peak.peak_bytes() == 5_000 * unit
