"""`genezip init`: the folder of a run, planned with the workflow of the package."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from toolkit.command_line import call, tree
from toolkit.snakemake_runs import environments_of, jobs_of, pretended_conda, snakemake

from genezip import config
from genezip.config import rules
from genezip.errors import GenezipError
from genezip.run_folder import CONFIG, SNAKEFILE, write_run_folder


@pytest.fixture
def refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], str]:
    """`genezip init` must fail in one sentence, which is returned, and leave all as it was."""
    monkeypatch.chdir(tmp_path)

    def run(folder: str) -> str:
        before = tree(tmp_path)
        folders = sorted(tmp_path.rglob("*"))
        capsys.readouterr()
        assert call("init", folder) == 1
        assert tree(tmp_path) == before and sorted(tmp_path.rglob("*")) == folders
        (said,) = capsys.readouterr().err.splitlines()
        return said

    return run


@pytest.mark.parametrize(("scale", "base"), [("demo", ("config", "demo")), ("full", ("config",))])
def test_the_new_config_changes_nothing(repo: Path, tmp_path: Path, scale: Any, base: Any) -> None:
    """As written it repeats values of the layers below, and its Snakefile names these layers."""
    write_run_folder(tmp_path / "run", scale)
    below = [repo / "config" / f"{name}.yaml" for name in base]
    assert config.load(*below, tmp_path / "run" / CONFIG) == config.load(*below)
    text = (tmp_path / "run" / SNAKEFILE).read_text()
    named = [line for line in text.splitlines() if line.startswith("configfile:")]
    assert len(named) == len(base) + 1
    assert all(f'/ "{name}.yaml"' in line for name, line in zip(base, named, strict=False))


def test_the_lines_of_an_own_genome_are_settings(repo: Path, tmp_path: Path) -> None:
    write_run_folder(tmp_path / "run")
    path = tmp_path / "run" / CONFIG
    prose = re.compile(r"# \S")
    lines = path.read_text().splitlines()
    lines = [line if prose.match(line) else line.removeprefix("#") for line in lines]
    path.write_text("\n".join(lines))
    assert set(yaml.safe_load(path.read_text())) > {"genome", "regions", "leakage", "labels"}
    found = config.load(repo / "config" / "config.yaml", repo / "config" / "demo.yaml", path)
    assert (found.genome.fasta, found.genome.sources) == ("my.fa.gz", ["files"])
    assert found.labels.tasks == found.benchmarks.tasks == []


def test_the_folder_is_planned_like_the_demo(repo: Path, tmp_path: Path) -> None:
    """From the folder alone; the conda environments are those of the workflow."""
    folder = tmp_path / "my 'run'"
    assert call("init", folder) == 0
    path = pretended_conda(tmp_path / "bin")
    call_ = ("-n", "--cores", "2", "--use-conda")
    done = snakemake(folder, *call_, PATH=path, PYTHONPATH=str(repo))
    assert done.returncode == 0, done.stdout[-4000:]
    assert environments_of(done.stdout) == {repo / "envs" / "genezip.yaml"}
    layers = [repo / "config" / f"{name}.yaml" for name in ("config", "demo")]
    demo = snakemake(repo, "-n", "--cores", "2", "--directory", tmp_path / "demo",
                     "--configfile", *layers, "--", "all")  # fmt: skip
    assert jobs_of(done.stdout) == jobs_of(demo.stdout)


def test_files_of_the_workflow_are_found_from_another_folder(repo: Path, tmp_path: Path) -> None:
    """An overlay of the package names layouts that lie beside it, not in the folder of the run."""
    write_run_folder(tmp_path / "run")
    overlay = repo / "config" / "paper.yaml"
    (tmp_path / "run" / CONFIG).write_text(overlay.read_text())
    target = "results/pretrain/genezip-floor-tiny.seed0/config.json"
    done = snakemake(tmp_path / "run", "-n", "-p", "--cores", "2", target, PYTHONPATH=str(repo))
    assert done.returncode == 0, done.stdout[-4000:]
    assert "--architecture config/bounds/floor.yaml" in done.stdout
    (tmp_path / "run" / CONFIG).write_text(
        overlay.read_text().replace("bounds/floor", "bounds/flor")
    )
    done = snakemake(tmp_path / "run", "-n", "--cores", "2", target, PYTHONPATH=str(repo))
    assert done.returncode == 1 and "flor.yaml is neither an architecture" in done.stdout


def test_an_empty_folder_is_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("init", ".") == 0
    assert set(tree(tmp_path)) == {CONFIG, SNAKEFILE}
    assert (
        capsys.readouterr().out == "config.yaml has the settings; snakemake --cores 2 runs them\n"
    )
    assert call("init", "a/b c") == 1  # the first folder is a run
    assert f"lies in the run {tmp_path}" in capsys.readouterr().err


def test_a_folder_with_files_is_refused(tmp_path: Path, refused: Callable[[str], str]) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep me")
    said = refused("mine")
    assert (
        said
        == "genezip: mine is not empty: it has notes.txt; name a folder that does not exist yet"
    )
    assert refused("mine/notes.txt").endswith("is a file; name a folder that does not exist yet")
    assert "cannot make the folder" in refused("mine/notes.txt/run")


def test_a_folder_in_a_run_is_refused(tmp_path: Path, refused: Callable[[str], str]) -> None:
    write_run_folder(tmp_path / "first")
    assert "first is a run already; edit first/config.yaml" in refused("first")
    assert f"lies in the run {tmp_path / 'first'}" in refused("first/results/second")
    (tmp_path / "other" / "resources").mkdir(parents=True)
    (tmp_path / "other" / "resources" / "source.json").write_text("{}")
    assert f"lies in the run {tmp_path / 'other'}" in refused("other/second")


@pytest.mark.parametrize("name", ["a{b}", "x/}y", "line\nbreak"])
def test_a_name_that_snakemake_misreads_is_refused(
    name: str, refused: Callable[[str], str]
) -> None:
    said = refused(name)
    assert "in its path" in said and said.endswith("choose another name")


def test_a_folder_whose_paths_would_start_above_it_is_refused(
    refused: Callable[[str], str],
) -> None:
    assert "workflow is named workflow" in refused("workflow")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(
    tmp_path: Path, refused: Callable[[str], str]
) -> None:
    (tmp_path / "locked").mkdir(mode=0o555)
    assert "Permission denied" in refused("locked") and "Permission denied" in refused("locked/run")


def test_nothing_is_left_if_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, text: str) -> None:
        if path.name == SNAKEFILE:
            raise GenezipError("no space left")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    monkeypatch.setattr("genezip.run_folder.write_text", full)
    with pytest.raises(GenezipError, match="no space"):
        write_run_folder(tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


# --- where the workflow lies


def test_the_workflow_is_that_of_the_package_else_of_the_checkout(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert config.workflow_home() == repo
    monkeypatch.setattr(rules, "PACKAGE", tmp_path / "genezip")
    with pytest.raises(GenezipError, match="has no workflow beside it; install genezip again"):
        config.workflow_home()
    for home in (tmp_path, tmp_path / "genezip" / "_workflow"):
        (home / "workflow" / "rules").mkdir(parents=True)
        (home / "workflow" / "rules" / "config.smk").write_text("")
        assert config.workflow_home() == home


def test_a_file_of_the_workflow_is_read_where_the_user_has_none(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("config", "show", "config/config.yaml", "config/demo.yaml") == 0
    assert json.loads(capsys.readouterr().out)["scale"] == "demo"
    assert call("config", "show", "config/demoo.yaml") == 1
    assert "did you mean config/demo.yaml?" in capsys.readouterr().err
    assert call("config", "show", "demo.yaml") == 1  # only below config
    assert "demo.yaml does not exist" in capsys.readouterr().err
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "demo.yaml").write_text("scale: test\n")
    assert call("config", "show", "config/config.yaml", "config/demo.yaml") == 0
    assert json.loads(capsys.readouterr().out)["scale"] == "test"
