"""Block bootstrap against a plain loop over copied units, its limits, and its coverage."""

import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from toolkit.slow_bootstrap import slow_interval

from genezip.metrics.bootstrap import BlockBootstrap, interval_note, ratio, scarcer
from genezip.metrics.ranking import auroc

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import intervals


def limits(estimate):
    return float(estimate.value), float(estimate.low), float(estimate.high)


BLOCKS = np.array([7, 7, 2, 9, 9, 9, 4, 4, 5, 1, 1])
X = np.array([3.0, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5])
Y = np.array([2.0, 7, 1, 8, 2, 8, 1, 8, 2, 8, 4])


def test_a_ratio_and_a_difference_equal_a_loop():
    boot = BlockBootstrap(BLOCKS, 300, seed=3)
    sums = boot.sums({"x": X, "y": Y})
    found = boot.summarise(sums["x"] / sums["y"])
    expected = slow_interval(BLOCKS, lambda rows: X[rows].sum() / Y[rows].sum(), 300, 3)
    assert limits(found) == pytest.approx(expected)
    found = boot.summarise(sums["x"] / sums["y"] - sums["y"] / sums["x"])
    expected = slow_interval(
        BLOCKS, lambda r: X[r].sum() / Y[r].sum() - Y[r].sum() / X[r].sum(), 300, 3
    )
    assert limits(found) == pytest.approx(expected)


def test_an_auroc_equals_a_loop(monkeypatch):
    monkeypatch.setattr("genezip.metrics.bootstrap.WEIGHT_BYTES", 8 * 11 * 3)  # 3 at a time
    labels = np.array([1, 0, 1, 0, 1, 0, 0, 1, 0, 1, 0])
    boot = BlockBootstrap(BLOCKS, 300, seed=4)
    found = boot.summarise(boot.of_weights(lambda weights: auroc(labels, X, weights)))
    expected = slow_interval(BLOCKS, lambda rows: roc_auc_score(labels[rows], X[rows]), 300, 4)
    assert limits(found) == pytest.approx(expected)


def test_a_region_in_some_blocks_equals_a_loop_over_those():
    boot = BlockBootstrap(BLOCKS, 300, seed=5)
    weights = np.where(np.isin(BLOCKS, (7, 9, 4, 1)), Y, 0)
    sums = boot.sums({"x": X * (weights > 0), "y": weights})
    found = boot.summarise(sums["x"] / sums["y"], boot.support(weights))
    expected = slow_interval(
        BLOCKS,
        lambda rows: (X * (weights > 0))[rows].sum() / weights[rows].sum(),
        300,
        5,
        holding=(7, 9, 4, 1),
    )
    assert limits(found) == pytest.approx(expected)
    assert found.blocks == 4


def test_many_statistics_at_once_are_each_by_itself():
    random = np.random.default_rng(0)
    boot = BlockBootstrap(np.arange(40) // 4, 200, seed=1)
    weights = random.random((40, 3, 2)) * (random.random((40, 3, 2)) < 0.3)
    sums = boot.sums({"hits": weights * random.random((40, 3, 2)), "weights": weights})
    values = sums["hits"] / sums["weights"]
    support = boot.support(weights)
    together = boot.summarise(values, support, "share")
    for place in np.ndindex(3, 2):
        alone = boot.summarise(values[:, *place], support[:, *place], "share")
        for name in ("value", "low", "high", "blocks"):
            assert getattr(together, name)[place] == pytest.approx(float(getattr(alone, name)))


def test_sums_leave_each_block_out():
    boot = BlockBootstrap(np.array([7, 7, 2, 9, 9, 9]), 50, seed=3)
    found = boot.sums({"x": np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])})["x"]
    assert found.tolist() == [63, 59, 60, 7]  # all, without 2, without 7, without 9


def test_weights_and_sums_leave_the_same_out(monkeypatch):
    monkeypatch.setattr("genezip.metrics.bootstrap.WEIGHT_BYTES", 8 * 7 * 3)  # 3 at a time
    values = np.array([3.0, 1, 4, 1, 5, 9, 2])
    boot = BlockBootstrap(np.array(["b", "a", "a", "c", "c", "c", "b"]), 50, seed=2)
    weighted = boot.of_weights(lambda weights: weights @ np.stack([values, values**2], axis=1))
    sums = boot.sums({"x": np.stack([values, values**2], axis=1)})["x"]
    assert weighted.tolist() == sums.tolist()
    assert weighted[0].tolist() == [25, 137]


def test_a_constant_has_its_own_interval():
    boot = BlockBootstrap(np.arange(10) // 2, 100, seed=0)
    for constant in (3.0, 0.1, 0.0):
        sums = boot.sums({"x": np.full(10, constant), "one": np.ones(10)})
        for scale in ("difference", "ratio"):
            estimate = boot.summarise(sums["x"] / sums["one"], scale=scale)
            assert limits(estimate) == (estimate.value,) * 3


def test_a_perfect_auroc_is_one_to_one():
    labels = np.tile([1, 0], 12)
    boot = BlockBootstrap(np.arange(24) // 2, 200, seed=0)
    values = boot.of_weights(lambda weights: auroc(labels, labels, weights))
    assert limits(boot.summarise(values, scale="share")) == (1, 1, 1)


@pytest.mark.parametrize("n_blocks", range(3, 12))
@pytest.mark.parametrize("scale", ["difference", "ratio", "share", "correlation"])
def test_limits_are_finite_hold_the_value_and_stay_in_range(n_blocks, scale):
    """Also with one block that is all there is, ties, and values at the edge of the range."""
    least, most = {"ratio": (0, np.inf), "share": (0, 1), "correlation": (-1, 1)}.get(
        scale, (-np.inf, np.inf)
    )
    random = np.random.default_rng(n_blocks)
    one_alone = (np.arange(n_blocks) == 0).astype(float)
    samples = [random.random(n_blocks), one_alone, np.round(random.random(n_blocks), 0),
               random.pareto(0.5, n_blocks), np.exp(40 * random.random(n_blocks))]  # fmt: skip
    boot = BlockBootstrap(np.arange(n_blocks), 500, seed=0)
    for sample in samples:
        sums = boot.sums({"x": sample, "one": np.ones(n_blocks)})
        mean = sums["x"] / sums["one"]
        if scale in ("share", "correlation"):
            mean = mean / max(sample.max(), 1)
        estimate = boot.summarise(mean, scale=scale)
        assert np.isfinite([estimate.low, estimate.high]).all()
        assert max(least, -np.inf) <= estimate.low <= estimate.value <= estimate.high <= most


def test_a_tiny_ratio_with_a_huge_error_has_no_infinite_limit():
    boot = BlockBootstrap(np.arange(4), 500, seed=0)
    values = np.array([1e-9, 0, 1, 2, 3.0])
    estimate = boot.summarise(values, scale="ratio")
    assert estimate.low == 0
    assert np.isfinite(estimate.high)


def test_an_effect_of_blocks_without_the_region_alone_has_an_interval():
    """Blocks that hold it are alike, the others are not: the others tell the error."""
    boot = BlockBootstrap(np.arange(8), 500, seed=0)
    values = np.array([1.0, 1, 1, 1, 1, 0.9, 1.1, 0.8, 1.2])
    mask = np.arange(8) < 4
    estimate = boot.summarise(values, mask)
    assert estimate.low < 1 < estimate.high


def test_blocks_widen_the_interval_of_correlated_windows():
    values = np.repeat(np.random.default_rng(1).normal(size=20), 10)
    widths = []
    for blocks in (np.arange(200), np.arange(200) // 10):
        boot = BlockBootstrap(blocks, 300, seed=0)
        estimate = boot.summarise(boot.sums({"x": values})["x"])
        widths.append(estimate.high - estimate.low)
    assert widths[1] > 2 * widths[0]


def test_support_tells_blocks_with_a_denominator():
    boot = BlockBootstrap(np.array([5, 5, 2, 2, 9]), 10, seed=0)
    weights = np.array([[1, 0], [2, 0], [0, 0], [3, 0.5], [0, 0]])
    assert boot.support(weights).tolist() == [[True, True], [True, False], [False, False]]
    assert boot.support(np.ones(5)).tolist() == [True] * 3
    rare = scarcer(boot.support(weights), np.ones((3, 2), dtype=bool))
    assert rare.tolist() == boot.support(weights).tolist()


def hit_ratio(boot, hits, weights):
    sums = boot.sums({"hits": hits, "weights": weights})
    with np.errstate(invalid="ignore"):
        return boot.summarise(sums["hits"] / sums["weights"], boot.support(weights))


def test_a_region_in_few_blocks_has_a_value_but_no_interval():
    """One block of two, one of many, two of three: a width of zero would say too much."""
    for n_blocks, holding in ((2, 1), (40, 1), (3, 2), (1000, 2)):
        boot = BlockBootstrap(np.arange(n_blocks), 200, seed=0)
        weights = (np.arange(n_blocks) < holding).astype(float)
        estimate = hit_ratio(boot, 2 * weights, weights)
        assert estimate.value == 2
        assert np.isnan([estimate.low, estimate.high]).all()
        assert estimate.blocks == holding
    three = BlockBootstrap(np.arange(3), 200, seed=0)
    estimate = hit_ratio(three, np.array([1.0, 2, 3]), np.ones(3))
    assert estimate.low < 2 < estimate.high


def test_no_interval_where_a_block_cannot_be_left_out():
    boot = BlockBootstrap(np.arange(9), 200, seed=0)
    values = np.array([1.0, np.nan, 2, 3, 4, 5, 6, 7, 8, 9])
    estimate = boot.summarise(values)
    assert estimate.value == 1
    assert np.isnan(estimate.low)
    assert interval_note(1.0, np.nan, 9, "genes") == (
        "no interval: undefined without one of the genes"
    )


def test_one_block_and_none():
    alone = BlockBootstrap(np.zeros(5, dtype=int), 100, seed=0)
    estimate = hit_ratio(alone, np.ones(5), np.ones(5))
    assert estimate.value == 1
    assert np.isnan(estimate.low)
    empty = BlockBootstrap(np.zeros(0, dtype=int), 10, seed=0)
    assert empty.sums({"x": np.zeros((0, 7))})["x"].shape == (1, 7)
    assert empty.support(np.zeros((0, 7))).shape == (0, 7)
    assert np.isnan(empty.summarise(np.full((1, 7), np.nan)).low).all()


def test_notes_say_why_there_is_no_interval_or_that_blocks_are_few():
    assert interval_note(1.0, 0.5, 8) == ""
    assert interval_note(1.0, 0.5, 7) == "few blocks"
    assert interval_note(1.0, 0.5, 5, "loci") == "few blocks: 5 loci"
    assert interval_note(1.0, np.nan, 2) == "no interval: it needs 3 blocks and has 2"
    assert interval_note(np.nan, np.nan, 2) == ""
    assert interval_note(1.0, np.nan, 0) == ""  # no interval is asked for


def test_a_rare_region_is_covered_like_few_blocks():
    """Of 60 blocks, 10 hold the region; draws from all 60 would cover less."""
    random = np.random.default_rng(0)
    boot = BlockBootstrap(np.arange(60), 2000, seed=0)
    size = random.uniform(5, 20, (60, 500)) * (np.arange(60) < 10)[:, None]
    sums = boot.sums({"x": size * (3 + random.normal(0, 0.5, size.shape)), "size": size})
    found = boot.summarise(sums["x"] / sums["size"], boot.support(size), "ratio")
    assert 0.93 <= ((found.low <= 3) & (found.high >= 3)).mean() <= 0.985


@pytest.mark.slow
@pytest.mark.parametrize("blocks", list(intervals.LEAST))
@pytest.mark.parametrize("effects", intervals.ACCEPTED)
@pytest.mark.parametrize("statistic", intervals.STATISTICS)
def test_nominal_95_percent_are_covered(statistic, effects, blocks):
    found = intervals.coverage(statistic, effects, blocks)
    assert (0.90 if blocks == 8 else 0.925) <= found <= 0.97
    assert intervals.goal(effects, blocks) == (0.90 if blocks == 8 else 0.925, 0.97)


def test_a_ratio_is_nan_where_nothing_is_left_to_divide_by():
    above = np.array([[1.0, 2, 3], [0, 5, 6]])
    found = ratio(above, np.array([[2], [0]]))
    assert found[0].tolist() == [0.5, 1, 1.5]
    assert np.isnan(found[1]).all()
    assert ratio(np.array(3), np.array(4)) == 0.75
