"""Training on words: its loss, what it does not depend on, resuming, its folder, wrong input."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from toolkit.command_line import call, succeed
from toolkit.genomes import simulate
from toolkit.words import BLOCK, mined, phrased_dna, vocabulary, words_model

from genezip.alphabet import encode
from genezip.config import Corpus, Regions, WordsPretrain
from genezip.corpus.build import build_corpus
from genezip.corpus.exclusions import write_exclusions
from genezip.errors import GenezipError
from genezip.genome.region_rules import build_region_map
from genezip.genome.sources.source import Source
from genezip.models import load
from genezip.models.bpe.compressor import BPE
from genezip.models.bpe.vocabulary import SPECIAL, fit_tokenizer
from genezip.models.dnazen.compressor import DnaZen
from genezip.models.dnazen.masking import MASK
from genezip.models.dnazen.rows import masked_rows
from genezip.training.words.objective import MaskedWords, WordRows, validation_batch
from genezip.training.words.setup import prepare_words

SETTINGS: dict[str, Any] = {
    "steps": 4, "batch": 2, "micro_batch": 2, "warmup_steps": 1, "validate_every": 2,
    "validate_windows": 4, "checkpoint_every": 2, "precision": "fp32", "device": "cpu",
}  # fmt: skip


class Windows:
    """Batches of windows of phrases, two blocks each; ``rows`` are those that are given out."""

    def __init__(self, rows: slice = slice(None), windows: int = 4) -> None:
        self.count, self.rows, self.windows = 0, rows, windows

    def next_batch(self) -> dict[str, np.ndarray]:
        first = self.count * self.windows
        self.count += 1
        texts = [phrased_dna(2 * BLOCK, first + n) for n in range(self.windows)]
        return {"ids": np.stack([encode(text) for text in texts])[self.rows]}

    def state_dict(self) -> dict[str, int]:
        return {"count": self.count}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.count = state["count"]


def objective_of(model: DnaZen, **settings: Any) -> MaskedWords:
    chosen = WordsPretrain.model_validate({**SETTINGS, "batch": 4, "micro_batch": 4, **settings})
    windows = np.stack([encode(phrased_dna(2 * BLOCK, 90 + n)) for n in range(3)])
    valid = validation_batch(model.tokenizer, model.ggrams, windows, 0.15)
    network = model.network.double()
    return MaskedWords("toy", "toy", network, network, chosen, valid)


@pytest.mark.parametrize("with_ggrams", [True, False])
def test_the_loss_is_that_of_a_written_out_loop(with_ggrams: bool) -> None:
    """Over all chosen words alike; figures at [MASK] alone; shares of words and G-grams."""
    tokenizer = vocabulary()
    model = words_model(tokenizer, mined(tokenizer) if with_ggrams else None)
    objective = objective_of(model, masking="span" if with_ggrams else "token")
    batch = WordRows(Windows(), tokenizer, model.ggrams, objective.settings, 5).next_batch()
    loss, sums = objective.minimise(batch)
    found = objective.figures(float(loss), sums.tolist())

    rows = masked_rows(batch.masked, batch.matches, model.network.shape.most_ggrams)
    with torch.no_grad():
        given = (torch.from_numpy(one) for one in (rows.ids, rows.valid, rows.ggrams, rows.covers))
        logits = model.network.logits(model.network(*given)).numpy()
    chosen, at_mask, right, visible, matches = [], [], [], 0, 0
    for number, (ids, one) in enumerate(zip(batch.tokens, batch.masked, strict=True)):
        visible, matches = visible + one.visible.sum(), matches + len(one.visible)
        for place in np.flatnonzero(one.chosen):
            scores = logits[number, place + 1, len(SPECIAL) :]
            true = ids[place] - len(SPECIAL)
            chosen.append(math.log(np.exp(scores).sum()) - scores[true])
            if one.ids[place] == MASK:
                at_mask.append(chosen[-1])
                right.append(scores.argmax() == true)
    assert len(chosen) > len(at_mask) > 10
    assert float(loss) == pytest.approx(np.mean(chosen), rel=1e-5)
    assert found["mask_loss"] == pytest.approx(np.mean(at_mask), rel=1e-5)
    assert found["mask_accuracy"] == pytest.approx(np.mean(right))
    assert found["masked_share"] == pytest.approx(len(chosen) / sum(map(len, batch.tokens)))
    assert abs(found["masked_share"] - 0.15) < 0.05
    assert found["visible_share"] == (visible / matches if with_ggrams else None)


def test_micro_batches_give_the_same_gradient_and_log() -> None:
    tokenizer = vocabulary()
    found = []
    for micro in (4, 2, 1):
        model = words_model(tokenizer, mined(tokenizer))
        objective = objective_of(model, micro_batch=micro)
        batch = WordRows(Windows(), tokenizer, model.ggrams, objective.settings, 0).next_batch()
        loss, sums = objective.minimise(batch)
        found.append(([p.grad for p in model.network.parameters()], float(loss), sums))
    for gradients, loss, sums in found[1:]:
        assert loss == pytest.approx(found[0][1], rel=1e-6)
        torch.testing.assert_close(sums, found[0][2], rtol=1e-6, atol=1e-6)
        for one, other in zip(gradients, found[0][0], strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
    assert all(gradient is not None for gradient in found[0][0])


def test_processes_and_steps_have_the_masks_of_the_whole_batch() -> None:
    tokenizer = vocabulary()
    settings = WordsPretrain.model_validate(SETTINGS)
    table = mined(tokenizer)
    whole = WordRows(Windows(), tokenizer, table, settings, 9)
    second = WordRows(Windows(slice(2, 4)), tokenizer, table, settings, 9, first_row=2)
    steps = [(whole.next_batch(), second.next_batch()) for _ in range(2)]
    for every, own in steps:
        half = len(every.tokens) // 2
        for one, other in zip(every.masked[half:], own.masked, strict=True):
            np.testing.assert_array_equal(one.ids, other.ids)
    later = WordRows(Windows(), tokenizer, table, settings, 9)
    later.load_state_dict(json.loads(json.dumps(whole.state_dict())))
    for one, other in zip(whole.next_batch().masked, later.next_batch().masked, strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)


def test_validation_masks_are_those_of_every_network_on_the_same_words() -> None:
    tokenizer = vocabulary()
    windows = np.stack([encode(phrased_dna(2 * BLOCK, n)) for n in range(2)])
    one, other = (
        validation_batch(tokenizer, table, windows, 0.15) for table in (mined(tokenizer), None)
    )
    for ours, theirs in zip(one.masked, other.masked, strict=True):
        np.testing.assert_array_equal(ours.ids, theirs.ids)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Source, corpus, a vocabulary and its G-grams, all by the command line."""
    folder = tmp_path_factory.mktemp("run")
    source = simulate(folder / "resources", 60_000, 20_000, 20_000)
    region_map = build_region_map(source.annotations(), source.assembly(), Regions())
    corpus = Corpus(
        window_bp=512, heldout_window_bp=512, train_windows=40, valid_windows=0,
        keep_short=False, validation="pieces",
    )  # fmt: skip
    build_corpus(source, region_map, corpus, folder / "corpus")
    succeed(
        "tokenizer", "bpe", "--corpus", folder / "corpus" / "manifest.json", "--name", "words",
        "--settings", '{"vocabulary": 64, "block_bp": 256, "bases": 20000}', "--scale", "test",
        "--out", folder / "bpe",
    )  # fmt: skip
    succeed(
        "tokenizer", "ggrams", "--tokenizer", folder / "bpe",
        "--source", folder / "resources" / "source.json", "--settings", '{"threshold": 0.5}',
        "--out", folder / "ggrams.json",
    )  # fmt: skip
    (folder / "tiny.yaml").write_text(
        "width: 16\nlayers: 2\nheads: 2\ninner: 24\nggram_layers: 1\n"
    )
    return folder


def command(run: Path, out: Path, **settings: Any) -> list[object]:
    return [
        "pretrain-words", "--corpus", run / "corpus" / "manifest.json",
        "--architecture", run / "tiny.yaml", "--tokenizer", run / "bpe",
        "--settings", json.dumps({**SETTINGS, **settings}), "--name", "toy", "--scale", "test",
        "--out", out,
    ]  # fmt: skip


def test_a_trained_folder_is_a_compressor(run: Path, tmp_path: Path) -> None:
    succeed(*command(run, tmp_path / "toy"), "--ggrams", run / "ggrams.json")
    model = load(tmp_path / "toy")
    assert isinstance(model, DnaZen) and model.ggrams is not None
    (found,) = model.encode(["ACGTTGCAAC" * 60])
    assert found.bpt > 1
    card = json.loads((tmp_path / "toy" / "config.json").read_text())
    assert card["training"]["valid"]["rows"] == 8 and card["training"]["mining"]["threshold"] == 0.5
    assert card["training"]["best_valid_word_bits"] < 6.5
    curve = [json.loads(line) for line in (tmp_path / "toy" / "curve.jsonl").open()]
    assert [one["step"] for one in curve if "valid" in one] == [2, 4]
    assert all("visible_share" in one for one in curve if "valid" not in one)
    assert not (tmp_path / "checkpoints" / "toy" / "state.pt").exists()


def test_an_interrupted_training_ends_with_the_same_weights(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(out: Path) -> None:
        settings = WordsPretrain.model_validate(SETTINGS)
        prepared = prepare_words(
            corpus=run / "corpus" / "manifest.json", architecture=str(run / "tiny.yaml"),
            tokenizer=run / "bpe", ggrams=run / "ggrams.json", settings=settings, seed=1,
            name="toy", scale="test",
        )  # fmt: skip
        prepared.train(out, out.parent / "checkpoints")

    train(tmp_path / "once" / "toy")
    whole = WordRows.next_batch

    def stops(rows: WordRows) -> Any:
        if rows.step == 3:
            raise KeyboardInterrupt
        return whole(rows)

    with monkeypatch.context() as patch:
        patch.setattr(WordRows, "next_batch", stops)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "twice" / "toy")
    assert not (tmp_path / "twice" / "toy").exists()
    train(tmp_path / "twice" / "toy")
    once, twice = (
        (tmp_path / name / "toy" / "model.safetensors").read_bytes() for name in ("once", "twice")
    )
    assert once == twice


def test_wrong_input_is_one_sentence(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = vocabulary()
    other.save(tmp_path / "other")
    facts = {"tokenizer_sha256": other.sha256, "mining": {}}
    replace(mined(other), facts=facts).save(tmp_path / "other.json")
    empty = json.loads((run / "ggrams.json").read_text()) | {"tokens": [], "counts": [], "pmi": []}
    (tmp_path / "empty.json").write_text(json.dumps(empty))
    ours = command(run, tmp_path / "toy")

    def changed(option: str, value: object) -> list[object]:
        found = list(ours)
        found[found.index(option) + 1] = value
        return found

    table = ["--ggrams", run / "ggrams.json"]
    for words, sentence in (
        ([*ours, "--ggrams", tmp_path / "other.json"], "vocabulary of 60 tokens, but"),
        ([*changed("--tokenizer", tmp_path / "other"), *table], "mine them again with it"),
        ([*ours, "--ggrams", tmp_path / "empty.json"], "has no G-grams; mine with a lower"),
        ([*ours, "--ggrams", run / "tiny.yaml"], "mine it again"),
        (ours, "masking is 'span', which hides whole G-grams; name a table"),
        ([*changed("--tokenizer", run / "corpus"), *table], "config.json does not exist"),
        ([*changed("--architecture", "dnazen-tinny"), *table], "did you mean dnazen-tiny?"),
        ([*changed("--settings", '{"masking": "words"}'), *table], "'masking'"),
    ):
        assert call(*words) == 1, sentence
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert sentence in error and error.startswith("genezip: ")
    assert not (tmp_path / "toy").exists()


def test_a_block_that_does_not_divide_the_windows_is_one_sentence(
    run: Path, tmp_path: Path
) -> None:
    fitted = fit_tokenizer([encode(phrased_dna(4000, 1))], 60, 200)
    BPE(fitted, 200, "words", 0).save(tmp_path / "bpe")
    settings = WordsPretrain.model_validate({**SETTINGS, "masking": "token"})
    with pytest.raises(GenezipError, match="windows of 512 bp are no multiple of the 200 bp"):
        prepare_words(
            corpus=run / "corpus" / "manifest.json", architecture=str(run / "tiny.yaml"),
            tokenizer=tmp_path / "bpe", ggrams=None, settings=settings, seed=0, name="toy",
            scale="test",
        )  # fmt: skip


def test_mining_reads_training_dna_alone(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Excluded intervals are left out; a threshold that no G-gram reaches is one sentence."""
    source = run / "resources" / "source.json"
    every = json.loads((run / "ggrams.json").read_text())
    segment = Source.load(source).assembly().segments_of("train")[0]
    half = (segment.chrom, segment.start, (segment.start + segment.end) // 2, "bed", "all", "half")
    columns = ["chrom", "start", "end", "task", "split", "reason"]
    write_exclusions(tmp_path / "out.bed", pd.DataFrame([half], columns=columns))
    mining = ["tokenizer", "ggrams", "--tokenizer", run / "bpe", "--source", source]
    succeed(
        *mining, "--settings", '{"threshold": 0.5}', "--exclusions", tmp_path / "out.bed",
        "--out", tmp_path / "half.json",
    )  # fmt: skip
    fewer = json.loads((tmp_path / "half.json").read_text())
    assert 0 < fewer["mined_tokens"] < 0.8 * every["mined_tokens"]
    given = [*mining, "--settings", '{"threshold": 60}', "--out", tmp_path / "none.json"]
    assert call(*given) == 1 and not (tmp_path / "none.json").exists()
    assert "no G-gram of the training DNA reaches the threshold 60" in capsys.readouterr().err
