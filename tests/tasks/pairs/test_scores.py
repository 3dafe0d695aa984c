"""Scores of pairs from prediction files, against loops over genes."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from toolkit.predictions import add
from toolkit.slow_bootstrap import slow_interval

from genezip.artifacts.scores import TASK_SCORES
from genezip.tasks.base import Fact, Layout, Method, Note
from genezip.tasks.predictions import PredictionWriter
from genezip.tasks.run import score

MODEL = Method("eqtl", "artery", "tiny", 0, "full", "frozen")
DISTANCE = Method("eqtl", "artery", "distance", None, "", "baseline")


def data(seed=0, n=120, genes=15):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"gene": rng.integers(0, genes, n).astype(str)})
    table["label"] = (rng.random(n) < 0.3).astype(int)
    table["real"] = np.round(rng.normal(size=n) + 1.0 * table["label"], 1)
    table["hidden"] = np.round(rng.normal(size=n) + 0.3 * table["label"], 1)
    table["distance"] = -rng.integers(1, 50, n).astype(float)
    return table


def write(path, methods, table, rule="paper", split="test", fold=None, notes=()):
    fold = np.full(len(table), -1) if fold is None else fold
    with PredictionWriter(path, Layout("scalar")) as writer:
        for method, column, hidden in methods:
            for number in np.unique(fold):
                rows = table[fold == number]
                add(
                    writer,
                    rule=rule,
                    fold=int(number),
                    split=split,
                    example=rows.index.to_numpy(),
                    group=rows["gene"].tolist(),
                    target=rows["label"].to_numpy(),
                    prediction=rows[column].to_numpy(),
                    hidden=None if hidden is None else rows[hidden].to_numpy(),
                    method=method,
                )
        for note in notes:
            method, *cells = note
            writer.add(Note(*cells), method)
    return path


def cell(table, metric, model="tiny", **where):
    rows = table[(table["metric"] == metric) & (table["model"] == model)]
    for name, value in where.items():
        rows = rows[rows[name] == value]
    assert len(rows) == 1, rows
    return rows.iloc[0]


def test_values_and_the_interval_by_gene_equal_a_loop(tmp_path):
    table = data()
    methods = [(MODEL, "real", "hidden"), (DISTANCE, "distance", None)]
    found = score([write(tmp_path / "p.parquet", methods, table)], 60, 5, "test")

    def auc(column, rows=slice(None)):
        return roc_auc_score(table["label"].to_numpy()[rows], table[column].to_numpy()[rows])

    expected = {
        "auroc": lambda rows: auc("real", rows),
        "auroc_hidden": lambda rows: auc("hidden", rows),
        "auroc_gain": lambda rows: auc("real", rows) - auc("hidden", rows),
        "auroc_minus_distance": lambda rows: auc("real", rows) - auc("distance", rows),
    }
    holding = set(table.loc[table["label"] == 1, "gene"])  # every gene has a negative
    assert len(holding) < 15
    for metric, statistic in expected.items():
        row = cell(found, metric)
        slow = slow_interval(table["gene"], statistic, 60, 5, holding)
        assert (row["value"], row["ci_low"], row["ci_high"]) == pytest.approx(slow)
        assert (row["n"], row["positives"], row["units"]) == (120, table["label"].sum(), 15)
        assert (row["unit"], row["note"], row["seed"]) == ("genes", "", 0)
    assert cell(found, "auroc", "distance")["value"] == pytest.approx(auc("distance"))


def test_rows_have_all_columns_and_baselines_fewer_metrics(tmp_path):
    methods = [(MODEL, "real", "hidden"), (DISTANCE, "distance", None)]
    found = score([write(tmp_path / "p.parquet", methods, data())], 10, 0, "demo")
    assert list(found) == list(TASK_SCORES.columns)
    assert set(found.loc[found["model"] == "distance", "metric"]) == {
        "auroc",
        "auprc",
        "auprc_sorted",
    }
    assert set(found["scale"]) == {"demo"}
    assert set(found["origin"]) == {"measured"}
    assert found.loc[found["model"] == "distance", "seed"].isna().all()
    TASK_SCORES.write(tmp_path / "out.tsv", found)
    again = pd.read_csv(tmp_path / "out.tsv", sep="\t", keep_default_na=False)
    assert list(again) == list(TASK_SCORES.columns)
    assert again["seed"].astype(str).tolist() == ["0"] * 6 + [""] * 3


def test_order_of_the_file_does_not_matter(tmp_path):
    table = data()
    methods = [(MODEL, "real", "hidden")]
    first = score([write(tmp_path / "a.parquet", methods, table)], 30, 1, "test")
    shuffled = table.sample(frac=1, random_state=3)
    second = score([write(tmp_path / "b.parquet", methods, shuffled)], 30, 1, "test")
    pd.testing.assert_frame_equal(first, second)


def test_folds_are_never_compared_with_each_other(tmp_path):
    table = data()
    fold = table["gene"].astype(int).to_numpy() % 3
    table["moved"] = table["real"] + 1000 * fold
    methods = [(MODEL, "moved", None)]
    found = score([write(tmp_path / "p.parquet", methods, table, "gene", fold=fold)], 20, 0, "test")
    won = pairs = 0
    for number in range(3):
        rows = table[fold == number]
        size = rows["label"].sum() * (1 - rows["label"]).sum()
        won += roc_auc_score(rows["label"], rows["real"]) * size
        pairs += size
    row = cell(found, "auroc", rule="gene")
    assert row["value"] == pytest.approx(won / pairs)
    assert row["ci_low"] < row["value"] < row["ci_high"]


def test_a_score_that_ignores_the_variant_gains_exactly_nothing(tmp_path):
    table = data()
    table["constant"] = 0.25
    same = [(MODEL, "real", "real")]
    row = cell(score([write(tmp_path / "a.parquet", same, table)], 20, 0, "test"), "auroc_gain")
    assert (row["value"], row["ci_low"], row["ci_high"]) == (0, 0, 0)
    hidden = [(MODEL, "real", "constant")]
    found = score([write(tmp_path / "b.parquet", hidden, table)], 20, 0, "test")
    row = cell(found, "auroc_hidden")
    assert (row["value"], row["ci_low"], row["ci_high"]) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(("label", "word"), [(0, "negatives"), (1, "positives")])
def test_a_split_of_one_class_has_an_empty_value_and_the_reason(tmp_path, label, word):
    table = data(n=12).assign(label=label)
    methods = [(MODEL, "real", "hidden"), (DISTANCE, "distance", None)]
    found = score([write(tmp_path / "p.parquet", methods, table)], 10, 0, "test")
    assert len(found) == 9
    assert found[["value", "ci_low", "ci_high"]].isna().all(axis=None)
    row = cell(found, "auroc")
    assert row["note"] == f"only {word} among 12 test pairs: AUROC is undefined"
    assert (row["n"], row["positives"]) == (12, 12 * label)


def test_two_genes_give_a_value_without_interval(tmp_path):
    table = data(n=40, genes=2)
    row = cell(
        score([write(tmp_path / "p.parquet", [(MODEL, "real", None)], table)], 30, 0, "test"),
        "auroc",
    )
    assert np.isfinite(row["value"])
    assert np.isnan(row["ci_low"])
    assert row["note"] == "no interval: it needs 3 genes and has 2"


def test_positives_of_one_gene_are_too_few_for_an_interval(tmp_path):
    table = data(n=60, genes=10)
    table["label"] = (table["gene"] == "3").astype(int)
    row = cell(
        score([write(tmp_path / "p.parquet", [(MODEL, "real", None)], table)], 200, 0, "test"),
        "auroc",
    )
    assert np.isfinite(row["value"])
    assert np.isnan(row["ci_high"])
    assert row["note"] == "no interval: it needs 3 genes and has 1"


def test_pairs_without_prediction_are_told_by_the_distance_baseline(tmp_path):
    table = data()
    fold = table["gene"].astype(int).to_numpy() % 3
    full = write(tmp_path / "d.parquet", [(DISTANCE, "distance", None)], table, "gene", fold=fold)
    part = table[fold != 1]
    own = write(tmp_path / "m.parquet", [(MODEL, "real", None)], part, "gene", fold=fold[fold != 1])
    found = score([full, own], 20, 0, "test")
    lost = int((fold == 1).sum())
    assert cell(found, "auroc")["note"] == f"{lost} of 120 pairs have no prediction (folds 1)"
    assert cell(found, "auroc_minus_distance")["n"] == 120 - lost


def test_facts_and_notes_become_rows(tmp_path):
    table = data()
    path = tmp_path / "p.parquet"
    with PredictionWriter(path, Layout("scalar"), MODEL) as writer:
        add(
            writer,
            rule="paper",
            fold=-1,
            split="test",
            example=table.index.to_numpy(),
            group=table["gene"].tolist(),
            target=table["label"].to_numpy(),
            prediction=table["real"].to_numpy(),
        )
        writer.add(Fact("test_genes_in_train", 0.75, 120))
        writer.add(Fact("test_genes_in_train", None, 0, "gene"))
        writer.add(Note("auprc", "not asked"), MODEL)
        writer.add(Note("auroc", "no coordinates"), DISTANCE)
    found = score([path], 10, 0, "test")
    fact = cell(found, "test_genes_in_train", "examples", rule="paper")
    assert (fact["value"], fact["n"]) == (0.75, 120)
    assert np.isnan(cell(found, "test_genes_in_train", "examples", rule="gene")["value"])
    noted = cell(found, "auprc")
    assert np.isnan(noted["value"]) and np.isnan(noted["ci_low"])
    assert noted["note"] == "not asked"
    added = cell(found, "auroc", "distance")
    assert np.isnan(added["value"]) and added["note"] == "no coordinates"
    assert np.isfinite(cell(found, "auroc")["value"])


def test_an_arm_that_could_predict_nothing_has_empty_cells_with_the_reason(tmp_path):
    table = data()
    known = write(tmp_path / "d.parquet", [(DISTANCE, "distance", None)], table)
    with PredictionWriter(tmp_path / "m.parquet", Layout("scalar"), MODEL) as writer:
        writer.add(Note("auroc", "all 9 training pairs have the label 1", "gene"), MODEL)
    silent = Method("eqtl", "artery", "silent", 0, "full", "frozen")
    with PredictionWriter(tmp_path / "s.parquet", Layout("scalar"), silent):
        pass
    files = [tmp_path / "m.parquet", known, tmp_path / "s.parquet"]
    found = score(files, 10, 0, "test")
    row = cell(found, "auroc")
    assert (row["rule"], row["split"]) == ("gene", "test")
    assert np.isnan(row["value"]) and row["note"] == "all 9 training pairs have the label 1"
    for metric in ("auroc", "auprc", "auprc_sorted"):
        row = cell(found, metric, "silent")
        assert np.isnan(row["value"]) and row["note"].startswith("the file holds no prediction")
    alone = score([known], 10, 0, "test")
    mine = found[found["model"] == "distance"].reset_index(drop=True)
    pd.testing.assert_frame_equal(mine, alone)


def test_where_other_folds_were_predicted_the_value_stands_beside_the_reason(tmp_path):
    table = data()
    fold = table["gene"].astype(int).to_numpy() % 3
    methods = [(MODEL, "real", None)]
    path = write(tmp_path / "a.parquet", methods, table, "gene", fold=fold)
    value = cell(score([path], 10, 0, "test"), "auroc")["value"]
    with PredictionWriter(tmp_path / "b.parquet", Layout("scalar"), MODEL) as writer:
        writer.add(Note("auroc", "fold 3: no training pair", "gene", value_stands=True), MODEL)
        writer.add(Note("auprc", "does not apply", "paper"), MODEL)
        for number in range(3):
            rows = table[fold == number]
            add(
                writer,
                rule="gene",
                fold=number,
                split="test",
                example=rows.index.to_numpy(),
                group=rows["gene"].tolist(),
                target=rows["label"].to_numpy(),
                prediction=rows["real"].to_numpy(),
            )
    found = score([tmp_path / "b.parquet"], 10, 0, "test")
    row = cell(found, "auroc")
    assert row["value"] == value and row["note"] == "fold 3: no training pair"
    assert np.isfinite(cell(found, "auprc", rule="gene")["value"])
    assert cell(found, "auprc", rule="paper")["note"] == "does not apply"


def test_rows_without_a_hidden_score_are_left_out_of_the_gain(tmp_path):
    table = data()
    table.loc[:9, "hidden"] = np.nan
    found = score([write(tmp_path / "p.parquet", [(MODEL, "real", "hidden")], table)], 10, 0, "t")
    row, rest = cell(found, "auroc_hidden"), table[10:]
    assert row["value"] == pytest.approx(roc_auc_score(rest["label"], rest["hidden"]))
    assert (row["n"], row["note"]) == (110, "on 110 of 120 pairs")
    assert cell(found, "auroc")["n"] == 120
