"""Claims about a masked language model, on made-up tables."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genezip.artifacts.scores import ALIGNMENT_SCORES, DNA_SCORES, TASK_SCORES
from genezip.config import Report
from genezip.report.chapters import claims
from genezip.report.page import render
from genezip.report.results import Results, load

SETTINGS = Report(reference="genezip-tiny", control="hnet-tiny")


def masked(model: str, metric: str, value: float, seed: int, spread: float = 0.005) -> Any:
    return DNA_SCORES.row(
        model=model, task="masked", subset="all", region="all", split="test", strand="+",
        metric=metric, value=value, ci_low=value - spread, ci_high=value + spread, n=99,
        unit="bases", seed=seed, scale="demo", source="mirror",
    )  # fmt: skip


def probe(part: str, subset: str, metric: str, value: float) -> Any:
    return TASK_SCORES.row(
        model="genezip-tiny", task=part, subset=subset, rule="chromosome", split="test",
        input="full", mode="frozen", metric=metric, value=value, ci_low=value - 0.01,
        ci_high=value + 0.01, n=99, seed=0, scale="demo",
    )  # fmt: skip


@pytest.fixture
def results(make_results: Callable[..., Path]) -> Results:
    """Two seeds: the first gains 0.02 bits on the Markov model, the second only 0.005."""
    folder = make_results()
    for seed, less in ((0, -0.02), (1, -0.005)):
        rows = [
            masked("genezip-tiny", "mask_bits", 1.85, seed),
            masked("genezip-tiny", "bpt", 4.3, seed),
            masked("genezip-tiny - two_sided", "mask_bits_difference", less, seed),
            masked("genezip-tiny - two_sided_equal", "mask_bits_difference", less - 0.02, seed),
        ]
        DNA_SCORES.write(folder / "masked" / f"genezip-tiny.seed{seed}.tsv", rows)
        more = [
            masked("hnet-tiny", "mask_bits", 1.86, seed),
            masked("genezip-tiny - hnet-tiny", "mask_bits_difference", -0.01 + less / 5, seed),
        ]
        DNA_SCORES.write(folder / "masked" / f"hnet-tiny.seed{seed}.tsv", more)
    models = {"two_sided": 1.874, "two_sided_equal": 1.891}
    rows = [masked(name, "mask_bits", bits, 0) for name, bits in models.items()]
    counted = DNA_SCORES.frame(rows).assign(seed=None)
    DNA_SCORES.write(folder / "masked" / "markov.tsv", counted)
    site = {"strand": "+", "n": 20, "q": 0.01, "value": 1.2, "decoys_value": 1.4}
    site |= {f"{name}_difference_low": -0.3 for name in ("decoys", "kmers", "shuffled")}
    donor = ALIGNMENT_SCORES.row(
        model="genezip-tiny", subset="donor", split="test", seed=0, decoys_difference=-0.2,
        decoys_difference_high=-0.1, **site,
    )  # fmt: skip
    ALIGNMENT_SCORES.write(folder / "alignment" / "genezip-tiny.seed0.tsv", [donor])
    card = folder / "pretrain" / "genezip-tiny.seed0" / "config.json"
    raw = json.loads(card.read_text())
    card.write_text(json.dumps({**raw, "target_bpt": dict.fromkeys(raw["target_bpt"], 4)}))
    parts = {
        "elements": [probe("elements", "ensembl", "auroc_macro_minus_untrained", 0.05)],
        "classification": [
            probe("classification", "nt_H3", "mcc_minus_untrained", 0.04),
            probe("classification", "nt_H3", "mcc_minus_control", 0.005),
        ],
    }
    for part, rows in parts.items():
        TASK_SCORES.write(folder / "labels" / f"{part}.tsv", rows)
    runs = [f"{name}.seed{seed}" for name in ("genezip-tiny", "hnet-tiny") for seed in (0, 1)]
    return load(folder, SETTINGS, "demo", labels=[*parts], runs=runs)


def test_each_claim_has_the_verdict_of_its_numbers(results: Results) -> None:
    found = {claim.text: claim for claim in claims.evaluate(results)}
    verdicts = {text: claim.verdict for text, claim in found.items()}
    by_words = {
        words: verdict
        for words in (
            "4 bases per token", "model given the same masks", "from masked bases alone",
            "than hnet-tiny", "splice donor",
            "promoters", "H3 of yeast better than one on those of the untrained",
            "H3 of yeast better than one on those of hnet-tiny",
        )
        for text, verdict in verdicts.items()
        if words in text
    }  # fmt: skip
    assert list(by_words.values()) == [
        "holds", "does not hold", "holds", "holds", "does not hold", "holds", "holds", "not shown",
    ]  # fmt: skip
    assert len(verdicts) == 8
    bits = next(claim for text, claim in found.items() if "0.01 bits" in text)
    assert [number.value for number in bits.measured if number] == [-0.02, -0.005]


def test_the_page_begins_with_them(results: Results) -> None:
    page = render(results, {})
    assert "guesses bases that were hidden from it" in page.split("<section", 1)[0]
    first = page.split("</section>", 1)[0]
    assert "predicts masked bases of held-out DNA with 1.850" in first
    assert "two-sided Markov model given the same masks with 1.874" in first
    assert (
        "and with 1.891" in first and "where it learns, as the network does, from masked" in first
    )
    assert "Does not hold:" in first and "Not shown:" in first
    assert "LDARNet paper" in page
