"""Log ratios of two haplotypes: by hand, and the shared beginning changes no number."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from toolkit.dna import random_dna, random_ids
from toolkit.likelihoods import CHAIN, StreamedChain
from toolkit.networks import CAUSAL, DNAHNET, FREE, small_shape, speaking_network, toy_card
from toolkit.variants import CHR2, SMALL, other, write_reference

from genezip.alphabet import BASES, encode
from genezip.genome.assembly import ReferenceGenome
from genezip.inference.variants.alleles import Allele, Reference
from genezip.inference.variants.haplotypes import (
    Replacement,
    Windows,
    read_alleles,
    streamed,
    whole,
)
from genezip.models.compressed import Compressed, tokens_at
from genezip.models.genezip.compressor import GeneZip


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    path = write_reference(tmp_path_factory.mktemp("reference") / "my.fa")
    return Reference(ReferenceGenome(path))


def chain(text: str) -> float:
    """Log-probability of all bases but the first."""
    at = [BASES.index(letter.encode()) for letter in text]
    return float(sum(CHAIN[a, b] for a, b in pairwise(at)))


COMPLEMENT = str.maketrans("ACGT", "TGCA")


def test_scores_of_a_chain_by_hand(reference: Reference) -> None:
    text = CHR2
    alleles = [
        Allele("chr2", 100, 101, other(text[100]).encode()),
        Allele("chr2", 100, 100, b"ACCT"),
        Allele("chr2", 90, 130, b""),
        Allele("chr2", 0, 1, other(text[0]).encode()),  # nothing before it
        Allele("chr2", 299, 300, other(text[299]).encode()),  # nothing behind it
    ]
    found = read_alleles(StreamedChain(), reference, alleles, SMALL)
    for one, row in zip(alleles, found, strict=True):
        first, last = max(one.start - 40, 0), min(one.end + 40, 300)
        before, own = text[first : one.start], text[one.start : one.end]
        behind, alt = text[one.end : last], one.alt.decode()
        near, far = behind[:30], before[-30:]
        forward = chain(before + alt + near) - chain(before + own + near)
        turned = [(far + middle + behind).translate(COMPLEMENT)[::-1] for middle in (alt, own)]
        assert row[0] == pytest.approx(forward, abs=1e-9)
        assert row[1] == pytest.approx(chain(turned[0]) - chain(turned[1]), abs=1e-9)
    # a window begins at a multiple of 20, at least 40 bases before; less at an end of the contig
    assert found[:, 4].tolist() == [40, 40, 50, 0, 59]
    assert found[:, 5].tolist() == [30, 30, 30, 30, 0]
    assert found[:, 6].tolist() == [59, 40, 50, 59, 0]
    assert found[:, 7].tolist() == [30, 30, 30, 0, 30]


def some_alleles(reference: Reference) -> list[Allele]:
    """Alleles of all kinds over the first contig, some with N near them, and at its ends."""
    random = np.random.default_rng(2)
    starts = [0, 1, 60, 60, 95, 390, 660, 700]
    found = []
    for number, start in enumerate(starts):
        end = min(start + [1, 0, 7, 30][number % 4], 700)
        alt = random_dna(int(random.integers(0, 12)), number).encode()
        if end <= 400 or start >= 420:
            found.append(Allele("chr1", start, end, alt))
    return found


@pytest.mark.parametrize("shape", [FREE, CAUSAL, DNAHNET], ids=["free", "causal", "dnahnet"])
def test_a_shared_beginning_changes_no_number(reference: Reference, shape: dict[str, Any]) -> None:
    """Sums of 60 bases in float32; both differ by rounding, of 1e-6 each."""
    model = GeneZip(speaking_network(**shape), toy_card(small_shape(**shape)))
    alleles = some_alleles(reference)
    fast = read_alleles(model, reference, alleles, SMALL)
    slow = read_alleles(model, reference, alleles, SMALL, slow=True)
    np.testing.assert_allclose(fast[:, :2], slow[:, :2], rtol=0, atol=1e-4)
    np.testing.assert_array_equal(fast[:, 2:], slow[:, 2:])
    assert np.abs(fast[:, :2]).max() > 0.1
    assert (fast[:, 2] > 0).any()


def test_what_is_read_does_not_depend_on_neighbours(reference: Reference) -> None:
    model = GeneZip(speaking_network(**CAUSAL), toy_card(small_shape(**CAUSAL)))
    alleles = some_alleles(reference)
    together = read_alleles(model, reference, alleles, SMALL)
    for number, one in enumerate(alleles):
        alone = read_alleles(model, reference, [one], SMALL)[0]
        np.testing.assert_allclose(alone[:2], together[number, :2], rtol=0, atol=1e-4)
        np.testing.assert_array_equal(alone[2:], together[number, 2:])


def test_one_strand_alone(reference: Reference) -> None:
    windows = Windows(40, 30, "forward")
    found = read_alleles(StreamedChain(), reference, some_alleles(reference), windows)
    assert np.isnan(found[:, [1, 6, 7]]).all() and not np.isnan(found[:, [0, 2, 3, 4, 5]]).any()


class _CutsAtCG(StreamedChain):
    """A token begins at every G that follows a C, in a stream too."""

    def boundaries(self, sequences: Sequence[Any]) -> list[np.ndarray]:
        return [one.token_starts for one in self.encode(list(sequences))]

    def encode(self, sequences: Any) -> list[Compressed]:
        return [_Cuts().feed(encode(one)) for one in sequences]

    def stream(self) -> Any:
        return _Cuts()


class _Cuts:
    def __init__(self, last: int = 0) -> None:
        self.last = last

    def copy(self) -> "_Cuts":
        return _Cuts(self.last)

    def feed(self, sequence: Any, vectors: bool = False) -> Compressed:
        ids = encode(sequence)
        before = np.concatenate([[self.last], ids[:-1]])
        begins = (before == 4) & (ids == 5)
        if not self.last:
            begins[0] = True
        self.last = int(ids[-1])
        zeros = np.zeros(len(ids), dtype=np.float32)
        return tokens_at(len(ids), np.flatnonzero(begins), log_prob=zeros, likelihood="exact")


@pytest.mark.parametrize("reader", [streamed, whole])
def test_moved_boundaries_by_eye(reader: Any) -> None:
    #                0123456789
    ids = encode("AAACGTCGACAA")  # boundaries at 0, 4, 7
    changes = [
        Replacement(3, 4, encode("A")),  # AAAAGTCGACAA: 4 is gone, right behind the change
        Replacement(8, 9, encode("G")),  # AAACGTCGGCAA: none behind it
        Replacement(3, 3, encode("TTC")),  # AAATTCCGTCGACAA: those behind it stay
        Replacement(9, 10, encode("CG")),  # AAACGTCGACGAA: the new one lies in the change
        Replacement(6, 7, np.zeros(0, dtype=np.uint8)),  # AAACGTGACAA: 7 is gone
        Replacement(3, 4, encode("G")),  # AAAGGTCGACAA
    ]
    found = reader(_CutsAtCG(), ids, changes, 4)
    assert [(one.moved, one.reach) for one in found] == [
        (1, 1), (0, 0), (0, 0), (0, 0), (1, 1), (1, 1),
    ]  # fmt: skip


def test_a_whole_contig_may_go() -> None:
    ids = random_ids(9, 1)
    (found,) = streamed(StreamedChain(), ids, [Replacement(0, 9, ids[:0])], 5)
    (slow,) = whole(StreamedChain(), ids, [Replacement(0, 9, ids[:0])], 5)
    assert found == slow and found.log_ratio > 0
