"""Scores of maps and activity from prediction files, against plain loops."""

import weakref

import numpy as np
import pandas as pd
import pytest
from toolkit.command_line import call, succeed
from toolkit.slow_bootstrap import slow_interval

from genezip.artifacts.scores import TASK_SCORES
from genezip.errors import GenezipError
from genezip.metrics.contacts import contact_scores, n_entries
from genezip.metrics.correlation import pooled_pcc, track_pcc, track_sums
from genezip.tasks import TASKS
from genezip.tasks.base import Layout, Method, Note, Predictions
from genezip.tasks.predictions import PredictionWriter
from genezip.tasks.run import join_scores, score
from genezip.tasks.windows import activity


def write(path, task, shape, rows, model="tiny", notes=()):
    """Rows are (split, example, group, target, prediction)."""
    method = Method(task, "one", model, 0, "full", "frozen")
    layout = Layout("array", shape, prediction="<f4" if task == "cmp" else "<f2")
    with PredictionWriter(path, layout, method) as writer:
        for split, example, group, target, prediction in rows:
            writer.add(Predictions(split, [example], [group], [target], [prediction]))
        for note in notes:
            writer.add(note)
    return path


def cell(table, metric, split="test"):
    rows = table[(table["metric"] == metric) & (table["split"] == split)]
    assert len(rows) == 1
    return rows.iloc[0]


def interval(row):
    return row["value"], row["ci_low"], row["ci_high"]


def map_rows(n, split="test", bins=12, seed=0):
    rng = np.random.default_rng(seed)
    for number in range(n):
        target = rng.normal(size=n_entries(bins)).astype(np.float16)
        noisy = (target + rng.normal(size=len(target))).astype(np.float16)
        yield split, number, number // 2, target, noisy


def test_maps_are_scored_one_by_one_and_resampled_by_locus(tmp_path):
    rows = list(map_rows(10))
    found = score([write(tmp_path / "p.parquet", "cmp", (n_entries(12),), rows)], 50, 3, "test")
    each = [contact_scores(prediction, target) for *_, target, prediction in rows]
    groups = [str(row[2]) for row in rows]
    for metric in ("scc", "scc_hicrep", "scc_hicreppy", "scc_release", "corr"):
        values = np.array([scores[metric] for scores in each])
        expected = slow_interval(groups, lambda rows, v=values: v[rows].mean(), 50, 3)
        row = cell(found, metric)
        assert interval(row) == pytest.approx(expected)
        assert (row["n"], row["unit"], row["units"], row["note"]) == (
            10,
            "loci",
            5,
            "few blocks: 5 loci",
        )


def test_maps_without_a_score_are_skipped_and_counted(tmp_path):
    rows = list(map_rows(6))
    zeros = np.zeros(n_entries(12), np.float16)
    rows[1] = (*rows[1][:3], zeros, rows[1][4])
    rows[4] = (*rows[4][:4], zeros)
    found = score([write(tmp_path / "p.parquet", "cmp", zeros.shape, rows)], 20, 0, "test")
    row = cell(found, "scc")
    kept = [contact_scores(rows[i][4], rows[i][3])["scc"] for i in (0, 2, 3, 5)]
    assert row["value"] == pytest.approx(np.mean(kept))
    assert row["n"] == 4
    assert row["note"] == (
        "2 of 6 maps have no score: 1 with a constant target, 1 with a prediction without variance"
        "; few blocks: 3 loci"
    )


def test_a_model_that_predicts_nothing_has_an_empty_cell_not_zero(tmp_path):
    zeros = np.zeros(n_entries(12), np.float16)
    rows = [(*row[:4], zeros) for row in map_rows(4)]
    found = score([write(tmp_path / "p.parquet", "cmp", zeros.shape, rows)], 20, 0, "test")
    assert found[["value", "ci_low", "ci_high"]].isna().all(axis=None)
    note = "4 of 4 maps have no score: 4 with a prediction without variance"
    assert set(found["note"]) == {note}
    assert (found["n"] == 0).all()


def test_valid100_is_the_first_hundred_validation_maps(tmp_path):
    rows = list(map_rows(103, "valid"))[::-1]  # in any order
    found = score([write(tmp_path / "p.parquet", "cmp", (n_entries(12),), rows)], 10, 0, "test")
    first = [contact_scores(row[4], row[3])["corr"] for row in rows if row[1] < 100]
    assert cell(found, "corr", "valid100")["value"] == pytest.approx(np.mean(first))
    assert cell(found, "corr", "valid100")["n"] == 100
    assert cell(found, "corr", "valid")["n"] == 103


def test_a_metric_that_does_not_apply_is_empty_and_says_why(tmp_path):
    notes = [Note("scc", "it is constant within a diagonal")]
    path = write(tmp_path / "p.parquet", "cmp", (n_entries(12),), list(map_rows(6)), notes=notes)
    found = score([path], 10, 0, "test")
    assert np.isnan(cell(found, "scc")["value"])
    assert cell(found, "scc")["note"] == "it is constant within a diagonal"
    assert np.isfinite(cell(found, "corr")["value"])


def test_a_map_of_another_length_among_maps_is_refused(tmp_path):
    rows = [*map_rows(2), ("test", 2, "a", np.arange(7.0), np.arange(7.0))]
    path = write(tmp_path / "p.parquet", "cmp", (-1,), rows)
    with pytest.raises(GenezipError, match="holds 7 values for test example 2, which is no upper"):
        score([path], 10, 0, "test")


def sequences(n, seed=0):
    rng = np.random.default_rng(seed)
    for number in range(n):
        target = rng.gamma(1.0, size=(4, 5)).astype(np.float16)
        prediction = (target + rng.gamma(1.0, size=(4, 5))).astype(np.float16)
        yield "test", number, number // 2, target, prediction


def test_activity_in_three_definitions_resampled_by_locus(tmp_path, monkeypatch):
    monkeypatch.setattr(activity, "_TRACKS_AT_ONCE", 2)
    rows = list(sequences(10))
    found = score([write(tmp_path / "p.parquet", "rsap", (4, 5), rows)], 40, 1, "test")
    sums = np.stack([track_sums(row[4], row[3]) for row in rows])
    groups = [str(row[2]) for row in rows]
    each = pooled_pcc(sums)
    expected = {
        "pcc_sequence": lambda rows: each[rows].mean(),
        "pcc_flat": lambda rows: pooled_pcc(sums[rows].sum(axis=0)),
        "pcc_track": lambda rows: track_pcc(sums[rows].sum(axis=0)),
    }
    for metric, statistic in expected.items():
        row = cell(found, metric)
        value, low, high = slow_interval(groups, statistic, 40, 1)
        assert interval(row) == pytest.approx((value, low, min(high, 1)))  # no r is above 1
        assert (row["n"], row["unit"], row["units"], row["note"]) == (
            10,
            "loci",
            5,
            "few blocks: 5 loci",
        )


def test_files_of_activity_are_scored_apart_as_together(tmp_path, capsys):
    """A method more, or a job that was lost, does not read the predictions of all others again."""
    paths = [
        write(tmp_path / f"{name}.parquet", "rsap", (4, 5), list(sequences(8, seed)), name)
        for seed, name in enumerate(("a", "b"))
    ]
    together = tmp_path / "together.tsv"
    TASK_SCORES.write(together, score(paths, 40, 1, "test"))
    each = []
    for path in paths:
        each += ["--from-scores", path.with_suffix(".tsv")]
        TASK_SCORES.write(path.with_suffix(".tsv"), score([path], 40, 1, "test"))
    succeed("evaluate", *each, "--out", tmp_path / "joined.tsv")
    assert (tmp_path / "joined.tsv").read_bytes() == together.read_bytes()
    maps = tmp_path / "maps.tsv"
    cmp = write(tmp_path / "maps.parquet", "cmp", (n_entries(12),), list(map_rows(4)))
    TASK_SCORES.write(maps, score([cmp], 40, 1, "test"))
    with pytest.raises(GenezipError, match="scores of cmp compare methods with each other"):
        join_scores([maps])
    both = ["--from-scores", maps, "--from-predictions", cmp]
    assert call("evaluate", *both, "--out", together) == 1
    assert "give --from-predictions FILE (or --from-scores TSV)" in capsys.readouterr().err


def test_activity_without_memory_for_loci_keeps_its_values(tmp_path, monkeypatch):
    path = write(tmp_path / "p.parquet", "rsap", (4, 5), list(sequences(10)))
    with_interval = score([path], 10, 0, "test")
    monkeypatch.setattr(activity, "LOCI_BYTES", 5 * 6 * 8 * 3)  # three loci
    found = score([path], 10, 0, "test")
    pd.testing.assert_series_equal(found["value"], with_interval["value"])
    assert np.isnan(cell(found, "pcc_track")["ci_low"])
    assert cell(found, "pcc_track")["note"].startswith("no interval: sums of every locus")
    assert np.isfinite(cell(found, "pcc_sequence")["ci_low"])


def test_activity_without_variance_is_empty_not_zero(tmp_path):
    rows = [(*row[:4], np.ones((4, 5))) for row in sequences(6)]
    found = score([write(tmp_path / "p.parquet", "rsap", (4, 5), rows)], 10, 0, "test")
    assert found[["value", "ci_low"]].isna().all(axis=None)
    assert found["note"].str.contains("no variance").all()


def test_the_kind_must_fit_the_task(tmp_path):
    path = write(tmp_path / "p.parquet", "eqtl", (4, 5), list(sequences(2)))
    with pytest.raises(GenezipError, match="kind array for the task 'eqtl'"):
        score([path], 10, 0, "test")
    path = write(tmp_path / "q.parquet", "other", (4, 5), list(sequences(2)))
    with pytest.raises(GenezipError, match="'other' is no task here; use one of cmp"):
        score([path], 10, 0, "test")


def test_the_sums_of_a_method_go_before_those_of_the_next_are_made(tmp_path, monkeypatch):
    path = tmp_path / "p.parquet"
    with PredictionWriter(path, Layout("array", (4, 5))) as writer:
        for model in ("one", "two", "three"):
            method = Method("rsap", "one", model, 0, "full", "frozen")
            for split, example, group, target, prediction in sequences(4):
                found = Predictions(split, [example], [group], [target], [prediction])
                writer.add(found, method)
    expected = score([path], 10, 0, "test")
    assert list(dict.fromkeys(expected["model"])) == ["one", "two", "three"]
    alive, most = weakref.WeakSet(), []

    class Counted(activity._Loci):
        def __init__(self):
            super().__init__()
            alive.add(self)
            most.append(len(alive))

    monkeypatch.setattr(activity, "_Loci", Counted)
    pd.testing.assert_frame_equal(score([path], 10, 0, "test"), expected)
    assert most == [1, 1, 1]


@pytest.mark.parametrize(
    ("task", "shape", "sentence"),
    [
        ("cmp", (7,), r"of the shape \(7,\), but those of cmp have one axis with the upper triang"),
        ("cmp", (2, 5), "but those of cmp have one axis"),
        ("rsap", (9,), "but those of rsap have an axis of bins and one of tracks"),
    ],
)
def test_arrays_of_another_shape_than_the_tasks_are_refused(tmp_path, task, shape, sentence):
    values = np.random.default_rng(0).random(shape)
    path = write(tmp_path / "p.parquet", task, shape, [("test", 0, "a", values, values)])
    with pytest.raises(GenezipError, match=sentence):
        score([path], 10, 0, "test")


def test_no_map_of_another_length_is_written(tmp_path):
    method = Method("cmp", "one", "tiny", 0, "full", "frozen")
    found = Predictions("test", [0], ["a"], [np.arange(7.0)], [np.arange(7.0)])
    with (
        pytest.raises(ValueError, match=r"target has the shape \(7,\)"),
        PredictionWriter(tmp_path / "p.parquet", TASKS["cmp"].layout, method) as writer,
    ):
        writer.add(found)
    assert list(tmp_path.iterdir()) == []
