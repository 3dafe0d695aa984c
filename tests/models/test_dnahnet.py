"""dnaHNet: its presets, its model folder, its causality, and where its gradients come from."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from toolkit.dna import random_batch, random_dna
from toolkit.networks import DNAHNET, FLAT, GRID, small_shape, speaking_network, toy_card

import genezip as gz
from genezip.errors import GenezipError
from genezip.models.dnahnet.compressor import DnaHNet
from genezip.models.fixed.compressor import Fixed
from genezip.models.hnet.architecture import architecture, load_architecture
from genezip.models.hnet.flops import flops
from genezip.models.hnet.losses import rar_loss
from genezip.models.hnet.network import GeneZipNetwork
from genezip.models.presets import layout
from genezip.models.pretrained import load_card, save_pretrained

ARMS = {"learned": DNAHNET, "fixed": GRID, "flat": {**FLAT, "trunk_layers": 3}}


# -- presets -------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "tolerance"), [("dnahnet-base", 0.01), ("dnahnet-small", 0.01)])
def test_thirty_percent_of_the_parameters_are_outside(name: str, tolerance: float) -> None:
    """Encoders and decoders, with what belongs to their stages, against the main network."""
    with torch.device("meta"):
        network = GeneZipNetwork(load_architecture(name))
    trunk = sum(parameter.numel() for parameter in network.trunk.parameters())
    assert 1 - trunk / network.count_parameters() == pytest.approx(0.3, abs=tolerance)


def test_base_is_the_published_layout() -> None:
    """Widths, windows, heads and SwiGLU of H-Net 2stage_L; only the trunk is shorter."""
    shape = load_architecture("dnahnet-base")
    assert layout(shape) == "m4 1024 | T1m4 1024 | T11 1536 | m4T1 1024 | m4 1024"
    assert [shape.attention(level) for level in (1, 2)] == [(16, 32, 1023), (24, 48, None)]
    assert [shape.mlp_width(level) for level in (1, 2)] == [2816, 4096]
    by_default = architecture({**shape.to_dict(), "d_intermediate": ()})
    assert [by_default.mlp_width(level) for level in (1, 2)] == [2816, 4096]


@pytest.mark.parametrize("size", ["tiny", "small"])
def test_controls_cost_as_much(size: str) -> None:
    """Per base at 512 bp and 3 then 2 positions per token; the grid lacks only the routers."""
    learned = load_architecture(f"dnahnet-{size}")
    lengths, tokens = np.array([512]), np.array([[512 // 3, 512 // 6]])
    wanted = flops(learned, lengths, tokens)[0]
    fixed, flat = (load_architecture(f"dnahnet-{size}-{arm}") for arm in ("fixed", "flat"))
    assert flops(flat, lengths, np.zeros((1, 0)))[0] == pytest.approx(wanted, rel=0.025)
    assert flops(fixed, lengths, tokens)[0] == pytest.approx(wanted, rel=0.05)
    assert layout(fixed) == layout(learned)
    assert fixed.stride == (3, 2) and flat.n_stages == 0


@pytest.mark.parametrize("name", ["dnahnet-tiny", "dnahnet-small", "dnahnet-base"])
def test_a_uniform_target_of_six_is_a_codon_and_then_two(name: str) -> None:
    shape = load_architecture(name)
    assert [6.0**share for share in shape.stage_shares] == pytest.approx([3, 2])
    assert [12.0**share for share in shape.stage_shares] == pytest.approx(
        [4.5888, 2.6151], abs=1e-4
    )
    assert shape.bound == "none"
    bounds = shape.causal_bounds([6.0])
    assert [bound.max_chunk for bound in bounds] == [12, 8]  # four target chunks


def test_the_ratio_loss_has_the_target_of_each_stage() -> None:
    """Masks that keep a third, then half: the loss of both stages is least where F = G = 1/N."""
    network = speaking_network(**GRID).double()
    output = network(random_batch(600))
    _, sums = rar_loss(output, torch.zeros(1, 600), torch.tensor([6.0]))
    assert sums[:, 0].tolist() == [[600, 200, 200], [200, 100, 100]]
    uneven = network(random_batch(600))
    uneven.stage_shares = (0.5, 0.5)
    losses = [float(rar_loss(one, torch.zeros(1, 600), torch.tensor([6.0]))[0])
              for one in (output, uneven)]  # fmt: skip
    assert losses[0] == pytest.approx(2)  # one per stage at its target
    assert losses[1] != pytest.approx(2, abs=1e-3)


# -- causality -----------------------------------------------------------------------------


@pytest.mark.parametrize(("double", "tolerance"), [(True, 1e-12), (False, 1e-5)])
@pytest.mark.parametrize("arm", ARMS)
def test_nothing_before_a_changed_base_changes(arm: str, double: bool, tolerance: float) -> None:
    """Log-probabilities within rounding, boundary masks exactly, at several places."""
    network = speaking_network(**ARMS[arm])
    network = network.double() if double else network
    model = DnaHNet(network, toy_card(network.shape))
    text = random_dna(700)
    for at in (1, 350, 698):
        changed = text[:at] + "ACGT"["CGTA".index(text[at])] + text[at + 1 :]
        one, other = model.encode([text, changed])
        difference = one.log_prob[1:at] - other.log_prob[1:at]
        assert np.abs(difference).max(initial=0) <= tolerance
        assert abs(one.log_prob[at] - other.log_prob[at]) > 1e-3
        if one.boundary_prob is not None:
            kept = [probs.boundary_prob[:at] > 0.5 for probs in (one, other)]
            assert np.array_equal(*kept)
            starts = [probs.token_starts[probs.token_starts < at] for probs in (one, other)]
            assert np.array_equal(*starts)


def test_the_first_base_has_no_prediction_and_n_is_not_predicted() -> None:
    network = speaking_network(**DNAHNET)
    found = DnaHNet(network, toy_card(network.shape)).compress("ACGTNACGTTGCA")
    assert np.flatnonzero(np.isnan(found.log_prob)).tolist() == [0, 4]


# -- gradients of the router ---------------------------------------------------------------


def query_gradient(network: GeneZipNetwork, loss: torch.Tensor) -> float:
    """Size of the gradient of the query map of the outer router."""
    network.zero_grad()
    loss.backward()
    grad = network.routers[0].q_proj.weight.grad
    return 0.0 if grad is None else float(grad.abs().sum())


def test_each_way_to_the_router_carries_a_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The moving average, the confidence and the ratio loss, with the other two cut off."""
    network, ids = speaking_network(**DNAHNET).double().train(), random_batch(200)
    module = "genezip.models.hnet.network"

    def mean_logit() -> torch.Tensor:
        return network(ids).logits.square().mean()

    from genezip.models.hnet.network import straight_through
    from genezip.models.routing.chunking import ema_dechunk

    output = network(ids)
    assert query_gradient(network, rar_loss(output, ids * 0, torch.tensor([6.0]))[0]) > 0
    with monkeypatch.context() as patch:
        patch.setattr(f"{module}.straight_through", lambda values, _: values)
        assert query_gradient(network, mean_logit()) > 0
        patch.setattr(
            "genezip.models.routing.learned.ema_dechunk",
            lambda tokens, prob, before: ema_dechunk(tokens, prob.detach()),
        )
        assert query_gradient(network, mean_logit()) == 0
        patch.setattr(f"{module}.straight_through", straight_through)
        assert query_gradient(network, mean_logit()) > 0


# -- the model folder ----------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    network = speaking_network(**DNAHNET)
    card = toy_card(network.shape)
    card = type(card)(**{**vars(card), "compressor": "dnahnet"})
    save_pretrained(tmp_path / "toy", network, card)
    return tmp_path / "toy"


def test_a_folder_opens_as_what_it_is(folder: Path, tmp_path: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    assert config["compressor"] == "dnahnet"
    assert config["architecture"]["stage_bpt"] == [3, 2]
    model = gz.load(folder)
    assert type(model) is DnaHNet
    assert model.causal and model.streams and model.likelihood == "exact"
    assert load_card(folder).architecture == small_shape(**DNAHNET)
    model.save(tmp_path / "copy")
    text = random_dna(150)
    again = gz.load(tmp_path / "copy")
    assert type(again) is DnaHNet
    assert np.array_equal(model.compress(text).log_prob, again.compress(text).log_prob, True)


def test_a_causal_bound_on_demand_has_integers_of_each_stage(folder: Path) -> None:
    """The toy's target is 16: 16 ** log(3)/log(6) = 5.48 and 2.92 positions per token."""
    bounds = [router.bound for router in gz.load(folder, bound="causal").network.routers]
    assert [bound.max_chunk for bound in bounds] == [22, 12]


def test_a_tokenizer_is_still_no_network(tmp_path: Path) -> None:
    Fixed(3).save(tmp_path)
    with pytest.raises(GenezipError, match="compressor fixed, which is no network"):
        load_card(tmp_path)
