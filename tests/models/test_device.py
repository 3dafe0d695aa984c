"""GPUs of one machine: each process takes one that no other holds."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

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


def test_of_several_gpus_the_first_free_one_is_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two GPUs are simulated; the number that CUDA is told is that of the device."""
    told: list[int] = []
    monkeypatch.setattr(device, "_LOCKS", {})
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    names = [SimpleNamespace(uuid=name) for name in NAMES]
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: names[index])
    monkeypatch.setattr(torch.cuda, "set_device", told.append)
    holder = held(tmp_path)
    assert holder.stdout is not None and holder.stdout.readline() == "0 0\n"
    assert device.choose_device() == torch.device("cuda", 1)
    assert told == [1]
    holder.communicate("")
