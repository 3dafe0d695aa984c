"""The one-hot CNN on windows: losses, scores, files, going on after a stop."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from toolkit.dna import random_ids
from toolkit.made_examples import MadeWindows

from genezip.config.tasks import Activity, ContactMaps
from genezip.errors import GenezipError
from genezip.tasks import TASKS
from genezip.tasks.base import Job, Method, run_identity
from genezip.tasks.networks import ActivityCNN, ContactCNN
from genezip.tasks.predictions import PredictionWriter
from genezip.tasks.run import write_predictions
from genezip.tasks.windows.cnn import ContactMapsCNN, TracksCNN, train_cnn
from genezip.tasks.windows.examples import Bins

TRACKS = ["HFF", "H1hESC", "GM12878", "IMR90", "HCT116"]
SPLITS = ["train"] * 3 + ["valid"] * 2 + ["test"] * 2


TABLE = pd.DataFrame(
    {"example": [0, 1, 2, 0, 1, 0, 1], "split": SPLITS, "locus": [0, 0, 1, 2, 2, 3, 4]}
)


def targets(task: str, split: str) -> np.ndarray:
    shape = (SPLITS.count(split), 5, 10) if task == "cmp" else (SPLITS.count(split), 2, 3)
    found = np.random.default_rng(len(split)).normal(size=shape).astype(np.float16)
    if task == "cmp":
        found[0, 2, 3] = np.nan
        found[1, 2] = 0  # a map without any contact
    return found


def windows(task: str) -> MadeWindows:
    """Contact maps of 8 bins (6 scored, 10 entries), or activity of 4 bins (2 scored)."""
    length, tracks = (2048 * 8, TRACKS) if task == "cmp" else (128 * 4, ["a", "b", "c"])
    stored = {split: targets(task, split) for split in ("train", "valid", "test")}
    return MadeWindows(TABLE, stored, lambda row: random_ids(length, row), task, tracks)


def settings(task: str, **changes: Any) -> Any:
    values = {"steps": 2, "batch": 2, "evaluate_every": 2, "device": "cpu"}
    return TASKS[task].settings(**{**values, **changes})


def job(task: str, official: str = "GM12878", **more: Any) -> Job[Any]:
    method = Method(task, "HFF" if task == "cmp" else "x", "cnn", 0, "authors", "full")
    seed = more.pop("seed", 0)
    rest = {key: more.pop(key) for key in ("identity", "work") if key in more}
    return Job(method, official, windows(task), settings(task, **more), seed, **rest)


def network(asked: Job[Any]) -> ContactMapsCNN | TracksCNN:
    if asked.method.task == "cmp":
        return ContactMapsCNN(asked, crop=1)
    return TracksCNN(asked, scored=Bins(128, 128, 2))


def predicted(folder: Path, task: str, **more: Any) -> Path:
    """Prediction file of a task, with a manifest that is only there to be hashed."""
    folder.mkdir(exist_ok=True)
    manifest, out = folder / f"{task}.json", folder / f"{task}.parquet"
    manifest.write_text(json.dumps({"task": task}))
    identity = run_identity(job(task).method, manifest)
    asked = job(task, identity=identity, work=folder / "work", **more)
    write_predictions(TASKS[task], out, asked.method, train_cnn(network(asked)))
    return out


def row_of(cnn: ContactMapsCNN | TracksCNN, split: str, number: int) -> int:
    return int(cnn.rows[split][number])


def test_contact_maps_are_of_one_cell_line_and_skip_what_is_not_known(tmp_path: Path) -> None:
    table = pq.read_table(predicted(tmp_path, "cmp", batch=3)).to_pandas()
    truth = {split: targets("cmp", split)[:, 2] for split in ("valid", "test")}
    for (_, row), number in zip(table.iterrows(), (0, 1, 0, 1), strict=True):
        target = np.frombuffer(row["target"], "<f2")
        expected = truth[row["split"]][number]
        prediction = np.frombuffer(row["prediction"], "<f4")
        assert len(target) == len(prediction) == 10 and np.isfinite(prediction).all()
        if number == 1:  # no contact at all: nothing to score
            assert np.isnan(target).all()
        else:
            assert np.array_equal(target, expected, equal_nan=True) and np.isnan(target[3])
    assert table["group"].tolist() == ["2", "2", "3", "4"]
    assert table["example"].tolist() == [0, 1, 0, 1]


def test_the_loss_of_windows_is_the_mean_over_known_targets() -> None:
    cnn = network(job("cmp"))
    cnn.module.eval()
    truth = targets("cmp", "train")[:, 2]
    errors = []
    for number in range(3):
        known = np.isfinite(truth[number])
        prediction = cnn.predict(row_of(cnn, "train", number))[known]
        error = prediction - truth[number][known].astype(np.float32)
        errors.append(0.0 if number == 1 else np.square(error).mean())  # the map of zeros
    loss = float(cnn.loss(np.arange(3)).detach())
    assert loss == pytest.approx(np.mean(errors), rel=1e-4)


def test_activity_has_all_tracks_of_the_scored_bins(tmp_path: Path) -> None:
    table = pq.read_table(predicted(tmp_path, "rsap")).to_pandas()
    stored = np.frombuffer(table["target"][2], "<f2").reshape(2, 3)
    assert np.array_equal(stored, targets("rsap", "test")[0])
    assert len(np.frombuffer(table["prediction"][2], "<f2")) == 6


def test_scores_that_choose_weights_follow_their_definitions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for task in ("cmp", "rsap"):
        cnn = network(job(task))
        truth = targets(task, "valid").astype(np.float32)
        truth = truth[:, 2] if task == "cmp" else truth
        first = row_of(cnn, "valid", 0)
        monkeypatch.setattr(cnn, "predict", lambda row, t=truth, f=first: 2 * t[row - f] + 1)
        assert cnn.validation_score() == pytest.approx(1.0)  # the map of zeros is left out
        monkeypatch.setattr(cnn, "predict", lambda row, t=truth, f=first: 0 * t[row - f])
        assert np.isnan(cnn.validation_score())


def test_a_failure_while_predicting_costs_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messages: Callable[[], list[str]]
) -> None:
    whole = pq.read_table(predicted(tmp_path / "whole", "rsap"))

    def full(*arguments: Any, **more: Any) -> None:
        raise GenezipError("cannot write: no space")

    with monkeypatch.context() as patch, pytest.raises(GenezipError, match="no space"):
        patch.setattr(PredictionWriter, "add", full)
        predicted(tmp_path / "parts", "rsap")
    assert not (tmp_path / "parts" / "rsap.parquet").exists()
    assert (tmp_path / "parts" / "work").exists()
    found = pq.read_table(predicted(tmp_path / "parts", "rsap"))
    assert "cnn.seed0.authors.full: resuming at step 2 of 2" in messages()
    assert found.equals(whole)


@pytest.mark.parametrize("task", ["cmp", "rsap"])
def test_equal_seeds_give_equal_files(task: str, tmp_path: Path) -> None:
    one = pq.read_table(predicted(tmp_path / "a", task))
    torch.rand(3)
    assert pq.read_table(predicted(tmp_path / "b", task)).equals(one)
    assert not pq.read_table(predicted(tmp_path / "c", task, seed=1)).equals(one)


def test_a_checkpoint_of_another_cell_line_is_refused(tmp_path: Path) -> None:
    predicted(tmp_path, "cmp")
    with pytest.raises(GenezipError, match='with subset "GM12878", not "HFF"'):
        predicted(tmp_path, "cmp", official="HFF")


def test_an_unknown_cell_line_is_one_sentence() -> None:
    with pytest.raises(GenezipError, match="no maps of K562, only of HFF"):
        TASKS["cmp"].train_cnn(job("cmp", "K562"))


def test_the_tasks_score_the_bins_of_the_benchmark() -> None:
    maps, tracks = ContactMapsCNN(job("cmp")).module, TracksCNN(job("rsap")).module
    assert isinstance(maps, ContactCNN) and maps.crop == 32
    assert isinstance(tracks, ActivityCNN) and tracks.scored == slice(320, 320 + 896)
    for task in ("cmp", "rsap"):
        assert isinstance(TASKS[task].train_cnn(job(task)), Iterator)


def test_sections_have_what_training_reads() -> None:
    for task, kind in (("cmp", ContactMaps), ("rsap", Activity)):
        assert isinstance(settings(task), kind) and settings(task).steps == 2
