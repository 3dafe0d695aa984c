"""Tokens at equal steps, by eye and for any rate."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from genezip.metrics.placement import density, rate_starts, share_tokens, stride_starts


def test_equal_steps_by_eye():
    assert stride_starts(10, 3).tolist() == [0, 3, 6]
    assert stride_starts(10, 10).tolist() == list(range(10))
    assert rate_starts(np.ones(12), 3).tolist() == [0, 4, 8]
    # the second half is three times as dense: shares 4 and 12 of 16, a token every 4
    assert rate_starts(np.repeat([1.0, 3.0], 4), 4).tolist() == [0, 4, 5, 6]
    assert density(np.array([0, 4]), 6).tolist() == [0.25] * 4 + [0.5] * 2


def test_collisions_move_apart():
    # nearly all rate on base 2, and on the last base
    assert rate_starts(np.array([1e-9, 1e-9, 1, 1e-9, 1e-9]), 3).tolist() == [0, 2, 3]
    assert rate_starts(np.array([1e-9, 1e-9, 1e-9, 1e-9, 1]), 4).tolist() == [0, 2, 3, 4]


@given(st.data())
def test_exactly_m_increasing_starts(data):
    length = data.draw(st.integers(1, 60))
    tokens = data.draw(st.integers(1, length))
    rate = data.draw(st.lists(st.floats(1e-6, 1e3), min_size=length, max_size=length))
    for starts in (rate_starts(np.array(rate), tokens), stride_starts(length, tokens)):
        assert len(starts) == tokens
        assert starts[0] == 0
        assert (np.diff(starts) > 0).all()
        assert starts[-1] < length


def test_tokens_are_shared_by_weight():
    length = np.array([50, 50, 50])
    assert share_tokens(12, np.array([1.0, 2, 3]), length).tolist() == [2, 4, 6]
    # 3.33 each: rounded on the running sum, nothing is lost
    assert share_tokens(10, np.ones(3), length).tolist() == [3, 4, 3]
    assert share_tokens(100, np.array([0.0, 1, 9]), length).tolist() == [1, 10, 50]
