"""The workflow as a module of another one, which needs the installed package and nothing else."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from toolkit.snakemake_runs import snakemake

SNAKEFILE = """module genezip:
    snakefile: gitfile("{repository}", path="workflow/Snakefile", tag="v1")
    config: config

use rule * from genezip
"""
DEPLOYED = 'configfile: "config/config.yaml"\n' + SNAKEFILE  # as snakedeploy writes it


@pytest.fixture(scope="module")
def repository(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git repository with a tag; the package is not in it, but installed."""
    folder = tmp_path_factory.mktemp("git") / "genezip"
    folder.mkdir()
    for name in ("workflow", "config", "envs"):
        shutil.copytree(repo / name, folder / name)
    for words in (
        ("init", "-q"),
        ("add", "-A"),
        ("-c", "user.name=x", "-c", "user.email=x@y", "commit", "-qm", "x"),
        ("tag", "v1"),
    ):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


@pytest.mark.parametrize(
    "targets",
    [
        ("results/regions/gene7.summary.tsv",),
        pytest.param(("all",), marks=pytest.mark.slow),
    ],
)
def test_a_module_in_an_empty_folder_runs(
    repo: Path, repository: Path, tmp_path: Path, targets: tuple[str, ...]
) -> None:
    (tmp_path / "Snakefile").write_text(SNAKEFILE.format(repository=repository))
    layers = [repo / "config" / "config.yaml", repo / "tests" / "workflow" / "config.yaml"]
    call = ("--configfile", *layers, "--", *targets)
    done = snakemake(tmp_path, "--cores", "2", *call, PYTHONPATH=str(repo))
    assert done.returncode == 0, done.stdout[-4000:]
    assert all((tmp_path / target).is_file() for target in targets if target != "all")
    assert (tmp_path / "results" / "report.html").is_file() == (targets == ("all",))
    again = snakemake(tmp_path, "--cores", "2", *call, PYTHONPATH=str(repo))
    assert "Nothing to be done" in again.stdout, again.stdout[-4000:]


def test_what_snakedeploy_writes_is_planned(repo: Path, repository: Path, tmp_path: Path) -> None:
    (tmp_path / "workflow").mkdir()
    (tmp_path / "workflow" / "Snakefile").write_text(DEPLOYED.format(repository=repository))
    shutil.copytree(repository / "config", tmp_path / "config")
    done = snakemake(tmp_path, "--cores", "2", "-n", "-p", "fetch", PYTHONPATH=str(repo))
    assert done.returncode == 0, done.stdout[-4000:]
    assert "genezip fetch" in done.stdout and "--root ." in done.stdout


def test_without_the_package_one_sentence_names_the_command(
    repository: Path, tmp_path: Path
) -> None:
    (tmp_path / "Snakefile").write_text(SNAKEFILE.format(repository=repository))
    (tmp_path / "genezip").mkdir()
    (tmp_path / "genezip" / "__init__.py").write_text("raise ImportError('it is not there')")
    done = snakemake(tmp_path, "--cores", "2", "-n", PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    told = "cannot import genezip (it is not there); install it there: "
    assert told + f"{sys.executable} -m pip install FOLDER" in done.stdout
