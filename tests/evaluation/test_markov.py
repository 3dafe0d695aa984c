"""Markov models against dictionaries and a loop over bases."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from toolkit.dna import random_dna

from genezip.alphabet import encode
from genezip.config import Evaluation
from genezip.errors import GenezipError
from genezip.evaluation.markov import (
    MarkovModel,
    choose_strengths,
    markov_rows,
    negative_log_likelihood,
    read_markov_windows,
    score_markov,
    train,
    write_markov_windows,
)
from genezip.evaluation.windows import read_facts


def slow_counts(sequences, order):
    """Counts of context + base, by string, of every order."""
    counts = [Counter() for _ in range(order + 1)]
    for sequence in sequences:
        for end in range(1, len(sequence) + 1):
            for k in range(order + 1):
                word = sequence[max(0, end - k - 1) : end]
                if len(word) == k + 1 and "N" not in word:
                    counts[k][word] += 1
    return counts


def slow_probability(counts, strengths, context, base):
    """p_k by recursion; the context is as long as the order."""
    k = len(context)
    below = slow_probability(counts, strengths, context[1:], base) if k else 0.25
    total = sum(counts[k][context + letter] for letter in "ACGT")
    return (counts[k][context + base] + strengths[k] * below) / (total + strengths[k])


def slow_nll(counts, strengths, sequence, order):
    found = []
    for position, base in enumerate(sequence):
        run = sequence[:position].split("N")[-1]
        context = run[max(0, len(run) - order) :]
        p = 1.0 if base == "N" else slow_probability(counts, strengths, context, base)
        found.append(-math.log(p))
    return found


@pytest.fixture
def sequences():
    rng = np.random.default_rng(0)
    return [random_dna(n, rng, "ACGTN", [0.3, 0.2, 0.2, 0.2, 0.1]) for n in (90, 3, 150)]


def test_counts_and_likelihood_against_strings(sequences):
    order = 4
    model = train(((encode(text), 0) for text in sequences), order)
    counts = slow_counts(sequences, order)
    for k in range(order + 1):
        assert model.counts[k].sum() == sum(counts[k].values())
    strengths = (1.0, 2.0, 4.0, 8.0, 16.0)
    model = MarkovModel(model.counts, strengths)
    text = "NACGTTACGNNACGTACCA"
    found = negative_log_likelihood(model, encode(text))
    for k in range(order + 1):
        assert found[k].tolist() == pytest.approx(slow_nll(counts, strengths, text, k))


def test_a_segment_read_in_blocks_counts_every_base_once(sequences):
    whole = train([(encode(sequences[2]), 0)], 3)
    ids = encode(sequences[2])
    chunks = [(ids[:50], 0), (ids[47:100], 3), (ids[97:], 3)]
    for left, right in zip(whole.counts, train(chunks, 3).counts, strict=True):
        assert left.tolist() == right.tolist()


def test_probabilities_sum_to_one(sequences):
    model = train(((encode(text), 0) for text in sequences), 3)
    for context in ("", "A", "TG", "CCC"):
        nats = [negative_log_likelihood(model, encode(context + base))[3, -1] for base in "ACGT"]
        assert np.exp(-np.array(nats)).sum() == pytest.approx(1)


def test_the_chosen_strength_is_the_best_one(sequences):
    model = train(((encode(text), 0) for text in sequences), 2)
    validation = [encode("ACGTTGCAACGGTA" * 5), encode("GATTACA")]
    chosen = choose_strengths(model, validation)

    def loss(strengths):
        tried = MarkovModel(model.counts, strengths)
        return sum(negative_log_likelihood(tried, ids)[2].sum() for ids in validation)

    best = loss(chosen.strengths)
    for strength in (1.0, 16.0, 2.0**14):
        assert best <= loss((*chosen.strengths[:2], strength)) + 1e-9
    assert choose_strengths(model, []).strengths == model.strengths


def test_rows_leave_out_first_bases_and_n(toy, settings):
    toy.tile(toy.add_segment("train", "ACGT" * 500, "nig", split="train"), 100)
    toy.tile(toy.add_segment("valid", "ACGT" * 50, "nig", split="valid"), 100)
    toy.tile(toy.add_segment("t", "ACGTN" * 20 + "ACGT" * 25, [0] * 100 + [5] * 100), 100)
    settings = Evaluation(**{**settings.model_dump(), "markov_orders": [0, 3]})
    facts = read_facts(toy.reader(), settings)
    rows = markov_rows(
        score_markov(toy.reader(), toy.assembly(), facts, settings), facts, "test", "simulated"
    )
    ppl = {
        (row["model"], row["region"], row["subset"]): row for row in rows if row["metric"] == "ppl"
    }
    assert {model for model, _, _ in ppl} == {"markov0", "markov3"}
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
    settings = Evaluation(**{**settings.model_dump(), "markov_orders": [0, 2]})
    facts = read_facts(toy.reader(), settings)
    scores = score_markov(toy.reader(), toy.assembly(), facts, settings)
    path = tmp_path / "markov.parquet"
    write_markov_windows(path, scores.windows, facts)
    found = read_markov_windows(path, facts)
    assert list(found.by_order) == [0, 2]
    for order, columns in scores.windows.by_order.items():
        for name, values in columns.items():
            assert np.array_equal(found.by_order[order][name], values)
    # the first base and every N are left out; regions are told apart
    assert found.by_order[0]["predicted"][:, [0, 5]].tolist() == [[79, 0], [0, 99]]
    second = found.columns(2, np.array([False, True]))
    assert second["nll"].shape == (1, 7)

    toy.tiles.pop()
    with pytest.raises(GenezipError, match="holds other windows than the corpus"):
        read_markov_windows(path, read_facts(toy.reader(), settings))
    with pytest.raises(GenezipError, match="run `genezip evaluate markov` first"):
        read_markov_windows(tmp_path / "none.parquet", facts)
    with pytest.raises(GenezipError, match="holds test windows, not valid windows"):
        read_markov_windows(path, replace(facts, split="valid"))
    pq.write_table(pa.table({"x": [1]}), path)
    with pytest.raises(GenezipError, match="is not a table of Markov models by window"):
        read_markov_windows(path, facts)
