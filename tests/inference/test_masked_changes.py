"""Substitutions scored from masked bases: by loops over bases and strands, and what is refused."""

import numpy as np
import pytest
from toolkit.dna import random_ids
from toolkit.likelihoods import Chain, MaskedChain, PseudoChain, masked_row

from genezip.alphabet import N_ID, decode, encode, reverse_complement
from genezip.errors import GenezipError
from genezip.inference.changes import (
    Change,
    MaskedPredictor,
    changed_likelihoods,
    masked_changes,
    require_whole_likelihood,
)


def slow_score(reference: str, altered: str) -> float:
    """Both strands as texts; all letters that differ are masked together."""
    total = 0.0
    for old, new in (
        (reference, altered),
        tuple(decode(reverse_complement(encode(one))).decode() for one in (reference, altered)),
    ):
        hidden = [at for at, pair in enumerate(zip(old, new, strict=True)) if pair[0] != pair[1]]
        for at in hidden:
            row = masked_row(encode(old), at, hidden)
            total += row["ACGT".index(new[at])] - row["ACGT".index(old[at])]
    return total / 2


def test_altered_bases_are_masked_together_on_both_strands() -> None:
    reference = random_ids(40, 1)
    text = decode(reference).decode()
    codons = [
        "AAA",
        "TGC",
        "CCG",
        text[12:15],
        text[12:14] + "ACGT"[("ACGT".index(text[14]) + 1) % 4],
    ]
    changes = [Change(12, encode(codon)) for codon in codons]
    single = Change(
        39, encode("ACGT"["ACGT".index(text[39]) - 1])
    )  # a variant of one base, at the end
    found = masked_changes(MaskedChain(), reference, [*changes, single])
    for value, change in zip(found.score, [*changes, single], strict=True):
        new = decode(change.ids).decode()
        altered = text[: change.start] + new + text[change.start + len(new) :]
        assert value == pytest.approx(slow_score(text, altered))
    assert found.score[3] == 0 and np.abs(found.score[:3]).min() > 1e-3
    # a variant alone has the number it has among others
    alone = masked_changes(MaskedChain(), reference, [single])
    assert alone.score[0] == pytest.approx(found.score[-1]) and alone.passes == 2


def test_masking_together_is_not_masking_in_turn() -> None:
    reference = encode("ACGTACGTAC")
    table = MaskedChain().masked_log_prob([reference], [[4, 5]], together=True)[0]
    in_turn = MaskedChain().masked_log_prob([reference], [[4, 5]])[0]
    assert np.abs(table - in_turn).max() > 0.01
    found = masked_changes(MaskedChain(), reference, [Change(4, encode("GG"))])
    assert found.score[0] == pytest.approx(slow_score("ACGTACGTAC", "ACGTGGGTAC"))


def test_unknown_bases_have_no_score() -> None:
    reference = encode("ACGTNCGTAC")
    found = masked_changes(
        MaskedChain(), reference, [Change(4, encode("A")), Change(3, encode("A"))]
    )
    assert np.isnan(found.score[0]) and np.isfinite(found.score[1])
    with pytest.raises(GenezipError, match="a change has letters other than A, C, G and T"):
        masked_changes(MaskedChain(), reference, [Change(1, np.array([N_ID], dtype=np.uint8))])
    with pytest.raises(GenezipError, match="a change of 3 bases at 9 is not inside the reference"):
        masked_changes(MaskedChain(), reference, [Change(9, encode("AAA"))])


def test_there_is_no_likelihood_of_a_whole_sequence() -> None:
    assert isinstance(MaskedChain(), MaskedPredictor) and not isinstance(Chain(), MaskedPredictor)
    message = (
        "masked-chain predicts masked bases from both sides, so it has no likelihood of a whole"
    )
    with pytest.raises(GenezipError, match=message):
        changed_likelihoods(MaskedChain(), [(encode("ACGT"), [])])
    with pytest.raises(GenezipError, match=message):
        require_whole_likelihood(MaskedChain())
    require_whole_likelihood(PseudoChain())  # its rows are kept apart
