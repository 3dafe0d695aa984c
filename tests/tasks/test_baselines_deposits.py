"""Baselines from deposits in the true formats: prepare, predict, score."""

import pandas as pd
from genezip.tasks.baselines import predict_baselines
from toolkit.deposits import tisp

from genezip.config.benchmarks import Initiation
from genezip.genome.assembly import ReferenceGenome
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.initiation.examples import prepare_initiation
from genezip.tasks.predictions import PredictionFile
from genezip.tasks.scores import score


def test_transcription_initiation(tmp_path):
    files = TaskFiles.load(tisp.write(tmp_path))
    fasta, manifest, out = files.one(".fa"), tmp_path / "d" / "manifest.json", tmp_path / "b"
    prepare_initiation(files, ReferenceGenome(fasta), manifest, 0, 4)
    places = [
        (chrom, at, strand)
        for chrom in ("chr1", "chr8")
        for at in (60_000, 90_000)
        for strand in "+-"
    ]
    tss = pd.DataFrame(places, columns=["chrom", "position", "strand"])
    settings = Initiation()
    predict_baselines("tisp", manifest, fasta, "procap", "all", settings, 0, out, tss)
    table = pd.read_parquet(manifest.parent / "examples.parquet")
    held = table[table["split"] != "train"]
    file = PredictionFile.open(out)
    assert file.keys["example"].tolist() == held["example"].tolist()
    for row, cells in zip(file.rows(), held.itertuples(), strict=True):
        assert row.target.shape == (10, cells.keep_end - cells.keep_start)
        assert row.group == cells.block
    found = score([out], 10, 0, "test")
    profile = found[(found["model"] == "tss_profile") & (found["split"] == "test")]
    assert profile["metric"].tolist()[-1] == "pcc_mean"
    assert (profile["n"] > 0).all()
