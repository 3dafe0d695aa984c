"""Byte-pair encoding: against a slow one, as a file of another package, and its fitting."""

import hashlib
import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from toolkit.dna import random_dna, random_ids

from genezip.alphabet import encode
from genezip.errors import GenezipError
from genezip.models import load
from genezip.models.bpe.compressor import BPE
from genezip.models.bpe.vocabulary import SPECIAL, fit_tokenizer
from genezip.models.compressed import joined

BLOCK = 64
WITH_N = [0.24, 0.24, 0.24, 0.24, 0.04]


def dna(length: int, seed: int) -> str:
    """Random words of a small stock, so that pairs repeat, and random bases between."""
    rng = np.random.default_rng(seed)
    stock = [random_dna(int(n), n) for n in range(3, 15)]
    words = [stock[n] + random_dna(3, rng) for n in rng.integers(len(stock), size=length // 3)]
    return "".join(words)[:length]


@pytest.fixture(scope="module")
def model() -> BPE:
    sequences = [encode(dna(5000, seed)) for seed in range(4)]
    return BPE(fit_tokenizer(sequences, 200, BLOCK), BLOCK, "bpe-200", 0, {"scale": "test"})


def slow_encode(model: BPE, text: str) -> tuple[list[int], list[int]]:
    """First base and id of every token: blocks, runs of N, merges in the order of their rank."""
    spec = json.loads(model.tokenizer.to_str())["model"]
    ids = spec["vocab"]
    starts, found = [], []
    for block in range(0, len(text), BLOCK):
        part = text[block : block + BLOCK]
        tokens: list[str] = []  # letters, a run of N as one token
        for letter in part:
            if letter == "N" and tokens and tokens[-1][-1] == "N":
                tokens[-1] += "N"
            else:
                tokens.append(letter)
        for left, right in spec["merges"]:
            merged: list[str] = []
            for token in tokens:
                if merged and (merged[-1], token) == (left, right):
                    merged[-1] = left + right + "\0"  # it may not be merged again in this round
                else:
                    merged.append(token)
            tokens = [token.rstrip("\0") for token in merged]
        at = block
        for token in tokens:
            starts.append(at)
            found.append(ids["[UNK]"] if "N" in token else ids[token])
            at += len(token)
    return starts, found


@pytest.mark.parametrize("seed", range(20))
def test_merges_in_the_order_of_their_rank(model: BPE, seed: int) -> None:
    text = dna(500, seed) if seed % 2 else random_dna(333, seed, "ACGTN", WITH_N)
    (found,) = model.encode([text])
    starts, ids = slow_encode(model, text)
    assert found.token_starts.tolist() == starts
    assert found.token_ids.tolist() == ids
    assert found.bpt > 1.5 or "N" in text


def test_words_are_what_the_chunks_spell(model: BPE) -> None:
    text = dna(300, 5)
    (found,) = model.encode([text])
    edges = [*found.token_starts.tolist(), len(text)]
    spelled = [text[a:b] for a, b in pairwise(edges)]
    assert [model.tokenizer.id_to_token(int(word)) for word in found.token_ids] == spelled
    assert set(range(0, len(text), BLOCK)) <= set(edges)  # every block begins a token


def test_a_run_of_n_is_one_token_per_block(model: BPE) -> None:
    (found,) = model.encode(["N" * (2 * BLOCK + 5) + "ACGT"])
    assert found.token_starts[:4].tolist() == [0, BLOCK, 2 * BLOCK, 2 * BLOCK + 5]
    assert found.token_ids[:3].tolist() == [0] * 3
    assert 0 not in found.token_ids[3:]


def test_windows_of_whole_blocks_are_the_whole(model: BPE, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many bases are encoded at a time; a prefix is not changed by what follows."""
    text = random_dna(1000, 3, "ACGTN", WITH_N)
    (whole,) = model.encode([text])
    for blocks in (1, 3):
        step = blocks * BLOCK
        windows = model.encode([text[at : at + step] for at in range(0, len(text), step)])
        found = joined(windows)
        assert found.token_starts.tolist() == whole.token_starts.tolist()
        assert found.token_ids.tolist() == whole.token_ids.tolist()
        monkeypatch.setattr("genezip.models.bpe.compressor.ONE_PASS_BP", step)
        again = BPE(model.tokenizer, BLOCK)
        assert again.max_bp == step
        (found,) = again.encode([text])
        assert found.token_starts.tolist() == whole.token_starts.tolist()


def test_the_longest_pass_is_of_whole_blocks() -> None:
    tokenizer = fit_tokenizer([random_ids(1000)], 12, 7)
    assert BPE(tokenizer, 7).max_bp % 7 == 0
    assert BPE(tokenizer, 4096).max_bp == 1_048_576
    assert BPE(tokenizer, 3_000_000).max_bp == 3_000_000


FITTED = """
import sys
from toolkit.dna import random_dna
from genezip.alphabet import encode
from genezip.models.bpe.vocabulary import fit_tokenizer
sequences = [encode(random_dna(3000, seed)) for seed in range(8)]
sys.stdout.write(fit_tokenizer(sequences, 300, 512).to_str())
"""


@pytest.mark.slow
def test_the_same_dna_gives_the_same_bytes() -> None:
    """A process of seven threads makes what this one makes, which has as many as there are cores.

    Most pairs of random DNA are nearly as common, so the order of counting would show.
    """
    tests, root = Path(__file__).parents[1], Path(__file__).parents[2]
    paths = os.pathsep.join([str(root), str(tests)])
    environment = {**os.environ, "PYTHONPATH": paths, "RAYON_NUM_THREADS": "7"}
    command = [sys.executable, "-c", FITTED]
    done = subprocess.run(command, check=True, env=environment, capture_output=True, text=True)
    sequences = [encode(random_dna(3000, seed)) for seed in range(8)]
    assert done.stdout == fit_tokenizer(sequences, 300, 512).to_str()


def test_n_is_in_no_word() -> None:
    text = ("ACGTNN" * 200).lower()
    tokenizer = fit_tokenizer([encode(text)], 12, 100)
    words = set(tokenizer.get_vocab()) - set(SPECIAL.values())
    assert "ACGT" in words and not any("N" in word for word in words)
    assert [tokenizer.token_to_id(token) for token in SPECIAL.values()] == list(range(5))


def test_dna_without_enough_words_is_refused() -> None:
    with pytest.raises(GenezipError, match="has only 9 of 4,096 tokens; choose a smaller"):
        fit_tokenizer([encode("ACGT")], 4096, 100)


def test_a_folder(model: BPE, tmp_path: Path) -> None:
    model.save(tmp_path)
    found = load(tmp_path)
    assert isinstance(found, BPE)
    assert (found.facts, found.metadata) == (model.facts, model.metadata)
    assert found.vocabulary == 200 and found.metadata["scale"] == "test"
    assert "64 bp" in found.metadata["cut_at"] and found.metadata["block_bp"] == 64
    text = dna(500, 9)
    assert found.encode([text])[0].token_ids.tolist() == model.encode([text])[0].token_ids.tolist()
    again = tmp_path / "again"
    found.save(again)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        assert (again / name).read_bytes() == (tmp_path / name).read_bytes()


def test_a_damaged_folder_is_one_sentence(model: BPE, tmp_path: Path) -> None:
    model.save(tmp_path)
    words = tmp_path / "tokenizer.json"
    whole = words.read_text()
    words.write_text(whole + " ")
    with pytest.raises(GenezipError, match=r"is broken: its sha256 differs from config\.json"):
        load(tmp_path)
    words.unlink()
    with pytest.raises(GenezipError, match="is missing; copy the whole model folder"):
        load(tmp_path)
    words.write_text("{")
    config = json.loads((tmp_path / "config.json").read_text())
    config["sha256"] = {"tokenizer.json": hashlib.sha256(b"{").hexdigest()}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(GenezipError, match="is no tokenizer"):
        load(tmp_path)
    del config["block_bp"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(GenezipError, match="is not a genezip model configuration"):
        load(tmp_path)


@pytest.mark.parametrize("opener", ["AutoTokenizer", "PreTrainedTokenizerFast"])
def test_transformers_opens_the_folder(model: BPE, tmp_path: Path, opener: str) -> None:
    """Raw text of any case gives the ids that the compressor gives, blocks and N included."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    model.save(tmp_path)
    tokenizer = getattr(transformers, opener).from_pretrained(tmp_path)
    text = random_dna(700, 4, "ACGTNRacgtnyUu")
    (found,) = model.encode([text])
    assert tokenizer(text)["input_ids"] == found.token_ids.tolist()
    assert len(tokenizer) == model.vocabulary
    special = {name: getattr(tokenizer, name) for name in SPECIAL}
    assert special == SPECIAL
    clean = dna(300, 6)
    assert tokenizer.decode(tokenizer(clean)["input_ids"]) == clean
    batch = tokenizer(["ACGT" * 20, "ACG"], padding=True)
    assert len({len(row) for row in batch["input_ids"]}) == 1
