"""The task step by step with a trained network: log-likelihoods are cached features."""

import numpy as np
import pytest
from toolkit.networks import CAUSAL, save_toy, speaking_network

from genezip.alphabet import encode
from genezip.errors import GenezipError
from genezip.models import load
from genezip.tasks import run
from genezip.tasks.base import Method
from genezip.tasks.predictions import PredictionFile


def test_the_steps_give_what_whole_sequences_give(scans, tmp_path) -> None:
    folder = save_toy(tmp_path / "toy-model", speaking_network(**CAUSAL))
    scans.add("toy", {"K2R": 0.9, "L3P": 0.1, "G4A": 0.7, "D5K": 0.2, "W6F": 0.5})
    settings, files = scans.settings(), scans.write()
    data, store = tmp_path / "data" / "manifest.json", tmp_path / "store" / "manifest.json"
    run.prepare("variants", "toy", files, tmp_path / "none", data, settings, 0)
    model = load(folder, "cpu", streams=True)
    run.features("variants", model, data, tmp_path, "full", settings, store)
    method = Method("variants", "toy", model.name, model.metadata["seed"], "full", "zero_shot")
    predictions, baselines = tmp_path / "p.parquet", tmp_path / "b.parquet"
    common = ("toy", settings, 0)
    run.predict("variants", data, tmp_path, method, *common, predictions, store)
    run.baselines("variants", data, tmp_path, "toy", *common, baselines)
    scores = run.score([predictions, baselines], 20, 0, "test")
    assert set(scores["mode"].dropna()) >= {"zero_shot", "baseline"}
    cds, codons = "ATGAAACTGGGTGATTGGTAA", {2: "AGA", 3: "CCG", 4: "GCT", 5: "AAA", 6: "TTC"}
    texts = [cds[: 3 * at - 3] + codon + cds[3 * at :] for at, codon in codons.items()]
    wild, *others = (one.total for one in model.log_likelihood([encode(t) for t in (cds, *texts)]))
    frame = PredictionFile.open(predictions).frame()
    assert frame["target"].tolist() == [0.9, 0.1, 0.7, 0.2, 0.5]
    np.testing.assert_allclose(frame["prediction"], np.array(others) - wild, atol=1e-4)
    frozen = Method("variants", "toy", model.name, method.seed, "full", "frozen")
    with pytest.raises(GenezipError, match="use the mode zero_shot"):
        run.predict("variants", data, tmp_path, frozen, *common, tmp_path / "q.parquet", store)
