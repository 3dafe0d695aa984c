"""``genezip compress`` interrupted, killed or damaged ends like a run that was not."""

import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toolkit.compressed_fasta import Result, compress, same_tracks, write_fasta
from toolkit.networks import LONG_CHUNKS, save_toy, speaking_network

from genezip.cli import main
from genezip.errors import GenezipError
from genezip.inference import parts as fasta_parts
from genezip.inference.fasta import compress_fasta
from genezip.inference.parts import Join
from genezip.models.hnet.streaming import Stream


class Crash(Exception):
    """Stands for whatever ends a run."""


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fasta_parts, "PART_BP", 100)


def crash_after(monkeypatch: pytest.MonkeyPatch, blocks: int, how: str = "crash") -> None:
    """The run ends while it reads the block after so many."""
    read_on, count = Stream.feed, [0]

    def reading(self: Stream, ids: np.ndarray) -> Any:
        count[0] += 1
        if count[0] > blocks and how == "crash":
            raise Crash
        if count[0] > blocks:
            os.kill(os.getpid(), signal.SIGINT if how == "ctrl-c" else signal.SIGTERM)
        return read_on(self, ids)

    monkeypatch.setattr(Stream, "feed", reading)


@pytest.fixture(scope="module")
def whole(models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    """Runs of blocks of 43 bp that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    write_fasta(folder / "my.fa")
    return {
        name: compress(folder / "my.fa", models[name], folder / name, block_bp=43)
        for name in ("causal", "blocks")
    }


@pytest.mark.parametrize(
    ("name", "how", "blocks"),
    [
        ("causal", "crash", 1),
        ("causal", "crash", 10),
        ("causal", "crash", 12),
        ("causal", "crash", 17),
        ("causal", "ctrl-c", 0),
        ("causal", "ctrl-c", 7),
        ("causal", "ctrl-c", 10),
        ("causal", "sigterm", 13),
        ("causal", "ctrl-c", 17),
        ("blocks", "crash", 8),
        ("blocks", "sigterm", 6),
    ],
)
def test_an_interrupted_run_goes_on(
    models: dict[str, Path],
    whole: dict[str, Result],
    fasta: Path,
    tmp_path: Path,
    small_parts: None,
    name: str,
    how: str,
    blocks: int,
    messages: Callable[[], list[str]],
) -> None:
    """11, 1 and 6 blocks in three records; a part ends after block 3, 6, 9, 13 and 16."""
    out = tmp_path / "out"
    parts = out / "tokens.parquet.parts"
    with pytest.MonkeyPatch.context() as patch:
        crash_after(patch, blocks, how)
        with pytest.raises(Crash if how == "crash" else KeyboardInterrupt):
            compress(fasta, models[name], out, block_bp=43)
    assert {path for path in out.iterdir() if not path.is_dir()} == set()
    assert all(path.suffix == ".pt" for path in parts.rglob("*"))
    done = int(max(parts.iterdir()).stem.split("-")[1]) if parts.exists() else 0
    ends = [*range(43, 431, 43), 433, 445, *range(488, 661, 43), 675]
    if how == "crash":
        assert done == max([0, *(ends[last - 1] for last in (3, 6, 9, 13, 16) if last <= blocks)])
    else:  # the block at hand is finished
        assert done == ends[blocks]
        assert messages()[-1].startswith(
            f"my.fa: stopped at {done} of 675 bp; run the same command"
        )
    again = compress(fasta, models[name], out, block_bp=43)
    assert (f"my.fa: resuming, {done} of 675 bp are done" in messages()) == (done > 0)
    assert again.bytes == whole[name].bytes
    same_tracks(whole[name].tracks, again.tracks)


def test_stopped_while_joining(
    models: dict[str, Path],
    whole: dict[str, Result],
    fasta: Path,
    tmp_path: Path,
    small_parts: None,
    monkeypatch: pytest.MonkeyPatch,
    messages: Callable[[], list[str]],
) -> None:
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        add = Join.add
        patch.setattr(
            Join, "add", lambda self, part: (add(self, part), os.kill(os.getpid(), signal.SIGINT))
        )
        with pytest.raises(KeyboardInterrupt):
            compress(fasta, models["causal"], out, block_bp=43)
    assert "stopped before all parts were joined; run the same command" in messages()[-1]
    rest = {path.name for path in out.rglob("*") if path.suffix != ".pt"}
    assert rest == {"tracks", "tokens.parquet.parts"}
    again = compress(fasta, models["causal"], out, block_bp=43)
    assert again.bytes == whole["causal"].bytes
    same_tracks(whole["causal"].tracks, again.tracks)


def test_the_command(
    models: dict[str, Path],
    whole: dict[str, Result],
    fasta: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out" / "tokens.parquet"
    arguments = [
        "compress", str(fasta), "--model", str(models["causal"]), "--out", str(out),
        "--tracks", str(out.parent / "tracks"), "--block-bp", "43", "--device", "cpu",
        "--threads", str(torch.get_num_threads()),
    ]  # fmt: skip
    with monkeypatch.context() as patch:
        crash_after(patch, 5, "ctrl-c")
        with pytest.raises(SystemExit) as stop:
            main(arguments)
    assert stop.value.code == 130
    assert "stopped at 258 of 675 bp" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 0
    assert out.read_bytes() == whole["causal"].bytes
    said = capsys.readouterr().out.strip()
    totals = whole["causal"].summary.totals
    assert said.startswith(f"3 records, 675 bp -> {totals.tokens} tokens (")
    assert said.endswith(f"bits per base; stream, bound causal) in {out}")


KILLED = """
import os, signal, sys
from pathlib import Path
from genezip.inference import parts as fasta_parts
from genezip.cli import main
from genezip.inference.fasta import compress_fasta

fasta_parts.PART_BP = 100
write, left = fasta_parts.PartFolder.write, [int(sys.argv[4])]

def writing(self, part):
    write(self, part)
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)

fasta_parts.PartFolder.write = writing
compress_fasta(*map(Path, sys.argv[1:4]), Path(sys.argv[3]).parent / "tracks", device="cpu",
               block_bp=43)
"""


@pytest.mark.slow  # a process of its own; a crash in this one is resumed alike
def test_kill_9_at_a_part(
    models: dict[str, Path],
    whole: dict[str, Result],
    fasta: Path,
    tmp_path: Path,
    messages: Callable[[], list[str]],
) -> None:
    out = tmp_path / "out" / "tokens.parquet"
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *map(str, (fasta, models["causal"], out)), "4"],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not out.exists()
    assert len(list(out.with_name("tokens.parquet.parts").iterdir())) == 4
    again = compress(fasta, models["causal"], tmp_path / "out", block_bp=43)
    assert messages()[0] == "my.fa: resuming, 488 of 675 bp are done"
    assert again.bytes == whole["causal"].bytes
    same_tracks(whole["causal"].tracks, again.tracks)


def interrupted(fasta: Path, model: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """A run that crashed after four of its six parts, which are returned."""
    with monkeypatch.context() as patch:
        patch.setattr(fasta_parts, "PART_BP", 100)
        crash_after(patch, 14)
        with pytest.raises(Crash):
            compress(fasta, model, out, block_bp=43)
    return sorted((out / "tokens.parquet.parts").iterdir())


@pytest.mark.parametrize(
    ("which", "damage"),
    [
        ([0], "truncated"),
        ([1, 2], "altered"),
        ([3], "empty"),
        ([0, 3], "truncated"),
        ([0, 1, 2, 3], "truncated"),
    ],
)
def test_damaged_parts_are_made_again(
    models: dict[str, Path],
    whole: dict[str, Result],
    fasta: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    which: list[int],
    damage: str,
    messages: Callable[[], list[str]],
) -> None:
    parts = interrupted(fasta, models["causal"], tmp_path / "out", monkeypatch)
    for number in which:
        data = parts[number].read_bytes()
        if damage == "altered":
            with zipfile.ZipFile(parts[number]) as archive:
                largest = max(archive.infolist(), key=lambda entry: entry.file_size)
                inside = data.index(archive.read(largest)) + largest.file_size // 2
            data = data[:inside] + bytes([data[inside] ^ 1]) + data[inside + 1 :]
        kept = {"truncated": len(data) // 2, "altered": len(data), "empty": 0}[damage]
        parts[number].write_bytes(data[:kept])
    again = compress(fasta, models["causal"], tmp_path / "out", block_bp=43)
    said = [f"{parts[number]} is damaged; its bases are read again" for number in which]
    assert messages()[: len(which)] == said
    assert again.bytes == whole["causal"].bytes
    same_tracks(whole["causal"].tracks, again.tracks)


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"block_bp": 44}, "block_bp 43, not 44"),
        ({"bound": "none"}, 'bound "causal", not "none"'),
        ({"window_bp": 43}, "window_bp null, not 43"),
        ({"model": "other"}, "weights_sha256"),
        ({"fasta": b">one\nACGTA\n"}, "fasta_sha256"),
        ({"tracks": None}, "tracks true, not false"),
    ],
)
def test_parts_of_another_run_are_refused(
    models: dict[str, Path],
    fasta: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
    key: str,
) -> None:
    parts = interrupted(fasta, models["causal"], tmp_path / "out", monkeypatch)
    before = [path.read_bytes() for path in parts]
    arguments: dict[str, Any] = {
        "fasta": fasta, "model": models["causal"], "out": tmp_path / "out" / "tokens.parquet",
        "tracks": tmp_path / "out" / "tracks", "block_bp": 43, "device": "cpu", **options,
    }  # fmt: skip
    if "model" in options:
        network = speaking_network(4, **LONG_CHUNKS)
        targets = {"promoter": 4.0, "intergenic": 16.0}
        arguments["model"] = save_toy(tmp_path / "other", network, 3, targets=targets)
    if "fasta" in options:
        arguments["fasta"] = tmp_path / "other.fa"
        arguments["fasta"].write_bytes(options["fasta"])
    with pytest.raises(GenezipError, match=f"unfinished run with {key}") as refused:
        compress_fasta(**arguments)
    assert f"delete {parts[0].parent} to start over" in str(refused.value)
    assert [path.read_bytes() for path in parts] == before
