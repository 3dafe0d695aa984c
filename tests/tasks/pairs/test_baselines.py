"""Baselines of pairs: hand values on small tables, and a deposit from end to end."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from toolkit.deposits import pairs
from toolkit.made_examples import MadePairs

from genezip.config.tasks import EQTL
from genezip.genome.assembly import ReferenceGenome
from genezip.tasks.base import Layout, baseline_method
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.pairs import baselines as baselines_pairs
from genezip.tasks.pairs.baselines import (
    class_prior,
    distance,
    distance_gc,
    gc_columns,
    gene_rate,
    seen_in_training,
)
from genezip.tasks.pairs.deposit import VARIANTS
from genezip.tasks.pairs.examples import PairExamples, prepare_pairs
from genezip.tasks.pairs.folds import folds_of
from genezip.tasks.predictions import PredictionFile, PredictionWriter
from genezip.tasks.run import baselines as predict_baselines
from genezip.tasks.run import score


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Manifest, FASTA."""
    folder = tmp_path_factory.mktemp("eqtl")
    listing = pairs.write_eqtl(folder, more=60)
    files = TaskFiles.load(listing)
    fasta = files.one(".fa")
    manifest = folder / "data" / "manifest.json"
    genome = ReferenceGenome(fasta)
    prepare_pairs(VARIANTS, "Whole_Blood", files, genome, manifest, 3, 0)
    return manifest, fasta


def rows(**columns):
    return pd.DataFrame(columns)


def test_distance_prefers_what_is_near():
    table = rows(distance=[5, 0, 70])
    assert distance(table, table).tolist() == [-5, 0, -70]


def test_the_prior_is_the_rate_of_training_alone():
    train, test = rows(label=[1, 0, 0, 0]), rows(label=[1, 1])
    assert class_prior(train, test).tolist() == [0.25, 0.25]


def test_the_rate_of_a_gene_is_drawn_to_the_prior_by_one_row():
    train = rows(gene_id=["a", "a", "a", "b"], label=[1, 1, 0, 0])
    test = rows(gene_id=["a", "b", "new"])
    # prior 1/2: (2 + 1/2) / 4, (0 + 1/2) / 2, 1/2
    assert gene_rate(train, test).tolist() == [2.5 / 4, 0.25, 0.5]


def test_the_logistic_regression_sees_distance_and_two_gc_contents():
    rng = np.random.default_rng(0)
    train = rows(
        distance=rng.integers(0, 9999, 50),
        gc_focus=rng.random(50),
        gc_tss=rng.random(50),
        label=rng.integers(0, 2, 50),
    )
    test = train.head(5).assign(gc_focus=[0.1, np.nan, 0.3, 0.4, 0.5])
    known = test.fillna({"gc_focus": train["gc_focus"].mean()})

    def plain(table):
        raw = [np.log10(table["distance"] + 1), table["gc_focus"], table["gc_tss"]]
        own = [np.log10(train["distance"] + 1), train["gc_focus"], train["gc_tss"]]
        return np.stack([(x - y.mean()) / y.std(ddof=0) for x, y in zip(raw, own, strict=True)], 1)

    expected = LogisticRegression().fit(plain(train), train["label"]).predict_proba(plain(known))
    assert distance_gc(train, test) == pytest.approx(expected[:, 1])


def test_the_share_of_test_rows_seen_in_training():
    table = rows(
        split=["train", "train", "test", "test", "test", "test"],
        gene_id=["a", "b", "a", "a", "c", "b"],
        region_id=["1", "2", "3", "2", "4", "5"],
    )
    assert seen_in_training(table, list(folds_of(table, "paper"))) == [
        ("test_genes_in_train", 0.75, 4),
        ("test_regions_in_train", 0.25, 4),
    ]
    assert seen_in_training(table, [])[0] == ("test_genes_in_train", None, 0)


def test_gc_windows_are_those_of_the_flanks(prepared):
    manifest, fasta = prepared
    examples = PairExamples.load(manifest, fasta)
    found = gc_columns(examples.table, examples.genome)
    genome = {}
    for record in fasta.read_text().split(">")[1:]:
        name, *lines = record.split("\n")
        genome[name.split()[0]] = "".join(lines).upper()
    for index in (0, 5, len(examples) - 1):
        place = examples.table.iloc[index]
        chrom = genome[place["chrom"]]
        for name, low, high in (
            ("gc_focus", place["focus_start"] - 500, place["focus_end"] + 500),
            ("gc_tss", place["tss"] - 3000, place["tss"] + 3001),
        ):
            text = chrom[max(low, 0) : high]
            known = [text.count(base) for base in "ACGT"]
            assert found[name][index] == pytest.approx((known[1] + known[2]) / sum(known))


def test_a_deposit_is_predicted_and_scored(prepared, tmp_path):
    manifest, fasta = prepared
    out = tmp_path / "baselines.parquet"
    settings = EQTL()
    predict_baselines("eqtl", manifest, fasta, "blood", "Whole_Blood", settings, 0, out, None)
    table = pd.read_parquet(manifest.parent / "examples.parquet")
    frame = PredictionFile.open(out).frame()
    assert set(frame["model"]) == {"distance", "distance_gc", "class_prior", "gene_rate"}
    assert frame["hidden"].isna().all() and frame["seed"].isna().all()
    own = frame[(frame["model"] == "distance") & (frame["rule"] == "gene")]
    merged = own.merge(table, on="example")
    assert len(merged) == len(table)  # every row is tested once
    assert (merged["fold_gene"] == merged["fold"]).all()
    assert (merged["prediction"] == -merged["distance"]).all()
    assert (merged["target"] == merged["label"]).all()
    assert (merged["group"] == merged["gene_id"]).all()
    paper = frame[(frame["model"] == "class_prior") & (frame["rule"] == "paper")]
    assert paper["split"].value_counts().to_dict() == {
        name: int((table["split"] == name).sum()) for name in ("test", "valid")
    }
    rate = table.loc[table["split"] == "train", "label"].mean()
    assert paper["prediction"].to_numpy() == pytest.approx(rate)
    found = score([out], 20, 0, "test").set_index(["model", "rule", "split", "metric"])["value"]
    assert found["class_prior", "gene", "test", "auroc"] == 0.5
    assert found["class_prior", "paper", "test", "auroc"] == 0.5
    assert found["examples", "gene", "test", "test_genes_in_train"] == 0
    assert found["examples", "gene", "test", "test_regions_in_train"] == 0
    # planted: positives lie nearer
    assert found["distance", "gene", "test", "auroc"] > 0.6


def test_no_baseline_sees_the_labels_it_is_tested_on(prepared, tmp_path):
    """Turning the test labels round changes no prediction."""
    manifest, fasta = prepared
    frames = []
    table_path = manifest.parent / "examples.parquet"
    table = pd.read_parquet(table_path)
    original = table_path.read_bytes()
    try:
        for flip in (False, True):
            changed = table.copy()
            if flip:
                test = changed["split"] != "train"
                changed.loc[test, "label"] = 1 - changed.loc[test, "label"]
            changed.to_parquet(table_path, index=False)
            facts = json.loads(manifest.read_text())
            for entry in facts["files"]:
                entry["bytes"] = (manifest.parent / entry["path"]).stat().st_size
            copy = manifest.with_name("copy.json")
            copy.write_text(json.dumps(facts))
            out = tmp_path / "out.parquet"
            settings = EQTL(rules=["paper"])
            predict_baselines("eqtl", copy, fasta, "blood", "Whole_Blood", settings, 0, out, None)
            frames.append(PredictionFile.open(out).frame())
    finally:
        table_path.write_bytes(original)
    assert (frames[0]["target"] != frames[1]["target"]).all()
    assert (frames[0]["prediction"] == frames[1]["prediction"]).all()


def test_a_baseline_that_cannot_be_trained_leaves_empty_cells_with_the_reason(
    monkeypatch, tmp_path, messages
):
    n = 24
    table = rows(
        example=np.arange(n),
        split=["train"] * 12 + ["valid"] * 4 + ["test"] * 8,
        label=[1] * 12 + [0, 1] * 6,  # one class in training
        gene_id=[f"g{row % 6}" for row in range(n)],
        region_id=[f"r{row}" for row in range(n)],
        distance=np.arange(n) * 7 % 11,
        gc_focus=np.linspace(0.2, 0.6, n),
        gc_tss=np.linspace(0.6, 0.3, n),
        fold_gene=np.arange(n) % 3,
        fold_chromosome=-1,
    )
    table.loc[table["fold_gene"] == 2, "label"] = 1  # fold 2 alone trains where 0 is tested
    examples = MadePairs(table, lambda row: pytest.fail("no sequence is needed"))
    monkeypatch.setattr(baselines_pairs, "gc_columns", lambda *_: {})  # the table has them
    out = tmp_path / "b.parquet"
    with PredictionWriter(out, Layout("scalar"), baseline_method("", "eqtl", "s")) as writer:
        rules = ["paper", "gene", "chromosome"]
        for found in baselines_pairs.predict_baselines(examples, "eqtl s", rules):
            writer.add(found)
    assert (
        "eqtl s: the data have no folds by chromosome, so no baseline of that split scheme"
        in messages()
    )
    found = score([out], 20, 0, "test").set_index(["model", "rule", "split", "metric"])
    why = "all 12 training pairs have the label 1"
    for split in ("valid", "test"):
        empty = found.loc[("distance_gc", "paper", split, "auroc")]
        assert np.isnan(empty["value"]) and empty["note"] == why
        assert np.isfinite(found.loc[("distance", "paper", split, "auroc"), "value"])
    partly = found.loc[("distance_gc", "gene", "test", "auroc")]
    assert np.isfinite(partly["value"]) and partly["n"] == 16
    assert partly["note"].endswith("fold 0: all 8 training pairs have the label 1")
    for model in ("distance", "distance_gc", "class_prior", "gene_rate"):
        empty = found.loc[(model, "chromosome", "test", "auprc_sorted")]
        assert np.isnan(empty["value"]) and empty["note"] == "the data have no folds by chromosome"
