"""PRO-cap counts from label files to scores, in one call and verb by verb."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toolkit.crafted import Runs, base_counts
from toolkit.labels import segment, use_source
from toolkit.procap import random_segments, write_counts

from genezip.config.tasks import Labels
from genezip.errors import GenezipError
from genezip.genome.assembly import Segment
from genezip.models.token_counts import TokenCounts
from genezip.tasks import TASKS, run
from genezip.tasks.base import Method
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.initiation import procap
from genezip.tasks.initiation.procap_labels import (
    ProcapExamples,
    blocks,
    read_initiation,
)
from genezip.tasks.measure import measure
from genezip.tasks.predictions import COLUMNS, PredictionFile

SETTINGS = Labels(
    tasks=["initiation"], folds=3, bootstrap=20, block_bp=2_048, gap_bp=64, zero_share=0.5
)
TWO = (segment("chr22", 1_000, 9_000), segment("chr22", 20_000, 23_000))


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
            write_counts(folder / name, dict.fromkeys(at.tolist(), 3.0 * sign), 60_000_000)
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
        use_source(self.patch, random_segments(*segments), kind, build)

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
    labelled.of(segment("chr22", 0, 50_000_000))
    told = labelled.told()
    assert "has 50,000,000 bp" in told and "at most 20,000,000 bp" in told
    labelled.of(segment("chr1", 0, 3_000), segment("chr22", 40_000, 45_000))
    assert labelled.told() == "the genome of this run has no segment of chr22 with PRO-cap counts"
    labelled.of(segment("chr22", 0, 500))
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
    models = [TokenCounts(Runs()), TokenCounts(Runs(100_000, name="large")), base_counts()]
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
    of = (labelled.data, labelled.source)
    tss = run.annotated_tss(labelled.source, "basic", None)
    run.baselines("initiation", *of, "procap", "procap", SETTINGS, 0, one, tss)
    given = Method("initiation", "procap", "fixed-3", None, "full", "frozen")
    run.predict("initiation", *of, given, "procap", SETTINGS, 0, two, model=Path("fixed:3"))
    apart = pd.concat([pd.read_parquet(one), pd.read_parquet(two)], ignore_index=True)
    pd.testing.assert_frame_equal(apart, whole)
    table = run.score([one, two], 20, 0, "test").set_index(["model", "metric"])["value"]
    again = run.score([labelled.predictions], 20, 0, "test").set_index(["model", "metric"])["value"]
    pd.testing.assert_series_equal(table, again)
    with pytest.raises(GenezipError, match="which are not cached; name the model's folder with"):
        run.predict("initiation", *of, given, "procap", SETTINGS, 0, two)


def test_a_prepared_folder_gives_the_same_blocks_and_targets(labelled: Labelled) -> None:
    labelled.prepare()
    found = ProcapExamples.load(labelled.data, labelled.source)
    paths = [labelled.folder / name for name in ("procap.plus.bw", "procap.minus.bw")]
    segments = read_initiation(*paths, random_segments(*TWO))
    assert found.blocks == blocks([8_000, 3_000], 2_048, 3)
    assert found.names[:2] == ["chr22:1000-9000+0", "chr22:1000-9000+2048"]
    for target, counted in zip(found.targets, segments, strict=True):
        np.testing.assert_array_equal(target, np.log1p(counted.counts))
        assert target.dtype == np.float32


def test_a_prepared_folder_is_refused_with_another_genome_or_bigwig(
    labelled: Labelled,
) -> None:
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
    of = (labelled.data, labelled.source)
    run.baselines("initiation", *of, "procap", "procap", SETTINGS, 0, out)
    scores = run.score([out], 20, 0, "test").set_index("model")
    assert scores.loc["tss_profile", "note"] == "no annotated TSS is known, so there is no profile"
    assert np.isnan(scores.loc["tss_profile", "value"])
    assert np.isfinite(scores.loc["local_bases", "value"])


def test_settings_that_leave_nothing_to_learn_are_one_sentence(labelled: Labelled) -> None:
    labelled.prepare()
    other = SETTINGS.model_copy(update={"gap_bp": 9_000})
    of = (labelled.data, labelled.source)
    out = labelled.folder / "b.parquet"
    with pytest.raises(GenezipError, match="with gap_bp 9,000 no training base is left beside"):
        run.baselines("initiation", *of, "procap", "procap", other, 0, out)
    assert not out.exists()
