"""The one-hot CNN on all five tasks: losses, scores, files, going on after a stop."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from genezip.tasks.cnn import cnn_settings, predict_cnn
from toolkit.dna import random_ids

from genezip.config.benchmarks import ETGP, TASK_SECTIONS, Activity, ContactMaps, Pairs
from genezip.errors import GenezipError
from genezip.tasks import cnn as module
from genezip.tasks.base import Method
from genezip.tasks.pairs.sequences import PairSequences, padded
from genezip.tasks.windows import cnn as cnn_windows
from genezip.tasks.windows.cnn import WindowCNN

CPU = torch.device("cpu")
TRACKS = ["HFF", "H1hESC", "GM12878", "IMR90", "HCT116"]
SPLITS = ["train"] * 3 + ["valid"] * 2 + ["test"] * 2


class FakePairs:
    prepared = SimpleNamespace(task="etgp")
    table = pd.DataFrame(
        {
            "example": np.arange(12) + 50,
            "split": ["train"] * 6 + ["valid"] * 3 + ["test"] * 3,
            "label": [0, 1] * 6,
            "gene_id": [f"gene{number // 2}" for number in range(12)],
        }
    )

    @classmethod
    def load(cls, manifest: Path, genome: Path) -> "FakePairs":
        return cls()

    def sequences(self, row: int) -> PairSequences:
        alternative = random_ids(60 + row, row)
        reference = alternative.copy()
        reference[20:40] = 7
        return PairSequences(reference, alternative, 20, 40, 40)


class FakeWindows:
    """Contact maps of 70 bins (6 scored, 10 entries), or activity of 322 bins (2 scored)."""

    def __init__(self, task: str) -> None:
        self.contacts = task == "cmp"
        names = TRACKS if self.contacts else ["a", "b", "c"]
        self.prepared = SimpleNamespace(task=task, folder=Path("data"), facts={"tracks": names})
        self.table = pd.DataFrame(
            {
                "example": [0, 1, 2, 0, 1, 0, 1],
                "split": SPLITS,
                "locus": [0, 0, 1, 2, 2, 3, 4],
            }
        )

    @classmethod
    def load(cls, manifest: Path, genome: Path) -> "FakeWindows":
        return cls(Path(manifest).stem)

    def ids(self, row: int) -> np.ndarray:
        return random_ids(2048 * 70 if self.contacts else 128 * 322, row)

    def targets(self, split: str) -> np.ndarray:
        shape = (SPLITS.count(split), 5, 10) if self.contacts else (SPLITS.count(split), 2, 3)
        found = np.random.default_rng(len(split)).normal(size=shape).astype(np.float16)
        if self.contacts:
            found[0, 2, 3] = np.nan
            found[1, 2] = 0  # a map without any contact
        return found


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PairExamples", FakePairs)
    monkeypatch.setattr(module, "WindowExamples", FakeWindows)


def settings(task: str, **changes: Any) -> Any:
    values = {"steps": 2, "epochs": 1, "batch": 2, "evaluate_every": 2, "device": "cpu"}
    section = TASK_SECTIONS[task]  # each has the keys that it reads alone
    values = {key: value for key, value in values.items() if key in section.model_fields}
    return section(**{**values, **changes})


def method(task: str, input: str = "authors") -> Method:
    return Method(task, "HFF" if task == "cmp" else "x", "cnn", 0, input, "full")


def predicted(folder: Path, task: str, seed: int = 0, **changes: Any) -> Path:
    """Prediction file of a task, with a manifest that is only there to be hashed."""
    folder.mkdir(exist_ok=True)
    manifest, out = folder / f"{task}.json", folder / f"{task}.parquet"
    manifest.write_text(json.dumps({"task": task}))
    official = "GM12878" if task == "cmp" else "x"
    chosen = settings(task, **changes)
    predict_cnn(
        task, manifest, folder / "genome.fa", method(task), official, chosen, seed, out,
        folder / "work", padded_bp=64,
    )  # fmt: skip
    return out


def weights(cnn: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in cnn.parameters()])


def test_rate_and_decay_are_the_benchmarks_and_amounts_are_the_tasks() -> None:
    given = ETGP(epochs=7, batch=5, warmup=0.1)
    found = cnn_settings(given)
    assert isinstance(found, Pairs) and (found.epochs, found.batch) == (7, 5)
    assert (found.learning_rate, found.weight_decay, found.warmup) == (0.005, 0.01, 0.0)
    assert given.warmup == 0.1


@pytest.mark.parametrize("task", ["eqtl", "etgp"])
def test_pairs_read_the_padded_alternative_and_the_reference_when_hidden(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messages: Callable[[], list[str]]
) -> None:
    monkeypatch.setattr(FakePairs, "prepared", SimpleNamespace(task=task))
    table = pq.read_table(predicted(tmp_path, task)).to_pandas()
    held_out = FakePairs.table[FakePairs.table["split"] != "train"]
    assert table["example"].tolist() == held_out["example"].tolist()
    assert table["group"].tolist() == held_out["gene_id"].tolist()
    assert table["target"].tolist() == held_out["label"].tolist()
    assert table["prediction"].between(0, 1).all() and len(set(table["prediction"])) > 1
    assert (table["hidden"] != table["prediction"]).any()
    assert any({"eqtl": "auroc", "etgp": "auprc"}[task] in text for text in messages())
    pairs = module._Pairs(FakePairs(), settings(task), 64, 0, CPU)  # type: ignore[arg-type]
    pairs.module.eval()
    for hidden in (False, True):
        one = FakePairs().sequences(9)
        ids = padded(one.reference if hidden else one.alternative, 64)
        with torch.no_grad():
            logits = pairs.module(torch.from_numpy(ids)[None])[0]
        score = pairs.scores("test", hidden)[0]
        assert score == pytest.approx(float(logits.double().softmax(0)[1]))


def test_scores_of_pairs_under_autocast_are_as_many_as_the_inputs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[torch.dtype] = []
    pairs = module._Pairs(FakePairs(), settings("eqtl"), 64, 0, CPU)  # type: ignore[arg-type]
    pairs.rows["test"] = pairs.train = np.arange(12)
    pairs.module.classify.register_forward_hook(lambda net, given, found: seen.append(found.dtype))
    bf16 = torch.autocast("cpu", dtype=torch.bfloat16)
    monkeypatch.setattr(module, "precision", lambda device, chosen: bf16)
    with torch.no_grad():
        pairs.module.classify.bias.copy_(torch.tensor([1.5, -1.5]))
    pairs.module.eval()
    assert len(set(pairs.scores("test"))) == 12
    with bf16:
        pairs.loss(np.array([0, 1])).backward()
    assert set(seen) == {torch.float32}


def test_contact_maps_are_of_one_cell_line_and_skip_what_is_not_known(tmp_path: Path) -> None:
    table = pq.read_table(predicted(tmp_path, "cmp", batch=3)).to_pandas()
    truth = {split: FakeWindows("cmp").targets(split)[:, 2] for split in ("valid", "test")}
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
    cnn = WindowCNN("cmp", FakeWindows("cmp"), "GM12878", settings("cmp"), 0, CPU)  # type: ignore[arg-type]
    cnn.module.eval()
    targets = FakeWindows("cmp").targets("train")[:, 2]
    errors = []
    for number in range(3):
        known = np.isfinite(targets[number])
        error = cnn.predict("train", number)[known] - targets[number][known].astype(np.float32)
        errors.append(0.0 if number == 1 else np.square(error).mean())  # the map of zeros
    loss = float(cnn.loss(np.arange(3)).detach())
    assert loss == pytest.approx(np.mean(errors), rel=1e-4)


def test_activity_has_all_tracks_of_the_scored_bins(tmp_path: Path) -> None:
    table = pq.read_table(predicted(tmp_path, "rsap")).to_pandas()
    stored = np.frombuffer(table["target"][2], "<f2").reshape(2, 3)
    assert np.array_equal(stored, FakeWindows("rsap").targets("test")[0])
    assert len(np.frombuffer(table["prediction"][2], "<f2")) == 6


def test_scores_that_choose_weights_follow_their_definitions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for task, expected in (("cmp", 1.0), ("rsap", 1.0)):
        cnn = WindowCNN(task, FakeWindows(task), "GM12878", settings(task), 0, CPU)  # type: ignore[arg-type]
        truth = FakeWindows(task).targets("valid").astype(np.float32)
        truth = truth[:, 2] if task == "cmp" else truth
        monkeypatch.setattr(cnn, "predict", lambda split, n, truth=truth: 2 * truth[n] + 1)
        assert cnn.validation_score() == pytest.approx(expected)  # the map of zeros is left out
        monkeypatch.setattr(cnn, "predict", lambda split, n, truth=truth: 0 * truth[n])
        assert np.isnan(cnn.validation_score())


@pytest.mark.parametrize("task", ["eqtl", "cmp"])
def test_equal_seeds_give_equal_files(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakePairs, "prepared", SimpleNamespace(task=task))
    one = pq.read_table(predicted(tmp_path / "a", task))
    torch.rand(3)
    assert pq.read_table(predicted(tmp_path / "b", task)).equals(one)
    assert not pq.read_table(predicted(tmp_path / "c", task, seed=1)).equals(one)


def test_a_failure_while_predicting_costs_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messages: Callable[[], list[str]]
) -> None:
    whole = pq.read_table(predicted(tmp_path / "whole", "rsap"))

    def full(*arguments: Any, **more: Any) -> None:
        raise GenezipError("cannot write: no space")

    with monkeypatch.context() as patch, pytest.raises(GenezipError, match="no space"):
        patch.setattr(cnn_windows.PredictionWriter, "add", full)
        predicted(tmp_path / "parts", "rsap")
    assert not (tmp_path / "parts" / "rsap.parquet").exists()
    assert (tmp_path / "parts" / "work").exists()
    found = pq.read_table(predicted(tmp_path / "parts", "rsap"))
    assert "cnn.seed0.authors.full: resuming at step 2 of 2" in messages()
    assert found.equals(whole) and not (tmp_path / "parts" / "work").exists()


def test_an_unknown_cell_line_or_task_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(GenezipError, match="no maps of K562, only of HFF"):
        WindowCNN("cmp", FakeWindows("cmp"), "K562", settings("cmp"), 0, CPU)  # type: ignore[arg-type]
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(GenezipError, match="'xyz' is no task here"):
        predict_cnn(
            "xyz", tmp_path / "x.json", tmp_path, method("cmp"), "x", settings("cmp"), 0,
            tmp_path / "o", tmp_path / "w",
        )  # fmt: skip


def test_sections_have_what_training_reads() -> None:
    for task, kind in (("cmp", ContactMaps), ("rsap", Activity)):
        assert isinstance(settings(task), kind) and settings(task).steps == 2
