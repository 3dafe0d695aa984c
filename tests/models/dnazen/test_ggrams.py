"""The table of G-grams: finding and covering against plain loops, and its file."""

import json
from pathlib import Path

import numpy as np
import pytest
from toolkit.words import flat, mined, phrased_dna, vocabulary, words_of

from genezip.errors import GenezipError
from genezip.models.bpe.compressor import BPE
from genezip.models.dnazen.ggrams import GGrams, Matches, padded, scan


@pytest.fixture(scope="module")
def tokenizer() -> BPE:
    return vocabulary()


@pytest.fixture(scope="module")
def table(tokenizer: BPE) -> GGrams:
    return mined(tokenizer)


def random_table(seed: int, words: int = 6) -> GGrams:
    rng = np.random.default_rng(seed)
    rows = {tuple(rng.integers(5, 5 + words, int(rng.integers(2, 6))).tolist()) for _ in range(25)}
    tokens = padded([np.array(row) for row in sorted(rows)])
    return GGrams(5 + words, tokens, np.ones(len(rows)), np.ones(len(rows)))


def same(one: Matches, other: Matches) -> None:
    for name in ("start", "length", "ggram"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("seed", range(10))
def test_all_places_are_those_of_a_dictionary_scan(seed: int) -> None:
    rng, table = np.random.default_rng(seed + 50), random_table(seed)
    rows = [rng.integers(0, 11, int(rng.integers(1, 30))).tolist() for _ in range(20)]
    found = table.find(flat(rows))
    same(found, scan(table, flat(rows)))
    assert len(found) > 4


def test_real_words_are_found_alike(tokenizer: BPE, table: GGrams) -> None:
    ids = words_of(tokenizer, [phrased_dna(1500, 9)])
    same(table.find(ids), scan(table, ids))
    assert len(table.find(ids)) > 20


def cover_slowly(table: GGrams, ids: list[int]) -> list[tuple[int, int]]:
    """From the left, at each place the longest G-gram that begins there."""
    known = {tuple(row[row >= 0].tolist()) for row in table.tokens}
    found, at = [], 0
    while at < len(ids):
        room = min(5, len(ids) - at)
        lengths = [n for n in range(room, 1, -1) if tuple(ids[at : at + n]) in known]
        if lengths:
            found.append((at, lengths[0]))
            at += lengths[0]
        else:
            at += 1
    return found


@pytest.mark.parametrize("seed", range(10))
def test_the_cover_takes_the_longest_from_the_left(seed: int) -> None:
    rng, table = np.random.default_rng(seed), random_table(seed)
    ids = rng.integers(5, 11, 80)
    cover = table.cover(ids)
    pairs = list(zip(cover.start.tolist(), cover.length.tolist(), strict=True))
    assert pairs == cover_slowly(table, ids.tolist()) and pairs
    assert (cover.start[1:] >= (cover.start + cover.length)[:-1]).all(), "none overlap"
    same(cover, table.cover(ids, table.find(ids)))


def test_nothing_is_found_in_nothing(table: GGrams) -> None:
    empty = GGrams(60, np.zeros((0, 2), dtype=np.int64), np.zeros(0), np.zeros(0))
    for one in (table, empty):
        assert len(one.find(np.zeros(0, dtype=np.int64))) == 0
        assert len(one.cover(np.array([7]))) == 0
    assert len(empty.find(np.array([7, 8, 9]))) == 0


def test_the_file_holds_the_whole_table(table: GGrams, tmp_path: Path) -> None:
    facts = {"tokenizer_sha256": "ab", "mining": {"threshold": 2.0}}
    path = tmp_path / "ggrams.json"
    GGrams(table.vocabulary, table.tokens, table.counts, table.pmi, facts).save(path)
    found = GGrams.read(path)
    np.testing.assert_array_equal(found.tokens, table.tokens)
    np.testing.assert_array_equal(found.counts, table.counts)
    np.testing.assert_allclose(found.pmi, table.pmi, atol=1e-6)
    assert found.facts == facts and found.vocabulary == table.vocabulary
    path_two = tmp_path / "again.json"
    found.save(path_two)
    assert path.read_bytes() == path_two.read_bytes()


def test_a_file_that_is_no_table_is_one_sentence(table: GGrams, tmp_path: Path) -> None:
    path = tmp_path / "ggrams.json"
    with pytest.raises(GenezipError, match="does not exist; mine it first"):
        GGrams.read(path)
    facts = {"tokenizer_sha256": "ab", "mining": {}}
    GGrams(table.vocabulary, table.tokens, table.counts, table.pmi, facts).save(path)
    whole = json.loads(path.read_text())
    for change in (
        {"tokens": [[7]]}, {"tokens": [[7, "x"]]}, {"counts": [1]}, {"vocabulary": 6},
        {"tokens": [[-3, 7]] * len(table)}, {"pmi": 5},
    ):  # fmt: skip
        path.write_text(json.dumps(whole | change))
        with pytest.raises(GenezipError, match="is not a table of G-grams; mine it again"):
            GGrams.read(path)
    path.write_text("{}")
    with pytest.raises(GenezipError, match="mine it again"):
        GGrams.read(path)


def test_another_tokenizer_is_one_sentence(tokenizer: BPE, table: GGrams) -> None:
    own = GGrams(table.vocabulary, table.tokens, table.counts, table.pmi, {"tokenizer_sha256": "a"})
    own.check_tokenizer("a", tokenizer.vocabulary, "bpe")
    own.check_tokenizer(None, tokenizer.vocabulary, "bpe")
    with pytest.raises(GenezipError, match=r"mined with another tokenizer than bpe .*; mine them"):
        own.check_tokenizer("b", tokenizer.vocabulary, "bpe")
    with pytest.raises(GenezipError, match="vocabulary of 60 tokens, but bpe has 512; mine them"):
        own.check_tokenizer("a", 512, "bpe")
