"""LDARNet on labelled sequences: it reads them as a whole and has no exact likelihood."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toolkit.labelled_sets import FEW, listed, opened, prepared, settings, write_set
from toolkit.networks import LDARNET, speaking_network, toy_card

from genezip.alphabet import reverse_complement
from genezip.artifacts.scores import TASK_SCORES
from genezip.models import load
from genezip.models.fixed.compressor import Fixed
from genezip.models.pretrained import save_pretrained
from genezip.models.token_counts import with_vectors
from genezip.tasks import TASKS, run
from genezip.tasks.base import Method
from genezip.tasks.classification.probe import vectors_and_tokens
from genezip.tasks.measure import measure
from genezip.tasks.predictions import PredictionFile


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    network = speaking_network(**LDARNET)
    card = replace(toy_card(network.shape, seed=0, name="both"), compressor="ldarnet")
    save_pretrained(tmp_path / "m", network, card)
    return tmp_path / "m"


def test_features_are_means_over_the_bases_of_each_sequence(folder: Path, tmp_path: Path) -> None:
    """Batches of unequal sequences give what single sequences give, one strand at a time."""
    model = load(folder, streams=True)
    ids = [one[: 20 + 7 * (n % 5)] for n, one in enumerate(opened(tmp_path, sizes=FEW).ids[:9])]
    found = vectors_and_tokens(model, ids)[0]
    for row, one in enumerate(ids):
        strands = (one, reverse_complement(one))
        alone = [model.embed([strand])[0].vectors.mean(axis=0) for strand in strands]
        np.testing.assert_allclose(found[row], np.mean(alone, axis=0), atol=1e-5)


@pytest.mark.parametrize("averaging", [False, True])
def test_one_pass_gives_tokens_and_the_vectors_of_a_strand(
    folder: Path, tmp_path: Path, averaging: bool
) -> None:
    """A network is read once for both; a system without such a pass gives the same from two."""
    model = load(folder, both_strands=averaging)
    ids = [one[: 20 + 7 * (n % 5)] for n, one in enumerate(opened(tmp_path, sizes=FEW).ids[:9])]
    found, tokens = vectors_and_tokens(model, ids, both_strands=False)
    for row, (one, encoded) in enumerate(zip(ids, tokens, strict=True)):
        vectors = model.embed([one])[0].vectors
        np.testing.assert_allclose(found[row], vectors.mean(axis=0), atol=1e-5)
        (alone,) = model.encode([one])
        np.testing.assert_array_equal(encoded.token_starts, alone.token_starts)
        np.testing.assert_array_equal(encoded.kept_by, alone.kept_by)
    counts, words = vectors_and_tokens(with_vectors(Fixed(3)), ids, both_strands=False)
    assert [len(one.token_starts) for one in words] == [-(-len(one) // 3) for one in ids]
    np.testing.assert_allclose(counts.sum(axis=1), 1 / 3, atol=0.05)


def test_the_strand_that_is_given_alone_has_other_features(folder: Path, tmp_path: Path) -> None:
    """They have another name in the store, so that neither are taken for the other."""
    model, task = load(folder), TASKS["classification"]
    examples = opened(tmp_path, sizes=FEW)
    plans = {}
    for both in (True, False):
        extraction = task.features(model, examples, "full", settings(both_strands=both))
        array, bases = extraction.compute(range(4))
        width = model.width or 0
        np.testing.assert_allclose(
            array[:, :width], vectors_and_tokens(model, examples.ids[:4], both)[0], atol=1e-6
        )
        assert bases == (1 + both) * sum(len(one) for one in examples.ids[:4])
        plans[both] = extraction.plan
    assert list(plans[True].blocks) == ["mean", "tokens", "forced"]
    assert next(iter(plans[False].blocks)) == "mean_forward"
    assert plans[True].identity() != plans[False].identity()


def test_the_trained_network_is_compared_with_the_untrained_one(
    folder: Path, tmp_path: Path
) -> None:
    write_set(tmp_path, sizes=FEW)
    out = tmp_path / "out.tsv"
    task, chosen = TASKS["classification"], settings(schemes=["official"])
    results = (out, tmp_path / "p.parquet")
    measure(task, listed(tmp_path), None, [folder], None, chosen, "test", *results, [folder])
    rows = TASK_SCORES.read(out)
    values = rows[rows["metric"] == "mcc"].set_index("model")["value"]
    assert {"both", "untrained", "nearest", "kmer4"} <= set(values.index)
    difference = rows[rows["metric"] == "mcc_minus_untrained"]
    assert difference["model"].tolist() == ["both"]
    wanted = values["both"] - values["untrained"]
    assert difference["value"].item() == pytest.approx(wanted, abs=1e-6)


def test_it_is_fine_tuned(folder: Path, tmp_path: Path) -> None:
    manifest = prepared(tmp_path, write_set(tmp_path, sizes=FEW))
    method = Method("classification", "toy", "both", 0, "full", "full")
    out = tmp_path / "p.parquet"
    chosen = settings(epochs=1, halve_after=1)
    run.predict("classification", manifest, Path(), method, "toy", chosen, 0, out, model=folder)
    rows = [row for row in PredictionFile.open(out).rows() if row.rule == "official"]
    assert len(rows) == FEW["test"]
    assert all(row.prediction.sum() == pytest.approx(1) for row in rows)
