"""Wrong input: one clear sentence, a non-zero exit, and nothing half-written.

Every case runs the real command line in process on a tiny simulated genome.
"""

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from toolkit.command_line import tree
from toolkit.own_dna import (
    compress_arguments,
    corpus_arguments,
    fetch_arguments,
    regions_arguments,
    train_arguments,
)

Cli = Callable[..., str]


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


# -- models -------------------------------------------------------------------------------


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
