"""Networks that predict masked bases: what is planned, and a whole run of them."""

import re
from pathlib import Path

import pandas as pd
import pytest
from toolkit.configurations import refusal
from toolkit.snakemake_runs import jobs_of, snakemake

OVERLAY = """
models:
  genezip-tiny: null
  hnet-tiny: null
  ldarnet: {compressor: ldarnet, architecture: ldarnet-tiny, uniform_bpt: 4, seeds: [0, 1]}
  second: {compressor: ldarnet, architecture: ldarnet-tiny, uniform_bpt: 4,
           pretrain: {protect_masked: true}}
pretrain: {steps: 10, warmup_steps: 1, decay: wsd, final_lr_fraction: 0.05}
masked: {width: 2, bootstrap: 50, block_bp: 16384, heldout_bp: 20000, batch: 1}
report: {reference: ldarnet, control: second}
"""


def arguments(repo: Path, folder: Path) -> list[str | Path]:
    """Options of the workflow at test size with the models above."""
    (folder / "masked.yaml").write_text(OVERLAY)
    layers = [repo / "config" / "config.yaml", repo / "tests" / "workflow" / "config.yaml"]
    call: list[str | Path] = ["--snakefile", repo / "workflow" / "Snakefile", "--cores", "2"]
    return [*call, "--configfile", *layers, folder / "masked.yaml", "--"]


def test_each_run_is_measured_beside_one_set_of_markov_models(repo: Path, tmp_path: Path) -> None:
    """Two seeds and one; the causal bound is left out, as there is none for both directions."""
    done = snakemake(tmp_path, "-n", "-p", *arguments(repo, tmp_path), "all")
    assert done.returncode == 0, done.stdout
    jobs = jobs_of(done.stdout)
    assert (jobs["pretrain"], jobs["masked"], jobs["masked_markov"]) == (3, 3, 1)
    assert "/causal/" not in done.stdout
    commands = re.findall(r"genezip evaluate masked --model (\S+) .*", done.stdout)
    assert sorted(commands) == [
        f"results/pretrain/{run}" for run in ("ldarnet.seed0", "ldarnet.seed1", "second.seed0")
    ]
    (counted,) = re.findall(r"genezip evaluate masked-markov .*", done.stdout)
    assert '"width": 2' in counted and "--windows results/masked/markov.parquet" in counted
    trained = re.findall(r"genezip pretrain .*--name second.*", done.stdout)
    assert '"protect_masked": true' in trained[0] and "--compressor ldarnet" in trained[0]


def test_a_schedule_without_a_fall_is_refused(repo: Path, tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("pretrain: {decay: wsd, steps: 1000}")
    sentence = refusal(repo, tmp_path / "wrong.yaml")
    assert "decay wsd has no step left for its fall: 1000 steps, 500 of them warm-up" in sentence


@pytest.mark.slow
def test_masked_bases_from_genome_to_report(repo: Path, tmp_path: Path) -> None:
    """Trained, compressed without any likelihood, measured, and on the page."""
    call = arguments(repo, tmp_path)
    done = snakemake(tmp_path, "--directory", tmp_path, *call, "all", timeout=900)
    assert done.returncode == 0, done.stdout[-6000:]
    for log in (tmp_path / "logs").rglob("*.log"):
        assert "Traceback" not in log.read_text(), log
    results = tmp_path / "results"
    table = pd.read_csv(results / "compress" / "compression.tsv", sep="\t")
    assert "bpt" in set(table.loc[table["model"] == "ldarnet", "metric"])
    assert not set(table["metric"]) & {"ppl", "bits_per_base"}, "no next base is predicted"
    own = pd.read_csv(results / "masked" / "ldarnet.seed1.tsv", sep="\t")
    assert {"mask_bits", "masked_bpt", "mask_bits_difference"} <= set(own["metric"])
    page = (results / "report.html").read_text(encoding="utf-8")
    assert 'id="masked-bases"' in page and "bits per masked base" in page
    figure = pd.read_csv(results / "figures" / "masked.tsv", sep="\t")
    assert {"validation, with masks", "validation, without masks"} <= set(figure["quantity"])
    again = snakemake(tmp_path, "--directory", tmp_path, *call, "all")
    assert "Nothing to be done" in again.stdout
