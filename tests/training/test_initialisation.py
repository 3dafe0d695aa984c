"""Initial values of the two paper sizes (GeneZip, release and H-Net's recipe)."""

import math
from pathlib import Path

import pytest
import torch
from toolkit.networks import small_network

from genezip.models.hnet.architecture import load_architecture
from genezip.models.hnet.network import GeneZipNetwork, build
from genezip.models.layers.attention import Attention
from genezip.models.layers.mamba2 import Mamba2
from genezip.models.layers.stack import SwiGLU


@pytest.fixture(scope="module")
def network(repo: Path) -> GeneZipNetwork:
    """The real 70M network."""
    return build(load_architecture("genezip-70m"), 0)


def std(tensor: torch.Tensor) -> float:
    return float(tensor.detach().std())


def test_seventy_million(network: GeneZipNetwork) -> None:
    assert network.count_parameters() == 69_810_232


def test_linear_maps(network: GeneZipNetwork) -> None:
    """N(0, 0.02); output projections N(0, 0.02 / sqrt(n)), n = 4, 8, 23; embedding N(0, 1)."""
    stacks = {
        4: [network.encoders[0], network.decoders[0]],
        8: [network.encoders[1], network.decoders[1]],
        23: [network.trunk],
    }
    for n, group in stacks.items():
        for stack in group:
            for block in stack.blocks:
                assert std(block.mixer.in_proj.weight) == pytest.approx(0.02, rel=0.01)
                wanted = pytest.approx(0.02 / math.sqrt(n), rel=0.01)
                assert std(block.mixer.out_proj.weight) == wanted
                assert abs(float(block.mixer.out_proj.weight.detach().mean())) < 1e-4
    assert std(network.embedding) == pytest.approx(1, rel=0.03)
    assert abs(float(network.embedding.detach().mean())) < 0.05


def test_residual_additions_are_counted_from_the_outside_in(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """636M: 4, 8, 48. On a device without memory: what each layer is asked for is recorded."""
    with torch.device("meta"):
        network = GeneZipNetwork(load_architecture("genezip-636m"))
    names = {module: name for name, module in network.named_modules()}
    asked: dict[str, float] = {}
    monkeypatch.setattr(
        Mamba2, "reset_parameters", lambda self, out_std: asked.update({names[self]: out_std})
    )
    network.reset_parameters(0)
    depth = {"encoders.0": 4, "decoders.0": 4, "encoders.1": 8, "decoders.1": 8, "trunk": 48}
    assert len(asked) == 2 + 2 + 2 + 2 + 40
    for name, out_std in asked.items():
        level = next(key for key in depth if name.startswith(f"{key}."))
        assert out_std == pytest.approx(0.02 / math.sqrt(depth[level])), name


def test_routers_are_the_identity_and_residual_maps_are_zero(network: GeneZipNetwork) -> None:
    for router, residual, padding in zip(
        network.routers, network.residuals, network.paddings, strict=True
    ):
        assert torch.equal(router.q_proj.weight, torch.eye(512))
        assert torch.equal(router.k_proj.weight, torch.eye(512))
        assert torch.count_nonzero(residual.weight) == 0
        assert torch.count_nonzero(padding) == 0
        # the bias keeps the default of a linear layer: uniform within 1 / sqrt(width)
        assert float(residual.bias.detach().abs().max()) <= 1 / math.sqrt(512)
        assert std(residual.bias) == pytest.approx(1 / math.sqrt(3 * 512), rel=0.1)


def test_state_space_parameters_keep_the_defaults_of_mamba_2(network: GeneZipNetwork) -> None:
    """A in [1, 16], dt in [1e-3, 1e-1] (log-uniform), D and norms 1."""
    for name, parameter in network.named_parameters():
        value = parameter.detach()
        if name.endswith("a_log"):
            assert float(value.exp().min()) >= 1 and float(value.exp().max()) <= 16.0001
        elif name.endswith("dt_bias"):
            dt = torch.nn.functional.softplus(value)
            assert float(dt.min()) >= 0.999e-3 and float(dt.max()) <= 0.1001
        elif name.endswith((".d", "norm_weight")):
            assert torch.equal(value, torch.ones_like(value)), name
    dt = torch.cat([p.detach() for n, p in network.named_parameters() if n.endswith("dt_bias")])
    logs = torch.nn.functional.softplus(dt).log()
    assert float(logs.mean()) == pytest.approx(math.log(1e-2), abs=0.2)


def test_a_seed_gives_the_same_values() -> None:
    one, again, other = (small_network(seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["embedding"], other["embedding"])


def test_attention_and_gated_layers_are_residual_additions(monkeypatch: pytest.MonkeyPatch) -> None:
    """m1 | T1m1 | T3 | m1T1 | m1: 2 additions outside, then 2 (2 + 1), then 3 x 2."""
    with torch.device("meta"):
        network = GeneZipNetwork(load_architecture("dnahnet-tiny"))
    names = {module: name for name, module in network.named_modules()}
    asked: dict[str, float] = {}
    for kind in (Attention, Mamba2, SwiGLU):
        monkeypatch.setattr(
            kind, "reset_parameters", lambda self, out_std: asked.update({names[self]: out_std})
        )
    network.reset_parameters(0)
    depth = {"encoders.0": 2, "decoders.0": 2, "encoders.1": 8, "decoders.1": 8, "trunk": 14}
    assert len(asked) == 2 + 2 * 3 + 3 * 2
    for name, out_std in asked.items():
        level = next(key for key in depth if name.startswith(f"{key}."))
        assert out_std == pytest.approx(0.02 / math.sqrt(depth[level])), name


def test_values_of_attention_and_gated_layers() -> None:
    network = build(load_architecture("dnahnet-tiny"), 0)
    for block in network.trunk.blocks:
        for layer in (block.mixer, block.mlp):
            assert std(layer.in_proj.weight) == pytest.approx(0.02, rel=0.02)
            assert std(layer.out_proj.weight) == pytest.approx(0.02 / math.sqrt(14), rel=0.02)
        assert torch.equal(block.mlp_norm_weight, torch.ones(128))
