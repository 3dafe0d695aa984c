"""What heads on cached features of windows share: standardised bins, batches that fit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from genezip.errors import GenezipError
from genezip.tasks.examples import rows_by_split
from genezip.tasks.windows.examples import blocks
from genezip.tasks.windows.heads import (
    BinFeatures,
    kept_where,
    micro_batch,
    spread,
)

CPU = torch.device("cpu")


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


class Counted(np.ndarray):
    """Features that count how often they are read."""

    read = 0

    def __getitem__(self, rows: Any) -> Any:
        Counted.read += 1
        return np.asarray(super().__getitem__(rows))


@pytest.mark.parametrize("change", ["nothing", "identity", "rows", "dtype", "damage"])
def test_mean_and_sd_are_kept_for_an_interrupted_job(tmp_path: Path, change: str) -> None:
    """They are read from all features, for an hour at full size; other features have others."""
    array = np.random.default_rng(1).normal(size=(60, 4, 3)).astype(np.float32)
    train, kept, identity = np.arange(40), tmp_path / "standard" / "state.pt", {"data": "a"}
    first = BinFeatures(array.view(Counted), train, "toy", kept, identity).standard
    Counted.read = 0
    if change == "identity":
        identity = {"data": "b"}
    if change == "rows":
        train = train[1:]
    if change == "dtype":
        array = array.astype(np.float16)
    if change == "damage":
        kept.write_bytes(kept.read_bytes()[:-40])
    second = BinFeatures(array.view(Counted), train, "toy", kept, identity).standard
    assert (Counted.read == 0) == (change == "nothing")
    if change in ("nothing", "damage"):
        assert np.array_equal(first.centre, second.centre)
        assert np.array_equal(first.scale, second.scale)


def test_rounding_of_half_precision_is_no_signal() -> None:
    values = 7 + np.random.default_rng(2).normal(size=(500, 2, 1)) * 1e-3
    half, single = values.astype(np.float16), values.astype(np.float32)
    assert not BinFeatures(half, np.arange(500), "toy").batch(np.arange(9), CPU).any()
    assert BinFeatures(single, np.arange(500), "toy").batch(np.arange(9), CPU).std() > 0.5


def test_no_training_rows_are_refused() -> None:
    with pytest.raises(GenezipError, match="toy has no training windows with a target"):
        BinFeatures(np.zeros((2, 3, 4), np.float32), np.arange(0), "toy")


@pytest.mark.parametrize(
    ("count", "most", "expected"),
    [(3, 5, [0, 1, 2]), (10, 5, [0, 2, 4, 6, 8]), (7, 3, [0, 2, 4]), (0, 5, [])],
)
def test_chosen_windows_are_spread_evenly(count: int, most: int, expected: list[int]) -> None:
    assert spread(count, most).tolist() == expected
