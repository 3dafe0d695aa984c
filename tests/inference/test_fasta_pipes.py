"""``genezip compress`` between pipes: FASTA from one, tokens into another."""

import gzip
import io
import itertools
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pyarrow.parquet as pq
import pytest
from toolkit import processes
from toolkit.dna import fasta, random_dna
from toolkit.networks import LONG_CHUNKS, save_toy, small_network

from genezip.errors import GenezipError
from genezip.inference import parts as fasta_parts
from genezip.inference.fasta import compress_fasta

LENGTHS = {"one": 433, "two!": 230}
FASTA = fasta({n: random_dna(bp, len(n), "ACGTacgtN") for n, bp in LENGTHS.items()}).encode()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    network = small_network(**LONG_CHUNKS)
    return save_toy(tmp_path_factory.mktemp("model"), network, targets={"cds": 4.0})


@pytest.fixture(scope="module")
def whole(model: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The table of the same FASTA as a file."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "my.fa").write_bytes(FASTA)
    compress_fasta(folder / "my.fa", model, folder / "tokens.parquet", device="cpu")
    return (folder / "tokens.parquet").read_bytes()


def command(model: Path, fasta: str, *more: str) -> list[str]:
    start = ["-m", "genezip", "compress", fasta, "--model", str(model)]
    return [*start, "--device", "cpu", "--threads", "1", *more]


@contextmanager
def reading(data: bytes) -> Iterator[IO[bytes]]:
    """A pipe that another process writes into."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as cat:
        assert cat.stdin is not None and cat.stdout is not None
        cat.stdin.write(data)  # fewer bytes than a pipe holds
        cat.stdin.close()
        yield cat.stdout


def run(words: list[str], cwd: Path, given: IO[bytes]) -> tuple[int, str, bytes]:
    """Exit status, messages and output of a program; its output is a pipe."""
    with tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as kept:
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=kept) as cat:
            assert cat.stdin is not None
            program = processes.start(words, cwd, os.environ, cat.stdin, err, given)
            status = program.wait(120)
        for file in (err, kept):
            file.seek(0)
        return status, err.read().decode(), kept.read()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("name", "packed", "kind"),
    [
        ("/dev/stdin", True, "pipe"),
        *(
            pytest.param(*each, marks=pytest.mark.slow)  # a process each
            for each in itertools.product(("-", "/dev/stdin"), (False, True), ("pipe", "file"))
            if each != ("/dev/stdin", True, "pipe")
        ),
    ],
)
def test_standard_input(
    model: Path, whole: bytes, tmp_path: Path, name: str, packed: bool, kind: str
) -> None:
    data = gzip.compress(FASTA) if packed else FASTA
    (tmp_path / "in").write_bytes(data)
    more = ("--out", "out/tokens.parquet")
    with open(tmp_path / "in", "rb") as file, reading(data) as pipe:
        status, said, _ = run(
            command(model, name, *more), tmp_path, pipe if kind == "pipe" else file
        )
    assert status == 0, said
    assert names(tmp_path) == {"in", "out"} and names(tmp_path / "out") == {"tokens.parquet"}
    found = (tmp_path / "out" / "tokens.parquet").read_bytes()
    # the metadata tell the hash of what came, and gzip holds a date
    assert pq.read_table(io.BytesIO(found)).equals(pq.read_table(io.BytesIO(whole)))
    assert packed or found == whole


@pytest.mark.slow
def test_process_substitution_with_tracks(model: Path, whole: bytes, tmp_path: Path) -> None:
    (tmp_path / "my.fa.gz").write_bytes(gzip.compress(FASTA))
    call = [sys.executable, *command(model, "<(gzip -dc my.fa.gz)", "--out", "t.parquet")]
    text = " ".join([*call, "--tracks", "t"])
    done = subprocess.run(["bash", "-c", text], capture_output=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "t.parquet").read_bytes() == whole
    assert 'genome="genome.fa.gz"' in (tmp_path / "t" / "igv_session.xml").read_text()
    assert {"genome.fa.gz", "genome.fa.gz.fai", "genome.fa.gz.gzi"} <= names(tmp_path / "t")
    assert names(tmp_path) == {"my.fa.gz", "t.parquet", "t"}


def test_tokens_into_standard_output(model: Path, whole: bytes, tmp_path: Path) -> None:
    """Only the table goes there: what the command says goes to standard error."""
    call = command(model, "-", "--out", "/dev/stdout")
    with reading(FASTA) as pipe:
        status, said, printed = run(call, tmp_path, pipe)
    assert status == 0, said
    assert printed == whole
    assert "2 records, 663 bp" in said and names(tmp_path) == set()


def feed(fifo: Path, data: bytes) -> None:
    threading.Thread(target=fifo.write_bytes, args=(data,), daemon=True).start()


def test_a_run_from_a_pipe_goes_on(
    model: Path,
    whole: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    messages: Callable[[], list[str]],
) -> None:
    """Parts hold for the same bytes, however they come; others are refused."""
    fifo, out = tmp_path / "pipe", tmp_path / "tokens.parquet"
    os.mkfifo(fifo)
    monkeypatch.setattr(fasta_parts, "PART_BP", 100)
    write, count = fasta_parts.PartFolder.write, []

    def some(self: fasta_parts.PartFolder, part: fasta_parts.Part) -> None:
        write(self, part)
        count.append(part)
        if len(count) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fasta_parts.PartFolder, "write", some)
        feed(fifo, FASTA)
        with pytest.raises(KeyboardInterrupt):
            compress_fasta(fifo, model, out, device="cpu", block_bp=50)
    assert names(tmp_path) == {"pipe", "tokens.parquet.parts"}
    feed(fifo, FASTA.replace(b"two!", b"three"))
    with pytest.raises(GenezipError, match="holds an unfinished run with fasta_sha256"):
        compress_fasta(fifo, model, out, device="cpu", block_bp=50)
    feed(fifo, FASTA)
    compress_fasta(fifo, model, out, device="cpu", block_bp=50)
    assert any("resuming, 200 of 663 bp are done" in line for line in messages())
    assert names(tmp_path) == {"pipe", "tokens.parquet"} and fifo.is_fifo()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "pipe holds no FASTA record"),
        (b"ACGT\n", "pipe does not begin with '>'"),
        (b">a\nACGTJ\n", "record 'a' of .*pipe.*'J' at position 4"),
        (gzip.compress(FASTA)[:-9], "pipe is a truncated or broken gzip file"),
    ],
)
def test_a_wrong_pipe_is_refused_before_anything_is_written(
    model: Path, tmp_path: Path, data: bytes, sentence: str
) -> None:
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    feed(fifo, data)
    with pytest.raises(GenezipError, match=sentence):
        compress_fasta(fifo, model, tmp_path / "out" / "tokens.parquet", device="cpu")
    assert names(tmp_path) == {"pipe"}


def test_links_of_the_outputs_stay(model: Path, whole: bytes, tmp_path: Path) -> None:
    (tmp_path / "my.fa").write_bytes(FASTA)
    (tmp_path / "tokens").symlink_to("far/tokens.parquet")
    (tmp_path / "tracks").symlink_to("far/tracks")
    (tmp_path / "far" / "tracks").mkdir(parents=True)
    (tmp_path / "far" / "tracks" / "igv_session.xml").symlink_to("../session")
    arguments = (tmp_path / "my.fa", model, tmp_path / "tokens", tmp_path / "tracks")
    compress_fasta(*arguments, device="cpu")
    assert all((tmp_path / name).is_symlink() for name in ("tokens", "tracks"))
    assert (tmp_path / "far" / "tokens.parquet").read_bytes() == whole
    assert (tmp_path / "far" / "tracks" / "igv_session.xml").is_symlink()
    assert (tmp_path / "far" / "session").read_text().startswith("<?xml")
    assert names(tmp_path / "far") == {"tokens.parquet", "tracks", "session"}
