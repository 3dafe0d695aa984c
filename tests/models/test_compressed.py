"""What every result of a compressor is, whoever wrote the compressor."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from genezip.errors import GenezipError
from genezip.models.compressed import Likelihood, check_tokens, joined, tokens_at


@pytest.mark.parametrize(
    ("starts", "changes", "fault"),
    [
        ([], {}, "no token that begins at the first base"),
        ([2, 4], {}, "no token that begins at the first base"),
        ([0, 4, 4], {}, "tokens that do not follow each other"),
        ([0, 10], {}, "tokens that do not follow each other"),
        ([0, 4], {"length": 9}, "9 bases"),
        ([0, 4], {"token_ids": np.zeros(3)}, "token_ids of 3 values for 2"),
        ([0, 4], {"boundary_prob": np.zeros(2)}, "boundary_prob of 2 values for 10"),
        ([0, 4], {"log_prob": np.zeros(10)}, "log_prob of no stated likelihood"),
    ],
)
def test_what_cannot_be_tokens_is_refused(
    starts: list[int], changes: dict[str, Any], fault: str
) -> None:
    found = replace(tokens_at(10, np.array(starts, dtype=np.int64)), **changes)
    with pytest.raises(GenezipError, match=f"compressor mine gives {fault} for a sequence of 10"):
        check_tokens(found, "mine", 10)


def test_a_later_block_of_a_stream_may_begin_before_or_without_a_token() -> None:
    for starts in ([], [-3, 2], [4]):
        check_tokens(tokens_at(10, np.array(starts, dtype=np.int64)), "mine", 10, begins=False)


def test_parts_that_lack_a_likelihood_or_looked_ahead_say_so_together() -> None:
    exact = tokens_at(2, [0], log_prob=np.zeros(2), likelihood="exact")
    ahead = replace(exact, likelihood="looked_ahead")
    assert joined([exact, exact]).likelihood == "exact"
    assert joined([exact, ahead]).likelihood == "looked_ahead"
    assert joined([exact, tokens_at(2, [0])]).likelihood is None
    assert joined([exact, exact, exact]).token_starts.tolist() == [0, 2, 4]


def test_nothing_predicted_is_no_perfect_guess() -> None:
    none = Likelihood(log_prob=np.full(4, np.nan), kind="exact", looked_ahead=np.zeros(0, bool))
    assert np.isnan(none.bits_per_base)


def test_a_result_is_read_at_a_glance_and_as_a_table() -> None:
    log_prob = np.log(np.array([np.nan, 0.5, 0.5, 0.25, 0.5, 0.5, 0.5, 0.5], dtype=np.float32))
    found = tokens_at(
        8, [0, 3, 5], log_prob=log_prob, likelihood="exact", token_ids=np.array([7, 8, 9]),
        start_prob=np.array([1.0, 0.75, 0.5], dtype=np.float32),
        kept_by=np.array([2, 0, 1], dtype=np.uint8),
    )  # fmt: skip
    assert repr(found) == (
        "Compressed(bases: 8; tokens: 3; bases per token: 2.667; mode: one window; "
        "likelihood: exact; bits per base: 1.143)"
    )
    table = found.to_frame()
    assert [*table] == ["start", "end", "bp", "boundary_prob", "kept_by", "token_id", "bits"]
    assert table["end"].tolist() == [3, 5, 8] and table["bp"].sum() == 8
    assert table["kept_by"].tolist() == ["forced", "router", "floor"]
    assert table["bits"].tolist() == pytest.approx([2, 3, 3], rel=1e-6)
    html = found._repr_html_()
    assert html.count("<tr>") == 6 and "<td>1.143</td>" in html
    pseudo = replace(found, likelihood="pseudo")  # comparable with no other
    assert "likelihood: pseudo" in repr(pseudo) and "bits" not in repr(pseudo)
    two = replace(found, stage_tokens=np.array([4, 3]), bound_active=np.array([True, False]))
    assert "tokens by stage: 4, 3; bound: changed the tokens" in repr(two)


def test_a_long_result_has_a_short_name_and_a_block_may_have_no_token() -> None:
    long = tokens_at(1_000_000, np.arange(0, 1_000_000, 7))
    assert len(repr(long)) < 120
    block = tokens_at(10, np.zeros(0, dtype=np.int64))
    assert "bases per token: nan" in repr(block) and block.to_frame().empty
    later = tokens_at(4, [-3, 2], log_prob=np.zeros(4), likelihood="exact")
    assert "bits" not in later.to_frame()  # its first chunk began in an earlier block
