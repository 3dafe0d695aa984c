"""Scores of initiation from prediction files, against plain loops."""

import numpy as np
import pandas as pd
import pytest
from toolkit.predictions import add
from toolkit.slow_bootstrap import slow_interval

from genezip.errors import GenezipError
from genezip.metrics.correlation import INITIATION_METRICS, initiation_pcc, initiation_sums
from genezip.tasks import TASKS
from genezip.tasks.base import Layout, Method, Note, baseline_method
from genezip.tasks.initiation.scores import FLAT
from genezip.tasks.predictions import PredictionWriter
from genezip.tasks.run import score


def write(path, rows, shape=(10, -1)):
    """Rows are (split, example, group, target, prediction)."""
    method = Method("tisp", "one", "tiny", 0, "full", "frozen")
    with PredictionWriter(path, Layout("array", shape), method) as writer:
        for split, example, group, target, prediction in rows:
            add(
                writer,
                split=split,
                example=[example],
                group=[group],
                target=[target],
                prediction=[prediction],
            )
    return path


def cell(table, metric):
    rows = table[table["metric"] == metric]
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
    found = score([write(tmp_path / "p.parquet", rows)], 40, 2, "test")
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
    found = score([write(tmp_path / "p.parquet", rows)], 10, 0, "test")
    assert np.isnan(cell(found, "pcc_pc")["value"])
    assert "Pearson's r is undefined" in cell(found, "pcc_pc")["note"]
    assert np.isnan(cell(found, "pcc_mean")["value"])
    assert cell(found, "pcc_mean")["note"] == "undefined, as pcc_pc is"
    assert np.isfinite(cell(found, "pcc_gc")["value"])


def test_a_block_without_a_scored_position_is_never_drawn(tmp_path):
    rows = list(windows(8))
    before = score([write(tmp_path / "a.parquet", rows)], 30, 0, "test")
    empty = ("test", 8, "chr9:3", np.full((10, 60), np.nan), rows[0][4])
    after = score([write(tmp_path / "b.parquet", [*rows, empty])], 30, 0, "test")
    pd.testing.assert_frame_equal(before, after)


def test_arrays_of_another_shape_are_refused(tmp_path):
    values = np.random.default_rng(0).random((4, 9))
    path = write(tmp_path / "p.parquet", [("test", 0, "a", values, values)], (4, 9))
    with pytest.raises(GenezipError, match="those of tisp have 10 tracks and an axis of position"):
        score([path], 10, 0, "test")


def counts(blocks=9, seed=0):
    """Targets of blocks of two strands, ln(count + 1), with an N near the first bases."""
    rng = np.random.default_rng(seed)
    found = [np.log1p(rng.poisson(0.4, (2, 40 + number))) for number in range(blocks)]
    for target in found:
        target[:, :5] = np.nan
    return [target.astype(np.float32) for target in found]


def noisy(targets, share, seed):
    rng = np.random.default_rng(seed)
    return [np.nan_to_num(t) + rng.gamma(share, size=t.shape) for t in targets]


def model(name, seed=0):
    return Method("initiation", "procap", name, seed, "full", "frozen")


def write_counts(path, targets, methods, notes=()):
    """Predictions of each method in three folds, which take turns."""
    with PredictionWriter(path, TASKS["initiation"].layout, of=("initiation", "procap")) as writer:
        for method, note in notes:
            writer.add(note, method)
        for method, predicted in methods.items():
            for fold in range(3):
                of = range(fold, len(predicted), 3)
                add(
                    writer,
                    method,
                    rule="blocks",
                    fold=fold,
                    split="test",
                    example=list(of),
                    group=[f"s+{number}" for number in of],
                    target=[targets[number] for number in of],
                    prediction=[predicted[number] for number in of],
                )
    return path


def pooled(targets, predicted, blocks):
    """Pearson's r of log10 values of some blocks, by numpy."""
    x = np.concatenate([np.asarray(predicted[b], np.float32)[:, 5:].ravel() for b in blocks])
    y = np.concatenate([targets[b][:, 5:].ravel() for b in blocks])
    return np.corrcoef(x / np.log(10), y / np.log(10))[0, 1]


def test_counts_are_pooled_over_strands_and_compared_block_by_block(tmp_path):
    targets = counts()
    found = {model("a"): noisy(targets, 0.5, 1), model("b"): noisy(targets, 1.0, 2)}
    found[baseline_method("local_bases", "initiation", "procap")] = noisy(targets, 2.0, 3)
    path = write_counts(tmp_path / "p.parquet", targets, found)
    table = score([path], 40, 2, "test", control="b").set_index(["model", "metric"])
    one, two, base = found.values()
    groups = list(range(9))

    def r(predicted):
        return lambda blocks: pooled(targets, predicted, blocks)

    def less(first, second):
        return lambda blocks: pooled(targets, first, blocks) - pooled(targets, second, blocks)

    for key, statistic in {
        ("a", "pcc"): r(one),
        ("b", "pcc"): r(two),
        ("local_bases", "pcc"): r(base),
        ("a", "pcc_minus_best_baseline"): less(one, base),
        ("a", "pcc_minus_control"): less(one, two),
        ("b", "pcc_minus_best_baseline"): less(two, base),
    }.items():
        row = table.loc[key]
        assert interval(row) == pytest.approx(slow_interval(groups, statistic, 40, 2), abs=1e-5)
        assert (row["n"], row["unit"], row["units"]) == (sum(35 + n for n in range(9)), "blocks", 9)
        assert (row["rule"], row["split"], row["scale"]) == ("blocks", "test", "test")
    assert len(table) == 6


def test_a_noted_method_is_empty_and_none_is_compared_with_it(tmp_path):
    """A constant within each fold has a high r here: blocks of one fold are alike."""
    targets = [np.full((2, 30), fold, np.float32) + t[:, 5:35] for fold, t in enumerate(counts())]
    constant = [np.full((2, 30), float(number % 3 + number)) for number in range(9)]
    flat = baseline_method("constant", "initiation", "procap")
    other = baseline_method("local_bases", "initiation", "procap")
    found = {flat: constant, other: noisy(targets, 3.0, 1), model("a"): noisy(targets, 1.0, 2)}
    large = model("large", None)
    notes = [(flat, Note("pcc", FLAT, "blocks")), (large, Note("pcc", "too many", "blocks"))]
    path = write_counts(tmp_path / "p.parquet", targets, found, notes)
    table = score([path], 20, 0, "test").set_index(["model", "metric"])
    assert np.isnan(table.loc[("constant", "pcc"), "value"])
    assert table.loc[("constant", "pcc"), ["note", "n"]].tolist() == [FLAT, 9 * 30]
    assert np.isnan(table.loc[("large", "pcc"), "value"])
    assert table.loc[("large", "pcc"), ["note", "n", "units"]].tolist() == ["too many", 0, 9]
    best = ("a", "pcc_minus_best_baseline")
    assert table.loc[best, "note"] == "against local_bases"
    assert len(table) == 5
    path = write_counts(tmp_path / "q.parquet", targets, found)
    plain = score([path], 20, 0, "test").set_index(["model", "metric"])
    assert plain.loc[best, "note"] == "against constant"


def test_methods_with_other_blocks_are_refused(tmp_path):
    targets = counts()
    found = {model("a"): noisy(targets, 1.0, 1), model("b"): noisy(targets, 1.0, 2)[:8]}
    path = write_counts(tmp_path / "p.parquet", targets, found)
    with pytest.raises(GenezipError, match=r"predicted different examples \(blocks, test\)"):
        score([path], 20, 0, "test")
