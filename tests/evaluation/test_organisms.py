"""Next-base losses by organism: subsets, macro means, coding and non-coding, differences."""

import math

import numpy as np
import pytest
from toolkit.dna import random_dna

from genezip.alphabet import encode
from genezip.config import Evaluation
from genezip.errors import GenezipError
from genezip.evaluation.baselines import baseline_rows, fit_own, score_baselines
from genezip.evaluation.comparisons import comparison_rows
from genezip.evaluation.compression import compression_rows
from genezip.evaluation.windows import collect, read_facts
from genezip.genome.organisms import Organism
from genezip.region_classes import CLASS_IDS, CLASSES

ORGANISMS = (
    Organism("one", ("one_train", "one_test"), seen=True),
    Organism("two", ("two_train", "two_test"), seen=True),
    Organism("far", ("far_test",), seen=False),
)
NATS = {"one": 1.2, "two": 1.0, "far": 1.3}  # of coding bases; others have 0.1 more
CDS, NIG = CLASS_IDS["cds"], CLASS_IDS["nig"]


@pytest.fixture
def genomes(toy):
    """Half of the bases are coding; organism one has 2, two 1 and far 3 windows per block."""
    for number, (name, bp) in enumerate((("one", 1024), ("two", 512), ("far", 1536))):
        composition = ([0.4, 0.1, 0.1, 0.4], [0.1, 0.4, 0.4, 0.1], [0.25] * 4)[number]
        if name != "far":
            dna = random_dna(1500, number, p=composition)
            toy.add_segment(f"{name}_train", dna, "cds", split="train")
        regions = np.where(np.arange(bp) // 32 % 2, NIG, CDS)
        dna = random_dna(bp, number + 10, p=composition)
        toy.tile(toy.add_segment(f"{name}_test", dna, regions), 128)
    return toy


def losses(place, shift=0.0):
    nll = np.where(place.regions == CDS, 0, 0.1) + NATS[place.chrom.split("_")[0]] + shift
    nll[0] = np.nan
    return nll.astype(np.float32)


def value(rows, model, subset, metric, region="all"):
    (found,) = [
        row["value"]
        for row in rows
        if (row["model"], row["subset"], row["metric"], row["region"], row["seed"])
        == (model, subset, metric, region, None)
    ]
    return found


def test_losses_by_organism(genomes, settings, save, compressed_window):
    facts = read_facts(genomes.reader(), settings, organisms=ORGANISMS)
    names = [subset.name for subset in facts.subsets[2:]]
    assert names == [
        "one", "two", "far", "seen_organisms", "seen_organisms_mean", "unseen_organisms",
        "unseen_organisms_mean",
    ]  # fmt: skip
    windows = [
        compressed_window(place, [0, 64], nll=losses(place)) for place in genomes.windows("test")
    ]
    other = [
        compressed_window(place, [0, 64], nll=losses(place, 0.2))
        for place in genomes.windows("test")
    ]
    files = [collect(save("m", windows), facts), collect(save("other", other), facts)]
    rows = compression_rows(files[0], facts, "test", "simulated")
    bits = {name: nats / math.log(2) for name, nats in NATS.items()}
    for name, expected in bits.items():
        assert value(rows, "m", name, "bits_per_base", "coding") == pytest.approx(
            expected, abs=1e-6
        )
        noncoding = expected + 0.1 / math.log(2)
        assert value(rows, "m", name, "bits_per_base", "noncoding") == pytest.approx(noncoding)
    mean = (bits["one"] + bits["two"]) / 2
    found = value(rows, "m", "seen_organisms_mean", "bits_per_base", "coding")
    assert found == pytest.approx(mean, abs=1e-6)
    # pooled, organism one has twice as many bases
    pooled = value(rows, "m", "seen_organisms", "bits_per_base", "coding")
    assert pooled == pytest.approx((2 * bits["one"] + bits["two"]) / 3, abs=1e-6)
    far = value(rows, "m", "unseen_organisms_mean", "ppl", "coding")
    assert far == pytest.approx(math.exp(1.3), abs=1e-5)
    paired = comparison_rows(files, facts, "m", "other", "test", "simulated")
    for subset in ("all", "one", "seen_organisms_mean", "unseen_organisms"):
        for region in ("all", "coding", "noncoding"):
            found = value(paired, "m - other", subset, "bits_per_base_difference", region)
            assert found == pytest.approx(-0.2 / math.log(2), abs=1e-6)
    # a macro mean is given of losses alone
    assert {row["metric"] for row in rows if row["subset"] == "seen_organisms_mean"} == {
        "ppl", "bits_per_base",
    }  # fmt: skip


def test_one_genome_has_the_tables_that_it_had(genomes, settings, save, compressed_window):
    facts = read_facts(genomes.reader(), settings)
    assert [subset.name for subset in facts.subsets] == ["all", "n_le_5pct"]
    windows = [
        compressed_window(place, [0, 64], nll=losses(place)) for place in genomes.windows("test")
    ]
    rows = compression_rows(collect(save("m", windows), facts), facts, "test", "simulated")
    assert {row["region"] for row in rows if row["metric"] == "ppl"} == {"all", *CLASSES}


def test_the_macro_mean_is_resampled_within_organisms(genomes, settings, save, compressed_window):
    """Without a block, only the mean of its organism changes: the jackknife by hand."""
    facts = read_facts(genomes.reader(), settings, organisms=ORGANISMS)
    rng = np.random.default_rng(0)
    windows = [
        compressed_window(place, [0, 64], nll=losses(place, rng.normal(0, 0.1)))
        for place in genomes.windows("test")
    ]
    rows = compression_rows(collect(save("m", windows), facts), facts, "test", "simulated")
    subset = next(one for one in facts.subsets if one.name == "seen_organisms_mean")
    chosen = [window for window, inside in zip(windows, subset.chosen, strict=True) if inside]
    blocks = facts.table["block"].to_numpy()[subset.chosen]

    def mean(kept):
        per = [
            np.concatenate([w.nll[1:] for w, k in zip(chosen, kept, strict=True)
                            if k and w.chrom == f"{name}_test"])
            for name in ("one", "two")
        ]  # fmt: skip
        return np.mean([nats.mean() for nats in per]) / math.log(2)

    values = np.array([mean(blocks != b) for b in (-1, *np.unique(blocks))])[:, None]
    expected = subset.bootstrap.summarise(values, scale="ratio")
    (row,) = [
        row for row in rows
        if (row["subset"], row["metric"], row["region"])
        == ("seen_organisms_mean", "bits_per_base", "all")
    ]  # fmt: skip
    for name, limit in (
        ("value", expected.value),
        ("ci_low", expected.low),
        ("ci_high", expected.high),
    ):
        assert row[name] == pytest.approx(limit[0], rel=1e-5)


def test_a_contig_of_no_organism_is_refused(genomes, settings):
    with pytest.raises(GenezipError, match="windows of far_test belong to no organism"):
        read_facts(genomes.reader(), settings, organisms=ORGANISMS[:2])


def test_the_markov_model_of_the_organism_itself(genomes, settings):
    chosen = Evaluation(**{**settings.model_dump(), "markov_orders": [0], "mixing": False})
    facts = read_facts(genomes.reader(), chosen, organisms=ORGANISMS)
    scores = score_baselines(genomes.reader(), genomes.assembly(), facts, chosen)
    rows = baseline_rows(scores, facts, "test", "simulated")
    # organisms of opposite composition: their own model knows it, that of the mixture does not
    for name in ("one", "two"):
        own = value(rows, "markov_own", name, "bits_per_base")
        assert own < 1.8 < 1.9 < value(rows, "markov0", name, "bits_per_base")
    # a held-out organism is cross-fitted: half of its windows tells of the other half
    windows = [w.ids for w in genomes.windows("test") if w.chrom == "far_test"]
    halves = windows[:6], windows[6:]
    nats = []
    for fitted, scored in (halves, halves[::-1]):
        model, order = fit_own(fitted, 0)
        assert order == 0
        for ids in scored:
            counts, strength = model.counts[0], model.strengths[0]
            p = (counts + strength / 4) / (counts.sum() + strength)
            nats += (-np.log(p[ids[1:] - 3])).tolist()
    expected = np.mean(nats) / math.log(2)
    assert value(rows, "markov_own", "far", "bits_per_base") == pytest.approx(expected)


def test_the_order_of_an_organism_itself_is_chosen_on_its_own_dna():
    rng = np.random.default_rng(0)
    ones = [encode(random_dna(1, rng) + "ACGT" * 60) for _ in range(10)]
    model, order = fit_own(ones, 5)
    assert 1 <= order <= 5 and model.counts[0].sum() == sum(map(len, ones))  # all is counted
    # the base before the last one comes again, so the last base alone tells nothing
    twos = [encode("".join(2 * pair for pair in ("AC", "GT", "AG", "TC")) * 30) for _ in range(5)]
    assert fit_own(twos, 5)[1] > 1
    # orders with more contexts than bases are left out
    assert fit_own([encode("ACGTACGTACGTACGTACGT")], 5)[0].order == 2
