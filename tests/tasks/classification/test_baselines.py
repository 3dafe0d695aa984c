"""Baselines of composition and length, by hand."""

import numpy as np
import pytest
from toolkit.dna import random_ids

from genezip.alphabet import encode, reverse_complement
from genezip.tasks.classification.baselines import (
    boosted_trees,
    class_shares,
    composition,
    composition_features,
    kmer_shares,
)
from genezip.tasks.classification.splits import Fold

FOLD = Fold(0, np.array([0, 1, 2, 4]), np.array([3, 5]))


def test_class_shares_are_of_the_training_rows():
    truth = np.array([0, 0, 1, 1, 0, 1])
    assert class_shares(truth, FOLD, 3).tolist() == [[0.75, 0.25, 0.0]] * 2


def test_trees_give_a_class_without_training_rows_no_chance():
    x = np.arange(60, dtype=float)[:, None]
    truth = (x[:, 0] > 30).astype(int) * 2
    fold = Fold(0, np.flatnonzero(np.arange(60) % 3), np.arange(0, 60, 3))
    found = boosted_trees(x, truth, fold, 3, 0)
    assert (found.argmax(axis=1) == truth[fold.test]).mean() > 0.9
    assert found[:, 1].sum() == 0 and np.allclose(found.sum(axis=1), 1)


def test_features_by_name_of_baseline():
    found = composition_features([random_ids(50, seed) for seed in range(3)])
    assert {name: x.shape for name, x in found.items()} == {
        "gc_cpg": (3, 2),
        "kmer4": (3, 136),
        "gc_cpg_kmer4": (3, 138),
    }


def test_kmer_shares_count_both_strands_as_one():
    ids = encode("AACGTNAAC")
    # 2-mers: AA AC CG GT, then AA AC; GT is AC read on the other strand
    (row,) = kmer_shares([ids], 2)
    assert len(row) == 10
    assert sorted(row[row > 0].tolist()) == pytest.approx([1 / 6, 2 / 6, 3 / 6])
    np.testing.assert_allclose(kmer_shares([reverse_complement(ids)], 2)[0], row)
    assert kmer_shares([ids]).shape == (1, 136)


def test_a_sequence_without_a_kmer_has_no_shares():
    assert kmer_shares([encode("ACG"), encode("NNNNN")]).sum() == 0


def test_composition_is_gc_and_cpg_and_no_length():
    short, long = composition([encode("ACGTCGATGC"), encode("ACGTCGATGC" * 2)])
    assert short == pytest.approx([0.6, 2 * 10 / (3 * 3)])
    assert long == pytest.approx([0.6, 4 * 20 / (6 * 6)])
