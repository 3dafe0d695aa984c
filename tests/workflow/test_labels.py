"""Rules of real labels on a machine without the folder GENEZIP_MIRROR, and without network."""

import json
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from toolkit.networks import save_toy, small_network
from toolkit.snakemake_runs import snakemake

from genezip.config import Genome
from genezip.genome.sources.fetch import fetch

RULES = ("labels_fetch", "label_predictions", "labels")
TARGET = "results/labels/enhancer_gene.tsv"
SIMULATED = Genome.model_validate(
    {"sources": ["simulated"], "simulation": {"chromosome_bp": [20_000], "valid": [], "test": []}}
)


def run(
    repo: Path, cwd: Path, *arguments: str | Path, mirror: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the rules; what they read of other rules is there already."""
    environment = {"GENEZIP_FETCHED": str(cwd / "fetched")}  # so that no server is asked
    if mirror is not None:
        environment["GENEZIP_MIRROR"] = str(mirror)
    layers = [repo / "config" / "config.yaml", repo / "tests" / "workflow" / "config.yaml"]
    layers.append(cwd / "own.yaml")
    return snakemake(
        cwd, "--snakefile", repo / "workflow" / "Snakefile", "--cores", "1",
        "--configfile", *layers, *arguments, "--allowed-rules", *RULES, "--", TARGET,
        **environment,
    )  # fmt: skip


@pytest.mark.slow
def test_without_the_folder_the_rules_end_well_and_say_why(repo: Path, tmp_path: Path) -> None:
    """A folder that is named later is then asked for."""
    (tmp_path / "own.yaml").write_text("labels: {tasks: [enhancer_gene]}\n")
    for name in ("genezip-tiny", "hnet-tiny"):
        save_toy(
            tmp_path / "results" / "pretrain" / f"{name}.seed0", small_network(), seed=0, name=name
        )
    (tmp_path / "fetched").mkdir()
    source = fetch(SIMULATED, tmp_path / "resources").folder / "source.json"
    raw = json.loads(source.read_text())
    source.write_text(json.dumps(raw | {"source": "download", "build": "hg38"}))
    done = run(repo, tmp_path)
    assert done.returncode == 0, done.stdout[-6000:]
    (row,) = pd.read_csv(tmp_path / TARGET, sep="\t").to_dict("records")
    assert row["model"] == "labels"
    assert "GENEZIP_MIRROR is not set" in row["note"]
    assert "lacks labels/EPCrisprBenchmark" in row["note"]
    assert "none for enhancer_gene" in done.stdout
    predictions = tmp_path / "results/labels/predictions/enhancer_gene.parquet"
    assert len(pd.read_parquet(predictions)) == 0

    again = run(repo, tmp_path, "-n")
    assert "Nothing to be done" in again.stdout, again.stdout[-3000:]
    later = run(repo, tmp_path, "-n", mirror=tmp_path / "mirror")
    assert "Fetch real labels" in later.stdout, later.stdout[-3000:]
    assert "Params have changed" in later.stdout
