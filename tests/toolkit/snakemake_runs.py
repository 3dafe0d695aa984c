"""Snakemake in a process of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

from toolkit import processes


def snakemake(
    cwd: Path, *arguments: str | Path, timeout: int = 300, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run Snakemake without real data; both streams come back as one text.

    The package is that of the checkout. ``environment`` are further variables, such as
    ``PYTHONPATH`` or ``GENEZIP_MIRROR``.
    """
    left_out = ("GENEZIP_MIRROR", "PYTHONPATH")
    found = {name: value for name, value in os.environ.items() if name not in left_out}
    found["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{found['PATH']}"
    words = ["-m", "snakemake", *arguments]
    return processes.run(
        words, cwd, {**found, **environment},
        together=True, libraries=processes.PLANS, timeout=timeout,
    )  # fmt: skip


CONDA = """#!/bin/sh
case "$1" in
  info) echo '{"conda_prefix": "/nowhere", "platform": "linux-64"}' ;;
  --version) echo "conda 25.1.0" ;;
  config) echo '{"get": {"channel_priority": "strict"}}' ;;
esac
"""


def pretended_conda(folder: Path) -> str:
    """A ``PATH`` with a conda that can be asked for a plan and does nothing else."""
    folder.mkdir()
    (folder / "conda").write_text(CONDA)
    (folder / "conda").chmod(0o755)
    return os.pathsep.join([str(folder), str(Path(sys.executable).parent), os.environ["PATH"]])


def environments_of(text: str) -> set[Path]:
    """Files of the conda environments that a plan would create."""
    return {
        Path(one).resolve() for one in re.findall(r"^Conda environment (.+) will be", text, re.M)
    }


def jobs_of(text: str) -> dict[str, int]:
    """Rule -> number of jobs, from the table of a dry run."""
    table = text.split("Job stats:", 1)[1].split("total", 1)[0]
    return {name: int(n) for name, n in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}
