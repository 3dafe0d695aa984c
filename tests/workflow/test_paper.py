"""The paper's tables and figures are planned, each as a target of its own."""

import re
from pathlib import Path

import pytest
import yaml
from toolkit.snakemake_runs import jobs_of, snakemake


def plan(repo: Path, folder: Path, *names: str | Path, targets: tuple[str, ...] = ("all",)) -> str:
    layers = [one if isinstance(one, Path) else repo / "config" / f"{one}.yaml" for one in names]
    done = snakemake(
        folder, "--snakefile", repo / "workflow" / "Snakefile", "-n", "-p", "--cores", "2",
        "--configfile", *layers, "--", *targets,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


def test_make_paper_has_the_models_of_its_tables(repo: Path, tmp_path: Path) -> None:
    text = plan(repo, tmp_path, "config", "demo", "paper")
    jobs = jobs_of(text)
    assert jobs["pretrain"] == 8 and jobs["latency"] == 1 and jobs["claims"] == 1
    assert "locus_2.svg" in text and "locus_3.svg" in text
    tables = yaml.safe_load((repo / "config" / "tables.yaml").read_text())["tables"]
    assert jobs["paper_table"] == sum("systems" not in one for one in tables.values())
    (table6,) = re.findall(r"genezip paper table table6 .*", text)
    assert "--result results/compress/compression.tsv" in table6
    assert "--run genezip-intergenic-tiny.seed0" in table6
    assert not re.search(r"--result \S+pretrain", table6)  # only what it reads
    (latency,) = re.findall(r"logged logs/latency.log program .*", text)
    assert "benchmarks/latency.py" in latency and "--preset tiny" in latency
    assert "--threads 1 " in latency
    for router in ("cpg", "surprisal", "gc_cpg", "fixed_stride"):
        assert f"--router {router} " in text


def test_latency_is_measured_while_no_other_job_runs(repo: Path, tmp_path: Path) -> None:
    """It takes every core, so a scheduler starts nothing beside it."""
    text = plan(repo, tmp_path, "config", "demo", targets=("results/latency/latency.tsv",))
    stats = re.search(r"^latency +1 *$", text, re.MULTILINE)
    assert stats and "--threads 1 " in text
    rule = (repo / "workflow" / "rules" / "paper.smk").read_text().split("rule latency:")[1]
    assert "threads: ALONE if workflow.local_exec" in rule.split("\nrule ")[0]
    common = (repo / "workflow" / "rules" / "common.smk").read_text()
    assert "ALONE = workflow.resource_settings.cores or 1" in common


def test_one_table_is_a_target(repo: Path, tmp_path: Path) -> None:
    target = "results/tables/paper/targets.md"
    jobs = jobs_of(plan(repo, tmp_path, "config", "demo", targets=(target,)))
    assert set(jobs) == {"models_list", "paper_table"}


def test_the_ablation_trains_the_budgets_of_the_paper(repo: Path, tmp_path: Path) -> None:
    text = plan(repo, tmp_path, "config", "ablation", targets=("results/tables/table3_eqtl.tsv",))
    budgets = set(re.findall(r"--region-preset (\S+) ", text))
    assert budgets == {
        "transcript_balanced", "cis_regulatory", "promoter_distal", "intergenic",
    }  # fmt: skip
    assert "--uniform-bpt 32" in text


@pytest.mark.parametrize("system", ["dnahnet", "ldarnet", "dnazen"])
def test_other_systems_have_the_numbers_of_their_own_papers(
    repo: Path, tmp_path: Path, system: str
) -> None:
    run = {"dnahnet": "bacteria"}.get(system, system)
    text = plan(repo, tmp_path, "config", "demo", run)
    tables = yaml.safe_load((repo / "config" / "tables.yaml").read_text())["tables"]
    own = {name for name, one in tables.items() if system in one.get("systems", ())}
    assert set(re.findall(r"genezip paper table (\w+) ", text)) == own and len(own) >= 2
    read = {
        "dnahnet": "results/codon_phase/dnahnet-tiny.seed0.tsv",
        "ldarnet": "results/masked/ldarnet-even.seed2.tsv",
        "dnazen": "results/words/dnazen-tiny.seed0.tsv",
    }
    assert re.search(rf"genezip paper table .*--result {re.escape(read[system])}", text)


def test_a_table_of_a_file_that_nobody_makes(repo: Path, tmp_path: Path) -> None:
    wrong = {"tables": {"mine": {"title": "x", "file": "results/compress/compresion.tsv"}}}
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(wrong))
    layers = [repo / "config" / "config.yaml", repo / "config" / "demo.yaml", "wrong.yaml"]
    done = snakemake(
        tmp_path, "--snakefile", repo / "workflow" / "Snakefile", "-n", "--cores", "2",
        "--configfile", *layers, "--", "all",
    )  # fmt: skip
    assert done.returncode != 0
    assert "results/compress/compresion.tsv is made by no rule" in done.stdout
    assert "Traceback" not in done.stdout
