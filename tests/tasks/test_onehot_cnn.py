"""The one-hot CNNs: sizes of the benchmark, alignment of bins, symmetry."""

import pytest
import torch
from toolkit.dna import random_batch
from torch import nn

from genezip.alphabet import PAD_ID, encode
from genezip.tasks.networks import (
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


def test_initial_values_follow_the_seed() -> None:
    torch.manual_seed(4)
    one = PairCNN()
    torch.manual_seed(4)
    other = PairCNN()
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
