"""Attention: equal to its definition, whole, in blocks, in a stream, and packed."""

import math

import pytest
import torch
from toolkit.dna import random_batch
from toolkit.networks import DNAHNET, speaking_network
from torch import Tensor
from torch.nn.functional import linear, silu

from genezip.models.hnet.losses import lm_loss
from genezip.models.hnet.streaming import Stream
from genezip.models.layers import attention
from genezip.models.layers.attention import Attention, AttentionState, rotate, spans, spans_both
from genezip.models.layers.packing import packing
from genezip.models.layers.stack import SwiGLU

WINDOWS = [None, 1, 5, 100]


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Queries in blocks of 8, so that short sequences have many."""
    monkeypatch.setattr(attention, "QUERY_BLOCK", 8)


def rotate_loop(x: Tensor, position: int, dims: int) -> Tensor:
    """One vector of one head: pairs of dimensions, each turned by its angle."""
    turned = list(x)
    for i in range(dims // 2):
        angle = position * 10_000 ** (-2 * i / dims)
        one, other = x[i], x[i + dims // 2]
        turned[i] = math.cos(angle) * one - math.sin(angle) * other
        turned[i + dims // 2] = math.sin(angle) * one + math.cos(angle) * other
    return torch.stack(turned)


def attention_loop(layer: Attention, x: Tensor) -> Tensor:
    """The definition for one sequence, (L, width): every head, position and key on its own."""
    size = x.shape[-1] // layer.heads
    heads = [part.split(size, -1) for part in linear(x, layer.in_proj.weight).chunk(3, -1)]
    found = []
    for query, key, value in zip(*heads, strict=True):
        turned = [rotate_loop(row, t, layer.rotary_dims) for t, row in enumerate(key)]
        rows = []
        for t, row in enumerate(query):
            mine = rotate_loop(row, t, layer.rotary_dims)
            there = range(len(x) if layer.both else t + 1)
            seen = [s for s in there if layer.window is None or abs(t - s) <= layer.window]
            weights = [(mine @ turned[s] / math.sqrt(size)).exp() for s in seen]
            mixed = sum(w * value[s] for w, s in zip(weights, seen, strict=True))
            rows.append(mixed / sum(weights))
        found.append(torch.stack(rows))
    return linear(torch.cat(found, -1), layer.out_proj.weight)


def layer(
    window: int | None, width: int = 12, heads: int = 2, rotary: int = 4, both: bool = False
) -> Attention:
    torch.manual_seed(0)
    return Attention(width, heads, rotary, window, both).double()


def states(length: int, rows: int = 1, width: int = 12) -> Tensor:
    draw = torch.Generator().manual_seed(length)
    return torch.randn(rows, length, width, generator=draw, dtype=torch.float64)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("length", [1, 8, 20])
def test_attention_equals_its_definition(window: int | None, length: int) -> None:
    one, x = layer(window), states(length, rows=2)
    with torch.no_grad():
        found = one(x)
        for row, sequence in zip(found, x, strict=True):
            assert (row - attention_loop(one, sequence)).abs().max() < 1e-12


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("length", [1, 8, 20])
def test_attention_to_both_sides_equals_its_definition(window: int | None, length: int) -> None:
    """Also of padded rows, each of which is read as if it were alone."""
    one, x = layer(window, both=True), states(length, rows=3)
    lengths = [length, 1, max(1, length - 3)]
    valid = torch.arange(length) < torch.tensor(lengths).unsqueeze(1)
    with torch.no_grad():
        whole, padded = one(x), one(x, valid=valid)
        for row, sequence in enumerate(x):
            assert (whole[row] - attention_loop(one, sequence)).abs().max() < 1e-12
            wanted = attention_loop(one, sequence[: lengths[row]])
            assert (padded[row, : lengths[row]] - wanted).abs().max() < 1e-12


def test_blocks_of_both_sides_cover_every_pair_of_the_window_once() -> None:
    for length, window in ((50, 3), (50, 20), (50, 100), (7, None)):
        pairs = [
            (query, key)
            for start, stop, low, high in spans_both(length, window)
            for query in range(start, stop)
            for key in range(low, high)
        ]
        assert len(set(pairs)) == len(pairs)
        near = {
            (t, s) for t in range(length) for s in range(length)
            if window is None or abs(t - s) <= window
        }  # fmt: skip
        assert near <= set(pairs)


@pytest.mark.parametrize("rotary", [0, 2, 6])
def test_part_of_a_head_is_rotated(rotary: int) -> None:
    x = states(11)
    with torch.no_grad():
        one = layer(None, rotary=rotary)
        assert (one(x)[0] - attention_loop(one, x[0])).abs().max() < 1e-12


def test_a_rotation_depends_on_the_distance_alone() -> None:
    """Scores of a query and a key that are 7 positions apart, here and a million bases on."""
    query, key = states(1, width=8)[None], states(2, width=8)[None, :, :1]
    scores = [
        (rotate(query, first + 7, 8) * rotate(key, first, 8)).sum().item()
        for first in (0, 3, 1_000_000)
    ]
    assert scores == pytest.approx([scores[0]] * 3, abs=1e-9)
    assert abs(scores[0] - (query * key).sum()) > 1e-3


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("sizes", [[1] * 40, [7] * 5, [16, 20, 3, 1], [40]])
def test_blocks_of_a_stream_equal_one_pass(window: int | None, sizes: list[int]) -> None:
    one, x, state = layer(window), states(sum(sizes)), AttentionState()
    with torch.no_grad():
        parts = [one(part, state) for part in x.split(sizes, dim=1)]
        assert (torch.cat(parts, 1) - one(x)).abs().max() < 1e-12
    assert state.position == sum(sizes)
    assert state.keys is not None and state.values is not None
    kept = sum(sizes) if window is None else min(window, sum(sizes))
    assert state.keys.shape == state.values.shape == (1, 2, kept, 6)


@pytest.mark.parametrize("window", WINDOWS)
def test_packed_rows_equal_padded_ones(window: int | None) -> None:
    one, x = layer(window), states(30, rows=4)
    valid = torch.arange(30) < torch.tensor([30, 4, 1, 17]).unsqueeze(1)
    row = packing(valid, 3)
    with torch.no_grad():
        packed = row.unpack(one(row.pack(x), packed=row))
        assert (packed - one(x))[valid].abs().max() < 1e-12


@pytest.mark.parametrize("window", [None, 9])
def test_gradients_of_blocks_are_those_of_the_definition(window: int | None) -> None:
    x = states(18).requires_grad_()
    one = layer(window)
    (wanted,) = torch.autograd.grad(attention_loop(one, x[0]).square().sum(), x)
    (found,) = torch.autograd.grad(one(x).square().sum(), x)
    assert (found - wanted).abs().max() < 1e-12


def test_a_window_bounds_the_work() -> None:
    """Ten times the length is ten times the pairs, and no block sees more than the window."""
    pairs = []
    for length in (800, 8000):
        blocks = list(spans(length, length, window=20))
        assert max(high - low for _, _, low, high in blocks) == 28
        pairs.append(sum((stop - start) * (high - low) for start, stop, low, high in blocks))
    assert pairs[1] / pairs[0] == pytest.approx(10, rel=0.02)


def test_a_gated_layer_by_hand() -> None:
    gated, x = SwiGLU(3, 5).double(), states(4, width=3)
    values, gate = gated.in_proj.weight[:5], gated.in_proj.weight[5:]
    wanted = linear(linear(x, values) * silu(linear(x, gate)), gated.out_proj.weight)
    assert torch.equal(gated(x), wanted)
    assert sum(p.numel() for p in gated.parameters()) == 3 * 3 * 5


# -- inside a network ----------------------------------------------------------------------


def test_segments_of_a_long_sequence_equal_one_pass() -> None:
    network, ids = speaking_network(**DNAHNET).double(), random_batch(500)
    with torch.inference_mode():
        whole = network(ids)
        network.segment = {"cpu": 64}
        parts = network(ids)
    assert torch.equal(*(one.routings[1].boundary_mask for one in (whole, parts)))
    assert (whole.logits - parts.logits).abs().max() < 1e-10


@pytest.mark.slow
def test_a_packed_trunk_and_recomputed_blocks_change_nothing() -> None:
    network, ids = speaking_network(**DNAHNET).double().train(), random_batch(90, rows=3)
    found = []
    for packed, recompute in ((False, False), (True, False), (False, True)):
        network.packed = packed
        network.checkpoint_activations(recompute)
        network.zero_grad()
        output = network(ids)
        lm_loss(output.logits, ids).backward()
        gradients = {name: p.grad.clone() for name, p in network.named_parameters() if p.numel()}
        found.append((output.logits.detach(), gradients))
    logits, wanted = found[0]
    for other, gradients in found[1:]:
        assert (other - logits).abs().max() < 1e-10
        assert all((gradients[name] - wanted[name]).abs().max() < 1e-10 for name in wanted)


def test_a_saved_stream_continues_where_it_ended() -> None:
    """Keys of attention and states of mixers, through plain values, and in snapshots."""
    network, ids = speaking_network(**DNAHNET).double(), random_batch(80)[0].byte().numpy()
    stream = Stream(network)
    stream.feed_ids(ids[:50])
    saved, other = stream.state_dict(), Stream(network)
    snapshot = stream.copy()
    wanted = stream.feed_ids(ids[50:]).log_prob
    other.load_state_dict(saved)
    for again in (snapshot, other):
        assert again.position == 50
        assert again.feed_ids(ids[50:]).log_prob.tolist() == wanted.tolist()
    kinds = [type(mixer).__name__ for mixer in other.state.stages[1].encoder.mixers]
    assert kinds == ["AttentionState", "MixerState"]
    trunk = other.state.trunk.mixers[0]
    assert isinstance(trunk, AttentionState) and trunk.keys is not None
    assert trunk.keys.shape[2] == trunk.position
    window = other.state.stages[1].encoder.mixers[0]
    assert isinstance(window, AttentionState) and window.keys is not None
    assert window.keys.shape[2] == 5 < window.position
