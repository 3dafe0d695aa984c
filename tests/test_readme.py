"""The code blocks of the README, run as a reader would run them after `make demo`."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def blocks(repo: Path, language: str) -> list[str]:
    text = (repo / "README.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def run(command: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def beside_the_demo(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a FASTA of one's own, from where `runs/demo` is in reach."""
    if not (repo / "runs" / "demo" / "results" / "report.html").exists():
        pytest.skip("no demo run; make demo first")
    folder = tmp_path_factory.mktemp("reader")
    (folder / "runs").symlink_to(repo / "runs")
    (folder / "my.fa").write_text(">mine\n" + "ACGTTGCAGGCTANNNacgtRYK" * 2000 + "\n")
    return folder


def test_the_python_blocks_compress_and_stream(repo: Path, beside_the_demo: Path) -> None:
    first, second = blocks(repo, "python")
    assert len([line for line in first.splitlines() if line.strip()]) <= 5
    done = run([sys.executable, "-c", first + second], beside_the_demo)
    assert done.returncode == 0, done.stderr
    assert re.match(r"\(\d+, \d+\) \[", done.stdout)
    difference, generated = done.stdout.splitlines()[-2:]
    assert float(difference) != 0
    assert re.fullmatch("[ACGT]{50}", generated)


def test_the_command_compresses(repo: Path, beside_the_demo: Path) -> None:
    (command,) = [block for block in blocks(repo, "sh") if block.startswith("genezip compress")]
    done = run(["bash", "-euo", "pipefail", "-c", command], beside_the_demo)
    assert done.returncode == 0, done.stderr
    assert (beside_the_demo / "tokens.parquet").stat().st_size > 0
    assert {path.suffix for path in (beside_the_demo / "tracks").iterdir()} >= {".bw", ".xml"}


def test_every_workflow_command_can_be_planned(repo: Path) -> None:
    commands = re.findall(r"^snakemake .*$", "\n".join(blocks(repo, "sh")), re.MULTILINE)
    assert len(commands) == 4
    for command in commands:
        words = [word for word in command.split() if word != "--use-conda"]
        done = run([*words[:1], "-n", *words[1:]], repo)
        assert done.returncode == 0, done.stdout + done.stderr
