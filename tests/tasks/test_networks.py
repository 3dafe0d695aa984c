"""Networks of the tasks: sizes by formula, alignment, symmetry, losses against values by hand."""

import math

import numpy as np
import pytest
import torch
from toolkit.dna import random_batch

from genezip.alphabet import PAD_ID, encode
from genezip.tasks.networks import (
    ActivityCNN,
    ActivityHead,
    ContactCNN,
    ContactHead,
    Layer,
    OneHot,
    PairCNN,
    PairHead,
    poisson_sum,
    squared_error_sum,
    upper_triangle,
)


def parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def bases(length: int, rows: int = 1) -> torch.Tensor:
    return random_batch(length, rows).to(torch.uint8)


def layers(channels: list[int], kernels: list[int]) -> int:
    """Weights and biases of convolutions, scale and shift of batch norms."""
    before = [4, *channels[:-1]]
    return sum(b * c * k + c + 2 * c for b, c, k in zip(before, channels, kernels, strict=True))


def small_contacts(bins: int = 9, dropout: float = 0.1) -> ContactHead:
    torch.manual_seed(1)
    return ContactHead(5, bins, channels=4, distance=3, planes=6, dropout=dropout)


@pytest.mark.parametrize(("bins", "offset"), [(448, 2), (7, 2), (7, 0), (5, 4)])
def test_the_scored_entries_come_in_the_order_of_numpy(bins: int, offset: int) -> None:
    rows, columns = upper_triangle(bins, offset)
    expected = np.triu_indices(bins, offset)
    assert np.array_equal(rows.numpy(), expected[0])
    assert np.array_equal(columns.numpy(), expected[1])


def test_a_map_of_448_bins_has_99681_scored_entries() -> None:
    assert len(upper_triangle(448)[0]) == 446 * 447 // 2 == 99_681


def test_the_contact_head_has_the_parameters_of_its_layers() -> None:
    width = 512
    expected = (
        (width * 128 + 128)
        + 2 * (128 * 128 * 5 + 128)
        + 448 * 16
        + (400 * 64 * 9 + 64)
        + 2 * (64 * 64 * 9 + 64)
        + (64 + 1)
    )
    assert parameters(ContactHead(width)) == expected


def test_the_activity_head_has_the_parameters_of_its_layers() -> None:
    assert parameters(ActivityHead(512, 5313)) == 512 * 5313 + 5313


def test_contact_maps_are_symmetric_also_while_training() -> None:
    head = small_contacts().train()
    found = head(torch.randn(2, 9, 5))
    assert found.shape == (2, 9, 9)
    assert torch.equal(found, found.transpose(1, 2))
    assert found.std() > 0


def test_the_triangle_of_a_map_is_read_row_by_row() -> None:
    head = small_contacts().eval()
    features = torch.randn(2, 9, 5)
    whole = head(features).detach().numpy()
    rows, columns = np.triu_indices(9, 2)
    assert np.array_equal(head.triangle(features).detach().numpy(), whole[:, rows, columns])


def test_the_pair_tensor_is_what_a_loop_over_pairs_builds() -> None:
    """Same weights, pair by pair: channels of i, of j, their product, their distance."""
    head = small_contacts(bins=4).eval()
    features = torch.randn(1, 4, 5)
    vectors = head.along(head.project(features).transpose(1, 2))[0].T
    pairs = torch.zeros(1, 3 * 4 + 3, 4, 4)
    for i in range(4):
        for j in range(4):
            apart = head.distance.weight[abs(i - j)]
            pairs[0, :, i, j] = torch.cat([vectors[i], vectors[j], vectors[i] * vectors[j], apart])
    plane = head.plane(pairs)[0, 0]
    assert torch.allclose(head(features)[0], (plane + plane.T) / 2, atol=1e-6)


def test_dropout_acts_while_training_alone() -> None:
    head, features = small_contacts(), torch.randn(1, 9, 5)
    assert not torch.equal(head.train()(features), head(features))
    assert torch.equal(head.eval()(features), head(features))


def test_activity_is_softplus_of_a_linear_map() -> None:
    head = ActivityHead(2, 1)
    with torch.no_grad():
        head.rates.weight.copy_(torch.tensor([[1.0, -1.0]]))
        head.rates.bias.zero_()
    found = head(torch.tensor([[[2.0, 1.0], [0.0, 0.0]]]))
    assert found.shape == (1, 2, 1)
    assert found.flatten().tolist() == pytest.approx([math.log1p(math.e), math.log(2)])


def test_the_poisson_loss_has_the_value_worked_out_by_hand() -> None:
    """Rates 1 and 2, targets 3 and 0: (1 - 3 ln 1) + (2 - 0) = 3; torch's loss agrees."""
    rate, target = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 0.0])
    assert poisson_sum(rate, target).item() == pytest.approx(3.0, abs=1e-6)
    rate, target = torch.rand(50) + 0.1, torch.rand(50) * 4
    peer = torch.nn.functional.poisson_nll_loss(
        rate, target, log_input=False, eps=1e-7, reduction="sum"
    )
    assert poisson_sum(rate, target).item() == pytest.approx(peer.item(), rel=1e-6)


@pytest.mark.parametrize("loss", [poisson_sum, squared_error_sum])
def test_entries_without_a_finite_target_add_neither_loss_nor_gradient(loss) -> None:
    rate = torch.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    target = torch.tensor([2.0, math.nan, math.inf, 1.0])
    total = loss(rate, target)
    total.backward()
    kept = torch.tensor([1.0, 4.0])
    assert total.item() == pytest.approx(loss(kept, target[[0, 3]]).item())
    assert rate.grad is not None
    assert rate.grad[1:3].tolist() == [0.0, 0.0]
    assert (rate.grad[[0, 3]] != 0).all()


def test_squared_errors_have_the_value_worked_out_by_hand() -> None:
    found = squared_error_sum(torch.tensor([1.0, 5.0]), torch.tensor([3.0, 4.0]))
    assert found.item() == 5.0


def test_activity_bins_are_128_bp_and_the_scored_ones_are_cut_out() -> None:
    model = ActivityCNN(tracks=3, first_bin=4, bins=6).eval()
    channels, kernels = [16, 64, 256, 1024], [25, 15, 15, 15]
    assert parameters(model) == layers(channels, kernels) + 1024 * 3 + 3
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


def test_the_contact_cnn_has_the_published_size() -> None:
    tower = layers([16, 32, 64, 64, 64, 64, 64], [11] * 7)
    plane = sum(b * c * 121 + 3 * c for b, c in ((65, 16), (16, 32), (32, 64)))
    assert parameters(ContactCNN()) == tower + (64 * 64 + 64) + plane + (64 + 1)


def test_maps_of_the_cnn_are_symmetric_and_their_triangle_is_in_order() -> None:
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
    assert len(upper_triangle(512 - 2 * model.crop)[0]) == 99_681


def ids_of(text: str) -> torch.Tensor:
    return torch.from_numpy(encode(text))[None]


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
    assert parameters(model) == layers([128, 64, 32], [3, 3, 3]) + 32 * 2 + 2
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


def test_the_head_of_pairs_has_the_parameters_of_its_layer() -> None:
    assert parameters(PairHead(512)) == 512 * 2 + 2


def test_the_head_of_pairs_is_a_linear_map() -> None:
    head = PairHead(2)
    with torch.no_grad():
        head.classify.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 2.0]]))
        head.classify.bias.copy_(torch.tensor([0.0, 1.0]))
    features = torch.tensor([[1.0, 0.5]])
    assert head(features).tolist() == [[1.0, 2.0]]
