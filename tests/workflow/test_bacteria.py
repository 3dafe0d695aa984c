"""The configuration of bacteria: what is planned for a source of several genomes."""

import re
from pathlib import Path

from toolkit.snakemake_runs import jobs_of, snakemake

LAYERS = ("config", "demo", "bacteria")


def planned(repo: Path, folder: Path, *layers: str) -> tuple[dict[str, int], str]:
    """Jobs by rule of the target ``all``, and the text of the plan."""
    files = [repo / "config" / f"{name}.yaml" for name in layers]
    done = snakemake(
        folder, "--snakefile", repo / "workflow" / "Snakefile", "-n", "-p", "--cores", "2",
        "--configfile", *files, "--", "all",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return jobs_of(done.stdout), done.stdout


def test_every_network_is_trained_and_asked_about_genes(repo: Path, tmp_path: Path) -> None:
    jobs, plan = planned(repo, tmp_path, *LAYERS)
    # three networks; the flat one has no boundaries; each zero-shot task measures all of them
    assert (jobs["pretrain"], jobs["codon_phase"], jobs["labels"]) == (3, 2, 2)
    # a target of 6 bases per token is no region budget, and there is no bound
    assert "compress_trivially" not in jobs and "/causal/" not in plan
    assert "--compressor dnahnet" in plan and "--uniform-bpt 6" in plan
    assert jobs["label_predictions"] == 6
    *models, scored = re.findall(r"genezip labels measure essentiality.*", plan)
    assert all('"window_bp": 347' in one and "--out" not in one for one in models)
    assert scored.count("--measured ") == len(models) == 3
    assert re.search(r"codon-phase --model \S+dnahnet-fixed.*--window-bp 8192", plan)


def test_scaling_trains_more_networks_and_asks_two_of_them(repo: Path, tmp_path: Path) -> None:
    jobs, plan = planned(repo, tmp_path, *LAYERS, "bacteria-full")
    assert (jobs["pretrain"], jobs["codon_phase"], jobs["labels"]) == (13, 2, 2)
    (scaling,) = re.findall(r"genezip evaluate scaling.*", plan)
    assert scaling.count("--model ") == scaling.count("--compressed ") == 13
    *models, scored = re.findall(r"genezip labels measure essentiality.*", plan)
    assert scored.count("--measured ") == len(models) == 2 and '"window_bp": 8192' in scored
    assert "--uniform-bpt 4.0 --stage-bpt 2.0 --stage-bpt 2.0" in plan
