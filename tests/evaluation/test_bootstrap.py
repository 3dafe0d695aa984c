"""Block bootstrap against a plain loop, and its limits."""

import numpy as np

from genezip.evaluation.bootstrap import BlockBootstrap


def test_a_constant_has_its_own_interval():
    boot = BlockBootstrap(np.arange(10) // 2, 100, seed=0)
    sums = boot.sums({"x": np.full(10, 3.0), "one": np.ones(10)})
    estimate = boot.summarise(sums["x"] / sums["one"], np.array(boot.n_blocks))
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
        estimate = boot.summarise(sums["x"] / sums["one"], np.array(boot.n_blocks))
        hits += bool(estimate.low < 0 < estimate.high)
    assert 0.88 < hits / 200 < 0.99


def test_blocks_widen_the_interval_of_correlated_windows():
    values = np.repeat(np.random.default_rng(1).normal(size=20), 10)
    widths = []
    for blocks in (np.arange(200), np.arange(200) // 10):
        boot = BlockBootstrap(blocks, 300, seed=0)
        estimate = boot.summarise(boot.sums({"x": values})["x"], np.array(boot.n_blocks))
        widths.append(estimate.high - estimate.low)
    assert widths[1] > 2 * widths[0]


def test_support_counts_blocks_with_a_denominator():
    boot = BlockBootstrap(np.array([5, 5, 2, 2, 9]), 10, seed=0)
    weights = np.array([[1, 0], [2, 0], [0, 0], [3, 0.5], [0, 0]])
    assert boot.support(weights).tolist() == [2, 1]
    assert boot.support(np.ones(5)) == 3


def ratio(boot, hits, weights):
    sums = boot.sums({"hits": hits, "weights": weights})
    with np.errstate(invalid="ignore"):
        return boot.summarise(sums["hits"] / sums["weights"], boot.support(weights))


def test_a_region_in_few_blocks_has_a_value_but_no_interval():
    """One block of two, one of many, two of three: a width of zero would say too much."""
    for n_blocks, holding in ((2, 1), (40, 1), (3, 2)):
        boot = BlockBootstrap(np.arange(n_blocks), 200, seed=0)
        weights = (np.arange(n_blocks) < holding).astype(float)
        estimate = ratio(boot, 2 * weights, weights)
        assert estimate.value == 2
        assert np.isnan([estimate.low, estimate.high]).all()
    three = BlockBootstrap(np.arange(3), 200, seed=0)
    estimate = ratio(three, np.array([1.0, 2, 3]), np.ones(3))
    assert estimate.low < 2 < estimate.high


def test_no_interval_where_many_resamples_miss_the_region():
    """Of 1,000 blocks, 2 (13.5 % undefined), 3 (5 %) and 5 (0.7 %) hold it."""
    boot = BlockBootstrap(np.arange(1000), 2000, seed=1)
    hits = np.random.default_rng(0).random(1000)
    missed = []
    for holding in (2, 3, 5):
        weights = (np.arange(1000) < holding).astype(float)
        missed.append(float((boot.sums({"x": weights})["x"][1:] == 0).mean()))
        estimate = ratio(boot, hits * weights, weights)
        assert np.isnan(estimate.low) == (holding < 3 or missed[-1] > 0.05)
    assert missed[0] > 0.1
    assert missed[2] < 0.02


def test_one_block_and_none():
    alone = BlockBootstrap(np.zeros(5, dtype=int), 100, seed=0)
    estimate = ratio(alone, np.ones(5), np.ones(5))
    assert estimate.value == 1
    assert np.isnan(estimate.low)
    empty = BlockBootstrap(np.zeros(0, dtype=int), 10, seed=0)
    assert empty.sums({"x": np.zeros((0, 7))})["x"].shape == (11, 7)
    assert empty.support(np.zeros((0, 7))).tolist() == [0] * 7


def test_weights_and_sums_give_the_same_resamples(monkeypatch):
    monkeypatch.setattr("genezip.evaluation.bootstrap.WEIGHT_BYTES", 8 * 7 * 3)  # 3 at a time
    values = np.array([3.0, 1, 4, 1, 5, 9, 2])
    boot = BlockBootstrap(np.array(["b", "a", "a", "c", "c", "c", "b"]), 50, seed=2)
    weighted = boot.of_weights(lambda weights: weights @ np.stack([values, values**2], axis=1))
    sums = boot.sums({"x": np.stack([values, values**2], axis=1)})["x"]
    assert weighted.shape == (51, 2)
    assert weighted.tolist() == sums.tolist()
    assert weighted[0].tolist() == [25, 137]


def test_a_statistic_of_weights_equals_a_loop_over_copied_units():
    values = np.array([3.0, 1, 4, 1, 5, 9])
    blocks = np.array([0, 0, 1, 1, 2, 2])
    boot = BlockBootstrap(blocks, 30, seed=4)
    largest_two = boot.of_weights(
        lambda weights: np.array(
            [np.sort(np.repeat(values, row.astype(int)))[-2:] for row in weights]
        )
    )
    draws = np.random.default_rng(4).multinomial(3, [1 / 3] * 3, 30)
    for row, counts in zip(largest_two[1:], draws, strict=True):
        copies = [v for v, block in zip(values, blocks, strict=True) for _ in range(counts[block])]
        assert row.tolist() == sorted(copies)[-2:]
