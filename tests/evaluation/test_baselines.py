"""Markov and mixing models on held-out windows: their rows, their file, what a network adds."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genezip.config import Evaluation
from genezip.errors import GenezipError
from genezip.evaluation import baselines
from genezip.evaluation.baselines import (
    baseline_rows,
    mixture,
    read_baseline_windows,
    score_baselines,
    stretches,
    write_baseline_windows,
)
from genezip.evaluation.windows import read_facts


def test_rows_leave_out_first_bases_and_n(toy, settings):
    toy.tile(toy.add_segment("train", "ACGT" * 500, "nig", split="train"), 100)
    toy.tile(toy.add_segment("valid", "ACGT" * 50, "nig", split="valid"), 100)
    toy.tile(toy.add_segment("t", "ACGTN" * 20 + "ACGT" * 25, [0] * 100 + [5] * 100), 100)
    settings = Evaluation(**{**settings.model_dump(), "markov_orders": [0, 3], "mixing": False})
    facts = read_facts(toy.reader(), settings)
    rows = baseline_rows(
        score_baselines(toy.reader(), toy.assembly(), facts, settings), facts, "test", "simulated"
    )
    ppl = {
        (row["model"], row["region"], row["subset"]): row for row in rows if row["metric"] == "ppl"
    }
    assert {model for model, _, _ in ppl} == {"markov0", "markov3"}
    best = [row["value"] for row in rows if row["metric"] == "best_order"]
    assert best == [3]
    assert ppl["markov0", "all", "all"]["value"] == pytest.approx(4, abs=0.01)
    # Known context of three bases decides the next; after an N it is too short.
    assert ppl["markov3", "nig", "n_le_5pct"]["value"] < 1.05
    assert ppl["markov3", "promoter", "all"]["value"] > ppl["markov3", "nig", "all"]["value"]
    assert ppl["markov3", "promoter", "n_le_5pct"]["value"] is None
    strengths = [row for row in rows if row["metric"] == "prior_strength"]
    assert len(strengths) == 4
    assert {row["task"] for row in rows} == {"markov"}


def test_sums_per_window_go_to_a_file_and_back(toy, settings, tmp_path):
    toy.tile(toy.add_segment("train", "ACGT" * 100, "nig", split="train"), 100)
    toy.tile(toy.add_segment("t", "ACGTN" * 20 + "ACGT" * 25, [0] * 100 + [5] * 100), 100)
    settings = Evaluation(
        **{**settings.model_dump(), "markov_orders": [0, 2], "mixing_orders": [2, 12]}
    )
    facts = read_facts(toy.reader(), settings)
    scores = score_baselines(toy.reader(), toy.assembly(), facts, settings)
    path = tmp_path / "markov.parquet"
    write_baseline_windows(path, scores.windows, facts)
    found = read_baseline_windows(path, facts)
    assert list(found.by_model) == ["markov0", "markov2", "mixing"]
    for model, columns in scores.windows.by_model.items():
        for name, values in columns.items():
            assert np.array_equal(found.by_model[model][name], values)
    assert found.mixing_nll is not None and scores.windows.mixing_nll is not None
    for again, losses in zip(found.mixing_nll, scores.windows.mixing_nll, strict=True):
        assert np.array_equal(again, losses, equal_nan=True)
    # the first base and every N are left out; regions are told apart
    assert found.by_model["markov0"]["predicted"][:, [0, 5]].tolist() == [[79, 0], [0, 99]]
    second = found.columns("markov2", np.array([False, True]))
    assert second["nll"].shape == (1, 7)

    toy.tiles.pop()
    with pytest.raises(GenezipError, match="holds other windows than the corpus"):
        read_baseline_windows(path, read_facts(toy.reader(), settings))
    with pytest.raises(GenezipError, match="run `genezip evaluate markov` first"):
        read_baseline_windows(tmp_path / "none.parquet", facts)
    with pytest.raises(GenezipError, match="holds test windows, not valid windows"):
        read_baseline_windows(path, replace(facts, split="valid"))
    pq.write_table(pa.table({"x": [1]}), path)
    with pytest.raises(GenezipError, match="is not a table of Markov and mixing models by window"):
        read_baseline_windows(path, facts)


def slow_mixture(one, other):
    """Weights by a loop: each earlier base counts 0.95 times as much as the next one."""
    found, log_odds = [], 0.0
    for first, second in zip(one, other, strict=True):
        if np.isnan(first) or np.isnan(second):
            found.append(np.nan)
            continue
        weight = 1 / (1 + np.exp(-log_odds))
        found.append(-np.log(weight * np.exp(-first) + (1 - weight) * np.exp(-second)))
        log_odds = 0.95 * log_odds + second - first
    return found


def test_the_mixture_of_two_models_against_a_loop():
    rng = np.random.default_rng(0)
    one, other = rng.exponential(size=(2, 60))
    one[[0, 7]] = np.nan
    other[20] = np.nan
    found = mixture(one, other)
    assert found.tolist() == pytest.approx(slow_mixture(one, other), nan_ok=True)
    # no base is predicted much worse than by the better model at the best constant weight
    assert mixture(one, one).tolist() == pytest.approx(one.tolist(), nan_ok=True)
    # certain models lose nothing to rounding
    assert mixture(np.full(2000, 1e-6), np.full(2000, 30.0))[-1] == pytest.approx(1e-6, abs=1e-7)
    later = other.copy()
    later[40:] += 1  # weights depend on earlier bases alone
    assert mixture(one, later)[:40].tolist() == pytest.approx(found[:40].tolist(), nan_ok=True)


def test_stretches_are_interleaved_and_spaced(toy, monkeypatch):
    monkeypatch.setattr(baselines, "_STRETCH_BP", 10)
    toy.add_segment("a", "A" * 40, "nig", split="train")
    toy.add_segment("b", "C" * 25, "nig", split="train")
    segments = toy.assembly().segments_of("train")
    found = [(s.name, start - s.start, end - start) for s, start, end in stretches(segments, 1000)]
    assert found == [
        ("a", 0, 10), ("b", 0, 10), ("a", 10, 10), ("b", 10, 10), ("a", 20, 10), ("a", 30, 10),
        ("b", 20, 5),
    ]  # fmt: skip
    fewer = stretches(segments, 33)  # every second one
    assert [(s.name, start - s.start) for s, start, _ in fewer] == [
        ("a", 0), ("a", 10), ("a", 20), ("b", 20),
    ]  # fmt: skip
