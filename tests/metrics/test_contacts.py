"""Contact map scores against a plain loop over the square, hand values and hicreppy."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.stats import pearsonr

from genezip.metrics.contacts import (
    contact_scores,
    is_triangle,
    mean_score,
    n_bins,
    n_entries,
    pair_products,
    strata_of,
    stratum_means,
)

NAMES = ("scc", "scc_hicrep", "scc_hicreppy", "scc_release", "corr")


def square(values, bins, diagonals):
    """The square whose upper triangle from diagonal 2 holds the values."""
    found = np.full((bins, bins), np.nan)
    found[np.triu_indices(bins, 2)] = values
    for d in (0, 1):
        found[np.arange(bins - d), np.arange(d, bins)] = diagonals
    return found


def slow(prediction, target, bins):
    """Every score by a loop over the diagonals of two squares."""
    p, y = square(prediction, bins, 1.0), square(target, bins, 1.0)
    sums = {name: [0.0, 0.0] for name in NAMES[:4]}
    for d in range(1, bins):  # diagonal 1 is constant and drops out
        a, b = np.diagonal(p, d), np.diagonal(y, d)
        keep = np.isfinite(a) & np.isfinite(b)
        a, b = a[keep].astype(float), b[keep].astype(float)
        n = len(a)
        if n < 2 or len(set(a)) == 1 or len(set(b)) == 1:
            continue
        r = pearsonr(a, b)[0]
        weights = {
            "scc": n,
            "scc_hicrep": n * np.var(np.arange(1, n + 1) / n, ddof=1),
            "scc_hicreppy": n * np.var(np.arange(1, n + 1) / n),
            "scc_release": n * np.var(np.arange(n) / n**2) if d <= bins - 6 else 0,
        }
        for name, weight in weights.items():
            sums[name][0] += weight * r
            sums[name][1] += weight
    found = {name: top / below if below else np.nan for name, (top, below) in sums.items()}
    keep = np.isfinite(prediction) & np.isfinite(target)
    return found | {"corr": pearsonr(prediction[keep], target[keep])[0]}


def maps(bins, seed=0):
    rng = np.random.default_rng(seed)
    target = rng.normal(size=n_entries(bins))
    return target + rng.normal(size=len(target)), target


@pytest.mark.parametrize("bins", [8, 13, 40])
def test_the_fast_scores_equal_a_loop_over_diagonals(bins):
    prediction, target = maps(bins)
    target[np.random.default_rng(1).random(len(target)) < 0.2] = np.nan
    prediction[strata_of(bins).order[: bins - 2]] = 0.1  # a constant stratum
    fast = contact_scores(prediction, target)
    assert fast == pytest.approx(slow(prediction, target, bins), abs=1e-12, nan_ok=True)


def test_strata_are_the_diagonals_of_the_triangle():
    rows, columns = np.triu_indices(448, 2)
    strata = strata_of(448)
    assert n_entries(448) == len(rows) == 99_681
    assert n_bins(99_681) == 448
    assert ((columns - rows)[strata.order] == strata.stratum + 2).all()
    assert np.diff(strata.starts).tolist() == list(range(446, 1, -1))
    assert n_bins(1) == 3  # entry (0, 2) alone
    for entries in (0, 2, 99_680):
        assert not is_triangle(entries)
        with pytest.raises(ValueError, match="no upper triangle"):
            n_bins(entries)


def test_a_map_predicted_exactly_scores_one_and_turned_round_minus_one():
    _, target = maps(448)
    target = target.astype(np.float16)
    assert contact_scores(target, target) == pytest.approx(dict.fromkeys(NAMES, 1))
    assert contact_scores(-target, target) == pytest.approx(dict.fromkeys(NAMES, -1))


def test_hand_values_where_the_second_diagonal_alone_is_right():
    """Ten bins: strata of 8, 7, 6, ... entries; the first has r = 1, the others r = -1."""
    _, target = maps(10)
    rows, columns = np.triu_indices(10, 2)
    prediction = np.where(columns - rows == 2, target, -target)
    found = contact_scores(prediction, target)
    assert found["scc"] == pytest.approx((8 - 7 - 6 - 5 - 4 - 3 - 2) / 35)
    # HiCRep: n + 1 twelfths; 9 - (8 + 7 + 6 + 5 + 4 + 3) over 42
    assert found["scc_hicrep"] == pytest.approx(-24 / 42)
    rank = [Fraction(n * n - 1, 12 * n) for n in (8, 7, 6, 5, 4, 3, 2)]
    assert found["scc_hicreppy"] == pytest.approx(float((rank[0] - sum(rank[1:])) / sum(rank)))
    # d = 2..4: (63/512 - 48/343 - 35/216) / (63/512 + 48/343 + 35/216)
    first, rest = Fraction(63, 512), Fraction(48, 343) + Fraction(35, 216)
    assert found["scc_release"] == pytest.approx(float((first - rest) / (first + rest)))


def test_hicrep_by_hand_on_a_map_of_five_bins():
    """Three strata of 3, 2 and 1 entries with r = 1/2, -1 and none.

    Ranks over n are 1/3, 2/3, 1 (variance 1/9 with n - 1, 2/27 with n) and 1/2, 1 (1/8, 1/16),
    so HiCRep's weights are 3/9 and 2/8, and those with n are 6/27 and 2/16.
    """
    rows, columns = np.triu_indices(5, 2)
    target, prediction = np.zeros(6), np.zeros(6)
    for d, (x, y) in {2: ([1, 2, 3], [1, 3, 2]), 3: ([1, 2], [2, 1]), 4: ([5], [5])}.items():
        target[columns - rows == d], prediction[columns - rows == d] = x, y
    found = contact_scores(prediction, target)
    assert found["scc_hicrep"] == pytest.approx((3 / 9 / 2 - 2 / 8) / (3 / 9 + 2 / 8))
    assert found["scc_hicreppy"] == pytest.approx((6 / 27 / 2 - 2 / 16) / (6 / 27 + 2 / 16))
    assert found["scc"] == pytest.approx((3 / 2 - 2) / 5)


@pytest.mark.parametrize(
    ("near", "shares"), [(50, {"scc": 0.21, "scc_release": 0.027}), (399, {"scc": 0.988})]
)
def test_near_strata_have_little_weight_in_the_release_and_much_in_scc(near, shares):
    """Of 448 bins: d <= 50 carries 21 % of scc and 2.7 % of scc_release; d >= 400 1.2 %, 49 %."""
    _, target = maps(448)
    rows, columns = np.triu_indices(448, 2)
    prediction = np.where(columns - rows <= near, target, -target)
    found = contact_scores(prediction, target)
    for name, share in shares.items():
        assert (found[name] + 1) / 2 == pytest.approx(share, abs=0.005)
    if near == 399:
        assert (found["scc_release"] + 1) / 2 == pytest.approx(0.51, abs=0.005)


def test_constant_predictions_and_maps_of_zeros_have_no_score():
    prediction, target = maps(20)
    nothing = dict.fromkeys(NAMES, np.nan)
    for constant in (0.0, 0.1, 1 / 3):
        flat = np.full(len(target), constant)
        assert contact_scores(flat, target) == pytest.approx(nothing, nan_ok=True)
        assert contact_scores(prediction, flat) == pytest.approx(nothing, nan_ok=True)
    missing = np.full(len(target), np.nan)
    assert contact_scores(prediction, missing) == pytest.approx(nothing, nan_ok=True)


def test_a_stratum_too_small_to_square_has_no_r_and_is_not_divided():
    """Five bins: strata of 3 and 2 entries; squares of 1e-200 are 0, so the first alone counts."""
    rows, columns = np.triu_indices(5, 2)
    prediction, target = np.zeros(6), np.zeros(6)
    for d, (x, y) in {2: ([1, 2, 3], [1, 3, 2]), 3: ([1e-200, 2e-200], [2, 1])}.items():
        prediction[columns - rows == d], target[columns - rows == d] = x, y
    with np.errstate(divide="raise", invalid="raise"):
        assert contact_scores(prediction, target)["scc"] == pytest.approx(1 / 2)


def test_the_mean_over_maps_leaves_out_those_without_a_score():
    random = np.random.default_rng(5)
    target, other = random.normal(size=(2, n_entries(6)))
    zeros = np.zeros_like(target)
    maps = [(other, target), (target, target), (zeros, target), (target, zeros)]
    expected = (contact_scores(other, target)["corr"] + 1) / 2
    assert mean_score(maps, "corr") == pytest.approx(expected)
    assert np.isnan(mean_score(maps[2:], "corr")) and np.isnan(mean_score([], "scc"))


def test_a_prediction_by_distance_alone_has_corr_but_no_scc():
    _, target = maps(20)
    found = contact_scores(stratum_means(target, np.ones(len(target))), target)
    assert np.isnan([found[name] for name in NAMES[:4]]).all()
    assert found["corr"] > 0


def test_stratum_means_weigh_entries_by_their_number():
    # four bins: diagonal 2 has entries (0,2) and (1,3), diagonal 3 has (0,3)
    total, count = np.array([6.0, 5.0, 1.0]), np.array([2.0, 1.0, 1.0])
    assert stratum_means(total, count).tolist() == [7 / 3, 5, 7 / 3]
    assert np.isnan(stratum_means(total, np.array([2.0, 0, 1]))[1])


def test_hicreppy_gives_the_release_score():
    """hicreppy divides ranks by n twice, which is the weight of DNALongBench's script.

    It also counts diagonals 0 and 1; both maps share them here, so they add their weight at
    r = 1.
    """
    hicrep = pytest.importorskip("hicreppy.hicrep")
    sparse = pytest.importorskip("scipy.sparse")
    bins = 60
    prediction, target = maps(bins)
    shared = np.random.default_rng(5).normal(size=bins)
    squares = []
    for values in (prediction, target):
        matrix = square(values, bins, 0.0)
        for d in (0, 1):
            matrix[np.arange(bins - d), np.arange(d, bins)] = shared[: bins - d]
        squares.append(sparse.csr_matrix(np.nan_to_num(matrix)))
    theirs = hicrep.get_scc(*squares, max_bins=bins - 5)  # diagonals 0..bins-6
    weight = {d: ((bins - d) ** 2 - 1) / (12 * (bins - d) ** 3) for d in range(bins - 5)}
    near = weight[0] + weight[1]
    ours = contact_scores(prediction, target)["scc_release"]
    total = sum(weight.values())
    assert theirs == pytest.approx((near + ours * (total - near)) / total, abs=1e-9)


def test_products_of_pairs_are_an_outer_product():
    values = np.random.default_rng(0).normal(size=(2, 7))
    for row, found in zip(values, pair_products(values), strict=True):
        assert found.tolist() == np.outer(row, row)[np.triu_indices(7, 2)].tolist()
