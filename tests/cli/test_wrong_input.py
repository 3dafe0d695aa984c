"""Wrong input: one clear sentence, a non-zero exit, and nothing half-written.

Every case runs the real command line in process on a tiny simulated genome.
"""

import gzip
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from toolkit.command_line import tree

from genezip.cli import main

Cli = Callable[..., str]
Tree = dict[str, bytes]


@pytest.fixture
def fails(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run a command that must fail: exit status 1 and one sentence, which is returned."""

    def run(*arguments: object) -> str:
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        assert stop.value.code == 1
        said = capsys.readouterr().err.strip().splitlines()[-1]
        assert said.startswith("genezip: ")
        return said

    return run


@pytest.fixture
def works(capsys: pytest.CaptureFixture[str]) -> Cli:
    def run(*arguments: object) -> str:
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        assert stop.value.code == 0, capsys.readouterr().err
        return capsys.readouterr().err

    return run


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated")
    with pytest.raises(SystemExit) as stop:
        main(
            ["simulate", "--out", str(folder), "--seed", "1"]
            + [part for _ in range(3) for part in ("--chromosome-bp", "60000")]
        )
    assert stop.value.code == 0
    return folder


@pytest.fixture
def own(simulated: Path, tmp_path: Path) -> Path:
    """A folder with genome.fa and genes.gtf of the user."""
    folder = tmp_path / "own"
    folder.mkdir()
    shutil.copy(simulated / "pieces.fa", folder / "genome.fa")
    (folder / "genes.gtf").write_bytes(gzip.decompress((simulated / "genes.gtf.gz").read_bytes()))
    return folder


def fetch_arguments(own: Path, out: Path, **changes: object) -> list[str]:
    settings = {
        "sources": ["files"],
        "fasta": "genome.fa",
        "annotation": "genes.gtf",
        "test": ["sim3"],
        "valid": ["sim2"],
        "build": "toy",
        **changes,
    }
    return ["fetch", "--settings", json.dumps(settings), "--root", str(own), "--out", str(out)]


def regions_arguments(source: Path, out: Path, **settings: object) -> list[str]:
    return [
        "regions", "build", "--source", str(source / "source.json"),
        "--settings", json.dumps(settings), "--bed", str(out / "gene7.bed.gz"),
        "--summary", str(out / "gene7.summary.tsv"),
    ]  # fmt: skip


CORPUS = {
    "window_bp": 512, "train_windows": 40, "valid_windows": 0, "validation": "pieces",
    "heldout_window_bp": 2048, "keep_short": False,
}  # fmt: skip


def corpus_arguments(source: Path, regions: Path, out: Path, **changes: object) -> list[str]:
    return [
        "corpus", "build", "--source", str(source / "source.json"),
        "--regions", str(regions / "gene7.bed.gz"), "--out", str(out),
        "--settings", json.dumps({**CORPUS, **changes}),
    ]  # fmt: skip


@pytest.fixture
def regions(simulated: Path, tmp_path: Path, works: Cli) -> Path:
    works(*regions_arguments(simulated, tmp_path / "regions"))
    return tmp_path / "regions"


@pytest.fixture
def corpus(simulated: Path, regions: Path, tmp_path: Path, works: Cli) -> Path:
    works(*corpus_arguments(simulated, regions, tmp_path / "corpus"))
    return tmp_path / "corpus" / "manifest.json"


def train_arguments(corpus: Path, repo: Path, out: Path, **changes: object) -> list[str]:
    settings = {
        "steps": 4, "batch": 2, "micro_batch": 2, "warmup_steps": 1, "precision": "fp32",
        "device": "cpu", "rar_mask": "pre", "validate_every": 2, "validate_windows": 2,
        "checkpoint_every": 1, **changes,
    }  # fmt: skip
    return [
        "pretrain", "--corpus", str(corpus),
        "--architecture", str(repo / "genezip/config/models/genezip-tiny.yaml"),
        "--region-preset", str(repo / "genezip/config/regions/transcript_balanced.yaml"),
        "--settings", json.dumps(settings), "--name", "toy", "--scale", "test",
        "--out", str(out),
    ]  # fmt: skip


@pytest.fixture
def model(corpus: Path, repo: Path, tmp_path: Path, works: Cli) -> Path:
    works(*train_arguments(corpus, repo, tmp_path / "models" / "toy"))
    return tmp_path / "models" / "toy"


# -- fetch --------------------------------------------------------------------------------


def test_own_genome_is_fetched(own: Path, tmp_path: Path, works: Cli) -> None:
    works(*fetch_arguments(own, tmp_path / "out"))
    assert json.loads((tmp_path / "out" / "source.json").read_text())["source"] == "files"


def test_missing_fasta(own: Path, tmp_path: Path, fails: Cli) -> None:
    (own / "genome.fa").unlink()
    assert "genome.fa does not exist" in fails(*fetch_arguments(own, tmp_path / "out"))
    assert tree(tmp_path / "out") == {}


def test_fasta_that_cannot_be_indexed(own: Path, tmp_path: Path, fails: Cli) -> None:
    (own / "genome.fa").write_text("no header\nACGT\n")
    assert "genome.fa" in fails(*fetch_arguments(own, tmp_path / "out"))
    assert tree(tmp_path / "out") == {}


def test_letters_that_are_no_bases(own: Path, tmp_path: Path, fails: Cli) -> None:
    text = (own / "genome.fa").read_text()
    (own / "genome.fa").write_text(text[:200] + "J" + text[201:])
    said = fails(*fetch_arguments(own, tmp_path / "out"))
    assert "'J'" in said
    assert tree(tmp_path / "out") == {}


def test_truncated_gzip(own: Path, tmp_path: Path, fails: Cli) -> None:
    data = gzip.compress((own / "genome.fa").read_bytes())
    (own / "genome.fa.gz").write_bytes(data[: len(data) // 2])
    said = fails(*fetch_arguments(own, tmp_path / "out", fasta="genome.fa.gz"))
    assert "genome.fa.gz" in said
    assert tree(tmp_path / "out") == {}


def test_unknown_config_key(own: Path, tmp_path: Path, fails: Cli) -> None:
    said = fails(*fetch_arguments(own, tmp_path / "out", promotor=1))
    assert "unknown key 'promotor'" in said
    assert tree(tmp_path / "out") == {}


def test_fetch_leaves_an_older_result_alone(own: Path, tmp_path: Path, fails: Cli) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "source.json").write_text("{}")
    (own / "genome.fa").unlink()
    fails(*fetch_arguments(own, out))
    assert tree(out) == {"source.json": b"{}"}


# -- regions ------------------------------------------------------------------------------


def fetched(own: Path, tmp_path: Path, works: Cli) -> Path:
    works(*fetch_arguments(own, tmp_path / "resources"))
    return tmp_path / "resources"


def edit_gtf(own: Path, old: str, new: str) -> None:
    path = own / "genes.gtf"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_no_contig_in_common(own: Path, tmp_path: Path, fails: Cli) -> None:
    edit_gtf(own, "sim", "scaffold_")
    said = fails(*fetch_arguments(own, tmp_path / "out"))
    assert "no contig" in said
    assert tree(tmp_path / "out") == {}


def test_gtf_beyond_the_contig(own: Path, tmp_path: Path, fails: Cli) -> None:
    row = 'sim1\tx\tgene\t60001\t70000\t.\t+\t.\tgene_id "g"; transcript_id "t"; tag "basic";\n'
    with open(own / "genes.gtf", "a", encoding="utf-8") as handle:
        handle.write(row.replace("gene\t", "transcript\t", 1))
        handle.write(row.replace("gene\t", "exon\t", 1))
    said = fails(*fetch_arguments(own, tmp_path / "out"))
    assert "ends at sim1:70,000, but sim1 has 60,000 bases" in said
    assert tree(tmp_path / "out") == {}


def test_gtf_without_basic_tag(own: Path, tmp_path: Path, works: Cli, fails: Cli) -> None:
    edit_gtf(own, 'tag "basic";', "")
    out = tmp_path / "regions"
    source = fetched(own, tmp_path, works)
    said = fails(*regions_arguments(source, out))
    assert "basic" in said
    assert tree(out) == {}
    works(*regions_arguments(source, out, transcripts="all"))


def test_required_class_without_a_base(own: Path, tmp_path: Path, works: Cli, fails: Cli) -> None:
    edit_gtf(own, "\tCDS\t", "\tmisc\t")
    edit_gtf(own, "\tstop_codon\t", "\tmisc\t")
    out = tmp_path / "regions"
    said = fails(*regions_arguments(fetched(own, tmp_path, works), out))
    assert "cds" in said
    assert tree(out) == {}


def test_wrong_checksum(own: Path, tmp_path: Path, works: Cli, fails: Cli) -> None:
    """One base changed: the size is right, the content is not."""
    source = fetched(own, tmp_path, works)
    data = bytearray((source / "pieces.fa").read_bytes())
    data[100] = ord("C") if data[100] != ord("C") else ord("G")
    (source / "pieces.fa").write_bytes(data)
    said = fails(*regions_arguments(source, tmp_path / "regions"))
    assert "pieces.fa was altered" in said
    assert tree(tmp_path / "regions") == {}


def test_altered_file(own: Path, tmp_path: Path, works: Cli, fails: Cli) -> None:
    source = fetched(own, tmp_path, works)
    with open(source / "pieces.fa", "ab") as handle:
        handle.write(b">more\nACGT\n")
    said = fails(*regions_arguments(source, tmp_path / "regions"))
    assert "pieces.fa" in said
    assert tree(tmp_path / "regions") == {}


# -- corpus -------------------------------------------------------------------------------


def test_window_longer_than_every_contig(
    simulated: Path, regions: Path, tmp_path: Path, fails: Cli
) -> None:
    said = fails(*corpus_arguments(simulated, regions, tmp_path / "c", window_bp=100_000))
    assert "corpus.window_bp is 100000" in said
    assert tree(tmp_path / "c") == {}


def test_corpus_left_with_no_window(
    simulated: Path, regions: Path, tmp_path: Path, fails: Cli
) -> None:
    (tmp_path / "all.bed").write_text("sim1\t0\t60000\n")
    arguments = corpus_arguments(simulated, regions, tmp_path / "c")
    said = fails(*arguments, "--exclusions", tmp_path / "all.bed")
    assert "window" in said
    assert tree(tmp_path / "c") == {}


def test_failed_rebuild_keeps_the_old_corpus(
    simulated: Path, regions: Path, corpus: Path, fails: Cli
) -> None:
    before = tree(corpus.parent)
    fails(*corpus_arguments(simulated, regions, corpus.parent, window_bp=100_000))
    assert tree(corpus.parent) == before


# -- training -----------------------------------------------------------------------------


def test_misspelt_training_key(corpus: Path, repo: Path, tmp_path: Path, fails: Cli) -> None:
    said = fails(*train_arguments(corpus, repo, tmp_path / "m", learing_rate=1))
    assert "unknown key 'learing_rate'" in said
    assert tree(tmp_path / "m") == {}


def test_nan_in_training(corpus: Path, repo: Path, tmp_path: Path, fails: Cli) -> None:
    """A learning rate of 1e20 makes the second step not finite."""
    said = fails(*train_arguments(corpus, repo, tmp_path / "m", learning_rate=1e20))
    assert "is no longer finite (loss nan" in said
    assert tree(tmp_path / "m") == {}


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


# -- models -------------------------------------------------------------------------------


def compress_arguments(fasta: Path, model: Path, out: Path) -> list[str]:
    return [
        "compress", str(fasta), "--model", str(model), "--out", str(out / "tokens.parquet"),
        "--tracks", str(out / "tracks"), "--window-bp", "4096", "--threads", "1",
    ]  # fmt: skip


def test_compress_own_dna(own: Path, model: Path, tmp_path: Path, works: Cli) -> None:
    out = tmp_path / "out"
    works(*compress_arguments(own / "genome.fa", model, out))
    assert set(tree(out)) == {
        "tokens.parquet",
        "tracks/boundary_prob.bw",
        "tracks/bpt.bw",
        "tracks/chunks.bed.gz",
        "tracks/chunks.bed.gz.tbi",
        "tracks/igv_session.xml",
        "tracks/tokens_per_kb.bw",
    }


@pytest.mark.parametrize(
    ("breakage", "sentence"),
    [
        ("folder", "; name a model folder, a hub id owner/name, or a system such as fixed:16"),
        ("version", "has format_version 99"),
        ("weights", "is broken"),
    ],
)
def test_wrong_model(
    own: Path, model: Path, tmp_path: Path, fails: Cli, breakage: str, sentence: str
) -> None:
    if breakage == "folder":
        shutil.rmtree(model)
    elif breakage == "version":
        config = json.loads((model / "config.json").read_text())
        (model / "config.json").write_text(json.dumps({**config, "format_version": 99}))
    else:
        data = (model / "model.safetensors").read_bytes()
        (model / "model.safetensors").write_bytes(data[:-100])
    assert sentence in fails(*compress_arguments(own / "genome.fa", model, tmp_path / "out"))
    assert tree(tmp_path / "out") == {}


def test_compress_wrong_letters_at_the_end(
    own: Path, model: Path, tmp_path: Path, fails: Cli
) -> None:
    with open(own / "genome.fa", "a", encoding="utf-8") as handle:
        handle.write("\nAC*GT\n")
    said = fails(*compress_arguments(own / "genome.fa", model, tmp_path / "out"))
    assert "'*'" in said
    assert tree(tmp_path / "out") == {}


def full_disk() -> None:
    """A limit on file size stands in for a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


@pytest.mark.parametrize("command", ["compress", "pretrain"])
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
