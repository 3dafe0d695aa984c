"""Claims and the first sentence follow the numbers, whichever way they fall."""

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from genezip.config import Evaluation, Report
from genezip.report import claims
from genezip.report.results import Results, load

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


def loaded(folder: Path) -> Results:
    return load(folder, SETTINGS, "demo")


def test_all_claims_hold(make_results: Callable[..., Path]) -> None:
    found = claims.evaluate(loaded(make_results()))
    assert [(claim.verdict, claim.note) for claim in found] == [("holds", "")] * 4
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
    assert (claim.verdict, claim.note) == ("holds", "the interval crosses the threshold")


def test_one_failing_seed_is_enough(make_results: Callable[..., Path]) -> None:
    folder = make_results(seeds=(0, 1))
    path = folder / "compress" / "compression.tsv"
    change(path, 1.5, model="genezip-tiny", metric="enrichment", region="promoter", seed=1.0)
    claim = claims.evaluate(loaded(folder))[0]
    assert [number.value for number in claim.measured if number] == [2.9, 1.5]
    assert not claim.holds


def test_without_markov_models_the_claim_is_open(make_results: Callable[..., Path]) -> None:
    folder = make_results()
    (folder / "compress" / "markov.tsv").unlink()
    claim = claims.evaluate(loaded(folder))[3]
    assert not claim.holds and claim.verdict == "not computed"


def test_finding_with_a_clear_difference(make_results: Callable[..., Path]) -> None:
    sentence = claims.finding(loaded(make_results(gc_difference=0.8, inside=0.4)))
    assert "genezip-tiny" in sentence and "2.90 times" in sentence and "2.10 times" in sentence
    assert "+0.80 (95 % interval 0.50 to 1.10)" in sentence
    assert "+0.40 (95 % interval 0.15 to 0.65)" in sentence
    assert "more than base composition alone" in sentence
    assert re.sub(r"\d\.\d", "", sentence).count(".") == 1  # it is one sentence


@pytest.mark.parametrize("value", [0.1, -0.1])
def test_finding_with_zero_inside_the_interval(
    make_results: Callable[..., Path], value: float
) -> None:
    sentence = claims.finding(loaded(make_results(gc_difference=value, inside=value)))
    assert sentence.count("an interval that includes zero, so no difference is shown") == 2
    assert "favours promoters more" not in sentence


def test_finding_with_a_negative_difference(make_results: Callable[..., Path]) -> None:
    sentence = claims.finding(loaded(make_results(gc_difference=-0.8, inside=-0.5)))
    assert "−0.80 (95 % interval −1.10 to −0.50)" in sentence
    assert "base composition alone favours promoters more than the model does" in sentence
    assert "the model does worse" in sentence


def test_finding_without_the_router(make_results: Callable[..., Path]) -> None:
    folder = make_results()
    path = folder / "compress" / "comparisons.tsv"
    frame = pd.read_csv(path, sep="\t")
    frame[~frame["model"].str.contains("gc_cpg")].to_csv(path, sep="\t", index=False)
    assert claims.finding(loaded(folder)).startswith("This run did not compare")


def test_seeds_are_listed(make_results: Callable[..., Path]) -> None:
    one, two = claims.seed_sentence(loaded(make_results())), None
    assert one is not None and "trained once" in one
    two = claims.seed_sentence(loaded(make_results(seeds=(0, 1))))
    assert two is not None and "2.90, 2.90 for genezip-tiny" in two


def test_intervals_are_explained(make_results: Callable[..., Path]) -> None:
    folder = make_results()
    assert "neighbouring windows" in claims.interval_sentence(loaded(folder))
    how = Evaluation(block_bp=1000, bootstrap=20)
    results = load(folder, SETTINGS, "demo", evaluation=how)
    assert "blocks of 1,000 bp, 20 resamples" in claims.interval_sentence(results)


def test_telling_orders(make_results: Callable[..., Path]) -> None:
    assert claims.telling_orders(loaded(make_results())) == [0, 4, 9, 11]
