"""``genezip tokenizer``: model folders of fixed tokens and of byte-pair encoding."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from toolkit.command_line import call, succeed, tree

from genezip.alphabet import decode, is_base
from genezip.artifacts.files import sha256_file
from genezip.config import Corpus
from genezip.corpus.build import build_corpus
from genezip.corpus.corpus import CorpusReader
from genezip.models import load

SETTINGS = json.dumps({"compressor": "bpe", "vocabulary": 30, "block_bp": 40, "bases": 1500})


@pytest.fixture
def corpus(world: Any, settings: Corpus, tmp_path: Path) -> Path:
    nothing = pd.DataFrame([], columns=["chrom", "start", "end"])
    build_corpus(world, world.region_map, settings, tmp_path / "corpus", excluded=nothing)
    return tmp_path / "corpus" / "manifest.json"


def fit(corpus: Path, out: Path, *more: object) -> Path:
    named = ("--settings", SETTINGS, "--name", "words", "--scale", "test")
    succeed("tokenizer", "bpe", "--corpus", corpus, *named, "--out", out, *more)
    return out


def test_a_vocabulary_of_training_dna(
    corpus: Path, tmp_path: Path, messages: Callable[[], list[str]]
) -> None:
    folder = fit(corpus, tmp_path / "words.seed5", "--seed", 5)
    model = load(folder)
    assert (model.name, model.vocabulary) == ("words", 30)
    config = json.loads((folder / "config.json").read_text())
    assert config["training"] == {
        "scale": "test",
        "source": "simulated",
        "corpus_sha256": sha256_file(corpus),
        "bases": 1500,
        "tokenizers": config["training"]["tokenizers"],
    }
    assert config["seed"] == 5 and config["compressor"] == "bpe"
    assert "words: 1,500 bases are read; merging pairs into words" in messages()
    card = (folder / "README.md").read_text()
    assert "# words, seed 5" in card and "1500 bases" in card
    assert config["sha256"]["tokenizer.json"] in card


def test_the_same_corpus_and_seed_give_the_same_bytes(corpus: Path, tmp_path: Path) -> None:
    one, same = (tree(fit(corpus, tmp_path / name, "--seed", 1)) for name in ("one", "same"))
    assert one == same
    other = tree(fit(corpus, tmp_path / "other", "--seed", 2))
    assert one["tokenizer.json"] != other["tokenizer.json"]


def test_no_held_out_dna_is_read(corpus: Path, tmp_path: Path) -> None:
    """The vocabulary is the same when all other windows are gone."""
    before = tree(fit(corpus, tmp_path / "before"))
    for entry in CorpusReader(corpus).files("valid") + CorpusReader(corpus).files("test"):
        (corpus.parent / entry["path"]).unlink()
    assert tree(fit(corpus, tmp_path / "after")) == before


def test_every_word_is_in_the_training_dna(corpus: Path, tmp_path: Path) -> None:
    model = load(fit(corpus, tmp_path / "words"))
    ids, _, _ = CorpusReader(corpus).load("train")
    text = " ".join(decode(window).decode() for window in ids)
    words = [model.tokenizer.id_to_token(number) for number in range(5, 30)]
    assert all(word in text and set(word) <= set("ACGT") for word in words)
    assert is_base(np.concatenate(ids)).sum() > 1500


def test_a_ruler(tmp_path: Path) -> None:
    settings = '{"compressor": "fixed", "stride": 16}'
    succeed(
        "tokenizer", "fixed", "--settings", settings, "--name", "ruler", "--scale", "test",
        "--out", tmp_path / "ruler",
    )  # fmt: skip
    (found,) = load(tmp_path / "ruler").encode(["A" * 40])
    assert found.token_starts.tolist() == [0, 16, 32]
    assert "every 16 bases" in (tmp_path / "ruler" / "README.md").read_text()


def test_what_cannot_be_fitted_is_one_sentence(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ("--name", "words", "--out", tmp_path / "words")
    assert call("tokenizer", "bpe", "--corpus", corpus, *out) == 1
    assert "of 4,096 tokens; choose a smaller vocabulary" in capsys.readouterr().err
    assert call("tokenizer", "bpe", "--corpus", tmp_path / "none.json", *out) == 1
    assert "none.json does not exist; build the corpus first" in capsys.readouterr().err
    assert call("tokenizer", "fixed", "--settings", '{"stride": 0}', *out) == 1
    assert "'stride': Input should be greater than or equal to 1" in capsys.readouterr().err
    assert not (tmp_path / "words").exists()
