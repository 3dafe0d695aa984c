"""Repeats by family, age, period and copy number: codes by eye, ratios over a pair of models."""

import numpy as np
import pandas as pd
import pytest

from genezip.evaluation.repeats.counts import read_routers, tally_routers
from genezip.evaluation.repeats.kinds import (
    AGES,
    COPIES,
    FAMILIES,
    GROUPS,
    LEAST_BP,
    PERIODS,
    RepeatKinds,
)
from genezip.evaluation.repeats.sets import OUTSIDE, RepeatAnnotation, repeat_rows

ROWS = [
    # start, end, class, family, divergence
    (0, 6000, "SINE", "Alu", 4.0),
    (7000, 13000, "LINE", "L1", 12.5),
    (14000, 14100, "LINE", "CR1", 35.0),  # too few bases to be told
    (15000, 15100, "Simple_repeat", "Simple_repeat", 1.0),
]
CALLS = [(16000, 16040, 2, 20.0), (16020, 16060, 12, 2.5), (100, 140, 40, 2.0)]


def rmsk() -> pd.DataFrame:
    columns = ["start", "end", "repeat_class", "family", "divergence"]
    return pd.DataFrame(ROWS, columns=columns).assign(chrom="p")


def trf() -> pd.DataFrame:
    frame = pd.DataFrame(CALLS, columns=["start", "end", "period", "copies"])
    return frame.assign(chrom="p")


@pytest.fixture
def kinds(toy):
    toy.tile(toy.add_segment("p", "ACGT" * 4400, "nig", rmsk=1, trf=1), 800)
    return toy, RepeatKinds(RepeatAnnotation(toy.assembly(), rmsk(), trf()))


def test_names_of_the_groups() -> None:
    assert GROUPS[AGES] == ["0-5 %", "5-10 %", "10-15 %", "15-20 %", "20-30 %", "30 % or more"]
    assert GROUPS[PERIODS][3:6] == ["4 bp", "5-6 bp", "7-10 bp"]
    assert GROUPS[COPIES] == ["0-3", "3-5", "5-10", "10 or more"]


def test_codes(kinds):
    toy, found = kinds
    (segment,) = toy.segments
    schemes = {one.name: one for one in found.schemes(segment)}
    assert list(schemes) == [FAMILIES, AGES, PERIODS, COPIES]
    codes = {name: found.codes(segment, one) for name, one in schemes.items()}
    assert list(schemes[FAMILIES].sets) == ["families:Alu", "families:L1"]
    family = codes[FAMILIES]
    assert set(family[:100]) == {1} and set(family[7000:13000]) == {2}
    assert set(family[100:140]) == {OUTSIDE}  # a tandem repeat inside the Alu
    assert set(family[14000:14100]) == {OUTSIDE} and set(family[15000:15100]) == {OUTSIDE}
    assert set(family[6000:7000]) == {0} and LEAST_BP < 6000
    ages = schemes[AGES].sets
    assert codes[AGES][0] == ages["ages:0-5 %"][0]
    assert codes[AGES][7000] == ages["ages:10-15 %"][0]
    assert codes[AGES][14000] == ages["ages:30 % or more"][0]
    periods = schemes[PERIODS].sets
    assert codes[PERIODS][16030] == periods["periods:2 bp"][0]  # the shorter period counts
    assert codes[PERIODS][16050] == periods["periods:11-30 bp"][0]
    assert codes[PERIODS][100] == periods["periods:31 bp or more"][0]
    assert codes[PERIODS][7000] == 0  # the background of tandem repeats holds the others
    assert codes[COPIES][16010] == schemes[COPIES].sets["copies:10 or more"][0]


def test_tables_without_the_columns_and_segments_without_calls(toy):
    segment = toy.add_segment("p", "ACGT" * 30, "nig", trf=1)
    bare = toy.add_segment("q", "ACGT", "nig")
    found = RepeatKinds(RepeatAnnotation(toy.assembly(), None, trf()[["chrom", "start", "end"]]))
    assert found.schemes(segment) == []
    with_periods = RepeatKinds(RepeatAnnotation(toy.assembly(), rmsk(), trf()))
    assert [one.name for one in with_periods.schemes(segment)] == [PERIODS, COPIES]
    assert with_periods.schemes(bare) == []


def test_ratios_of_two_models_on_the_same_bases(kinds, settings, save, compressed_window):
    toy, found = kinds
    even = [compressed_window(place, [*range(0, 800, 80)]) for place in toy.corpus]
    coarse = []
    for place in toy.corpus:  # one token for a window of repeats, else twenty
        alu = place.start < 6000 or 7000 <= place.start < 12800
        coarse.append(compressed_window(place, [0] if alu else [*range(0, 800, 40)]))
    files = [save("m", coarse, seed=0), save("u", even, seed=0)]
    tallies = tally_routers(read_routers(files), *toy.mapped(), found, settings)
    rows = repeat_rows(tallies, settings, "test", "simulated", ("m", "u"))
    frame = pd.DataFrame(rows)
    own = frame[(frame["metric"] == "bpt_ratio_region_adjusted") & (frame["region"] == "all")]
    value = own.set_index(["model", "subset"])["value"]
    assert value["u", "families:Alu"] == pytest.approx(1)
    assert value["m", "families:Alu"] > 5
    assert value["m / u", "families:Alu"] == pytest.approx(value["m", "families:Alu"])
    assert not frame["subset"].eq("families:CR1").any()
    assert np.isfinite(frame.loc[frame["model"] == "m / u", "ci_low"].astype(float)).any()
