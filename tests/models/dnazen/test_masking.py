"""Masked words: no visible G-gram gives a masked word away, and the shares are those asked for."""

import numpy as np
import pytest
from toolkit.words import mined, phrased_dna, vocabulary, words_of

from genezip.models.bpe.vocabulary import SPECIAL
from genezip.models.dnazen.ggrams import GGrams, Matches, split_at_breaks
from genezip.models.dnazen.masking import MASK, MaskedTokens, expanded, mask_tokens, touched
from genezip.models.dnazen.rows import make_rows, masked_rows, matches_of_rows

SIZE = 60
MODES = ("token", "span", "expand")


@pytest.fixture(scope="module")
def table() -> GGrams:
    return mined(vocabulary())


@pytest.fixture(scope="module")
def rows(table: GGrams) -> list[tuple[np.ndarray, Matches]]:
    tokenizer = vocabulary()
    tokens = split_at_breaks(words_of(tokenizer, [phrased_dna(30_000, 11)]))
    return list(zip(tokens, matches_of_rows(table, tokens), strict=True))


def masks(rows: list[tuple[np.ndarray, Matches]], masking: str) -> list[MaskedTokens]:
    return [
        mask_tokens(ids, found, 0.15, masking, SIZE, (0, number))  # type: ignore[arg-type]
        for number, (ids, found) in enumerate(rows)
    ]


def leaks(chosen: np.ndarray, found: Matches, visible: np.ndarray) -> int:
    """Visible G-grams that cover a chosen token, by a loop."""
    return sum(
        bool(chosen[start : start + length].any())
        for start, length, seen in zip(found.start, found.length, visible, strict=True)
        if seen
    )


@pytest.mark.parametrize("masking", MODES)
def test_no_visible_ggram_covers_a_masked_token(
    rows: list[tuple[np.ndarray, Matches]], masking: str
) -> None:
    total = visible = 0
    for (ids, found), one in zip(rows, masks(rows, masking), strict=True):
        assert leaks(one.chosen, found, one.visible) == 0
        total += len(found)
        visible += one.visible.sum()
        assert ((one.ids == ids) | one.chosen).all()
    assert 0 < visible < total


@pytest.mark.parametrize("masking", MODES)
def test_no_input_of_the_network_covers_a_masked_token(
    table: GGrams, rows: list[tuple[np.ndarray, Matches]], masking: str
) -> None:
    """Also where a G-gram has several places in a row, of which one is masked."""
    given = masks(rows, masking)
    made = masked_rows(given, [found for _, found in rows], 6)
    for row, one in enumerate(given):
        at = np.flatnonzero(one.chosen)
        assert not made.covers[row, at + 1].any()
        assert not made.covers[row, 0].any(), "[CLS] has no G-gram"
    assert made.covers.any()


def test_the_share_is_that_asked_for(rows: list[tuple[np.ndarray, Matches]]) -> None:
    words = sum(len(ids) for ids, _ in rows)
    share = {mode: sum(one.chosen.sum() for one in masks(rows, mode)) / words for mode in MODES}
    assert abs(share["span"] - 0.15) < 0.01 and abs(share["token"] - 0.15) < 0.01
    assert share["expand"] > 0.2, "whole G-grams are added"


def test_spans_are_whole_ggrams(rows: list[tuple[np.ndarray, Matches]]) -> None:
    """Most chosen tokens lie in a G-gram that is chosen whole; of single tokens few do."""

    def whole(mode: str) -> float:
        inside = chosen = 0
        for (_, found), one in zip(rows, masks(rows, mode), strict=True):
            mark = np.zeros(len(one.chosen), dtype=bool)
            for start, length in zip(found.start, found.length, strict=True):
                if one.chosen[start : start + length].all():
                    mark[start : start + length] = True
            inside += (mark & one.chosen).sum()
            chosen += one.chosen.sum()
        return float(inside / chosen)

    assert whole("span") > 0.7 > 0.5 > whole("token")


def test_of_the_chosen_ten_in_a_hundred_are_kept_and_as_many_replaced(
    rows: list[tuple[np.ndarray, Matches]],
) -> None:
    hidden = kept = chosen = 0
    for (ids, _), one in zip(rows, masks(rows, "token"), strict=True):
        chosen += one.chosen.sum()
        hidden += one.hidden.sum()
        kept += (one.chosen & (one.ids == ids)).sum()
        assert (one.hidden == (one.ids == MASK)).all()
    assert abs(hidden / chosen - 0.8) < 0.05 and 0.05 < kept / chosen < 0.16


def test_special_tokens_are_never_chosen() -> None:
    ids = np.array([0, 7, 0, 8, 9, 0] * 40)
    none = Matches(*(np.zeros(0, dtype=np.int64) for _ in range(3)))
    for masking in MODES:
        one = mask_tokens(ids, none, 0.9, masking, SIZE, (1,))  # type: ignore[arg-type]
        assert one.chosen.any() and not (one.chosen & (ids < len(SPECIAL))).any()


def test_overlapping_ggrams_are_followed_to_the_end() -> None:
    """A chain of G-grams that share a token is masked whole; the order of the list is no matter."""
    start = np.array([4, 2, 0, 8])
    chain = Matches(start, np.array([3, 3, 3, 2]), np.arange(4))
    chosen = np.zeros(12, dtype=bool)
    chosen[1] = True
    found = expanded(chosen, chain)
    assert np.flatnonzero(found).tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert touched(found, chain).tolist() == [True, True, True, False]


def released_masking(chosen: np.ndarray, found: Matches) -> tuple[np.ndarray, np.ndarray]:
    """The release's own way: once through the list, and all places of a G-gram at once.

    A G-gram that has a drawn token is masked whole and taken away; one whose tokens are masked by
    a later one stays.
    """
    masked = chosen.copy()
    visible = np.ones(len(found), dtype=bool)
    for ggram in dict.fromkeys(found.ggram.tolist()):
        places = np.flatnonzero(found.ggram == ggram)
        spans = [slice(found.start[n], found.start[n] + found.length[n]) for n in places]
        if any(masked[span].any() for span in spans):
            for span in spans:
                masked[span] = True
            visible[places] = False
    return masked, visible


def test_the_release_gives_masked_tokens_away(rows: list[tuple[np.ndarray, Matches]]) -> None:
    """Its leak, and that one drawn token masks every copy of its G-gram; ours has neither."""
    found = Matches(np.array([0, 2]), np.array([3, 3]), np.array([0, 1]))
    chosen = np.zeros(6, dtype=bool)
    chosen[4] = True  # in the second G-gram, which shares a token with the first
    masked, visible = released_masking(chosen, found)
    assert visible.tolist() == [True, False] and masked[2]
    assert leaks(masked, found, visible) == 1
    total = 0
    for number, (ids, matches) in enumerate(rows):
        drawn = np.random.default_rng(number).random(len(ids)) < 0.15
        masked, visible = released_masking(drawn, matches)
        total += leaks(masked, matches, visible)
        ours = expanded(drawn, matches)
        assert leaks(ours, matches, ~touched(ours, matches)) == 0
    assert total > 0
    copies = Matches(np.array([0, 4]), np.array([2, 2]), np.array([0, 0]))
    drawn = np.array([True] + [False] * 5)
    assert released_masking(drawn, copies)[0].tolist() == [True, True, False, False, True, True]
    assert expanded(drawn, copies).tolist() == [True, True, False, False, False, False]


def test_a_row_has_the_first_ggrams_and_counts_the_rest(table: GGrams) -> None:
    found = Matches(np.array([0, 1, 3, 5]), np.full(4, 2), np.array([9, 4, 9, 1]))
    made = make_rows([np.arange(5, 13)], [found], 2)
    assert made.ggrams.tolist() == [[9, 4]] and made.cut.tolist() == [1]
    assert np.flatnonzero(made.covers[0, :, 0]).tolist() == [1, 2, 4, 5], "all places of the first"
    assert np.flatnonzero(made.covers[0, :, 1]).tolist() == [2, 3]
    assert made.ids[0, [0, -1]].tolist() == [1, 2] and made.valid.all()


def test_the_masks_of_a_row_depend_on_its_key_alone(rows: list[tuple[np.ndarray, Matches]]) -> None:
    ids, found = rows[0]
    one, same, other = (
        mask_tokens(ids, found, 0.15, "span", SIZE, key) for key in ((4, 1), (4, 1), (4, 2))
    )
    assert (one.ids == same.ids).all() and (one.chosen != other.chosen).any()
