"""Scores of etgp with distance taken away, against loops over pairs of pairs."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toolkit.slow_bootstrap import slow_interval

from genezip.tasks.base import Layout, Method, Predictions
from genezip.tasks.pairs.scores import MATCHED
from genezip.tasks.predictions import PredictionWriter
from genezip.tasks.run import score

MODEL = Method("etgp", "k562", "tiny", 0, "full", "frozen")
DISTANCE = Method("etgp", "k562", "distance", None, "", "baseline")
AGAINST = f"{MATCHED}_minus_distance"


def data(task: str = "etgp", seed: int = 0) -> pd.DataFrame:
    """300 pairs of 14 genes in 3 folds; near pairs are often positive, and a model knows more."""
    random = np.random.default_rng(seed)
    table = pd.DataFrame({"gene": random.integers(0, 14, 300).astype(str)})
    table["bp"] = (10 ** random.uniform(3, 4, 300)).astype(int)
    table["known"] = random.normal(size=300)
    chance = 1 / (1 + np.exp(1.2 - table["known"] + 6 * (np.log10(table["bp"]) - 3.5)))
    table["label"] = (random.random(300) < chance).astype(int)
    table["score"] = np.round(table["known"] - 3 * np.log10(table["bp"]), 1)
    table["fold"] = random.integers(0, 3, 300)
    return table


def write(path: Path, table: pd.DataFrame, methods: dict[Method, str]) -> Path:
    with PredictionWriter(path, Layout("scalar")) as writer:
        for method, column in methods.items():
            for fold, rows in table.groupby("fold"):
                writer.add(
                    Predictions(
                        "test",
                        rows.index.to_numpy(),
                        rows["gene"].tolist(),
                        rows["label"].to_numpy(),
                        rows[column].to_numpy(dtype=float),
                        rule="gene",
                        fold=int(fold),
                    ),
                    method,
                )
    return path


def cells(found: pd.DataFrame, metric: str, model: str) -> pd.Series:
    rows = found[(found["metric"] == metric) & (found["model"] == model)]
    assert len(rows) == 1
    return rows.iloc[0]


def step(bp: np.ndarray) -> np.ndarray:
    return np.floor(10 * np.log10(bp))


def test_a_pair_meets_only_pairs_of_its_fold_that_are_as_far(tmp_path):
    table = data().assign(distance=lambda t: -t["bp"])
    path = write(tmp_path / "p.parquet", table, {MODEL: "score", DISTANCE: "distance"})
    found = score([path], 60, 5, "test")
    label, bp, fold = (table[name].to_numpy() for name in ("label", "bp", "fold"))
    cell = fold * 1_000 + step(bp)

    def slow(column: str, rows: np.ndarray) -> float:
        values = table[column].to_numpy()
        won = []
        for one in rows[label[rows] == 1]:
            for other in rows[(label[rows] == 0) & (cell[rows] == cell[one])]:
                won.append((values[one] > values[other]) + (values[one] == values[other]) / 2)
        return float(np.mean(won))

    both = [value for value in np.unique(cell) if 0 < label[cell == value].mean() < 1]
    kept = np.flatnonzero(np.isin(cell, both))
    genes = table["gene"].to_numpy()[kept]
    holding = [set(genes[label[kept] == value]) for value in (1, 0)]
    scarce = min(holding, key=len)
    for metric, model, statistic in (
        (MATCHED, "tiny", lambda rows: slow("score", rows)),
        (MATCHED, "distance", lambda rows: slow("distance", rows)),
        (AGAINST, "tiny", lambda rows: slow("score", rows) - slow("distance", rows)),
    ):
        row = cells(found, metric, model)
        expected = slow_interval(genes, lambda rows, f=statistic: f(kept[rows]), 60, 5, scarce)
        assert (row["value"], row["ci_low"], row["ci_high"]) == pytest.approx(expected)
        assert (row["n"], row["positives"]) == (len(kept), label[kept].sum())
        assert row["note"] == f"on {len(kept)} of 300 pairs"
    # distance ranks the pairs well, and hardly any of that is left
    assert cells(found, "auroc", "distance")["value"] > 0.75
    assert abs(cells(found, MATCHED, "distance")["value"] - 0.5) < 0.1
    assert cells(found, MATCHED, "tiny")["value"] > 0.6


def test_the_new_rows_come_last_and_only_for_enhancers(tmp_path):
    table = data().assign(distance=lambda t: -t["bp"])
    methods = {MODEL: "score", DISTANCE: "distance"}
    found = score([write(tmp_path / "p.parquet", table, methods)], 10, 0, "test")
    new = found["metric"].str.startswith(MATCHED)
    assert found["metric"][new].tolist() == [MATCHED, AGAINST, MATCHED]
    assert new.iloc[-3:].all()
    variants = {Method("eqtl", "k562", *list(vars(m).values())[2:]): c for m, c in methods.items()}
    other = score([write(tmp_path / "e.parquet", table, variants)], 10, 0, "test")
    assert other["metric"].tolist() == found["metric"][~new].tolist()


def test_without_the_baseline_distance_there_is_no_matched_score(tmp_path):
    found = score([write(tmp_path / "p.parquet", data(), {MODEL: "score"})], 10, 0, "test")
    assert not found["metric"].str.startswith(MATCHED).any()


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        (lambda t: (t["bp"] > 3_000).astype(int), "no stratum of distance has both"),
        (lambda t: 0, "only negatives among 300 test pairs"),
    ],
)
def test_a_matched_score_that_is_undefined_says_why(tmp_path, labels, why):
    table = data().assign(bp=lambda t: np.where(t["bp"] > 3_000, 9_000, 1_500))
    table = table.assign(label=labels(table), distance=-table["bp"])
    path = write(tmp_path / "p.parquet", table, {MODEL: "score", DISTANCE: "distance"})
    found = score([path], 10, 0, "test")
    for metric in (MATCHED, AGAINST):
        row = cells(found, metric, "tiny")
        assert np.isnan(row["value"]) and row["n"] == 300
        assert row["note"].startswith(why) and row["note"].endswith(": AUROC is undefined")
