"""Optimiser groups and schedule (GeneZip Table 4)."""

from pathlib import Path

import pytest
import torch

from genezip.config import Pretrain
from genezip.models.architecture import load_architecture
from genezip.models.network import GeneZipNetwork
from genezip.training.optim import build_optimizer, parameter_groups, rate, set_rate


@pytest.fixture(scope="module")
def network(repo: Path) -> GeneZipNetwork:
    with torch.device("meta"):
        return GeneZipNetwork(load_architecture(repo / "config/models/genezip-70m.yaml"))


def test_groups_hold_every_parameter_once(network: GeneZipNetwork) -> None:
    groups = parameter_groups(network, Pretrain())
    ids = [id(p) for group in groups for p in group["params"]]
    assert len(ids) == len(set(ids)) == len(list(network.parameters()))


def test_outer_stages_learn_faster(network: GeneZipNetwork) -> None:
    """sqrt(768 / 512) for both stages and the embedding, 1 for the trunk."""
    found = {round(group["multiplier"], 4) for group in parameter_groups(network, Pretrain())}
    assert found == {1.2247, 1.0}
    trunk = {id(p) for p in network.trunk.parameters()} | {id(network.paddings[1])}
    for group in parameter_groups(network, Pretrain()):
        assert all((id(p) in trunk) == (group["multiplier"] == 1.0) for p in group["params"])


@pytest.mark.parametrize("decay_vectors", [False, True])
def test_weight_decay(network: GeneZipNetwork, decay_vectors: bool) -> None:
    settings = Pretrain(weight_decay=0.1, decay_vectors=decay_vectors)
    groups = parameter_groups(network, settings)
    decayed = {id(p) for g in groups if g["weight_decay"] > 0 for p in g["params"]}
    names = {name for name, p in network.named_parameters() if id(p) in decayed}
    layer = "trunk.blocks.0."
    assert layer + "mixer.in_proj.weight" in names
    assert layer + "mixer.conv_bias" not in names
    assert "embedding" in names
    for name in (layer + "mixer.a_log", layer + "norm_weight", "paddings.1"):
        assert (name in names) is decay_vectors


def test_schedule() -> None:
    settings = Pretrain(steps=110, warmup_steps=10, final_lr_fraction=0.1, learning_rate=2.0)
    assert rate(0, settings) == pytest.approx(0.1)
    assert rate(9, settings) == pytest.approx(1.0)
    assert rate(10, settings) == pytest.approx(1.0)
    assert rate(60, settings) == pytest.approx(0.55)
    assert rate(110, settings) == pytest.approx(0.1)


def test_rate_is_set_per_group(network: GeneZipNetwork) -> None:
    settings = Pretrain(warmup_steps=0, learning_rate=0.01, steps=10)
    optimizer = build_optimizer(network, settings)
    assert set_rate(optimizer, 0, settings) == pytest.approx(0.01)
    rates = {round(group["lr"], 6) for group in optimizer.param_groups}
    assert rates == {0.01, 0.012247}
