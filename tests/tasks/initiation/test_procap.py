"""PRO-cap counts: readers, folds, heads and baselines, and the whole measurement in one call."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyBigWig
import pytest
import torch
from toolkit.crafted import Crafted, Runs
from toolkit.dna import random_ids

from genezip.alphabet import decode, encode, reverse_complement
from genezip.config.tasks import Labels
from genezip.errors import GenezipError
from genezip.genome.assembly import Segment
from genezip.genome.sources.source import Source
from genezip.models.token_counts import TokenCounts
from genezip.tasks import TASKS, run
from genezip.tasks.base import Method
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.initiation import procap
from genezip.tasks.initiation.examples import far_from_n
from genezip.tasks.initiation.procap import both_strands, too_many_counts
from genezip.tasks.initiation.procap_labels import (
    Block,
    CountedSegment,
    ProcapExamples,
    blocks,
    has_training_bases,
    read_initiation,
    sample,
    training_bases,
    training_mask,
)
from genezip.tasks.measure import measure
from genezip.tasks.networks import initiation_loss
from genezip.tasks.predictions import COLUMNS, PredictionFile

RANDOM = np.random.default_rng(0)


def segment(length: int) -> CountedSegment:
    where = Segment("p", "chr22", 1000, 1000 + length, "train", "genes", False, False, False)
    ids = random_ids(length, RANDOM)
    return CountedSegment(where, ids, np.zeros((2, length), np.float32), far_from_n(ids))


def test_the_head_is_at_the_minimum_of_the_release_loss():
    x = RANDOM.normal(size=(400, 3))
    y = RANDOM.poisson(np.exp(0.3 * x[:, 0] - 1)).astype(float)
    head = procap.poisson_head(x, y, np.ones(400))

    def loss(weights: np.ndarray, bias: float) -> float:
        log_rate = torch.from_numpy(x @ weights + bias)
        return float(initiation_loss(log_rate, torch.from_numpy(y)))

    best = loss(head.coef_, head.intercept_)
    for column in range(3):
        for step in (-0.05, 0.05):
            moved = head.coef_.copy()
            moved[column] += step
            assert loss(moved, head.intercept_) > best
    assert loss(head.coef_, head.intercept_ + 0.05) > best
    assert loss(head.coef_, head.intercept_ - 0.05) > best


def test_local_features_belong_to_the_same_base_on_both_strands():
    ids = encode("AACGT")
    forward, reverse = procap.local_features(ids, 1)
    assert forward.shape == (5, 12)
    # base 1 (A): neighbours A and C; read on the other strand: G T T
    assert forward[1].reshape(3, 4).argmax(1).tolist() == [0, 0, 1]
    assert reverse[1].reshape(3, 4).argmax(1).tolist() == [2, 3, 3]
    again = procap.local_features(reverse_complement(ids), 1)
    np.testing.assert_array_equal(again[0], reverse[::-1])
    assert forward[0].reshape(3, 4)[0].tolist() == [0, 0, 0, 0]  # outside the segment


def test_normed_is_torchs_layer_norm_without_scale():
    states = RANDOM.normal(2, 3, size=(50, 8)).astype(np.float32)
    expected = torch.nn.functional.layer_norm(torch.from_numpy(states), (8,)).numpy()
    found = procap.normed((states, states))
    np.testing.assert_allclose(found[0], expected, atol=2e-3)  # half precision


def test_all_signal_is_sampled_and_weights_stand_for_the_rest():
    target = np.zeros((2, 100_000))
    target[0, 7], target[1, 9] = 1.0, 2.0
    (found,) = sample([target], 0.1, 0)
    weight = dict(zip(found.at.tolist(), found.weight.tolist(), strict=True))
    assert weight[7] == weight[9] == 1
    rest = sum(weight.values()) - 2
    assert abs(rest - 99_998) < 5 * 10 * np.sqrt(100_000 * 0.1 * 0.9)  # five standard errors


def test_a_planted_signal_is_learned_from_other_blocks_and_on_its_strand():
    length = 4000
    where = segment(length)
    hot = where.ids == 4  # C carries signal on the forward strand only
    target = np.zeros((2, length), np.float32)
    target[0, hot] = 2.0
    cut = blocks([length], 500, 4)
    features = [procap.local_features(where.ids, 1)]
    sampled = sample([target], 1.0, 0)
    found = np.concatenate(procap.cross_fitted(cut, [target], features, sampled, 10), axis=1)
    assert found[0, hot].mean() > 10 * found[0, ~hot].mean()
    # what G means on the reverse strand is the same thing read backwards: nothing was there
    assert found[1, hot].mean() < 0.1 * found[0, hot].mean()


def test_labels_of_the_tested_block_do_not_change_its_prediction():
    length = 2000
    where, target = segment(length), RANDOM.random((2, length)).astype(np.float32)
    cut = blocks([length], 500, 4)
    features = [procap.local_features(where.ids, 1)]
    changed = target.copy()
    changed[:, 480:1020] += 5  # block 1 and the gap of 20 bp on both sides
    one, two = (
        procap.cross_fitted(cut, [t], features, sample([t], 1.0, 0), 20) for t in (target, changed)
    )
    np.testing.assert_array_equal(one[1], two[1])
    assert not np.array_equal(one[0], two[0])


def test_no_rate_is_higher_than_the_highest_learned_target():
    length = 2000
    target = np.zeros((2, length), np.float32)
    cut = blocks([length], 500, 4)
    steep = np.linspace(0, 1, length, dtype=np.float32)[:, None] ** 8  # tested beyond what is known
    target[0] = np.exp(4 * steep[:, 0]) / 40
    sampled = sample([target], 1.0, 0)
    found = procap.cross_fitted(cut, [target], [(steep, steep)], sampled, 0)
    for block, rates in zip(cut, found, strict=True):
        free = training_bases([block], [target], 0)[0]
        assert rates.max() <= target[:, free].max() + 1e-6


def test_the_profile_is_learned_elsewhere_and_laid_out_by_strand():
    length = 12_000
    where = segment(length)
    tss = pd.DataFrame(
        {"chrom": "chr22", "position": [1000 + 2000, 1000 + 8000], "strand": ["+", "-"]}
    )
    target = np.zeros((2, length), np.float32)
    target[0, 2030] = 4.0  # 30 bp downstream on the strand of the first gene
    cut = [Block(0, 0, 6000, 0), Block(0, 6000, 12_000, 1)]
    found = procap.tss_profile(cut, [target], [where], tss, 100)
    assert found[0].sum() == 0  # the second gene, from which it learns, has no signal
    expected = np.zeros((2, 6000))
    expected[1, 8000 - 30 - 6000] = 4.0  # downstream of a gene on the reverse strand
    np.testing.assert_allclose(found[1], expected)


def test_a_base_near_an_n_is_not_learned():
    length = 2000
    where = segment(length)
    where.ids[1500] = 7
    scored = far_from_n(where.ids, 100)
    target = np.where(scored, RANDOM.random((2, length)), np.nan).astype(np.float32)
    cut = blocks([length], 500, 4)
    free = training_bases(cut[:1], [target], 20)
    assert np.flatnonzero(~free[0]).tolist() == [*range(520), *range(1400, 1601)]
    changed = np.where(scored, target, np.float32(9))
    features = [procap.local_features(where.ids, 1)]
    one = procap.cross_fitted(cut, [target], features, sample([target], 1.0, 0), 20)
    other = procap.cross_fitted(cut, [changed], features, sample([changed], 1.0, 0), 20)
    assert all(np.isfinite(block).all() for block in one)
    assert not np.array_equal(one[0], other[0])  # what is there would have been learned


@pytest.mark.parametrize(("length", "enough"), [(500, False), (900, False), (2000, True)])
def test_one_block_or_two_within_the_gap_leave_nothing_to_learn(length, enough):
    target = np.ones((2, length), np.float32)
    cut = blocks([length], 500, 4)
    assert has_training_bases(cut, [target], sample([target], 1.0, 0), 400) == enough


def test_the_constant_is_the_mean_of_what_was_learned():
    target = np.zeros((2, 20), np.float32)
    target[:, 10:] = 3.0
    cut = [Block(0, 0, 10, 0), Block(0, 10, 20, 1)]
    found = procap.constant(cut, [target], 0)
    assert found[0].tolist() == [[3.0] * 10] * 2
    assert found[1].tolist() == [[0.0] * 10] * 2


def bigwig(path: Path, values: dict[int, float], length: int = 5000) -> Path:
    with pyBigWig.open(str(path), "w") as track:
        track.addHeader([("chr1", length), ("chr22", length)])
        at = sorted(values)
        track.addEntries(
            ["chr22"] * len(at), at, ends=[a + 1 for a in at], values=[values[a] for a in at]
        )
    return path


def place(chrom: str, start: int, end: int) -> Segment:
    return Segment(f"{chrom}:{start}-{end}", chrom, start, end, "train", "g", False, False, False)


class Segments:
    """An assembly of segments, with bases of each by its length."""

    def __init__(self, *segments: Segment) -> None:
        self.segments = segments

    def sequence(self, segment: Segment) -> np.ndarray:
        ids = random_ids(segment.length, segment.length)
        return np.frombuffer(decode(ids), dtype=np.uint8)


def test_counts_are_positive_and_segments_without_any_are_left_out(tmp_path: Path) -> None:
    plus = bigwig(tmp_path / "plus.bw", {1010: 3.0})
    minus = bigwig(tmp_path / "minus.bw", {1005: -2.0})
    assembly = Segments(
        place("chr22", 1000, 1020), place("chr22", 3000, 3050), place("chr1", 0, 100)
    )
    (found,) = read_initiation(plus, minus, assembly)
    assert found.segment.start == 1000
    expected = np.zeros((2, 20))
    expected[0, 10], expected[1, 5] = 3, 2
    np.testing.assert_array_equal(found.counts, expected)


def test_a_base_near_an_n_is_not_scored():
    ids = np.array([3, 3, 3, 7, 3, 3, 3], dtype=np.uint8)
    slow = [not any(ids[max(i - 2, 0) : i + 3] == 7) for i in range(7)]
    np.testing.assert_array_equal(far_from_n(ids, 2), slow)
    assert slow == [True, False, False, False, False, False, True]


def test_blocks_cover_every_base_once_and_folds_take_turns():
    found = blocks([25, 10], 10, 3)
    assert [(b.segment, b.first, b.last, b.fold) for b in found] == [
        (0, 0, 10, 0), (0, 10, 20, 1), (0, 20, 25, 2), (1, 0, 10, 0),
    ]  # fmt: skip


def test_no_base_of_a_tested_block_or_near_it_is_learned():
    block = Block(0, 10, 20, 0)
    free = training_mask(30, [block], 3)
    assert np.flatnonzero(~free).tolist() == list(range(7, 23))


def counting() -> Crafted:
    """A model whose vector of a base is how often A and C occurred so far."""
    letters = np.array([3, 4])
    return Crafted("counting", 2, lambda ids: np.cumsum(ids[:, None] == letters, axis=0))


def test_the_vector_read_backwards_belongs_to_the_same_base() -> None:
    forward, reverse = both_strands(counting(), encode("AACGT"))
    assert forward.tolist() == [[1, 0], [2, 0], [2, 1], [2, 1], [2, 1]]
    # the other strand is ACGTT; its last base lies under the first of this one
    assert reverse.tolist() == [[1, 1], [1, 1], [1, 1], [1, 1], [1, 0]]


def test_counts_of_every_base_are_not_held_for_a_large_vocabulary() -> None:
    assert too_many_counts(Crafted("network", 4096), 10**7) is None
    assert too_many_counts(TokenCounts(Runs(64)), 7_000_000) is None
    why = too_many_counts(TokenCounts(Runs(4096)), 1_000_000)
    assert why is not None
    assert why.startswith("4,096 token-id counts for each of 1,000,000 bases are 4,096,000,000")


SETTINGS = Labels(
    tasks=["initiation"], folds=3, bootstrap=20, block_bp=2_048, gap_bp=64, zero_share=0.5
)
TWO = (place("chr22", 1_000, 9_000), place("chr22", 20_000, 23_000))


class Labelled:
    """A genome of some segments, and label files of it."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.patch = folder, patch
        self.listing, self.source = folder / "labels.json", folder / "source.json"
        self.out, self.predictions = folder / "scores.tsv", folder / "predictions.parquet"
        self.data = folder / "data" / "manifest.json"
        random = np.random.default_rng(0)
        for name, sign in (("procap.plus.bw", 1), ("procap.minus.bw", -1)):
            at = random.choice(30_000, 9_000, replace=False)
            bigwig(folder / name, dict.fromkeys(at.tolist(), 3.0 * sign), 60_000_000)
        names = [{"path": name} for name in ("procap.plus.bw", "procap.minus.bw")]
        self.listing.write_text(json.dumps({"reasons": {}, "files": names}))
        tss = pd.DataFrame(
            {"chrom": "chr22", "position": [3_500, 5_100, 6_500], "strand": ["+", "-", "+"]}
        )
        patch.setattr(run, "annotated_tss", lambda *_: tss)
        self.of(*TWO)

    def of(self, *segments: Segment, kind: str = "mirror", build: str = "hg38") -> None:
        """The genome of the run."""
        self.source.write_text(repr((kind, build, segments)))
        found = SimpleNamespace(kind=kind, build=build, assembly=lambda: Segments(*segments))
        self.patch.setattr(Source, "load", lambda path: found)

    def measure(self, *models: str, control: str | None = None) -> pd.DataFrame:
        """Scores of one call."""
        files = TaskFiles.load(self.listing)
        measure(
            TASKS["initiation"], files, self.source, models, control, SETTINGS, "test", self.out,
            self.predictions,
        )  # fmt: skip
        return pd.read_csv(self.out, sep="\t")

    def told(self) -> str:
        """Why nothing was measured; the prediction file is empty."""
        (row,) = self.measure().to_dict("records")
        assert tuple(pd.read_parquet(self.predictions).columns) == COLUMNS
        assert len(pd.read_parquet(self.predictions)) == 0
        assert PredictionFile.open(self.predictions).methods == []
        assert (row["model"], row["value"], row["scale"]) == ("labels", 0, "test")
        return str(row["note"])

    def prepare(self, subset: str = "procap") -> None:
        """A prepared folder."""
        files = TaskFiles.load(self.listing)
        run.prepare("initiation", subset, files, self.source, self.data, SETTINGS, 0)


@pytest.fixture
def labelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Labelled:
    return Labelled(tmp_path, monkeypatch)


def test_what_cannot_be_measured_says_why(labelled: Labelled) -> None:
    labelled.of(TWO[0], kind="simulated")
    assert "the DNA of this run is simulated" in labelled.told()
    labelled.of(TWO[0], build="R64")
    assert "the genome of this run is R64" in labelled.told()
    labelled.of(place("chr22", 0, 50_000_000))
    told = labelled.told()
    assert "has 50,000,000 bp" in told and "at most 20,000,000 bp" in told
    labelled.of(place("chr1", 0, 3_000), place("chr22", 40_000, 45_000))
    assert labelled.told() == "the genome of this run has no segment of chr22 with PRO-cap counts"
    labelled.of(place("chr22", 0, 500))
    why = "PRO-cap counts cover 1 block of 2,048 bp, too few to learn some and test the others"
    assert labelled.told() == why
    labelled.listing.write_text(
        json.dumps({"reasons": {"initiation": "no folder was named"}, "files": []})
    )
    assert labelled.told() == "no folder was named"


def test_models_are_measured_beside_baselines_in_one_call(
    labelled: Labelled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cell of a large vocabulary is empty and says why."""
    models = [TokenCounts(Runs()), TokenCounts(Runs(100_000, name="large")), counting()]
    by_name = {model.name: model for model in models}
    monkeypatch.setattr("genezip.tasks.measure.load", lambda name, *_, **__: by_name[name])
    scores = labelled.measure(*by_name, control="runs")
    rows = scores[["model", "metric"]].to_numpy().tolist()
    assert [model for model, metric in rows if metric == "pcc"] == [
        "constant", "tss_profile", "local_bases", "runs", "large", "counting",
    ]  # fmt: skip
    table = scores.set_index(["model", "metric"])
    assert table.loc[("constant", "pcc"), "note"] == procap.FLAT
    assert np.isnan(table.loc[("constant", "pcc"), "value"])
    for name in ("tss_profile", "local_bases", "runs", "counting"):
        assert np.isfinite(table.loc[(name, "pcc"), "value"])
    assert np.isnan(table.loc[("large", "pcc"), "value"])
    assert "100,000 token-id counts for each of 11,000 b" in table.loc[("large", "pcc"), "note"]
    assert pd.isna(table.loc[("runs", "pcc"), "seed"])
    assert table.loc[("counting", "pcc_minus_control"), "note"].startswith("against runs")
    assert ("runs", "pcc_minus_control") not in table.index
    file = PredictionFile.open(labelled.predictions)
    assert (file.kind, file.shape, file.dtype) == ("array", (2, -1), np.dtype("<f4"))
    keys = file.keys[file.keys["model"] == "runs"]
    assert sorted(keys["example"]) == list(range(4 + 2))  # each block is tested once
    assert keys["fold"].tolist() == (keys["example"] % 3).tolist()
    assert not list(labelled.folder.glob(".*work"))


def test_the_verbs_one_by_one_give_what_one_call_gives(labelled: Labelled) -> None:
    labelled.measure("fixed:3")
    whole = pd.read_parquet(labelled.predictions)
    labelled.prepare()
    one, two = labelled.folder / "b.parquet", labelled.folder / "m.parquet"
    place = (labelled.data, labelled.source)
    tss = run.annotated_tss(labelled.source, "basic", None)
    run.baselines("initiation", *place, "procap", "procap", SETTINGS, 0, one, tss)
    given = Method("initiation", "procap", "fixed-3", None, "full", "frozen")
    run.predict("initiation", *place, given, "procap", SETTINGS, 0, two, model=Path("fixed:3"))
    apart = pd.concat([pd.read_parquet(one), pd.read_parquet(two)], ignore_index=True)
    pd.testing.assert_frame_equal(apart, whole)
    table = run.score([one, two], 20, 0, "test").set_index(["model", "metric"])["value"]
    again = run.score([labelled.predictions], 20, 0, "test").set_index(["model", "metric"])["value"]
    pd.testing.assert_series_equal(table, again)
    with pytest.raises(GenezipError, match="which are not cached; name the model's folder with"):
        run.predict("initiation", *place, given, "procap", SETTINGS, 0, two)


def test_a_prepared_folder_gives_the_same_blocks_and_targets(labelled: Labelled) -> None:
    labelled.prepare()
    found = ProcapExamples.load(labelled.data, labelled.source)
    paths = [labelled.folder / name for name in ("procap.plus.bw", "procap.minus.bw")]
    segments = read_initiation(*paths, Segments(*TWO))  # type: ignore[arg-type]
    assert found.blocks == blocks([8_000, 3_000], 2_048, 3)
    assert found.names[:2] == ["chr22:1000-9000+0", "chr22:1000-9000+2048"]
    for target, segment in zip(found.targets, segments, strict=True):
        np.testing.assert_array_equal(target, np.log1p(segment.counts))
        assert target.dtype == np.float32


def test_a_prepared_folder_is_refused_with_another_genome_or_bigwig(labelled: Labelled) -> None:
    labelled.prepare()
    labelled.of(TWO[0])
    with pytest.raises(GenezipError, match=r"is not the genome that .* was prepared with; give"):
        ProcapExamples.load(labelled.data, labelled.source)
    labelled.of(*TWO)
    (labelled.folder / "procap.minus.bw").write_text("short")
    with pytest.raises(GenezipError, match=r"has 5 bytes, .*; fetch the labels and prepare"):
        ProcapExamples.load(labelled.data, labelled.source)
    with pytest.raises(GenezipError, match="no subset 'all'; name procap with --subset"):
        labelled.prepare("all")


def test_without_annotated_tss_the_profile_says_so(labelled: Labelled) -> None:
    labelled.prepare()
    out = labelled.folder / "b.parquet"
    place = (labelled.data, labelled.source)
    run.baselines("initiation", *place, "procap", "procap", SETTINGS, 0, out)
    scores = run.score([out], 20, 0, "test").set_index("model")
    assert scores.loc["tss_profile", "note"] == "no annotated TSS is known, so there is no profile"
    assert np.isnan(scores.loc["tss_profile", "value"])
    assert np.isfinite(scores.loc["local_bases", "value"])


def test_settings_that_leave_nothing_to_learn_are_one_sentence(labelled: Labelled) -> None:
    labelled.prepare()
    other = SETTINGS.model_copy(update={"gap_bp": 9_000})
    place = (labelled.data, labelled.source)
    out = labelled.folder / "b.parquet"
    with pytest.raises(GenezipError, match="with gap_bp 9,000 no training base is left beside"):
        run.baselines("initiation", *place, "procap", "procap", other, 0, out)
    assert not out.exists()
