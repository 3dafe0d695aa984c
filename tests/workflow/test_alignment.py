"""Boundary alignment is planned for every run of every model that cuts, and only on request."""

import re
from pathlib import Path

import pytest
import yaml
from toolkit.snakemake_runs import snakemake


@pytest.mark.slow
@pytest.mark.parametrize("kinds", [[], ["donor", "tata"]])
def test_every_run_is_measured_where_kinds_are_named(
    repo: Path, tmp_path: Path, kinds: list[str]
) -> None:
    overlay = {
        "alignment": {"kinds": kinds, "sites": 77},
        "models": {"hnet-tiny": {"seeds": [0, 1]}, "grid": {"compressor": "fixed", "stride": 4}},
    }
    (tmp_path / "overlay.yaml").write_text(yaml.safe_dump(overlay))
    layers = [*(repo / "config" / f"{name}.yaml" for name in ("config", "demo")), "overlay.yaml"]
    done = snakemake(
        tmp_path, "--snakefile", repo / "workflow" / "Snakefile", "-n", "-p", "--cores", "2",
        "--configfile", *layers, "--", "all",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    planned = re.findall(r"genezip evaluate alignment --model (\S+)", done.stdout)
    expected = ["genezip-tiny.seed0", "hnet-tiny.seed0", "hnet-tiny.seed1", "grid.seed0"]
    assert sorted(planned) == sorted(f"results/pretrain/{run}" for run in expected if kinds)
    if kinds:
        assert '"sites": 77' in done.stdout and "--transcripts" in done.stdout
