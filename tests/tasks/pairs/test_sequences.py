"""Both sequences of a pair, by hand and for random spans against a version on strings."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toolkit.dna import reverse_complement

from genezip.alphabet import decode, encode
from genezip.tasks.pairs.sequences import (
    PADDED_BP,
    RELEASE_BP,
    PairSequences,
    pair_sequences,
    release_input,
)


def text(ids: np.ndarray) -> str:
    return decode(ids).decode()


def test_a_deletion_read_forward_by_hand() -> None:
    pair = pair_sequences(encode("ACGTTTACGA"), (3, 6), [(0, 1), (8, 9)], encode("C"), False)
    assert text(pair.reference) == "NCGTTTACNA"
    assert text(pair.alternative) == "NCGCACNA"
    assert (pair.focus_start, pair.reference_end, pair.alternative_end) == (3, 6, 4)


def test_the_same_deletion_read_backwards_by_hand() -> None:
    """NCGTTTACNA backwards is TNGTAAACGN; the three bases AAA stand at 4 to 7."""
    pair = pair_sequences(encode("ACGTTTACGA"), (3, 6), [(0, 1), (8, 9)], encode("C"), True)
    assert text(pair.reference) == "TNGTAAACGN"
    assert text(pair.alternative) == "TNGTGCGN"
    assert (pair.focus_start, pair.reference_end, pair.alternative_end) == (4, 7, 5)


def test_the_reference_of_an_element_has_it_hidden() -> None:
    pair = pair_sequences(encode("ACGTTTACGA"), (3, 6), [], None, False)
    assert text(pair.reference) == "ACGNNNACGA"
    assert text(pair.alternative) == "ACGTTTACGA"
    assert pair.reference_end == pair.alternative_end == 6


@st.composite
def spans(draw: st.DrawFn) -> tuple[str, int, int, list[tuple[int, int]], str | None, bool]:
    """A span, its focus, masks beside the focus, the other allele, and the reading order."""
    bases = draw(st.text("ACGTN", min_size=1, max_size=60))
    start = draw(st.integers(0, len(bases) - 1))
    end = draw(st.integers(start + 1, len(bases)))
    masks = []
    for low, high in draw(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=3)):
        if low < high and (high <= start or end <= low):
            masks.append((low, high))
    allele = draw(st.none() | st.text("ACGT", min_size=1, max_size=8))
    return bases, start, end, masks, allele, draw(st.booleans())


def by_letters(
    bases: str, start: int, end: int, masks: list[tuple[int, int]], allele: str | None, flip: bool
) -> tuple[str, str]:
    """The same, letter by letter."""
    letters = list(bases)
    for low, high in masks:
        for place in range(low, min(high, len(letters))):
            letters[place] = "N"
    before, focus, after = letters[:start], letters[start:end], letters[end:]
    reference = before + (["N"] * len(focus) if allele is None else focus) + after
    alternative = before + (focus if allele is None else list(allele)) + after
    both = "".join(reference), "".join(alternative)
    if flip:
        return reverse_complement(both[0]), reverse_complement(both[1])
    return both


def build(case: tuple[str, int, int, list[tuple[int, int]], str | None, bool]) -> PairSequences:
    bases, start, end, masks, allele, flipped = case
    other = None if allele is None else encode(allele)
    return pair_sequences(encode(bases), (start, end), masks, other, flipped)


@given(spans())
@settings(max_examples=300, deadline=None)
def test_random_pairs_are_those_made_letter_by_letter(case: tuple) -> None:
    pair = build(case)
    assert (text(pair.reference), text(pair.alternative)) == by_letters(*case)
    assert pair.reference_end - pair.focus_start == case[2] - case[1]
    allele = case[4]
    length = case[2] - case[1] if allele is None else len(allele)
    assert pair.alternative_end - pair.focus_start == length


@given(spans())
@settings(max_examples=300, deadline=None)
def test_alleles_are_identical_outside_the_focus_on_both_strands(case: tuple) -> None:
    for pair in (build(case), build(case).reverse_complement()):
        start = pair.focus_start
        assert np.array_equal(pair.reference[:start], pair.alternative[:start])
        after = pair.reference[pair.reference_end :], pair.alternative[pair.alternative_end :]
        assert np.array_equal(*after)


@given(spans())
@settings(max_examples=300, deadline=None)
def test_the_reverse_complement_is_its_own_inverse(case: tuple) -> None:
    pair = build(case)
    twice = pair.reverse_complement().reverse_complement()
    assert np.array_equal(pair.reference, twice.reference)
    assert np.array_equal(pair.alternative, twice.alternative)
    ends = (pair.focus_start, pair.reference_end, pair.alternative_end)
    assert ends == (twice.focus_start, twice.reference_end, twice.alternative_end)


def test_building_a_pair_leaves_the_span_as_it_was() -> None:
    span = encode("ACGTACGT")
    pair_sequences(span, (2, 3), [(5, 6)], None, True)
    assert text(span) == "ACGTACGT"


@pytest.mark.parametrize("length", [1, RELEASE_BP - 1, RELEASE_BP, RELEASE_BP + 1, PADDED_BP + 9])
def test_the_release_input_is_padded_to_450_000_and_then_cut(length: int) -> None:
    bases = ("ACGTTGCA" * (length // 8 + 1))[:length]
    pair = pair_sequences(encode(bases), (0, 1), [], encode("T"), False)
    whole = bases + "N" * max(450_000 - length, 0)
    reference, alternative = release_input(pair)
    assert text(reference) == whole[:450_000][:12_800]
    assert text(alternative) == "T" + whole[:450_000][1:12_800]
