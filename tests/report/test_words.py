"""The chapter on words and phrases, and the claims about them, on made-up tables."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from genezip.artifacts.scores import DNA_SCORES, TASK_SCORES
from genezip.artifacts.tables import write_tsv
from genezip.config import Report
from genezip.report.chapters import FIGURES, claims
from genezip.report.chapters.prediction import words
from genezip.report.page import render
from genezip.report.results import Results, load

SETTINGS = Report(reference="genezip-tiny", control="hnet-tiny")
NAME, OTHER = "genezip-tiny", "hnet-tiny"


def row(model: str, metric: str, value: float, seed: int | None = 0, spread: float = 0.01) -> Any:
    return DNA_SCORES.row(
        model=model, task="words", subset="all", region="all", split="test", strand="+",
        metric=metric, value=value, ci_low=value - spread, ci_high=value + spread, n=99,
        unit="words", seed=seed, scale="demo", source="mirror",
    )  # fmt: skip


def probe(model: str, subset: str, metric: str, value: float) -> Any:
    return TASK_SCORES.row(
        model=model, task="classification", subset=subset, rule="official", split="test",
        input="full", mode="frozen", metric=metric, value=value, ci_low=value - 0.02,
        ci_high=value + 0.02, n=99, seed=0, scale="demo", unit="groups",
    )  # fmt: skip


def card(folder: Path, name: str, mining: dict | None) -> None:
    """A training on words in place of one on bases."""
    path = folder / "pretrain" / f"{name}.seed0"
    raw = {"name": name, "seed": 0, "compressor": "dnazen",
           "training": {"settings": {"steps": 4, "batch": 2}, "mining": mining}}  # fmt: skip
    (path / "config.json").write_text(json.dumps(raw))
    lines = [{"step": 1, "mask_loss": 5.0}, {"step": 1, "valid": {"word_bits": 7.9}}]
    (path / "curve.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))


@pytest.fixture
def results(make_results: Callable[..., Path]) -> Results:
    folder = make_results()
    card(folder, NAME, {"threshold": 2.0})
    card(folder, OTHER, None)
    own = [
        row(NAME, "word_bits", 7.70), row(NAME, "word_accuracy", 0.02),
        row(f"{NAME} - word_unigram", "word_bits_difference", -0.30),
        row(f"{NAME} - word_neighbour", "word_bits_difference", 0.25),
        row(f"{NAME} - word_neighbours", "word_bits_difference", 0.60),
        row(f"{NAME} - {OTHER}", "word_bits_difference", 0.005),
        row(NAME, "ggrams_per_block", 13.0), row(NAME, "visible_ggrams", 0.7),
        row(NAME, "cut_blocks", 0.1),
    ]  # fmt: skip
    others = [
        row(OTHER, "word_bits", 7.69), row(OTHER, "word_accuracy", 0.02),
        row(f"{OTHER} - word_unigram", "word_bits_difference", -0.31),
    ]  # fmt: skip
    floors = [
        row(name, "word_bits", bits, None)
        for name, bits in (("word_unigram", 8.0), ("word_neighbour", 7.45),
                           ("word_neighbours", 7.10))
    ]  # fmt: skip
    DNA_SCORES.write(folder / "words" / f"{NAME}.seed0.tsv", own)
    DNA_SCORES.write(folder / "words" / f"{OTHER}.seed0.tsv", others)
    DNA_SCORES.write(folder / "words" / "floors" / "bpe.tsv", floors)
    table = pd.DataFrame(
        {
            "model": NAME, "threshold": [1.5, 2.0, 5.0], "min_count": 5,
            "ggrams": [8108, 4509, 90], "by_chance": [865, 200, 0],
            "false_share": [0.107, 0.044, 0.0], "covered_share": [0.4, 0.3, 0.05],
            "repeat_share": [0.6, 0.7, 0.98], "repeat_share_3": 0.99, "repeat_share_all": 0.457,
            "words": 2_700_000, "scale": "demo",
        }
    )  # fmt: skip
    write_tsv(folder / "words" / f"{NAME}.vocabulary.tsv", table)
    frequent = pd.DataFrame(
        {
            "model": NAME, "dna": ["GGCCGGGCGCGGTGG", "ACACACAC"], "tokens": [4, 2],
            "count": [1200, 900], "pmi": [5.1, None], "repeat": ["SINE", None],
            "repeat_share": [0.93, None], "region": ["intron", "promoter"],
            "region_share": [0.5, 0.1], "region_enrichment": [1.2, 3.0], "scale": "demo",
        }
    )  # fmt: skip
    write_tsv(folder / "words" / f"{NAME}.frequent.tsv", frequent)
    scores = []
    for number, name in enumerate(("tf_2", "tf_3", "prom_300_tata")):
        scores += [
            probe(NAME, name, "mcc", 0.3), probe(OTHER, name, "mcc", 0.3 - number / 50),
            probe(NAME, name, "mcc_minus_control", number / 50),
            probe(NAME, name, "ggrams_per_sequence", 2.0 + number),
        ]  # fmt: skip
    TASK_SCORES.write(folder / "labels" / "classification.tsv", scores)
    return load(folder, SETTINGS, "demo", labels=["classification"])


def test_the_chapter_says_what_is_below_which_floor(results: Results) -> None:
    section = words.section(results)
    assert section is not None
    text = " ".join(section.text)
    assert f"{NAME} and {OTHER} below the model that knows how often each word is" in text
    assert "no network below the model that knows one neighbour" in text
    assert "At threshold 2 4,509 G-grams are found, 200 where" in text and "4.4%" in text
    assert "70% lie in repeats" in text and "three words or more 99%" in text
    assert "rank correlation 1.00" in text and "3 sets show no more than a direction" in text
    assert "shuffles of positives" in text
    tables = {table.title: table for table in section.tables}
    assert set(tables) == {
        "Masked words of held-out DNA", "G-grams of training DNA", "The most frequent G-grams",
        "Published scores on GUE",
    }  # fmt: skip
    masked = tables["Masked words of held-out DNA"]
    assert [line[0] for line in masked.rows][:2] == [NAME, OTHER] and len(masked.rows) == 5
    published = {line[0]: line for line in tables["Published scores on GUE"].rows}
    assert len(published) == 28 and published["tf_2"][4] == "0.665"
    assert all(line[7] == "–" for line in published.values()), "DNAZEN's own are not known"
    assert published["mouse_0"][2] == "–" and published["virus_covid"][1] == "F1"
    frequent = tables["The most frequent G-grams"].rows
    assert frequent[0][5] == "SINE (93%)" and frequent[1][5] == "–"


def test_claims_of_the_paper_have_a_verdict(results: Results) -> None:
    found = {claim.text: claim.verdict for claim in claims.evaluate(results)}

    def verdict(start: str) -> str:
        (one,) = [value for text, value in found.items() if start in text]
        return one

    assert verdict("no chance finds") == "holds"
    assert verdict("how often each word is") == "holds"
    assert verdict("one neighbour") == "does not hold"
    assert verdict("G-grams help") == "not shown"
    assert verdict("tells the classes of tf_2") == "not shown"
    assert verdict("tells the classes of prom_300_tata") == "holds"
    assert verdict("grows with their number") == "holds"
    assert "DNAZEN" in claims.origin(results)


def test_the_page_begins_with_bits_per_word(results: Results, tmp_path: Path) -> None:
    drawings = {
        name: drawing
        for name in ("ggrams", "words")
        if (drawing := FIGURES[name](results)) is not None
    }
    assert set(drawings) == {"ggrams", "words"}
    assert len(drawings["words"].data) == 3
    page = render(results, drawings)
    assert f"{NAME} predicts masked words of held-out DNA with 7.70" in page
    assert "8.00" in page and 'id="words"' in page


def test_without_such_networks_there_is_no_chapter(make_results: Callable[..., Path]) -> None:
    plain = load(make_results(), SETTINGS, "demo")
    assert words.section(plain) is None and FIGURES["ggrams"](plain) is None
    assert FIGURES["words"](plain) is None and plain.word_curves == []
