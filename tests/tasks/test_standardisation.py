"""Standardisation: moments of blocks, channels that are constant, zeros that stay zero."""

import numpy as np
import pytest

from genezip.tasks.features import Moments


@pytest.mark.parametrize("sizes", [(7,), (3, 4), (1, 0, 5, 1)])
def test_moments_of_blocks_are_those_of_the_whole(sizes: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).normal(size=(7, 2, 3)) + 1e6
    moments = Moments(3)
    for block in np.split(values, np.cumsum(sizes)[:-1]):
        moments.add(block)
    flat = values.reshape(-1, 3)
    standard = moments.standard()
    assert standard.centre == pytest.approx(flat.mean(0), rel=1e-14)
    assert moments.sd == pytest.approx(flat.std(0), rel=1e-8)
    plain = moments.standard(centred=False)
    assert plain.centre.tolist() == [0.0] * 3
    assert plain.scale == pytest.approx(np.sqrt(np.square(flat).mean(0)), rel=1e-12)


def test_a_constant_channel_becomes_zero_everywhere() -> None:
    moments = Moments(2)
    moments.add(np.array([[1.0, 7.0], [3.0, 7.0 + 1e-9]]))
    standard = moments.standard()
    assert standard.apply(np.array([[3.0, -50.0]])).tolist() == [[1.0, 0.0]]


@pytest.mark.parametrize("centred", [True, False])
def test_a_channel_below_its_least_size_becomes_zero_everywhere(centred: bool) -> None:
    moments = Moments(3)
    moments.add(np.array([[-2e-8, 2.0, 5.0], [2e-8, -2.0, 6.0]]))
    standard = moments.standard(centred, np.array([3e-8, 2.0, 0.0]))
    found = standard.apply(np.array([[9.0, 2.0, 6.0]]))
    assert found[0, 0] == 0 and found[0, 1] == 1 and found[0, 2] > 0


def test_without_centring_zero_stays_zero() -> None:
    moments = Moments(2)
    moments.add(np.array([[3.0, 0.0], [4.0, 0.0]]))
    standard = moments.standard(centred=False)
    size = np.sqrt((9 + 16) / 2)
    found = standard.apply(np.array([[0.0, 0.0], [size, 5.0]]))
    assert found.tolist() == [[0.0, 0.0], [pytest.approx(1.0), 0.0]]
