"""The arena: systems beside controls with their own number of tokens, ranked with ties."""

import numpy as np
import pytest
from toolkit.dna import random_dna

from genezip.errors import GenezipError
from genezip.evaluation.arena.places import DRAWS, arena_rows, enter, random_starts, ranks
from genezip.evaluation.windows import read_facts
from genezip.metrics.compression import stride_starts, token_density

LENGTH, PROMOTER = 512, slice(200, 264)
EVEN = np.arange(0, LENGTH, 64)
STEERED = np.array([0, 128, *range(200, 264, 16), 264, 388])  # as many, four in the promoter
DENSE = np.array([0, *range(192, 272, 4), 400])  # more tokens, also steered


@pytest.fixture
def genome(toy):
    """Twelve windows of 512 bp, one promoter of 64 bp in each."""
    rng = np.random.default_rng(2)
    for number in range(12):
        regions = np.full(LENGTH, 5)
        regions[PROMOTER] = 0
        toy.tile(toy.add_segment(f"p{number}", random_dna(LENGTH, rng), regions), LENGTH)
    return toy


@pytest.fixture
def arena(genome, settings, save, compressed_window):
    """Function that ranks systems: name -> starts in every window, or function of its number."""
    facts = read_facts(genome.reader(), settings)

    def run(systems, seeds=(0,)):
        entries = []
        for name, starts in systems.items():
            for seed in seeds:
                of = starts if callable(starts) else lambda number, fixed=starts: fixed
                windows = [
                    compressed_window(place, of(number))
                    for number, place in enumerate(genome.corpus)
                ]
                entries.append(enter(save(name, windows, seed=seed), facts, settings.seed))
        return arena_rows(entries, facts, "test", "simulated"), entries

    return run


def value(rows, model, metric, region="promoter", seed=0):
    found = [
        row
        for row in rows
        if (row["model"], row["metric"], row["region"], row["seed"])
        == (model, metric, region, seed)
    ]
    assert len(found) == 1, found
    return found[0]


def enrichment(starts):
    density = token_density(np.asarray(starts), LENGTH)
    return (density[PROMOTER].sum() / density.sum()) / (64 / LENGTH)


def test_a_difference_is_from_chunks_of_equal_length_and_as_many(arena):
    rows, _ = arena({"even": EVEN, "steered": STEERED, "dense": DENSE})
    for name, starts in (("even", EVEN), ("steered", STEERED), ("dense", DENSE)):
        assert value(rows, name, "bpt", "all")["value"] == pytest.approx(LENGTH / len(starts))
        assert value(rows, name, "enrichment")["value"] == pytest.approx(enrichment(starts))
        found = value(rows, f"{name} - fixed_stride", "enrichment_difference")
        control = enrichment(stride_starts(LENGTH, len(starts)))
        assert found["value"] == pytest.approx(enrichment(starts) - control)
        lengths = np.diff([*starts, LENGTH])
        spread = value(rows, name, "chunk_bp_cv", "all")["value"]
        assert spread == pytest.approx(lengths.std() / lengths.mean())
    assert value(rows, "even - fixed_stride", "enrichment_difference")["value"] == 0


def test_the_random_control_has_as_many_tokens_and_is_a_mean_of_draws(arena):
    rows, (entry,) = arena({"steered": STEERED})
    control = entry.controls["random"].by_strand["+"]
    own = entry.sums.by_strand["+"]
    assert np.allclose(control["tokens"].sum((1, 2)), own["tokens"].sum((1, 2)))
    assert np.array_equal(control["bp"], own["bp"])
    rng = [np.random.default_rng([draw, 0]) for draw in range(DRAWS)]
    drawn = [token_density(random_starts(LENGTH, len(STEERED), one), LENGTH) for one in rng]
    expected = np.mean([one[PROMOTER].sum() for one in drawn])
    assert control["tokens"][0].sum(axis=0)[0] == pytest.approx(expected)
    found = value(rows, "steered - random", "enrichment_difference")
    assert found["ci_low"] > 0


def test_random_chunks():
    for tokens in (1, 2, 100, 512):
        starts = random_starts(LENGTH, tokens, np.random.default_rng(tokens))
        assert starts[0] == 0 and len(starts) == tokens == len(np.unique(starts))
        assert starts.dtype == np.int32 and starts[-1] < LENGTH and (np.diff(starts) > 0).all()
    counts = np.zeros(10)
    for seed in range(2000):
        counts[random_starts(10, 4, np.random.default_rng(seed))] += 1
    assert counts[0] == 2000 and np.abs(counts[1:] / 2000 - 1 / 3).max() < 0.05


def test_ranks_ties_and_their_ranges(arena):
    def shaky(number):  # steered in half of the windows
        return STEERED if number % 2 else EVEN

    def shaky_too(number):
        return EVEN if number % 2 else STEERED

    rows, _ = arena({"even": EVEN, "a": shaky, "steered": STEERED, "b": shaky_too})
    found = {name: value(rows, name, "rank", seed=None) for name in ("even", "a", "steered", "b")}
    assert [found[name]["value"] for name in ("steered", "a", "b", "even")] == [1, 2, 2, 4]
    assert (found["steered"]["ci_low"], found["steered"]["ci_high"]) == (1, 1)
    assert (found["a"]["ci_low"], found["a"]["ci_high"]) == (2, 3)
    assert found["a"]["note"] == "tied with b" and found["b"]["note"] == "tied with a"
    assert found["even"]["note"] is None and found["steered"]["note"] is None


def test_all_seeds_are_shown_and_their_mean_is_ranked(arena):
    rows, _ = arena({"even": EVEN, "steered": STEERED}, seeds=(0, 1))
    for seed in (0, 1, None):
        one = value(rows, "steered - fixed_stride", "enrichment_difference", seed=seed)
        assert one["value"] == pytest.approx(enrichment(STEERED) - enrichment(EVEN))
    assert value(rows, "steered", "rank", seed=None)["value"] == 1


def test_a_run_that_is_given_twice_is_refused(arena):
    with pytest.raises(GenezipError, match="even, seed 0, is given twice; name each of its files"):
        arena({"even": EVEN}, seeds=(0, 0))


def test_a_corpus_without_promoters_ranks_nothing(toy, settings, save, compressed_window):
    toy.tile(toy.add_segment("p", random_dna(1024, np.random.default_rng(0)), "intron"), LENGTH)
    facts = read_facts(toy.reader(), settings)
    windows = [compressed_window(place, EVEN) for place in toy.corpus]
    entry = enter(save("even", windows, seed=0), facts, 0)
    with pytest.raises(GenezipError, match="no system has a promoter enrichment in the 2 windows"):
        arena_rows([entry], facts, "test", "simulated")


def test_ranks_of_equal_values():
    assert ranks(np.array([3.0, 1.0, 3.0, 2.0])).tolist() == [1, 4, 1, 3]
    assert ranks(np.array([[1.0, 2.0], [2.0, 1.0]])).tolist() == [[2, 1], [1, 2]]
