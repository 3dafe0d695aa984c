"""How the workflow starts training: GPUs, initial weights, settings of one model."""

import json
import re
from pathlib import Path

import pytest
from toolkit.configurations import refusal
from toolkit.snakemake_runs import snakemake

STAGES = """
scale: test
models:
  genezip-70m: {pretrain: {steps: 7}}
  second: {architecture: genezip-70m, uniform_bpt: 64, init_from: genezip-70m}
  third: {architecture: genezip-70m, uniform_bpt: 64, init_from: elsewhere/model}
"""


def plan(repo: Path, folder: Path, overlay: str, target: str, *options: str) -> str:
    """Shell commands of a dry run in an empty folder."""
    (folder / "overlay.yaml").write_text(overlay)
    files = [repo / "config" / "config.yaml", folder / "overlay.yaml"]
    done = snakemake(
        folder, "-n", "-p", "--cores", "16", "--snakefile", repo / "workflow" / "Snakefile",
        *options, "--configfile", *files,
        "--", f"results/pretrain/{target}.seed0/model.safetensors",
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize(
    ("gpus", "start"),
    [
        (1, ".log genezip pretrain --corpus"),
        (8, ".log torchrun --standalone --nproc-per-node 8 -m genezip pretrain --corpus"),
    ],
)
def test_one_process_per_gpu(repo: Path, tmp_path: Path, gpus: int, start: str) -> None:
    options = ["--set-resources", f"pretrain:gpu={gpus}"]
    planned = plan(repo, tmp_path, "scale: full", "genezip-70m", *options)
    assert start in planned, planned
    assert "--threads 8" in planned


def test_a_second_stage_begins_with_the_weights_of_the_first(repo: Path, tmp_path: Path) -> None:
    planned = plan(repo, tmp_path, STAGES, "second")
    commands = [line for line in planned.splitlines() if " pretrain --corpus" in line]
    assert len(commands) == 2, planned
    assert "--name genezip-70m" in commands[0] and "--init-from" not in commands[0]
    assert "--init-from results/pretrain/genezip-70m.seed0 " in commands[1]
    settings = [json.loads(re.findall(r"--settings '([^']+)'", line)[0]) for line in commands]
    assert settings[1] == {**settings[0], "steps": 30_600}
    assert settings[0]["steps"] == 7


def test_weights_of_another_run_must_be_there(repo: Path, tmp_path: Path) -> None:
    planned = plan(repo, tmp_path, STAGES, "third")
    assert "Missing input files" in planned
    assert "elsewhere/model.seed0/model.safetensors" in planned


@pytest.mark.parametrize(
    ("overlay", "sentence"),
    [
        (STAGES.replace("elsewhere/model", "nobody"), "models.third.init_from names 'nobody'"),
        (STAGES.replace("elsewhere/model", "third"), "init_from is circular: third from third"),
        (STAGES.replace("steps: 7", "stepz: 7"), "stepz"),
    ],
)
def test_wrong_models_are_refused(repo: Path, tmp_path: Path, overlay: str, sentence: str) -> None:
    (tmp_path / "wrong.yaml").write_text(overlay)
    assert sentence in refusal(repo, tmp_path / "wrong.yaml")


def test_a_second_kind_of_network_trains_with_its_name_and_stages(
    repo: Path, tmp_path: Path
) -> None:
    overlay = """
scale: test
models:
  pairs: {compressor: dnahnet, architecture: dnahnet-tiny, uniform_bpt: 4, stage_bpt: [2, 2]}
"""
    (command,) = [
        line for line in plan(repo, tmp_path, overlay, "pairs").splitlines() if " pretrain " in line
    ]
    assert "--uniform-bpt 4.0 --stage-bpt 2.0 --stage-bpt 2.0 " in command
    assert "--compressor dnahnet " in command
