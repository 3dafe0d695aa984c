"""The head of contact maps: what it learns from, its steps, and what it writes."""

import os
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from toolkit.made_examples import MadeWindows

from genezip.config.tasks import ContactMaps
from genezip.errors import GenezipError
from genezip.metrics.contacts import contact_scores, has_signal
from genezip.tasks import TASKS
from genezip.tasks.base import Job, Method
from genezip.tasks.examples import rows_by_split
from genezip.tasks.networks import ContactHead
from genezip.tasks.run import write_predictions
from genezip.tasks.windows.heads import (
    contact_loss,
    predict_contacts,
)
from genezip.training.checkpoint import STATE
from genezip.training.objectives import TaskObjective

BINS, WIDTH, TRACK = 12, 4, 1
ENTRIES = 10 * 11 // 2
SPLITS = ["train"] * 12 + ["valid"] * 3 + ["test"] * 4
METHOD = Method("cmp", "HFF", "tiny", 0, "full", "frozen")


def planted_maps() -> tuple[np.ndarray, MadeWindows]:
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
    return features, MadeWindows(table, stored)


def settings(**keys: Any) -> ContactMaps:
    chosen = {"steps": 4, "batch": 3, "evaluate_every": 2, "device": "cpu", **keys}
    return ContactMaps(**chosen)


def predicted_maps(
    features: np.ndarray,
    windows: MadeWindows,
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


@pytest.mark.slow
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

    with pytest.raises(KeyboardInterrupt), at_message(": step 2/4", stop):
        predicted_maps(features, windows, out)
    assert not out.exists()
    assert (tmp_path / "b" / "work" / STATE).exists()
    parts = predicted_maps(features, windows, out)
    assert any("resuming at step 2 of 4" in text for text in messages())
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
    predicted_maps(features, windows, tmp_path / "p.parquet", patience=1, steps=5)
    steps = [text.split(": ")[1].split(",")[0] for text in messages() if "validation" in text]
    assert steps == ["step 2/5", "step 4/5", "step 5/5"]


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
