"""Scores of maps, initiation and activity from prediction files, against plain loops."""

import numpy as np
import pandas as pd
import pytest
from toolkit.slow_bootstrap import slow_interval

from genezip.errors import GenezipError
from genezip.metrics.correlation import (
    INITIATION_METRICS,
    initiation_pcc,
    initiation_sums,
)
from genezip.tasks.base import Method
from genezip.tasks.predictions import PredictionWriter
from genezip.tasks.scores import score


def write(path, task, shape, rows, model="tiny", notes=()):
    """Rows are (split, example, group, target, prediction)."""
    method = Method(task, "one", model, 0, "full", "frozen")
    with PredictionWriter(path, method, "array", shape) as writer:
        for split, example, group, target, prediction in rows:
            writer.add(
                rule="paper",
                fold=-1,
                split=split,
                example=[example],
                group=[group],
                target=[target],
                prediction=[prediction],
            )
        for note in notes:
            writer.note(*note)
    return path


def cell(table, metric, split="test"):
    rows = table[(table["metric"] == metric) & (table["split"] == split)]
    assert len(rows) == 1
    return rows.iloc[0]


def interval(row):
    return row["value"], row["ci_low"], row["ci_high"]


def windows(n, seed=0):
    rng = np.random.default_rng(seed)
    for number in range(n):
        length = 60 + 10 * (number % 2)
        target = np.where(rng.random((10, length)) < 0.4, rng.gamma(1.0, size=(10, length)), 0)
        prediction = (target + rng.gamma(1.0, size=target.shape)).astype(np.float16)
        target[:, :7] = np.nan
        yield "test", number, f"chr8:{number // 2}", target.astype(np.float16), prediction


def test_initiation_pools_positions_and_resamples_blocks(tmp_path):
    rows = list(windows(12))
    found = score([write(tmp_path / "p.parquet", "tisp", (10, -1), rows)], 40, 2, "test")
    sums = [initiation_sums(row[4], row[3]) for row in rows]
    groups = [row[2] for row in rows]
    for column, metric in enumerate(INITIATION_METRICS):
        expected = slow_interval(
            groups, lambda rows, c=column: initiation_pcc(sum(sums[i] for i in rows))[c], 40, 2
        )
        row = cell(found, metric)
        assert interval(row) == pytest.approx(expected)
        assert (row["n"], row["unit"], row["units"]) == (12 * 65 - 12 * 7, "blocks", 6)


def test_initiation_says_which_assay_left_the_mean_empty(tmp_path):
    rows = list(windows(6))
    for row in rows:
        row[4][[4, 5]] = 0
    found = score([write(tmp_path / "p.parquet", "tisp", (10, -1), rows)], 10, 0, "test")
    assert np.isnan(cell(found, "pcc_pc")["value"])
    assert "Pearson's r is undefined" in cell(found, "pcc_pc")["note"]
    assert np.isnan(cell(found, "pcc_mean")["value"])
    assert cell(found, "pcc_mean")["note"] == "undefined, as pcc_pc is"
    assert np.isfinite(cell(found, "pcc_gc")["value"])


def test_a_block_without_a_scored_position_is_never_drawn(tmp_path):
    rows = list(windows(8))
    before = score([write(tmp_path / "a.parquet", "tisp", (10, -1), rows)], 30, 0, "test")
    empty = ("test", 8, "chr9:3", np.full((10, 60), np.nan), rows[0][4])
    after = score([write(tmp_path / "b.parquet", "tisp", (10, -1), [*rows, empty])], 30, 0, "test")
    pd.testing.assert_frame_equal(before, after)


@pytest.mark.parametrize(
    ("task", "shape", "sentence"),
    [
        ("tisp", (4, 9), "but those of tisp have 10 tracks and an axis of positions"),
    ],
)
def test_arrays_of_another_shape_than_the_tasks_are_refused(tmp_path, task, shape, sentence):
    values = np.random.default_rng(0).random(shape)
    path = write(tmp_path / "p.parquet", task, shape, [("test", 0, "a", values, values)])
    with pytest.raises(GenezipError, match=sentence):
        score([path], 10, 0, "test")
