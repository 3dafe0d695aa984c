"""Block bootstrap against a plain loop, and its limits."""

import numpy as np

from genezip.evaluation.bootstrap import BlockBootstrap


def test_a_constant_has_its_own_interval():
    boot = BlockBootstrap(np.arange(10) // 2, 100, seed=0)
    sums = boot.sums({"x": np.full(10, 3.0), "one": np.ones(10)})
    estimate = boot.summarise(sums["x"] / sums["one"])
    assert (estimate.value, estimate.low, estimate.high) == (3, 3, 3)


def test_resamples_are_sums_over_drawn_blocks():
    blocks = np.array([7, 7, 2, 9, 9, 9])
    values = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    boot = BlockBootstrap(blocks, 50, seed=3)
    found = boot.sums({"x": values})["x"]
    # blocks in order 2, 7, 9: sums 4, 3, 56
    draws = np.random.default_rng(3).multinomial(3, [1 / 3] * 3, 50)
    slow = [
        sum(count * block for count, block in zip(row, [4, 3, 56], strict=True)) for row in draws
    ]
    assert found[0] == 63
    assert found[1:].tolist() == slow


def test_the_interval_covers_the_mean_of_independent_blocks():
    rng = np.random.default_rng(0)
    hits = 0
    for seed in range(200):
        values = rng.normal(size=60)
        boot = BlockBootstrap(np.arange(60), 200, seed)
        sums = boot.sums({"x": values, "one": np.ones(60)})
        estimate = boot.summarise(sums["x"] / sums["one"])
        hits += bool(estimate.low < 0 < estimate.high)
    assert 0.88 < hits / 200 < 0.99


def test_blocks_widen_the_interval_of_correlated_windows():
    values = np.repeat(np.random.default_rng(1).normal(size=20), 10)
    widths = []
    for blocks in (np.arange(200), np.arange(200) // 10):
        boot = BlockBootstrap(blocks, 300, seed=0)
        estimate = boot.summarise(boot.sums({"x": values})["x"])
        widths.append(estimate.high - estimate.low)
    assert widths[1] > 2 * widths[0]


def test_undefined_resamples_are_left_out_and_one_block_has_no_interval():
    boot = BlockBootstrap(np.arange(3), 100, seed=0)
    rare = boot.sums({"x": np.array([2.0, 0, 0])})["x"]
    with np.errstate(invalid="ignore"):
        estimate = boot.summarise(rare / rare)
    assert (estimate.value, estimate.low, estimate.high) == (1, 1, 1)
    alone = BlockBootstrap(np.zeros(5, dtype=int), 100, seed=0)
    estimate = alone.summarise(alone.sums({"x": np.ones(5)})["x"])
    assert estimate.value == 5
    assert np.isnan(estimate.low)
    empty = BlockBootstrap(np.zeros(0, dtype=int), 10, seed=0)
    assert empty.sums({"x": np.zeros((0, 7))})["x"].shape == (11, 7)
