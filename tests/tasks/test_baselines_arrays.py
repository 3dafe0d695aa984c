"""Baselines of maps, initiation and activity on windows small enough to count by hand."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from genezip.tasks.baselines import predict_baselines

from genezip.alphabet import encode
from genezip.config.benchmarks import Activity, ContactMaps, Initiation
from genezip.errors import GenezipError
from genezip.metrics.contacts import contact_scores, n_entries
from genezip.tasks.predictions import PredictionFile
from genezip.tasks.scores import score
from genezip.tasks.windows import baselines_activity
from genezip.tasks.windows import contact_baselines as baselines_maps
from genezip.tasks.windows.baselines_activity import bin_means
from genezip.tasks.windows.bins import Bins
from genezip.tasks.windows.contact_baselines import (
    DISTANCE_MEAN_NOTES,
    LineFit,
    MapMean,
    distance_mean,
    gc_product,
    predict_maps,
    standardised,
)

BINS = Bins(4, 10, 6)  # six bins of 10 bp in windows of 68
ENTRIES = n_entries(6)


class Windows:
    """Stands for WindowExamples: every split has its own targets."""

    def __init__(self, splits, tracks, length=68, seed=0):
        rng = np.random.default_rng(seed)
        self._targets = splits
        rows = [(n, name, 7 * n) for name, part in splits.items() for n in range(len(part))]
        self.table = pd.DataFrame(rows, columns=["example", "split", "locus"])
        self._ids = rng.integers(3, 8, (len(rows), length)).astype(np.uint8)
        self.prepared = SimpleNamespace(folder="data", facts={"tracks": tracks})

    def ids(self, row):
        return self._ids[row]

    def targets(self, split):
        return self._targets[split]


def random_splits(shape, seed=0):
    rng = np.random.default_rng(seed)
    sizes = {"train": 5, "valid": 2, "test": 3}
    return {name: rng.normal(size=(n, *shape)).astype(np.float16) for name, n in sizes.items()}


def test_standardised_values_have_mean_zero_and_deviation_one():
    found = standardised(np.array([1.0, 3.0, np.nan]))
    assert found.tolist() == [-1, 1, 0]
    assert standardised(np.array([2.0, 2.0])).tolist() == [0, 0]


def test_the_mean_map_ignores_missing_values_and_empty_maps():
    mean = MapMean(3)  # four bins: (0,2), (0,3), (1,3)
    for values in ([1, np.nan, 5], [3, np.nan, 1], [0, 0, 0]):
        mean.add(np.array(values, dtype=float))
    assert mean.total.tolist() == [4, 0, 6]
    assert mean.mean().tolist() == [2, 0, 3]  # the diagonal of (0,3) was never seen
    mean = MapMean(3)
    mean.add(np.array([1, 7, np.nan]))
    assert mean.mean().tolist() == [1, 7, 1]


def test_the_line_is_that_of_least_squares():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 3, 40))
    y[1, 5] = np.nan
    line = LineFit()
    for one, other in zip(x, y, strict=True):
        line.add(one, other)
    keep = np.isfinite(y.ravel())
    slope, intercept = np.polyfit(x.ravel()[keep], y.ravel()[keep], 1)
    assert line.line() == pytest.approx((intercept, slope))
    flat = LineFit()
    flat.add(np.full(5, 0.1), np.arange(5.0))
    assert flat.line() == (2, 0)


def test_the_gc_map_is_an_outer_product():
    ids = encode("NNNN" + "GGGGGGGGGG" + "AAAAAAAAAA" + "GGGGGAAAAA" + "GGAAAAAAAA" * 3 + "NNNN")
    gc = standardised(np.array([1, 0, 0.5, 0.2, 0.2, 0.2]))
    outer = np.outer(gc, gc)
    assert gc_product(ids, BINS) == pytest.approx(outer[np.triu_indices(6, 2)])


def test_the_mean_by_distance_fits_counts_and_has_no_scc():
    counts = np.array([6.0, 1.0, np.nan, 4.0, 0.0, 8.0])  # five bins: rows 2,3,4 / 3,4 / 4
    # diagonals: 2 -> 6, 4, 8; 3 -> 1, 0; 4 -> none
    found = distance_mean([counts], 5)
    assert found.tolist() == [6, 0.5, 0, 6, 0.5, 6]
    scores = contact_scores(found, counts)
    assert np.isfinite(scores["corr"])
    assert {name for name, value in scores.items() if np.isnan(value)} == set(DISTANCE_MEAN_NOTES)


def test_maps_are_predicted_from_training_alone(tmp_path, monkeypatch):
    splits = random_splits((5, ENTRIES))
    splits["train"][3] = 0  # a missing chromosome
    windows = Windows(splits, ["HFF", "H1hESC", "GM12878", "IMR90", "HCT116"])
    monkeypatch.setattr(baselines_maps.WindowExamples, "load", lambda *_: windows)
    predict_maps("gm", "GM12878", "manifest", "genome", tmp_path / "b.parquet", BINS)
    rows = list(PredictionFile.open(tmp_path / "b.parquet").rows())
    assert [(r.method.model, r.split, r.example, r.group) for r in rows[:3]] == [
        ("mean_map", "valid", 0, "0"),
        ("gc_product", "valid", 0, "0"),
        ("mean_map", "valid", 1, "7"),
    ]
    assert len(rows) == 2 * (2 + 3)
    train = splits["train"][[0, 1, 2, 4], 2].astype(np.float64)
    x = np.concatenate([gc_product(windows.ids(i), BINS) for i in (0, 1, 2, 4)])
    slope, intercept = np.polyfit(x, train.ravel(), 1)
    for row in rows:
        place = {"valid": 5, "test": 7}[row.split] + row.example
        np.testing.assert_array_equal(row.target, splits[row.split][row.example, 2])
        if row.method.model == "mean_map":
            expected = train.mean(axis=0)
        else:
            expected = intercept + slope * gc_product(windows.ids(place), BINS)
        assert row.prediction == pytest.approx(expected, abs=2e-3)  # stored as float16
    found = score([tmp_path / "b.parquet"], 10, 0, "test")
    assert set(found["model"]) == {"mean_map", "gc_product"}


def test_a_cell_line_that_is_not_there_is_named(tmp_path, monkeypatch):
    windows = Windows(random_splits((5, ENTRIES)), ["HFF", "H1hESC"])
    monkeypatch.setattr(baselines_maps.WindowExamples, "load", lambda *_: windows)
    with pytest.raises(GenezipError, match="no maps of K562, only of HFF, H1hESC"):
        out = tmp_path / "b.parquet"
        predict_baselines("cmp", "m", "g", "k", "K562", ContactMaps(), 0, out, None)
    assert list(tmp_path.iterdir()) == []


def test_activity_means_are_of_training(tmp_path, monkeypatch):
    splits = random_splits((4, 3))
    splits["train"][0, 1, 2] = np.nan
    windows = Windows(splits, ["a", "b", "c"])
    monkeypatch.setattr(baselines_activity.WindowExamples, "load", lambda *_: windows)
    out = tmp_path / "b.parquet"
    predict_baselines("rsap", "m", "g", "human", "human", Activity(), 0, out, None)
    train = splits["train"].astype(np.float64)
    by_bin = np.nanmean(train, axis=0)
    assert bin_means(splits["train"]) == pytest.approx(by_bin)
    rows = list(PredictionFile.open(out).rows())
    assert [(r.method.model, r.split, r.example) for r in rows] == [
        (name, "test", number) for name in ("track_mean", "bin_mean") for number in range(3)
    ]
    for row in rows:
        wide = by_bin if row.method.model == "bin_mean" else np.tile(by_bin.mean(axis=0), (4, 1))
        assert row.prediction == pytest.approx(wide, abs=2e-3)
        np.testing.assert_array_equal(row.target, splits["test"][row.example])
    found = score([out], 10, 0, "test").set_index(["model", "metric"])
    assert np.isnan(found.loc[("track_mean", "pcc_track"), "value"])
    assert np.isfinite(found.loc[("bin_mean", "pcc_track"), "value"])


def test_an_unknown_task_is_refused(tmp_path):
    with pytest.raises(GenezipError, match="there is no task 'x'"):
        predict_baselines("x", "m", "g", "s", "s", Initiation(), 0, tmp_path / "b", None)
