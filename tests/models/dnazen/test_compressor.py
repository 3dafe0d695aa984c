"""DNAZEN as a compressor: the protocol, its tokens and vectors, its folder."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from toolkit.compressors import check_protocol
from toolkit.words import BLOCK, mined, phrased_dna, save_words, vocabulary, words_model

from genezip.errors import GenezipError
from genezip.models import load
from genezip.models.dnazen.compressor import DnaZen
from genezip.models.dnazen.ggrams import GGrams
from genezip.models.dnazen.network import build_words


@pytest.fixture(scope="module")
def model() -> DnaZen:
    tokenizer = vocabulary()
    return words_model(tokenizer, mined(tokenizer))


@pytest.fixture(scope="module")
def plain() -> DnaZen:
    return words_model(vocabulary(), None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_words(tmp_path_factory.mktemp("model") / "toy")


def test_it_is_a_compressor(model: DnaZen) -> None:
    check_protocol(model)


def test_without_ggrams_it_is_a_compressor_whose_tokens_are_words(plain: DnaZen) -> None:
    check_protocol(plain)
    text = phrased_dna(400, 5)
    (found,), (words,) = plain.encode([text]), plain.tokenizer.encode([text])
    np.testing.assert_array_equal(found.token_starts, words.token_starts)
    np.testing.assert_array_equal(found.token_ids, words.token_ids)


def test_tokens_are_the_longest_ggrams_from_the_left(model: DnaZen) -> None:
    assert model.ggrams is not None
    text = phrased_dna(700, 6)
    (found,), (words,) = model.encode([text]), model.tokenizer.encode([text])
    spelled = {number: word for word, number in model.tokenizer.tokenizer.get_vocab().items()}
    dna = []
    for number in found.token_ids.tolist():
        row = [number]
        if number >= model.tokenizer.vocabulary:
            row = model.ggrams.tokens[number - model.tokenizer.vocabulary].tolist()
        dna.append("".join(spelled[one] for one in row if one >= 0))
    assert "".join(dna) == text
    assert [len(one) for one in dna] == found.chunk_bp.tolist()
    assert found.stage_tokens.tolist() == [len(words.token_starts), len(found.token_starts)]
    assert len(found.token_starts) < 0.8 * len(words.token_starts)
    assert np.isin(np.arange(0, 700, BLOCK), found.token_starts).all(), "blocks are cut"


def test_the_vector_of_a_token_is_the_mean_of_those_of_its_words(model: DnaZen) -> None:
    text = phrased_dna(300, 8)
    (base,), (token,) = model.embed([text]), model.embed([text], "token")
    (words,), (found,) = model.tokenizer.encode([text]), model.encode([text])
    states = base.vectors[words.token_starts]
    ends = np.append(found.token_starts[1:], len(text))
    for number, (start, end) in enumerate(zip(found.token_starts, ends, strict=True)):
        inside = (words.token_starts >= start) & (words.token_starts < end)
        np.testing.assert_allclose(
            token.vectors[number], states[inside].mean(axis=0), rtol=1e-4, atol=1e-5
        )
    (both,) = model.encode_with_vectors([text])
    np.testing.assert_allclose(both.base_vectors, base.vectors, rtol=1e-4, atol=1e-5)


def test_windows_of_whole_blocks_have_the_tokens_of_the_sequence(model: DnaZen) -> None:
    text = phrased_dna(5 * BLOCK, 2)
    (whole,) = model.encode([text])
    parts = [model.encode([text[at : at + BLOCK]])[0] for at in range(0, len(text), BLOCK)]
    starts = [one.token_starts + number * BLOCK for number, one in enumerate(parts)]
    np.testing.assert_array_equal(whole.token_starts, np.concatenate(starts))


def test_matches_count_words_of_the_sequence(model: DnaZen) -> None:
    text = phrased_dna(500, 4)
    (found,), (words,) = model.matches([text]), model.tokenizer.encode([text])
    assert model.ggrams is not None and len(found) > 5
    for start, length, ggram in zip(found.start, found.length, found.ggram, strict=True):
        own = words.token_ids[start : start + length].tolist()
        row = model.ggrams.tokens[ggram]
        assert own == row[row >= 0].tolist()


def test_a_folder_opens_as_it_was_saved(folder: Path, model: DnaZen) -> None:
    opened = load(folder)
    assert isinstance(opened, DnaZen) and opened.facts["sha256"]
    text = phrased_dna(300, 1)
    np.testing.assert_allclose(
        opened.embed([text])[0].vectors, model.embed([text])[0].vectors, rtol=1e-5, atol=1e-6
    )
    np.testing.assert_array_equal(
        opened.encode([text])[0].token_ids, model.encode([text])[0].token_ids
    )
    assert "DNAZEN" in (folder / "README.md").read_text()
    again = folder.with_name("again")
    opened.save(again)
    assert (again / "config.json").read_bytes() == (folder / "config.json").read_bytes()


def test_an_untrained_model_has_the_first_weights_of_its_seed(folder: Path) -> None:
    opened = load(folder, untrained=True)
    assert isinstance(opened, DnaZen) and opened.name == "untrained"
    first = build_words(opened.network.shape, opened.card.seed)
    for name, value in first.state_dict().items():
        np.testing.assert_array_equal(value, opened.network.state_dict()[name])


def test_a_broken_folder_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    def broken(name: str, text: str | None, words: str) -> None:
        copy = tmp_path / f"copy{len(list(tmp_path.iterdir()))}"
        shutil.copytree(folder, copy)
        if text is None:
            (copy / name).unlink()
        else:
            (copy / name).write_text(text)
        with pytest.raises(GenezipError, match=words):
            load(copy)

    for name in ("ggrams.json", "tokenizer.json", "model.safetensors"):
        broken(name, None, "is missing; copy the whole model folder")
        broken(name, "x", "is broken: its sha256 differs")
    config = json.loads((folder / "config.json").read_text())
    broken("config.json", json.dumps(config | {"block_bp": "x"}), "is not a genezip model")
    broken("config.json", json.dumps(config | {"block_bp": 99}), "is not a genezip model")
    shape = config["architecture"] | {"width": 32}
    broken("config.json", json.dumps(config | {"architecture": shape}), "does not hold the weights")


def test_ggrams_of_another_vocabulary_are_one_sentence(model: DnaZen) -> None:
    assert model.ggrams is not None
    other = vocabulary(size=50)
    with pytest.raises(GenezipError, match="vocabulary of 60 tokens, but words has 50"):
        DnaZen(model.network, other, model.ggrams, model.card)
    few = GGrams(60, model.ggrams.tokens[:3], model.ggrams.counts[:3], model.ggrams.pmi[:3])
    with pytest.raises(GenezipError, match=r"was made for .* G-grams and has 3; copy all files"):
        DnaZen(model.network, model.tokenizer, few, model.card)
