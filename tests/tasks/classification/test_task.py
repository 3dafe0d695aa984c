"""The task classification, from files of a set to scores: probes, networks, rows zero, marks."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import matthews_corrcoef
from toolkit.dna import random_ids
from toolkit.networks import FREE, save_toy, small_network

from genezip.alphabet import decode, encode
from genezip.config import Classification
from genezip.errors import GenezipError
from genezip.models import load
from genezip.tasks import TASKS, run
from genezip.tasks.base import CNN, Method
from genezip.tasks.classification.task import Labelled
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.features import FeatureStore, write_store
from genezip.tasks.measure import measure
from genezip.tasks.predictions import PredictionFile

SIZES = {"train": 120, "dev": 40, "test": 60}
PLANTED = encode("GGGCGGGGC")


def sequence(seed: int, positive: bool, length: int = 60) -> str:
    """Random bases, G and C in the middle of a positive."""
    ids = random_ids(length, seed)
    if positive:
        ids[20 : 20 + len(PLANTED)] = PLANTED
    return decode(ids).decode()


def write_set(folder: Path, twins: bool = False) -> TaskFiles:
    """A set whose positives have a motif; with ``twins`` one of shuffles and nothing else.

    Of two shuffles one is then a training row and the other, with the other label, a test row.
    """
    rows: dict[str, list[tuple[str, int]]] = {split: [] for split in SIZES}
    seed = 0
    for split, count in SIZES.items():
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
    listing = folder / "files.json"
    names = sorted(path.name for path in folder.glob("*.csv"))
    listing.write_text(json.dumps({"files": [{"path": each} for each in names]}))
    return TaskFiles.load(listing)


def shuffles(seed: int) -> tuple[str, str]:
    """A sequence and another one of equal dinucleotide counts: two stretches between A change."""
    parts = ["A" + decode(random_ids(18, 1000 * seed + part)).decode() + "A" for part in range(3)]
    return "".join(parts), "".join([parts[0], parts[2], parts[1]])


def settings(**changes: Any) -> Classification:
    values = {"subsets": {"toy": "toy"}, "device": "cpu", "bootstrap": 50, "epochs": 2, "batch": 8}
    return Classification(**{**values, "evaluate_every": 5, "learning_rate": 0.01, **changes})


def prepared(folder: Path, files: TaskFiles, **changes: Any) -> Path:
    manifest = folder / "data" / "manifest.json"
    run.prepare("classification", "toy", files, Path(), manifest, settings(**changes), 0)
    return manifest


def opened(folder: Path, **changes: Any) -> Labelled:
    found = TASKS["classification"].open(prepared(folder, write_set(folder), **changes), Path())
    assert isinstance(found, Labelled)
    return found


def test_prepared_folds_are_those_of_the_scheme(tmp_path: Path) -> None:
    found = opened(tmp_path, schemes=["official", "unseen", "family"], folds=3)
    split = found.table["split"]
    (official,) = found.folds["official"]
    for name, rows in (
        ("train", official.train),
        ("valid", official.valid),
        ("test", official.test),
    ):
        assert rows.tolist() == np.flatnonzero(split == name).tolist()
    (unseen,) = found.folds["unseen"]
    assert set(unseen.test) <= set(official.test) and len(unseen.train) == len(official.train)
    tested = np.concatenate([fold.test for fold in found.folds["family"]])
    assert sorted(tested) == list(range(len(found.table)))
    for fold in found.folds["family"]:
        assert not set(found.units[fold.train]) & set(found.units[fold.test])


def test_all_in_one_call_finds_a_motif_and_begins_with_rows_zero(tmp_path: Path) -> None:
    files, out = write_set(tmp_path), tmp_path / "out.tsv"
    predictions = tmp_path / "predictions.parquet"
    models = ["fixed:3", "fixed:6"]
    task = TASKS["classification"]
    measure(task, files, None, models, "fixed-6", settings(), "test", out, predictions)
    found = pd.read_csv(out, sep="\t")
    assert list(dict.fromkeys(found["model"]))[:4] == [
        "nearest", "twin", "position_motif", "class_prior",
    ]  # fmt: skip
    mcc = found[(found["metric"] == "mcc") & (found["rule"] == "official")].set_index("model")
    assert mcc.loc["position_motif", "value"] > 0.8
    assert mcc.loc["kmer4", "value"] > 0.5 and abs(mcc.loc["class_prior", "value"]) < 1e-12
    assert mcc.loc["gc_cpg", "ci_low"] < mcc.loc["gc_cpg", "value"] < mcc.loc["gc_cpg", "ci_high"]
    # the same number from the file by another library
    rows = [
        row
        for row in PredictionFile.open(predictions).rows()
        if row.method.model == "kmer4" and row.rule == "official"
    ]
    truth, given = ([int(row[name].argmax()) for row in map(vars, rows)] for name in NAMES)
    assert mcc.loc["kmer4", "value"] == pytest.approx(matthews_corrcoef(truth, given), abs=1e-5)
    facts = found[found["metric"] == "bpt"].set_index(["model", "rule"])["value"]
    assert facts["fixed-3", "official"] == pytest.approx(3.0)
    shares = found[found["metric"] == "bound_active_share"]
    assert shares["value"].tolist() == [0.0] * 4  # two models, two schemes
    against = found[found["metric"] == "mcc_minus_control"]
    assert set(against["model"]) == {"fixed-3"} and "against fixed-6" in against["note"].iloc[0]
    # the motif stands at one place, which a table of positions sees
    scored = found[~found["metric"].isin(["bpt", "bound_active_share"])]
    assert scored["note"].str.startswith("solved by position_motif").all()
    assert not list(tmp_path.glob(".*"))


NAMES = ("target", "prediction")


def test_a_set_of_shuffles_is_marked_in_every_row(tmp_path: Path) -> None:
    files, out = write_set(tmp_path, twins=True), tmp_path / "out.tsv"
    chosen = settings(schemes=["official"])
    task = TASKS["classification"]
    measure(task, files, None, [], None, chosen, "test", out, tmp_path / "p.parquet")
    found = pd.read_csv(out, sep="\t")
    twin = found[(found["model"] == "twin") & (found["metric"] == "mcc")].iloc[0]
    assert twin["value"] == 1.0 and "whose label is inverted" in twin["note"]
    assert found["note"].str.startswith("solved by twin: MCC 1.000").all()


def test_a_floor_that_forces_tokens_is_counted(tmp_path: Path) -> None:
    """Tokens and the forced share are those of a pass of the model's own bound."""
    folder = save_toy(tmp_path / "m", small_network(bound="sequence"), seed=0, name="tiny")
    model = load(folder)
    examples = opened(tmp_path)
    store = tmp_path / "features" / "manifest.json"
    write_store(store, TASKS["classification"].features(model, examples, "full", settings()))
    features = FeatureStore.load(store)
    (fold,) = examples.folds["official"]
    tokens, forced = (features.block(name)[:, 0] for name in ("tokens", "forced"))
    for row in fold.test[:5]:
        (one,) = model.encode([examples.ids[row]])
        assert tokens[row] == len(one.token_starts)
        assert forced[row] == bool((one.kept_by >= 1).any())  # type: ignore[operator]
    assert not tokens[fold.train].any()


@pytest.mark.parametrize("mode", ["head_only", "full"])
def test_a_network_learns_with_its_head(tmp_path: Path, mode: str) -> None:
    folder = save_toy(tmp_path / "m", small_network(**FREE), seed=0, name="tiny")
    manifest = prepared(tmp_path, write_set(tmp_path))
    method = Method("classification", "toy", "tiny", 0, "full", mode)
    out = tmp_path / "p.parquet"
    arguments = ("classification", manifest, Path(), method, "toy", settings(), 0, out)
    run.predict(*arguments, model=folder)
    rows = list(PredictionFile.open(out).rows())
    assert {row.rule for row in rows} == {"official", "unseen"}
    official = [row for row in rows if row.rule == "official"]
    assert len(official) == SIZES["test"]
    assert all(row.prediction.sum() == pytest.approx(1) for row in rows)
    first = np.stack([row.prediction for row in rows])
    out.unlink()
    run.predict(*arguments, model=folder)
    again = np.stack([row.prediction for row in PredictionFile.open(out).rows()])
    np.testing.assert_array_equal(first, again)


def test_the_cnn_learns_the_motif(tmp_path: Path) -> None:
    manifest = prepared(tmp_path, write_set(tmp_path))
    method = Method("classification", "toy", CNN, 0, "full", "full")
    out = tmp_path / "p.parquet"
    torch.manual_seed(7)
    chosen = settings(epochs=6)
    run.predict("classification", manifest, Path(), method, "toy", chosen, 0, out)
    scores = run.score([out], 20, 0, "test")
    mcc = scores[(scores["metric"] == "mcc") & (scores["rule"] == "official")]["value"].item()
    assert mcc > 0.4


def test_networks_need_the_official_split(tmp_path: Path) -> None:
    manifest = prepared(tmp_path, write_set(tmp_path), schemes=["family"], folds=3)
    method = Method("classification", "toy", CNN, 0, "full", "full")
    arguments = (manifest, Path(), method, "toy", settings(), 0, tmp_path / "p.parquet")
    with pytest.raises(GenezipError, match="a network is trained on the official split alone"):
        run.predict("classification", *arguments)
    assert not (tmp_path / "p.parquet").exists()


def test_other_test_rows_are_refused(tmp_path: Path) -> None:
    full = prepared(tmp_path, write_set(tmp_path))
    paths = [tmp_path / "baselines.parquet", tmp_path / "cnn.parquet"]
    run.baselines("classification", full, Path(), "toy", "toy", settings(), 0, paths[0])
    test = tmp_path / "toy.test.csv"
    lines = test.read_text().splitlines(keepends=True)
    test.write_text("".join([*lines[:1], *lines[3:]]))
    fewer = prepared(tmp_path, TaskFiles.load(tmp_path / "files.json"))
    method = Method("classification", "toy", CNN, 0, "full", "full")
    chosen = settings(epochs=1)
    run.predict("classification", fewer, Path(), method, "toy", chosen, 0, paths[1])
    with pytest.raises(GenezipError, match="has other test rows of toy than the others; predict"):
        run.score(paths, 20, 0, "test")


def test_a_list_without_the_set_says_why(tmp_path: Path) -> None:
    listing = tmp_path / "files.json"
    listing.write_text(json.dumps({"files": [], "reasons": {"classification": "offline (none)"}}))
    out = tmp_path / "out.tsv"
    files = TaskFiles.load(listing)
    task = TASKS["classification"]
    measure(task, files, None, [], None, settings(), "test", out, tmp_path / "p.parquet")
    (row,) = pd.read_csv(out, sep="\t").to_dict("records")
    assert (row["model"], row["value"], row["note"]) == ("labels", 0, "offline (none)")
