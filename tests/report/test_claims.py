"""Claims and the first sentence follow the numbers, whichever way they fall."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from genezip.artifacts.scores import DNA_SCORES
from genezip.config import Report
from genezip.report import claims, summary
from genezip.report.chapters.claims import held_sentence, origin
from genezip.report.chapters.prediction.next_base import named_orders
from genezip.report.claims import Claim
from genezip.report.results import Results, load
from genezip.report.scores import HeldOut, Number

SETTINGS = Report(reference="genezip-tiny", control="hnet-tiny")


def change(path: Path, value: float, **where: object) -> None:
    """Move the matching rows of a result file to another value, intervals with them."""
    frame = pd.read_csv(path, sep="\t")
    chosen = (frame[list(where)] == pd.Series(where)).all(axis=1)
    assert chosen.any()
    for column in ("ci_low", "ci_high"):
        frame.loc[chosen, column] += value - frame.loc[chosen, "value"]
    frame.loc[chosen, "value"] = value
    frame.to_csv(path, sep="\t", index=False)


def add(path: Path, **cells: Any) -> None:
    """Append a row of the page's subset, split test, strand +, seed 0 unless told otherwise."""
    where = {"subset": "n_le_5pct", "split": "test", "strand": "+", "seed": 0}
    frame = pd.DataFrame([DNA_SCORES.row(**{**where, **cells})])
    frame.to_csv(path, sep="\t", index=False, header=False, mode="a")


def loaded(folder: Path) -> Results:
    return load(folder, SETTINGS, "demo")


def test_all_claims_hold(make_results: Callable[..., Path]) -> None:
    found = claims.evaluate(loaded(make_results()))
    assert [(claim.verdict, claim.note) for claim in found] == [("holds", "one training seed")] * 4
    assert found[3].threshold == "below 3.764"


@pytest.mark.parametrize(
    ("index", "metric", "value"),
    [(0, "enrichment", 1.5), (2, "bpt_ratio", 1.6), (2, "bpt_ratio", 0.5), (3, "ppl", 3.9)],
)
def test_a_claim_that_fails_says_so(
    make_results: Callable[..., Path], index: int, metric: str, value: float
) -> None:
    folder = make_results()
    region = "promoter" if metric == "enrichment" else "all"
    path = folder / "compress" / "compression.tsv"
    change(path, value, model="genezip-tiny", metric=metric, region=region)
    found = claims.evaluate(loaded(folder))
    assert found[index].verdict == "does not hold"
    assert [claim.holds for claim in found].count(False) == 1


def test_an_interval_over_the_threshold_is_said(make_results: Callable[..., Path]) -> None:
    folder = make_results()
    path = folder / "compress" / "comparisons.tsv"
    change(path, 1.5, model="genezip-tiny / hnet-tiny", metric="enrichment_ratio")
    claim = claims.evaluate(loaded(folder))[1]
    assert claim.verdict == "holds"
    assert claim.note == "one training seed; the interval crosses the threshold"


def test_one_failing_seed_is_enough(make_results: Callable[..., Path]) -> None:
    folder = make_results(seeds=(0, 1))
    path = folder / "compress" / "compression.tsv"
    change(path, 1.5, model="genezip-tiny", metric="enrichment", region="promoter", seed=1.0)
    claim = claims.evaluate(loaded(folder))[0]
    assert [number.value for number in claim.measured if number] == [2.9, 1.5]
    assert not claim.holds and claim.note == "holds for 1 of 2 seeds"


def test_every_interval_is_held_against_the_verdict_of_its_own_seed() -> None:
    clear, failing = Number(2.9, 2.5, 3.3), Number(1.0, 0.8, 1.2)
    unsure = Number(1.7, 1.4, 2.0)

    def note(*measured: Number) -> str:
        return Claim("", list(measured), list(range(len(measured))), 1.8, None, "").note

    assert note(clear, failing) == "holds for 1 of 2 seeds"  # no end crosses 1.8
    crossing = "holds for 1 of 2 seeds; the interval of seed 1 crosses the threshold"
    assert note(clear, unsure) == crossing
    both = "holds for 0 of 2 seeds; the intervals of seeds 0 and 1 cross the threshold"
    assert note(unsure, unsure) == both
    assert note(clear, Number(2.0)) == "holds for 2 of 2 seeds; no interval for seed 1"


def test_a_window_mean_with_another_verdict_is_said() -> None:
    pooled, mean = Number(2.5, 2.0, 3.0), Number(1.7, 1.4, 2.0)
    claim = Claim("", [pooled], [0], 1.8, None, "", window_mean=[mean])
    assert claim.written(Number(1.7984, 1.4, 2.0)) == "1.798 (1.400 to 2.000)"  # not 1.80
    assert claim.holds and claim.note == "one training seed; by window mean it holds for 0 of 1"


def test_two_seeds_are_counted_in_words(make_results: Callable[..., Path]) -> None:
    two = loaded(make_results(seeds=(0, 1)))
    assert "holds only if it holds for each of the 2 training seeds" in held_sentence(two)
    assert claims.evaluate(two)[0].note == "holds for 2 of 2 seeds"


def test_perplexity_is_judged_by_the_paired_difference(make_results: Callable[..., Path]) -> None:
    folder = make_results()
    pair = {"model": "genezip-tiny - markov4", "region": "all", "metric": "ppl_difference"}
    add(folder / "compress" / "comparisons.tsv", **pair, value=0.02, ci_low=-0.01, ci_high=0.05)
    claim = claims.evaluate(loaded(folder))[3]
    assert claim.threshold == "paired difference below 0"
    assert claim.verdict == "does not hold" and "crosses the threshold" in claim.note
    assert claim.detail == ["perplexity 3.690 against 3.764, difference"]


@pytest.mark.parametrize(
    ("scale", "source", "real"),
    [
        ("demo", "mirror", True),
        ("demo", "download", True),
        ("demo", "simulated", False),
        ("demo", "files", False),
        ("full", "mirror", False),
        ("test", "mirror", False),
    ],
)
def test_origin_of_recipe_and_thresholds(
    make_results: Callable[..., Path], scale: str, source: str, real: bool
) -> None:
    folder = make_results()
    path = folder / "corpus" / "main" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "source": source}))
    text = origin(load(folder, SETTINGS, scale))
    assert ("evaluated on the same held-out chromosomes" in text) == real
    assert ("those of the demo on human DNA" in text) != real


def test_without_markov_models_the_claim_is_open(make_results: Callable[..., Path]) -> None:
    folder = make_results()
    (folder / "compress" / "markov.tsv").unlink()
    claim = claims.evaluate(loaded(folder))[3]
    assert not claim.holds and claim.verdict == "not computed"


def test_telling_orders(make_results: Callable[..., Path]) -> None:
    assert named_orders(loaded(make_results())) == [0, 4, 8, 11]


def test_claims_and_summary_need_the_score_tables_alone(results: Results) -> None:
    tables = HeldOut(
        **{cell.name: getattr(results, cell.name) for cell in dataclasses.fields(HeldOut)}
    )
    assert claims.evaluate(tables) == claims.evaluate(results)
    for sentence in (summary.finding, summary.third_sentence, summary.interval_sentence):
        assert sentence(tables) == sentence(results)
