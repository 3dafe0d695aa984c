"""The head of regulatory activity: its loss, its selection, and what it writes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from toolkit.made_examples import MadeWindows

from genezip.config.tasks import Activity
from genezip.errors import GenezipError
from genezip.tasks import TASKS
from genezip.tasks.base import Job, Method
from genezip.tasks.networks import ActivityHead, poisson_sum
from genezip.tasks.run import write_predictions
from genezip.tasks.windows import heads
from genezip.tasks.windows.examples import predict_windows
from genezip.tasks.windows.heads import (
    activity_loss,
    predict_activity,
)
from genezip.training.objectives import TaskObjective

BINS, WIDTH, TRACKS = 5, 4, 3
SPLITS = ["train"] * 20 + ["valid"] * 6 + ["test"] * 5
METHOD = Method("rsap", "human", "tiny", 0, "full", "frozen")


@dataclass
class Stored:
    """Targets that note how many rows were asked for at once."""

    values: np.ndarray
    asked: list[int] = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        self.asked.append(len(rows))
        return self.values[rows]


def planted_tracks() -> tuple[np.ndarray, MadeWindows]:
    """Poisson counts whose rate is a soft function of the features; splits in mixed order."""
    random = np.random.default_rng(8)
    splits = np.array(SPLITS)[random.permutation(len(SPLITS))]
    features = random.normal(size=(len(SPLITS), BINS, WIDTH)).astype(np.float32)
    rate = np.log1p(np.exp(2 * features @ random.normal(size=(WIDTH, TRACKS)) + 1))
    targets = random.poisson(rate).astype(np.float16)
    targets[:, 1, 0] = np.nan
    table = pd.DataFrame(
        {
            "example": np.arange(len(SPLITS)) + 50,
            "split": splits,
            "locus": np.arange(len(SPLITS)) % 7,
        }
    )
    stored = {split: Stored(targets[splits == split]) for split in ("train", "valid", "test")}
    return features, MadeWindows(table, stored)


def predicted(
    features: np.ndarray,
    windows: MadeWindows,
    out: Path,
    **keys: Any,
) -> pd.DataFrame:
    settings = Activity(**{"steps": 8, "batch": 6, "evaluate_every": 4, "device": "cpu", **keys})
    job: Job[Any] = Job(METHOD, "human", windows, settings, 0, work=out.parent / "work")
    write_predictions(TASKS["rsap"], out, METHOD, predict_activity(features, job))
    table = pq.read_table(out).to_pandas()
    for name in ("target", "prediction"):
        table[name] = [np.frombuffer(v, "<f2").reshape(BINS, TRACKS) for v in table[name]]
    return table


def stacked(table: pd.DataFrame, name: str = "prediction") -> np.ndarray:
    return np.stack(table[name].tolist()).astype(np.float64)


def poisson_mean(rate: np.ndarray, target: np.ndarray) -> float:
    """Mean Poisson loss over finite targets, in numpy."""
    known = np.isfinite(target)
    rate, target = np.broadcast_to(rate, target.shape)[known], target[known]
    return float((rate - target * np.log(rate + 1e-7)).mean())


def test_planted_rates_are_learned(tmp_path: Path) -> None:
    features, windows = planted_tracks()
    found = predicted(
        features, windows, tmp_path / "p.parquet", steps=120, learning_rate=0.05, evaluate_every=40
    )
    test = found[found["split"] == "test"]
    target = stacked(test, "target")
    constant = np.nanmean(windows.stored["train"].values.astype(float), (0, 1))
    assert poisson_mean(stacked(test), target) < poisson_mean(constant, target) - 0.3
    assert (stacked(test) > 0).all()


def test_test_windows_alone_are_written_with_their_targets(tmp_path: Path) -> None:
    features, windows = planted_tracks()
    found = predicted(features, windows, tmp_path / "p.parquet")
    theirs = windows.table[windows.table["split"] == "test"]
    assert found["example"].tolist() == theirs["example"].tolist()
    assert found["group"].tolist() == [str(locus) for locus in theirs["locus"]]
    expected = windows.stored["test"].values
    assert np.array_equal(stacked(found, "target"), expected, equal_nan=True)
    assert set(found["rule"]) == {"paper"} and set(found["fold"]) == {-1}


def test_the_weights_of_the_lowest_validation_loss_are_used(
    tmp_path: Path, messages: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rate so high that training goes back and forth; the value told is of what is written."""
    features, windows = planted_tracks()
    # validation windows as well
    monkeypatch.setattr(heads, "predict_windows", lambda *given: predict_windows(*given[:4]))
    found = predicted(
        features, windows, tmp_path / "p.parquet", learning_rate=2.0, steps=40,
        evaluate_every=5,
    )  # fmt: skip
    told = [float(text.rsplit(" ", 1)[1]) for text in messages() if "/40, validation" in text]
    assert told[-1] < max(told)
    valid = found[found["split"] == "valid"]
    mine = -poisson_mean(stacked(valid), stacked(valid, "target"))
    assert mine == pytest.approx(max(told), abs=5e-3)


def test_targets_are_read_a_batch_at_a_time(tmp_path: Path) -> None:
    features, windows = planted_tracks()
    predicted(features, windows, tmp_path / "p.parquet")
    train, valid, test = (windows.stored[split].asked for split in ("train", "valid", "test"))
    assert max(train) == 6 and max(valid) <= 6
    assert max(test) <= heads.ACTIVITY_AT_ONCE < 5


def test_micro_batches_of_tracks_give_the_gradient_of_the_whole_step() -> None:
    random = torch.Generator().manual_seed(1)
    x = torch.randn(4, BINS, WIDTH, generator=random)
    y = torch.rand(4, BINS, TRACKS, generator=random) * 5
    y[0, :4] = torch.nan
    values = int(y.isfinite().sum())
    torch.manual_seed(0)
    head = ActivityHead(WIDTH, TRACKS)
    settings = Activity(device="cpu")
    objective = TaskObjective("toy", head, settings, partial(activity_loss, head), None, "")
    gradients = []
    for size in (4, 1, 3):
        head.zero_grad()
        parts = zip(x.split(size), y.split(size), strict=True)
        total, _ = objective.minimise([(a, b, values) for a, b in parts])
        gradients.append(torch.cat([p.grad.flatten() for p in head.parameters()]))
        assert float(total) == pytest.approx(
            poisson_mean(head(x).detach().numpy(), y.numpy()), rel=1e-5
        )
    for other in gradients[1:]:
        assert torch.allclose(gradients[0], other, rtol=1e-4, atol=1e-7)


def test_the_share_of_a_micro_batch_is_its_sum_over_all_values() -> None:
    torch.manual_seed(0)
    head = ActivityHead(WIDTH, TRACKS)
    x, y = torch.randn(1, BINS, WIDTH), torch.ones(1, BINS, TRACKS)
    expected = poisson_sum(head(x), y).item() / 60
    assert activity_loss(head, (x, y, 60)).item() == pytest.approx(expected)


def test_features_of_another_number_of_bins_than_the_tracks_are_refused(tmp_path: Path) -> None:
    features, windows = planted_tracks()
    with pytest.raises(GenezipError, match="have 4 bins, its targets 5; compute the features"):
        predicted(features[:, :4], windows, tmp_path / "p.parquet")
