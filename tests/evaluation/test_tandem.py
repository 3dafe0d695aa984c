"""TRF beside the table of the source: rows by eye, a planted repeat, what is refused."""

import shutil

import pandas as pd
import pytest
from toolkit.dna import random_dna

from genezip.errors import GenezipError
from genezip.evaluation.repeats import tandem

ROWS = """@slice
13 86 2 37.0 2 100 0 148 50 50 0 0 1.00 AC ACACACAC ACGTACGTTTTG TTGACGGGCATTAG
101 160 3 20.0 3 98 1 110 0 33 33 33 1.58 CGT CGTCGT A C
"""
needs_trf = pytest.mark.skipif(shutil.which("trf") is None, reason="trf is not installed")


def test_rows_count_from_zero() -> None:
    found = tandem.parse(ROWS.splitlines(), 1000)
    assert found.to_numpy().tolist() == [[1012, 1086, 2, 37.0], [1100, 1160, 3, 20.0]]
    assert tandem.parse([]).empty
    with pytest.raises(GenezipError, match="a row that is no call: 'Error in line'"):
        tandem.parse(["Error in line"])


@needs_trf
def test_a_planted_repeat_is_found_and_compared(toy) -> None:
    left, right = (random_dna(500, seed) for seed in (1, 2))
    text = left + "AC" * 40 + right
    segment = toy.add_segment("p", text, "nig", start=2000, trf=1)
    toy.add_segment("q", random_dna(200, 3), "nig", trf=1)
    table = pd.DataFrame({"chrom": ["p", "q"], "start": [2500, 0], "end": [2580, 50],
                          "period": [2, 5], "copies": [40.0, 10.0]})  # fmt: skip
    (row,) = tandem.compare(toy.assembly(), table, 10_000).to_dict("records")
    assert (row["segment"], row["start"], row["end"]) == (segment.name, 2000, 3080)
    assert row["calls"] == row["calls_table"] == 1 and row["program"].startswith("trf ")
    assert row["shared"] > 0.9 and row["bp_both"] >= 78


@needs_trf
def test_dna_without_repeats_has_no_calls() -> None:
    assert tandem.run(random_dna(300, 5)).empty


def test_what_is_refused(toy, monkeypatch: pytest.MonkeyPatch) -> None:
    toy.add_segment("p", "ACGT" * 100, "nig")
    with pytest.raises(GenezipError, match="no table of tandem repeats to compare with"):
        tandem.compare(toy.assembly(), None, 100)
    with pytest.raises(GenezipError, match="no held-out segment has TRF calls"):
        tandem.compare(toy.assembly(), pd.DataFrame(columns=["chrom", "start", "end"]), 100)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(GenezipError, match="trf is not installed; install it"):
        tandem.program()
