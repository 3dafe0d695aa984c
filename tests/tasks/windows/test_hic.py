"""Hi-C counts: reading, maps, ridge regression, whole measurements with made-up counts."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from toolkit.crafted import Crafted, Runs, base_counts
from toolkit.dna import random_ids
from toolkit.labels import LabelRun, Segments, segment, told
from toolkit.slow_bootstrap import slow_interval

from genezip.alphabet import A_ID, encode, reverse_complement
from genezip.config.tasks import Labels
from genezip.errors import GenezipError
from genezip.inference import forward
from genezip.metrics.contacts import contact_scores
from genezip.models.token_counts import TokenCounts
from genezip.tasks import TASKS
from genezip.tasks import run as verbs
from genezip.tasks.features import FeatureStore
from genezip.tasks.predictions import PredictionFile
from genezip.tasks.windows import hic

SETTINGS = Labels(tasks=["contacts"], folds=3, bootstrap=50, map_bins=8)
MAPS = [("chr22", 3_000, 250_000), ("chr1", 0, 90_000), ("chr22", 300_000, 545_000)]
"""Segments with 6 maps of 8 bins (from base 5,000 on), none, and 6 (from base 300,000 on)."""

BINS = 109  # of chr22


def both_strands(model, ids):
    """Vectors of every base, read on both strands, all at once."""
    ahead = np.concatenate(list(forward.base_vectors(model, ids)))
    back = np.concatenate(list(forward.base_vectors(model, reverse_complement(ids))))
    return ahead, back[::-1]


def contact_table(path: Path, rows: list[tuple[int, int, float]]) -> Path:
    text = "".join(f"{one}\t{two}\t{count}\n" for one, two, count in rows)
    path.write_bytes(gzip.compress(text.encode()))
    return path


def test_counts_are_symmetric_and_the_diagonal_counts_once(tmp_path):
    rows = [(5000, 5000, 7.0), (5000, 15000, 2.0)]
    counts = hic.read_counts(contact_table(tmp_path / "c.tsv.gz", rows)).toarray()
    assert counts[1, 1] == 7
    assert counts[1, 3] == counts[3, 1] == 2
    assert counts.sum() == 11


def test_bins_that_are_no_multiples_are_refused(tmp_path):
    table = contact_table(tmp_path / "c.tsv.gz", [(5001, 10000, 1.0)])
    with pytest.raises(GenezipError, match="bins of 5000 bp"):
        hic.read_counts(table)


@pytest.mark.parametrize("count", [np.nan, -5.0, np.inf])
def test_counts_that_are_none_are_refused(tmp_path, count):
    table = contact_table(tmp_path / "c.tsv.gz", [(0, 5000, 1.0), (5000, 10000, count)])
    with pytest.raises(GenezipError, match=r"line 2 of .*the count"):
        hic.read_counts(table)


def test_maps_hold_whole_bins_share_none_and_empty_ones_are_left_out(tmp_path):
    # bins 1 to 12 lie whole inside the segment: three maps of 4; the second has no contact
    rows = [(5000, 15000, 3.0), (45000, 60000, 1.0)]
    counts = hic.read_counts(contact_table(tmp_path / "c.tsv.gz", rows))
    maps = hic.tiled(counts, [segment("chr1", 0, 9), segment("chr22", 4000, 66000)], 4)
    assert [(m.segment, m.start) for m in maps] == [(1, 5000), (1, 45000)]
    np.testing.assert_allclose(maps[0].upper, [np.log(4), 0, 0])  # (0,2), (0,3), (1,3)


@pytest.mark.parametrize("model", [base_counts(), TokenCounts(Runs())], ids=["vectors", "counts"])
def test_bin_vectors_read_in_blocks_are_those_of_all_bases_at_once(monkeypatch, model):
    """Maps of a segment, not in order; a single one, from its first base on, of another."""
    monkeypatch.setattr(forward, "VECTORS_BP", 1_700)
    for ids, places in ((random_ids(31_000), [19_000, 1_000]), (random_ids(10_500, 1), [0])):
        found = hic.bin_vectors(model, ids, np.array(places), 2)
        assert found.shape == (len(places), 2, model.width) and found.dtype == np.float32
        for bins, first in zip(found, places, strict=True):
            strands = [
                vectors[first : first + 10_000].reshape(2, 5_000, -1).mean(axis=1)
                for vectors in both_strands(model, ids)
            ]
            assert np.array_equal(bins, strands[0] / 2 + strands[1] / 2)


def test_pair_features_are_products_and_differences():
    vectors = np.array([[1.0, 2.0], [0.0, 0.0], [3.0, 5.0]])
    np.testing.assert_allclose(hic.pair_features(vectors), [[3, 10, 2, 3]])


def test_expected_values_come_from_learned_maps_alone():
    targets = np.array([[1.0, 2.0, 3.0], [3.0, 4.0, 5.0], [100.0, 100.0, 100.0]])  # 4 bins
    folds = np.array([0, 1, 2])
    found = hic.by_fold(targets, folds, hic._zero)
    # entries (0,2), (0,3), (1,3): the first and last are at distance 2
    np.testing.assert_allclose(found[2][0], [3, 3, 3])  # (1+3+3+5)/4 and (2+4)/2


def made_maps() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vectors of 12 maps of 8 bins, targets that follow their products, and 4 folds."""
    random = np.random.default_rng(2)
    vectors = random.normal(size=(12, 8, 2)).astype(np.float32)
    targets = np.stack([hic.pair_features(v)[:, 0] for v in vectors])
    return vectors, targets + random.normal(0, 0.3, targets.shape), np.arange(12) // 3


@pytest.mark.parametrize("name", ["ridge", "gc_product", "mean_map"])
def test_the_level_of_a_learned_map_does_not_change_a_correlation(name):
    vectors, targets, folds = made_maps()
    fit = {
        "ridge": hic._ridge(vectors, folds),
        "gc_product": hic._gc_product(vectors[:, :, 0]),
        "mean_map": hic._mean_map,
    }[name]
    deeper = targets.copy()
    deeper[11] += 7  # of fold 3; the others learn it
    scores = []
    for known in (targets, deeper):
        predicted = np.stack([sum(pair) for pair in hic.by_fold(known, folds, fit)])
        scores.append(hic.map_scores(known, predicted, folds)[:9, :2])
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-6)
    assert np.abs(scores[0]).max() > 0.1


def test_the_penalty_is_the_smallest_whose_error_is_next_to_the_lowest():
    def chosen(*errors: float) -> int:
        return hic.smallest_penalty({"mean_test_score": -np.array(errors)})

    assert chosen(2.0, 1.0, 1.5) == 1
    assert chosen(2.0, 1.002, 1.0004, 1.0) == 2  # falls to a limit without a lowest point


def test_scores_of_maps_are_those_of_what_was_added_to_the_expected_value():
    """The sum alone is in a prediction file; its rounding must not show."""
    vectors, targets, folds = made_maps()
    fits = [hic._ridge(vectors, folds), hic._gc_product(vectors[:, :, 0]), hic._mean_map]
    for fit in fits:
        found = hic.by_fold(targets, folds, fit)
        scores = hic.map_scores(targets, np.stack([sum(pair) for pair in found]), folds)
        for (expected, residual), target, row in zip(found, targets, scores, strict=True):
            observed = contact_scores(expected + residual, target)
            over_expected = contact_scores(residual, target - expected)
            slow = (observed["scc"], observed["corr"], over_expected["corr"])
            np.testing.assert_allclose(row, slow, rtol=1e-9)


@pytest.mark.parametrize("constant", [0.0, 1.0 / 3])
def test_a_constant_residual_has_no_correlation_over_expected(constant):
    """GC content that is the same in all bins gives one, whatever the sum rounds to."""
    _, targets, folds = made_maps()
    found = hic.by_fold(targets, folds, lambda *_: lambda number: np.full(21, constant))
    scores = hic.map_scores(targets, np.stack([sum(pair) for pair in found]), folds)
    assert np.isnan(scores[:, 2]).all() and np.isfinite(scores[:, 1]).all()


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run with more counts between bins that are both rich, or both poor, in G and C."""
    found = LabelRun(tmp_path, monkeypatch)
    letters = random_bases()
    found.use(Segments(*(segment(*place) for place in MAPS), letters=lambda at: letters[at]))
    gc = np.array([np.isin(part, [67, 71]).mean() for part in np.split(letters, BINS)])
    random = np.random.default_rng(3)
    with gzip.open(tmp_path / "hic.tsv.gz", "wt") as file:
        for one in range(BINS):
            for two in range(one, BINS):
                mean = np.exp(6 + 8 * (gc[one] - 0.5) * (gc[two] - 0.5)) / (1 + two - one)
                file.write(f"{5_000 * one}\t{5_000 * two}\t{random.poisson(mean)}\n")
    return found


def random_bases() -> np.ndarray:
    """Letters of all bins, whose GC content differs from bin to bin, ASCII."""
    random = np.random.default_rng(4)
    shares = np.repeat(random.uniform(0.1, 0.9, BINS), 5_000)
    strong = random.random(5_000 * BINS) < shares
    pick = random.integers(0, 2, 5_000 * BINS)
    return np.where(strong, np.array([67, 71])[pick], np.array([65, 84])[pick]).astype(np.uint8)


def gc_model(name: str = "gc") -> Crafted:
    """A model whose vector of a base is whether it is G or C, and noise."""
    noise = np.random.default_rng(5).normal(size=5_000 * BINS)
    strong = (A_ID + 1, A_ID + 2)
    return Crafted(name, 2, lambda ids: np.stack([np.isin(ids, strong), noise[: len(ids)]], axis=1))


def test_maps_are_measured_and_written(run):
    table = run.measure("contacts", SETTINGS, [gc_model(), base_counts()], "counting")
    scores = table.set_index(["model", "metric"])
    assert scores.loc[("gc_product", "corr_oe"), "value"] > 0.5
    assert scores.loc[("gc", "corr_oe"), "value"] > 0.5
    assert scores.loc[("gc", "corr"), "value"] > scores.loc[("distance_mean", "corr"), "value"]
    for metric, why in (("scc", hic.FLAT), ("corr_oe", hic.NO_OE)):
        row = scores.loc[("distance_mean", metric)]
        assert np.isnan(row["value"]) and (row["n"], row["note"]) == (0, why)
    assert set(table["unit"]) == {"maps"} and set(table["units"]) == {12}
    against = scores.loc[("gc", "corr_oe_minus_control"), "note"]
    assert against == "against counting"
    assert ("counting", "corr_oe_minus_control") not in scores.index
    (file,) = [PredictionFile.open(run.predictions)]
    rows = [row for row in file.rows() if row.method.model == "gc"]
    names = [row.group for row in rows]
    assert names[:2] == ["chr22:5000-45000", "chr22:45000-85000"]
    assert names[6:] == [f"chr22:{at}-{at + 40_000}" for at in range(300_000, 540_000, 40_000)]
    assert [row.fold for row in rows] == [0] * 4 + [1] * 4 + [2] * 4
    assert (file.dtype, file.target_dtype, file.shape) == (np.dtype("<f8"), np.dtype("<f8"), (21,))


def test_the_interval_is_that_of_a_loop_over_maps(run):
    table = run.measure("contacts", SETTINGS).set_index(["model", "metric"])
    rows = [r for r in PredictionFile.open(run.predictions).rows() if r.method.model == "mean_map"]
    each = np.array([contact_scores(row.prediction, row.target)["corr"] for row in rows])
    slow = slow_interval(range(12), lambda maps: each[maps].mean(), 50, 0)
    found = table.loc[("mean_map", "corr"), ["value", "ci_low", "ci_high"]]
    bounded = (slow[0], max(slow[1], -1.0), min(slow[2], 1.0))
    assert tuple(found) == pytest.approx(bounded, abs=1e-5)


def test_more_folds_than_maps_are_not_measured(run):
    settings = SETTINGS.model_copy(update={"folds": 13})
    why = told(run.measure("contacts", settings))
    assert why == "only 12 maps of 8 bins lie in the genome of this run"


def test_every_segment_is_read_once_per_strand_whatever_the_parts(run, tmp_path):
    """Features are those of all maps of a segment together."""
    manifest, maps = run.prepared("contacts", SETTINGS)
    model, store = gc_model(), tmp_path / "store" / "manifest.json"
    verbs.features("contacts", model, manifest, run.source, "full", SETTINGS, store)
    assert [len(ids) for ids in model.read] == [247_000] * 2 + [245_000] * 2
    found = FeatureStore.load(store, manifest)
    assert found.array.shape == (12, 8, 2) and found.array.dtype == np.float32
    assert found.facts["bases"] == 2 * (247_000 + 245_000)
    ids = encode(maps.assembly.sequence(maps.assembly.segments[2]))
    slow = hic.bin_vectors(gc_model(), ids, np.arange(0, 240_000, 40_000), 8)
    assert np.array_equal(found.array[6:], slow)
    gc = np.isin(ids[:5_000], (A_ID + 1, A_ID + 2)).mean()
    assert found.array[6, 0, 0] == pytest.approx(gc)
    assert hic._gc(maps)[6, 0] == pytest.approx(gc)


def test_another_genome_and_another_input_are_refused(run):
    manifest, maps = run.prepared("contacts", SETTINGS)
    with pytest.raises(GenezipError, match="use the input full"):
        TASKS["contacts"].features(gc_model(), maps, "authors", SETTINGS)
    run.source.write_text('{"other": 1}')
    with pytest.raises(GenezipError, match=r"is not the genome that .* was prepared with"):
        TASKS["contacts"].open(manifest, run.source)
