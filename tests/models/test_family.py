"""Every model of the family behind the one interface: what must hold for all of them.

GeneZip under each bound (with a uniform target it is H-Net), the autoregressive U-Net, dnaHNet and
its fixed grid, fixed stride, random and CpG tokens, and flat models, all small and in fp64; and
those of both directions, LDARNet and its fixed grid, where order does not matter.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pytest
import torch
from toolkit.dna import random_batch
from toolkit.networks import (
    CAUSAL,
    DNAHNET,
    FLAT,
    FLAT_ATTENTION,
    FREE,
    GRID,
    LDARNET,
    speaking_network,
)
from torch import Tensor
from torch.nn.functional import rms_norm
from torch.utils._python_dispatch import TorchDispatchMode

from genezip.models.compressed import KEPT_BY
from genezip.models.hnet.losses import base_nll, lm_loss, rar_loss
from genezip.models.hnet.network import GeneZipNetwork, Output
from genezip.models.hnet.streaming import Stream

FAMILY: dict[str, dict] = {
    "learned": FREE,
    "floor": {"k_min": (1, 1)},  # a sequence bound that never bites
    "causal": CAUSAL,
    "unet": {"router": ("block", "block"), "stride": (4, 3)},
    "stride": {"router": ("stride", "stride"), "stride": (4, 3)},
    "random": {"router": ("random", "random"), "stride": (4, 3)},
    "cpg": {"router": ("cpg", "stride"), "stride": (None, 1)},
    "mixed": {"router": ("stride", "learned"), "stride": (4, None), "bound": "none"},
    "flat": {**FLAT, "trunk_layers": 2},
    "dnahnet": DNAHNET,
    "grid": GRID,
    "attention": FLAT_ATTENTION,
}
BOTH: dict[str, dict] = {
    "ldarnet": LDARNET,
    "ldarnet grid": {**LDARNET, "router": ("stride",), "stride": (4,)},
    "ldarnet floor": {**LDARNET, "bound": "sequence", "k_min": (30,), "k_max": (30,)},
}
EVERY = {**FAMILY, **BOTH}
STREAMED = sorted(set(FAMILY) - {"floor"})


def member(name: str, **changes: object) -> GeneZipNetwork:
    """A small network in fp64 whose layers speak up as after training."""
    network = speaking_network(**{**EVERY[name], **changes})
    with torch.no_grad():
        for key, parameter in network.named_parameters():
            if key.startswith(("starts", "paddings", "residuals")):  # zero at the start
                parameter.normal_(std=0.3, generator=torch.Generator().manual_seed(1))
    return network.double()


def run(network: GeneZipNetwork, ids: Tensor, valid: Tensor | None = None) -> Output:
    with torch.inference_mode():
        output: Output = network(ids, valid)
    return output


def stage_positions(output: Output, row: int = 0) -> list[list[int]]:
    """Bases at which the tokens of every stage stand."""
    found, bases_of = [], None
    for kept in output.chunks:
        positions = kept.positions[row][kept.valid[row]]
        bases_of = positions if bases_of is None else bases_of[positions]
        found.append(bases_of.tolist())
    return found


# -- causality ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAMILY)
def test_a_base_changes_nothing_before_it(name: str) -> None:
    network, ids = member(name), random_batch(200)
    one = run(network, ids)
    assert not any(routing.bound_active().any() for routing in one.routings) or name == "causal"
    for t in (1, 2, 37, 128, 199):
        changed = ids.clone()
        changed[0, t] = (ids[0, t] - 3 + 2) % 4 + 3
        other = run(network, changed)
        for mine, theirs in zip(stage_positions(one), stage_positions(other), strict=True):
            assert [p for p in mine if p < t] == [p for p in theirs if p < t]
        for routing, after in zip(one.routings[:1], other.routings, strict=False):
            assert torch.equal(routing.kept_by[:, :t], after.kept_by[:, :t])
        assert (one.logits[:, :t] - other.logits[:, :t]).abs().max() < 1e-12
        assert (one.logits[:, t] - other.logits[:, t]).abs().max() > 1e-3


@pytest.mark.parametrize("name", ["learned", "causal", "unet"])
def test_later_bases_do_hear_of_a_change(name: str) -> None:
    """So that the test above cannot pass on a network that hears nothing."""
    network, ids = member(name), random_batch(200)
    changed = ids.clone()
    changed[0, 37] = (ids[0, 37] - 3 + 2) % 4 + 3
    difference = (run(network, ids).logits - run(network, changed).logits).abs().amax(-1)[0]
    assert (difference[37:] > 1e-9).all()


# -- the autoregressive U-Net --------------------------------------------------------------


def test_a_block_without_layers_as_the_paper_words_it() -> None:
    """Base t receives token (t + 1) // 8 - 1, the first block the start vector."""
    changes = {
        "d_model": (16, 24), "encoder_layers": (0,), "decoder_layers": (0,),
        "router": ("block",), "stride": (8,), "k_min": (None,), "k_max": (None,),
    }  # fmt: skip
    network, ids = member("unet", **changes), random_batch(45)
    output = run(network, ids)
    assert output.tokens.shape == (1, 5, 24)
    encoded = rms_norm(network.embedding[ids], (16,), network.encoders[0].norm_weight, 1e-5)
    received = [network.starts["0"]] * 7
    for t in range(7, 45):
        received.append(output.tokens[0, (t + 1) // 8 - 1, :16])
    mixed = network.residuals[0](encoded) + torch.stack(received)
    want = rms_norm(mixed, (16,), network.decoders[0].norm_weight, 1e-5)
    torch.testing.assert_close(output.states, want, atol=1e-12, rtol=0)


@pytest.mark.parametrize("strides", [(8, 4), (4, 3), (1, 5), (2, 1)])
def test_a_token_reaches_no_base_before_the_end_of_its_block(strides: tuple[int, int]) -> None:
    """Token m of both stages exists from base N (m + 1) - 1 on, N the product of the strides."""
    block = strides[0] * strides[1]
    network, ids = member("unet", stride=strides), random_batch(2 * block + min(3, block - 1))
    output = network(ids)
    for t in range(ids.shape[1]):
        total = output.logits[0, t].square().sum()
        (grad,) = torch.autograd.grad(total, output.tokens, retain_graph=True)
        # the scan's centring leaves rounding remainders of 1e-20 where nothing is reached
        reached = grad[0].abs().sum(-1) > 1e-9
        assert reached.tolist() == [t >= block * (m + 1) - 1 for m in range(2)]


def test_the_first_block_learns_from_its_start_vectors() -> None:
    network = member("unet", stride=(8, 16))
    ids = random_batch(7)  # no token at all: only the start vector of stage 0 can speak
    output = network(ids)
    assert output.tokens.shape[1] == 0
    lm_loss(output.logits, ids).backward()
    assert network.starts["0"].grad.abs().sum() > 0
    ids = random_batch(100)  # 12 tokens at stage 0, none at stage 1
    lm_loss(network(ids).logits, ids).backward()
    assert network.starts["1"].grad.abs().sum() > 0


# -- batches and streams -------------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY)
def test_unequal_lengths_equal_one_by_one(name: str) -> None:
    """Also of sequences too short for a single block."""
    network = member(name)
    lengths = [150, 1, 3, 64, 11, 12, 149]
    ids, valid = torch.zeros(len(lengths), 150, dtype=torch.long), None
    valid = torch.arange(150) < torch.tensor(lengths).unsqueeze(1)
    for row, length in enumerate(lengths):
        ids[row, :length] = random_batch(length, seed=row)[0]
    together = run(network, ids, valid)
    starts, real = together.token_starts()
    for row, length in enumerate(lengths):
        alone = run(network, ids[row : row + 1, :length])
        one_starts, one_real = alone.token_starts()
        assert starts[row][real[row]].tolist() == one_starts[one_real].tolist()
        assert stage_positions(together, row) == stage_positions(alone)
        assert together.kept_by()[row][real[row]].tolist() == alone.kept_by()[one_real].tolist()
        difference = together.logits[row, :length] - alone.logits[0]
        assert difference.abs().max() < 1e-12
        difference = together.tokens[row][real[row]] - alone.tokens[0]
        assert difference.abs().sum() < 1e-10


MIXED = [1, 7, 64, 2, 30, 1, 90, 5]


@pytest.mark.parametrize("sizes", [[1] * 60, [7] * 13 + [4], [64] * 3 + [8], MIXED])
@pytest.mark.parametrize("name", STREAMED)
def test_streaming_equals_the_whole_pass(name: str, sizes: Sequence[int]) -> None:
    network, ids = member(name), random_batch(sum(sizes))
    output = run(network, ids)
    nll, _ = base_nll(output.logits, ids)
    stream, blocks, start = Stream(network), [], 0
    for size in sizes:
        blocks.append(stream.feed_ids(ids[0, start : start + size].numpy().astype(np.uint8)))
        start += size
    assert start == stream.position
    log_prob = np.concatenate([block.log_prob for block in blocks])
    np.testing.assert_allclose(log_prob[1:], -nll[0].numpy(), atol=1e-9, rtol=0)
    positions, _ = output.token_positions()
    found = np.concatenate([block.token_positions for block in blocks])
    assert found.tolist() == positions[0].tolist()
    found = np.concatenate([block.kept_by for block in blocks])
    assert found.tolist() == output.kept_by()[0].tolist()
    tokens = np.concatenate([block.tokens for block in blocks])
    np.testing.assert_allclose(tokens, output.tokens[0].numpy(), atol=1e-9, rtol=0)
    for stage, routing in enumerate(output.routings):
        found = np.concatenate(
            [(block.boundary_prob, *block.inner_prob)[stage] for block in blocks]
        )
        np.testing.assert_allclose(found, routing.boundary_prob[0].numpy(), atol=1e-9, rtol=0)


# -- gradients -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY)
def test_backward_reaches_every_parameter(name: str) -> None:
    network, ids = member(name).train(), random_batch(300, rows=2)
    lm_loss(network(ids).logits, ids).backward()
    silent = [
        key
        for key, parameter in network.named_parameters()
        if parameter.numel() and (parameter.grad is None or not parameter.grad.abs().sum() > 0)
    ]
    assert silent == []


# -- tokens --------------------------------------------------------------------------------


@pytest.mark.parametrize("label", ["first", "majority"])
@pytest.mark.parametrize("name", EVERY)
def test_ratio_loss_of_every_model(name: str, label: Literal["first", "majority"]) -> None:
    """Unequal lengths, the shortest without a token in the U-Net; all bases are counted once."""
    network = member(name)
    ids, lengths = random_batch(120, rows=3), torch.tensor([120, 60, 3])
    valid = torch.arange(120) < lengths.unsqueeze(1)
    regions = torch.arange(120).expand(3, -1) // 20
    loss, sums = rar_loss(run(network, ids, valid), regions, torch.full((7,), 9.0), "post", label)
    assert torch.isfinite(loss)
    assert len(sums) == network.shape.n_stages
    if len(sums):
        assert sums[0, :, 0].tolist() == [43, 40, 40, 20, 20, 20, 0]


@pytest.mark.parametrize("name", EVERY)
def test_token_starts_tile_the_window(name: str) -> None:
    output = run(member(name), random_batch(203))
    starts, real = output.token_starts()
    assert real.all()
    chunk_bp = torch.diff(starts[0], append=torch.tensor([203]))
    assert starts[0, 0] == 0 and (chunk_bp > 0).all() and chunk_bp.sum() == 203
    assert len(chunk_bp) == output.tokens.shape[1]


def test_where_the_tokens_stand() -> None:
    ids = random_batch(40)
    assert stage_positions(run(member("stride"), ids)) == [list(range(0, 40, 4)), [0, 12, 24, 36]]
    unet = run(member("unet"), ids)
    assert stage_positions(unet) == [list(range(3, 40, 4)), [11, 23, 35]]
    assert unet.token_starts()[0].tolist() == [[0, 12, 24]]
    ids[0] = torch.tensor([5, 4, 5, 5, 4, 3, 4, 5] * 5)  # G CG G C A CG
    want = sorted([0, *range(2, 40, 8), *range(7, 40, 8)])
    assert stage_positions(run(member("cpg"), ids)) == [want, want]
    assert run(member("flat"), ids).token_starts()[0].tolist() == [list(range(40))]


def test_random_tokens_come_at_their_rate_and_know_no_sequence() -> None:
    network = member("random", stride=(8, 2), trunk_layers=0, encoder_layers=(0, 0))
    one, other = run(network, random_batch(40_000)), run(network, random_batch(40_000, seed=1))
    assert stage_positions(one) == stage_positions(other)
    outer, inner = (len(positions) for positions in stage_positions(one))
    assert abs(outer - 5000) < 4 * (40_000 / 8 * 7 / 8) ** 0.5  # 4 SD of a binomial count
    assert abs(inner - outer / 2) < 4 * (outer / 4) ** 0.5


def kept_by_loop(output: Output) -> list[int]:
    """Code of every final token: of the innermost stage where the router did not choose it."""
    codes, last = [], len(output.routings) - 1
    for token in range(int(output.chunks[last].valid.sum())):
        code, position = 0, token
        for stage in range(last, -1, -1):
            position = int(output.chunks[stage].positions[0, position])
            here = int(output.routings[stage].kept_by[0, position])
            code = code or here
        codes.append(code)
    return codes


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"bound": "none"}, {"router"}),
        ({"k_min": (150, 100)}, {"router", "floor"}),
        ({**CAUSAL, "max_chunk": (2, 2)}, {"router", "forced"}),
        ({"bound": "none", "router": ("stride", "stride"), "stride": (2, 3)}, {"router"}),
    ],
)
def test_kept_by_says_why(changes: dict, expected: set[str]) -> None:
    output = run(member("learned", **{"bound": "sequence", **changes}), random_batch(200))
    codes = output.kept_by()[0].tolist()
    assert codes == kept_by_loop(output)
    assert {KEPT_BY[code] for code in codes} == expected
    for routing in output.routings:
        by_router = routing.boundary_mask & (routing.kept_by == 0)
        assert not (by_router & ~routing.provisional).any()


# -- reads from the device -----------------------------------------------------------------


class Reads(TorchDispatchMode):
    """Counts where the program waits for a value: reads of scalars and data-sized results."""

    WAITS = (
        torch.ops.aten._local_scalar_dense.default,
        torch.ops.aten.nonzero.default,
        torch.ops.aten.masked_select.default,
        torch.ops.aten.equal.default,
    )
    count = 0

    def __torch_dispatch__(
        self, func: object, types: object, args: tuple = (), kwargs: dict | None = None
    ) -> object:
        self.count += func in self.WAITS
        return func(*args, **(kwargs or {}))  # type: ignore[operator]


NO_LAYERS = {"encoder_layers": (0, 0), "trunk_layers": 0, "decoder_layers": (0, 0)}


def reads(network: GeneZipNetwork, ids: Tensor) -> int:
    """Reads of routing, chunking and de-chunking: the network has no layers beside them."""
    with Reads() as mode, torch.no_grad():
        network(ids)
    return mode.count


@pytest.mark.parametrize(
    "changes", [{"bound": "none"}, {"k_min": (8, 4)}, {"k_max": (60, 20)}, CAUSAL]
)
def test_one_read_per_stage(changes: dict) -> None:
    network = member("learned", **{"bound": "sequence", **NO_LAYERS, **changes})
    assert reads(network, random_batch(300, rows=3)) == 2


@pytest.mark.parametrize(
    "changes", [{"k_max": (250, 200)}, {"k_min": (200, 150), "k_max": (250, 200)}, CAUSAL]
)
def test_fixed_capacity_reads_nothing_and_changes_nothing(changes: dict) -> None:
    network = member("learned", **{"bound": "sequence", **NO_LAYERS, **changes})
    network.fixed_capacity = True
    assert reads(network, random_batch(300, rows=3)) == 0
    network, ids = member("learned", **{"bound": "sequence", **changes}), random_batch(300, rows=3)
    valid = torch.arange(300) < torch.tensor([[300], [40], [7]])
    free = run(network, ids, valid)
    network.fixed_capacity = True
    fixed = run(network, ids, valid)
    assert fixed.tokens.shape[1] > free.tokens.shape[1]
    difference = (free.logits - fixed.logits)[valid]
    assert difference.abs().max() < 1e-12
    for one, other in zip(free.routings[:1], fixed.routings, strict=False):
        assert torch.equal(one.boundary_mask, other.boundary_mask)
    for row in range(3):
        assert stage_positions(free, row) == stage_positions(fixed, row)
