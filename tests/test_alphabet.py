"""One tokenizer for every use."""

import numpy as np
import pytest

from genezip.alphabet import decode, encode, is_base, reverse_complement
from genezip.errors import GenezipError


def test_case_and_ambiguity_fold() -> None:
    assert encode("ACGTN").tolist() == [3, 4, 5, 6, 7]
    assert encode(b"acgtn").tolist() == [3, 4, 5, 6, 7]
    assert set(encode("RYSWKMBDHVNryswkmbdhvn").tolist()) == {7}
    assert encode(np.frombuffer(b"Ug", dtype=np.uint8)).tolist() == [6, 5]


def test_every_other_letter_is_refused() -> None:
    allowed = set(b"ACGTUNRYSWKMBDHVacgtunryswkmbdhv")
    for code in range(256):
        if code in allowed:
            continue
        with pytest.raises(GenezipError, match="at position 1"):
            encode(bytes([65, code]))


def test_reverse_complement_by_hand() -> None:
    assert decode(reverse_complement(encode("AACGTN"))) == b"NACGTT"
    ids = encode("ACCGTN")
    assert np.array_equal(reverse_complement(reverse_complement(ids)), ids)


def test_is_base() -> None:
    assert is_base(encode("ANT")).tolist() == [True, False, True]
