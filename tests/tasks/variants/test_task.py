"""Variant effect from codons to rank correlations, against sums over strings and SciPy."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata, spearmanr
from toolkit.bacteria import made_organism, write_bacteria
from toolkit.likelihoods import (
    CHAIN,
    Chain,
    MaskedChain,
    PseudoChain,
    StreamedChain,
)

from genezip.alphabet import encode
from genezip.inference.changes import Change, masked_changes
from genezip.tasks import TASKS
from genezip.tasks.table import task_table
from genezip.tasks.variants.codons import changes, codons_of, nearest, translate
from genezip.tasks.variants.scores import partial_spearman, spearman

CDS = "ATGAAACTGGGTGATTGGTAA"


def chain_sum(text: str) -> float:
    at = ["ACGT".index(base) for base in text]
    return float(sum(CHAIN[a, b] for a, b in pairwise(at)))


def with_codon(position: int, codon: str) -> str:
    return CDS[: 3 * position - 3] + codon + CDS[3 * position :]


def row(scores: pd.DataFrame, **cells: object) -> pd.Series:
    found = scores[np.logical_and.reduce([scores[key] == one for key, one in cells.items()])]
    assert len(found) == 1, found
    return found.iloc[0]


def test_the_nearest_codon_and_its_ties() -> None:
    assert codons_of("K", 1) == ("AAA", "AAG") and codons_of("*", 1) == ("TAA", "TAG", "TGA")
    assert codons_of("*", 4) == ("TAA", "TAG") and codons_of("W", 4) == ("TGA", "TGG")
    assert changes("AAA", "TAG") == 2
    assert nearest("AAA", "R", 1) == "AGA"  # one change; AGG and CGA have two
    assert nearest("ATG", "I", 1) == "ATA"  # ATA, ATC and ATT have one: the first of the alphabet
    assert nearest("AAA", "*", 1) == "TAA"
    assert translate("GTGAAATAA", 11) == "MK*" and translate("GTGAAATAA", 1) == "VK*"


@pytest.mark.parametrize("context", ["", "GGAGGT"])
@pytest.mark.parametrize("codons", ["nearest", "average"])
def test_scores_are_those_of_the_strings(scans, codons: str, context: str) -> None:
    models = [Chain(), StreamedChain()]
    scores = scans.measure(models, codons=codons, context=context.lower())
    found = scans.prepare("toy", codons=codons).table
    wild = chain_sum(context + CDS)
    expected = []
    for variant, position in found[["variant", "position"]].itertuples(index=False):
        own = CDS[3 * position - 3 : 3 * position]
        every = codons_of(variant[-1], 1)
        if codons == "nearest":
            every = (min(every, key=lambda one: (changes(own, one), one)),)
        each = [chain_sum(context + with_codon(position, one)) - wild for one in every]
        expected.append(np.mean(each))
    rho = spearmanr(found["score"], expected).statistic
    for model in models:
        own = {"model": model.name, "metric": "spearman", "subset": "toy"}
        assert row(scores, **own)["value"] == pytest.approx(rho, abs=1e-5)
        assert row(scores, **own)["units"] == 6
    given = found["baseline_nucleotide_changes"]
    x, y, z = (rankdata(v) for v in (found["score"], expected, given))
    # partial correlation: that of the residuals of the ranks
    design = np.column_stack([np.ones(len(z)), z])
    residuals = [v - design @ np.linalg.lstsq(design, v, rcond=None)[0] for v in (x, y)]
    partial = np.corrcoef(*residuals)[0, 1]
    own = {"model": "chain", "metric": "spearman_given_changes", "subset": "toy"}
    assert row(scores, **own)["value"] == pytest.approx(partial, abs=1e-5)


def test_baselines_are_what_their_names_say(scans, tmp_path) -> None:
    source = write_bacteria(tmp_path / "source", [made_organism("eco", 1)])
    table = scans.prepare("toy", source).table.set_index("variant")
    assert table["position"].is_monotonic_increasing and len(table) == 14
    assert table["baseline_hydropathy"].loc[["K2E", "L3P", "K2*"]].round(3).tolist() == [
        pytest.approx(-3.5 + 3.9),
        pytest.approx(-1.6 - 3.8),
        pytest.approx(3.9),
    ]
    assert table["baseline_blosum62"].loc[["K2R", "L3P", "W6G", "K2*"]].tolist() == [2, -3, -2, -4]
    fewest = table["baseline_nucleotide_changes"].loc[["K2R", "K2E", "L3I", "W6F", "D5K"]]
    assert fewest.tolist() == [-1, -1, -2, -2, -2]  # CTG to ATA, ATC or ATT changes two
    assert "baseline_markov" in table and table["baseline_markov"].nunique() > 5
    assert "baseline_markov" not in scans.prepare("toy").table


def test_means_leave_out_second_conditions_and_other_domains(scans) -> None:
    rng = np.random.default_rng(1)
    noisy = {name: float(rng.normal()) for name in scans.prepare("toy").table["variant"]}
    scans.add("other", noisy)
    scans.add("again", noisy, condition_of="other")
    scans.add("yeast", noisy, outside=True)
    scores = scans.measure([Chain()])
    own = {"model": "chain", "metric": "spearman"}
    each = [row(scores, **own, subset=name)["value"] for name in ("toy", "other")]
    mean = row(scores, **own, subset="mean_in_domain")
    assert mean["value"] == pytest.approx(np.mean(each), abs=1e-5)
    assert mean["note"].startswith("macro mean of toy, other") and mean["units"] == 12
    absolute = row(scores, **{**own, "metric": "spearman_absolute"})
    assert absolute["value"] == pytest.approx(np.mean(np.abs(each)), abs=1e-5)
    assert "no headline" in absolute["note"]
    notes = {name: row(scores, **own, subset=name)["note"] for name in ("again", "yeast")}
    assert "second condition" in notes["again"] and "outside the domain" in notes["yeast"]


def test_a_pseudo_likelihood_has_rows_of_its_own(scans) -> None:
    scores = scans.measure([Chain(), PseudoChain()])
    own = scores[(scores["model"] == "pseudo-chain") & (scores["metric"] == "spearman")]
    assert set(own["rule"]) == {"likelihood_pseudo"}
    assert own["note"].str.contains("not comparable with exact ones").all()


def test_a_model_of_masked_bases_is_scored_by_the_altered_ones(scans) -> None:
    scores = scans.measure([Chain(), MaskedChain()])
    table, ids = scans.prepare("toy").table, encode(CDS)
    expected = []
    for position, (codon,) in table[["position", "codons"]].itertuples(index=False):
        change = Change(3 * (position - 1), encode(codon))
        expected.append(masked_changes(MaskedChain(), ids, [change]).score[0])
    own = row(scores, model="masked-chain", metric="spearman", subset="toy")
    rho = spearmanr(table["score"], expected).statistic
    assert own["rule"] == "likelihood_pseudo" and own["value"] == pytest.approx(rho, rel=1e-5)
    assert "pseudo likelihood, not comparable with exact ones" in own["note"]
    assert set(scores.loc[scores["rule"] == "likelihood_pseudo", "model"]) == {"masked-chain"}


def test_rank_correlations_of_some_examples() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.integers(0, 6, (2, 40)).astype(float)
    weights = (rng.random((5, 40)) < 0.7).astype(float)
    want = [spearmanr(x[w == 1], y[w == 1]).statistic for w in weights]
    np.testing.assert_allclose(spearman(x, y, weights), want)
    assert np.isnan(spearman(x, np.ones(40), weights)).all()
    constant = partial_spearman(x, y, x, weights)
    assert np.isnan(constant).all()


def test_published_numbers_are_called_stability_and_have_their_sources(scans) -> None:
    scores = scans.measure([Chain()])
    table = task_table(TASKS["variants"], [scores], None, {"toy": "toy"}, "full")
    paper = table[table["origin"] == "paper"]
    assert set(paper["metric"]) == {"spearman_of_stability"}
    assert paper["note"].str.contains("folding stability in recoded sequence, not fitness").all()
    assert not paper["note"].str.contains("fitness effect").any()
    best = paper[paper["model"] == "dnaHNet, 6.40e+19 FLOPs"]
    assert best["value"].tolist() == [0.3266] and "12 sets, 21,250 variants" in best["note"].iloc[0]
    genes = task_table(TASKS["essentiality"], [scores], None, {"toy": "toy"}, "full")
    own = genes[genes["origin"] == "paper"].set_index("model")["value"]
    assert own["dnaHNet (3;2), 6.40e+19 FLOPs"] == 0.605
    assert sorted(own["gene_length"]) == [0.534, 0.5449]
