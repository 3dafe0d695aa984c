"""The paper's formulas by hand, and tokens placed by eye and for any rate."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genezip.metrics import compression as metrics
from genezip.metrics.compression import rate_starts, share_tokens, stride_starts, token_density
from genezip.region_classes import CLASSES, GENE7, expected_bpt

# promoter, cds, utr, exon, intron, nig, dig
BP = np.array([3.0, 0, 0, 0, 7.0, 0, 0])
TOKENS = np.array([1.0, 0, 0, 0, 2.0, 0, 0])
TARGET = metrics.target_array({**dict.fromkeys(CLASSES, 256.0), "promoter": 32.0}, GENE7)
SEVEN = metrics.groups_of(GENE7)


def test_ten_bases_in_three_tokens():
    # Boundaries 0, 3, 7 of 10 bp: chunks of 3, 4 and 3 bp; promoter is the first chunk.
    assert metrics.bpt(BP, TOKENS) == pytest.approx(10 / 3)
    assert metrics.region_bpt(BP, TOKENS)[[0, 4]].tolist() == [3, 3.5]
    assert np.isnan(metrics.region_bpt(BP, TOKENS)[1])


def test_budget():
    expected = 10 / (3 / 32 + 7 / 256)
    assert metrics.expected_bpt(BP, TARGET) == pytest.approx(expected)
    assert metrics.bpt_ratio(BP, TOKENS, TARGET) == pytest.approx((10 / 3) / expected)
    miss = 0.3 * abs(math.log(3 / 32)) + 0.7 * abs(math.log(3.5 / 256))
    assert metrics.micro_err(BP, TOKENS, TARGET) == pytest.approx(miss)


def test_the_budget_is_the_weighted_harmonic_mean():
    # 100 bp at 10 bp per token and 300 bp at 100: 10 + 3 tokens for 400 bp.
    target = {"promoter": 10.0, "cds": 1.0, "nig": 100.0}
    assert expected_bpt({"promoter": 100, "cds": 0, "nig": 300}, target) == pytest.approx(400 / 13)
    with pytest.raises(ValueError, match="without bases"):
        expected_bpt({"promoter": 0}, target)
    by_name = expected_bpt(
        dict(zip(CLASSES, BP, strict=True)), dict(zip(CLASSES, TARGET, strict=True))
    )
    assert by_name == metrics.expected_bpt(BP, TARGET)


def test_enrichment_of_groups_and_classes():
    found = dict(zip(SEVEN.names, metrics.enrichment(BP, TOKENS, SEVEN), strict=True))
    assert found["promoter"] == pytest.approx((1 / 3) / 0.3)
    assert found["intergenic"] == found["intron"] == pytest.approx((2 / 3) / 0.7)
    assert np.isnan(found["genic"])


@given(st.lists(st.tuples(st.integers(1, 500), st.floats(0.01, 50)), min_size=7, max_size=7))
def test_shares_times_enrichment_sum_to_one(pairs):
    bp, tokens = (np.array(values, dtype=float) for values in zip(*pairs, strict=True))
    found = dict(zip(SEVEN.names, metrics.enrichment(bp, tokens, SEVEN), strict=True))
    share = dict(zip(CLASSES, bp / bp.sum(), strict=True))
    assert sum(share[name] * found[name] for name in CLASSES) == pytest.approx(1)
    share["genic"] = share["cds"] + share["utr"] + share["exon"]
    share["intergenic"] = share["intron"] + share["nig"] + share["dig"]
    groups = ("promoter", "genic", "intergenic")
    assert sum(share[name] * found[name] for name in groups) == pytest.approx(1)


def test_perplexity_of_a_uniform_guess_is_four():
    predicted = np.array([0, 2.0, 0, 0, 6, 0, 0])
    found = metrics.perplexity(predicted * math.log(4), predicted)
    assert found[[0, 2, 5]].tolist() == pytest.approx([4, 4, 4])
    assert np.isnan(found[1])


def test_the_same_formula_serves_windows_and_resamples():
    many = metrics.enrichment(np.stack([BP, 2 * BP]), np.stack([TOKENS, 2 * TOKENS]), SEVEN)
    np.testing.assert_allclose(many[0], many[1])
    np.testing.assert_allclose(many[0], metrics.enrichment(BP, TOKENS, SEVEN))


def test_equal_steps_by_eye():
    assert stride_starts(10, 3).tolist() == [0, 3, 6]
    assert stride_starts(10, 10).tolist() == list(range(10))
    assert rate_starts(np.ones(12), 3).tolist() == [0, 4, 8]
    # the second half is three times as dense: shares 4 and 12 of 16, a token every 4
    assert rate_starts(np.repeat([1.0, 3.0], 4), 4).tolist() == [0, 4, 5, 6]
    assert token_density(np.array([0, 4]), 6).tolist() == [0.25] * 4 + [0.5] * 2


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
