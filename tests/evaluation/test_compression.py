"""Result rows of compressed files: values, intervals, subsets, strands."""

import numpy as np
import pytest
from toolkit.dna import random_dna

from genezip.artifacts.scores import DNA_SCORES
from genezip.errors import GenezipError
from genezip.evaluation.compression import compression_rows, window_table
from genezip.evaluation.windows import collect, read_facts
from genezip.region_classes import CLASS_IDS, CLASSES

TARGET = {**dict.fromkeys(CLASSES, 32.0), "nig": 64.0}


@pytest.fixture
def striped(toy):
    """Eight windows of 128 bp; every other 16 bp are promoter, the rest NIG."""
    toy.tile(toy.add_segment("p", random_dna(1024), (np.arange(1024) // 16 % 2) * 5), 128)
    return toy


def rows_of(file, toy, settings):
    facts = read_facts(toy.reader(), settings)
    return compression_rows(collect(file, facts), facts, "test", "simulated"), facts


def cell(rows, metric, region="all", subset="all", strand="+"):
    found = [
        row
        for row in rows
        if (row["metric"], row["region"], row["subset"], row["strand"])
        == (metric, region, subset, strand)
    ]
    assert len(found) == 1
    return found[0]


def test_equal_chunks_meet_an_equal_budget(striped, settings, save, compressed_window):
    windows = [compressed_window(place, range(0, 128, 32)) for place in striped.corpus]
    file = save("even", windows, seed=1, target_bpt=dict.fromkeys(CLASSES, 32.0))
    rows, _ = rows_of(file, striped, settings)
    for metric, value in {
        "bpt": 32, "bpt_window_mean": 32, "bpt_window_sd": 0, "expected_bpt": 32, "bpt_ratio": 1,
        "bpt_ratio_window_mean": 1, "micro_err": 0, "bound_bit_share": 0,
    }.items():  # fmt: skip
        row = cell(rows, metric)
        assert row["value"] == pytest.approx(value)
        assert (row["ci_low"], row["ci_high"]) == (pytest.approx(value), pytest.approx(value))
        assert (row["n"], row["unit"], row["seed"], row["scale"]) == (8, "windows", 1, "test")
    assert cell(rows, "enrichment", "promoter")["value"] == pytest.approx(1)
    assert cell(rows, "bpt", "nig")["value"] == pytest.approx(32)
    assert cell(rows, "region_share", "nig")["value"] == pytest.approx(0.5)
    assert cell(rows, "enrichment", "genic")["value"] is None
    assert not any(row["metric"] == "ppl" for row in rows)
    assert all(set(row) == set(DNA_SCORES.columns) for row in rows)


def test_tokens_in_promoters(striped, settings, save, compressed_window):
    # promoter stripes of 16 bp get 4 tokens of 4 bp, NIG stripes one token of 16 bp
    starts = [
        s for stripe in range(0, 128, 32) for s in (*range(stripe, stripe + 16, 4), stripe + 16)
    ]
    windows = [compressed_window(place, starts) for place in striped.corpus]
    rows, _ = rows_of(save("m", windows, target_bpt=TARGET), striped, settings)
    assert cell(rows, "bpt", "promoter")["value"] == pytest.approx(4)
    assert cell(rows, "bpt", "nig")["value"] == pytest.approx(16)
    assert cell(rows, "enrichment", "promoter")["value"] == pytest.approx((4 / 5) / (1 / 2))
    assert cell(rows, "enrichment_window_mean", "promoter")["value"] == pytest.approx(1.6)
    assert cell(rows, "target_bpt", "nig")["value"] == 64
    assert cell(rows, "micro_err")["value"] == pytest.approx(
        (abs(np.log(4 / 32)) + abs(np.log(16 / 64))) / 2
    )


def test_random_boundaries_have_no_enrichment(
    striped, settings, save, compressed_window, random_cuts
):
    rng = np.random.default_rng(5)
    windows = [compressed_window(place, random_cuts(rng, 128, 40)) for place in striped.corpus]
    rows, _ = rows_of(save("random", windows), striped, settings)
    row = cell(rows, "enrichment", "promoter")
    assert row["value"] == pytest.approx(1, abs=0.15)
    assert row["ci_low"] < 1 < row["ci_high"]


@pytest.mark.parametrize("kind", ["exact", "looked_ahead", "pseudo"])
def test_only_exact_likelihoods_enter_bits_per_base(
    striped, settings, save, compressed_window, kind
):
    """One window of many that saw the future is enough; a pseudo-likelihood has neither row."""
    windows = []
    for number, place in enumerate(striped.corpus):
        nll = np.full(128, np.log(2), dtype=np.float32)
        own = kind if number == 3 or kind == "pseudo" else "exact"
        windows.append(compressed_window(place, [0, 64], nll=nll, nll_kind=own))
    rows, _ = rows_of(save("m", windows), striped, settings)
    metrics = {row["metric"] for row in rows}
    if kind == "pseudo":
        assert not metrics & {"ppl", "bits_per_base"}
        return
    bits = cell(rows, "bits_per_base")
    assert cell(rows, "ppl")["value"] == pytest.approx(2)
    if kind == "exact":
        assert bits["value"] == pytest.approx(1)
    else:
        assert bits["value"] is None and bits["ci_low"] is None
        assert bits["note"].startswith("a bound looked ahead, so the likelihood is not exact")


def test_perplexity_and_bounds(striped, settings, save, compressed_window):
    windows = []
    for number, place in enumerate(striped.corpus):
        nll = np.where(place.regions == 0, np.log(2), np.log(4)).astype(np.float32)
        nll[0] = np.nan
        bound = np.array([number == 0, number < 4])
        windows.append(compressed_window(place, [0, 64], nll=nll, bound_active=bound))
    rows, facts = rows_of(file := save("m", windows), striped, settings)
    assert cell(rows, "ppl", "promoter")["value"] == pytest.approx(2)
    assert cell(rows, "bits_per_base", "nig")["value"] == pytest.approx(2)
    mean = (63 * np.log(2) + 64 * np.log(4)) / 127
    assert cell(rows, "ppl")["value"] == pytest.approx(np.exp(mean))
    assert cell(rows, "bound_bit_share")["value"] == pytest.approx(0.5)
    assert cell(rows, "bound_bit_share_stage0")["value"] == pytest.approx(1 / 8)
    assert "ppl_release_weighting" not in {row["metric"] for row in rows}  # case was not read
    table = window_table(collect(file, facts), facts)
    assert table["bound_bit"].tolist() == [1, 1, 1, 1, 0, 0, 0, 0]
    assert table["tokens"].tolist() == [2] * 8
    assert table["ppl"].tolist() == pytest.approx([np.exp(mean)] * 8)


def test_losses_of_windows_in_which_no_bound_was_active(striped, settings, save, compressed_window):
    """Two windows where a bound looked ahead have other losses than the six without."""
    windows = []
    for number, place in enumerate(striped.corpus):
        hit = number < 2
        nll = np.full(128, np.log(3 if hit else 2), dtype=np.float32)
        kind = "looked_ahead" if hit else "exact"
        more = {"bound_active": np.array([hit]), "nll_kind": kind}
        windows.append(compressed_window(place, [0, 64], nll=nll, **more))
    rows, _ = rows_of(save("m", windows), striped, settings)
    assert cell(rows, "ppl")["value"] == pytest.approx(2 ** (6 / 8) * 3 ** (2 / 8))
    assert cell(rows, "bits_per_base")["value"] is None
    for region in ("all", "promoter", "nig"):
        found = cell(rows, "ppl_unbounded", region)
        assert found["value"] == pytest.approx(2, rel=1e-6)
        assert (found["n"], found["unit"]) == (6, "windows")
        assert cell(rows, "bits_per_base_unbounded", region)["value"] == pytest.approx(1, rel=1e-6)
    everywhere = [
        compressed_window(
            place, [0], nll=np.zeros(128, dtype=np.float32), bound_active=np.array([True])
        )
        for place in striped.corpus
    ]
    rows, _ = rows_of(save("bound", everywhere), striped, settings)
    assert cell(rows, "ppl_unbounded")["value"] is None
    assert cell(rows, "ppl_unbounded")["n"] == 0


def test_soft_masked_bases_count_a_tenth_in_the_weighting_of_the_release(
    toy, settings, save, compressed_window
):
    """By hand: half of the first window is in lower case; the other segment is not soft-masked."""
    first = random_dna(64)
    toy.tile(toy.add_segment("p", first[:32].lower() + first[32:], "nig", soft_masked=1), 128,
             pad_last=True)  # fmt: skip
    toy.tile(toy.add_segment("q", random_dna(128, 2), "nig"), 128)
    losses = np.full(128, np.log(4), dtype=np.float32)
    losses[:32] = np.log(2)
    losses[64:] = np.nan  # padding of the first window
    windows = [
        compressed_window(toy.corpus[0], [0, 64], nll=losses),
        compressed_window(toy.corpus[1], [0, 64], nll=np.full(128, 1.3, dtype=np.float32)),
    ]
    facts = read_facts(toy.reader(), settings, assembly=toy.assembly())
    sums = collect(save("m", windows), facts)
    rows = compression_rows(sums, facts, "test", "simulated")
    nats = (32 * 0.1 * np.log(2) + 32 * np.log(4)) / 64
    found = cell(rows, "ppl_release_weighting")
    assert found["value"] == pytest.approx(np.exp(nats), rel=1e-6)
    assert found["n"] == 1
    assert cell(rows, "ppl")["n"] == 2
    other = toy.assembly()
    other.segments = other.segments[1:]
    with pytest.raises(GenezipError, match="the source has no segment p"):
        read_facts(toy.reader(), settings, assembly=other)


def test_windows_without_a_group_are_skipped_in_the_window_mean(
    toy, settings, save, compressed_window
):
    for name, regions in (("p", [0] * 8 + [5] * 8), ("q", "nig")):
        toy.tile(toy.add_segment(name, "ACGT" * 4, regions), 16)
    windows = [compressed_window(place, [0, 4, 8]) for place in toy.corpus]
    rows, _ = rows_of(save("m", windows), toy, settings)
    row = cell(rows, "enrichment_window_mean", "promoter")
    assert row["value"] == pytest.approx((2 / 3) / (1 / 2))
    assert row["n"] == 1
    # pooled: 2 of 6 tokens on 8 of 32 bases
    assert cell(rows, "enrichment", "promoter")["value"] == pytest.approx((2 / 6) / (8 / 32))


def test_an_interval_over_few_blocks_is_marked_in_the_file(
    toy, settings, save, compressed_window, tmp_path
):
    """Twelve blocks of 128 bp; promoters in five of them, CDS in two."""
    regions = np.full(1536, CLASS_IDS["nig"])
    for block in range(5):
        regions[128 * block : 128 * block + 40] = CLASS_IDS["promoter"]
    for block in range(2):
        regions[128 * block + 50 : 128 * block + 90] = CLASS_IDS["cds"]
    toy.tile(toy.add_segment("p", random_dna(1536), regions), 128)
    random = np.random.default_rng(1)
    windows = [
        compressed_window(place, [0, *sorted(random.choice(np.arange(1, 128), 9, replace=False))])
        for place in toy.corpus
    ]
    rows, _ = rows_of(save("uneven", windows, seed=1), toy, settings.model_copy(
        update={"block_bp": 128}))  # fmt: skip
    DNA_SCORES.write(tmp_path / "rows.tsv", rows)
    found = DNA_SCORES.read(tmp_path / "rows.tsv")
    found = found[(found["metric"] == "bpt") & (found["subset"] == "all")].set_index("region")
    assert found.loc["all", ["blocks", "note"]].fillna("").tolist() == [12, ""]
    assert found.loc["promoter", ["blocks", "note"]].tolist() == [5, "few blocks"]
    assert found.loc["cds", ["blocks", "note"]].tolist() == [
        2, "no interval: it needs 3 blocks and has 2",
    ]  # fmt: skip
    assert np.isnan(found.loc["cds", "ci_low"])
