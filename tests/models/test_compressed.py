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
