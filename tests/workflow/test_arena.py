"""The arena in a workflow: what is planned, and the tutorial of a new compressor, as it stands."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toolkit.command_line import succeed
from toolkit.configurations import refusal
from toolkit.snakemake_runs import jobs_of, snakemake

from genezip import config
from genezip.models.hnet.architecture import architecture
from genezip.models.hnet.flops import flops

# Small, with a further simulated genome.
OVERLAY = """
evaluation: {arena: true}
models:
  hnet-tiny: {architecture: stride-tiny, match_bpt: null, uniform_bpt: 128}
  fixed-3: {compressor: fixed, stride: 3}
arena:
  beside: {genezip-tiny: [hnet-tiny]}
  elsewhere:
    moon:
      genome: {build: moon, sources: [simulated], chromosomes: null, test: [],
               simulation: {chromosome_bp: [30000, 30000, 20000, 40000], seed: 7}}
      regions: {nig_distance: 5000}
      corpus: {window_bp: 2048, train_windows: 1, valid_windows: 0, validation: pieces,
               heldout_window_bp: 4096, homology_max_shared: null}
  recall_bp: [512, 2048]
  recall_copies: 4
  speed_bp: 2048
  bootstrap: 50
stability: {changes: 5, bootstrap: 50, shifts: 5, strand_bp: 20000}
"""


def blocks(kind: str) -> list[str]:
    """Code blocks of a kind in the tutorial."""
    repo = Path(__file__).resolve().parents[2]
    text = (repo / "docs" / "tutorials" / "new-compressor.md").read_text(encoding="utf-8")
    return re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)


@pytest.fixture
def project(repo: Path, tmp_path: Path) -> Path:
    """A folder of a user, with the class and the line of the tutorial."""
    succeed("init", tmp_path / "project")
    tmp_path = tmp_path / "project"
    own = tmp_path / "Snakefile"  # without the layer of the demo, as a user edits it
    own.write_text(own.read_text().replace('configfile: GENEZIP / "config" / "demo.yaml"\n', ""))
    (tmp_path / "arena.yaml").write_text(OVERLAY)
    (code,) = blocks("python")
    assert len(code.splitlines()) <= 40
    (tmp_path / "steps_at_cpg.py").write_text(code)
    line = blocks("yaml")[0]
    assert len(line.splitlines()) == 1
    (tmp_path / "mine.yaml").write_text(line)
    return tmp_path


def call(repo: Path, *more: Path) -> list[str | Path]:
    layers = [repo / "config" / "config.yaml", repo / "tests" / "workflow" / "config.yaml"]
    return ["--cores", "2", "--configfile", *layers, *more, "--"]


def test_every_system_is_measured_in_every_way(repo: Path, project: Path) -> None:
    layers = [project / "arena.yaml", project / "mine.yaml"]
    done = snakemake(project, "-n", *call(repo, *layers), "results/report.html")
    assert done.returncode == 0, done.stdout
    jobs = jobs_of(done.stdout)
    assert (jobs["adopt"], jobs["pretrain"], jobs["fixed_tokens"]) == (1, 2, 1)
    for rule, systems in {"recall": 4, "cost": 4, "stability": 4, "token_ids": 2}.items():
        assert jobs[rule] == systems, rule
    assert (jobs["recall_mixing"], jobs["arena"], jobs["arena_elsewhere"]) == (1, 1, 1)
    # four systems, and the causal bound of the one that has a bound
    assert jobs["compress_elsewhere"] == 6 - 1 + 1
    (project / "second.yaml").write_text("arena: {second_view: [fixed-3]}")
    seen = snakemake(project, "-n", *call(repo, *layers, project / "second.yaml"), "all")
    fewer = {rule: jobs[rule] - jobs_of(seen.stdout)[rule] for rule in jobs}
    apart = {rule for rule, count in fewer.items() if count}
    assert apart == {"recall", "stability", "compress_elsewhere"}
    without = snakemake(project, "-n", *call(repo), "results/report.html")
    assert not {"recall", "cost", "arena", "adopt"} & set(jobs_of(without.stdout))


def test_a_wrong_line_is_one_sentence(repo: Path, tmp_path: Path) -> None:
    for text, sentence in {
        "models: {x: {compressor: nothing}}": "compressor must be one of genezip, dnahnet",
        "models: {x: {compressor: folder}}": "folder belongs to compressor `folder`",
        "models: {x: {compressor: 'a:B', folder: c}}": "folder belongs to compressor `folder`",
        "arena: {second_view: [x]}": "arena.second_view names 'x', which is not in models",
        "arena: {beside: {x: [genezip-tiny]}}": "arena.beside.x names 'x', which is not in models",
    }.items():
        (tmp_path / "wrong.yaml").write_text(text)
        assert sentence in refusal(repo, tmp_path / "wrong.yaml")


@pytest.mark.slow
def test_the_tutorial_from_class_to_verdict(repo: Path, project: Path) -> None:
    first = call(repo, project / "arena.yaml")
    done = snakemake(project, *first, "results/report.html", timeout=900)
    assert done.returncode == 0, done.stdout[-6000:]
    entered = call(repo, project / "arena.yaml", project / "mine.yaml")
    done = snakemake(project, *entered, "results/report.html", timeout=900)
    assert done.returncode == 0, done.stdout[-6000:]
    jobs = jobs_of(done.stdout)
    assert jobs["adopt"] == jobs["recall"] == jobs["cost"] == jobs["compress"] == 1
    assert "pretrain" not in jobs
    for log in (project / "logs").rglob("*.log"):
        assert "Traceback" not in log.read_text(), log
    arena = project / "results" / "arena"
    for table in (arena / "tokens.tsv", arena / "elsewhere" / "moon" / "tokens.tsv"):
        rows = pd.read_csv(table, sep="\t")
        own = rows[rows["model"] == "steps-at-cpg"].set_index("metric")
        assert own.loc["rank", "value"] >= 1 and own.loc["rank", "region"] == "promoter"
        assert "steps-at-cpg - fixed_stride" in set(rows["model"])
    bits = pd.read_csv(arena / "bits.tsv", sep="\t")
    assert {"mixing", "genezip-tiny - hnet-tiny"} <= set(bits["model"])
    recall = pd.read_csv(arena / "recall" / "steps-at-cpg.seed0.tsv", sep="\t")
    assert set(recall["metric"]) == {"copy_cuts_share"}
    page = (project / "results" / "report.html").read_text(encoding="utf-8")
    assert 'id="arena"' in page and "Elsewhere: moon" in page and "steps-at-cpg" in page
    again = snakemake(project, *entered, "results/report.html")
    assert "Nothing to be done" in again.stdout


OPERATIONS = {  # architecture -> window (bp), and positions per token of each stage at its target
    "genezip-tiny": (4096, (128**0.5, 128**0.5)),
    "mamba2-tiny": (4096, ()),
    "dnahnet-tiny": (512, (3, 2)),
    "dnahnet-tiny-fixed": (512, (3, 2)),
    "ldarnet-tiny": (512, (4,)),
}


def test_the_second_view_has_the_operations_of_genezip(repo: Path) -> None:
    """At the targets; the realised ones are in results/arena/cost."""
    layers = [repo / "config" / f"{name}.yaml" for name in ("config", "demo", "arena")]
    chosen = config.load(*layers)

    def operations(name: str) -> float:
        entry, settings = chosen.networks()[name], chosen.pretrain_of(name)
        window, stages = OPERATIONS[entry.architecture]
        tokens = window / np.cumprod(np.array(stages, dtype=float))
        shape = architecture(config.read_preset("models", entry.architecture), name)
        per_window = flops(shape, np.array([window]), tokens.astype(int)[None]).item()
        return settings.steps * settings.batch * per_window

    bases = {}
    for name in chosen.networks():
        settings = chosen.pretrain_of(name)
        corpus = chosen.chosen_corpora()[chosen.networks()[name].corpus or "long"]
        bases[name] = settings.steps * settings.batch * corpus.window_bp
        if name.endswith("-flops"):
            assert operations(name) == pytest.approx(operations("genezip-tiny"), rel=0.03), name
    assert all(name.endswith("-flops") for name in chosen.arena.second_view)
    whole = {name: count for name, count in bases.items() if not name.endswith("-flops")}
    assert set(whole.values()) == {2400 * 4096}
