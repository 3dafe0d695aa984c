"""CONTRIBUTING.md: its examples run as they stand, and its table Where is what is true."""

import json
import os
import re
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from toolkit import processes
from toolkit.dna import random_dna

REPO = Path(__file__).resolve().parents[1]


def section(title: str) -> str:
    text = (REPO / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return text.split(f"## {title}", 1)[1].split("\n## ", 1)[0]


def saved(title: str, path: Path) -> Path:
    """The first Python of a section, as a file."""
    code = re.search(r"```python\n(.*?)```", section(title), re.DOTALL)
    assert code is not None and len(code[1].splitlines()) <= 40
    path.write_text(code[1])
    return path


@pytest.fixture
def example(tmp_path: Path) -> Path:
    return saved("Add a compressor", tmp_path / "cut_at_cg.py")


def run(example: Path, *command: str) -> str:
    paths = os.pathsep.join([str(example.parent), str(REPO)])
    done = processes.run(command, example.parent, {**os.environ, "PYTHONPATH": paths})
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


def test_the_smallest_task_is_measured(tmp_path: Path) -> None:
    """With the list and the command as they are written there."""
    example = saved("Add a task", tmp_path / "by_file.py")
    text = section("Add a task")
    listing = re.search(r"`(\{\"files.*?\})`", text, re.DOTALL)
    assert listing is not None
    (tmp_path / "files.json").write_text(listing[1])
    for entry in json.loads(listing[1])["files"]:
        coding = entry["path"].startswith("coding")
        lines = [("GGC" * 5 if coding else "") + random_dna(45, seed) for seed in range(60)]
        (tmp_path / entry["path"]).write_text("\n".join(lines) + "\n")
    (commands,) = re.findall(r"```sh\n(genezip .*?)\n```", text, re.DOTALL)
    command, again = commands.splitlines()
    run(example, "-m", *command.split())
    found = pd.read_csv(tmp_path / "scores.tsv", sep="\t")
    assert set(found["task"]) == {"by_file"}
    mcc = found[(found["metric"] == "mcc") & (found["rule"] == "official")].set_index("model")
    assert mcc.loc["gc_cpg", "value"] > 0.5 and mcc.loc["fixed-3", "n"] == 24
    before = (tmp_path / "scores.tsv").read_bytes()
    run(example, "-m", *again.split())
    assert (tmp_path / "scores.tsv").read_bytes() == before


def where_is_what() -> list[tuple[str, str]]:
    """File and name of every row of the table."""
    rows = [line.split(" | ") for line in section("Where is what").splitlines() if "`" in line]
    return [(path.strip("`"), name.strip("` |")) for _, path, name in rows]


@pytest.mark.parametrize(("path", "name"), where_is_what())
def test_where_is_what_is_true(path: str, name: str) -> None:
    text = (REPO / path).read_text(encoding="utf-8")
    if path.endswith(".py"):  # a class, function or constant, or a method of a class
        owner, _, member = name.rpartition(".")
        if owner:
            text = re.split(rf"\nclass {owner}[(:]", text)[1].split("\nclass ", 1)[0]
        found = rf"^{'    ' if owner else ''}(class {member}\b|def {member}\(|{member}\b.*=)"
    elif path.endswith(".smk"):
        found = rf"^rule {name}:"
    else:
        found = rf"\b{name}\b"
    assert re.search(found, text, re.MULTILINE), f"{path} has no {name}"


def test_the_questions_of_a_newcomer_are_in_the_table() -> None:
    """README links the table, so that each answer is two steps away."""
    assert "CONTRIBUTING.md#where-is-what" in (REPO / "README.md").read_text(encoding="utf-8")
    text = section("Where is what")
    for question in ("boundary probability", "promoter width", "list of tasks", "rule for Table 3"):
        assert question in text, question
