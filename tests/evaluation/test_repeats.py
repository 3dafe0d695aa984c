"""Repeats: sets by eye, local BPT by hand, and the shifted control."""

import numpy as np
import pandas as pd
import pytest

from genezip.errors import GenezipError
from genezip.evaluation.repeats.counts import (
    CoveredBases,
    cross,
    cross_runs,
    read_routers,
    tally_routers,
)
from genezip.evaluation.repeats.sets import (
    OUTSIDE,
    RMSK,
    RMSK_ONLY,
    SOFTMASK,
    TRF,
    RepeatAnnotation,
    ratios,
    repeat_rows,
)
from genezip.genome.intervals import shifted_runs, value_runs


def table(*rows, **columns):
    frame = pd.DataFrame(rows, columns=["chrom", "start", "end"])
    return frame.assign(**columns)


def test_codes_of_the_three_schemes(toy):
    segment = toy.add_segment(
        "p", "ACGTacgtacgtACGT", "nig", start=100, soft_masked=1, trf=1, rmsk=1
    )
    trf = table(("p", 110, 113), ("p", 0, 101), ("q", 100, 116))
    rmsk = table(("p", 104, 108), ("p", 108, 112), ("p", 114, 116))
    rmsk["repeat_class"] = ["SINE", "DNA?", "LTR"]
    repeats = RepeatAnnotation(toy.assembly(), rmsk, trf)
    assert repeats.schemes(segment) == [TRF, SOFTMASK, RMSK]
    assert repeats.codes(segment, TRF).tolist() == [1, *[0] * 9, 1, 1, 1, 0, 0, 0]
    assert repeats.codes(segment, SOFTMASK).tolist() == [2, 0, 0, 0, *[1] * 6, 2, 2, 2, 0, 0, 0]
    sine, ltr = RMSK.sets["SINE"][0], RMSK.sets["LTR"][0]
    expected = [1, 0, 0, 0, *[sine] * 4, OUTSIDE, OUTSIDE, 1, 1, 1, 0, ltr, ltr]
    assert repeats.codes(segment, RMSK).tolist() == expected
    bare = toy.add_segment("q", "ACGT", "nig")
    assert repeats.schemes(bare) == []
    assert RepeatAnnotation(toy.assembly(), None, None).schemes(segment) == []


def test_codes_of_repeatmasker_alone(toy):
    segment = toy.add_segment("p", "ACGTacgtacgtACGT", "nig", start=100, soft_masked=1, rmsk=1)
    rmsk = table(("p", 104, 108), ("p", 106, 110), ("p", 110, 112), ("p", 113, 114))
    rmsk["repeat_class"] = ["SINE", "Simple_repeat", "Low_complexity", "LTR"]
    repeats = RepeatAnnotation(toy.assembly(), rmsk, None)
    assert repeats.schemes(segment) == [RMSK_ONLY]
    sine, ltr = RMSK_ONLY.sets["SINE"][0], RMSK_ONLY.sets["LTR"][0]
    simple = RMSK_ONLY.sets["rmsk_simple_repeat"][0]
    expected = [*[0] * 4, sine, sine, *[simple] * 4, OUTSIDE, OUTSIDE, 0, ltr, 0, 0]
    assert repeats.codes(segment, RMSK_ONLY).tolist() == expected
    assert repeats.lacking() == [
        "the source has no TRF table, so tandem repeats are measured as RepeatMasker's simple "
        "repeats only, and soft-masked bases are not measured"
    ]
    # sets of one name mean one thing: where some segment has TRF calls, they are taken outside them
    toy.add_segment("q", "ACGT", "nig", trf=1)
    assert RepeatAnnotation(toy.assembly(), rmsk, table(("q", 0, 1))).schemes(segment) == []


def test_a_table_without_the_other_gives_rows_and_an_empty_one_says_so(
    toy, settings, save, compressed_window
):
    toy.tile(toy.add_segment("p", "ACGT" * 64, "nig", rmsk=1), 64)
    file = save("m", [compressed_window(place, [0, 32]) for place in toy.corpus], seed=0)
    rmsk = table(("p", 0, 64), ("p", 100, 110)).assign(repeat_class=["LINE", "Simple_repeat"])
    rows = rows_of([file], toy, RepeatAnnotation(toy.assembly(), rmsk, None), settings)
    assert pick(rows, "bpt_ratio", "LINE")["value"] == pytest.approx(1)
    assert pick(rows, "bpt_ratio", "rmsk_interspersed")["n"] == 64
    assert pick(rows, "bpt_ratio", "rmsk_simple_repeat")["n"] == 10
    assert pick(rows, "bpt", "rmsk_rest_without_trf")["n"] == 256 - 74
    counts = {r["subset"]: r["value"] for r in rows if r["model"] == "corpus"}
    assert counts == {
        "rmsk_rest_without_trf": 182, "LINE": 64, "rmsk_interspersed": 64,
        "rmsk_simple_repeat": 10, "SINE": 0, "LTR": 0, "DNA": 0, "Retroposon": 0, "Satellite": 0,
    }  # fmt: skip
    none = rows_of([file], toy, RepeatAnnotation(toy.assembly(), rmsk.iloc[:0], None), settings)
    counts = {r["subset"]: (r["metric"], r["value"]) for r in none if r["model"] == "corpus"}
    assert counts.pop("rmsk_rest_without_trf") == ("bp", 256)
    assert set(counts.values()) == {("bp", 0)}
    assert not [r for r in none if r["metric"] == "bpt_ratio"]


@pytest.mark.parametrize("offset", [1, 7, 30, 59])
def test_shifting_runs_equals_rolling_bases(offset):
    rng = np.random.default_rng(offset)
    length = 60
    codes = np.repeat(rng.choice([0, 1, 2, OUTSIDE], 12), 5).astype(np.uint8)
    region = np.repeat(rng.integers(0, 7, 10), 6).astype(np.uint8)
    position = np.sort(rng.choice(length, 40, replace=False))
    density = rng.random((2, 40))
    before = np.zeros((3, length + 1))
    before[0, position + 1], before[1:, position + 1] = 1, density
    block = rng.integers(0, 2, 40).astype(np.int32)
    bases = CoveredBases(
        0,
        position,
        region[position],
        block,
        density,
        value_runs(region),
        7,
        np.cumsum(before, axis=1),
    )
    bp, tokens = cross(np.roll(codes, offset)[position], bases, 3, 2)
    fast = cross_runs(shifted_runs(value_runs(codes), length, offset, 0, length), bases, 3)
    np.testing.assert_allclose(bp.sum(axis=0), fast[0], atol=1e-12)
    np.testing.assert_allclose(tokens.sum(axis=1), fast[1], atol=1e-12)


def test_ratios_by_hand():
    # promoter: set 10 bp in 1 token, rest 10 bp in 2; nig: set 80 bp in 2, rest 100 bp in 5
    bp, tokens = np.zeros((2, 7)), np.zeros((2, 7))
    bp[:, 0], bp[:, 5] = [10, 10], [100, 80]
    tokens[:, 0], tokens[:, 5] = [2, 1], [5, 2]
    bpt, ratio, adjusted = ratios(bp, tokens, (1,))
    assert bpt[[0, 1, 6]].tolist() == [30, 10, 40]
    assert ratio[[0, 1, 6]].tolist() == pytest.approx([30 / (110 / 7), 2, 2])
    # expected 2 + 80 * 5 / 100 = 6 tokens, observed 3
    assert adjusted.tolist() == [2]
    assert np.isnan(ratio[2])


@pytest.fixture
def masked(toy):
    """Windows of 64 bp; the second half of each is lower case; TRF has one stretch."""
    segment = toy.add_segment("p", ("ACGT" * 8 + "acgt" * 8) * 16, "nig", soft_masked=1, trf=1)
    toy.tile(segment, 64)
    other = toy.add_segment("q", "ACGT" * 64, "nig", trf=1)
    toy.tile(other, 64)
    trf = table(("p", 0, 8), ("q", 0, 64))
    return toy, RepeatAnnotation(toy.assembly(), None, trf)


def test_a_segment_in_stretches_is_counted_like_a_whole_one(
    masked, settings, save, compressed_window, random_cuts
):
    """Stretches of 100 bp cut through windows of 64 bp, blocks and repeats."""
    toy, repeats = masked
    rng = np.random.default_rng(5)
    files = [
        save(name, [compressed_window(place, random_cuts(rng, 64, 9)) for place in toy.corpus])
        for name in ("m", "other")
    ]
    settings = settings.model_copy(update={"block_bp": 128})
    whole, cut = (
        tally_routers(
            read_routers(files),
            *toy.mapped(),
            repeats,
            settings,
            stretch_bp=stretch_bp,
        )
        for stretch_bp in (10**6, 100)
    )
    assert set(whole) == set(cut) == {("test", "softmask"), ("test", "trf")}
    for key, one in whole.items():
        other = cut[key]
        for left, right in (
            (np.concatenate(one.bp), np.concatenate(other.bp)),
            (np.concatenate(one.tokens, axis=1), np.concatenate(other.tokens, axis=1)),
            (one.shifted_bp, other.shifted_bp),
            (one.shifted_tokens, other.shifted_tokens),
        ):
            assert left.any()
            np.testing.assert_allclose(left, right, atol=1e-6)


def rows_of(files, toy, repeats, settings):
    tallies = tally_routers(read_routers(files), *toy.mapped(), repeats, settings)
    return repeat_rows(tallies, settings, "test", "simulated")


def pick(rows, metric, subset, region="all", model="m"):
    key = (metric, subset, region, model)
    found = [r for r in rows if (r["metric"], r["subset"], r["region"], r["model"]) == key]
    assert len(found) == 1
    return found[0]


def test_fewer_tokens_in_repeats(masked, settings, save, compressed_window):
    toy, repeats = masked
    # 8 chunks of 4 bp in upper case, 2 of 16 bp in lower case
    starts = [*range(0, 32, 4), 32, 48]
    file = save("m", [compressed_window(place, starts) for place in toy.corpus], seed=0)
    rows = rows_of([file], toy, repeats, settings)
    assert pick(rows, "bpt", "softmasked_outside_trf")["value"] == pytest.approx(16)
    assert pick(rows, "bpt", "rest")["value"] == pytest.approx(4)
    row = pick(rows, "bpt_ratio", "softmasked_outside_trf")
    assert (row["value"], row["ci_low"], row["n"], row["unit"]) == (
        pytest.approx(4), pytest.approx(4), 512, "bases",
    )  # fmt: skip
    assert pick(rows, "bpt_ratio", "softmasked_outside_trf", "nig")["value"] == pytest.approx(4)
    adjusted = pick(rows, "bpt_ratio_region_adjusted", "softmasked_outside_trf")
    assert adjusted["value"] == pytest.approx(4)
    control = pick(rows, "bpt_ratio_shifted", "softmasked_outside_trf")
    assert control["ci_low"] < control["value"] < 4
    assert (control["n"], control["unit"]) == (20, "shifts")
    # tandem in p is upper case; the one of q is a whole window, upper and lower alike
    assert pick(rows, "bpt", "tandem")["value"] == pytest.approx(4)
    tandem = 72 / (8 / 4 + 10)
    assert pick(rows, "bpt", "tandem_all_pieces")["value"] == pytest.approx(tandem)


def test_the_control_of_random_boundaries_surrounds_the_ratio(
    masked, settings, save, compressed_window, random_cuts
):
    toy, repeats = masked
    rng = np.random.default_rng(1)
    cut = [compressed_window(place, random_cuts(rng, 64, 12)) for place in toy.corpus]
    rows = rows_of([save("m", cut)], toy, repeats, settings)
    control = pick(rows, "bpt_ratio_shifted", "softmasked_outside_trf")
    assert control["value"] == pytest.approx(1, abs=0.2)
    again = rows_of([save("m", cut)], toy, repeats, settings)
    pd.testing.assert_frame_equal(pd.DataFrame(rows), pd.DataFrame(again))


def test_n_and_windows_with_many_n_do_not_count(toy, settings, save, compressed_window):
    sequence = "ACGT" * 15 + "ACGN" + "ACGT" * 8 + "N" * 32
    toy.tile(toy.add_segment("p", sequence, "nig", soft_masked=1, trf=1), 64)
    file = save("m", [compressed_window(place, [0, 32]) for place in toy.corpus])
    rows = rows_of(
        [file], toy, RepeatAnnotation(toy.assembly(), None, table(("p", 0, 1))), settings
    )
    assert pick(rows, "bpt", "rest")["n"] == 62
    assert pick(rows, "bpt", "tandem")["n"] == 1


def test_files_of_one_router_are_joined_and_splits_kept_apart(
    masked, settings, save, compressed_window
):
    toy, _ = masked
    segment = toy.add_segment("t", "ACGT" * 32, "nig", split="train", trf=1, rmsk=1)
    toy.tile(segment, 64)
    rmsk = table(("t", 0, 64)).assign(repeat_class="LINE")
    repeats = RepeatAnnotation(toy.assembly(), rmsk, table(("p", 0, 8)))
    held = [compressed_window(place, [0, 32]) for place in toy.windows("test")]
    train = [compressed_window(place, [0, 32]) for place in toy.windows("train")]
    first = save("m", held)
    moved = first.path.rename(first.path.with_name("held.parquet"))
    first = type(first)(first.name, first.seed, first.target_bpt, first.info, moved)
    rows = rows_of([first, save("m", train), save("router", held)], toy, repeats, settings)
    line = pick(rows, "bpt_ratio", "LINE")
    assert (line["split"], line["value"]) == ("train", pytest.approx(1))
    assert pick(rows, "bpt", "rmsk_rest")["n"] == 64
    assert {row["split"] for row in rows if row["model"] == "router"} == {"test"}


def test_different_segments_are_refused(masked, settings, save, compressed_window):
    toy, repeats = masked
    windows = [compressed_window(place, [0]) for place in toy.corpus]
    with pytest.raises(GenezipError, match="test windows of b lie on other segments"):
        rows_of([save("a", windows), save("b", windows[:1])], toy, repeats, settings)
