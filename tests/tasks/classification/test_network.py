"""Networks on labelled sequences: the CNN, fine-tuned models, and the tokens of a model."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from toolkit.labelled_sets import FEW, listed, opened, prepared, settings, write_set
from toolkit.networks import FREE, save_toy, small_network, speaking_network, toy_card

from genezip.alphabet import reverse_complement
from genezip.errors import GenezipError
from genezip.models import load
from genezip.models.genezip.compressor import GeneZip
from genezip.models.pretrained import load_network
from genezip.tasks import TASKS, run
from genezip.tasks.base import CNN, Fact, Job, Method
from genezip.tasks.classification.network import (
    Learner,
    SequenceCNN,
    SequenceModel,
    grid_points,
)
from genezip.tasks.features import FeatureStore, write_store
from genezip.tasks.predictions import PredictionFile
from genezip.training.trainable import set_mode


def test_a_floor_that_forces_tokens_is_counted(tmp_path: Path) -> None:
    """Tokens and the forced share are those of a pass of the model's own bound."""
    folder = save_toy(tmp_path / "m", small_network(bound="sequence"), seed=0, name="tiny")
    model = load(folder)
    examples = opened(tmp_path, sizes=FEW)
    store = tmp_path / "features" / "manifest.json"
    write_store(store, TASKS["classification"].features(model, examples, "full", settings()))
    features = FeatureStore.load(store)
    (fold,) = examples.folds["official"]
    tokens, forced = (features.block(name)[:, 0] for name in ("tokens", "forced"))
    for row in fold.test[:5]:
        (one,) = model.encode([examples.ids[row]])
        assert tokens[row] == len(one.token_starts)
        assert forced[row] == bool((one.kept_by >= 1).any())  # type: ignore[operator]
    assert not tokens[fold.train].any()


@pytest.mark.parametrize("mode", ["head_only", "full"])
def test_a_network_learns_with_its_head(tmp_path: Path, mode: str) -> None:
    folder = save_toy(tmp_path / "m", small_network(**FREE), seed=0, name="tiny")
    manifest = prepared(tmp_path, write_set(tmp_path, sizes=FEW))
    method = Method("classification", "toy", "tiny", 0, "full", mode)
    out = tmp_path / "p.parquet"
    arguments = ("classification", manifest, Path(), method, "toy", settings(epochs=1), 0, out)
    run.predict(*arguments, model=folder)
    rows = list(PredictionFile.open(out).rows())
    assert {row.rule for row in rows} == {"official", "unseen"}
    official = [row for row in rows if row.rule == "official"]
    assert len(official) == FEW["test"]
    assert all(row.prediction.sum() == pytest.approx(1) for row in rows)
    first = np.stack([row.prediction for row in rows])
    out.unlink()
    run.predict(*arguments, model=folder)
    again = np.stack([row.prediction for row in PredictionFile.open(out).rows()])
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("router", ["trained", "frozen"])
def test_bases_per_token_before_and_after_are_facts_of_the_method(
    tmp_path: Path, router: str
) -> None:
    """A ratio loss of great weight moves the tokens; with the counts of one pass each."""
    folder = save_toy(tmp_path / "m", speaking_network(**FREE), seed=0, name="tiny")
    manifest = prepared(tmp_path, write_set(tmp_path, sizes=FEW))
    examples = TASKS["classification"].open(manifest, Path())
    method = Method("classification", "toy", "tiny", 0, "full", "full")
    chosen = settings(epochs=1, alpha=5.0, uniform_bpt=1.0, learning_rate=0.02, router=router)
    network, _ = load_network(folder)
    learning = set_mode(network, "full", chosen, 0)
    assert any(name.startswith("routers.") for name in learning) == (router == "trained")
    job = Job(method, "toy", examples, chosen, 0, {"router": router}, tmp_path / "work")
    weights = network.routers[0].q_proj.weight.clone()  # type: ignore[union-attr]
    found = list(TASKS["classification"].tune(network, job))
    kept = torch.equal(weights, network.routers[0].q_proj.weight)  # type: ignore[union-attr, arg-type]
    assert kept == (router == "frozen")
    before, after = found[-2:]
    tested = [examples.ids[row] for row in examples.folds["official"][0].test]
    for fact, model in ((before, load(folder)), (after, GeneZip(network, toy_card()))):
        assert isinstance(fact, Fact) and fact.of_method and fact.n == len(tested)
        tokens = sum(len(one.token_starts) for one in model.encode(tested))
        assert fact.value == pytest.approx(sum(map(len, tested)) / tokens)
    assert (before.metric, after.metric) == ("bpt_before_tuning", "bpt")  # type: ignore[union-attr]
    assert after.value != before.value  # type: ignore[union-attr]


def test_the_cnn_learns_the_motif(tmp_path: Path) -> None:
    manifest = prepared(tmp_path, write_set(tmp_path))
    method = Method("classification", "toy", CNN, 0, "full", "full")
    out = tmp_path / "p.parquet"
    torch.manual_seed(7)
    chosen = settings(epochs=6)
    run.predict("classification", manifest, Path(), method, "toy", chosen, 0, out)
    scores = run.score([out], 20, 0, "test")
    mcc = scores[(scores["metric"] == "mcc") & (scores["rule"] == "official")]["value"].item()
    assert mcc > 0.4


def test_several_fits_with_settings_of_a_grid(tmp_path: Path) -> None:
    """Each fit tests the same rows; settings are those of the best first fit; a rerun resumes."""
    folder = save_toy(tmp_path / "m", small_network(**FREE), seed=0, name="tiny")
    manifest = prepared(tmp_path, write_set(tmp_path, sizes=FEW))
    chosen = settings(
        epochs=1, validation_folds=3, every_epoch=True, grid={"learning_rate": [1e-9, 0.05]}
    )
    method = Method("classification", "toy", "tiny", 0, "full", "head_only")
    out = tmp_path / "p.parquet"
    run.predict("classification", manifest, Path(), method, "toy", chosen, 0, out, model=folder)
    assert not list(tmp_path.glob(".*")), "checkpoints are left"
    file = PredictionFile.open(out)
    held: dict[str, list[int]] = {}
    for row in file.rows():
        held.setdefault(row.rule, []).append(row.example)
    fits = [f"official_fit{number}" for number in range(3)]
    assert set(held) == {*fits, *(name.replace("official", "unseen") for name in fits)}
    assert held[fits[0]] == held[fits[1]] == held[fits[2]] and len(held[fits[0]]) == FEW["test"]
    facts = {(fact["rule"], fact["metric"]): fact for fact in file.facts}
    assert [facts[name, "mcc"]["n"] for name in fits] == [11, 11, 10]  # of 24 and 8 rows
    assert facts["official", "grid_learning_rate"]["n"] == 2
    assert facts["official", "grid_batch"]["value"] == 8
    scores = run.score([out], 20, 0, "test")
    test = scores[(scores["metric"] == "mcc") & (scores["split"] == "test")].set_index("rule")
    mean = test.loc["official_fits"]
    values = test.loc[fits, "value"].to_numpy()
    assert mean["value"] == pytest.approx(values.mean()) and mean["units"] == 3
    spread = 4.303 * values.std(ddof=1) / np.sqrt(3)  # Student's t, 2 degrees of freedom
    assert mean["ci_high"] - mean["value"] == pytest.approx(spread, rel=1e-3)
    assert "the interval is over training, not data" in mean["note"]


def test_a_grid_needs_validation_rows(tmp_path: Path) -> None:
    write_set(tmp_path, sizes=FEW)
    (tmp_path / "toy.dev.csv").unlink()
    manifest = prepared(tmp_path, listed(tmp_path))
    folder = save_toy(tmp_path / "m", small_network(**FREE), seed=0, name="tiny")
    method = Method("classification", "toy", "tiny", 0, "full", "head_only")
    chosen = settings(grid={"batch": [4, 8]})
    arguments = ("classification", manifest, Path(), method, "toy", chosen, 0, tmp_path / "p")
    with pytest.raises(GenezipError, match="chosen by validation rows, and the set has none"):
        run.predict(*arguments, model=folder)


def test_the_grid_is_every_batch_with_every_rate() -> None:
    points = grid_points(settings(grid={"batch": [8, 16], "learning_rate": [0.1, 0.2, 0.3]}))
    found = [(point.batch, point.learning_rate) for point in points]
    assert found == [(8, 0.1), (8, 0.2), (8, 0.3), (16, 0.1), (16, 0.2), (16, 0.3)]
    (alone,) = grid_points(settings(batch=5))
    assert (alone.batch, alone.learning_rate) == (5, 0.01)


def test_networks_need_the_official_split(tmp_path: Path) -> None:
    manifest = prepared(tmp_path, write_set(tmp_path, sizes=FEW), schemes=["family"], folds=3)
    method = Method("classification", "toy", CNN, 0, "full", "full")
    arguments = (manifest, Path(), method, "toy", settings(), 0, tmp_path / "p.parquet")
    with pytest.raises(GenezipError, match="a network is trained on the official split alone"):
        run.predict("classification", *arguments)
    assert not (tmp_path / "p.parquet").exists()


def test_probabilities_of_a_network_do_not_depend_on_the_strand(tmp_path: Path) -> None:
    examples = opened(tmp_path, sizes=FEW)
    turned = replace(examples, ids=[reverse_complement(one) for one in examples.ids])
    torch.manual_seed(3)
    models = (SequenceCNN(2), SequenceModel(small_network(**FREE), 2, 0))
    rows = np.arange(5)
    for model in models:
        one, other = (
            Learner(model, each, settings(), torch.device("cpu"), examples.folds["official"][0])
            for each in (examples, turned)
        )
        np.testing.assert_allclose(one.probabilities(rows), other.probabilities(rows), atol=1e-12)
        np.testing.assert_allclose(one.probabilities(rows).sum(axis=1), 1)
