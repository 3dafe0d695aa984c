"""The one-hot CNNs: sizes of the benchmark, alignment of bins, symmetry."""

import numpy as np
import pytest
import torch
from toolkit.dna import random_batch
from torch import nn

from genezip.alphabet import PAD_ID, encode
from genezip.tasks.networks import (
    ActivityCNN,
    ContactCNN,
    Layer,
    OneHot,
    PairCNN,
)


def ids_of(text: str) -> torch.Tensor:
    return torch.from_numpy(encode(text))[None]


def bases(length: int, rows: int = 1) -> torch.Tensor:
    return random_batch(length, rows).to(torch.uint8)


def size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def layers(channels: list[int], kernels: list[int]) -> int:
    """Weights and biases of convolutions, scale and shift of batch norms."""
    before = [4, *channels[:-1]]
    return sum(b * c * k + c + 2 * c for b, c, k in zip(before, channels, kernels, strict=True))


def test_bases_become_four_columns() -> None:
    found = OneHot()(ids_of("ACGTN"))
    assert found.tolist() == [
        [[1, 0, 0, 0, 0.25], [0, 1, 0, 0, 0.25], [0, 0, 1, 0, 0.25], [0, 0, 0, 1, 0.25]]
    ]
    assert OneHot(0.0)(ids_of("N")).abs().sum() == 0
    padding = torch.tensor([[PAD_ID]], dtype=torch.uint8)
    assert OneHot()(padding).flatten().tolist() == [0.25] * 4


def test_pairs_have_the_published_size_and_one_row_of_logits() -> None:
    model = PairCNN().eval()
    assert size(model) == layers([128, 64, 32], [3, 3, 3]) + 32 * 2 + 2
    with torch.no_grad():
        assert model(bases(50, rows=2)).shape == (2, 2)


def test_pairs_can_give_negative_logits() -> None:
    model = PairCNN().eval()
    with torch.no_grad():
        model.classify.weight.zero_()
        model.classify.bias.copy_(torch.tensor([-1.0, -2.0]))
        assert model(bases(50)).tolist() == [[-1.0, -2.0]]


def test_a_variant_can_reach_the_logits_of_a_pair_from_anywhere() -> None:
    """The maximum over the sequence; one changed base among equal ones decides it."""
    torch.manual_seed(0)
    model = PairCNN().eval()
    for place in (0, 200, 399):
        changed = ids_of("A" * 400)
        changed[0, place] = 6
        with torch.no_grad():
            assert not torch.equal(model(changed), model(ids_of("A" * 400)))


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (11, 4), (11, 2), (25, 2), (15, 1)])
def test_a_position_of_a_layer_is_centred_on_the_positions_it_stands_for(
    kernel: int, stride: int
) -> None:
    layer = Layer(1, 1, kernel, stride).eval()
    x = torch.arange(64.0)[None, None]
    with torch.no_grad():
        layer.convolution.weight.fill_(1 / kernel)
        layer.convolution.bias.zero_()  # type: ignore[union-attr]
        found = layer(x)[0, 0]
    assert len(found) == 64 // stride
    inside = slice(16 // stride, 48 // stride)  # away from the padded ends
    centres = x[0, 0].view(-1, stride).mean(1)[inside]
    # an odd difference of kernel and stride cannot be split; half a position is left
    unscaled = found[inside] * (1 + layer.norm.eps) ** 0.5
    assert (unscaled - centres).abs().max() <= 0.5 + 1e-4


def test_activity_bins_are_128_bp_and_the_scored_ones_are_cut_out() -> None:
    model = ActivityCNN(tracks=3, first_bin=4, bins=6).eval()
    channels, kernels = [16, 64, 256, 1024], [25, 15, 15, 15]
    assert size(model) == layers(channels, kernels) + 1024 * 3 + 3
    model.scored = slice(8, 32)
    with torch.no_grad():  # every layer averages, and N is nothing: a bump stays a bump
        model.onehot.columns[7] = 0
        for name, parameter in model.named_parameters():
            parameter.fill_(0.0 if name.endswith("bias") else 1.0)
        for first in (18, 19, 22):
            ids = torch.full((1, 128 * 40), 7, dtype=torch.uint8)
            ids[0, 128 * first : 128 * (first + 1)] = 3
            found = model(ids)
            assert found.shape == (1, 24, 3)
            bump = found[0, :, 0] / found[0, :, 0].sum()
            assert bump[[0, -1]].sum() == 0
            assert abs(float((bump * torch.arange(24)).sum()) - (first - 8)) < 0.5


def test_contact_maps_have_the_published_size() -> None:
    tower = layers([16, 32, 64, 64, 64, 64, 64], [11] * 7)
    plane = sum(b * c * 121 + 3 * c for b, c in ((65, 16), (16, 32), (32, 64)))
    assert size(ContactCNN()) == tower + (64 * 64 + 64) + plane + (64 + 1)


def test_contact_maps_are_symmetric_and_their_triangle_is_in_order() -> None:
    torch.manual_seed(0)
    model = ContactCNN(crop=2).eval()
    ids = bases(2048 * 12)
    with torch.no_grad():
        found, triangle = model(ids), model.triangle(ids)
    assert found.shape == (1, 8, 8)
    assert torch.equal(found, found.transpose(1, 2)) and found.std() > 0
    rows, columns = np.triu_indices(8, 2)
    assert np.array_equal(triangle[0].numpy(), found[0].numpy()[rows, columns])


def test_a_full_window_gives_512_bins_and_99681_scored_entries() -> None:
    with torch.device("meta"):
        model = ContactCNN().eval()
        ids = torch.zeros(1, 1_048_576, dtype=torch.uint8)
        bins = model.bottleneck(model.tower(model.onehot(ids)))
    assert bins.shape == (1, 64, 512)
    assert len(np.triu_indices(512 - 2 * model.crop, model.offset)[0]) == 99_681


def test_initial_values_follow_the_seed() -> None:
    torch.manual_seed(4)
    one = PairCNN()
    torch.manual_seed(4)
    other = PairCNN()
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
