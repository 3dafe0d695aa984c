"""``genezip compress --jobs``: any number of processes writes the same bytes, however it ends."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from toolkit import processes
from toolkit.compressed_fasta import Result, compress, dna, same_tracks
from toolkit.meetings import MODEL, invite, met

from genezip.errors import GenezipError
from genezip.inference import fasta as fasta_module
from genezip.inference import parts as fasta_parts
from genezip.inference.fasta import compress_fasta
from genezip.inference.parts import Part, PartFolder
from genezip.models import load

LENGTHS = (430, 300, 12, 500, 433, 7, 410, 430)
BASES = sum(LENGTHS)
BLOCK_BP = 43


class Crash(Exception):
    """Stands for whatever ends a run."""


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("records") / "my.fa"
    text = [b">r%d\n%b\n" % (n, dna(length, n)) for n, length in enumerate(LENGTHS)]
    path.write_bytes(b"".join(text))
    return path


@pytest.fixture(scope="module")
def whole(models: dict[str, Path], records: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Runs of one process that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    return {
        "causal": compress(records, models["causal"], folder / "causal", block_bp=BLOCK_BP),
        "sequence": compress(records, models["sequence"], folder / "sequence", window_bp=64),
    }


@pytest.fixture
def meeting(tmp_path: Path) -> Path:
    """Folder in which processes leave their ids."""
    return tmp_path / "meeting"


def same(found: Result, expected: Result) -> None:
    assert found.bytes == expected.bytes
    same_tracks(found.tracks, expected.tracks)


def crash_after_parts(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """The run ends when it has written so many parts of 100 bp or a little more."""
    write, left = PartFolder.write, [count]

    def writing(self: PartFolder, part: Part) -> None:
        write(self, part)
        left[0] -= 1
        if not left[0]:
            raise Crash

    monkeypatch.setattr(fasta_parts, "PART_BP", 100)
    monkeypatch.setattr(PartFolder, "write", writing)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("causal", 7),
        ("sequence", 0),
        pytest.param("causal", 0, marks=pytest.mark.slow),
        pytest.param("sequence", 7, marks=pytest.mark.slow),
    ],
)
def test_two_processes_write_what_one_writes(
    models: dict[str, Path],
    whole: dict[str, Result],
    records: Path,
    tmp_path: Path,
    meeting: Path,
    name: str,
    parts: int,
    monkeypatch: pytest.MonkeyPatch,
    messages: Callable[[], list[str]],
) -> None:
    """Also where one process has begun."""
    options = {"block_bp": BLOCK_BP} if name == "causal" else {"window_bp": 64}
    if parts:
        with monkeypatch.context() as patch:
            crash_after_parts(patch, parts)
            with pytest.raises(Crash):
                compress(records, models[name], tmp_path / "out", **options)
    for variable, value in invite(models[name], meeting).items():
        monkeypatch.setenv(variable, value)
    found = compress(records, Path(MODEL), tmp_path / "out", jobs=2, **options)
    assert len(met(meeting)) == 2 and os.getpid() in met(meeting)
    assert any("resuming" in line for line in messages()) == bool(parts)
    same(found, whole[name])


TESTS = Path(__file__).resolve().parents[1]


def surroundings(more: dict[str, str]) -> dict[str, str]:
    """Environment of a command that imports the model from the folder of the tests."""
    before = os.environ.get("PYTHONPATH")
    path = str(TESTS) if not before else f"{TESTS}{os.pathsep}{before}"
    return {**os.environ, **more, "PYTHONPATH": path}


class Running:
    """The command in two processes, which have met."""

    def __init__(self, fasta: Path, model: Path, folder: Path, meeting: Path) -> None:
        self.log, self.out = folder / "log", folder / "out"
        environment = surroundings(invite(model, meeting, pace=0.05))
        words = [
            "-m", "genezip", "compress", fasta, "--model", MODEL, "--jobs", "2",
            "--out", self.out / "tokens.parquet", "--tracks", self.out / "tracks",
            "--block-bp", str(BLOCK_BP), "--threads", str(torch.get_num_threads()),
            "--device", "cpu",
        ]  # fmt: skip
        with open(self.log, "wb") as err:
            self.first = processes.start(words, folder, environment, err, err)
        self.wait_for(lambda: len(met(meeting)) == 2)
        (self.other,) = set(met(meeting)) - {self.first.pid}

    def wait_for(self, come: Callable[[], bool]) -> None:
        late = time.monotonic() + 120
        while not come():
            assert time.monotonic() < late and self.first.poll() is None, self.log.read_text()
            time.sleep(0.01)

    def end(self) -> tuple[int, str, int]:
        """Exit status, messages, and the bases of all parts."""
        status = self.first.wait(60)
        spans = [path.stem.split("-") for path in self.parts()]
        return status, self.log.read_text(), sum(int(end) - int(start) for start, end in spans)

    def parts(self) -> list[Path]:
        return list((self.out / "tokens.parquet.parts").glob("*.pt"))


def test_ctrl_c_in_two_processes_then_one_goes_on(
    models: dict[str, Path], whole: dict[str, Result], records: Path, tmp_path: Path, meeting: Path
) -> None:
    running = Running(records, models["causal"], tmp_path, meeting)
    running.wait_for(lambda: len(running.parts()) > 0)
    for process in (running.first.pid, running.other):  # as a terminal does
        os.kill(process, signal.SIGINT)
    status, said, done = running.end()
    assert status == 130 and 0 < done < BASES, said
    last = f"my.fa: stopped at {done:,} of {BASES:,} bp; run the same command to resume"
    assert said.splitlines()[-1] == last
    assert not psutil.pid_exists(running.other)
    assert {path.name for path in running.out.iterdir()} == {"tokens.parquet.parts"}
    same(compress(records, models["causal"], running.out, block_bp=BLOCK_BP), whole["causal"])


@pytest.mark.parametrize(
    ("number", "status", "sentence"),
    [
        (signal.SIGKILL, 1, "genezip: a process of --jobs was ended by SIGKILL, perhaps for lack "),
        pytest.param(signal.SIGTERM, 130, "my.fa: stopped at ", marks=pytest.mark.slow),
    ],
)
def test_a_process_that_ends_early_ends_all(
    models: dict[str, Path], whole: dict[str, Result], records: Path, tmp_path: Path, meeting: Path,
    number: signal.Signals, status: int, sentence: str,
) -> None:  # fmt: skip
    running = Running(records, models["causal"], tmp_path, meeting)
    os.kill(running.other, number)
    found, said, done = running.end()
    assert found == status and 0 < done < BASES, said
    last = said.splitlines()[-1]
    assert last.startswith(sentence) and "run the same command to resume" in last
    assert "Traceback" not in said
    same(compress(records, models["causal"], running.out, block_bp=BLOCK_BP), whole["causal"])


def test_what_one_process_refuses_is_said_once(
    models: dict[str, Path], records: Path, tmp_path: Path, meeting: Path,
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    for variable, value in invite(models["causal"], meeting, fails=True).items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(GenezipError, match="this process does not like its block"):
        compress_fasta(records, MODEL, tmp_path / "o.parquet", block_bp=BLOCK_BP, jobs=2)
    assert capfd.readouterr().err == ""
    # parts are left if the first process had written one by then
    assert {path.name for path in tmp_path.iterdir()} - {"o.parquet.parts"} == {"meeting"}


@pytest.mark.slow
def test_no_process_outlives_the_first(
    models: dict[str, Path], records: Path, tmp_path: Path, meeting: Path
) -> None:
    running = Running(records, models["causal"], tmp_path, meeting)
    running.first.kill()
    running.first.wait(60)
    late = time.monotonic() + 60
    while psutil.pid_exists(running.other):
        if psutil.Process(running.other).status() == psutil.STATUS_ZOMBIE:
            break  # nobody collects what is left of it
        assert time.monotonic() < late
        time.sleep(0.05)


@pytest.mark.slow
def test_processes_read_a_pipe(
    models: dict[str, Path], whole: dict[str, Result], records: Path, tmp_path: Path, meeting: Path
) -> None:
    words = [
        "-m", "genezip", "compress", "-", "--model", MODEL, "--jobs", "2", "--device", "cpu",
        "--out", "/dev/stdout", "--block-bp", str(BLOCK_BP),
        "--threads", str(torch.get_num_threads()),
    ]  # fmt: skip
    environment = surroundings(invite(models["causal"], meeting))
    with (
        open(tmp_path / "out", "wb") as out,
        open(tmp_path / "log", "wb") as err,
        open(records, "rb") as given,
    ):
        status = processes.start(words, tmp_path, environment, out, err, given).wait(120)
    assert status == 0, (tmp_path / "log").read_text()
    assert (tmp_path / "out").read_bytes() == whole["causal"].bytes
    assert len(met(meeting)) == 2


def test_a_single_record_is_read_by_one_process(
    models: dict[str, Path], tmp_path: Path, messages: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("genezip.inference.workers.take", lambda: pytest.fail("another"))
    fasta = tmp_path / "x.fa"
    fasta.write_bytes(b">a\n" + dna(300, 1))
    alone = compress(fasta, models["causal"], tmp_path / "alone")
    same(compress(fasta, models["causal"], tmp_path / "eight", jobs=8), alone)
    assert messages() == [
        "x.fa: 1 of 8 processes has work, because a record is one stream; --window-bp divides "
        "records"
    ]


def test_what_several_processes_cannot_do(
    models: dict[str, Path], records: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(sentence: str, model: Any, jobs: int) -> None:
        with pytest.raises(GenezipError, match=sentence):
            compress_fasta(records, model, tmp_path / "out" / "t.parquet", jobs=jobs)

    refused("^--jobs is 0; give at least 1", models["causal"], 0)
    refused("the model toy is open in one process; name the model", load(models["causal"]), 2)
    monkeypatch.setattr(fasta_module, "choose_device", lambda device: torch.device("cuda"))
    refused("a GPU is used by one process; give --device cpu, or --jobs 1", models["causal"], 2)
    assert not (tmp_path / "out").exists()


def test_a_process_that_cannot_be_started(
    models: dict[str, Path], records: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*words: object, **options: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("subprocess.Popen", full)
    with pytest.raises(GenezipError, match="cannot be started: Resource temporarily unavailable; "):
        compress_fasta(records, models["causal"], tmp_path / "o.parquet", device="cpu", jobs=2)
    assert list(tmp_path.iterdir()) == []
