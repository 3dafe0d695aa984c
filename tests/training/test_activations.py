"""Activation checkpointing: less memory, the same gradients, every mask computed once."""

from collections import Counter

import pytest
import torch
from toolkit.networks import small_network
from toolkit.training import Batches, next_base, run_of

from genezip.models.layers.stack import Block
from genezip.models.routing.learned import Router
from genezip.training.setup import initial_network


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_gradients_are_equal_and_masks_computed_once(precision: str) -> None:
    found, begun = [], Counter[type]()

    def begins(module: torch.nn.Module, given: object) -> None:
        begun[type(module)] += 1

    for checkpoint in (False, True):
        run = run_of(checkpoint_activations=checkpoint, precision=precision)
        network = initial_network(run, torch.device("cpu"))
        for module in network.modules():
            module.register_forward_pre_hook(begins)
        drawn = Batches().next_batch()
        loss, sums = next_base(network, run).minimise(drawn)
        values = torch.cat([loss.view(1), sums])
        found.append(([p.grad for p in network.parameters()], values, begun.copy()))
        begun.clear()
    (plain, values, once), (recomputed, again, twice) = found
    assert torch.equal(values, again)
    for one, other in zip(plain, recomputed, strict=True):
        assert (one is None and other is None) or torch.equal(one, other)
    assert (once[Router], once[Block]) == (2, 5)
    assert (twice[Router], twice[Block]) == (2, 10)  # blocks again in the backward pass


def test_it_is_off_unless_asked_for() -> None:
    assert not small_network(0).trunk.recompute
    assert not initial_network(run_of(), torch.device("cpu")).trunk.recompute
