"""The workflow in odd places: spaces, links, other file systems, inputs of others, a full disk."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from toolkit.snakemake_runs import snakemake

TARGETS = (
    "results/compress/compression.tsv",
    "results/tracks/genezip-tiny.seed0/igv_session.xml",
)
SAME = (
    "results/regions/gene7.bed.gz",
    "results/pretrain/genezip-tiny.seed0/model.safetensors",
    "results/compress/genezip-tiny.seed0.parquet",
    "results/compress/compression.tsv",
)
"""Results whose bytes do not depend on the place."""
OWN = """
genome:
  sources: [files]
  fasta: {inputs}/pieces.fa
  annotation: {inputs}/genes.gtf.gz
  chromosomes: null
  valid: [sim3]
  test: [sim4]
"""


def run(repo: Path, folder: Path, *targets: str, own: str = "{}", **more: str) -> tuple[int, str]:
    """Snakemake in a folder, with settings of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "own.yaml").write_text(own)
    layers = [repo / "config" / "config.yaml", repo / "tests" / "workflow" / "config.yaml"]
    done = snakemake(
        folder, "--snakefile", repo / "workflow" / "Snakefile", "--cores", "2",
        "--configfile", *layers, folder / "own.yaml", "--", *targets, timeout=600, **more,
    )  # fmt: skip
    return done.returncode, done.stdout


@pytest.fixture(scope="module")
def inputs(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A genome and its genes, in a folder that nobody may write to."""
    folder = tmp_path_factory.mktemp("made") / "inputs of a colleague"
    status, said = run(repo, folder.parent, "resources/source.json")
    assert status == 0, said[-4000:]
    folder.mkdir()
    for name in ("pieces.fa", "genes.gtf.gz"):
        (folder / name).write_bytes((folder.parent / "resources" / name).read_bytes())
        (folder / name).chmod(0o444)
    folder.chmod(0o555)
    return folder


@pytest.fixture(scope="module")
def plain(repo: Path, inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in a folder without anything odd."""
    folder = tmp_path_factory.mktemp("plain")
    status, said = run(repo, folder, *TARGETS, own=OWN.format(inputs=inputs))
    assert status == 0, said[-4000:]
    return folder


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 500 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    call = ["mount", "-t", "tmpfs", "-o", "size=500k", "none", folder]
    try:
        subprocess.run(call, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no file system can be mounted here (mount needs root)")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def refuse_other_bytes(folder: Path, plain: Path, there: tuple[str, ...] = SAME) -> None:
    for name in there:
        assert (folder / name).read_bytes() == (plain / name).read_bytes(), name


@pytest.mark.slow
def test_spaces_links_and_other_file_systems_change_nothing(
    repo: Path, inputs: Path, plain: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "my runs (of May)" / "a & b's"
    folder.mkdir(parents=True)
    memory = Path("/dev/shm")
    other = memory if memory.is_dir() and os.access(memory, os.W_OK) else tmp_path
    before = {path.name: path.stat().st_mtime_ns for path in [inputs, *inputs.iterdir()]}
    try:
        for name, place in (("results", other), ("resources", tmp_path / "elsewhere")):
            target = place / f"genezip {os.getpid()} {name}"
            target.mkdir(parents=True)
            (folder / name).symlink_to(target, target_is_directory=True)
        temporary = tmp_path / "temporary files"
        temporary.mkdir()
        own = OWN.format(inputs=inputs)
        status, said = run(repo, folder, *TARGETS, own=own, TMPDIR=str(temporary))
        assert status == 0, said[-4000:]
        refuse_other_bytes(folder, plain)
        # libraries leave some of theirs there
        assert not [path for path in temporary.iterdir() if "genezip" in path.name]
        again = run(repo, folder, *TARGETS, own=own)[1]
        assert "Nothing to be done" in again
    finally:
        subprocess.run(["rm", "-rf", str((folder / "results").resolve())], check=True)
    after = {path.name: path.stat().st_mtime_ns for path in [inputs, *inputs.iterdir()]}
    assert after == before


@pytest.mark.slow
def test_a_full_disk_stops_a_run_and_a_larger_one_finishes_it(
    repo: Path, inputs: Path, plain: Path, small_disk: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "results").symlink_to(small_disk, target_is_directory=True)
    own = OWN.format(inputs=inputs)
    status, said = run(repo, folder, *TARGETS, own=own)
    assert status != 0
    assert "No space left on device" in said, said[-4000:]
    assert "Traceback" not in said.split("No space left on device")[0], said[-6000:]
    refuse_other_bytes(folder, plain, tuple(name for name in SAME if (folder / name).exists()))
    subprocess.run(["mount", "-o", "remount,size=500m", small_disk], check=True)
    status, said = run(repo, folder, *TARGETS, own=own)
    assert status == 0, said[-4000:]
    refuse_other_bytes(folder, plain)
    assert not [path for path in small_disk.rglob("*") if path.name.endswith(".part")]
