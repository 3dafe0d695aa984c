"""Your own labels: from a YAML file to scores, with every wrong input refused in one sentence."""

from pathlib import Path

import pandas as pd
import pytest
from toolkit.command_line import call, succeed
from toolkit.dna import random_dna, random_ids

from genezip.alphabet import decode, encode
from genezip.artifacts.scores import FLOOR_SHARE, TASK_SCORES
from genezip.tasks.classification.user_labels import headline

MOTIF = "GGGCGGGGC"


def write_genome(folder: Path, labels: str = "labels.bed") -> None:
    """Six chromosomes with ten intervals each, every other one with a motif."""
    lines, records = [], []
    for number in range(6):
        ids = random_ids(3_000, number)
        for place in range(10):
            start = 100 + 280 * place
            if place % 2:
                ids[start + 50 : start + 50 + len(MOTIF)] = encode(MOTIF)
            lines.append(f"chr{number}\t{start}\t{start + 120}\t{'on' if place % 2 else 'off'}")
        records.append(f">chr{number}\n{decode(ids).decode()}")
    (folder / labels).write_text("\n".join(lines) + "\n")
    (folder / "genome.fa").write_text("\n".join(records) + "\n")


def write_task(folder: Path, *more: str, labels: str = "labels.bed") -> Path:
    path = folder / "my_task.yaml"
    keys = (f"labels: {labels}", "models: [fixed:3, fixed:2]", "bootstrap: 40", "device: cpu")
    path.write_text("\n".join([*keys, *more]) + "\n")
    return path


def test_a_bed_a_fasta_and_models_become_a_score_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_genome(tmp_path)
    task = write_task(tmp_path, "fasta: genome.fa", "control: fixed-2")
    succeed("tasks", "run", task, "--out", tmp_path / "found")
    printed = capsys.readouterr().out
    assert "position_motif" in printed and "fixed-3" in printed and "chromosome" in printed
    found = pd.read_csv(tmp_path / "found" / "scores.tsv", sep="\t")
    assert set(found["task"]) == {"my_task"} and set(found["rule"]) == {"chromosome"}
    mcc = found[found["metric"] == "mcc"].set_index("model")
    assert mcc.loc["position_motif", "value"] > 0.8 and mcc.loc["fixed-3", "n"] == 60
    assert {"mcc_minus_best_baseline", "mcc_minus_control", "bpt"} <= set(found["metric"])
    assert "verdict: " in (tmp_path / "found" / "audit.txt").read_text()
    assert (tmp_path / "found" / "predictions.parquet").is_file()
    assert not list((tmp_path / "found").glob(".*"))


def test_what_is_printed_tells_what_routing_did(tmp_path: Path) -> None:
    """Two seeds of one model and a baseline; a model that does not say why has no share."""
    facts = [("bpt", "tiny", 0, 8.5), (FLOOR_SHARE, "tiny", 0, 0.99), ("bpt", "tiny", 1, 9.5)]
    values = [("mcc", "kmer4", None, 0.4), ("mcc", "tiny", 0, 0.5), ("mcc", "tiny", 1, 0.6)]
    cells = {
        "task": "own",
        "subset": "own",
        "rule": "official",
        "split": "test",
        "n": 60,
        "units": 6,
    }
    note = "solved by twin: MCC 1.000 on 60 rows; few blocks: 6 groups"
    rows = [
        {**cells, "metric": metric, "model": model, "seed": seed, "value": value, "note": note}
        for metric, model, seed, value in [*values, *facts]
    ]
    TASK_SCORES.write(tmp_path / "scores.tsv", rows)
    head, *lines, last = headline(TASK_SCORES.read(tmp_path / "scores.tsv")).splitlines()
    columns = "split model mcc ci_low ci_high n units bpt"
    assert head.split() == [*columns.split(), FLOOR_SHARE]
    assert [line.split() for line in lines] == [
        ["official", "kmer4", "0.400", "60", "6"],
        ["official", "tiny", "0.500", "60", "6", "8.500", "0.990"],
        ["official", "tiny", "0.600", "60", "6", "9.500"],
    ]
    assert last == "split official is solved by twin: MCC 1.000 on 60 rows"


@pytest.mark.parametrize("rows", [4, 40])
def test_labels_that_no_probe_can_learn_are_refused(
    tmp_path: Path, rows: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Too few groups, or one class in a single group; nothing is measured."""
    lines = ["sequence,label,split,group"]
    for number in range(rows):
        split, group = "train" if number % 4 else "test", number if rows == 40 else number % 2
        label = int(number == 1) if rows == 40 else number % 2
        lines.append(f"{random_dna(60, number)},{label},{split},{group}")
    (tmp_path / "set.csv").write_text("\n".join(lines) + "\n")
    task = write_task(tmp_path, labels="set.csv")
    assert call("tasks", "run", task, "--out", tmp_path / "found") == 1
    (told,) = capsys.readouterr().err.splitlines()[-1:]
    why = (
        "a class lies in too few groups"
        if rows == 40
        else "a probe needs training rows in 3 groups"
    )
    assert "my_task.yaml cannot train a probe: " + why in told and "add rows" in told
    assert not (tmp_path / "found" / "scores.tsv").exists()
    assert not (tmp_path / "found" / "predictions.parquet").exists()


def test_a_table_with_a_split_keeps_it(tmp_path: Path) -> None:
    rows = ["sequence,label,split"]
    for number in range(90):
        text = random_dna(60, number)
        if number % 2:
            text = text[:20] + MOTIF + text[29:]
        rows.append(f"{text},{number % 2},{('train', 'train', 'test')[number % 3]}")
    (tmp_path / "set.csv").write_text("\n".join(rows) + "\n")
    task = write_task(tmp_path, labels="set.csv")
    succeed("tasks", "run", task, "--out", tmp_path / "found")
    found = pd.read_csv(tmp_path / "found" / "scores.tsv", sep="\t")
    assert set(found["rule"]) == {"official", "unseen"}


@pytest.mark.parametrize(
    ("labels", "more", "sentence"),
    [
        ("none.bed", ("fasta: genome.fa",), "none.bed does not exist"),
        ("labels.bed", ("fasta: none.fa",), "none.fa does not exist"),
        ("labels.bed", ("fasta: genome.fa", "folds: 1"), "folds"),
        ("labels.bed", ("fasta: genome.fa", "fold: 3"), "fold"),
        ("labels.bed", ("label: kind",), "also the FASTA of their genome"),
        ("labels.bed", ("fasta: genome.fa", "schemes: [official]"), "no train row"),
    ],
)
def test_wrong_input_is_one_sentence_and_leaves_no_scores(
    tmp_path: Path,
    labels: str,
    more: tuple[str, ...],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_genome(tmp_path)
    task = write_task(tmp_path, *more, labels=labels)
    assert call("tasks", "run", task, "--out", tmp_path / "found") == 1
    assert sentence in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "found" / "scores.tsv").exists()
    assert not (tmp_path / "found" / "predictions.parquet").exists()


def test_an_audit_prints_its_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "set.train.csv"
    rows = [f"{random_dna(60, number)},{number % 2}" for number in range(20)]
    path.write_text("\n".join(["sequence,label", *rows, rows[0]]) + "\n")
    test = tmp_path / "set.test.csv"
    test.write_text(f"sequence,label\n{rows[1]}\n{rows[2]}\n{random_dna(60, 99)},1\n")
    succeed("tasks", "audit", path, test)
    printed = capsys.readouterr().out
    assert "2 of 3 test rows (66.7%) are a copy of a training or validation row" in printed
    assert printed.rstrip().splitlines()[-1].startswith("verdict: the split leaks")
