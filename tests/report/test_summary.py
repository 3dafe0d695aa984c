"""The first words of the page follow the intervals, whichever way they fall."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from genezip.artifacts.scores import DNA_SCORES
from genezip.config import Evaluation, Report
from genezip.report import summary
from genezip.report.results import Results, load

SETTINGS = Report(reference="genezip-tiny", control="hnet-tiny")
PAIR = {"model": "genezip-tiny - gc_cpg", "metric": "enrichment_difference", "region": "promoter"}


def loaded(folder: Path) -> Results:
    return load(folder, SETTINGS, "demo")


def comparisons(folder: Path) -> Path:
    return folder / "compress" / "comparisons.tsv"


def edit(path: Path, cells: dict[str, Any], **where: Any) -> None:
    """Write cells into the matching rows of a result file."""
    frame = pd.read_csv(path, sep="\t")
    chosen = (frame[list(where)] == pd.Series(where)).all(axis=1)
    assert chosen.any()
    frame.loc[chosen, list(cells)] = list(cells.values())
    frame.to_csv(path, sep="\t", index=False)


def add(path: Path, **cells: Any) -> None:
    frame = pd.DataFrame([DNA_SCORES.row(**{"split": "test", "strand": "+", **cells})])
    frame.to_csv(path, sep="\t", index=False, header=False, mode="a")


def test_an_interval_above_zero(make_results: Callable[..., Path]) -> None:
    sentence = summary.finding(loaded(make_results(gc_difference=0.8, inside=0.4)))
    assert "genezip-tiny (training seed 0)" in sentence and "2.90 against 2.10" in sentence
    assert "+0.80 (95 % interval 0.50 to 1.10), so genezip-tiny does better" in sentence
    assert "+0.40 (95 % interval 0.15 to 0.65) on average, so genezip-tiny does better" in sentence
    assert re.sub(r"\d\.\d", "", sentence).count(".") == 1  # it is one sentence
    assert "explain" not in sentence


@pytest.mark.parametrize("value", [0.1, -0.1])
def test_an_interval_with_zero(make_results: Callable[..., Path], value: float) -> None:
    sentence = summary.finding(loaded(make_results(gc_difference=value, inside=value)))
    assert sentence.count("so the two are not shown to differ") == 2
    assert "better" not in sentence


def test_an_interval_below_zero(make_results: Callable[..., Path]) -> None:
    sentence = summary.finding(loaded(make_results(gc_difference=-0.8, inside=-0.5)))
    assert "−0.80 (95 % interval −1.10 to −0.50), so the composition router does better" in sentence
    assert sentence.count("the composition router does better") == 2
    assert "genezip-tiny does better" not in sentence


def test_without_an_interval_nothing_is_shown(make_results: Callable[..., Path]) -> None:
    folder = make_results()
    edit(comparisons(folder), {"ci_low": None, "ci_high": None}, **PAIR)
    sentence = summary.finding(loaded(folder))
    assert sentence.count("without an interval, so nothing is shown") == 2
    thirds = summary.third_sentence(loaded(folder))
    assert thirds is not None and thirds.count("no interval, so nothing is shown") == 3


def test_every_third_has_its_verdict(make_results: Callable[..., Path]) -> None:
    folder = make_results(inside=0.4)
    low = {"value": -0.2, "ci_low": -0.5, "ci_high": -0.004}
    edit(comparisons(folder), low, **PAIR, subset="gc_tertile_2")
    none = {"value": 0.0, "ci_low": -0.2, "ci_high": 0.2}
    edit(comparisons(folder), none, **PAIR, subset="gc_tertile_1")
    sentence = summary.third_sentence(loaded(folder))
    assert sentence is not None
    assert "lowest, no difference shown (0.00, −0.20 to 0.20)" in sentence
    assert "middle, worse (−0.200, −0.500 to −0.004)" in sentence  # −0.00 would look like zero
    assert "highest, better (+0.40, 0.15 to 0.65)" in sentence
    assert "no upper edge (above 44 % GC), so composition still varies inside it" in sentence


def test_without_the_router(make_results: Callable[..., Path]) -> None:
    folder = make_results()
    frame = pd.read_csv(comparisons(folder), sep="\t")
    rest = frame[~frame["model"].str.contains("gc_cpg")]
    rest.to_csv(comparisons(folder), sep="\t", index=False)
    assert summary.finding(loaded(folder)).startswith("This run did not compare")
    assert summary.third_sentence(loaded(folder)) is None


def test_several_seeds_lead_with_their_mean(make_results: Callable[..., Path]) -> None:
    folder = make_results(seeds=(0, 1), gc_difference=0.8)
    edit(comparisons(folder), {"value": 0.2, "ci_low": -0.1, "ci_high": 0.5}, **PAIR, seed=1)
    mean = {"value": 0.5, "ci_low": 0.2, "ci_high": 0.8}
    add(comparisons(folder), **PAIR, subset="n_le_5pct", **mean)
    results = loaded(folder)
    sentence = summary.finding(results)
    assert "mean of training seeds 0 and 1" in sentence and "+0.50 (95 %" in sentence
    seeds = summary.seed_sentence(results)
    assert "seed 0: +0.80, 0.50 to 1.10; seed 1: +0.20, −0.10 to 0.50" in seeds
    assert "2.90, 2.90 for genezip-tiny" in seeds


def test_a_seed_that_was_not_compared_is_named(make_results: Callable[..., Path]) -> None:
    folder = make_results(seeds=(0, 1))
    frame = pd.read_csv(comparisons(folder), sep="\t")
    gone = (frame["model"] == PAIR["model"]) & (frame["seed"] == 1)
    frame[~gone].to_csv(comparisons(folder), sep="\t", index=False)
    results = loaded(folder)
    assert "genezip-tiny (training seed 0)" in summary.finding(results)
    assert "Seed 1 was not compared with the router." in summary.seed_sentence(results)


def test_one_seed_says_so(make_results: Callable[..., Path]) -> None:
    assert "trained once" in summary.seed_sentence(loaded(make_results()))


def test_intervals_are_explained(make_results: Callable[..., Path]) -> None:
    folder = make_results()
    assert "neighbouring windows" in summary.interval_sentence(loaded(folder))
    how = Evaluation(block_bp=1000, bootstrap=20)
    results = load(folder, SETTINGS, "demo", evaluation=how)
    assert "blocks of 1,000 bp (20 resamples)" in summary.interval_sentence(results)
    assert "rough" not in summary.interval_sentence(results)


@pytest.mark.parametrize(("promoter", "few"), [(3, True), (7, True), (8, False)])
def test_few_blocks_make_rough_intervals(
    make_results: Callable[..., Path], promoter: int, few: bool
) -> None:
    folder = make_results()
    for region, value in (("all", 40), ("promoter", promoter)):
        row = {"model": "corpus", "metric": "blocks", "region": region, "value": value}
        add(folder / "compress" / "compression.tsv", **row, subset="n_le_5pct")
    results = load(folder, SETTINGS, "demo", evaluation=Evaluation(block_bp=131_072))
    assert "corpus" not in results.models
    assert summary.blocks_text(results) == f"40 blocks of 131 kb, {promoter} with promoter bases"
    assert ("are marked “few blocks”: they are rough" in summary.interval_sentence(results)) == few
