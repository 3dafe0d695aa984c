"""Regulatory elements: reading, windows, whole measurements with made-up elements."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from toolkit.crafted import Runs, base_counts, counted_tokens
from toolkit.labels import LabelRun, Segments, segment, told

from genezip.alphabet import encode, reverse_complement
from genezip.config.tasks import Labels
from genezip.errors import GenezipError
from genezip.models.token_counts import TokenCounts
from genezip.tasks import TASKS
from genezip.tasks import run as verbs
from genezip.tasks.base import Method
from genezip.tasks.classification import elements, task
from genezip.tasks.classification.probe import vectors_and_tokens, why_no_probe
from genezip.tasks.classification.splits import Fold
from genezip.tasks.features import FeatureStore
from genezip.tasks.label_files import LABELS
from genezip.tasks.predictions import COLUMNS

SETTINGS = Labels(tasks=["elements"], folds=3, bootstrap=20, element_bp=40)


def acgt(*segments):
    """Segments that hold ACGTACGT..., from base 0 of the chromosome on."""
    return Segments(*segments, letters=lambda at: np.frombuffer(b"ACGT", dtype=np.uint8)[at % 4])


@pytest.fixture
def run(tmp_path, monkeypatch):
    return LabelRun(tmp_path, monkeypatch)


def element_table(path: Path, **columns: list[object]) -> Path:
    table = {
        "chrom": ["chr1", "chr1", "chr2"],
        "start": [10, 1_500_000, 30],
        "end": [14, 1_500_002, 33],
        "label": ["promoter", "ocr", "enhancer"],
        "split": ["train", "test", "train"],
        "source": ["slice"] * 3,
        "sequence": ["ACGT", "AC", "NNN"],
    }
    pd.DataFrame(table | columns).to_csv(path, sep="\t", index=False)
    return path


def test_elements_get_class_locus_and_fold(tmp_path):
    table = elements.read_elements(element_table(tmp_path / "e.tsv"), 1_000_000)
    assert table["class"].tolist() == [0, 2, 1]
    assert table["locus"].tolist() == ["chr1:0", "chr1:1", "chr2:0"]


def test_rows_are_read_by_place_whatever_their_order(tmp_path):
    table = elements.read_elements(element_table(tmp_path / "e.tsv"), 1_000_000)
    lines = (tmp_path / "e.tsv").read_text().splitlines()
    (tmp_path / "e.tsv").write_text("\n".join([lines[0], *lines[:0:-1]]) + "\n")
    other = elements.read_elements(tmp_path / "e.tsv", 1_000_000)
    pd.testing.assert_frame_equal(other, table)


def placed(*intervals: tuple[str, int, int]) -> pd.DataFrame:
    rows = [(c, a, b, "".join("ACGT"[n % 4] for n in range(a, b))) for c, a, b in intervals]
    return pd.DataFrame(rows, columns=["chrom", "start", "end", "sequence"])


def test_windows_have_one_length_around_the_middle_and_lie_in_a_segment():
    table = placed(("chr1", 104, 108), ("chr1", 100, 106), ("chr1", 112, 132), ("chr2", 104, 108))
    kept, ids = elements.windows(table, acgt(segment("chr1", 100, 130)), 8, 3)
    assert kept["start"].tolist() == [104, 112]  # 99-107 begins before the segment
    assert kept["example"].tolist() == [0, 1]
    assert kept["fold"].tolist() == [0, 0]  # of what is measured: chr2 is not
    assert kept.index.tolist() == [0, 1]
    assert ids[0].tolist() == [5, 6, 3, 4, 5, 6, 3, 4]  # 102-110: GTACGTAC
    assert ids[1].tolist() == [5, 6, 3, 4, 5, 6, 3, 4]  # 118-126, inside a longer element


def test_elements_of_another_build_are_refused():
    table = placed(("chr1", 104, 108)).assign(sequence="AGGT")
    with pytest.raises(GenezipError, match="chr1:104-108 has other bases"):
        elements.windows(table, acgt(segment("chr1", 100, 130)), 8, 3)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"sequence": ["ACGT", "AC", ""], "end": [14, 1_500_002, 30]}, "line 4 of .* has no base"),
        ({"label": ["promoter", "ocr", "silencer"]}, "label 'silencer'"),
        ({"split": ["train", "valid", "train"]}, "split 'valid'"),
        ({"end": [14, 1_500_002, 34]}, "chr2:30-34 has 3 bases"),
    ],
)
def test_wrong_elements_are_one_sentence(tmp_path, columns, told):
    with pytest.raises(GenezipError, match=told):
        elements.read_elements(element_table(tmp_path / "e.tsv", **columns), 1_000_000)


def test_the_real_elements_have_the_published_number_of_rows(mirror):
    path = mirror / LABELS["elements"].files["elements.tsv.gz"].origin
    assert len(elements.read_elements(path, 1_000_000)) == 1_746


def test_mean_vectors_do_not_depend_on_the_strand_or_the_order():
    ids = [encode("AACGT"), encode("ACGTT"), encode("AC")]
    found = vectors_and_tokens(base_counts(), ids)[0]
    np.testing.assert_allclose(found[0], found[1])  # one is the reverse complement of the other
    # AC: A counts 1, 1; on the other strand, GT, nothing
    np.testing.assert_allclose(found[2], [(1 + 0) / 2, (0.5 + 0) / 2])


def test_mean_vectors_of_a_system_without_them_are_counts_of_its_tokens():
    model, ids = TokenCounts(Runs()), [encode("AACGTTT"), encode("ACCCCCGT")]
    found = vectors_and_tokens(model, ids)[0]
    for row, one in zip(found, ids, strict=True):
        strands = [counted_tokens(model, s, 0, len(s)) for s in (one, reverse_complement(one))]
        np.testing.assert_allclose(row, np.mean(strands, axis=0) / len(one), atol=1e-7)


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
        (3, 100, "a probe needs training rows in 3 loci and of 2 classes, and has "),
    ],
)
def test_elements_that_cannot_be_split_are_not_measured(run, tmp_path, chroms, every, why):
    genome = made_elements(tmp_path, chroms, every)
    run.use(genome)
    assert why in told(run.measure("elements", SETTINGS))
    assert len(pd.read_parquet(run.predictions)) == 0


def test_a_class_in_one_locus_cannot_choose_a_strength():
    loci, folds = np.repeat(list("abcd"), 2), [Fold(0, np.arange(6), np.arange(6, 8))]
    assert why_no_probe(np.arange(8) % 2, loci, folds, "element", "loci") is None
    why = "a class lies in too few loci"
    scarce = np.array([0, 1, 0, 0, 0, 0, 0, 1])
    assert why_no_probe(scarce, loci, folds, "element", "loci") == why


def test_no_element_inside_the_genome_is_not_measured(run, tmp_path):
    run.use(Made())
    made_elements(tmp_path)
    assert "(split paper, 0 elements)" in told(run.measure("elements", SETTINGS))


@pytest.fixture
def present(run, tmp_path):
    """The run, with made-up elements in place."""
    run.use(made_elements(tmp_path))
    return run


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Scores and predictions of one call with a model that is its own control."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        made = LabelRun(folder, patch)
        made.use(made_elements(folder))
        table = made.measure("elements", SETTINGS, [base_counts()], control="counting")
    return table, pd.read_parquet(made.predictions)


def test_elements_are_measured_and_written(whole):
    table, written = whole
    scores = table.set_index(["model", "rule", "metric"])["value"]
    assert scores["class_prior", "paper", "auroc_macro"] == 0.5
    assert scores["counting", "paper", "auroc_macro"] > 0.95  # composition tells the three apart
    assert scores["counting", "chromosome", "auroc_macro"] > 0.95
    assert scores["length", "chromosome", "auroc_macro"] > 0.95
    notes = table.set_index(["model", "rule", "metric"])["note"]
    best = notes["counting", "chromosome", "auroc_macro_minus_best_baseline"]
    assert best.split()[1] in {"gc_cpg", "kmer4", "gc_cpg_kmer4"}
    assert notes["class_prior", "paper", "accuracy"].startswith("1 of 120 elements left out")
    assert notes["length", "paper", "accuracy"].startswith(elements.UNSEEN)
    assert tuple(written.columns) == COLUMNS
    chromosome = written[(written["rule"] == "chromosome") & (written["model"] == "counting")]
    assert sorted(chromosome["example"]) == list(range(119))  # each is tested exactly once


@pytest.mark.parametrize("both", [True, False])
def test_strands_are_those_of_the_section(present, monkeypatch, both):
    read = []

    def vectors(compressor, ids, both_strands):
        read.append(both_strands)
        return vectors_and_tokens(compressor, ids, both_strands)

    monkeypatch.setattr(task, "vectors_and_tokens", vectors)
    chosen = SETTINGS.model_copy(update={"both_strands": both})
    present.measure("elements", chosen, [base_counts()], control="counting")
    assert set(read) == {both}


def test_scores_are_those_of_the_predictions_in_the_file(whole):
    """Macro AUROC within folds and accuracy by scikit-learn and loops, of one rule each."""
    table, written = whole
    values = table.set_index(["model", "rule", "metric"])["value"]
    for model in ("gc_cpg", "length", "counting"):
        own = written[(written["model"] == model) & (written["rule"] == "paper")]
        target = np.stack([np.frombuffer(cell, "<f8") for cell in own["target"]])
        found = np.stack([np.frombuffer(cell, "<f8") for cell in own["prediction"]])
        slow = np.mean([roc_auc_score(target[:, k], found[:, k]) for k in range(3)])
        assert values[model, "paper", "auroc_macro"] == pytest.approx(slow, abs=1e-6)
        right = np.mean(target.argmax(1) == found.argmax(1))
        assert values[model, "paper", "accuracy"] == pytest.approx(right, abs=1e-6)


def test_a_system_without_vectors_is_measured_by_name(present):
    """Counts of trinucleotides tell the made classes apart; there is no seed."""
    table = present.measure("elements", SETTINGS, [Path("fixed:3")])
    scores = table.set_index(["model", "rule", "metric"])
    assert scores.loc[("fixed-3", "chromosome", "auroc_macro"), "value"] > 0.95
    assert scores.loc[["fixed-3"], "seed"].isna().all()
    with pytest.raises(GenezipError, match="fixed-16 gives no vectors and no token ids"):
        present.measure("elements", SETTINGS, [Path("fixed:16")])


def test_features_are_the_mean_vectors_in_double_precision_part_by_part(present, tmp_path):
    manifest, windows = present.prepared("elements", SETTINGS)
    store = tmp_path / "store" / "manifest.json"
    model = base_counts()
    verbs.features("elements", model, manifest, present.source, "full", SETTINGS, store)
    array = FeatureStore.load(store, manifest).array
    assert (array.dtype, array.shape) == (np.dtype("<f8"), (119, 2))
    np.testing.assert_array_equal(array, vectors_and_tokens(model, windows.ids)[0])
    reading = TASKS["elements"].features(model, windows, "full", SETTINGS)
    assert reading.compute(range(3))[1] == 2 * 3 * 40
    with pytest.raises(GenezipError, match="use the input full"):
        TASKS["elements"].features(model, windows, "authors", SETTINGS)


def test_elements_are_learned_by_no_network(present, tmp_path):
    manifest, _ = present.prepared("elements", SETTINGS)
    for model, why in (("cnn", "has no CNN"), ("tiny", "on frozen features alone")):
        method = Method("elements", "ensembl", model, 0, "full", "full")
        given = (manifest, present.source, method, "ensembl", SETTINGS, 0, tmp_path / "p.parquet")
        with pytest.raises(GenezipError, match=why):
            verbs.predict("elements", *given)


def test_the_verbs_one_by_one_write_what_one_call_writes(present, whole, tmp_path):
    """Predictions of baselines and of a model, each from its own file, give the same scores."""
    manifest, _ = present.prepared("elements", SETTINGS)
    store = tmp_path / "s" / "manifest.json"
    one, other = tmp_path / "b.parquet", tmp_path / "m.parquet"
    place = ("elements", manifest, present.source)
    verbs.features("elements", base_counts(), *place[1:], "full", SETTINGS, store)
    verbs.baselines(*place, "ensembl", "ensembl", SETTINGS, 0, one)
    method = Method("elements", "ensembl", "counting", None, "full", "frozen")
    verbs.predict(*place, method, "ensembl", SETTINGS, 0, other, store)
    apart = verbs.score([one, other], 20, 0, "test", "counting")
    apart.to_csv(tmp_path / "apart.tsv", sep="\t", index=False, float_format="%.6g")
    key = ["model", "rule", "metric"]
    found = pd.read_csv(tmp_path / "apart.tsv", sep="\t").set_index(key)
    pd.testing.assert_frame_equal(found, whole[0].set_index(key).loc[found.index])
