"""Pearson's r of activity and of initiation, against scipy on the whole arrays."""

import numpy as np
import pytest
from scipy.stats import pearsonr

from genezip.metrics.correlation import (
    ASSAYS,
    INITIATION_METRICS,
    initiation_pcc,
    initiation_sums,
    moments,
    pearson,
    pooled_pcc,
    track_pcc,
    track_sums,
    transformed,
)

TARGET = np.array(
    [
        [[0, 10, 100], [1, 11, 101], [2, 12, 102], [3, 13, 103]],
        [[4, 14, 104], [5, 15, 105], [6, 16, 106], [7, 17, 107]],
    ],
    dtype=np.float32,
)


def summed(prediction, target):
    return np.stack([track_sums(p, y) for p, y in zip(prediction, target, strict=True)])


def test_each_definition_by_scipy_on_the_toy():
    rng = np.random.default_rng(0)
    prediction = TARGET + rng.normal(size=TARGET.shape) * 3
    found = summed(prediction, TARGET)
    per_sequence = [pearsonr(prediction[i].ravel(), TARGET[i].ravel())[0] for i in range(2)]
    assert pooled_pcc(found) == pytest.approx(per_sequence, abs=1e-9)
    whole = pearsonr(prediction.ravel(), TARGET.ravel())[0]
    assert pooled_pcc(found.sum(axis=0)) == pytest.approx(whole, abs=1e-9)
    tracks = [pearsonr(prediction[..., t].ravel(), TARGET[..., t].ravel())[0] for t in range(3)]
    assert track_pcc(found.sum(axis=0)) == pytest.approx(np.mean(tracks), abs=1e-9)


def test_knowing_the_scale_of_tracks_pays_only_in_the_first_two():
    """Within a track, the prediction falls where the target rises."""
    means = TARGET.mean(axis=(0, 1))
    prediction = 2 * means - TARGET
    found = summed(prediction, TARGET)
    assert track_pcc(found.sum(axis=0)) == pytest.approx(-1)
    assert pooled_pcc(found.sum(axis=0)) > 0.99
    assert (pooled_pcc(found) > 0.99).all()


def test_the_mean_of_tracks_has_no_track_correlation():
    prediction = np.broadcast_to(TARGET.mean(axis=(0, 1)), TARGET.shape)
    found = summed(prediction, TARGET)
    assert np.isnan(track_pcc(found.sum(axis=0)))
    assert pooled_pcc(found.sum(axis=0)) > 0.99


def test_tracks_without_variance_and_missing_targets_are_left_out():
    target = TARGET.copy()
    target[..., 1] = 5
    target[0, 0, 0] = np.nan
    prediction = TARGET.copy()
    prediction[..., 2] *= -1
    total = summed(prediction, target).sum(axis=0)
    assert total[:, 0].tolist() == [7, 8, 8]
    assert track_pcc(total) == pytest.approx(0)  # 1 and -1


@pytest.mark.parametrize("axis", [None, 0])
@pytest.mark.parametrize("at_once", [1, 14, 17, 1 << 18])
def test_moments_are_plain_sums_in_blocks_of_any_size(monkeypatch, axis, at_once):
    monkeypatch.setattr("genezip.metrics.correlation._VALUES_AT_ONCE", at_once)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 5, 7))
    y[1, 3] = np.nan
    keep = np.isfinite(y)
    x0, y0 = np.where(keep, x, 0), np.where(keep, y, 0)
    plain = [part.sum(axis=axis) for part in (keep, x0, y0, x0 * x0, y0 * y0, x0 * y0)]
    assert moments(x, y, axis) == pytest.approx(np.stack(plain, axis=-1))


def tracks(seed, n=400):
    rng = np.random.default_rng(seed)
    return np.where(rng.random((10, n)) < 0.3, rng.gamma(1.0, size=(10, n)), 0)


def slow(prediction, target):
    """The formulas as they are written, on everything at once."""
    scores = []
    for name, (plus, minus) in ASSAYS.items():
        x = np.concatenate([prediction[plus], prediction[minus]])
        y = np.concatenate([target[plus], target[minus]])
        keep = ~np.isnan(y)
        x, y = np.maximum(x[keep], 0), y[keep]
        if name in ("fc", "ec", "er"):
            x, y = np.log10(10**x - 1 + 0.1), np.log10(10**y - 1 + 0.1)
        else:
            x, y = x / np.log(10), y / np.log(10)
        scores.append(pearsonr(x, y)[0])
    return [*scores, np.mean(scores)]


def test_streamed_sums_equal_the_formulas_on_whole_arrays():
    prediction, target = tracks(0) - 0.05, tracks(1) + tracks(0)
    target[:, 37:60] = np.nan
    pieces = [slice(0, 50), slice(50, 333), slice(333, 400)]
    sums = sum(initiation_sums(prediction[:, p], target[:, p]) for p in pieces)
    assert initiation_pcc(sums) == pytest.approx(slow(prediction, target), abs=1e-12)


def test_known_channels_of_five_assays():
    """Perfect, turned round, on the wrong strand, doubled counts, perfect."""
    target = np.zeros((10, 4))
    target[[0, 1, 3, 4]] = [0, 0, 0, 1.0]
    target[2] = [0, 0, 1, 1]
    prediction = target.copy()
    prediction[[1, 8]] = 1 - target[[1, 8]]
    prediction[2], prediction[7] = target[7], target[2]
    prediction[3] *= 2  # r of GRO-cap, v / ln 10, sees no scale
    found = dict(
        zip(INITIATION_METRICS, initiation_pcc(initiation_sums(prediction, target)), strict=True)
    )
    # RAMPAGE: 8 positions, 2 ones in each of two disjoint sets: (0 - 1/16) / (3/16)
    assert found == pytest.approx(
        {
            "pcc_fc": 1,
            "pcc_ec": -1,
            "pcc_er": -1 / 3,
            "pcc_gc": 1,
            "pcc_pc": 1,
            "pcc_mean": (1 - 1 - 1 / 3 + 1 + 1) / 5,
        }
    )


def test_transform_values():
    # log10(10^1 - 1 + 0.1) - log10(0.1), and the same below 0 as at 0
    assert transformed(np.array([0.0, 1.0, -3.0]), "fc") == pytest.approx([0, np.log10(9.1) + 1, 0])
    assert transformed(np.array([0.0, np.log(10)]), "gc") == pytest.approx([0, 1])
    assert np.isnan(transformed(np.array([np.nan]), "ec")).all()


def test_strands_of_one_assay_are_pooled():
    for plus, minus in ASSAYS.values():
        assert plus + minus == 9


def test_a_constant_prediction_has_no_correlation():
    _, target = tracks(0), tracks(1)
    for value in (0.0, 0.1, 1 / 3, 7.7):
        sums = initiation_sums(np.full((10, 400), value), target)
        assert np.isnan(initiation_pcc(sums)).all()
    nothing = initiation_sums(tracks(0), np.full((10, 400), np.nan))
    assert np.isnan(initiation_pcc(nothing)).all()


def test_a_single_assay_without_r_leaves_no_mean():
    prediction, target = tracks(0), tracks(1)
    prediction[[4, 5]] = 0
    found = initiation_pcc(initiation_sums(prediction, target))
    assert np.isnan(found).tolist() == [False] * 4 + [True, True]


def test_sums_stay_exact_with_a_large_mean():
    rng = np.random.default_rng(0)
    x = rng.normal(size=10_000) + 500
    y = x + rng.normal(size=10_000)
    assert pearson(moments(x, y)) == pytest.approx(pearsonr(x, y)[0], abs=1e-8)
    assert np.isnan(pearson(moments(x[:1], y[:1])))
