"""The example of a new compressor in CONTRIBUTING.md, run as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from toolkit.dna import random_dna

REPO = Path(__file__).resolve().parents[1]


@pytest.fixture
def example(tmp_path: Path) -> Path:
    text = (REPO / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.split("## Add a compressor", 1)[1]
    code = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert code is not None and len(code[1].splitlines()) <= 40
    path = tmp_path / "cut_at_cg.py"
    path.write_text(code[1])
    return path


def run(example: Path, *command: str) -> str:
    paths = os.pathsep.join([str(example.parent), str(REPO)])
    done = subprocess.run(
        [sys.executable, *command],
        cwd=example.parent,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_smallest_compressor_runs(example: Path) -> None:
    assert run(example, "cut_at_cg.py").startswith("[2 4 2] 2.66")


def test_it_compresses_a_fasta(example: Path) -> None:
    sequence = random_dna(3000)
    (example.parent / "my.fa").write_text(f">chr1\n{sequence}\n")
    command = "-m genezip compress my.fa --model cut_at_cg:CutAtCG --out tokens.parquet"
    run(example, *command.split(), "--tracks", "tracks")
    table = pq.read_table(example.parent / "tokens.parquet")
    assert table.num_rows == sequence.count("CG") + 1
    assert "token" not in table.column_names and "boundary_prob" not in table.column_names
    assert table["start"].to_pylist()[1] == sequence.index("CG") + 1
    tracks = {path.name for path in (example.parent / "tracks").iterdir()}
    assert "bpt.bw" in tracks and "boundary_prob.bw" not in tracks
