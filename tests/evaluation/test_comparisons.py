"""Paired differences: exact zeros, pairing of seeds and routers, GC tertiles."""

import numpy as np
import pytest
from toolkit.dna import random_dna

from genezip.errors import GenezipError
from genezip.evaluation.baselines import BaselineWindows
from genezip.evaluation.comparisons import comparison_rows
from genezip.evaluation.windows import collect, read_facts
from genezip.region_classes import MOST_CLASSES


@pytest.fixture
def genome(toy):
    """Twelve windows of 512 bp of varying GC, one promoter of 64 bp in each."""
    rng = np.random.default_rng(2)
    for number in range(12):
        gc = 0.2 + 0.05 * number
        text = random_dna(512, rng, p=[(1 - gc) / 2, gc / 2, gc / 2, (1 - gc) / 2])
        regions = np.full(512, 5)
        regions[200:264] = 0
        toy.tile(toy.add_segment(f"p{number}", text, regions), 512)
    return toy


@pytest.fixture
def collected(genome, settings, save, compressed_window):
    facts = read_facts(genome.reader(), settings)

    def make(name, starts, nll=None, kind="exact", **head):
        windows = [
            compressed_window(
                place,
                starts,
                nll=None if nll is None else np.full(512, nll, dtype=np.float32),
                nll_kind=kind,
            )
            for place in genome.corpus
        ]
        return collect(save(name, windows, **head), facts)

    return facts, make


EVEN = range(0, 512, 64)
STEERED = (0, 128, *range(200, 264, 16), 264, 388)  # as many tokens, four inside the promoter


def value(rows, model, metric, subset="all", region="promoter", seed=0):
    found = [
        row
        for row in rows
        if (row["model"], row["metric"], row["subset"], row["region"], row["seed"])
        == (model, metric, subset, region, seed)
    ]
    assert len(found) == 1, found
    return found[0]


def test_identical_files_differ_by_exactly_zero(collected):
    facts, make = collected
    files = [make("ours", STEERED, seed=0, nll=1.2), make("twin", STEERED, seed=0, nll=1.2)]
    rows = comparison_rows(files, facts, "ours", "twin", "test", "simulated")
    differences = [row for row in rows if row["metric"].endswith("_difference")]
    assert {row["subset"] for row in differences} >= {"all", "n_le_5pct", "gc_tertile_mean"}
    for row in differences:
        if row["region"] != "genic":
            assert (row["value"], row["ci_low"], row["ci_high"]) == (0, 0, 0)
    ratio = value(rows, "ours / twin", "enrichment_ratio")
    assert (ratio["value"], ratio["ci_low"], ratio["ci_high"]) == (1, 1, 1)


def test_perplexity_that_looked_ahead_is_compared_under_the_causal_bound(collected):
    facts, make = collected
    ours = make("ours", STEERED, seed=0, nll=1.2, kind="looked_ahead")
    causal, even = make("ours (causal bound)", STEERED, seed=0, nll=1.25), make("even", EVEN, 1.3)
    alone = comparison_rows([ours, even], facts, "ours", "even", "test", "simulated")
    names = {(row["model"], row["metric"]) for row in alone}
    assert ("ours - even", "enrichment_difference") in names
    assert ("ours - even", "ppl_difference") not in names
    rows = comparison_rows([ours, causal, even], facts, "ours", "even", "test", "simulated")
    ppl = value(rows, "ours - even", "ppl_difference", region="all")
    assert ppl["value"] == pytest.approx(np.exp(1.25) - np.exp(1.3), rel=1e-5)
    ahead = value(rows, "ours - ours (causal bound)", "ppl_difference", region="all")
    assert ahead["value"] == pytest.approx(np.exp(1.2) - np.exp(1.25), rel=1e-5)


def test_a_steered_router_beats_an_even_one_in_every_tertile(collected):
    facts, make = collected
    files = [make("ours", STEERED, seed=0, nll=1.2), make("even", EVEN, seed=0, nll=1.3)]
    rows = comparison_rows(files, facts, "ours", "even", "test", "simulated")
    expected = (4 / 8) / (64 / 512) - 1  # four of eight tokens on an eighth of the bases
    assert value(rows, "ours - even", "enrichment_difference")["value"] == pytest.approx(expected)
    for subset in ("gc_tertile_1", "gc_tertile_2", "gc_tertile_3", "gc_tertile_mean"):
        row = value(rows, "ours - even", "enrichment_difference", subset)
        assert row["ci_low"] > 1
        apart = [value(rows, name, "enrichment", subset)["value"] for name in ("ours", "even")]
        assert row["value"] == pytest.approx(apart[0] - apart[1])
    ppl = value(rows, "ours - even", "ppl_difference", region="all")
    assert ppl["value"] == pytest.approx(np.exp(1.2) - np.exp(1.3), rel=1e-5)
    edges = [value(rows, "corpus", "gc_upper_edge", f"gc_tertile_{k}", "all", None) for k in (1, 2)]
    assert edges[0]["value"] < edges[1]["value"]


def test_tertile_enrichment_by_hand(collected, genome):
    facts, make = collected
    files = [make("ours", STEERED, seed=0), make("even", EVEN, seed=0)]
    rows = comparison_rows(files, facts, "ours", "even", "test", "simulated")
    tokens = tokens_promoter = bases = bases_promoter = 0.0
    density = np.repeat(1 / np.diff([*STEERED, 512]), np.diff([*STEERED, 512]))
    for place, cells in zip(genome.corpus, facts.cells, strict=True):
        lowest = cells // MOST_CLASSES == 0
        promoter = lowest & (place.regions == 0)
        tokens, bases = tokens + density[lowest].sum(), bases + lowest.sum()
        tokens_promoter += density[promoter].sum()
        bases_promoter += promoter.sum()
    expected = (tokens_promoter / tokens) / (bases_promoter / bases)
    assert value(rows, "ours", "enrichment", "gc_tertile_1")["value"] == pytest.approx(expected)


def test_seeds_are_paired_and_averaged(collected):
    facts, make = collected
    files = [
        make("ours", STEERED, seed=0),
        make("ours", EVEN, seed=1),
        make("control", EVEN, seed=0),
        make("control", EVEN, seed=1),
    ]
    rows = comparison_rows(files, facts, "ours", "control", "test", "simulated")
    per_seed = [
        value(rows, "ours - control", "enrichment_difference", seed=seed)["value"]
        for seed in (0, 1, None)
    ]
    assert per_seed[0] == pytest.approx(3)
    assert per_seed[1] == pytest.approx(0)
    assert per_seed[2] == pytest.approx(1.5)


def test_routers_of_every_seed_are_compared_and_averaged(collected):
    facts, make = collected
    files = [make("control", EVEN, seed=0)]
    for seed, starts in enumerate((STEERED, EVEN)):
        files.append(make("ours", starts, seed=seed))
        files.append(make("fixed_stride", EVEN, seed=seed, like="ours", like_seed=seed))
    rows = comparison_rows(files, facts, "ours", "control", "test", "simulated")
    for subset in ("all", "gc_tertile_mean"):
        first, second, mean = (
            value(rows, "ours - fixed_stride", "enrichment_difference", subset, seed=seed)["value"]
            for seed in (0, 1, None)
        )
        assert first > 1
        assert second == pytest.approx(0)
        assert mean == pytest.approx(first / 2)


def test_a_router_belongs_to_the_run_it_copies(collected):
    facts, make = collected
    ours = make("ours", STEERED, seed=0)
    control = make("control", EVEN, seed=0)
    other_seed = make("gc_cpg", EVEN, seed=1, like="ours", like_seed=1)
    rows = comparison_rows([ours, control, other_seed], facts, "ours", "control", "test", "x")
    assert not any(row["model"] == "ours - gc_cpg" for row in rows)
    stale = make("gc_cpg", [0, 5], seed=0, like="ours", like_seed=0)
    with pytest.raises(GenezipError, match="another run of ours"):
        comparison_rows([ours, control, stale], facts, "ours", "control", "test", "x")


def test_perplexity_is_compared_with_every_markov_order_window_by_window(collected, settings):
    facts, make = collected
    files = [
        make("ours", EVEN, seed=0, nll=1.2),
        make("ours", EVEN, seed=1, nll=1.1),
        make("control", EVEN, seed=0, nll=1.25),
        make("router", EVEN),
    ]
    predicted = files[0].by_strand["+"]["predicted"]
    # each window is 0.1 nats worse under order 4 than under ours, whatever its own level
    level = np.linspace(0.5, 1.5, 12)[:, None]
    ours = {"nll": predicted * level, "predicted": predicted}
    files[0].by_strand["+"].update(ours)
    markov = BaselineWindows(
        {
            "markov0": {"nll": predicted * 1.4, "predicted": predicted},
            "markov4": {"nll": predicted * (level + 0.1), "predicted": predicted},
        }
    )
    rows = comparison_rows(files, facts, "ours", "control", "test", "simulated", markov)
    models = {row["model"] for row in rows if "markov" in row["model"]}
    assert models == {f"{name} - markov{k}" for name in ("ours", "control") for k in (0, 4)}
    row = value(rows, "ours - markov4", "ppl_difference", region="all")
    assert row["value"] == pytest.approx(np.exp(1) - np.exp(1.1))
    # paired: the level of a window cancels up to its factor, and the sign never changes
    assert row["ci_low"] < row["value"] < row["ci_high"] < 0
    alone = np.exp(level.mean()) * 0.1
    assert row["ci_high"] - row["ci_low"] < alone
    seeds = [
        value(rows, "ours - markov0", "ppl_difference", region="all", seed=seed)["value"]
        for seed in (0, 1, None)
    ]
    assert seeds[2] == pytest.approx((seeds[0] + seeds[1]) / 2)
    other = BaselineWindows({"markov0": {"nll": predicted, "predicted": predicted + 1}})
    with pytest.raises(GenezipError, match="predict other bases than ours"):
        comparison_rows(files, facts, "ours", "control", "test", "simulated", other)


def test_blocks_behind_each_subset_are_counted(collected):
    """Twelve pieces are twelve groups of blocks; windows of 512 bp in blocks of 64 start one."""
    facts, make = collected
    files = [make("ours", STEERED, seed=0), make("even", EVEN, seed=0)]
    rows = comparison_rows(files, facts, "ours", "even", "test", "simulated")
    for subset in ("all", "n_le_5pct"):
        for region in ("all", "promoter"):
            row = value(rows, "corpus", "blocks", subset, region, None)
            assert (row["value"], row["n"], row["unit"]) == (12, 12, "windows")
    for number in range(3):
        for region, classes in (("all", range(7)), ("promoter", [0])):
            held = [
                (
                    (cells // MOST_CLASSES == number) & np.isin(cells % MOST_CLASSES, list(classes))
                ).any()
                for cells in facts.cells
            ]
            row = value(rows, "corpus", "blocks", f"gc_tertile_{number + 1}", region, None)
            assert row["value"] == sum(held)
    fewest = value(rows, "corpus", "blocks", "gc_tertile_mean", "promoter", None)["value"]
    assert fewest == min(
        value(rows, "corpus", "blocks", f"gc_tertile_{k}", "promoter", None)["value"]
        for k in (1, 2, 3)
    )


def test_a_missing_model_is_named(collected):
    facts, make = collected
    with pytest.raises(GenezipError, match="no compressed file of control is given, only ours"):
        comparison_rows([make("ours", EVEN)], facts, "ours", "control", "test", "simulated")
