"""Ctrl-C and a full disk: nothing is half-written, and the same command goes on."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from toolkit.command_line import tree
from toolkit.own_dna import compress_arguments, train_arguments

Cli = Callable[..., str]


def child(arguments: list[str], **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "genezip", *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        **options,  # type: ignore[call-overload]
    )


def test_ctrl_c_then_resume(corpus: Path, repo: Path, tmp_path: Path, works: Cli) -> None:
    out, kept = tmp_path / "models" / "toy", tmp_path / "models" / "checkpoints" / "toy"
    arguments = train_arguments(corpus, repo, out, steps=400, validate_every=400)
    process = child(arguments)
    deadline = time.monotonic() + 60
    while not (kept / "state.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "run the same command to resume" in said
    assert tree(out) == {}
    shorter = train_arguments(corpus, repo, out, steps=400, validate_every=400)
    process = child(shorter)
    while process.poll() is None and (kept / "state.pt").exists() and not out.exists():
        time.sleep(0.05)
        if "resuming" in (process.stderr.readline() if process.stderr else ""):
            break
    else:
        pytest.fail("the run did not resume")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)


def full_disk() -> None:
    """A limit on file size stands in for a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


@pytest.mark.parametrize("command", ["compress", pytest.param("pretrain", marks=pytest.mark.slow)])
def test_disk_full(
    command: str, own: Path, model: Path, corpus: Path, repo: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = (
        compress_arguments(own / "genome.fa", model, out)
        if command == "compress"
        else train_arguments(corpus, repo, out)
    )
    process = child(arguments, preexec_fn=full_disk)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1, said
    assert "cannot write" in said.splitlines()[-1]
    assert "free space" in said.splitlines()[-1]
    assert tree(out) == {}
