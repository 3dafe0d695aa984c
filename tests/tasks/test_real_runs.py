"""Whole measurements on real labels, with made-up files and a made-up model."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from genezip.tasks.real_run import LabelRun
from toolkit.crafted import Crafted, Runs, counted_tokens
from toolkit.dna import random_ids

from genezip.alphabet import encode, reverse_complement
from genezip.config.labels import Labels
from genezip.errors import GenezipError
from genezip.genome.assembly import Segment
from genezip.genome.sources.source import Source
from genezip.inference import forward
from genezip.models.token_counts import TokenCounts
from genezip.tasks.classification import elements as real_elements
from genezip.tasks.classification.probe import mean_vectors, unlearnable
from genezip.tasks.classification.splits import Fold
from genezip.tasks.initiation.procap import both_strands
from genezip.tasks.label_files import FILES
from genezip.tasks.pairs import crispri as real_enhancer_gene
from genezip.tasks.predictions import COLUMNS, PredictionFile
from genezip.tasks.windows import hic as real_contacts
from genezip.tasks.windows.hic import measure_contacts

SETTINGS = Labels(tasks=["elements"], folds=3, bootstrap=20)
ELEMENTS = Labels(tasks=["elements"], folds=3, bootstrap=20, element_bp=40)


def counting():
    """A model whose vector of a base is how often A and C occurred so far."""
    letters = np.array([3, 4])
    return Crafted("counting", 2, lambda ids: np.cumsum(ids[:, None] == letters, axis=0))


@pytest.fixture
def run(tmp_path):
    """A run without any label file."""
    listing = tmp_path / "labels.json"
    listing.write_text(
        json.dumps({"reasons": dict.fromkeys(FILES, "no folder was named"), "files": []})
    )
    return LabelRun(
        listing=listing,
        source=tmp_path / "source.json",
        models=(),
        control=None,
        settings=SETTINGS,
        scale="test",
        out=tmp_path / "scores.tsv",
        predictions=tmp_path / "predictions.parquet",
    )


@pytest.mark.parametrize(
    "measure",
    [
        measure_contacts,
        real_elements.measure_elements,
        real_enhancer_gene.measure_enhancer_gene,
    ],
)
def test_without_labels_both_files_are_there_and_the_scores_say_why(run, measure):
    measure(run)
    assert tuple(pd.read_parquet(run.predictions).columns) == COLUMNS
    assert len(pd.read_parquet(run.predictions)) == 0
    assert PredictionFile.open(run.predictions).methods == []
    (row,) = pd.read_csv(run.out, sep="\t").to_dict("records")
    assert row["model"] == "labels"
    assert row["value"] == 0
    assert row["note"] == "no folder was named"


@pytest.fixture
def present(run, monkeypatch, tmp_path):
    """Makes every label file listed and the genome the given segments."""

    def use(assembly):
        names = [name for files in FILES.values() for name in files]
        entries = [{"path": name} for name in names]
        for name in names:
            (tmp_path / name).touch()
        run.listing.write_text(json.dumps({"reasons": {}, "files": entries}))
        found = SimpleNamespace(kind="mirror", build="hg38", assembly=lambda: assembly)
        monkeypatch.setattr(Source, "load", lambda path: found)

    return use


def segment(chrom, start, end):
    return Segment(f"{chrom}:{start}-{end}", chrom, start, end, "train", "g", False, False, False)


def told(run):
    """The reason of a part that was not measured; its prediction file is empty."""
    (row,) = pd.read_csv(run.out, sep="\t").to_dict("records")
    assert len(pd.read_parquet(run.predictions)) == 0
    return row["note"]


@pytest.mark.parametrize(
    ("kind", "build", "told"),
    [("simulated", "hg38", "is simulated"), ("files", "R64", "the genome of this run is R64")],
)
def test_labels_of_another_genome_are_not_used(run, monkeypatch, kind, build, told):
    name = "elements.tsv.gz"
    run.listing.write_text(json.dumps({"reasons": {}, "files": [{"path": name}]}))
    found = SimpleNamespace(kind=kind, build=build)
    monkeypatch.setattr("genezip.tasks.real_run.Source.load", lambda path: found)
    assert told in run.absent("elements")


def test_mean_vectors_do_not_depend_on_the_strand_or_the_order():
    ids = [encode("AACGT"), encode("ACGTT"), encode("AC")]
    found = mean_vectors(counting(), ids)
    np.testing.assert_allclose(found[0], found[1])  # one is the reverse complement of the other
    # AC: A counts 1, 1; on the other strand, GT, nothing
    np.testing.assert_allclose(found[2], [(1 + 0) / 2, (0.5 + 0) / 2])


def test_mean_vectors_of_a_system_without_them_are_counts_of_its_tokens():
    model, ids = TokenCounts(Runs()), [encode("AACGTTT"), encode("ACCCCCGT")]
    found = mean_vectors(model, ids)
    for row, one in zip(found, ids, strict=True):
        strands = [counted_tokens(model, s, 0, len(s)) for s in (one, reverse_complement(one))]
        np.testing.assert_allclose(row, np.mean(strands, axis=0) / len(one), atol=1e-7)


@pytest.mark.parametrize("model", [counting(), TokenCounts(Runs())], ids=["vectors", "counts"])
def test_bin_vectors_read_in_blocks_are_those_of_all_bases_at_once(monkeypatch, model):
    """Two maps of a segment, not in order; a third of another one."""
    monkeypatch.setattr(forward, "VECTORS_BP", 1_700)
    ids = {0: random_ids(31_000), 4: random_ids(10_500, 1)}
    segments = [SimpleNamespace(start=start) for start in (500, 0, 0, 0, 70)]
    places = ((0, 19_500), (4, 75), (0, 1_500))
    maps = [SimpleNamespace(segment=segment, start=start) for segment, start in places]
    found = real_contacts.bin_vectors(model, ids, maps, segments, 2)
    assert found.shape == (3, 2, model.width) and found.dtype == np.float32
    for bins, (segment, start) in zip(found, places, strict=True):
        first = start - segments[segment].start
        strands = [
            vectors[first : first + 10_000].reshape(2, 5_000, -1).mean(axis=1)
            for vectors in both_strands(model, ids[segment])
        ]
        assert np.array_equal(bins, strands[0] / 2 + strands[1] / 2)


class Made:
    """A genome whose segment around each element is made of the letters of its class."""

    def __init__(self):
        self.texts = {}

    @property
    def segments(self):
        return list(self.texts)

    def add(self, chrom, start, text):
        self.texts[segment(chrom, start, start + len(text))] = text.encode()

    def sequence(self, segment, start, end):
        return np.frombuffer(self.texts[segment], np.uint8)[
            start - segment.start : end - segment.start
        ]


def made_elements(tmp_path, chroms=6, every=2_000_000):
    """120 elements, the last at the end of its segment; the length of each is its class."""
    random = np.random.default_rng(0)
    genome, rows = Made(), []
    for number in range(120):
        label = ("promoter", "enhancer", "ocr")[number % 3]
        letters = {"promoter": "CCCG", "enhancer": "AAAT", "ocr": "ACGT"}[label]
        length = {"promoter": 20, "enhancer": 30, "ocr": 24}[label]
        text = "".join(random.choice(list(letters), 60))
        start, chrom = every * number, f"chr{number // 3 % chroms}"
        first = 20 if number < 119 else 0
        genome.add(chrom, start, text)
        split = "train" if number % 4 else "test"
        own = text[first : first + length]
        rows.append((chrom, start + first, start + first + length, label, split, "slice", own))
    columns = ["chrom", "start", "end", "label", "split", "source", "sequence"]
    table = pd.DataFrame(rows, columns=columns)
    table.to_csv(tmp_path / "elements.tsv.gz", sep="\t", index=False)
    return genome


@pytest.mark.parametrize(
    ("chroms", "every", "why"),
    [
        (1, 2_000_000, "no element is left to learn from, or none to test"),
        (3, 100, "too few loci or classes are learned"),
    ],
)
def test_elements_that_cannot_be_split_are_not_measured(run, present, tmp_path, chroms, every, why):
    present(made_elements(tmp_path, chroms, every))
    real_elements.measure_elements(replace(run, settings=ELEMENTS))
    assert why in told(run)


def test_a_class_in_one_locus_cannot_choose_a_strength():
    loci, folds = np.repeat(list("abcd"), 2), [Fold(0, np.arange(6), np.arange(6, 8))]
    assert unlearnable(np.arange(8) % 2, loci, folds, "element", "loci") is None
    why = "a class lies in too few loci"
    scarce = np.array([0, 1, 0, 0, 0, 0, 0, 1])
    assert unlearnable(scarce, loci, folds, "element", "loci") == why


def test_no_element_inside_the_genome_is_not_measured(run, present, tmp_path):
    made_elements(tmp_path)
    present(Made())
    real_elements.measure_elements(replace(run, settings=ELEMENTS))
    assert "(split paper, 0 elements)" in told(run)


def test_elements_are_measured_and_written(run, present, monkeypatch, tmp_path):
    present(made_elements(tmp_path))
    run = replace(run, settings=ELEMENTS)
    monkeypatch.setattr(LabelRun, "compressors", lambda self: iter([counting()]))
    real_elements.measure_elements(run)
    scores = pd.read_csv(run.out, sep="\t").set_index(["model", "rule", "metric"])["value"]
    assert scores["class_prior", "paper", "auroc_macro"] == 0.5
    assert scores["counting", "paper", "auroc_macro"] > 0.95  # composition tells the three apart
    assert scores["counting", "chromosome", "auroc_macro"] > 0.95
    assert scores["length", "chromosome", "auroc_macro"] > 0.95
    notes = pd.read_csv(run.out, sep="\t").set_index(["model", "rule", "metric"])["note"]
    best = notes["counting", "chromosome", "auroc_macro_minus_best_baseline"]
    assert best.split()[1] in {"gc_cpg", "kmer4", "gc_cpg_kmer4"}
    assert notes["class_prior", "paper", "accuracy"].startswith("1 of 120 elements left out")
    written = pd.read_parquet(run.predictions)
    assert tuple(written.columns) == COLUMNS
    chromosome = written[(written["rule"] == "chromosome") & (written["model"] == "counting")]
    assert sorted(chromosome["example"]) == list(range(119))  # each is tested exactly once


def test_a_system_without_vectors_is_measured_by_name(run, present, tmp_path):
    """Counts of trinucleotides tell the made classes apart; there is no seed."""
    present(made_elements(tmp_path))
    real_elements.measure_elements(replace(run, settings=ELEMENTS, models=(Path("fixed:3"),)))
    scores = pd.read_csv(run.out, sep="\t").set_index(["model", "rule", "metric"])
    assert scores.loc[("fixed-3", "chromosome", "auroc_macro"), "value"] > 0.95
    assert scores.loc[["fixed-3"], "seed"].isna().all()
    with pytest.raises(GenezipError, match="fixed-16 gives no vectors and no token ids"):
        list(replace(run, models=(Path("fixed:16"),)).compressors())


def test_pairs_of_one_class_are_undefined_and_say_so():
    sheet = SimpleNamespace(rows=[], add=lambda *cells: sheet.rows.append(cells))
    real_enhancer_gene._score(sheet, None, np.zeros(12, dtype=int), np.arange(12.0))
    assert sheet.rows[0][-1] == "only negatives among 12 pairs: AUROC is undefined"
