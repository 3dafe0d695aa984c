"""The chapter on scaling: networks, exponents beside the published ones, figure."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from genezip.artifacts.scores import DNA_SCORES
from genezip.config import Report
from genezip.evaluation.scaling import ScalingRun, scaling_rows
from genezip.report.chapters.cost import scaling
from genezip.report.results import Results, load

SETTINGS = Report(reference="genezip-tiny", control="hnet-tiny")
RUNS = [
    ScalingRun(f"{family.split()[0]}-{size}", 0, family, 1000 * size, 10**size, 1e6, 9)
    for family in ("learned 3, 2", "flat")
    for size in (5, 6, 7)
]


def perplexity(run: ScalingRun, subset: str) -> float:
    return 4 * run.training ** -(0.02 if run.family == "flat" else 0.01) + (subset[0] == "u")


@pytest.fixture
def results(make_results: Callable[..., Path]) -> Results:
    folder = make_results()
    scores: list[dict[str, Any]] = [
        DNA_SCORES.row(
            model=run.name, task="compression", subset=subset, region="coding", split="test",
            strand="+", metric="ppl", value=perplexity(run, subset), ci_low=2.0, ci_high=5.0,
            n=9, unit="windows", blocks=12, seed=0, scale="demo", source="genomes",
        )
        for run in RUNS
        for subset in ("seen_organisms", "unseen_organisms")
    ]  # fmt: skip
    rows = scaling_rows(RUNS, DNA_SCORES.frame(scores), "demo", "genomes")
    DNA_SCORES.write(folder / "compress" / "scaling.tsv", rows)
    return load(folder, SETTINGS, "demo")


def test_exponents_stand_beside_the_published_ones(results: Results) -> None:
    section = scaling.section(results)
    assert section is not None
    exponents, runs = section.tables
    measured = {tuple(row[:2]): row[3] for row in exponents.rows if row[2] == "measured"}
    assert measured["coding bases of organisms trained on", "learned 3, 2"].startswith("0.010 (")
    assert measured["coding bases of organisms trained on", "flat"].startswith("0.020 (")
    paper = {row[1]: row[3] for row in exponents.rows if row[2] == "paper"}
    assert paper == {"dnaHNet": "0.06", "StripedHyena2": "0.04", "Transformer": "0.01"}
    assert [row[0] for row in runs.rows] == [
        "flat-5", "flat-6", "flat-7", "learned-5", "learned-6", "learned-7",
    ]  # fmt: skip
    assert runs.rows[0][2:6] == ["0.01", "0.1", "1.00", "3.0e+11"]
    assert "organisms never seen" in section.text[-1]


def test_the_figure_has_every_network_on_every_part(results: Results) -> None:
    drawing = scaling.scaling(results)
    assert drawing is not None
    assert len(drawing.data) == 2 * len(RUNS)
    assert drawing.data["best"].all()
    expected = {(run.name, run.training) for run in RUNS}
    assert set(zip(drawing.data["model"], drawing.data["training_operations"], strict=True)) == (
        expected
    )
    assert "flat" in drawing.svg


def test_a_run_without_scaling_has_no_chapter(make_results: Callable[..., Path]) -> None:
    results = load(make_results(), SETTINGS, "demo")
    assert scaling.section(results) is None and scaling.scaling(results) is None
    assert isinstance(results.scaling.frame, pd.DataFrame)
