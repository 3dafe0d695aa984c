"""The Python that rules run, with and without a software environment, and the logs of commands."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from genezip.config import shell_prefix
from genezip.config.rules import PACKAGE


def bash(prefix: str, command: str, cwd: Path, **more: str) -> subprocess.Popen[str]:
    text = prefix.replace("{{", "{").replace("}}", "}") + command
    return subprocess.Popen(
        ["bash", "-c", text],
        cwd=cwd,
        env={**os.environ, **more},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def python_of(prefix: str, cwd: Path, **more: str) -> list[str]:
    """The interpreter and the package that a rule's command runs."""
    code = "import sys, genezip; print(sys.executable); print(genezip.__file__)"
    prefix = prefix.replace("-m genezip", f"-c '{code}'")
    done = bash(prefix, "logged log genezip", cwd, **more)
    out, err = done.communicate(timeout=60)
    assert done.returncode == 0, err
    assert out == "" and (cwd / "log").read_text() == err
    return err.split()


def test_without_an_environment_it_is_the_python_of_snakemake(tmp_path: Path) -> None:
    found = python_of(shell_prefix(False, tmp_path), tmp_path, PATH="/usr/bin:/bin")
    assert found == [sys.executable, str(PACKAGE / "__init__.py")]


def test_inside_an_environment_it_is_its_own(tmp_path: Path) -> None:
    """The package is all that is added to what the environment has."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    for _ in range(2):  # a second run finds the folder there
        prefix = shell_prefix(True, tmp_path)
        path = f"{tmp_path / 'bin'}:/usr/bin:/bin"
        found = python_of(prefix, tmp_path, PATH=path)
        assert found[0] == str(tmp_path / "bin" / "python")
        assert Path(found[1]).resolve() == PACKAGE / "__init__.py"
        folder = tmp_path / ".snakemake" / "package"
        assert f"PYTHONPATH={folder} " in prefix
        assert [path.name for path in folder.iterdir()] == ["genezip"]


def test_a_command_that_fails_fails_its_rule(tmp_path: Path) -> None:
    prefix = shell_prefix(False, tmp_path)
    done = bash(prefix, "logged log genezip nonsense", tmp_path)
    _, err = done.communicate(timeout=60)
    assert done.returncode != 0 and "nonsense" in err
    assert "nonsense" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("name", ["genezip", "torchrun"])
def test_a_job_that_is_asked_to_end_writes_what_it_goes_on_from(tmp_path: Path, name: str) -> None:
    """SIGTERM reaches shell, `tee` and program at once; all end after the program."""
    (tmp_path / "stage.py").write_text(
        "import signal, time\n"
        "asked = []\n"
        "signal.signal(signal.SIGTERM, lambda *_: asked.append(1))\n"
        "print('begun', flush=True)\n"
        "while not asked: time.sleep(0.01)\n"
        "time.sleep(1)\n"
        "open('checkpoint', 'w').close()\n"
        "print('written', flush=True)\n"
    )
    prefix = shell_prefix(False, tmp_path)
    prefix = prefix.replace("-m genezip", "stage.py").replace(
        "-m torch.distributed.run", "stage.py"
    )
    job = bash(prefix, f"logged log {name}", tmp_path)
    while not (tmp_path / "log").exists() or "begun" not in (tmp_path / "log").read_text():
        time.sleep(0.05)
    os.killpg(job.pid, signal.SIGTERM)
    _, err = job.communicate(timeout=60)
    assert (tmp_path / "checkpoint").exists()
    assert err.split() == ["begun", "written"] == (tmp_path / "log").read_text().split()


def test_on_several_nodes_an_agent_on_each_meets_the_others(tmp_path: Path) -> None:
    """With SLURM's programs replaced by ones that say how they are called."""
    for name, text in {"srun": 'echo "$@"', "scontrol": 'echo "first\nsecond"'}.items():
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
    job = bash(
        shell_prefix(False, tmp_path).replace("{{", "{").replace("}}", "}"),
        "logged log on_nodes 2 8 -m genezip pretrain --seed 0",
        tmp_path,
        PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        SLURM_JOB_ID="34512",
        SLURM_JOB_NODELIST="node[1-2]",
    )
    _, err = job.communicate(timeout=60)
    assert job.returncode == 0, err
    words = err.split()
    assert words[:6] == ["--nodes", "2", "--ntasks", "2", "--ntasks-per-node", "1"]
    assert words[6] == sys.executable and words[-5:] == ["-m", "genezip", "pretrain", "--seed", "0"]
    options = dict(zip(words[9:-5:2], words[10:-5:2], strict=True))
    assert options == {
        "--nnodes": "2",
        "--nproc-per-node": "8",
        "--max-restarts": "1",
        "--rdzv-backend": "c10d",
        "--rdzv-id": "34512",
        "--rdzv-endpoint": "first:24512",
    }
