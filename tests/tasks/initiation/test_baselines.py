"""Baselines of tisp on windows small enough to count by hand, and from a deposit to scores."""

import numpy as np
import pandas as pd
import pytest
from toolkit.deposits import tisp
from toolkit.made_examples import MadeInitiation, MadeTracks

from genezip.config.tasks import Initiation
from genezip.tasks import TASKS, run
from genezip.tasks.base import Job, baseline_method
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.initiation import baselines
from genezip.tasks.initiation.baselines import (
    Sites,
    laid_out,
    mean_profile,
    oriented,
    sites_of,
)
from genezip.tasks.predictions import PredictionFile, PredictionWriter


def test_sites_are_sorted_and_counted_once():
    tss = pd.DataFrame(
        {
            "chrom": ["chr1", "chr1", "chr1", "chr1", "chrUn"],
            "position": [90, 20, 20, 20, 5],
            "strand": ["-", "+", "+", "-", "+"],
        }
    )
    found = sites_of(tss, {"1": 100, "2": 100})
    assert list(found) == ["1"]
    assert list(found["1"].between(0, 100)) == [(20, False), (20, True), (90, False)]
    assert list(found["1"].between(21, 90)) == []


def test_the_profile_is_read_in_the_direction_of_the_gene(monkeypatch):
    monkeypatch.setattr(baselines, "HALF_BP", 2)
    signal = np.random.default_rng(0).random((10, 40))
    sites = {"chr1": Sites(np.array([1, 10, 20, 39]), np.array([True, True, False, True]))}
    found = mean_profile(lambda _, low, high: signal[:, low:high], sites, {"chr1": 40}, 0)
    # 1 and 39 lie too near the ends
    expected = (signal[:, 8:13] + signal[::-1, 18:23][:, ::-1]) / 2
    assert found == pytest.approx(expected)
    assert mean_profile(lambda *_: signal, {}, {"chr1": 40}, 0) is None


def test_the_profile_is_added_at_every_site_and_cut_at_the_window(monkeypatch):
    monkeypatch.setattr(baselines, "HALF_BP", 2)
    profile = np.arange(50.0).reshape(10, 5)
    sites = Sites(np.array([9, 12, 13, 30]), np.array([True, True, False, True]))
    found = laid_out(profile, sites, 10, 20)
    slow = np.zeros((10, 100))
    for position, plus in ((9, True), (12, True), (13, False), (30, True)):
        slow[:, position - 2 : position + 3] += oriented(profile, plus)
    assert found.tolist() == slow[:, 10:20].tolist()


class TwoChromosomes(MadeInitiation):
    """Two chromosomes of 60 bp with ten tracks; chr8 is tested in two kept parts."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.signal = {name: rng.random((10, 60)).astype(np.float32) for name in ("chr1", "chr8")}
        table = pd.DataFrame(
            {
                "example": [0, 0, 1],
                "split": ["train", "test", "test"],
                "chrom": ["chr1", "chr8", "chr8"],
                "start": [0, 0, 20],
                "end": [40, 40, 60],
                "keep_start": [0, 10, 30],
                "keep_end": [40, 30, 50],
                "block": ["chr1:0", "chr8:0", "chr8:1"],
            }
        )
        tracks = MadeTracks(lambda chrom, low, high: self.signal[chrom][:, low:high])
        sizes = {"chr1": 60, "chr8": 60}
        super().__init__(table, tracks, sizes, training_contigs={"chr1": 60})

    def targets(self, row):
        cells = self.table.iloc[row]
        return self.signal[cells["chrom"]][:, cells["start"] : cells["end"]]

    def scored(self, row):
        return np.arange(20) != 3


def write(out, fake, tss):
    task, method = TASKS["tisp"], baseline_method("", "tisp", "procap")
    with PredictionWriter(out, task.layout, of=("tisp", "procap")) as writer:
        for found in task.baselines(Job(method, "all", fake, Initiation(), 0), tss):
            writer.add(found, method)


def annotated(positions):
    return pd.DataFrame(positions, columns=["chrom", "position", "strand"])


def test_initiation_predicts_kept_parts_from_annotation(tmp_path, monkeypatch):
    monkeypatch.setattr(baselines, "HALF_BP", 2)
    fake = TwoChromosomes()
    tss = annotated([("chr1", 30, "+"), ("chr8", 29, "-"), ("chr8", 12, "+")])
    out = tmp_path / "b.parquet"
    write(out, fake, tss)
    rows = list(PredictionFile.open(out).rows())
    assert [(row.split, row.example, row.group) for row in rows] == [
        ("test", 0, "chr8:0"),
        ("test", 1, "chr8:1"),
    ]
    profile = fake.signal["chr1"][:, 28:33]
    whole = np.zeros((10, 60))
    whole[:, 10:15] += profile
    whole[:, 27:32] += profile[::-1, ::-1]
    for row, low in zip(rows, (10, 30), strict=True):
        assert row.prediction == pytest.approx(whole[:, low : low + 20], abs=1e-3)
        assert np.isnan(row.target[:, 3]).all()
        kept = np.arange(20) != 3
        truth = fake.signal["chr8"][:, low : low + 20]
        assert row.target[:, kept] == pytest.approx(truth[:, kept], abs=1e-3)
    found = run.score([out], 10, 0, "test")
    constant = found[found["model"] == "constant"]
    assert constant["value"].isna().all() and len(constant) == 6
    assert constant["note"].str.contains("Pearson's r is undefined").all()


@pytest.mark.parametrize("tss", [None, annotated([("chr8", 12, "+")])])
def test_without_a_training_site_the_cells_say_so(tmp_path, tss, messages):
    fake = TwoChromosomes()
    out = tmp_path / "b.parquet"
    write(out, fake, tss)
    assert messages() == ["tisp: no annotated TSS on the training contigs, so there is no profile"]
    found = run.score([out], 10, 0, "test")
    assert found["value"].isna().all()
    assert set(found["model"]) == {"tss_profile", "constant"}


def test_from_a_deposit_to_scores(tmp_path):
    files = TaskFiles.load(tisp.write(tmp_path))
    fasta, manifest, out = files.one(".fa"), tmp_path / "d" / "manifest.json", tmp_path / "b"
    settings = Initiation(train_windows=4)
    run.prepare("tisp", "all", files, fasta, manifest, settings, 0)
    places = [
        (chrom, at, strand)
        for chrom in ("chr1", "chr8")
        for at in (60_000, 90_000)
        for strand in "+-"
    ]
    tss = pd.DataFrame(places, columns=["chrom", "position", "strand"])
    run.baselines("tisp", manifest, fasta, "procap", "all", settings, 0, out, tss)
    table = pd.read_parquet(manifest.parent / "examples.parquet")
    held = table[table["split"] != "train"]
    file = PredictionFile.open(out)
    assert file.keys["example"].tolist() == held["example"].tolist()
    for row, cells in zip(file.rows(), held.itertuples(), strict=True):
        assert row.target.shape == (10, cells.keep_end - cells.keep_start)
        assert row.group == cells.block
    found = run.score([out], 10, 0, "test")
    profile = found[(found["model"] == "tss_profile") & (found["split"] == "test")]
    assert profile["metric"].tolist()[-1] == "pcc_mean"
    assert (profile["n"] > 0).all()
