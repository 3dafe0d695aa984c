"""Canonical k-mers against words in a Python set."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toolkit.dna import random_dna, reverse_complement

from genezip.alphabet import encode
from genezip.genome.kmers import (
    KmerSet,
    blocks,
    canonical_kmers,
    mixed,
    occurrences,
    sampled_kmers,
    shared_fraction,
)


def words(sequence: str, k: int) -> list[str]:
    """Every k-mer without N, as the smaller of itself and its reverse complement."""
    found = []
    for start in range(len(sequence) - k + 1):
        word = sequence[start : start + k]
        if set(word) <= set("ACGT"):
            found.append(min(word, reverse_complement(word)))
    return found


def unpack(kmer: int, k: int) -> str:
    return "".join("ACGT"[(kmer >> 2 * (k - 1 - i)) & 3] for i in range(k))


@given(st.text(alphabet="ACGTN", max_size=80), st.integers(1, 32))
@settings(max_examples=150, deadline=None)
def test_kmers_equal_words(sequence: str, k: int) -> None:
    kmers = canonical_kmers(encode(sequence), k)
    assert kmers.dtype == np.uint64
    assert [unpack(int(kmer), k) for kmer in kmers] == words(sequence, k)


@pytest.mark.parametrize("k", [33, 40, 64])
def test_long_words_are_equal_where_their_letters_are(k: int) -> None:
    """A repeat, its reverse complement, copies with one base changed, and N."""
    unit = random_dna(90, 1)
    changed = [unit[:at] + "ACGT"["CGTA".index(unit[at])] + unit[at + 1 :] for at in (0, 45, 89)]
    text = "N".join([unit, *changed, reverse_complement(unit), random_dna(200, 2)])
    hashes, expected = canonical_kmers(encode(text), k).tolist(), words(text, k)
    assert len(hashes) == len(expected)
    assert len(set(hashes)) == len(set(expected)) == len(set(zip(hashes, expected, strict=True)))


def test_by_eye() -> None:
    # AAC is smaller than GTT; ACG and CGT are one another's reverse complement.
    assert [unpack(int(x), 3) for x in canonical_kmers(encode("GTTACGT"), 3)] == [
        "AAC",
        "TAA",
        "GTA",
        "ACG",
        "ACG",
    ]


def test_other_strand_gives_the_same_set() -> None:
    sequence = "ACGGTNACCATTTGACGGATNCC"
    other = reverse_complement(sequence)
    a, b = (KmerSet(canonical_kmers(encode(text), 5)) for text in (sequence, other))
    assert a.kmers.tolist() == b.kmers.tolist()


@pytest.mark.parametrize("k", [0, 65])
def test_wrong_k(k: int) -> None:
    with pytest.raises(ValueError, match="1 to 64"):
        canonical_kmers(encode("ACGT"), k)


def test_set_membership() -> None:
    known = KmerSet(np.array([9, 3, 3], dtype=np.uint64))
    assert len(known) == 2
    assert known.positions(np.array([3, 4, 9, 10], dtype=np.uint64))[1].tolist() == [
        True,
        False,
        True,
        False,
    ]
    empty = KmerSet(np.zeros(0, dtype=np.uint64))
    assert empty.positions(np.array([3], dtype=np.uint64))[1].tolist() == [False]


@pytest.mark.parametrize("length", [0, 4, 5, 6, 7, 23])
def test_blocks_lose_and_double_no_kmer(length: int) -> None:
    sequence = encode(("ACGGTCATTGCAAGTCCGTATAGC" * 2)[:length])
    parts = [canonical_kmers(sequence[a:b], 5) for a, b in blocks(length, 5, block_bp=3)]
    joined = np.concatenate([np.zeros(0, dtype=np.uint64), *parts])
    assert joined.tolist() == canonical_kmers(sequence, 5).tolist()


def splitmix(word: int) -> int:
    """The same hash on Python's unbounded integers."""
    top = 2**64 - 1
    word = (word + 0x9E3779B97F4A7C15) & top
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & top
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & top
    return word ^ (word >> 31)


def test_the_hash_is_splitmix64() -> None:
    # The first two outputs of SplitMix64 seeded with 0, as its authors print them.
    step = 0x9E3779B97F4A7C15
    assert mixed(np.array([0, step], dtype=np.uint64)).tolist() == [
        0xE220A8397B1DCDAF,
        0x6E789E6AA1B965F4,
    ]
    words = [1, 5, 2**62 - 1, 2**64 - 1]
    assert mixed(np.array(words, dtype=np.uint64)).tolist() == [splitmix(x) for x in words]


@pytest.mark.parametrize("sample", [1, 3, 8])
def test_a_sample_equals_words_chosen_one_by_one(sample: int) -> None:
    text = random_dna(40_000, 1, "ACGTN", [0.2475] * 4 + [0.01])
    values = {base: value for value, base in enumerate("ACGT")}
    slow = []
    for word in words(text, 11):
        packed = 0
        for base in word:
            packed = 4 * packed + values[base]
        if splitmix(packed) <= (2**64 - 1) // sample:
            slow.append(packed)
    fast = sampled_kmers(encode(text), 11, sample)
    assert fast.dtype == np.uint64
    assert fast.tolist() == slow  # 40,000 bases: the blocks of the fast way are crossed
    assert 0.9 < len(slow) * sample / len(words(text, 11)) < 1.1


def test_the_other_strand_has_the_same_sample() -> None:
    text = random_dna(5_000, 2)
    other = reverse_complement(text)
    a, b = (np.sort(sampled_kmers(encode(t), 21, 4)) for t in (text, other))
    assert 0 < len(a) < len(text) / 2
    assert a.tolist() == b.tolist()


def test_wrong_sample() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        sampled_kmers(encode("ACGT"), 2, 0)


def test_shared_fraction_by_eye() -> None:
    windows = [encode(text) for text in ("AAAAC", "GGNGGG", "NNNN", "CATTT")]
    # 3-mers: AAA AAA AAC | GGG (= CCC) | none | CAT (= ATG), ATT (= AAT), TTT (= AAA)
    fractions, counts = shared_fraction(windows, [encode("AAAT"), encode("NNCCCN")], 3)
    assert counts.tolist() == [3, 1, 0, 3]
    assert fractions == pytest.approx([2 / 3, 1, 0, 2 / 3])


def test_shared_fraction_equals_words() -> None:
    rng = np.random.default_rng(0)
    texts = [random_dna(60, rng, "ACGTN", [0.24] * 4 + [0.04]) for _ in range(8)]
    windows, others = texts[:4], texts[4:]
    train = {word for text in others for word in words(text, 4)}
    mine = [words(text, 4) for text in windows]
    slow = [np.mean([word in train for word in own]) for own in mine]
    fast, _ = shared_fraction([encode(t) for t in windows], [encode(t) for t in others], 4)
    assert fast == pytest.approx(slow)


@pytest.mark.parametrize("length", [1, 7, 31, 32, 33, 50])
def test_occurrences_equal_those_in_the_text(length: int) -> None:
    """Repeats, an N within, and queries of several lengths that begin alike."""
    unit = random_dna(60, 1)
    text = f"{random_dna(300, 2)}{unit}{random_dna(40, 3)}N{unit}{unit[:20]}A{unit[21:]}AAAA"
    queries = [unit[:length], unit[:50], unit[5 : 5 + length], random_dna(length, 9), "A" * 33]
    found = occurrences([encode(query) for query in queries], encode(text))
    for query, starts in zip(queries, found, strict=True):
        assert starts == [at for at in range(len(text)) if text.startswith(query, at)]
    assert len(found[1]) >= 2


def test_occurrences_need_a_sequence_and_a_query() -> None:
    assert occurrences([], encode("ACGT")) == []
    assert occurrences([encode("ACGTACGT")], encode("ACG")) == [[]]
