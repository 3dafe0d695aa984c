"""A genome with a region class of the user: every sum against a loop over bases."""

from collections import Counter, defaultdict
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from toolkit.dna import random_dna
from toolkit.region_classes import with_enhancer

from genezip.config import Evaluation
from genezip.errors import GenezipError
from genezip.evaluation.baselines import (
    baseline_rows,
    read_baseline_windows,
    score_baselines,
    write_baseline_windows,
)
from genezip.evaluation.comparisons import comparison_rows
from genezip.evaluation.compression import compression_rows, window_table
from genezip.evaluation.controls import learn_composition_router, learn_rates
from genezip.evaluation.locus import Locus, region_rows
from genezip.evaluation.repeats.counts import read_routers, tally_routers
from genezip.evaluation.repeats.sets import RepeatAnnotation, repeat_rows
from genezip.evaluation.windows import collect, read_facts
from genezip.genome.region_map import RegionMap
from genezip.metrics import compression as metrics
from genezip.region_classes import CLASSES, GENE7, RegionClasses, UserClass

BP = 128
TARGET = {**dict.fromkeys(CLASSES, 64.0), "promoter": 8.0, "enhancer": 16.0}


@pytest.fixture
def world(eight):
    """Pieces of runs of 16 bp, each of any of the eight classes; only ``t`` is held out."""
    rng = np.random.default_rng(1)
    for name, split in (("a", "train"), ("b", "valid"), ("t", "test")):
        letters = random_dna(8 * BP, rng)
        regions = np.repeat(rng.permutation(np.arange(8 * BP // 16) % 8), 16)
        marks = {"soft_masked": 1, "trf": 1}
        eight.tile(eight.add_segment(name, letters, regions, split=split, **marks), BP)
    return eight


@pytest.fixture
def routed(world, save, compressed_window, random_cuts):
    """Function that writes a made-up model over the held-out windows."""

    def make(name, seed=0, **head):
        rng = np.random.default_rng(len(name))
        windows = []
        for place in world.windows("test"):
            nll = rng.uniform(1, 1.4, BP).astype(np.float32)
            nll[0] = np.nan
            windows.append(compressed_window(place, random_cuts(rng, BP, 12), nll=nll))
        return save(name, windows, seed=seed, **head), windows

    return make


def slowly(world, windows):
    """Bases, tokens, nats and predicted bases of each class name, base by base."""
    found = defaultdict(Counter)
    for place, window in zip(world.windows("test"), windows, strict=True):
        bounds = [*window.token_starts.tolist(), BP]
        for start, end in pairwise(bounds):
            for base in range(start, end):
                name = world.region_classes.names[place.regions[base]]
                found["bp"][name] += 1
                found["tokens"][name] += 1 / (end - start)
                if base:
                    found["predicted"][name] += 1
                    found["nll"][name] += float(window.nll[base])
    return found


def by_region(rows, metric, **where):
    where = {"subset": "all", "strand": "+", **where}
    return {
        row["region"]: row["value"]
        for row in rows
        if row["metric"] == metric and all(row[key] == value for key, value in where.items())
    }


def test_every_row_of_compression_equals_a_loop_over_bases(world, routed, settings):
    file, windows = routed("m", target_bpt=TARGET)
    facts = read_facts(world.reader(), settings)
    rows = compression_rows(collect(file, facts), facts, "test", "simulated")
    slow, names = slowly(world, windows), world.region_classes.names
    bp, tokens = slow["bp"], slow["tokens"]
    assert names[7] == "enhancer"
    assert bp["enhancer"] == BP
    every = {"all": names, **{name: (name,) for name in names}}

    def quotient(above, below, regions):
        return {
            key: pytest.approx(sum(above[n] for n in inside) / sum(below[n] for n in inside))
            for key, inside in regions.items()
        }

    assert by_region(rows, "bpt") == quotient(bp, tokens, every)
    nats = quotient(slow["nll"], slow["predicted"], every)
    assert {key: np.log(value) for key, value in by_region(rows, "ppl").items()} == nats
    share = by_region(rows, "region_share")
    assert share == {name: pytest.approx(bp[name] / (8 * BP)) for name in names}
    groups = {
        "promoter": ("promoter",),
        "genic": ("cds", "utr", "exon", "enhancer"),
        "intergenic": ("intron", "nig", "dig"),
        **{name: (name,) for name in names if name != "promoter"},
    }
    assert by_region(rows, "enrichment") == {
        key: pytest.approx(
            sum(tokens[n] for n in inside) / sum(tokens.values())
            / (sum(bp[n] for n in inside) / sum(bp.values()))
        )
        for key, inside in groups.items()
    }  # fmt: skip
    assert by_region(rows, "target_bpt") == TARGET
    asked = sum(bp[name] / TARGET[name] for name in names)
    assert by_region(rows, "expected_bpt") == {"all": pytest.approx(8 * BP / asked)}
    miss = sum(bp[n] * abs(np.log(bp[n] / tokens[n] / TARGET[n])) for n in names) / (8 * BP)
    assert by_region(rows, "micro_err") == {"all": pytest.approx(miss)}
    table = window_table(collect(file, facts), facts)
    assert table["genic_enrichment"].notna().all()


def test_a_model_of_other_classes_keeps_all_but_its_budget(world, routed, settings, messages):
    file, _ = routed("old", target_bpt={name: TARGET[name] for name in CLASSES})
    facts = read_facts(world.reader(), settings)
    sums = collect(file, facts)
    assert messages() == [
        "old was made for other region classes than the corpus has (enhancer); metrics that need "
        "its targets are left out"
    ]
    rows = compression_rows(sums, facts, "test", "simulated")
    metrics_found = {row["metric"] for row in rows}
    assert {"bpt", "enrichment", "ppl"} <= metrics_found
    assert not metrics_found & {"target_bpt", "expected_bpt", "bpt_ratio", "micro_err"}
    assert window_table(sums, facts)["bpt_ratio"].isna().all()


def test_a_class_in_the_promoter_group_counts_there(toy, settings, save, compressed_window):
    """Two of four bases are promoters of a kind; one of two tokens lies on them."""
    own = UserClass("core", before="promoter", label="core", colour="#000000", group="promoter")
    toy.region_classes = RegionClasses((own,))
    toy.tile(toy.add_segment("p", "ACGT" * 4, [0] * 4 + [7] * 4 + [5] * 8), 16)
    facts = read_facts(toy.reader(), settings)
    files = [
        save(name, [compressed_window(place, starts) for place in toy.corpus], seed=0)
        for name, starts in (("ours", [0, 4, 8]), ("even", [0, 8]))
    ]
    sums = [collect(file, facts) for file in files]
    rows = compression_rows(sums[0], facts, "test", "simulated")
    found = by_region(rows, "enrichment")
    assert found["promoter"] == pytest.approx((2 / 3) / (8 / 16))
    assert found["core"] == pytest.approx((1 / 3) / (4 / 16))
    assert by_region(rows, "bpt")["promoter"] == pytest.approx(4)
    paired = comparison_rows(sums, facts, "ours", "even", "test", "simulated")
    difference = by_region(paired, "enrichment_difference", model="ours - even")
    assert difference["promoter"] == pytest.approx((2 / 3) / (8 / 16) - 1)
    assert set(difference) == {"promoter", "genic", "intergenic"}
    blocks = by_region(paired, "blocks", model="corpus")
    assert blocks == {"all": 1, "promoter": 1}


def test_repeats_are_counted_in_every_class(world, routed, settings):
    file, windows = routed("m")
    trf = pd.DataFrame({"chrom": ["t"], "start": [100], "end": [700]})
    repeats = RepeatAnnotation(world.assembly(), None, trf)
    tallies = tally_routers(read_routers([file]), *world.mapped(), repeats, settings)
    rows = repeat_rows(tallies, settings, "test", "simulated")
    bp, tokens = Counter(), Counter()
    for place, window in zip(world.windows("test"), windows, strict=True):
        for base, density in enumerate(window.token_density()):
            if 100 <= place.start + base < 700:
                name = world.region_classes.names[place.regions[base]]
                bp[name] += 1
                tokens[name] += density
    found = by_region(rows, "bpt", subset="tandem_all_pieces")
    assert found.pop("all") == pytest.approx(600 / sum(tokens.values()), rel=1e-5)
    assert found == {n: pytest.approx(bp[n] / tokens[n], rel=1e-5) for n in bp}
    assert "enhancer" in found


def test_markov_models_are_scored_in_every_class(world, settings, tmp_path):
    settings = Evaluation(**{**settings.model_dump(), "markov_orders": [0], "mixing": False})
    facts = read_facts(world.reader(), settings)
    scores = score_baselines(world.reader(), world.assembly(), facts, settings)
    found = by_region(baseline_rows(scores, facts, "test", "simulated"), "ppl", model="markov0")
    assert list(found) == ["all", *world.region_classes.names]
    assert 3 < found["enhancer"] < 5
    path = tmp_path / "markov.parquet"
    write_baseline_windows(path, scores.windows, facts)
    again = read_baseline_windows(path, facts).by_model["markov0"]["predicted"]
    places = list(world.windows("test"))
    assert again.shape == (len(places), 8)
    for row, place in zip(again, places, strict=True):
        assert row.tolist() == np.bincount(place.regions[1:], minlength=8).tolist()
    with pytest.raises(GenezipError, match=r"region classes .*enhancer, the corpus has .*dig;"):
        read_baseline_windows(path, replace(facts, region_classes=GENE7))


def test_the_composition_router_spends_by_the_users_target(world):
    rates = learn_rates(*world.mapped(), TARGET, 4)
    cheap = learn_rates(*world.mapped(), {**TARGET, "enhancer": 1024.0}, 4)
    assert (rates > cheap).all()
    settings = Evaluation(composition_windows=[4], composition_sharpness=[1])
    router = learn_composition_router(*world.opened(), TARGET, settings)
    assert router.rates.tolist() == rates.tolist()
    other = RegionMap({}, GENE7)
    with pytest.raises(GenezipError, match=r"the region map has the classes .*dig, the corpus"):
        learn_composition_router(world.assembly(), other, world.reader(), TARGET, settings)


def test_the_locus_names_the_class(toy):
    toy.region_classes = with_enhancer()
    toy.add_segment("c", "A" * 64, [5] * 10 + [7] * 20 + [5] * 34)
    rows = region_rows(toy.region_map(), Locus("c", 0, 64))
    assert rows[["end", "region"]].to_numpy().tolist() == [
        [10, "nig"],
        [30, "enhancer"],
        [64, "nig"],
    ]


def test_groups_of_the_seven_are_the_papers_and_the_other_classes():
    groups = metrics.groups_of(GENE7)
    assert groups.names == (
        "promoter", "genic", "intergenic", "cds", "utr", "exon", "intron", "nig", "dig",
    )  # fmt: skip
    assert groups.members.sum(axis=0).tolist() == [1, 3, 3, 1, 1, 1, 1, 1, 1]
