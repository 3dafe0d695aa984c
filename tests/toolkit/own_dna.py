"""Words of the commands from the DNA of a user to a model and its tokens, at toy size."""

import json
from pathlib import Path


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


def compress_arguments(fasta: Path, model: Path, out: Path) -> list[str]:
    return [
        "compress", str(fasta), "--model", str(model), "--out", str(out / "tokens.parquet"),
        "--tracks", str(out / "tracks"), "--window-bp", "4096", "--threads", "1",
    ]  # fmt: skip
