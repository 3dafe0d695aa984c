"""GPUs of one machine: each process takes one that no other holds."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from genezip.models import device
from genezip.models.device import take_first_free

NAMES = ["GPU-a", "GPU-b"]
HOLD = (
    "import sys; from genezip.models.device import take_first_free; "
    f"print(take_first_free({NAMES}), take_first_free({NAMES}), flush=True); sys.stdin.read()"
)


def held(folder: Path) -> subprocess.Popen[str]:
    """A process that holds a GPU until its input ends; asked twice, it has the same one."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLD],
        env={"TMPDIR": str(folder), "PYTHONPATH": ":".join(sys.path)},
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def test_processes_take_different_gpus_until_they_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messages: Callable[[], list[str]]
) -> None:
    monkeypatch.setattr(device, "_LOCKS", {})
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    first, second = held(tmp_path), None
    assert first.stdout is not None and first.stdout.readline() == "0 0\n"
    second = held(tmp_path)
    assert second.stdout is not None and second.stdout.readline() == "1 1\n"
    assert take_first_free(NAMES) == 0
    assert "all of 2 GPUs are in use; the first is shared" in messages()[-1]
    second.communicate("")
    assert take_first_free(NAMES) == 1
    first.communicate("")
