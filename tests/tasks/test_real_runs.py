"""Whole measurements on real labels, with made-up files and a made-up model."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from genezip.config.labels import Labels
from genezip.tasks import real_elements, real_enhancer_gene
from genezip.tasks.predictions import COLUMNS
from genezip.tasks.real_contacts import measure_contacts
from genezip.tasks.real_initiation import measure_initiation
from genezip.tasks.real_run import LabelRun, both_strands
from genezip.vocab import encode

SETTINGS = Labels(tasks=["elements"], folds=3, bootstrap=20)


class Counting:
    """A backbone whose vector of a base is how often A and C occurred so far."""

    width = 2

    def _states(self, ids):
        return np.cumsum(ids[:, None] == np.array([3, 4]), axis=0).astype(np.float32)

    def states(self, ids):
        yield from np.array_split(self._states(ids), 2)

    def pieces(self, sequences):
        return [self._states(ids) for ids in sequences]


@pytest.fixture
def run(tmp_path):
    """A run without any label file."""
    listing = tmp_path / "labels.json"
    listing.write_text(json.dumps({"reason": "no folder was named", "files": []}))
    return LabelRun(
        listing=listing,
        source=tmp_path / "source.json",
        models=(),
        control=None,
        settings=SETTINGS,
        scale="test",
        out=tmp_path / "scores.tsv",
        predictions=tmp_path / "predictions.parquet",
        say=lambda text: None,
    )


@pytest.mark.parametrize(
    "measure",
    [
        measure_initiation,
        measure_contacts,
        real_elements.measure_elements,
        real_enhancer_gene.measure_enhancer_gene,
    ],
)
def test_without_labels_the_scores_file_says_why(run, measure):
    measure(run)
    (row,) = pd.read_csv(run.out, sep="\t").to_dict("records")
    assert row["model"] == "labels"
    assert row["value"] == 0
    assert row["note"] == "no folder was named"


@pytest.mark.parametrize(
    ("kind", "build", "told"),
    [("simulated", "hg38", "is simulated"), ("files", "R64", "the genome of this run is R64")],
)
def test_labels_of_another_genome_are_not_used(run, monkeypatch, kind, build, told):
    name = "elements.tsv.gz"
    run.listing.write_text(json.dumps({"reason": None, "files": [{"path": name}]}))
    found = SimpleNamespace(kind=kind, build=build)
    monkeypatch.setattr("genezip.tasks.real_run.Source.load", lambda path: found)
    assert told in run.absent("elements")


def test_the_vector_read_backwards_belongs_to_the_same_base():
    forward, reverse = both_strands(Counting(), encode("AACGT"))
    assert forward.tolist() == [[1, 0], [2, 0], [2, 1], [2, 1], [2, 1]]
    # the other strand is ACGTT; its last base lies under the first of this one
    assert reverse.tolist() == [[1, 1], [1, 1], [1, 1], [1, 1], [1, 0]]


def test_mean_vectors_do_not_depend_on_the_strand_or_the_order():
    ids = [encode("AACGT"), encode("ACGTT"), encode("AC")]
    found = real_elements.mean_vectors(Counting(), ids)
    np.testing.assert_allclose(found[0], found[1])  # one is the reverse complement of the other
    # AC: A counts 1, 1; on the other strand, GT, nothing
    np.testing.assert_allclose(found[2], [(1 + 0) / 2, (0.5 + 0) / 2])


def test_elements_are_measured_and_written(run, monkeypatch, tmp_path):
    random = np.random.default_rng(0)
    rows = []
    for number in range(120):
        label = ("promoter", "enhancer", "ocr")[number % 3]
        letters = {"promoter": "CCCG", "enhancer": "AAAT", "ocr": "ACGT"}[label]
        text = "".join(random.choice(list(letters), 40))
        start = 2_000_000 * number
        split = "train" if number % 4 else "test"
        rows.append((f"chr{number // 3 % 6}", start, start + 40, label, split, "slice", text))
    columns = ["chrom", "start", "end", "label", "split", "source", "sequence"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "elements.tsv.gz", sep="\t", index=False)
    run.listing.write_text(json.dumps({"reason": None, "files": [{"path": "elements.tsv.gz"}]}))
    card = SimpleNamespace(name="counting", seed=0)
    monkeypatch.setattr(LabelRun, "absent", lambda self, part: None)
    monkeypatch.setattr(LabelRun, "load", lambda self, folder: Counting())
    monkeypatch.setattr(real_elements, "cards", lambda run: [(tmp_path, card)])
    real_elements.measure_elements(run)
    scores = pd.read_csv(run.out, sep="\t").set_index(["model", "rule", "metric"])["value"]
    assert scores["class_prior", "paper", "auroc_macro"] == 0.5
    assert scores["counting", "paper", "auroc_macro"] > 0.95  # composition tells the three apart
    assert scores["counting", "chromosome", "auroc_macro"] > 0.95
    written = pd.read_parquet(run.predictions)
    assert tuple(written.columns) == COLUMNS
    chromosome = written[(written["rule"] == "chromosome") & (written["model"] == "counting")]
    assert sorted(chromosome["example"]) == list(range(120))  # each is tested exactly once


def test_pairs_of_one_class_are_undefined_and_say_so():
    sheet = SimpleNamespace(rows=[], add=lambda *cells: sheet.rows.append(cells))
    real_enhancer_gene._score(sheet, None, np.zeros(12, dtype=int), np.arange(12.0))
    assert sheet.rows[0][-1] == "only negatives among 12 pairs: AUROC is undefined"
