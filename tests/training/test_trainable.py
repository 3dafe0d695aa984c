"""Fine-tuning: which parameters learn in each mode, their decay, precision and ratio loss."""

import math
from typing import Any

import pytest
import torch
from toolkit.dna import random_batch
from toolkit.networks import small_network
from torch import nn

from genezip.config.tasks import FineTuning
from genezip.errors import GenezipError
from genezip.models.hnet.losses import rar_stage_loop
from genezip.models.hnet.network import GeneZipNetwork
from genezip.training.objectives import ratio_term
from genezip.training.optimizer import FINE_TUNING_BETAS, build_adamw
from genezip.training.step import precision
from genezip.training.trainable import MODES, is_trainable, set_mode


def settings(**changes: Any) -> FineTuning:
    values = {"batch": 4, "learning_rate": 0.05, "evaluate_every": 3, "patience": 100}
    return FineTuning(**{**values, **changes})  # type: ignore[arg-type]


def network() -> GeneZipNetwork:
    return small_network()


RELEASE_FIXED = ("embedding", "encoders.", "routers.", "paddings.0")


def test_modes_choose_parameters_by_name() -> None:
    names = {name for name, _ in network().named_parameters()}
    assert set_mode(network(), "head_only", settings(), 0) == []
    assert set(set_mode(network(), "full", settings(), 0)) == names
    release = set(set_mode(network(), "release", settings(), 0))
    assert names - release == {name for name in names if name.startswith(RELEASE_FIXED)}
    assert {name.split(".")[0] for name in release} == {
        "trunk", "decoders", "residuals", "paddings",
    }  # fmt: skip
    adapters = set_mode(network(), "lora", settings(lora_rank=2), 0)
    assert len(adapters) == 2 * 2 * 5
    assert all(name.endswith((".lora_a", ".lora_b")) for name in adapters)
    with pytest.raises(GenezipError, match="no training mode 'frozen'"):
        set_mode(network(), "frozen", settings(), 0)


@pytest.mark.parametrize("mode", MODES)
def test_modes_choose_parameters_by_gradient(mode: str) -> None:
    """What is frozen has no gradient at all; everything else has one that is not zero."""
    found = network()
    learning = set(set_mode(found, mode, settings(lora_rank=2), 0))
    assert is_trainable(found) == bool(learning)
    with torch.no_grad():  # adapters begin at zero, where one of their halves has no gradient
        for name, parameter in found.named_parameters():
            if name.endswith("lora_b"):
                parameter.fill_(0.01)
    linear = nn.Linear(16, 2)
    ids = torch.randint(3, 8, (1, 300), generator=torch.Generator().manual_seed(0))
    output = found(ids)
    loss = linear(output.states.mean(1)).square().sum()
    (loss + ratio_term(found, output, settings())).backward()
    assert linear.weight.grad is not None and linear.weight.grad.abs().max() > 0
    for name, parameter in found.named_parameters():
        if name not in learning:
            assert parameter.grad is None, name
        elif parameter.numel():
            assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


def test_vectors_are_not_decayed_and_what_is_fixed_is_in_no_group() -> None:
    found = network()
    learning = set_mode(found, "release", settings(), 0)
    chosen = settings(weight_decay=0.3, learning_rate=1e-3)
    optimizer = build_adamw(found, chosen, FINE_TUNING_BETAS)
    decay = {g["weight_decay"]: {p.dim() for p in g["params"]} for g in optimizer.param_groups}
    assert 1 not in decay[0.3] and decay[0.0] == {1}
    assert sum(len(g["params"]) for g in optimizer.param_groups) == len(learning)
    assert all(g["betas"] == (0.9, 0.95) and g["lr"] == 1e-3 for g in optimizer.param_groups)
    set_mode(found, "head_only", settings(), 0)
    with pytest.raises(GenezipError, match="this model has no trainable parameter"):
        build_adamw(found, settings())


def test_autocast_is_of_cuda_alone() -> None:
    with precision(torch.device("cpu"), settings(precision="bf16")):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_the_ratio_term_is_the_uniform_loss_and_is_off_while_the_network_is_fixed() -> None:
    found = network()
    ids = random_batch(200, rows=2, seed=1)
    output = found(ids)
    chosen = settings(alpha=0.5, uniform_bpt=32)
    by_hand = torch.zeros(())
    for routing in output.routings:
        by_hand = by_hand + rar_stage_loop(
            routing,
            torch.zeros(routing.boundary_mask.shape, dtype=torch.int64),
            torch.tensor([math.sqrt(32)]),
            "post",
        )
    term = float(ratio_term(found, output, chosen).detach())
    assert term == pytest.approx(0.5 * float(by_hand.detach()), rel=1e-5) and term > 0.2
    assert float(ratio_term(found, output, settings(alpha=0))) == 0
    set_mode(found, "head_only", chosen, 0)
    assert float(ratio_term(found, output, chosen)) == 0


@pytest.mark.parametrize("mode", ["release", "full"])
def test_release_leaves_all_tokens_where_they_are_between_stages_of_other_widths(
    mode: str,
) -> None:
    """What learns must not reach a router; ``full`` shows that these steps could move tokens."""
    found = small_network(d_model=(16, 24, 32))
    assert [p.numel() for p in found.paddings] == [8, 8]
    learning = set_mode(found, mode, settings(), 0)
    assert "paddings.1" in learning and ("paddings.0" in learning) == (mode == "full")
    ids = random_batch(300)
    before = found(ids)
    optimizer = build_adamw(found, settings(learning_rate=0.1))
    for _ in range(4):
        optimizer.zero_grad()
        found(ids).states[..., 0].sub(1).square().mean().backward()
        optimizer.step()
    after = found(ids)
    assert not torch.equal(before.states, after.states)
    same = [
        torch.equal(one.boundary_prob, other.boundary_prob)
        and torch.equal(one.boundary_mask, other.boundary_mask)
        for one, other in zip(before.routings, after.routings, strict=True)
    ]
    assert same == [mode == "release"] * 2
