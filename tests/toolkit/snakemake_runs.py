"""Snakemake in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path


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
    return subprocess.run(
        [sys.executable, "-m", "snakemake", *map(str, arguments)],
        cwd=cwd,
        env={**found, **environment},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=timeout,
        check=False,
    )
