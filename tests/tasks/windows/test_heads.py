"""Heads on cached features of windows: batches that fit, contact maps, activity."""

import os
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from genezip.config.tasks import Activity, ContactMaps
from genezip.errors import GenezipError
from genezip.metrics.contacts import contact_scores, has_signal
from genezip.tasks import TASKS
from genezip.tasks.base import Job, Method
from genezip.tasks.examples import rows_by_split
from genezip.tasks.networks import ActivityHead, ContactHead, poisson_sum
from genezip.tasks.run import write_predictions
from genezip.tasks.windows import heads
from genezip.tasks.windows.examples import blocks
from genezip.tasks.windows.heads import (
    BinFeatures,
    activity_loss,
    contact_loss,
    kept_where,
    micro_batch,
    predict_activity,
    predict_contacts,
    spread,
)
from genezip.training.checkpoint import STATE
from genezip.training.objectives import TaskObjective


def test_features_are_standardised_by_the_training_rows_alone() -> None:
    random = np.random.default_rng(0)
    array = (random.normal(size=(40, 6, 3)) * [1, 20, 0] + [0, 100, 7]).astype(np.float32)
    train = np.arange(0, 40, 2)
    features = BinFeatures(array, train, "toy")
    found = features.batch(train, torch.device("cpu")).double().numpy()
    assert found.mean((0, 1)) == pytest.approx([0, 0, 0], abs=1e-6)
    assert found.std((0, 1)) == pytest.approx([1, 1, 0], abs=1e-6)
    others = features.batch(np.array([1, 3]), torch.device("cpu")).numpy()
    seen = array[..., :2]
    mean, sd = seen[train].mean((0, 1)), seen[train].std((0, 1))
    assert others[..., :2] == pytest.approx((seen[[1, 3]] - mean) / sd, abs=1e-4)
    assert not others[..., 2].any()


def test_rows_of_a_split_keep_the_order_of_the_table() -> None:
    table = pd.DataFrame({"split": ["test", "train", "valid", "train", "test"]})
    assert {name: rows.tolist() for name, rows in rows_by_split(table).items()} == {
        "train": [1, 3],
        "valid": [2],
        "test": [0, 4],
    }


def test_blocks_hold_every_row_once_and_a_cpu_takes_one_at_a_time() -> None:
    assert [part.tolist() for part in blocks(np.arange(5), 2)] == [[0, 1], [2, 3], [4]]
    assert blocks(np.arange(0), 2) == []
    assert micro_batch(torch.device("cpu"), 1, 32) == 1


def test_a_gpu_takes_what_half_of_its_free_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 4000))
    cuda = torch.device("cuda")
    assert [micro_batch(cuda, each, 32) for each in (100, 10, 400, 600)] == [5, 32, 1, 1]


def test_windows_that_are_left_out_are_told(messages: Callable[[], list[str]]) -> None:
    kept = kept_where(np.array([4, 6, 9]), lambda place: place != 1, "toy")
    assert kept.tolist() == [0, 2]
    assert messages() == [
        "toy: 1 of 3 training windows have no signal (all values are equal) and are left out"
    ]
    assert kept_where(np.array([4]), lambda place: True, "toy").tolist() == [0]
    assert len(messages()) == 1


def test_no_training_rows_are_refused() -> None:
    with pytest.raises(GenezipError, match="toy has no training windows with a target"):
        BinFeatures(np.zeros((2, 3, 4), np.float32), np.arange(0), "toy")


BINS, WIDTH, TRACKS, TRACK = 12, 4, 2, 1
ENTRIES = 10 * 11 // 2
SPLITS = ["train"] * 12 + ["valid"] * 3 + ["test"] * 4
METHOD = Method("cmp", "HFF", "tiny", 0, "full", "frozen")


@dataclass
class Windows:
    """Prepared windows in memory."""

    table: pd.DataFrame
    stored: dict[str, Any]

    def targets(self, split: str) -> Any:
        return self.stored[split]


def planted_maps() -> tuple[np.ndarray, Windows]:
    """Maps that are the product of a channel at both bins; splits come in mixed order."""
    random = np.random.default_rng(4)
    splits = np.array(SPLITS)[random.permutation(len(SPLITS))]
    features = random.normal(size=(len(SPLITS), BINS, WIDTH)).astype(np.float32) * 3 + 5
    rows, columns = np.triu_indices(BINS, 2)
    signal = (features[:, :, 0] - 5) / 3
    maps = signal[:, rows] * signal[:, columns]
    targets = np.stack([random.normal(size=maps.shape), maps], 1).astype(np.float16)
    targets[:, :, 7] = np.nan
    table = pd.DataFrame(
        {
            "example": np.arange(len(SPLITS)) + 100,
            "split": splits,
            "locus": np.arange(len(SPLITS)) // 2,
        }
    )
    stored = {split: targets[splits == split] for split in ("train", "valid", "test")}
    return features, Windows(table, stored)


def settings(**keys: Any) -> ContactMaps:
    chosen = {"steps": 6, "batch": 5, "evaluate_every": 3, "device": "cpu", **keys}
    return ContactMaps(**chosen)


def predicted_maps(
    features: np.ndarray,
    windows: Windows,
    out: Path,
    seed: int = 0,
    **keys: Any,
) -> pd.DataFrame:
    work = out.parent / "work"
    job: Job[Any] = Job(METHOD, "HFF", windows, settings(**keys), seed, work=work)
    write_predictions(TASKS["cmp"], out, METHOD, predict_contacts(features, TRACK, job))
    table = pq.read_table(out).to_pandas()
    for name in ("target", "prediction"):
        dtype = "<f2" if name == "target" else "<f4"
        table[name] = [np.frombuffer(value, dtype) for value in table[name]]
    return table


def stacked(table: pd.DataFrame, name: str = "prediction") -> np.ndarray:
    return np.stack(table[name].tolist())


def test_a_planted_map_is_learned(tmp_path: Path) -> None:
    features, windows = planted_maps()
    keys = {"learning_rate": 2e-3, "batch": 6}
    before = predicted_maps(features, windows, tmp_path / "a" / "p.parquet", steps=1, **keys)
    after = predicted_maps(features, windows, tmp_path / "b" / "p.parquet", steps=40, **keys)
    corr = [
        np.mean([contact_scores(row.prediction, row.target)["corr"] for row in rows.itertuples()])
        for rows in (before, after)
    ]
    assert corr[0] < 0.3 < 0.6 < corr[1]


def test_validation_and_test_maps_are_written_with_their_targets(tmp_path: Path) -> None:
    features, windows = planted_maps()
    found = predicted_maps(features, windows, tmp_path / "p.parquet")
    assert len(found) == 7
    for split in ("valid", "test"):
        mine = found[found["split"] == split]
        theirs = windows.table[windows.table["split"] == split]
        assert mine["example"].tolist() == theirs["example"].tolist()
        assert mine["group"].tolist() == [str(locus) for locus in theirs["locus"]]
        expected = windows.stored[split][:, TRACK]
        assert np.array_equal(stacked(mine, "target"), expected, equal_nan=True)
        assert stacked(mine).shape == (len(theirs), ENTRIES)
    for name, value in {"rule": "paper", "fold": -1, "subset": "HFF", "model": "tiny"}.items():
        assert set(found[name]) == {value}


def test_the_maps_are_those_of_a_head_trained_by_hand(tmp_path: Path) -> None:
    """One step of the same head, features standardised with numpy, all maps at once."""
    features, windows = planted_maps()
    found = predicted_maps(
        features, windows, tmp_path / "p.parquet", seed=3, steps=1, batch=12, learning_rate=1e-3
    )
    rows = rows_by_split(windows.table)
    seen = features[rows["train"]].astype(np.float64)
    mean, sd = seen.mean((0, 1)), seen.std((0, 1))
    x = torch.from_numpy(((features - mean) / sd).astype(np.float32))
    torch.manual_seed(3)
    head = ContactHead(WIDTH, BINS)
    y = torch.from_numpy(windows.stored["train"][:, TRACK]).float()
    torch.manual_seed(3)
    order = np.random.default_rng([3, 0]).permutation(12)
    optimizer = torch.optim.AdamW(head.parameters(), lr=1e-3, weight_decay=0.0)
    with torch.no_grad():
        before = head.eval().triangle(x[rows["test"]]).numpy()
    head.train()
    total = 0.0
    for place in order:  # one by one, so that dropout draws the same masks
        error = head.triangle(x[rows["train"][[place]]]) - y[[place]]
        total = total + error[~y[[place]].isnan()].square().sum()
    (total / (~y.isnan()).sum()).backward()
    torch.nn.utils.clip_grad_norm_(head.parameters(), 1.0)
    optimizer.step()
    with torch.no_grad():
        expected = head.eval().triangle(x[rows["test"]]).numpy()
    mine = stacked(found[found["split"] == "test"])
    assert mine == pytest.approx(expected, abs=1e-3)
    assert np.abs(expected - before).max() > 0.02


def test_micro_batches_of_maps_give_the_gradient_of_the_whole_step() -> None:
    """Also where maps have different numbers of missing entries."""
    random = torch.Generator().manual_seed(1)
    x = torch.randn(4, BINS, WIDTH, generator=random)
    y = torch.randn(4, ENTRIES, generator=random)
    y[0, :30] = torch.nan
    y[3, 5] = torch.inf
    entries = int(y.isfinite().sum())
    torch.manual_seed(0)
    head = ContactHead(WIDTH, BINS).eval()
    gradients = []
    for size in (4, 1, 3):
        head.zero_grad()
        parts = zip(x.split(size), y.split(size), strict=True)
        objective = TaskObjective("toy", head, settings(), partial(contact_loss, head), None, "")
        loss, _ = objective.minimise([(a, b, entries) for a, b in parts])
        gradients.append([p.grad.clone() for p in head.parameters() if p.grad is not None])
        error = (head.triangle(x) - y)[y.isfinite()]
        assert float(loss) == pytest.approx(error.square().mean().item(), rel=1e-5)
    for other in gradients[1:]:
        for a, b in zip(gradients[0], other, strict=True):
            assert torch.allclose(a, b, rtol=1e-4, atol=1e-6)


def test_training_maps_without_signal_are_left_out_altogether(
    tmp_path: Path, messages: Callable[[], list[str]]
) -> None:
    features, windows = planted_maps()
    rows = rows_by_split(windows.table)["train"]
    windows.stored["train"][2, TRACK] = 0
    windows.stored["train"][5, TRACK, :] = np.nan
    first = predicted_maps(features, windows, tmp_path / "a" / "p.parquet")
    assert messages()[0] == (
        "cmp HFF tiny.seed0.full.frozen: 2 of 12 training windows have no signal (all values are "
        "equal) and are left out"
    )
    features[rows[[2, 5]]] = 1e4
    second = predicted_maps(features, windows, tmp_path / "b" / "p.parquet")
    assert np.array_equal(stacked(first), stacked(second))
    windows.stored["train"][5, TRACK, :] = np.arange(ENTRIES)
    third = predicted_maps(features, windows, tmp_path / "c" / "p.parquet")
    assert not np.array_equal(stacked(first), stacked(third))


def test_a_test_window_changes_its_own_map_alone(tmp_path: Path) -> None:
    features, windows = planted_maps()
    before = predicted_maps(features, windows, tmp_path / "a" / "p.parquet")
    row = rows_by_split(windows.table)["test"][1]
    features[row] += 2
    after = predicted_maps(features, windows, tmp_path / "b" / "p.parquet")
    same = (stacked(before) == stacked(after)).all(1)
    assert (~same == (before["example"] == row + 100)).all()


def test_an_interrupted_training_goes_on_to_the_same_maps(
    tmp_path: Path,
    messages: Callable[[], list[str]],
    at_message: Callable[..., AbstractContextManager[None]],
) -> None:
    features, windows = planted_maps()
    whole = predicted_maps(features, windows, tmp_path / "a" / "p.parquet")
    out = tmp_path / "b" / "p.parquet"

    def stop() -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt), at_message(": step 3/6", stop):
        predicted_maps(features, windows, out)
    assert not out.exists()
    assert (tmp_path / "b" / "work" / STATE).exists()
    parts = predicted_maps(features, windows, out)
    assert any("resuming at step 3 of 6" in text for text in messages())
    assert np.array_equal(stacked(parts), stacked(whole))


def test_another_seed_gives_other_maps(tmp_path: Path) -> None:
    features, windows = planted_maps()
    one = predicted_maps(features, windows, tmp_path / "a" / "p.parquet", seed=0)
    two = predicted_maps(features, windows, tmp_path / "b" / "p.parquet", seed=1)
    assert not np.array_equal(stacked(one), stacked(two))


def test_the_last_step_is_used_and_validations_are_told(
    tmp_path: Path, messages: Callable[[], list[str]]
) -> None:
    features, windows = planted_maps()
    predicted_maps(features, windows, tmp_path / "p.parquet", patience=1, steps=7)
    steps = [text.split(": ")[1].split(",")[0] for text in messages() if "validation" in text]
    assert steps == ["step 3/7", "step 6/7", "step 7/7"]


def test_features_of_another_number_of_bins_than_the_maps_are_refused(tmp_path: Path) -> None:
    features, windows = planted_maps()
    with pytest.raises(GenezipError, match="have 11 bins, its maps 12; compute the features again"):
        predicted_maps(features[:, :11], windows, tmp_path / "p.parquet")


def test_data_without_any_signal_are_refused(tmp_path: Path) -> None:
    features, windows = planted_maps()
    windows.stored["train"][:, TRACK] = 0
    with pytest.raises(GenezipError, match="has no training windows with a target"):
        predicted_maps(features, windows, tmp_path / "p.parquet")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 0, 0], False),
        ([np.nan, np.nan], False),
        ([1, np.nan, 1], False),
        ([1, np.nan, 2], True),
        ([], False),
    ],
)
def test_a_map_has_signal_if_its_finite_values_differ(values: list, expected: bool) -> None:
    assert has_signal(np.array(values, dtype=np.float16)) is expected


TRACK_BINS, N_TRACKS = 5, 3
TRACK_SPLITS = ["train"] * 20 + ["valid"] * 6 + ["test"] * 5
TRACK_METHOD = Method("rsap", "human", "tiny", 0, "full", "frozen")


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


def planted_tracks() -> tuple[np.ndarray, Windows]:
    """Poisson counts whose rate is a soft function of the features; splits in mixed order."""
    random = np.random.default_rng(8)
    splits = np.array(TRACK_SPLITS)[random.permutation(len(TRACK_SPLITS))]
    features = random.normal(size=(len(TRACK_SPLITS), TRACK_BINS, WIDTH)).astype(np.float32)
    rate = np.log1p(np.exp(2 * features @ random.normal(size=(WIDTH, N_TRACKS)) + 1))
    targets = random.poisson(rate).astype(np.float16)
    targets[:, 1, 0] = np.nan
    table = pd.DataFrame(
        {
            "example": np.arange(len(TRACK_SPLITS)) + 50,
            "split": splits,
            "locus": np.arange(len(TRACK_SPLITS)) % 7,
        }
    )
    stored = {split: Stored(targets[splits == split]) for split in ("train", "valid", "test")}
    return features, Windows(table, stored)


def predicted_tracks(
    features: np.ndarray,
    windows: Windows,
    out: Path,
    **keys: Any,
) -> pd.DataFrame:
    settings = Activity(**{"steps": 8, "batch": 6, "evaluate_every": 4, "device": "cpu", **keys})
    job: Job[Any] = Job(TRACK_METHOD, "human", windows, settings, 0, work=out.parent / "work")
    write_predictions(TASKS["rsap"], out, TRACK_METHOD, predict_activity(features, job))
    table = pq.read_table(out).to_pandas()
    for name in ("target", "prediction"):
        table[name] = [np.frombuffer(v, "<f2").reshape(TRACK_BINS, N_TRACKS) for v in table[name]]
    return table


def stacked_tracks(table: pd.DataFrame, name: str = "prediction") -> np.ndarray:
    return np.stack(table[name].tolist()).astype(np.float64)


def poisson_mean(rate: np.ndarray, target: np.ndarray) -> float:
    """Mean Poisson poisson_mean over finite targets, in numpy."""
    known = np.isfinite(target)
    rate, target = np.broadcast_to(rate, target.shape)[known], target[known]
    return float((rate - target * np.log(rate + 1e-7)).mean())


def test_planted_rates_are_learned(tmp_path: Path) -> None:
    features, windows = planted_tracks()
    found = predicted_tracks(
        features, windows, tmp_path / "p.parquet", steps=300, learning_rate=0.05, evaluate_every=50
    )
    test = found[found["split"] == "test"]
    target = stacked_tracks(test, "target")
    constant = np.nanmean(windows.stored["train"].values.astype(float), (0, 1))
    assert poisson_mean(stacked_tracks(test), target) < poisson_mean(constant, target) - 0.3
    assert (stacked_tracks(test) > 0).all()


def test_validation_and_test_windows_are_written_with_their_targets(tmp_path: Path) -> None:
    features, windows = planted_tracks()
    found = predicted_tracks(features, windows, tmp_path / "p.parquet")
    assert len(found) == 11
    for split in ("valid", "test"):
        mine = found[found["split"] == split]
        theirs = windows.table[windows.table["split"] == split]
        assert mine["example"].tolist() == theirs["example"].tolist()
        assert mine["group"].tolist() == [str(locus) for locus in theirs["locus"]]
        expected = windows.stored[split].values
        assert np.array_equal(stacked_tracks(mine, "target"), expected, equal_nan=True)
    assert set(found["rule"]) == {"paper"} and set(found["fold"]) == {-1}


def test_the_weights_of_the_lowest_validation_loss_are_used(
    tmp_path: Path, messages: Callable[[], list[str]]
) -> None:
    """A rate so high that training goes back and forth; the value told is of what is written."""
    features, windows = planted_tracks()
    found = predicted_tracks(
        features, windows, tmp_path / "p.parquet", learning_rate=2.0, steps=40,
        evaluate_every=5,
    )  # fmt: skip
    told = [float(text.rsplit(" ", 1)[1]) for text in messages() if "/40, validation" in text]
    assert told[-1] < max(told)
    valid = found[found["split"] == "valid"]
    mine = -poisson_mean(stacked_tracks(valid), stacked_tracks(valid, "target"))
    assert mine == pytest.approx(max(told), abs=5e-3)


def test_targets_are_read_a_batch_at_a_time(tmp_path: Path) -> None:
    features, windows = planted_tracks()
    predicted_tracks(features, windows, tmp_path / "p.parquet")
    train, valid, test = (windows.stored[split].asked for split in ("train", "valid", "test"))
    assert max(train) == 6 and max(valid) <= 6
    assert max(test) <= heads.ACTIVITY_AT_ONCE < 5


def test_micro_batches_of_tracks_give_the_gradient_of_the_whole_step() -> None:
    random = torch.Generator().manual_seed(1)
    x = torch.randn(4, TRACK_BINS, WIDTH, generator=random)
    y = torch.rand(4, TRACK_BINS, N_TRACKS, generator=random) * 5
    y[0, :4] = torch.nan
    values = int(y.isfinite().sum())
    torch.manual_seed(0)
    head = ActivityHead(WIDTH, N_TRACKS)
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
    head = ActivityHead(WIDTH, N_TRACKS)
    x, y = torch.randn(1, TRACK_BINS, WIDTH), torch.ones(1, TRACK_BINS, N_TRACKS)
    expected = poisson_sum(head(x), y).item() / 60
    assert activity_loss(head, (x, y, 60)).item() == pytest.approx(expected)


def test_features_of_another_number_of_bins_than_the_tracks_are_refused(tmp_path: Path) -> None:
    features, windows = planted_tracks()
    with pytest.raises(GenezipError, match="have 4 bins, its targets 5; compute the features"):
        predicted_tracks(features[:, :4], windows, tmp_path / "p.parquet")


@pytest.mark.parametrize(
    ("count", "most", "expected"),
    [(3, 5, [0, 1, 2]), (10, 5, [0, 2, 4, 6, 8]), (7, 3, [0, 2, 4]), (0, 5, [])],
)
def test_chosen_windows_are_spread_evenly(count: int, most: int, expected: list[int]) -> None:
    assert spread(count, most).tolist() == expected
