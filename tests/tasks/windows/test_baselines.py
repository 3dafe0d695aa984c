"""Baselines of maps and activity: windows to count by hand, and deposits from end to end."""

import numpy as np
import pandas as pd
import pytest
from toolkit.deposits import cmp, rsap
from toolkit.made_examples import MadeWindows

from genezip.alphabet import encode
from genezip.config.tasks import Activity, ContactMaps
from genezip.errors import GenezipError
from genezip.genome.assembly import ReferenceGenome
from genezip.metrics.contacts import METRICS, contact_scores, n_entries
from genezip.tasks import TASKS
from genezip.tasks.base import Job, baseline_method
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.predictions import PredictionFile, PredictionWriter
from genezip.tasks.run import baselines, score
from genezip.tasks.windows.activity import mean_target, prepare_activity
from genezip.tasks.windows.contact_baselines import (
    LineFit,
    MapMean,
    gc_product,
    predict_maps,
    standardised,
)
from genezip.tasks.windows.contacts import prepare_contact_maps
from genezip.tasks.windows.examples import Bins

BINS = Bins(4, 10, 6)  # six bins of 10 bp in windows of 68
ENTRIES = n_entries(6)


def made(task, splits, tracks):
    """Windows of 68 bp of random bases; every split has its own targets."""
    rows = [(n, name, 7 * n) for name, part in splits.items() for n in range(len(part))]
    table = pd.DataFrame(rows, columns=["example", "split", "locus"])
    ids = np.random.default_rng(0).integers(3, 8, (len(rows), 68)).astype(np.uint8)
    return MadeWindows(table, splits, ids.__getitem__, task, tracks)


def random_splits(shape, seed=0):
    rng = np.random.default_rng(seed)
    sizes = {"train": 5, "valid": 2, "test": 3}
    return {name: rng.normal(size=(n, *shape)).astype(np.float16) for name, n in sizes.items()}


def write(task, found, out):
    """The prediction file of baselines."""
    with PredictionWriter(out, TASKS[task].layout, of=(task, "short")) as writer:
        for each in found:
            writer.add(each, baseline_method("", task, "short"))


def found(task, windows, official):
    """What the baselines of a task find."""
    job = Job(baseline_method("", task, "short"), official, windows, TASKS[task].settings(), 0)
    return TASKS[task].baselines(job, None)


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
    mean = MapMean(n_entries(5))
    mean.add(counts)
    found = np.nan_to_num(mean.by_distance())
    assert found.tolist() == [6, 0.5, 0, 6, 0.5, 6]
    scores = contact_scores(found, counts)
    assert np.isfinite(scores["corr"])
    assert {name for name, value in scores.items() if np.isnan(value)} == set(METRICS) - {"corr"}


def test_maps_are_predicted_from_training_alone(tmp_path):
    splits = random_splits((5, ENTRIES))
    splits["train"][3] = 0  # a missing chromosome
    windows = made("cmp", splits, ["HFF", "H1hESC", "GM12878", "IMR90", "HCT116"])
    write("cmp", predict_maps(windows, 2, BINS), tmp_path / "b.parquet")
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
        assert row.prediction == pytest.approx(expected, abs=1e-6)
    scores = score([tmp_path / "b.parquet"], 10, 0, "test")
    assert set(scores["model"]) == {"mean_map", "gc_product"}


def test_a_cell_line_that_is_not_there_is_named():
    windows = made("cmp", random_splits((5, ENTRIES)), ["HFF", "H1hESC"])
    with pytest.raises(GenezipError, match="no maps of K562, only of HFF, H1hESC"):
        found("cmp", windows, "K562")


def test_activity_means_are_of_training(tmp_path):
    splits = random_splits((4, 3))
    splits["train"][0, 1, 2] = np.nan
    windows = made("rsap", splits, ["a", "b", "c"])
    out = tmp_path / "b.parquet"
    write("rsap", found("rsap", windows, "human"), out)
    train = splits["train"].astype(np.float64)
    by_bin = np.nanmean(train, axis=0)
    assert mean_target(splits["train"]) == pytest.approx(by_bin)
    rows = list(PredictionFile.open(out).rows())
    assert [(r.method.model, r.split, r.example) for r in rows] == [
        (name, "test", number) for name in ("track_mean", "bin_mean") for number in range(3)
    ]
    for row in rows:
        wide = by_bin if row.method.model == "bin_mean" else np.tile(by_bin.mean(axis=0), (4, 1))
        assert row.prediction == pytest.approx(wide, abs=2e-3)
        np.testing.assert_array_equal(row.target, splits["test"][row.example])
    scores = score([out], 10, 0, "test").set_index(["model", "metric"])
    assert np.isnan(scores.loc[("track_mean", "pcc_track"), "value"])
    assert np.isfinite(scores.loc[("bin_mean", "pcc_track"), "value"])


def test_contact_maps_of_one_cell_line(tmp_path):
    files = TaskFiles.load(cmp.write(tmp_path))
    fasta, manifest, out = tmp_path / cmp.GENOME, tmp_path / "d" / "manifest.json", tmp_path / "b"
    prepare_contact_maps(files, ReferenceGenome(fasta), manifest)
    baselines("cmp", manifest, fasta, "imr", "IMR90", ContactMaps(), 0, out)
    rows = [row for row in PredictionFile.open(out).rows() if row.method.model == "mean_map"]
    trained = [cmp.target(record, "train")[:, 3].astype(float) for record in (0, 2, 3)]
    for row in rows:
        np.testing.assert_array_equal(row.target, cmp.target(row.example, row.split)[:, 3])
        np.testing.assert_allclose(row.prediction, np.mean(trained, axis=0), atol=1e-3)
    found = score([out], 10, 0, "test")
    test = found[(found["model"] == "mean_map") & (found["split"] == "test")]
    assert test["n"].tolist() == [1] * 5  # record 1 of cell line 3 has no contact
    assert test["note"].str.startswith("1 of 2 maps have no score: 1 with a constant target").all()


def test_regulatory_activity(tmp_path):
    listing = rsap.write(tmp_path)
    fasta, manifest, out = rsap.genome_of(listing), tmp_path / "d" / "manifest.json", tmp_path / "b"
    prepare_activity(TaskFiles.load(listing), "human", ReferenceGenome(fasta), manifest)
    baselines("rsap", manifest, fasta, "human", "human", Activity(), 0, out)
    found = score([out], 10, 0, "test").set_index(["model", "metric"])["value"]
    train = np.load(manifest.parent / "targets.train.npy").astype(float)
    test = np.load(manifest.parent / "targets.test.npy").astype(float)
    flat = np.broadcast_to(train.mean(axis=0), test.shape)
    expected = np.corrcoef(flat.ravel(), test.ravel())[0, 1]
    assert abs(found["bin_mean", "pcc_flat"] - expected) < 1e-3
    assert np.isnan(found["track_mean", "pcc_track"])
