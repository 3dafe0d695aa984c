"""Heads and baselines on PRO-cap counts: features of bases, cross-fitting, profiles."""

import numpy as np
import pandas as pd
import torch
from toolkit.crafted import Crafted, Runs, base_counts
from toolkit.dna import random_ids

from genezip.alphabet import encode, reverse_complement
from genezip.genome.assembly import Segment
from genezip.models.token_counts import TokenCounts
from genezip.tasks.initiation import procap
from genezip.tasks.initiation.examples import far_from_n
from genezip.tasks.initiation.procap import both_strands, too_many_counts
from genezip.tasks.initiation.procap_labels import (
    Block,
    CountedSegment,
    blocks,
    sample,
    training_bases,
)
from genezip.tasks.networks import initiation_loss

RANDOM = np.random.default_rng(0)


def segment(length: int) -> CountedSegment:
    where = Segment("p", "chr22", 1000, 1000 + length, "train", "genes", False, False, False)
    ids = random_ids(length, RANDOM)
    return CountedSegment(where, ids, np.zeros((2, length), np.float32), far_from_n(ids))


def test_the_head_is_at_the_minimum_of_the_release_loss():
    x = RANDOM.normal(size=(400, 3))
    y = RANDOM.poisson(np.exp(0.3 * x[:, 0] - 1)).astype(float)
    head = procap.poisson_head(x, y, np.ones(400))

    def loss(weights: np.ndarray, bias: float) -> float:
        log_rate = torch.from_numpy(x @ weights + bias)
        return float(initiation_loss(log_rate, torch.from_numpy(y)))

    best = loss(head.coef_, head.intercept_)
    for column in range(3):
        for step in (-0.05, 0.05):
            moved = head.coef_.copy()
            moved[column] += step
            assert loss(moved, head.intercept_) > best
    assert loss(head.coef_, head.intercept_ + 0.05) > best
    assert loss(head.coef_, head.intercept_ - 0.05) > best


def test_local_features_belong_to_the_same_base_on_both_strands():
    ids = encode("AACGT")
    forward, reverse = procap.local_features(ids, 1)
    assert forward.shape == (5, 12)
    # base 1 (A): neighbours A and C; read on the other strand: G T T
    assert forward[1].reshape(3, 4).argmax(1).tolist() == [0, 0, 1]
    assert reverse[1].reshape(3, 4).argmax(1).tolist() == [2, 3, 3]
    again = procap.local_features(reverse_complement(ids), 1)
    np.testing.assert_array_equal(again[0], reverse[::-1])
    assert forward[0].reshape(3, 4)[0].tolist() == [0, 0, 0, 0]  # outside the segment


def test_normed_is_torchs_layer_norm_without_scale():
    states = RANDOM.normal(2, 3, size=(50, 8)).astype(np.float32)
    expected = torch.nn.functional.layer_norm(torch.from_numpy(states), (8,)).numpy()
    found = procap.normed((states, states))
    np.testing.assert_allclose(found[0], expected, atol=2e-3)  # half precision


def test_a_planted_signal_is_learned_from_other_blocks_and_on_its_strand():
    length = 4000
    where = segment(length)
    hot = where.ids == 4  # C carries signal on the forward strand only
    target = np.zeros((2, length), np.float32)
    target[0, hot] = 2.0
    cut = blocks([length], 500, 4)
    features = [procap.local_features(where.ids, 1)]
    sampled = sample([target], 1.0, 0)
    found = np.concatenate(procap.cross_fitted(cut, [target], features, sampled, 10), axis=1)
    assert found[0, hot].mean() > 10 * found[0, ~hot].mean()
    # what G means on the reverse strand is the same thing read backwards: nothing was there
    assert found[1, hot].mean() < 0.1 * found[0, hot].mean()


def test_labels_of_the_tested_block_do_not_change_its_prediction():
    length = 2000
    where, target = segment(length), RANDOM.random((2, length)).astype(np.float32)
    cut = blocks([length], 500, 4)
    features = [procap.local_features(where.ids, 1)]
    changed = target.copy()
    changed[:, 480:1020] += 5  # block 1 and the gap of 20 bp on both sides
    one, two = (
        procap.cross_fitted(cut, [t], features, sample([t], 1.0, 0), 20) for t in (target, changed)
    )
    np.testing.assert_array_equal(one[1], two[1])
    assert not np.array_equal(one[0], two[0])


def test_no_rate_is_higher_than_the_highest_learned_target():
    length = 2000
    target = np.zeros((2, length), np.float32)
    cut = blocks([length], 500, 4)
    steep = np.linspace(0, 1, length, dtype=np.float32)[:, None] ** 8  # tested beyond what is known
    target[0] = np.exp(4 * steep[:, 0]) / 40
    sampled = sample([target], 1.0, 0)
    found = procap.cross_fitted(cut, [target], [(steep, steep)], sampled, 0)
    for block, rates in zip(cut, found, strict=True):
        free = training_bases([block], [target], 0)[0]
        assert rates.max() <= target[:, free].max() + 1e-6


def test_the_profile_is_learned_elsewhere_and_laid_out_by_strand():
    length = 12_000
    where = segment(length)
    tss = pd.DataFrame(
        {"chrom": "chr22", "position": [1000 + 2000, 1000 + 8000], "strand": ["+", "-"]}
    )
    target = np.zeros((2, length), np.float32)
    target[0, 2030] = 4.0  # 30 bp downstream on the strand of the first gene
    cut = [Block(0, 0, 6000, 0), Block(0, 6000, 12_000, 1)]
    found = procap.tss_profile(cut, [target], [where], tss, 100)
    assert found[0].sum() == 0  # the second gene, from which it learns, has no signal
    expected = np.zeros((2, 6000))
    expected[1, 8000 - 30 - 6000] = 4.0  # downstream of a gene on the reverse strand
    np.testing.assert_allclose(found[1], expected)


def test_a_base_near_an_n_is_not_learned():
    length = 2000
    where = segment(length)
    where.ids[1500] = 7
    scored = far_from_n(where.ids, 100)
    target = np.where(scored, RANDOM.random((2, length)), np.nan).astype(np.float32)
    cut = blocks([length], 500, 4)
    free = training_bases(cut[:1], [target], 20)
    assert np.flatnonzero(~free[0]).tolist() == [*range(520), *range(1400, 1601)]
    changed = np.where(scored, target, np.float32(9))
    features = [procap.local_features(where.ids, 1)]
    one = procap.cross_fitted(cut, [target], features, sample([target], 1.0, 0), 20)
    other = procap.cross_fitted(cut, [changed], features, sample([changed], 1.0, 0), 20)
    assert all(np.isfinite(block).all() for block in one)
    assert not np.array_equal(one[0], other[0])  # what is there would have been learned


def test_the_constant_is_the_mean_of_what_was_learned():
    target = np.zeros((2, 20), np.float32)
    target[:, 10:] = 3.0
    cut = [Block(0, 0, 10, 0), Block(0, 10, 20, 1)]
    found = procap.constant(cut, [target], 0)
    assert found[0].tolist() == [[3.0] * 10] * 2
    assert found[1].tolist() == [[0.0] * 10] * 2


def test_the_vector_read_backwards_belongs_to_the_same_base() -> None:
    forward, reverse = both_strands(base_counts(), encode("AACGT"))
    assert forward.tolist() == [[1, 0], [2, 0], [2, 1], [2, 1], [2, 1]]
    # the other strand is ACGTT; its last base lies under the first of this one
    assert reverse.tolist() == [[1, 1], [1, 1], [1, 1], [1, 1], [1, 0]]


def test_counts_of_every_base_are_not_held_for_a_large_vocabulary() -> None:
    assert too_many_counts(Crafted("network", 4096), 10**7) is None
    assert too_many_counts(TokenCounts(Runs(64)), 7_000_000) is None
    why = too_many_counts(TokenCounts(Runs(4096)), 1_000_000)
    assert why is not None
    assert why.startswith("4,096 token-id counts for each of 1,000,000 bases are 4,096,000,000")
