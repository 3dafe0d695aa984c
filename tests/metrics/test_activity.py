"""Three definitions on a toy of two sequences, four bins and three tracks."""

import numpy as np
import pytest
from scipy.stats import pearsonr

from genezip.metrics.activity import flat_pcc, sequence_pcc, track_pcc, track_sums
from genezip.metrics.correlation import moments

TARGET = np.array(
    [
        [[0, 10, 100], [1, 11, 101], [2, 12, 102], [3, 13, 103]],
        [[4, 14, 104], [5, 15, 105], [6, 16, 106], [7, 17, 107]],
    ],
    dtype=np.float32,
)


def sums(prediction, target):
    return np.stack([track_sums(p, y) for p, y in zip(prediction, target, strict=True)])


def test_each_definition_by_scipy_on_the_toy():
    rng = np.random.default_rng(0)
    prediction = TARGET + rng.normal(size=TARGET.shape) * 3
    found = sums(prediction, TARGET)
    per_sequence = [pearsonr(prediction[i].ravel(), TARGET[i].ravel())[0] for i in range(2)]
    assert sequence_pcc(found) == pytest.approx(per_sequence, abs=1e-9)
    whole = pearsonr(prediction.ravel(), TARGET.ravel())[0]
    assert flat_pcc(found.sum(axis=0)) == pytest.approx(whole, abs=1e-9)
    tracks = [pearsonr(prediction[..., t].ravel(), TARGET[..., t].ravel())[0] for t in range(3)]
    assert track_pcc(found.sum(axis=0)) == pytest.approx(np.mean(tracks), abs=1e-9)


def test_knowing_the_scale_of_tracks_pays_only_in_the_first_two():
    """Within a track, the prediction falls where the target rises."""
    means = TARGET.mean(axis=(0, 1))
    prediction = 2 * means - TARGET
    found = sums(prediction, TARGET)
    assert track_pcc(found.sum(axis=0)) == pytest.approx(-1)
    assert flat_pcc(found.sum(axis=0)) > 0.99
    assert (sequence_pcc(found) > 0.99).all()


def test_the_mean_of_tracks_has_no_track_correlation():
    prediction = np.broadcast_to(TARGET.mean(axis=(0, 1)), TARGET.shape)
    found = sums(prediction, TARGET)
    assert np.isnan(track_pcc(found.sum(axis=0)))
    assert flat_pcc(found.sum(axis=0)) > 0.99


def test_tracks_without_variance_and_missing_targets_are_left_out():
    target = TARGET.copy()
    target[..., 1] = 5
    target[0, 0, 0] = np.nan
    prediction = TARGET.copy()
    prediction[..., 2] *= -1
    total = sums(prediction, target).sum(axis=0)
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
