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


GUIDED = """
scale: test
models:
  learned: {compressor: ldarnet, architecture: ldarnet-tiny, uniform_bpt: 4, seeds: [0, 1]}
  even:
    compressor: ldarnet
    architecture: ldarnet-tiny-even
    uniform_bpt: 4
    seeds: [0, 1]
    guide: learned
"""


def plan(repo: Path, folder: Path, overlay: str, target: str, *options: str) -> str:
    """Shell commands of a dry run in an empty folder; ``target`` is a model, or a file."""
    file = target if "/" in target else f"results/pretrain/{target}.seed0/model.safetensors"
    (folder / "overlay.yaml").write_text(overlay)
    files = [repo / "config" / "config.yaml", folder / "overlay.yaml"]
    done = snakemake(
        folder, "-n", "-p", "--cores", "16", "--snakefile", repo / "workflow" / "Snakefile",
        *options, "--configfile", *files,
        "--", file,
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


def test_several_nodes_have_an_agent_each(repo: Path, tmp_path: Path) -> None:
    def planned(gpus: int) -> str:
        options = ["--set-resources", "pretrain:nodes=2", f"pretrain:gpu={gpus}"]
        return plan(repo, tmp_path, "scale: full", "genezip-70m", *options)

    assert ".log on_nodes 2 8 -m genezip pretrain --corpus" in planned(16)
    assert "9 GPUs cannot be shared equally by 2 nodes" in planned(9)


def test_a_second_stage_begins_with_the_weights_of_the_first(repo: Path, tmp_path: Path) -> None:
    planned = plan(repo, tmp_path, STAGES, "second")
    commands = [line for line in planned.splitlines() if " pretrain --corpus" in line]
    assert len(commands) == 2, planned
    assert "--name genezip-70m" in commands[0] and "--init-from" not in commands[0]
    assert "--init-from results/pretrain/genezip-70m.seed0 " in commands[1]
    settings = [json.loads(re.findall(r"--settings '([^']+)'", line)[0]) for line in commands]
    assert settings[1] == {**settings[0], "steps": 30_600}
    assert settings[0]["steps"] == 7


def test_controls_are_trained_with_their_guides_and_compared(repo: Path, tmp_path: Path) -> None:
    planned = plan(repo, tmp_path, GUIDED, "results/matched/human-12.8k.tsv")
    commands = [line for line in planned.splitlines() if " pretrain --corpus" in line]
    by_run = {tuple(re.findall(r"--seed (\d) --name (\w+)", line)[0]): line for line in commands}
    assert set(by_run) == {(seed, name) for seed in "01" for name in ("learned", "even")}
    for (seed, name), line in by_run.items():
        guide = re.findall(r"--guide (\S+)", line)
        assert guide == ([f"results/pretrain/learned.seed{seed}"] if name == "even" else [])
    (compared,) = [line for line in planned.splitlines() if "evaluate matched" in line]
    folders = re.findall(r"--model results/pretrain/(\S+)", compared)
    assert folders == ["learned.seed0", "even.seed0", "learned.seed1", "even.seed1"]


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
        (
            GUIDED.replace("guide: learned", "guide: nobody"),
            "models.even.guide names 'nobody', which is no network in models",
        ),
        (
            GUIDED.replace("guide: learned", "guide: even"),
            "models.even.guide names 'even', which has a guide itself; name a learned model",
        ),
        (
            GUIDED.replace("[0, 1]}", "[0]}"),
            "models.even.guide names 'learned', which has no seed 1; give both the same seeds",
        ),
        (
            GUIDED.replace("uniform_bpt: 4, seeds", "uniform_bpt: 4, init_from: even, seeds"),
            "models.even.guide names 'learned', whose initial weights come from even",
        ),
        (
            GUIDED.replace("uniform_bpt: 4, seeds", "uniform_bpt: 4, corpus: human-128k, seeds"),
            "models.even.guide names 'learned', which has another corpus",
        ),
        (
            GUIDED.replace("    guide: learned\n", ""),
            "models.even: the router guided_even rearranges the tokens of a learned model; name it",
        ),
        (
            GUIDED.replace("ldarnet-tiny-even", "ldarnet-tiny"),
            "models.even.guide names 'learned', but its architecture has no router guided_even",
        ),
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
