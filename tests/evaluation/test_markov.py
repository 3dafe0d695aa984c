"""Markov models against dictionaries and a loop over bases."""

import math
from collections import Counter

import numpy as np
import pytest
from toolkit.dna import random_dna

from genezip.alphabet import encode
from genezip.evaluation.markov import (
    MarkovModel,
    choose_strengths,
    negative_log_likelihood,
    train,
)


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
