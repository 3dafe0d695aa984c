"""What the page says about leaks, shared sequence and the published composition."""

import dataclasses

import pandas as pd
import pytest

from genezip.config import Report
from genezip.report.chapters.corpus import section
from genezip.report.results import Results, load

LEAKAGE = pd.DataFrame(
    [
        ("exclusions", "train", "all", 900, 9000, 0, "ok"),
        ("exclusions", "valid", "all", 50, 500, 0, "ok"),
        ("heldout", "train", "test", 900, 9000, 0, "ok"),
        ("validation", "valid", "train", 50, 500, 489, "measured"),
    ],
    columns=["check", "split", "against", "windows", "bp", "touched_bp", "verdict"],
)
HOMOLOGY = pd.DataFrame(
    [
        ("chr8", "positions", 31, 64, 1000, 0.02),
        ("chr9", "positions", 31, 64, 3000, 0.06),
        ("all", "positions", 31, 64, 4000, 0.05),
        ("all", "distinct", 31, 64, 3900, 0.01),
    ],
    columns=["chrom", "counting", "k", "sample", "kmers", "share"],
)
TABLE5 = pd.DataFrame(
    [
        ("main", "train", "promoter", 15.25, 14.93, 0.32),
        ("main", "train", "N", 0.5, 0.0013, 0.4987),
        ("main", "train", "cds", 2.0, 2.67, -0.67),
        ("main", "train", "all", 100.0, 100.0, 0.0),
        ("main", "test", "promoter", 5.0, None, None),
    ],
    columns=["corpus", "split", "region", "pct", "paper_pct", "difference_pct"],
)


@pytest.fixture
def results(make_results) -> Results:
    settings = Report(reference="genezip-tiny", control="hnet-tiny")
    return load(make_results(), settings, "full")


def text_of(results: Results, **parts: pd.DataFrame) -> str:
    return " ".join(section(dataclasses.replace(results, **parts)).text)


def test_without_proofs_nothing_is_said(results) -> None:
    assert "written files" not in text_of(results)
    assert "Held-out is not" not in text_of(results)
    assert not section(results).tables


def test_windows_that_keep_off(results) -> None:
    said = text_of(results, leakage=LEAKAGE)
    assert "none of the 900 training and 50 validation windows touches held-out DNA;" in said
    assert "97.8 % of the bases of validation windows lie in training windows." in said
    tasks = pd.concat([LEAKAGE, LEAKAGE.iloc[:1].assign(against="cmp")])
    assert "or an excluded interval (inputs of benchmarks)" in text_of(results, leakage=tasks)


def test_a_leak_is_said(results) -> None:
    leak = LEAKAGE.assign(verdict=["leak", "ok", "ok", "measured"])
    assert "some of the 900 training and 50 validation windows touch" in text_of(
        results, leakage=leak
    )


def test_shared_sequence_by_chromosome(results) -> None:
    said = text_of(results, homology=HOMOLOGY)
    assert "5 % of all held-out 31" in said
    assert "(chr8 2 %, chr9 6 %, from one in 64 of them)" in said
    single = HOMOLOGY[HOMOLOGY["chrom"] != "chr8"].assign(sample=1)
    assert text_of(results, homology=single).endswith("on either strand.")


def test_the_published_composition_at_full_scale_only(results) -> None:
    (table,) = section(dataclasses.replace(results, table5=TABLE5)).tables
    assert table.rows == [
        ["main, train", "promoter", "15.25", "14.93", "+0.32"],
        ["main, train", "N", "0.50", "0.00", "+0.50"],
        ["main, train", "CDS", "2.00", "2.67", "\N{MINUS SIGN}0.67"],
    ]
    demo = dataclasses.replace(results, table5=TABLE5, scale="demo")
    assert not section(demo).tables
