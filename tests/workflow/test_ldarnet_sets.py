"""The configurations of LDARNet's classification sets: what is planned, and with which settings."""

import json
import re
from pathlib import Path

import pytest
from toolkit.snakemake_runs import snakemake

MARKS = ("H3", "H4", "H3K4me1", "H3K4me3", "H3K9ac")
GUE = ("tf_2", "tf_3", "prom_core_tata", "prom_300_tata")
LABELS = """
labels: {tasks: [classification], models: [genezip-tiny, hnet-tiny], every_seed: true}
"""


def plan(repo: Path, folder: Path, own: str, *names: str, target: str) -> str:
    (folder / "own.yaml").write_text(own)
    layers = [repo / "config" / f"{name}.yaml" for name in ("config", "demo", *names)]
    done = snakemake(
        folder, "--snakefile", repo / "workflow" / "Snakefile", "-n", "-p", "--cores", "2",
        "--configfile", *layers, folder / "own.yaml", "--", target,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


def settings_of(command: str) -> dict:
    found = re.search(r"--settings '(.*?)'", command)
    assert found
    return json.loads(found[1])


def test_all_sets_ten_fits_and_the_grid(repo: Path, tmp_path: Path) -> None:
    names = ("ldarnet-sets", "ldarnet-grid")
    out = plan(repo, tmp_path, "{}", *names, target="results/tables/classification.tsv")
    predict = re.findall(r"genezip dnalongbench predict classification.*", out)
    tuned = [one for one in predict if "--mode full" in one]
    sets = {re.search(r"--subset (\S+)", one)[1] for one in tuned}  # type: ignore[index]
    assert sets == {*MARKS, *GUE}
    # reference, control and their frozen probes, the CNN; one job has all ten fits of a set
    assert len(tuned) == 2 * len(sets) and len(predict) == 5 * len(sets)
    for one in tuned:
        chosen = settings_of(one)
        assert (chosen["validation_folds"], chosen["patience"], chosen["halve_after"]) == (10, 5, 2)
        assert chosen["every_epoch"] and chosen["epochs"] == 100 and chosen["warmup"] == 0
        grid = chosen["grid"]
        points = {(batch, rate) for batch in grid["batch"] for rate in grid["learning_rate"]}
        assert len(points) == 36 and (64, 1e-4) in points
    (fetch,) = re.findall(r"genezip labels fetch.*", out)
    assert settings_of(fetch)["sets"] == [f"nt_{mark}" for mark in MARKS]
    schemes = {tuple(settings_of(one)["schemes"]) for one in
               re.findall(r"genezip dnalongbench prepare classification.*", out)}  # fmt: skip
    assert schemes == {("official", "pool", "unseen", "chromosome")}


@pytest.mark.slow
def test_probes_of_every_seed_and_of_the_untrained_network(repo: Path, tmp_path: Path) -> None:
    own = LABELS.replace("every_seed: true", "every_seed: true, untrained: true")
    own += "models: {genezip-tiny: {seeds: [0, 1]}}\n"
    own += "benchmarks: {classification: {subsets: {H3: nt_H3}, schemes: [pool], train_rows: 99}}\n"
    out = plan(repo, tmp_path, own, target="results/labels/classification.tsv")
    *_, scored = re.findall(r"genezip labels measure classification.*", out)
    models = re.findall(r"--measured \S+/(\S+)\.parquet", scored)
    assert models == [
        "genezip-tiny.seed0", "genezip-tiny.seed1", "hnet-tiny.seed0",
        "genezip-tiny.seed0.untrained", "genezip-tiny.seed1.untrained",
    ]  # fmt: skip
    assert sorted(re.findall(r"--untrained \S+/(\S+)", out)) == models[:2]
    assert settings_of(scored)["train_rows"] == 99
