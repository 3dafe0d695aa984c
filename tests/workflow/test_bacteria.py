"""The configuration of bacteria: what is planned for a source of several genomes."""

import re
from pathlib import Path

from toolkit.snakemake_runs import snakemake

LAYERS = ("config", "demo", "bacteria")


def test_every_network_is_trained_and_asked_about_genes(repo: Path, tmp_path: Path) -> None:
    layers = [repo / "config" / f"{name}.yaml" for name in LAYERS]
    done = snakemake(
        tmp_path, "--snakefile", repo / "workflow" / "Snakefile", "-n", "-p", "--cores", "2",
        "--configfile", *layers, "--", "all",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    table = done.stdout.split("Job stats:", 1)[1].split("total", 1)[0]
    jobs = {name: int(n) for name, n in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}
    # three networks; the flat one has no boundaries; each zero-shot task measures all of them
    assert (jobs["pretrain"], jobs["codon_phase"], jobs["labels"]) == (3, 2, 2)
    # a target of 6 bases per token is no region budget, and there is no bound
    assert "compress_trivially" not in jobs and "/causal/" not in done.stdout
    assert "--compressor dnahnet" in done.stdout and "--uniform-bpt 6" in done.stdout
    (measured,) = re.findall(r"genezip labels measure essentiality.*", done.stdout)
    assert measured.count("--model ") == 3 and '"window_bp": 347' in measured
    assert re.search(r"codon-phase --model \S+dnahnet-fixed.*--window-bp 8192", done.stdout)
