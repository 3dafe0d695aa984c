"""``genezip embed`` interrupted, killed or damaged ends like a run that was not."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toolkit.embedded import BED, FLANK, write_bed

from genezip.errors import GenezipError
from genezip.inference import parts
from genezip.inference.embedding import embed
from genezip.inference.embedding.embed import embed_regions
from genezip.inference.embedding.files import NpzFile
from genezip.inference.embedding.vectors import RegionReader

BASES = sum(row[2] - row[1] for row in BED)


class Crash(Exception):
    """Stands for whatever ends a run."""


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks and batches of 64 bp, and parts of 100 bp."""
    monkeypatch.setattr(embed, "vectors_bp", lambda compressor: 64)
    monkeypatch.setattr(parts, "PART_BP", 100)


def run(folder: Path, fasta: Path, model: Path, out: str, **options: Any) -> bytes:
    folder.mkdir(exist_ok=True)
    bed = write_bed(folder.parent / "regions.bed")
    embed_regions(
        bed, fasta, model, folder / out, **{"flank_bp": FLANK, "device": "cpu", **options}
    )
    assert [path.name for path in folder.iterdir()] == [out]
    return (folder / out).read_bytes()


def end_after(monkeypatch: pytest.MonkeyPatch, steps: int, how: str) -> None:
    """The run ends while it reads the step after so many."""
    read_on, count = RegionReader.read, [0]

    def reading(self: RegionReader, step: Any) -> Any:
        count[0] += 1
        if count[0] > steps and how == "crash":
            raise Crash
        if count[0] > steps:
            os.kill(os.getpid(), signal.SIGINT if how == "ctrl-c" else signal.SIGTERM)
        return read_on(self, step)

    monkeypatch.setattr(RegionReader, "read", reading)


OPTIONS: dict[str, dict[str, Any]] = {
    "base": {"level": "base"},
    "token": {"level": "token"},
    "mean": {"level": "region"},
    "max": {"level": "region", "pool": "max"},
    "windows": {"level": "region", "window_bp": 40},
    "token windows": {"level": "token", "window_bp": 50},
}


@pytest.mark.parametrize(
    ("options", "how", "out"),
    [
        ("base", "crash", "v.npz"),
        ("base", "ctrl-c", "v.parquet"),
        ("token", "crash", "v.parquet"),
        ("token", "sigterm", "v.npz"),
        ("mean", "ctrl-c", "v.npz"),
        ("max", "crash", "v.parquet"),
        ("windows", "sigterm", "v.parquet"),
        ("token windows", "ctrl-c", "v.npz"),
    ],
)
def test_an_interrupted_run_goes_on(
    models: dict[str, Path],
    fasta: Path,
    tmp_path: Path,
    options: str,
    how: str,
    out: str,
    messages: Callable[[], list[str]],
) -> None:
    """It is ended several times, within regions and between them."""
    whole = run(tmp_path / "whole", fasta, models["causal"], out, **OPTIONS[options])
    for steps in (4, 6):
        with pytest.MonkeyPatch.context() as patch:
            end_after(patch, steps, how)
            with pytest.raises(Crash if how == "crash" else KeyboardInterrupt):
                run(tmp_path / "again", fasta, models["causal"], out, **OPTIONS[options])
        (folder,) = (tmp_path / "again").iterdir()
        assert folder.name == f"{out}.parts"
        if how != "crash":
            assert f"of {BASES:,} bp; run the same command to resume" in messages()[-1]
    found = run(tmp_path / "again", fasta, models["causal"], out, **OPTIONS[options])
    assert found == whole
    said = [one for one in messages() if one.startswith("regions.bed: resuming, ")]
    assert len(said) == 2


@pytest.mark.parametrize(
    ("options", "which"), [("base", [0]), ("token", [2]), ("mean", [1, 3]), ("mean", [2])]
)
def test_damaged_parts_are_made_again(
    models: dict[str, Path],
    fasta: Path,
    tmp_path: Path,
    options: str,
    which: list[int],
    messages: Callable[[], list[str]],
) -> None:
    """Parts lie inside a region that is streamed, and between regions."""
    whole = run(tmp_path / "whole", fasta, models["causal"], "v.npz", **OPTIONS[options])
    with pytest.MonkeyPatch.context() as patch:
        end_after(patch, 10, "ctrl-c")
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "again", fasta, models["causal"], "v.npz", **OPTIONS[options])
    made = sorted((tmp_path / "again" / "v.npz.parts").iterdir())
    for number in which:
        made[number].write_bytes(made[number].read_bytes()[:200])
    assert run(tmp_path / "again", fasta, models["causal"], "v.npz", **OPTIONS[options]) == whole
    for number in which:
        assert f"{made[number]} is damaged; its bases are read again" in messages()


def test_stopped_while_joining(
    models: dict[str, Path], fasta: Path, tmp_path: Path, messages: Callable[[], list[str]]
) -> None:
    whole = run(tmp_path / "whole", fasta, models["causal"], "v.npz")
    with pytest.MonkeyPatch.context() as patch:
        add = NpzFile.add
        patch.setattr(
            NpzFile, "add", lambda self, rows: (add(self, rows), os.kill(os.getpid(), 15))
        )
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "again", fasta, models["causal"], "v.npz")
    assert "stopped before all parts were joined; run the same command" in messages()[-1]
    assert [path.name for path in (tmp_path / "again").iterdir()] == ["v.npz.parts"]
    assert run(tmp_path / "again", fasta, models["causal"], "v.npz") == whole


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"level": "token"}, 'level "base", not "token"'),
        ({"flank_bp": 41}, "flank_bp 40, not 41"),
        ({"bound": "none"}, 'bound "causal", not "none"'),
        ({"window_bp": 50}, "window_bp null, not 50"),
    ],
)
def test_parts_of_another_run_are_refused(
    models: dict[str, Path], fasta: Path, tmp_path: Path, change: dict[str, Any], key: str
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        end_after(patch, 6, "crash")
        with pytest.raises(Crash):
            run(tmp_path / "again", fasta, models["causal"], "v.npz")
    before = sorted((tmp_path / "again").rglob("*"))
    with pytest.raises(GenezipError, match=f"unfinished run with {key}"):
        run(tmp_path / "again", fasta, models["causal"], "v.npz", **change)
    assert sorted((tmp_path / "again").rglob("*")) == before
