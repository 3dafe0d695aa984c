"""Mining of G-grams: against plain loops, and what it must not do."""

import numpy as np
import pytest
from toolkit.words import (
    MINING,
    as_dict,
    flat,
    mine_slowly,
    mined,
    phrased_dna,
    vocabulary,
    words_of,
)

from genezip.config import Mining
from genezip.errors import GenezipError
from genezip.models.bpe.vocabulary import SPECIAL
from genezip.models.dnazen.ggrams import split_at_breaks
from genezip.models.dnazen.mining import draw_random, mine, permuted

FIRST = len(SPECIAL)


def made_rows(seed: int, rows: int = 40, words: int = 12) -> list[list[int]]:
    """Rows of random words with planted runs, some rows very short."""
    rng = np.random.default_rng(seed)
    planted = [rng.integers(FIRST, FIRST + words, int(n)).tolist() for n in (2, 3, 5, 7)]
    found = []
    for _ in range(rows):
        row: list[int] = []
        for _ in range(int(rng.integers(0, 8))):
            row += planted[int(rng.integers(len(planted)))]
            row += rng.integers(0, FIRST + words, int(rng.integers(0, 4))).tolist()
        found.append(row)
    return [row for row in found if row]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"threshold": 0.5, "min_count": 2},
        {"threshold": 0.7, "log_base": 10.0, "min_count": 1},
        {"max_tokens": 3},
        {"max_tokens": 8, "min_count": 3},
    ],
)
def test_mining_equals_plain_loops(seed: int, settings: dict) -> None:
    rows, chosen = made_rows(seed), MINING.model_copy(update=settings)
    found = as_dict(mine(flat(rows), FIRST + 12, chosen))
    assert found == mine_slowly(rows, FIRST, chosen)
    assert found or settings.get("log_base") == 10.0


def test_a_large_vocabulary_is_mined_alike() -> None:
    """Rows that no single number can hold are compared as rows."""
    rows = made_rows(1)
    small, large = (mine(flat(rows), size, MINING) for size in (FIRST + 12, 10_000))
    assert as_dict(small) == as_dict(large) and len(small)


def test_the_most_frequent_come_first_and_a_budget_keeps_them() -> None:
    rows = flat(made_rows(3))
    every = mine(rows, FIRST + 12, MINING)
    assert (np.diff(every.counts) <= 0).all() and (every.counts >= MINING.min_count).all()
    few = mine(rows, FIRST + 12, MINING.model_copy(update={"most": 3}))
    np.testing.assert_array_equal(few.tokens, every.tokens[:3])
    assert (every.pmi >= MINING.threshold).all()


def test_no_ggram_has_a_run_of_n_or_reaches_over_a_break() -> None:
    tokenizer = vocabulary()
    ids = words_of(tokenizer, ["ACGTTGCA" * 30 + "NNNN" + "ACGTTGCA" * 30])
    table = mine(ids, tokenizer.vocabulary, Mining(threshold=-5, min_count=1))
    assert len(table) and (table.tokens[table.tokens >= 0] >= FIRST).all()
    one = mine(flat([[7], [8]] * 9), 20, Mining(threshold=-5, min_count=1))
    assert len(one) == 0, "the words of two sequences are no neighbours"


def test_permuted_words_stay_in_their_sequence() -> None:
    rows = made_rows(5)
    ids = flat(rows)
    other = permuted(ids, seed=1)
    assert (other != ids).any() and ((other < 0) == (ids < 0)).all()
    for one, its in zip(split_at_breaks(ids), split_at_breaks(other), strict=True):
        assert sorted(one) == sorted(its)
    np.testing.assert_array_equal(other, permuted(ids, seed=1))


def test_phrases_are_found_more_often_than_by_chance() -> None:
    tokenizer = vocabulary()
    ids = words_of(tokenizer, [phrased_dna(6000, 7)])
    strict = MINING.model_copy(update={"threshold": 2.0})
    found, chance = (
        len(mine(one, tokenizer.vocabulary, strict)) for one in (ids, permuted(ids, 0))
    )
    assert found > 5 * max(chance, 1)


def test_random_ggrams_are_as_many_of_each_length() -> None:
    tokenizer = vocabulary()
    table = mined(tokenizer)
    own = words_of(tokenizer, [phrased_dna(9000, 7)])
    drawn = draw_random(own, table, seed=1)
    assert np.bincount(drawn.lengths).tolist() == np.bincount(table.lengths).tolist()
    assert len(as_dict(drawn)) == len(drawn), "none is drawn twice"
    assert (drawn.counts >= 1).all() and as_dict(drawn) != as_dict(table)
    assert as_dict(drawn) == as_dict(draw_random(own, table, seed=1))
    assert as_dict(drawn) != as_dict(draw_random(own, table, seed=2))


def test_too_little_dna_for_random_ggrams_is_one_sentence() -> None:
    tokenizer = vocabulary()
    with pytest.raises(GenezipError, match=r"fewer than .* runs of .*; mine more DNA"):
        draw_random(flat([[7, 8]]), mined(tokenizer), seed=0)
