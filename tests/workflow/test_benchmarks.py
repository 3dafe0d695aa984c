"""Tasks of DNALongBench through the workflow: made-up deposits in, scores and tables out."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from toolkit.deposits import cmp, pairs, rsap, tisp
from toolkit.snakemake_runs import snakemake

OWN = """
benchmarks:
  models: [genezip-tiny]
  bootstrap: 100
  cnn: false
  eqtl:
    subsets: {blood: Whole_Blood}
    arms: [authors.frozen, full.frozen, contrast.frozen]
"""
ALL = """
benchmarks:
  models: [genezip-tiny]
  bootstrap: 100
  eqtl: {subsets: {blood: Whole_Blood}, epochs: 1}
  etgp: {epochs: 1, evaluate_every: 20}
  cmp: {subsets: {HFF: HFF}, genome: GENOME, steps: 1, batch: 1, evaluate_every: 1}
  tisp: {steps: 2, batch: 1, train_windows: 4, evaluate_every: 1}
  rsap: {steps: 4, batch: 2, evaluate_every: 2}
"""


def run(repo: Path, folder: Path, *targets: str, timeout: int, dry: bool = False) -> str:
    """Snakemake in a folder that holds ``own.yaml`` and the deposits; its output."""
    layers = [repo / "config" / "config.yaml", repo / "tests" / "workflow" / "config.yaml"]
    done = snakemake(
        folder, "--snakefile", repo / "workflow" / "Snakefile", "--cores", "2",
        "--configfile", *layers, folder / "own.yaml", *(["-n"] if dry else []), "--", *targets,
        timeout=timeout,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout


def fetched(*listings: Path) -> None:
    """Make deposits look fetched: the list of all files is younger than that of the intervals."""
    for listing in listings:
        small = listing.with_name(f"{listing.stem}.intervals.json")
        small.write_text(listing.read_text())
        os.utime(small, (1, 1))


@pytest.mark.slow
def test_a_planted_effect_goes_from_the_deposit_to_the_table(repo: Path, tmp_path: Path) -> None:
    """The variant decides the label; distance says little; the hidden variant says nothing."""
    deposits = tmp_path / "resources" / "dnalongbench"
    deposits.mkdir(parents=True)
    fetched(pairs.write_eqtl(deposits, more=72, cases=False))
    (tmp_path / "own.yaml").write_text(OWN)
    targets = ("results/eqtl/blood.tsv", "results/tables/table3_eqtl.tsv")
    run(repo, tmp_path, *targets, timeout=400)

    scores = pd.read_csv(tmp_path / "results" / "eqtl" / "blood.tsv", sep="\t")
    test = scores[(scores["split"] == "test") & (scores["rule"] == "gene")]
    by = test.set_index(["model", "input", "metric"])["value"]
    assert by["genezip-tiny", "contrast", "auroc_hidden"] == 0.5
    assert by["genezip-tiny", "contrast", "auroc"] > 0.8
    assert by["genezip-tiny", "full", "auroc_gain"] > 0.1
    assert abs(by["genezip-tiny", "authors", "auroc_gain"]) < 0.05  # most variants are cut off
    assert set(test["model"]) >= {"distance", "distance_gc", "class_prior", "gene_rate"}
    assert (scores["scale"] == "test").all() and (scores["origin"] == "measured").all()
    table = pd.read_csv(tmp_path / "results" / "tables" / "table3_eqtl.tsv", sep="\t")
    published = table[(table["origin"] == "paper") & (table["model"] == "GeneZip")]
    assert published["value"].tolist() == [0.821]
    assert table["difference"].isna().all()  # this scale is not comparable

    again = tmp_path / "again.tsv"
    files = sorted((tmp_path / "results" / "eqtl" / "predictions" / "blood").glob("*.parquet"))
    options = [option for file in files for option in ("--from-predictions", str(file))]
    subprocess.run(
        [sys.executable, "-m", "genezip", "evaluate", *options, "--bootstrap", "100",
         "--scale", "test", "--out", again],
        check=True, timeout=120,
    )  # fmt: skip
    key = ["model", "input", "rule", "split", "metric"]
    first, second = (
        table.sort_values(key, kind="stable").reset_index(drop=True)
        for table in (scores, pd.read_csv(again, sep="\t"))
    )
    pd.testing.assert_frame_equal(first, second)

    # another tissue, and another look of the page, rerun nothing of this one
    changed = OWN.replace("{blood:", "{artery: Artery_Tibial, blood:")
    (tmp_path / "own.yaml").write_text(changed + "report: {locus: 'sim4:10000-40000'}\n")
    assert "Nothing to be done" in run(repo, tmp_path, targets[0], timeout=60, dry=True)


@pytest.mark.slow
def test_every_task_with_every_kind_of_head(repo: Path, tmp_path: Path) -> None:
    """Contact maps at their true size, initiation, LoRA, fine-tuning and the CNN: all to tables."""
    deposits = tmp_path / "resources" / "dnalongbench"
    deposits.mkdir(parents=True)
    fetched(
        pairs.write_eqtl(deposits, more=20),
        pairs.write_etgp(deposits, more=20),
        cmp.write(deposits),
        tisp.write(deposits),
        rsap.write(deposits),
    )
    (tmp_path / "own.yaml").write_text(ALL.replace("GENOME", str(deposits / cmp.GENOME)))
    tables = ("table2_contact_map", "table3_eqtl", "table7_etgp", "tisp", "rsap")
    run(repo, tmp_path, *(f"results/tables/{name}.tsv" for name in tables), timeout=3600)
    for name in tables:
        table = pd.read_csv(tmp_path / "results" / "tables" / f"{name}.tsv", sep="\t")
        ours = table[table["origin"] == "measured"]
        assert {"genezip-tiny", "cnn"} <= set(ours["model"]), name
        empty = ours[ours["value"].isna()]
        assert empty["note"].notna().all(), name
