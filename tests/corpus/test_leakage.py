"""Leaks of a written corpus, by hand and base by base."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from toolkit.command_line import call
from toolkit.genomes import simulate
from toolkit.snakemake_runs import snakemake

from genezip.artifacts.files import sha256_file
from genezip.artifacts.tables import write_parquet
from genezip.corpus.corpus import CorpusReader
from genezip.corpus.exclusions import write_exclusions
from genezip.corpus.homology import HOMOLOGY_COLUMNS
from genezip.corpus.leakage import LEAKAGE_COLUMNS, prove, touched_bases
from genezip.corpus.shards import SCHEMA_VERSION, Head
from genezip.errors import GenezipError
from genezip.region_classes import GENE7

Windows = dict[str, list[tuple[str, int, int]]]
CLEAN: Windows = {
    "train": [("a", 0, 10), ("a", 20, 30), ("b", 0, 10)],
    "valid": [("a", 40, 50), ("a", 45, 55)],
    "test": [("c", 0, 10), ("c", 10, 14)],
}


def write_corpus(folder: Path, windows: Windows, **settings: Any) -> Path:
    """A corpus whose shards hold where the windows lie, and nothing else."""
    files = []
    for split, rows in windows.items():
        table = pd.DataFrame(rows, columns=["chrom", "start", "end"]).assign(split=split)
        (folder / split).mkdir(parents=True, exist_ok=True)
        for number in range(2):  # two shards, cut after the first window
            part = table[:1] if number == 0 else table[1:]
            path = folder / split / f"shard-{number:05d}.parquet"
            head = Head(split, 10, 1, GENE7, "the plan", "the map").to_json()
            write_parquet(path, pa.Table.from_pandas(part, preserve_index=False), head)
            name = str(path.relative_to(folder))
            files.append({"path": name, "split": split, "rows": len(part)})
    value = {
        "schema_version": SCHEMA_VERSION,
        "source": "files",
        "files": files,
        "tables": [],
        "settings": {"validation": "paper"} | settings,
    }
    (folder / "manifest.json").write_text(json.dumps(value))
    return folder / "manifest.json"


def excluded(*rows: tuple[str, int, int, str]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["chrom", "start", "end", "task"])
    table = table.astype({"start": np.int64, "end": np.int64})
    return table.assign(split="test", reason="a reason")


def counts(table: pd.DataFrame, check: str, split: str, against: str) -> list[Any]:
    row = table[
        (table["check"] == check) & (table["split"] == split) & (table["against"] == against)
    ]
    names = ["windows", "touched_windows", "bp", "touched_bp", "verdict"]
    return row[names].iloc[0].tolist()


def test_a_clean_corpus_has_no_leak(tmp_path: Path) -> None:
    reader = CorpusReader(write_corpus(tmp_path, CLEAN, validation="strict"))
    # Every excluded interval touches an end: half-open intervals that touch share no base.
    exclusions = excluded(("a", 10, 20, "cmp"), ("a", 30, 40, "cmp"), ("d", 0, 99, "tisp"))
    table, offender = prove(reader, exclusions)
    assert offender is None
    assert tuple(table.columns) == LEAKAGE_COLUMNS
    assert table["verdict"].eq("ok").all()
    assert counts(table, "exclusions", "train", "cmp") == [3, 0, 30, 0, "ok"]
    assert counts(table, "exclusions", "valid", "tisp") == [2, 0, 20, 0, "ok"]
    assert counts(table, "heldout", "train", "test") == [3, 0, 30, 0, "ok"]
    assert counts(table, "validation", "valid", "train") == [2, 0, 20, 0, "ok"]


def test_one_base_of_an_exclusion_is_a_leak(tmp_path: Path) -> None:
    reader = CorpusReader(write_corpus(tmp_path, CLEAN))
    exclusions = excluded(("a", 29, 41, "cmp"), ("a", 49, 52, "eqtl"), ("a", 50, 51, "cmp"))
    table, offender = prove(reader, exclusions)
    assert counts(table, "exclusions", "train", "cmp") == [3, 1, 30, 1, "leak"]
    assert counts(table, "exclusions", "train", "eqtl") == [3, 0, 30, 0, "ok"]
    # 40-50 holds 40; 45-55 holds 50.
    assert counts(table, "exclusions", "valid", "cmp") == [2, 2, 20, 2, "leak"]
    # 40-50 holds 49; 45-55 holds 49, 50, 51.
    assert counts(table, "exclusions", "valid", "eqtl") == [2, 2, 20, 4, "leak"]
    # 40 and 49; 49, 50 and 51: overlapping exclusions count once.
    assert counts(table, "exclusions", "valid", "all") == [2, 2, 20, 5, "leak"]
    assert offender == (
        "the training window a:20-30 overlaps a:29-41, excluded by cmp (a reason); build the "
        "corpus again with these exclusions"
    )


def test_a_window_on_held_out_dna_is_a_leak(tmp_path: Path) -> None:
    windows = CLEAN | {"valid": [("a", 40, 50), ("c", 13, 23)]}
    table, offender = prove(CorpusReader(write_corpus(tmp_path, windows)), excluded())
    assert counts(table, "heldout", "valid", "test") == [2, 1, 20, 1, "leak"]
    assert counts(table, "heldout", "train", "test") == [3, 0, 30, 0, "ok"]
    assert offender is not None
    assert "the validation window c:13-23 overlaps the held-out window c:10-14" in offender


@pytest.mark.parametrize(
    ("validation", "verdict"), [("paper", "measured"), ("strict", "leak"), ("pieces", "leak")]
)
def test_training_and_validation_may_overlap_as_published_only(
    tmp_path: Path, validation: str, verdict: str
) -> None:
    windows = CLEAN | {"valid": [("a", 5, 25), ("a", 50, 60)]}
    reader = CorpusReader(write_corpus(tmp_path, windows, validation=validation))
    table, offender = prove(reader, excluded())
    # 5-10 and 20-25 are covered by two training windows.
    assert counts(table, "validation", "valid", "train") == [2, 1, 30, 10, verdict]
    assert (offender is None) == (validation == "paper")


def test_touched_bases_equal_sets_of_bases() -> None:
    rng = np.random.default_rng(5)

    def some(count: int, longest: int) -> pd.DataFrame:
        starts = rng.integers(0, 300, count)
        return pd.DataFrame(
            {
                "chrom": rng.choice(["a", "b", "c"], count),
                "start": starts,
                "end": starts + rng.integers(1, longest, count),
            }
        )

    windows, others = some(200, 20), some(25, 15)
    others = others[others["chrom"] != "c"]
    covered = {
        (row.chrom, base) for row in others.itertuples() for base in range(row.start, row.end)
    }
    slow = [
        sum((row.chrom, base) in covered for base in range(row.start, row.end))
        for row in windows.itertuples()
    ]
    assert touched_bases(windows, others).tolist() == slow
    assert 0 < np.count_nonzero(slow) < len(slow)


def test_other_names_of_chromosomes_prove_nothing(tmp_path: Path) -> None:
    windows = {
        split: [("chr1", lo, hi) for _, lo, hi in rows]
        for split, rows in {**CLEAN, "test": [("x", 90, 99)]}.items()
    }
    reader = CorpusReader(write_corpus(tmp_path, windows))
    with pytest.raises(GenezipError, match="name chromosomes differently"):
        prove(reader, excluded(("1", 0, 5, "cmp")))


def test_damaged_shards_are_one_sentence(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path, CLEAN)
    shard = tmp_path / "train" / "shard-00001.parquet"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-9])
    with pytest.raises(GenezipError, match="cannot be read"):
        prove(CorpusReader(manifest), excluded())
    shard.unlink()
    with pytest.raises(GenezipError, match="does not exist; build"):
        prove(CorpusReader(manifest), excluded())
    shard.write_bytes((tmp_path / "valid" / "shard-00001.parquet").read_bytes())
    with pytest.raises(GenezipError, match="does not hold 2 train windows"):
        prove(CorpusReader(manifest), excluded())


def test_the_command_fails_on_a_leak_and_writes_its_table(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    manifest = write_corpus(tmp_path / "corpus", CLEAN)
    bed, out = tmp_path / "exclusions.bed.gz", tmp_path / "leakage.tsv"
    arguments = ["leakage", "prove", manifest, "--exclusions", bed, "--out", out]
    write_exclusions(bed, excluded())
    assert call(*arguments) == 0
    assert "measured: 0 of 2 valid windows (0.00% of their bases)" in capsys.readouterr().err
    clean = pd.read_csv(out, sep="\t")
    write_exclusions(bed, excluded(("b", 9, 12, "bed")))
    assert call(*arguments) == 1
    assert "genezip: the training window b:0-10 overlaps b:9-12" in capsys.readouterr().err
    leaky = pd.read_csv(out, sep="\t")
    assert len(leaky) == len(clean) + 2
    assert leaky["verdict"].eq("leak").sum() == 2  # by bed, and by all


def test_the_homology_command_reads_settings_from_the_corpus(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    resources = tmp_path / "resources"
    simulate(resources, 60_000, 30_000, 30_000)
    manifest = write_corpus(tmp_path / "corpus", CLEAN, homology_k=21, homology_sample=4)
    arguments = ["leakage", "homology", "--source", resources / "source.json"]
    arguments += ["--manifest", manifest, "--out", tmp_path / "homology.tsv"]
    assert call(*arguments) == 0
    table = pd.read_csv(tmp_path / "homology.tsv", sep="\t")
    assert tuple(table.columns) == HOMOLOGY_COLUMNS
    assert table["chrom"].tolist() == ["sim3", "sim3", "all", "all"]
    assert table[["k", "sample"]].drop_duplicates().values.tolist() == [[21, 4]]
    assert (table["kmers"] > 0).all()
    value = json.loads(manifest.read_text())
    inputs = {"source": sha256_file(resources / "pieces.tsv")}
    manifest.write_text(json.dumps(value | {"provenance": {"inputs": inputs}}))
    assert call(*arguments) == 1
    capsys.readouterr()
    (resources / "source.json").unlink()
    assert call(*arguments) == 1
    assert "source.json does not exist; run `genezip fetch` first" in capsys.readouterr().err


@pytest.mark.slow
def test_the_table_of_a_leak_outlives_the_failed_rule(repo: Path, tmp_path: Path) -> None:
    """Snakemake deletes the outputs of a job that fails."""
    corpus = tmp_path / "results" / "corpus"
    write_corpus(corpus / "sim", CLEAN)
    layers = [repo / "config" / "config.yaml", repo / "tests" / "workflow" / "config.yaml"]
    target = "results/corpus/sim/leakage.tsv"
    kept = tmp_path / "logs" / "leakage" / "sim.tsv"

    def prove_by_rule() -> int:
        return snakemake(
            tmp_path, "--snakefile", repo / "workflow" / "Snakefile", "--cores", "1",
            "--configfile", *layers, "--allowed-rules", "leakage", "--", target,
        ).returncode  # fmt: skip

    write_exclusions(corpus / "exclusions.bed.gz", excluded(("b", 9, 12, "bed")))
    assert prove_by_rule() == 1
    assert not (tmp_path / target).exists()
    assert pd.read_csv(kept, sep="\t")["verdict"].eq("leak").sum() == 2
    assert "overlaps b:9-12" in (kept.parent / "sim.log").read_text()
    write_exclusions(corpus / "exclusions.bed.gz", excluded())
    assert prove_by_rule() == 0
    assert (tmp_path / target).exists()
    assert not kept.exists()  # it told of a leak that is gone
