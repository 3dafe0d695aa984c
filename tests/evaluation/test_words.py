"""Masked words beside their floors, and the table of G-grams, from end to end and by loops."""

import json
import math
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toolkit.command_line import call, succeed
from toolkit.genomes import simulate
from toolkit.words import phrased_dna, save_words, vocabulary, words_of

from genezip.artifacts.scores import DNA_SCORES, WORD_FLOORS
from genezip.config import Corpus, MaskedWords, Mining, Regions
from genezip.corpus.build import build_corpus
from genezip.corpus.corpus import CorpusReader
from genezip.errors import GenezipError
from genezip.evaluation.words import prediction
from genezip.evaluation.words.floors import count_words, hidden_words, with_strengths
from genezip.evaluation.words.vocabulary import (
    RepeatMask,
    frequent_rows,
    training_words,
    vocabulary_rows,
)
from genezip.genome.region_map import RegionMap
from genezip.genome.region_rules import build_region_map
from genezip.genome.sources.source import Source
from genezip.models import load
from genezip.models.bpe.vocabulary import SPECIAL
from genezip.models.dnazen.compressor import DnaZen
from genezip.models.dnazen.ggrams import split_at_breaks
from genezip.models.dnazen.masking import MASK
from genezip.models.dnazen.mining import mine

SETTINGS = {"bootstrap": 50, "block_bp": 4096, "device": "cpu", "thresholds": [0.5, 1]}
FIRST = len(SPECIAL)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Source, region map, corpus, two toy models on the same words, and their tables."""
    folder = tmp_path_factory.mktemp("run")
    source = simulate(folder / "resources", 60_000, 20_000, 20_000)
    region_map = build_region_map(source.annotations(), source.assembly(), Regions())
    region_map.write_bed9(folder / "map.bed.gz")
    corpus = Corpus(
        window_bp=512, heldout_window_bp=1024, train_windows=4, valid_windows=0,
        keep_short=False, validation="pieces",
    )  # fmt: skip
    build_corpus(source, region_map, corpus, folder / "corpus")
    vocabulary().save(folder / "bpe")
    save_words(folder / "toy", name="toy")
    save_words(folder / "plain", ggrams=False, name="plain", seed=4)
    common = ["--corpus", folder / "corpus" / "manifest.json", "--scale", "test",
              "--settings", json.dumps(SETTINGS)]  # fmt: skip
    succeed(
        "evaluate", "word-floors", "--tokenizer", folder / "bpe", *common,
        "--source", folder / "resources" / "source.json", "--out", folder / "floors.tsv",
        "--windows", folder / "floors.parquet",
    )  # fmt: skip
    for name, against in (("plain", None), ("toy", "plain")):
        more = [] if against is None else ["--against", folder / f"{against}.parquet"]
        succeed(
            "evaluate", "masked-words", "--model", folder / name, *common, *more,
            "--floors", folder / "floors.parquet", "--out", folder / f"{name}.tsv",
            "--windows", folder / f"{name}.parquet",
        )  # fmt: skip
    return folder


def values(path: Path) -> pd.Series:
    rows = DNA_SCORES.read(path)
    assert set(rows["task"]) == {"words"} and set(rows["split"]) == {"test"}
    return rows.set_index(["model", "metric"])["value"]


def held_out(run: Path) -> prediction.HeldOutWords:
    reader = CorpusReader(run / "corpus" / "manifest.json")
    tokenizer = prediction.BPE.from_pretrained(run / "bpe")
    return prediction.held_out_words(reader, tokenizer, MaskedWords(**SETTINGS))


def test_networks_and_floors_predict_the_same_words(run: Path) -> None:
    one, other = (DNA_SCORES.read(run / f"{name}.tsv") for name in ("toy", "plain"))
    floors = DNA_SCORES.read(run / "floors.tsv")
    counts = {
        int(frame.loc[frame["metric"] == "word_bits", "n"].iloc[0])
        for frame in (one, other, floors)
    }
    assert len(counts) == 1
    found = values(run / "toy.tsv")
    names = {f"toy - {name}" for name in (*WORD_FLOORS, "plain")}
    assert {model for model, metric in found.index if metric == "word_bits_difference"} == names
    bits = found["toy", "word_bits"] - values(run / "plain.tsv")["plain", "word_bits"]
    assert found["toy - plain", "word_bits_difference"] == pytest.approx(bits, abs=1e-4)
    assert {"ggrams_per_block", "visible_ggrams", "cut_blocks"} <= set(one["metric"])
    assert "ggrams_per_block" not in set(other["metric"])


def test_a_network_is_measured_by_a_written_out_loop(run: Path) -> None:
    """One row at a time, with the G-grams that no masked word touches."""
    import torch

    from genezip.models.dnazen.rows import make_rows

    model = load(run / "toy")
    assert isinstance(model, DnaZen) and model.ggrams is not None
    held = held_out(run)
    nats, right = [], []
    for ids, one in zip(held.tokens, held.masked, strict=True):
        found = model.ggrams.find(ids)
        seen = [
            not one.chosen[start : start + length].any()
            for start, length in zip(found.start, found.length, strict=True)
        ]
        rows = make_rows([one.ids], [found[np.array(seen, dtype=bool)]], 6)
        with torch.inference_mode():
            given = (torch.from_numpy(x) for x in (rows.ids, rows.valid, rows.ggrams, rows.covers))
            logits = model.network.logits(model.network(*given))[0, 1:-1, FIRST:]
        table = logits.double().log_softmax(-1).numpy()
        for place in np.flatnonzero(one.ids == MASK):
            nats.append(-table[place, ids[place] - FIRST])
            right.append(table[place].argmax() == ids[place] - FIRST)
    found_values = values(run / "toy.tsv")
    bits = np.mean(nats) / math.log(2)
    assert found_values["toy", "word_bits"] == pytest.approx(bits, rel=1e-4)
    assert found_values["toy", "word_accuracy"] == pytest.approx(np.mean(right), rel=1e-4)


def test_floors_are_those_of_dictionaries() -> None:
    """Every probability by its formula, with masked and absent neighbours."""
    rng = np.random.default_rng(0)
    size, strength = 6, (2.0, 3.0)
    rows = [rng.integers(FIRST, FIRST + size, int(rng.integers(2, 20))) for _ in range(30)]
    rows[3][1] = 0  # a run of N
    floors = count_words(rows, FIRST + size)
    floors = type(floors)(floors.words, floors.pairs, floors.triples, floors.around, strength)
    words: Counter[int] = Counter()
    pairs: Counter[tuple[int, int]] = Counter()
    triples: Counter[tuple[int, int, int]] = Counter()
    for row in rows:
        own = [int(one) - FIRST if one >= FIRST else None for one in row]
        words.update(one for one in own if one is not None)
        pairs.update(p for p in pairwise(own) if None not in p)  # type: ignore[arg-type]
        triples.update(t for t in zip(own, own[1:], own[2:], strict=False) if None not in t)  # type: ignore[arg-type]

    def one_sided(x: int, other: int | None, after: bool) -> float:
        base = (words[x] + 1) / (sum(words.values()) + size)
        if other is None:
            return base
        both = [pairs[(y, other) if after else (other, y)] for y in range(size)]
        return (both[x] + strength[0] * base) / (sum(both) + strength[0])

    truth = rng.integers(FIRST, FIRST + size, 12)
    shown = truth.copy()
    shown[[2, 5, 6, 11]] = MASK
    hidden = shown == MASK
    found = floors.losses((truth, shown, hidden))
    _, left, right = hidden_words((truth, shown, hidden))
    for number, place in enumerate(np.flatnonzero(hidden)):
        x = int(truth[place]) - FIRST
        a, b = (None if one[number] < 0 else int(one[number]) for one in (left, right))
        assert a == (None if place in (0, 6) else int(truth[place - 1]) - FIRST)
        base = one_sided(x, None, False)
        beside = one_sided(x, a, False) if a is not None else one_sided(x, b, True)
        product = [
            one_sided(y, a, False) * one_sided(y, b, True) / one_sided(y, None, False)
            for y in range(size)
        ]
        both = product[x] / sum(product)
        if a is not None and b is not None:
            around = [triples[a, y, b] for y in range(size)]
            both = (around[x] + strength[1] * both) / (sum(around) + strength[1])
        expected = (base, beside, both)
        for name, p in zip(WORD_FLOORS, expected, strict=True):
            assert found[name][0][number] == pytest.approx(-math.log(p), rel=1e-9), name


def test_neighbours_tell_more_than_frequencies_where_words_follow_each_other() -> None:
    tokenizer = vocabulary()
    rows = split_at_breaks(words_of(tokenizer, [phrased_dna(30_000, 3)]))
    floors = count_words(rows[::2], tokenizer.vocabulary)
    masked = prediction.masked_words(tokenizer, rows[1::2], 0.15, (0,))
    given = [(ids, one.ids, one.hidden) for ids, one in zip(rows[1::2], masked, strict=True)]
    floors = with_strengths(floors, given)
    bits = {
        name: np.mean(np.concatenate([floors.losses(row)[name][0] for row in given]))
        for name in WORD_FLOORS
    }
    unigram, one, both = (bits[name] for name in WORD_FLOORS)
    assert both < one - 0.1 < unigram - 0.2


def test_the_table_of_ggrams_counts_them_by_threshold(run: Path) -> None:
    source = Source.load(run / "resources" / "source.json")
    tokenizer = prediction.BPE.from_pretrained(run / "bpe")
    assembly = source.assembly()
    words = training_words(assembly, tokenizer, 10**9)
    repeats = RepeatMask(assembly, source.rmsk())
    mining, settings = Mining(threshold=1.0, min_count=3), MaskedWords(**SETTINGS)
    rows = vocabulary_rows(words, tokenizer, mining, settings, repeats, "toy", "test")
    assert rows["threshold"].tolist() == [0.5, 1.0]
    for row in rows.itertuples():
        own = mining.model_copy(update={"threshold": row.threshold})
        table = mine(words.ids, tokenizer.vocabulary, own)
        assert row.ggrams == len(table) and row.ggrams > row.by_chance
        cover = np.zeros(len(words.ids), dtype=bool)
        found = table.find(words.ids)
        for start, length in zip(found.start, found.length, strict=True):
            cover[start : start + length] = True
        assert row.covered_share == pytest.approx(cover[words.ids >= 0].mean())
        known = inside = 0
        first, end = words.spans
        bases = {}
        for number, (segment, low, high) in enumerate(words.stretches):
            offset = words.offsets[number]
            if repeats.known(segment):
                bases.update(enumerate(repeats.mask(segment, low, high), start=int(offset)))
        for word in np.flatnonzero(cover):
            here = [bases[at] for at in range(first[word], end[word]) if at in bases]
            known, inside = known + len(here), inside + sum(map(bool, here))
        assert row.repeat_share == pytest.approx(inside / known if known else np.nan, nan_ok=True)


def test_frequent_ggrams_say_what_they_are(run: Path) -> None:
    source = Source.load(run / "resources" / "source.json")
    tokenizer = prediction.BPE.from_pretrained(run / "bpe")
    assembly = source.assembly()
    words = training_words(assembly, tokenizer, 10**9)
    table = mine(words.ids, tokenizer.vocabulary, Mining(threshold=1.0, min_count=3))
    region_map = RegionMap.read_bed(run / "map.bed.gz")
    repeats = RepeatMask(assembly, source.rmsk())
    rows = frequent_rows(words, table, tokenizer, repeats, region_map, 5, "toy", "test")
    assert len(rows) == 5 and (rows["count"].diff().dropna() <= 0).all()
    dna = {s.name: assembly.sequence(s, s.start, s.end) for s in assembly.segments_of("train")}
    for row in rows.itertuples():
        assert set(row.dna) <= set("ACGT") and row.tokens >= 2
        places = sum(bytes(text).upper().count(row.dna.encode()) for text in dna.values())
        assert places >= row.count, "each place is DNA of a training segment"
        assert 0 < row.region_share <= 1 and row.region_enrichment > 0.99
        if isinstance(row.repeat, str):
            assert 0 < row.repeat_share <= 1


def test_mining_words_without_repeats(run: Path) -> None:
    source = Source.load(run / "resources" / "source.json")
    tokenizer = prediction.BPE.from_pretrained(run / "bpe")
    assembly = source.assembly()
    repeats = RepeatMask(assembly, source.rmsk())
    every = training_words(assembly, tokenizer, 10**9)
    if not all(repeats.known(one) for one in assembly.segments_of("train")):
        with pytest.raises(GenezipError, match="are not known, so they cannot be left out"):
            training_words(assembly, tokenizer, 10**9, repeats=repeats)
        return
    fewer = training_words(assembly, tokenizer, 10**9, repeats=repeats)
    assert 0 < (fewer.ids >= FIRST).sum() < (every.ids >= FIRST).sum()


def test_wrong_input_is_one_sentence(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vocabulary(size=50).save(tmp_path / "other")
    corpus = ["--corpus", run / "corpus" / "manifest.json", "--scale", "test"]
    out = ["--out", tmp_path / "x.tsv"]
    settings = ["--settings", json.dumps({**SETTINGS, "seed": 1})]
    ours = ["evaluate", "masked-words", "--model", run / "toy", *corpus, *out]
    for words, sentence in (
        ([*ours, *settings, "--floors", run / "floors.parquet"], "was made for other windows"),
        (["evaluate", "masked-words", "--model", "fixed:4", *corpus, *out], "no masked words"),
        (
            ["evaluate", "word-vocabulary", "--tokenizer", tmp_path / "other",
             "--ggrams", run / "toy" / "ggrams.json", "--name", "x", "--regions",
             run / "map.bed.gz", "--source", run / "resources" / "source.json", "--frequent",
             tmp_path / "y.tsv", "--scale", "test", *out],
            "mine them again with it",
        ),
    ):  # fmt: skip
        assert call(*words) == 1
        assert sentence in capsys.readouterr().err
    assert not (tmp_path / "x.tsv").exists()
