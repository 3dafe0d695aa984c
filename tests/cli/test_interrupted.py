"""Ctrl-C and a full disk: nothing is half-written, and the same command goes on."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from toolkit import processes
from toolkit.command_line import tree
from toolkit.own_dna import compress_arguments, train_arguments

Cli = Callable[..., str]


def test_ctrl_c_then_resume(corpus: Path, repo: Path, tmp_path: Path, works: Cli) -> None:
    out, kept = tmp_path / "models" / "toy", tmp_path / "models" / "checkpoints" / "toy"
    arguments = train_arguments(corpus, repo, out, steps=400, validate_every=400)

    def interrupted(begun: Callable[[str], bool]) -> str:
        """What the command says until it ends by Ctrl-C, which comes as soon as it has begun."""
        log = tmp_path / "log"
        with open(log, "wb") as err:
            process = processes.start(["-m", "genezip", *arguments], tmp_path, os.environ, err, err)
            deadline = time.monotonic() + 60
            while not begun(log.read_text()) and time.monotonic() < deadline:
                time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            status = process.wait(60)
        assert status == 130, log.read_text()
        return log.read_text()

    said = interrupted(lambda said: (kept / "state.pt").exists())
    assert "run the same command to resume" in said and "resuming" not in said
    assert tree(out) == {}
    assert "resuming" in interrupted(lambda said: "resuming" in said)
    assert tree(out) == {}


SLOW = """
import sys, time
from genezip.cli import program
from genezip.models.fixed.compressor import Fixed

encode = Fixed.encode

def slowly(self, sequences):
    print("encoding", file=sys.stderr, flush=True)
    time.sleep(0.5)
    return encode(self, sequences)

Fixed.encode = slowly
sys.argv = ["genezip", *sys.argv[1:]]
program()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_scheduler_stops_any_command_as_ctrl_c_does(
    number: signal.Signals, corpus: Path, tmp_path: Path
) -> None:
    """Also one that cannot resume: what it had written is gone."""
    out, log = tmp_path / "out", tmp_path / "log"
    arguments = ["evaluate", "stability", "--model", "fixed:16", "--corpus", corpus]
    arguments += ["--scale", "test", "--out", out / "table.tsv"]
    with open(log, "wb") as err:
        call = ["-c", SLOW, *map(str, arguments)]
        process = processes.start(call, tmp_path, os.environ, err, err)
        deadline = time.monotonic() + 60
        while "encoding" not in log.read_text() and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(number)
        status = process.wait(60)
    assert status == 130, log.read_text()
    assert "Traceback" not in log.read_text()
    assert tree(out) == {}


# A limit on file size stands in for a full disk.
FULL = """
import resource, signal, sys
from genezip.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
main(sys.argv[1:])
"""


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
    done = processes.run(["-c", FULL, *arguments], tmp_path, timeout=120)
    assert done.returncode == 1, done.stderr
    assert "cannot write" in done.stderr.splitlines()[-1]
    assert "free space" in done.stderr.splitlines()[-1]
    assert tree(out) == {}
