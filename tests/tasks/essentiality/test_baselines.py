"""What is known of a gene without a model, against slow countings on the strings."""

import numpy as np
from toolkit.bacteria import MadeOrganism
from toolkit.dna import random_ids, reverse_complement

from genezip.alphabet import encode
from genezip.evaluation.markov import negative_log_likelihood, train
from genezip.tasks.essentiality.mixture import Mixture, training_mixture


def slow_neighbours(one: MadeOrganism, gap: int) -> list[int]:
    found = []
    for gene in one.genes:
        count = 0
        for other in one.genes:
            for turn in (-len(one.text), 0, len(one.text)):
                after = other.start + turn - gene.end
                before = gene.start - other.end - turn
                near = min(
                    abs(after) if -20 < after < gap else 999,
                    abs(before) if -20 < before < gap else 999,
                )
                count += other is not gene and near < gap and other.strand == gene.strand
        found.append(count)
    return found


def share(text: str) -> float:
    return (text.count("G") + text.count("C")) / len(text)


def test_every_baseline_is_what_its_name_says(bacteria) -> None:
    eco = bacteria.organisms[0]
    table = bacteria.prepare("eco").table
    lengths = [gene.end - gene.start for gene in eco.genes]
    np.testing.assert_allclose(2 ** table["gene_length"], lengths)
    np.testing.assert_allclose(table["gc_window"], [share(text) for text in table["window"]])
    np.testing.assert_allclose(table["gc_gene"], [share(eco.sense(gene)) for gene in eco.genes])
    assert table["operon"].tolist() == slow_neighbours(eco, 50)
    assert set(table["operon"]) == {0, 1, 2} and table["constant"].eq(0).all()
    # no gene is called dnaA, so the distance is from the first base of the contig
    middle = [(gene.start + gene.end) // 2 % len(eco.text) for gene in eco.genes]
    around = [min(at, len(eco.text) - at) for at in middle]
    assert table["origin_distance"].tolist() == [-bp for bp in around]


def test_the_distance_is_to_dnaa_where_there_is_one(bacteria, monkeypatch) -> None:
    eco = bacteria.organisms[0]
    monkeypatch.setattr("genezip.tasks.essentiality.baselines.INITIATOR", "neco_007")
    table = bacteria.prepare("eco").table
    start, n = eco.genes[7].start, len(eco.text)
    middle = [(gene.start + gene.end) // 2 % n for gene in eco.genes]
    want = [-min(abs(at - start), n - abs(at - start)) for at in middle]
    assert table["origin_distance"].tolist() == want


def test_the_markov_score_reads_only_what_the_change_can_reach(bacteria) -> None:
    found = bacteria.prepare("eco")
    mixture = training_mixture(bacteria.folder / "source" / "source.json", 2)
    assert mixture is not None and found.prepared.facts["markov_order"] == mixture.order
    for window, site, score in found.table[["window", "site", "markov"]].itertuples(index=False):
        knocked = window[:site] + "TAATAATAATAGTGA" + window[site + 15 :]
        nats = [
            negative_log_likelihood(mixture.model, encode(text))[mixture.order].sum()
            for text in (window, knocked)
        ]
        np.testing.assert_allclose(score, nats[1] - nats[0], atol=1e-9)


def test_the_mixture_is_of_both_strands_of_training_dna(bacteria) -> None:
    bacteria.prepare("eco")
    mixture = training_mixture(bacteria.folder / "source" / "source.json", 2)
    eco = bacteria.organisms[0]
    part = eco.text[: len(eco.text) * 4 // 5]
    model = train([(encode(text), 0) for text in (part, reverse_complement(part))], 2)
    assert mixture is not None
    for own, want in zip(mixture.model.counts, model.counts, strict=True):
        np.testing.assert_array_equal(own, want)


def test_sums_of_joined_sequences_are_those_of_each() -> None:
    model = train([(random_ids(500, 3), 0)], 3)
    mixture = Mixture(model, 2)
    sequences = [random_ids(length, length) for length in (5, 1, 30)]
    found = mixture.log_likelihoods(sequences, [2, 0, 7])
    for ids, first, own in zip(sequences, [2, 0, 7], found, strict=True):
        want = -negative_log_likelihood(model, ids)[2][first:].sum()
        np.testing.assert_allclose(own, want)
    assert mixture.log_likelihoods([], []).shape == (0,)
