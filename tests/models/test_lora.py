"""Adapters: identity at the start, gradients everywhere, dropout in training alone."""

import pytest
import torch
from toolkit.dna import random_batch
from toolkit.networks import small_network

from genezip.errors import GenezipError
from genezip.models.hnet.network import GeneZipNetwork
from genezip.models.layers.lora import AdaptedLinear, add_adapters, is_adapter
from genezip.models.layers.mamba2 import Mamba2

IDS = random_batch(200)


def network() -> GeneZipNetwork:
    return small_network().eval()


def adapted(alive: bool = True, dropout: float = 0.0) -> GeneZipNetwork:
    """A network with adapters of rank 2, scale 2; ``alive`` ones are no longer zero."""
    found = network()
    add_adapters(found, rank=2, alpha=4, dropout=dropout, seed=1)
    if alive:
        draw = torch.Generator().manual_seed(5)
        with torch.no_grad():
            for name, parameter in found.named_parameters():
                if name.endswith("lora_b"):
                    parameter.copy_(0.1 * torch.randn(parameter.shape, generator=draw))
    return found


def states(found: GeneZipNetwork) -> torch.Tensor:
    with torch.no_grad():
        return found(IDS).states


def adapters(found: GeneZipNetwork) -> list[AdaptedLinear]:
    return [module for module in found.modules() if isinstance(module, AdaptedLinear)]


def test_every_projection_of_every_layer_gets_one_of_the_given_rank() -> None:
    found = adapted(alive=False)
    mixers = [module for module in found.modules() if isinstance(module, Mamba2)]
    assert len(mixers) == 5 and len(adapters(found)) == 10
    for adapter in adapters(found):
        assert adapter.lora_a.shape == (2, adapter.in_features)
        assert adapter.lora_b.shape == (adapter.out_features, 2)
        assert adapter.scale == 2.0 and adapter.bias is None
    added = sum(p.numel() for name, p in found.named_parameters() if is_adapter(name))
    by_hand = sum(2 * (a.in_features + a.out_features) for a in adapters(found))
    assert added == by_hand
    assert found.count_parameters() - added == network().count_parameters()


def test_an_adapted_network_begins_as_the_one_it_was_made_from() -> None:
    assert torch.equal(states(adapted(alive=False)), states(network()))


def test_a_seed_gives_the_same_adapters_and_leaves_other_random_numbers_alone() -> None:
    torch.manual_seed(11)
    first = adapted(alive=False)
    drawn = torch.rand(1)
    torch.manual_seed(11)
    second = adapted(alive=False)
    assert torch.equal(torch.rand(1), drawn)
    torch.manual_seed(11)
    assert torch.equal(torch.rand(1), drawn)
    for one, other in zip(adapters(first), adapters(second), strict=True):
        assert torch.equal(one.lora_a, other.lora_a) and one.lora_a.abs().max() > 0


def test_the_addition_is_what_the_formula_says() -> None:
    adapter = adapters(adapted())[0]
    x = torch.randn(3, adapter.in_features)
    weight = adapter.weight + 2.0 * adapter.lora_b @ adapter.lora_a
    assert torch.allclose(adapter(x), x @ weight.T, atol=1e-5)
    assert not torch.allclose(adapter(x), x @ adapter.weight.T, atol=1e-3)


@pytest.mark.parametrize("recompute", [False, True])
def test_every_adapter_receives_gradient_and_changes_the_output(recompute: bool) -> None:
    found = adapted()
    found.checkpoint_activations(recompute)
    found(IDS).states.square().mean().backward()
    for adapter in adapters(found):
        assert adapter.lora_a.grad is not None and adapter.lora_a.grad.abs().max() > 0
        assert adapter.lora_b.grad is not None and adapter.lora_b.grad.abs().max() > 0
    before = states(found)
    for adapter in adapters(found):
        with torch.no_grad():
            adapter.lora_b.mul_(3)
        assert not torch.equal(states(found), before)
        with torch.no_grad():
            adapter.lora_b.div_(3)


def test_while_b_is_zero_it_alone_receives_gradient() -> None:
    found = adapted(alive=False)
    found(IDS).states.square().mean().backward()
    for adapter in adapters(found):
        assert adapter.lora_b.grad is not None and adapter.lora_b.grad.abs().max() > 0
        assert adapter.lora_a.grad is not None and adapter.lora_a.grad.abs().max() == 0


def test_dropout_acts_in_training_alone() -> None:
    found = adapted(dropout=0.5)
    assert torch.equal(states(found), states(found))
    found.train()
    assert not torch.equal(states(found), states(found))


def test_adapting_twice_or_adapting_nothing_is_refused() -> None:
    with pytest.raises(GenezipError, match="adapters already"):
        add_adapters(adapted(), 2, 4, 0.0, 0)
    with pytest.raises(GenezipError, match="nothing to adapt"):
        add_adapters(torch.nn.Linear(2, 2), 2, 4, 0.0, 0)
