"""Baselines from deposits in the true formats: prepare, predict, score."""

import numpy as np
from genezip.tasks.baselines import predict_baselines
from toolkit.deposits import cmp, rsap

from genezip.config.benchmarks import Activity, ContactMaps
from genezip.genome.assembly import ReferenceGenome
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.predictions import PredictionFile
from genezip.tasks.scores import score
from genezip.tasks.windows.contact_maps import prepare_contact_maps
from genezip.tasks.windows.regulatory_activity import prepare_activity


def test_contact_maps_of_one_cell_line(tmp_path):
    files = TaskFiles.load(cmp.write(tmp_path))
    fasta, manifest, out = tmp_path / cmp.GENOME, tmp_path / "d" / "manifest.json", tmp_path / "b"
    prepare_contact_maps(files, ReferenceGenome(fasta), manifest)
    settings = ContactMaps()
    predict_baselines("cmp", manifest, fasta, "imr", "IMR90", settings, 0, out, None)
    rows = [row for row in PredictionFile.open(out).rows() if row.method.model == "mean_map"]
    trained = [cmp.target(record, "train")[:, 3].astype(float) for record in (0, 2, 3)]
    for row in rows:
        np.testing.assert_array_equal(row.target, cmp.target(row.example, row.split)[:, 3])
        np.testing.assert_allclose(row.prediction, np.mean(trained, axis=0), atol=1e-3)
    found = score([out], 10, 0, "test")
    test = found[(found["model"] == "mean_map") & (found["split"] == "test")]
    assert test["n"].tolist() == [1] * 5  # record 1 of cell line 3 has no contact
    assert test["note"].str.startswith("1 of 2 maps have no score: 1 with a constant target").all()


def test_regulatory_activity(tmp_path):
    listing = rsap.write(tmp_path)
    fasta, manifest, out = rsap.genome_of(listing), tmp_path / "d" / "manifest.json", tmp_path / "b"
    prepare_activity(TaskFiles.load(listing), "human", ReferenceGenome(fasta), manifest)
    settings = Activity()
    predict_baselines("rsap", manifest, fasta, "human", "human", settings, 0, out, None)
    found = score([out], 10, 0, "test").set_index(["model", "metric"])["value"]
    train = np.load(manifest.parent / "targets.train.npy").astype(float)
    test = np.load(manifest.parent / "targets.test.npy").astype(float)
    flat = np.broadcast_to(train.mean(axis=0), test.shape)
    expected = np.corrcoef(flat.ravel(), test.ravel())[0, 1]
    assert abs(found["bin_mean", "pcc_flat"] - expected) < 1e-3
    assert np.isnan(found["track_mean", "pcc_track"])
