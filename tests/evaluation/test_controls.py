"""Controls copy windows and token counts; the rates and the choices of the GC/CpG router."""

from itertools import pairwise

import numpy as np
import pytest

from genezip.alphabet import encode
from genezip.config import Evaluation
from genezip.errors import GenezipError
from genezip.evaluation.controls import (
    N_BINS,
    choice_windows,
    composition_bins,
    cpg_starts,
    learn_composition_router,
    learn_rates,
    surprisal_starts,
    try_rates,
    write_fixed_stride,
    write_gc_cpg,
)
from genezip.inference.table import read_compressed
from genezip.metrics import compression as metrics
from genezip.metrics.compression import rate_starts
from genezip.region_classes import CLASSES, GENE7

TARGET = {**dict.fromkeys(CLASSES, 64.0), "promoter": 8.0}
ISLANDS = {**dict.fromkeys(CLASSES, 64.0), "promoter": 4.0}
SHARPNESS = [1.0, 1.5, 2.0, 3.0]


def add(toy, name, split, size, gc, run=200, every=1000):
    """DNA whose region is its composition: promoters are ``gc`` rich, the rest is poor."""
    rng = np.random.default_rng(len(toy.segments))
    regions = np.full(size, CLASSES.index("nig"))
    for start in range(every // 2, size - run, every):
        regions[start : start + run] = 0
    share = np.where(regions == 0, gc, 1 - gc)[:, None]
    weights = np.concatenate([1 - share, share, share, 1 - share], axis=1) / 2
    letters = np.array(list("ACGT"))[(rng.random((size, 1)) > weights.cumsum(axis=1)).sum(axis=1)]
    toy.tile(toy.add_segment(name, "".join(letters), regions, split=split), 2000)


def world(toy, gc, **shape):
    for name, split, size in (("a", "train", 40_000), ("b", "valid", 20_000), ("c", "test", 8000)):
        add(toy, name, split, size, gc, **shape)
    return toy


def oracle_enrichment(windows):
    """Promoter enrichment where every base gets exactly 1 / B_r tokens."""
    bp = np.sum([np.bincount(regions, minlength=7) for regions in windows.regions], axis=0)
    tokens = bp / metrics.target_array(TARGET, GENE7)
    return metrics.enrichment(bp, tokens, metrics.groups_of(GENE7))[0]


def test_rates_are_means_over_training_bases(toy):
    world(toy, 0.8)
    rates = learn_rates(*toy.mapped(), TARGET, 8)
    assembly = toy.assembly()
    bins = composition_bins(assembly.ids(assembly.segments_of("train")[0]), 8)
    wanted = np.where(toy.classes["a"] == 0, 1 / 8, 1 / 64)
    for number in np.unique(bins):
        here = wanted[bins == number]
        pulled = (here.sum() + 1000 * wanted.mean()) / (len(here) + 1000)
        assert rates[number] == pytest.approx(pulled)
    assert rates[N_BINS - 1] == pytest.approx(wanted.mean())


def test_of_much_dna_rates_are_learned_on_evenly_spaced_stretches(toy):
    add(toy, "a", "train", 400_000, 0.8)
    rates = learn_rates(*toy.mapped(), TARGET, 8, most_bp=200_000)
    assembly = toy.assembly()
    bins = composition_bins(assembly.ids(assembly.segments_of("train")[0]), 8)
    read = np.zeros(400_000, dtype=bool)
    for start in (0, 2 * 131_072):  # every other stretch
        read[start : start + 131_072] = True
    wanted = np.where(toy.classes["a"] == 0, 1 / 8, 1 / 64)
    for number in np.unique(bins[read]):
        here = wanted[read & (bins == number)]
        pulled = (here.sum() + 1000 * wanted[read].mean()) / (len(here) + 1000)
        assert rates[number] == pytest.approx(pulled)


def test_composition_bins_of_n_only():
    assert (composition_bins(encode("N" * 5), 4) == N_BINS - 1).all()


@pytest.mark.parametrize(
    ("gc", "width", "shape"), [(0.8, 32, {}), (0.75, 64, {"run": 400, "every": 2000})]
)
def test_where_composition_tells_the_region_the_router_is_nearly_an_oracle(toy, gc, width, shape):
    """Sharpness makes up for regression to the mean, with which a linear router falls behind."""
    world(toy, gc, **shape)
    settings = Evaluation(composition_windows=[width], composition_sharpness=SHARPNESS)
    router = learn_composition_router(*toy.opened(), TARGET, settings)
    oracle = oracle_enrichment(choice_windows(toy.reader()))
    by_sharpness = {trial.sharpness: trial for trial in router.trials}
    linear, chosen = by_sharpness[1.0], by_sharpness[router.sharpness]
    assert chosen.promoter_enrichment == pytest.approx(oracle, rel=0.03)
    assert chosen.micro_err < 0.05
    assert linear.promoter_enrichment < 0.6 * oracle
    assert linear.micro_err > 0.5


def test_a_rate_that_is_right_as_it_is_stays_linear(toy):
    """Rates of an oracle: the budget is met by the exponent 1, and missed by any other."""
    world(toy, 1.0, run=400, every=2000)
    windows = choice_windows(toy.reader())
    rates = np.full(N_BINS, 1 / 64)
    for ids, regions in zip(windows.ids, windows.regions, strict=True):
        rates[composition_bins(ids, 1)[regions == 0]] = 1 / 8
    trials = list(try_rates(rates, 1, [0.5, *SHARPNESS], windows, TARGET))
    best = min(trials, key=lambda trial: trial.micro_err)
    assert best.sharpness == 1
    assert best.micro_err < 0.05
    assert best.promoter_enrichment == pytest.approx(oracle_enrichment(windows), rel=0.05)


def test_the_smallest_micro_err_wins_and_a_trial_is_as_described(toy):
    world(toy, 0.8)
    settings = Evaluation(composition_windows=[16, 64], composition_sharpness=[1, 2])
    router = learn_composition_router(*toy.opened(), TARGET, settings)
    assert [(t.width, t.sharpness) for t in router.trials] == [(16, 1), (16, 2), (64, 1), (64, 2)]
    best = min(router.trials, key=lambda trial: trial.micro_err)
    assert (router.width, router.sharpness) == (best.width, best.sharpness)
    assert router.split == "valid"

    # the same trial, slowly: one window after the other, tokens base by base
    target = metrics.target_array(TARGET, GENE7)
    windows = list(toy.windows("valid"))
    sharp = [router.rates[composition_bins(w.ids, best.width)] ** best.sharpness for w in windows]
    budget = sum(sum(1 / target[region] for region in w.regions) for w in windows)
    total = sum(rate.sum() for rate in sharp)
    bp, tokens, spent, share = np.zeros(7), np.zeros(7), 0, 0.0
    for window, rate in zip(windows, sharp, strict=True):
        share += rate.sum()
        count = round(budget * share / total) - spent
        spent += count
        bounds = [*rate_starts(rate, count).tolist(), len(rate)]
        for start, end in pairwise(bounds):
            for region in window.regions[start:end]:
                bp[region] += 1
                tokens[region] += 1 / (end - start)
    assert best.micro_err == pytest.approx(float(metrics.micro_err(bp, tokens, target)))
    assert tokens.sum() == pytest.approx(round(budget))


def test_held_out_windows_are_never_looked_at(toy):
    world(toy, 0.8)
    asked, reader = [], toy.reader()
    windows = reader.windows

    def spy(split):
        asked.append(split)
        return windows(split)

    reader.windows = spy
    settings = Evaluation(composition_windows=[16], composition_sharpness=[1])
    learn_composition_router(*toy.mapped(), reader, TARGET, settings)
    assert set(asked) == {"valid"}


def test_training_windows_serve_where_there_is_no_validation(toy):
    add(toy, "a", "train", 8000, 0.8)
    assert choice_windows(toy.reader()).split == "train"
    assert len(choice_windows(toy.reader()).ids) == 4
    toy.tiles.clear()
    with pytest.raises(GenezipError, match="gc_cpg cannot choose its width"):
        choice_windows(toy.reader())


def test_a_sharper_rate_is_denser_in_promoters(toy):
    world(toy, 0.7)
    rates = learn_rates(*toy.mapped(), TARGET, 32)
    trials = list(try_rates(rates, 32, SHARPNESS, choice_windows(toy.reader()), TARGET))
    enrichment = [trial.promoter_enrichment for trial in trials]
    assert enrichment == sorted(enrichment)


def test_training_dna_without_bases_is_refused(toy):
    toy.add_segment("a", "N" * 50, "nig", split="train")
    with pytest.raises(GenezipError, match="gc_cpg cannot learn"):
        learn_rates(*toy.mapped(), TARGET, 8)


@pytest.fixture
def islands(toy):
    """Promoters are CpG islands of 40 bp in AT-rich DNA, on train, valid and test."""
    rng = np.random.default_rng(4)
    for name, split, size in (("a", "train", 4000), ("b", "valid", 1200), ("c", "test", 1200)):
        letters = rng.choice(list("ACGT"), size, p=[0.4, 0.1, 0.1, 0.4])
        regions = np.full(size, 5)
        for start in range(100, size - 100, 300):
            letters[start : start + 40] = list("CG" * 20)
            regions[start : start + 40] = 0
        toy.tile(toy.add_segment(name, "".join(letters), regions, split=split), 400)
    return toy


def test_tokens_are_copied_and_the_choice_is_recorded(
    islands, settings, save, compressed_window, random_cuts, tmp_path
):
    rng = np.random.default_rng(0)
    counts = (5, 31, 200)
    windows = [
        compressed_window(place, random_cuts(rng, 400, count))
        for place, count in zip(islands.windows("test"), counts, strict=True)
    ]
    like = save("model", windows, seed=3, target_bpt=ISLANDS)
    out = tmp_path / "gc_cpg.parquet"
    write_gc_cpg(like, *islands.opened(), ISLANDS, settings, out)
    router = read_compressed(out)
    assert (router.name, router.seed) == ("gc_cpg", 3)
    assert (router.info["like"], router.info["like_seed"]) == ("model", 3)
    assert [len(window.token_starts) for window in router.windows()] == list(counts)
    learned = learn_composition_router(*islands.opened(), ISLANDS, settings)
    assert router.info["composition_bp"] == learned.width
    assert router.info["composition_sharpness"] == learned.sharpness
    assert router.info["chosen_on"] == "valid"
    trials = router.info["trials"]
    assert {(trial["width"], trial["sharpness"]) for trial in trials} == {
        (width, sharpness) for width in (8, 16) for sharpness in (1, 2)
    }
    assert all(trial["promoter_enrichment"] > 1.3 for trial in trials)
    for place, window in zip(islands.windows("test"), router.windows(), strict=True):
        expected = learned.starts(place.ids, len(window.token_starts))
        assert window.token_starts.tolist() == expected.tolist()
    write_fixed_stride(like, out)
    stride = read_compressed(out)
    assert [len(window.token_starts) for window in stride.windows()] == list(counts)
    assert stride.target_bpt is None


def test_tokens_at_cpg_by_hand() -> None:
    ids = encode("ACGTTTACGAAACGTTTTTT")  # G of CpG at 2, 8 and 13
    assert cpg_starts(ids, 1).tolist() == [0]
    assert cpg_starts(ids, 4).tolist() == [0, 2, 8, 13]
    assert cpg_starts(ids, 3).tolist() == [0, 2, 8]  # every first of two, then three
    six = cpg_starts(ids, 6).tolist()
    assert {0, 2, 8, 13} < set(six) and len(six) == 6
    assert cpg_starts(ids, 20).tolist() == list(range(20))


def test_tokens_at_the_largest_rises_against_a_loop() -> None:
    rng = np.random.default_rng(1)
    for tokens in (1, 2, 7, 40):
        nats = rng.random(40).round(1)
        nats[rng.integers(1, 40, 5)] = np.nan
        nats[0] = np.nan  # the first base is never predicted
        known = [0.0 if np.isnan(one) else one for one in nats]
        rises = [-np.inf if np.isnan(nats[t]) else known[t] - known[t - 1] for t in range(1, 40)]
        order = sorted(range(1, 40), key=lambda t: (-rises[t - 1], t))
        expected = sorted([0, *order[: tokens - 1]])
        assert surprisal_starts(nats, tokens).tolist() == expected


def test_padded_windows_get_n(islands, settings, save, compressed_window, tmp_path):
    islands.tile(islands.add_segment("d", "ACGT" * 50, "nig"), 400, pad_last=True)
    like = save("model", [compressed_window(islands.corpus[-1], [0, 100, 250])])
    write_gc_cpg(
        like,
        *islands.opened(),
        ISLANDS,
        settings,
        tmp_path / "x.parquet",
    )
    (window,) = read_compressed(tmp_path / "x.parquet").windows()
    assert (window.end - window.start, window.length, len(window.token_starts)) == (200, 400, 3)
