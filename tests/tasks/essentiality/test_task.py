"""Essential genes from windows to scores, against sums over strings and scikit-learn."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from toolkit.bacteria import MadeOrganism
from toolkit.likelihoods import CHAIN, Chain, MaskedChain, PseudoChain, StreamedChain

from genezip.errors import GenezipError
from genezip.metrics.bootstrap import BlockBootstrap
from genezip.metrics.ranking import auroc
from genezip.models import load
from genezip.tasks.essentiality.scores import out_of_fold
from genezip.tasks.predictions import PredictionFile
from genezip.tasks.scores import compared, mean_sheet

STOPS = "TAATAATAATAGTGA"


def chain_sum(text: str) -> float:
    """Log-likelihood of a text under the chain of order 1."""
    at = ["ACGT".index(base) for base in text]
    return float(sum(CHAIN[a, b] for a, b in pairwise(at)))


def expected(one: MadeOrganism, labels: pd.DataFrame) -> pd.DataFrame:
    """Label, window and both scores of every gene, from the strings of the organism."""
    rows = []
    for gene, label in zip(one.genes, labels["essential"], strict=True):
        window = one.sense(gene, 40, 200)[:120]
        knocked = window[:52] + STOPS + window[67:]
        wild = chain_sum(window)
        rows.append((gene.name, label, window, wild - chain_sum(knocked), -wild))
    return pd.DataFrame(rows, columns=["name", "label", "window", "knock_out", "wild_type"])


def value(scores: pd.DataFrame, **cells: object) -> float:
    """The one value of rows with these cells."""
    found = scores[np.logical_and.reduce([scores[key] == one for key, one in cells.items()])]
    assert len(found) == 1, found
    return float(found["value"].iloc[0])


def test_windows_wrap_and_lie_in_the_direction_of_the_gene(bacteria) -> None:
    eco = bacteria.organisms[0]
    table = bacteria.prepare("eco").table
    want = expected(eco, bacteria.labels["eco"])
    assert table["window"].tolist() == want["window"].tolist()
    assert table["essential"].tolist() == want["label"].tolist()
    assert set(table["site"]) == {52}
    assert all(window[40:43] == "ATG" for window in table["window"])
    assert eco.genes[-1].end > len(eco.text) and {g.strand for g in eco.genes} == {"+", "-"}
    # the other offset, and a gene in the middle of its window
    later = bacteria.prepare("eco", offset=15, upstream_bp=None, nonessential=5)
    assert len(later.table) == want["label"].sum() + 5
    for window, site in later.table[["window", "site"]].itertuples(index=False):
        assert window[site - 15 : site - 12] == "ATG"


def test_scores_are_those_of_the_strings(bacteria) -> None:
    scores = bacteria.measure([Chain(), StreamedChain()])
    parts = []
    for one, status in zip(bacteria.organisms, ("trained on", "held out"), strict=True):
        want = expected(one, bacteria.labels[one.name])
        parts.append(want)
        for rule in ("knock_out", "wild_type"):
            own = {"subset": one.name, "rule": rule, "model": "chain", "mode": "zero_shot"}
            area = roc_auc_score(want["label"], want[rule])
            assert value(scores, metric="auroc", **own) == pytest.approx(area, rel=1e-5)
            precision = average_precision_score(want["label"], want[rule])
            assert value(scores, metric="auprc", **own) == pytest.approx(precision, rel=1e-5)
            flipped = roc_auc_score(want["label"], -want[rule])
            assert flipped == pytest.approx(1 - area)
        notes = scores[scores["subset"] == one.name]["note"]
        assert notes.str.startswith(status).all()
        above = (want["knock_out"] > 0).mean()
        facts = {"subset": one.name, "model": "chain"}
        assert value(scores, metric="share_above_zero", **facts) == pytest.approx(above, rel=1e-5)
        assert value(scores, metric="change_within_128", **facts) == 1
    plain, streamed = (
        scores[(scores["model"] == name) & (scores["mode"] == "zero_shot")]["value"].to_numpy()
        for name in ("chain", "streamed-chain")
    )
    np.testing.assert_array_equal(plain, streamed)
    # one organism of each status, so its mean and the pooled genes are its own value
    for status, part in zip(("seen", "held_out"), parts, strict=True):
        for subset in (f"mean_{status}", f"pooled_{status}"):
            area = roc_auc_score(part["label"], part["knock_out"])
            own = {"subset": subset, "rule": "knock_out", "model": "chain", "metric": "auroc"}
            assert value(scores, **own) == pytest.approx(area, rel=1e-5)


def test_the_gain_over_all_baselines(bacteria) -> None:
    scores = bacteria.measure([Chain()])
    rows = scores[(scores["subset"] == "eco") & (scores["rule"] == "knock_out")]
    combined = rows[rows["metric"] == "auroc_combined"].set_index("model")["value"]
    gain = rows[rows["metric"] == "auroc_combined_minus_best_baseline"]
    assert set(combined.index) == {"all_baselines", "chain"}
    difference = combined["chain"] - combined["all_baselines"]
    assert gain["value"].iloc[0] == pytest.approx(difference, abs=1e-5)
    assert "against all_baselines" in gain["note"].iloc[0]


def test_predictions_out_of_fold_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    x, fold = rng.normal(size=(90, 3)) * [1, 10, 100], rng.integers(0, 4, 90)
    truth = (x[:, 0] + rng.normal(size=90) > 0).astype(int)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    want = cross_val_predict(model, x, truth, cv=PredefinedSplit(fold), method="decision_function")
    found = out_of_fold(x, truth, fold)
    assert found is not None
    np.testing.assert_allclose(found, want, rtol=1e-6)
    assert out_of_fold(x, np.where(fold == 0, truth, 0), fold) is None


def test_the_mean_over_organisms_leaves_out_one_block_at_a_time(bacteria) -> None:
    bacteria.organisms[1].seen = True
    scores = bacteria.measure([Chain()])
    parts = [
        part
        for part in compared([PredictionFile.open(bacteria.predictions)])
        if part.rule == "knock_out"
    ]
    examples = [part.of("chain") for part in parts]
    units = np.concatenate([part.units for part in parts])
    sizes = [len(one.example) for one in examples]

    def macro(weights: np.ndarray) -> np.ndarray:
        each = np.split(weights, [sizes[0]], axis=1)
        return np.mean(
            [auroc(e.target, e.prediction, w) for e, w in zip(examples, each, strict=True)], axis=0
        )

    def fill(sheet, method, one) -> None:
        values = sheet.bootstrap.of_weights(lambda w: auroc(one.target, one.prediction, w))
        sheet.add(method, "auroc", values, len(one.example))

    draws = (20, 0)
    sheets = [(part, part.sheet(fill, "blocks", draws)) for part in parts]
    mean = mean_sheet(sheets, "mean", draws)
    (entry,) = [one for one in mean.entries if one.method.model == "chain"]
    np.testing.assert_allclose(entry.values, BlockBootstrap(units, *draws).of_weights(macro))
    own = {"subset": "mean_seen", "rule": "knock_out", "model": "chain", "metric": "auroc"}
    assert value(scores, **own) == pytest.approx(entry.values[0], rel=1e-5)
    both = [expected(one, bacteria.labels[one.name]) for one in bacteria.organisms]
    pooled = pd.concat(both)
    area = roc_auc_score(pooled["label"], pooled["knock_out"])
    assert value(scores, **{**own, "subset": "pooled_seen"}) == pytest.approx(area, rel=1e-5)


def test_other_likelihoods_are_never_beside_exact_ones(bacteria) -> None:
    scores = bacteria.measure([Chain(), PseudoChain()])
    own = scores[scores["model"] == "pseudo-chain"]
    assert set(own["rule"]) == {"knock_out_pseudo", "wild_type_pseudo"}
    assert set(scores[scores["model"] == "chain"]["rule"]) == {"knock_out", "wild_type"}
    auroc_rows = own[own["metric"] == "auroc"]
    assert auroc_rows["note"].str.contains("not comparable with exact ones").all()


def test_a_model_of_masked_bases_is_refused_before_any_work(bacteria) -> None:
    with pytest.raises(GenezipError, match="masked-chain predicts masked bases from both sides"):
        bacteria.measure([MaskedChain()])
    assert not bacteria.predictions.exists()


def test_a_model_without_likelihood_is_refused_before_any_work(bacteria) -> None:
    fixed = load("fixed:3")
    with pytest.raises(GenezipError, match=r"^fixed-3 gives no likelihood; name a model that does"):
        bacteria.measure([Chain(), fixed])
    assert not bacteria.predictions.exists()
