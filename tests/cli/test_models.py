"""``genezip models``, presets that do not exist, ``tokenizer`` and ``weights import``."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from toolkit.command_line import call, succeed, tree
from toolkit.networks import published_weights

from genezip import GeneZip
from genezip.alphabet import decode, is_base
from genezip.artifacts.files import sha256_file
from genezip.cli import main
from genezip.config import Corpus, preset_files
from genezip.corpus.build import build_corpus
from genezip.corpus.corpus import CorpusReader
from genezip.models import load

SETTINGS = json.dumps({"compressor": "bpe", "vocabulary": 30, "block_bp": 40, "bases": 1500})


def test_every_preset_is_listed(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("models") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line]
    said = {words[0]: words for words in lines}
    files = [*preset_files("models"), *preset_files("regions")]
    assert len(files) == 35 and {path.stem for path in files} <= set(said)
    assert said["genezip-70m"][1] == "69,810,232"
    assert said["mamba2-84m"][1:4] == ["84,336,632", "m23", "768"]
    assert said["regions"][2:] == ["promoter", "cds", "utr", "exon", "intron", "nig", "dig"]
    assert said["transcript_balanced"][1:] == ["32", "32", "32", "64", "64", "256", "256", "512"]


def test_the_same_as_json(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("models", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    models = {model["name"]: model for model in found["models"]}
    assert models["genezip-636m"] == {
        "name": "genezip-636m",
        "parameters": 635_941_248,
        "layout": "m2 1024 | m2 1024 | m40 1536 | m2 1024 | m2 1024",
        "routers": "learned, learned",
        "bound": "sequence 8-3000, 8-3000",
    }
    regions = {preset["name"]: preset for preset in found["regions"]}
    assert regions["promoter_distal"]["base_bpt"] == 32
    assert list(regions["promoter_distal"]["target_bpt"].values())[:2] == [32, 512]


def test_a_budget_of_own_classes_is_listed_beside_the_others(
    repo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seven = "promoter: 1, cds: 1, utr: 2, exon: 2, intron: 8, nig: 8, dig: 16"
    for name, more in (("mine", ", enhancer: 0.5"), ("plain", "")):
        text = f"base_bpt: 32\nmultipliers: {{{seven}{more}}}\n"
        (tmp_path / f"{name}.yaml").write_text(text)
    assert call("models", "--regions", tmp_path) == 0
    budgets = capsys.readouterr().out.split("\n\n")[2].splitlines()
    said = [line.split() for line in budgets]
    assert [words[0] for words in said] == ["regions", "mine", "plain"]
    assert [words[-2:] for words in said] == [["dig", "enhancer"], ["512", "16"], ["512", "-"]]


def test_no_presets_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("models", "--folder", tmp_path) == 1
    assert "holds no preset" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "folder", "wrong", "advice"),
    [
        ("--architecture", "models", "genezip-70", r"did you mean genezip-70m\?"),
        ("--architecture", "models", "transformer", "genezip models lists them"),
        ("--region-preset", "regions", "cis_regulatoty", r"did you mean cis_regulatory\?"),
    ],
)
def test_an_unknown_preset(
    repo: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    option: str,
    folder: str,
    wrong: str,
    advice: str,
) -> None:
    """One sentence, before anything is read or written."""
    options = {
        "--architecture": repo / "genezip/config/models/genezip-tiny.yaml",
        "--region-preset": repo / "genezip/config/regions/transcript_balanced.yaml",
        option: repo / "config" / folder / f"{wrong}.yaml",
        "--corpus": tmp_path / "manifest.json",
        "--out": tmp_path / "model",
        "--name": "toy",
    }
    assert call("pretrain", *(part for pair in options.items() for part in pair)) == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert said[0].startswith(f"genezip: {options[option]} is neither ")
    assert re.search(advice, said[0])
    assert list(tmp_path.iterdir()) == []


# --- tokenizer: model folders of fixed tokens and of byte-pair encoding


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
    assert "words: 1,500 bases are read; merging pairs into tokens" in messages()
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


# --- weights import: from a published checkpoint to compressed DNA


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "GeneZip-toy"
    folder.mkdir()
    torch.save(published_weights(), folder / "pytorch_model.bin")
    return folder


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Exit status and everything said."""

    def call(*arguments: object) -> tuple[int, str]:
        with pytest.raises(SystemExit) as stop:
            main(["weights", "import", *map(str, arguments)])
        said = capsys.readouterr()
        assert isinstance(stop.value.code, int)
        return stop.value.code, said.out + said.err

    return call


def test_import_then_compress(
    source: Path, tmp_path: Path, run: Callable[..., tuple[int, str]]
) -> None:
    code, said = run(source, "--out", tmp_path / "model")
    assert code == 0
    assert "GeneZip-toy" in said
    assert "targets: assumed: transcript-balanced, base 32" in said
    z = GeneZip.from_pretrained(tmp_path / "model").compress("ACGTN" * 20)
    assert z.chunk_bp.sum() == 100
    assert len(z.tokens) >= 8  # the floor of the published models


def test_name_and_targets(
    source: Path, tmp_path: Path, run: Callable[..., tuple[int, str]]
) -> None:
    (tmp_path / "even.yaml").write_text(
        "base_bpt: 100\nmultipliers: "
        "{promoter: 1, cds: 1, utr: 1, exon: 1, intron: 1, nig: 1, dig: 2}\n"
    )
    file = source / "pytorch_model.bin"
    preset = tmp_path / "even.yaml"
    code, said = run(file, "--out", tmp_path / "m", "--name", "own", "--region-preset", preset)
    assert code == 0, said
    card = GeneZip.from_pretrained(tmp_path / "m").card
    assert card.name == "own"
    assert (card.target_bpt["cds"], card.target_bpt["dig"]) == (100, 200)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [("nowhere.bin", "nowhere.bin does not exist"), ("lab/none", "lab/none is no folder here")],
)
def test_wrong_source(
    source: str,
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    run: Callable[..., tuple[int, str]],
) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)
    code, said = run(source, "--out", "model")
    assert code == 1
    assert said.startswith(f"genezip: {sentence}")
    assert len(said.strip().splitlines()) == 1
    assert not (tmp_path / "model").exists()
