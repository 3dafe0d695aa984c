"""Packed rows: the same as padded batches and as one sequence at a time."""

from functools import partial

import pytest
import torch
from toolkit.dna import random_batch
from toolkit.networks import speaking_network

from genezip.models.hnet.losses import lm_loss
from genezip.models.layers.packing import packing

LENGTHS = (300, 77, 1, 150)


small = partial(speaking_network, trunk_layers=3)


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    ids = random_batch(300, rows=4)
    valid = torch.arange(300) < torch.tensor(LENGTHS).unsqueeze(1)
    return ids * valid, valid


def test_layout_of_two_sequences() -> None:
    valid = torch.tensor([[True, True, True], [True, False, False]])
    row = packing(valid, 2)
    assert row.positions.tolist() == [[0, 1, 2], [5, 7, 7]]
    assert row.gap[0].tolist() == [False, False, False, True, True, False, True, True]
    assert row.reset[0].nonzero().flatten().tolist() == [4, 7]
    tokens = torch.arange(1.0, 13).view(2, 3, 2)
    there = row.pack(tokens)
    assert there[0, row.gap[0]].abs().sum() == 0
    assert torch.equal(row.unpack(there)[valid], tokens[valid])


@pytest.mark.parametrize("double", [True, False], ids=["fp64", "fp32"])
@pytest.mark.parametrize("size", [4, 64])
def test_packed_equals_padded(double: bool, size: int) -> None:
    """Several sequences in one chunk of the scan (64), and many chunks per sequence (4)."""
    network = small(ssd_chunk=size)
    network = network.double() if double else network
    ids, valid = batch()
    logits, gradients = [], []
    masks = None
    for packed in (False, True):
        network.packed = packed
        output = network(ids, valid, masks)
        masks = [routing.boundary_mask for routing in output.routings]
        lm_loss(output.logits, ids * valid).backward()
        logits.append(output.logits[valid].detach())
        gradients.append([p.grad.clone() for p in network.parameters() if p.numel()])
        network.zero_grad()
    tolerance = 1e-10 if double else 1e-3
    assert (logits[0] - logits[1]).abs().max() < tolerance * logits[0].abs().max()
    for one, other in zip(*gradients, strict=True):
        assert (one - other).abs().max() <= tolerance * one.abs().max().clamp(min=1e-6)


def test_no_sequence_sees_another() -> None:
    network = small().double()
    network.packed = True
    ids, valid = batch()
    changed = ids.clone()
    changed[0, :300] = 9 - ids[0]  # other bases in the first sequence only
    with torch.no_grad():
        masks = [routing.boundary_mask for routing in network(ids, valid).routings]
        one, other = (network(x, valid, masks).logits for x in (ids, changed))
    assert (one[0] - other[0]).abs().max() > 1e-2
    assert (one[1:] - other[1:])[valid[1:]].abs().max() < 1e-12
