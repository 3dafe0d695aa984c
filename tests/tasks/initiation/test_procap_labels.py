"""PRO-cap counts of segments: what is read, and how bases are dealt to blocks and folds."""

from pathlib import Path

import numpy as np
import pytest
from toolkit.labels import segment
from toolkit.procap import random_segments, write_counts

from genezip.tasks.initiation.examples import far_from_n
from genezip.tasks.initiation.procap_labels import (
    Block,
    blocks,
    has_training_bases,
    read_initiation,
    sample,
    training_mask,
)


def test_counts_are_positive_and_segments_without_any_are_left_out(tmp_path: Path) -> None:
    plus = write_counts(tmp_path / "plus.bw", {1010: 3.0})
    minus = write_counts(tmp_path / "minus.bw", {1005: -2.0})
    assembly = random_segments(
        segment("chr22", 1000, 1020), segment("chr22", 3000, 3050), segment("chr1", 0, 100)
    )
    (found,) = read_initiation(plus, minus, assembly)
    assert found.segment.start == 1000
    expected = np.zeros((2, 20))
    expected[0, 10], expected[1, 5] = 3, 2
    np.testing.assert_array_equal(found.counts, expected)


def test_a_base_near_an_n_is_not_scored():
    ids = np.array([3, 3, 3, 7, 3, 3, 3], dtype=np.uint8)
    slow = [not any(ids[max(i - 2, 0) : i + 3] == 7) for i in range(7)]
    np.testing.assert_array_equal(far_from_n(ids, 2), slow)
    assert slow == [True, False, False, False, False, False, True]


def test_blocks_cover_every_base_once_and_folds_take_turns():
    found = blocks([25, 10], 10, 3)
    assert [(b.segment, b.first, b.last, b.fold) for b in found] == [
        (0, 0, 10, 0), (0, 10, 20, 1), (0, 20, 25, 2), (1, 0, 10, 0),
    ]  # fmt: skip


def test_no_base_of_a_tested_block_or_near_it_is_learned():
    block = Block(0, 10, 20, 0)
    free = training_mask(30, [block], 3)
    assert np.flatnonzero(~free).tolist() == list(range(7, 23))


def test_all_signal_is_sampled_and_weights_stand_for_the_rest():
    target = np.zeros((2, 100_000))
    target[0, 7], target[1, 9] = 1.0, 2.0
    (found,) = sample([target], 0.1, 0)
    weight = dict(zip(found.at.tolist(), found.weight.tolist(), strict=True))
    assert weight[7] == weight[9] == 1
    rest = sum(weight.values()) - 2
    assert abs(rest - 99_998) < 5 * 10 * np.sqrt(100_000 * 0.1 * 0.9)  # five standard errors


@pytest.mark.parametrize(("length", "enough"), [(500, False), (900, False), (2000, True)])
def test_one_block_or_two_within_the_gap_leave_nothing_to_learn(length, enough):
    target = np.ones((2, length), np.float32)
    cut = blocks([length], 500, 4)
    assert has_training_bases(cut, [target], sample([target], 1.0, 0), 400) == enough
