"""A small labelled set whose positives have a motif, as files and as a prepared folder."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from genezip.alphabet import decode, encode
from genezip.config import Classification
from genezip.tasks import TASKS, run
from genezip.tasks.classification.task import Labelled
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.measure import measure
from toolkit.dna import random_ids

SIZES = {"train": 120, "dev": 40, "test": 60}
FEW = {"train": 24, "dev": 8, "test": 12}
"""Sizes for what needs no accuracy."""
PLANTED = encode("GGGCGGGGC")


def sequence(seed: int, positive: bool, length: int = 60) -> str:
    """Random bases, G and C in the middle of a positive."""
    ids = random_ids(length, seed)
    if positive:
        ids[20 : 20 + len(PLANTED)] = PLANTED
    return decode(ids).decode()


def shuffles(seed: int) -> tuple[str, str]:
    """A sequence and another one of equal dinucleotide counts: two stretches between A change."""
    parts = ["A" + decode(random_ids(18, 1000 * seed + part)).decode() + "A" for part in range(3)]
    return "".join(parts), "".join([parts[0], parts[2], parts[1]])


def write_set(folder: Path, twins: bool = False, sizes: dict[str, int] = SIZES) -> TaskFiles:
    """A set whose positives have a motif; with ``twins`` one of shuffles and nothing else.

    Of two shuffles one is then a training row and the other, with the other label, a test row.
    """
    rows: dict[str, list[tuple[str, int]]] = {split: [] for split in sizes}
    seed = 0
    for split, count in sizes.items():
        for number in range(count // 2):
            seed += 2
            pair = [(sequence(seed, True), 1), (sequence(seed + 1, False), 0)]
            if twins:
                pair = [(text, 1 - place) for place, text in enumerate(shuffles(seed))]
            if twins and split == "test":
                rows["train"].append(pair.pop(number % 2))
            rows[split] += pair
    for split, found in rows.items():
        lines = ["sequence,label", *(f"{text},{label}" for text, label in found)]
        (folder / f"toy.{split}.csv").write_text("\n".join(lines) + "\n")
    return listed(folder)


def listed(folder: Path, *more: str, **facts: Any) -> TaskFiles:
    """A list of the tables of a folder."""
    names = [*sorted(path.name for path in folder.glob("*.csv")), *more]
    entries = [{"path": name} for name in names]
    (folder / "files.json").write_text(json.dumps({"files": entries, **facts}))
    return TaskFiles.load(folder / "files.json")


def settings(**changes: Any) -> Classification:
    values = {"subsets": {"toy": "toy"}, "device": "cpu", "bootstrap": 50, "epochs": 2, "batch": 8}
    return Classification(**{**values, "evaluate_every": 5, "learning_rate": 0.01, **changes})


def prepared(folder: Path, files: TaskFiles, **changes: Any) -> Path:
    manifest = folder / "data" / "manifest.json"
    run.prepare("classification", "toy", files, Path(), manifest, settings(**changes), 0)
    return manifest


def opened(folder: Path, sizes: dict[str, int] = SIZES, **changes: Any) -> Labelled:
    found = TASKS["classification"].open(
        prepared(folder, write_set(folder, sizes=sizes), **changes), Path()
    )
    assert isinstance(found, Labelled)
    return found


def measured(folder: Path, files: TaskFiles, *models: str, **changes: Any) -> pd.DataFrame:
    """Score table of the set, by one call."""
    out = folder / "out.tsv"
    task, chosen = TASKS["classification"], settings(**changes)
    measure(task, files, None, models, None, chosen, "test", out, folder / "p.parquet")
    return pd.read_csv(out, sep="\t")
