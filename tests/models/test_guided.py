"""Controls that rearrange the tokens of a guide: as many in every sequence, elsewhere."""

from pathlib import Path

import numpy as np
import pytest
import torch
from toolkit.dna import random_ids
from toolkit.guided import (
    KINDS,
    LEARNED,
    control,
    gaps,
    guided,
    learned_network,
    save_control,
    save_learned,
)
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import genezip as gz
from genezip.alphabet import MASK_ID
from genezip.config import Pretrain
from genezip.errors import GenezipError
from genezip.models.hnet.architecture import Architecture, architecture, load_architecture
from genezip.models.hnet.flops import flops, guide_flops
from genezip.models.hnet.network import GeneZipNetwork, build
from genezip.models.hnet.windows import padded, run_batch
from genezip.models.layers.fused import plain_form
from genezip.models.presets import count_parameters
from genezip.models.routing.fixed import position_hash
from genezip.models.routing.guided import (
    content_hash,
    even_positions,
    random_positions,
    shuffled_chunks,
)
from genezip.training.optimizer import build_optimizer

LENGTHS = (1, 2, 7, 40, 61, 64)


def masks(share: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Random tokens of sequences of several lengths, the first position always one."""
    draw = torch.Generator().manual_seed(seed)
    valid = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    mask = torch.rand(valid.shape, generator=draw) < share
    mask[:, 0] = True
    return mask & valid, valid


def arrangements(mask: Tensor, valid: Tensor, seed: int = 5) -> dict[str, Tensor]:
    draw = torch.randint(2**31, (len(mask), 1), generator=torch.Generator().manual_seed(seed))
    return {
        "even": even_positions(mask, valid),
        "random": random_positions(mask, valid, draw),
        "shuffled": shuffled_chunks(mask, valid, draw),
    }


@pytest.mark.parametrize("share", [0.0, 0.2, 0.6, 1.0])
def test_every_arrangement_keeps_the_number_of_tokens_and_the_first_position(share: float) -> None:
    """With one token per sequence, with all positions kept, and at L = 1."""
    mask, valid = masks(share)
    for found in arrangements(mask, valid).values():
        assert found.dtype == torch.bool and found.shape == mask.shape
        assert found.sum(1).tolist() == mask.sum(1).tolist()
        assert found[:, 0].all() and not (found & ~valid).any()


def test_sequences_without_a_position_have_no_token() -> None:
    mask = torch.zeros(2, 5, dtype=torch.bool)
    for found in arrangements(mask, mask).values():
        assert not found.any()
    empty = torch.zeros(2, 0, dtype=torch.bool)
    for found in arrangements(empty, empty).values():
        assert found.shape == (2, 0)


def test_even_tokens_are_those_of_bresenham() -> None:
    mask, valid = masks(0.3)
    found = even_positions(mask, valid)
    for row, length in enumerate(LENGTHS):
        count = int(mask[row].sum())
        expected = [-(-i * length // count) for i in range(count)]
        starts = found[row].nonzero()[:, 0].tolist()
        assert starts == expected
        assert set(gaps(np.array(starts), length)) <= {length // count, -(-length // count)}


def test_shuffled_tokens_have_the_chunks_of_the_guide_in_another_order() -> None:
    mask, valid = masks(0.3)
    found = arrangements(mask, valid)["shuffled"]
    orders = []
    for row, length in enumerate(LENGTHS):
        before, after = (gaps(one[row].nonzero()[:, 0].numpy(), length) for one in (mask, found))
        assert sorted(before) == sorted(after)
        orders.append(before == after)
    assert not all(orders[2:])


def test_random_tokens_are_those_with_the_smallest_hashes() -> None:
    """The definition, position by position; and every position is drawn about as often."""
    mask, valid = masks(0.3)
    draw = torch.arange(len(mask))[:, None] + 17
    found = random_positions(mask, valid, draw)
    for row, length in enumerate(LENGTHS):
        keys = position_hash(position_hash(torch.arange(length)) ^ draw[row]).tolist()
        order = sorted(range(1, length), key=lambda t: (keys[t], t))
        expected = {0, *order[: int(mask[row].sum()) - 1]}
        assert set(found[row].nonzero()[:, 0].tolist()) == expected
    rows, length = 4000, 21
    every = torch.ones(rows, length, dtype=torch.bool)
    five = (torch.arange(length) < 5).expand(rows, -1)
    many = torch.arange(rows)[:, None] * 7919
    share = random_positions(five, every, many).float().mean(0)
    assert share[0] == 1
    # 4 of 20 positions, each within five standard errors of a share of 0.2
    assert (share[1:] - 0.2).abs().max() < 5 * (0.2 * 0.8 / rows) ** 0.5


def test_draws_depend_on_seed_and_bases_but_not_on_padding() -> None:
    seed = torch.tensor(3)
    ids = torch.from_numpy(np.stack([random_ids(30, n) for n in range(50)]))
    valid = torch.ones_like(ids, dtype=torch.bool)
    found = content_hash(ids, valid, seed)
    assert len(found.unique()) == 50 and found.min() >= 0 and found.max() < 2**31
    assert not (content_hash(ids, valid, seed + 1) == found).any()
    wide = torch.nn.functional.pad(ids, (0, 6), value=5)
    inside = torch.nn.functional.pad(valid, (0, 6))
    assert torch.equal(content_hash(wide, inside, seed), found)


@pytest.mark.parametrize("kind", KINDS)
def test_a_control_has_the_tokens_of_its_guide_in_every_sequence(kind: str) -> None:
    trained = learned_network()
    network = control(kind, trained)
    windows = [random_ids(length, length) for length in (1, 5, 64, 90, 90)]
    ours, theirs = (run_batch(one, windows) for one in (network, trained))
    counts = [len(one.token_starts) for one in theirs]
    assert [len(one.token_starts) for one in ours] == counts and max(counts) > 10
    pairs = list(zip(ours, theirs, strict=True))
    assert any(not np.array_equal(a.token_starts, b.token_starts) for a, b in pairs)
    if kind == "guided_shuffled":
        for a, b, window in zip(ours, theirs, windows, strict=True):
            pair = (gaps(one.token_starts, len(window)) for one in (a, b))
            assert sorted(next(pair)) == sorted(next(pair))
    for one in ours:  # de-chunking copies, and the confidence is 1
        assert set(one.boundary_prob.tolist()) <= {0.0, 1.0}  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", KINDS)
def test_tokens_around_masked_bases_count_for_both_arms(kind: str) -> None:
    """The guide has them under ``protect_masked``, and the control as many tokens in all."""
    trained = learned_network()
    network = control(kind, trained)
    ids = torch.from_numpy(random_ids(90))[None]
    ids[0, 3::9] = MASK_ID
    plain = trained(ids).chunks[0].valid.sum()
    trained.protect_masked = network.protect_masked = True
    counts = [int(one(ids).chunks[0].valid.sum()) for one in (trained, network)]
    assert counts[0] == counts[1] > plain


@pytest.mark.parametrize("kind", KINDS)
def test_a_padded_batch_equals_its_sequences_one_by_one(kind: str) -> None:
    network = control(kind, learned_network())
    windows = [random_ids(length, length) for length in (33, 6, 70)]
    together = network(*padded(windows, torch.device("cpu")))
    for row, window in enumerate(windows):
        alone = network(torch.from_numpy(window)[None])
        mask = together.routings[0].boundary_mask[row, : len(window)]
        assert torch.equal(mask, alone.routings[0].boundary_mask[0])
        torch.testing.assert_close(
            together.logits[row, : len(window)], alone.logits[0], atol=1e-4, rtol=1e-4
        )


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_are_those_of_the_learned_arm_and_the_guide_is_none_of_them(kind: str) -> None:
    trained = learned_network()
    network = control(kind, trained)
    names, theirs = (dict(one.named_parameters()) for one in (network, trained))
    assert {name: p.shape for name, p in names.items()} == {n: p.shape for n, p in theirs.items()}
    assert network.count_parameters() == trained.count_parameters() == count_parameters(LEARNED)
    more = set(network.state_dict()) - set(trained.state_dict())
    guide = {name for name in more if name.startswith("routers.0.guide.")}
    assert more - guide == {"routers.0.seed"}
    for name in guide:
        own = name.removeprefix("routers.0.guide.")
        own = own.replace("encoder.", "encoders.0.", 1).replace("router.", "routers.0.", 1)
        assert torch.equal(network.state_dict()[name], trained.state_dict()[own])


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_of_training_moves_the_network_and_not_the_guide(kind: str) -> None:
    network = control(kind, learned_network()).train()
    optimizer = build_optimizer(network, Pretrain(learning_rate=0.01))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    loss = network(torch.from_numpy(random_ids(50))[None]).logits.square().mean()
    loss.backward()
    unused = {f"routers.0.{name}_proj.weight" for name in "qk"}
    for name, parameter in network.named_parameters():
        assert (parameter.grad is None) == (name in unused), name
    optimizer.step()
    still = {name for name, value in network.state_dict().items() if value.equal(before[name])}
    assert unused <= still
    assert {name for name in still if not name.startswith("routers.0.")} <= {"paddings.0"}
    assert {name for name in before if name.startswith("routers.0.guide.")} <= still


@pytest.mark.parametrize("kind", KINDS)
def test_operations_are_those_of_the_learned_arm_within_a_percent(kind: str) -> None:
    """By the counter: the control takes its guide's encoder more, and the moving average less."""
    trained, length = build(load_architecture("ldarnet-tiny"), 1).eval(), 700
    shape = load_architecture(f"ldarnet-tiny-{kind.removeprefix('guided_')}")
    network = build(shape, 2).eval()
    network.take_guide(trained)
    counted = []
    for one in (trained, network):
        with plain_form(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            (made,) = run_batch(one, [random_ids(length)])
        counted.append(counter.get_total_flops())
        tokens = made.stage_tokens[None]
        lengths = np.array([length])
        own, guide = flops(one.shape, lengths, tokens), guide_flops(one.shape, lengths)
        assert (own + guide).tolist() == [counted[-1]]
    assert guide[0] > 0.2 * own[0]
    assert counted[1] - guide[0] == pytest.approx(counted[0], rel=0.01)
    assert guide_flops(trained.shape, np.array([length])).tolist() == [0]


def test_presets_are_controls_of_the_tiny_model() -> None:
    tiny = load_architecture("ldarnet-tiny").to_dict()
    for kind in KINDS:
        shape = load_architecture(f"ldarnet-tiny-{kind.removeprefix('guided_')}").to_dict()
        assert shape == {**tiny, "router": (kind,)}


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_opens_alone_with_its_guide(tmp_path: Path, kind: str) -> None:
    guide = save_learned(tmp_path / "learned")
    network = control(kind, learned_network())
    folder = save_control(tmp_path / kind, kind, guide, network)
    model = gz.load(folder)
    sequence = "ACGTTGCAACGGTA" * 6
    (found,) = model.encode([sequence])
    ids = torch.from_numpy(gz.ids_of([sequence])[0])[None]
    assert np.array_equal(found.token_starts, network(ids).chunks[0].positions[0].numpy())
    assert len(found.token_starts) == len(gz.load(guide).encode([sequence])[0].token_starts)
    assert not model.causal and not model.streams
    untrained = gz.load(folder, untrained=True)  # the guide stays, the rest begins anew
    (same,) = untrained.encode([sequence])
    if kind == "guided_even":
        assert np.array_equal(same.token_starts, found.token_starts)
    assert len(same.token_starts) == len(found.token_starts)
    assert not np.allclose(same.tokens, found.tokens)


def test_without_a_trained_guide_the_guide_is_the_untrained_network() -> None:
    network, fresh = build(guided("guided_even"), 4).eval(), build(LEARNED, 4).eval()
    ids = torch.from_numpy(random_ids(80))[None]
    counts = [one(ids).chunks[0].valid.sum() for one in (network, fresh)]
    assert counts[0] == counts[1]
    assert int(network.state_dict()["routers.0.seed"]) == 4


def test_a_guide_of_a_guide_is_the_first_guide() -> None:
    trained = learned_network()
    first = control("guided_random", trained)
    second: GeneZipNetwork = control("guided_even", first)
    ids = torch.from_numpy(random_ids(80))[None]
    assert second(ids).chunks[0].valid.sum() == trained(ids).chunks[0].valid.sum()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"direction": "forward"}, "guided_even looks ahead, so a causal network would lose its"),
        (
            {
                "d_model": [8, 16, 16], "encoder_layers": [1, 1], "decoder_layers": [1, 1],
                "attention_heads": [], "attention_window": [],
                "router": ["guided_even", "learned"],
            },
            "needs a network of one stage, not 2",
        ),
        ({"stride": [4]}, "stride 4 does not fit router guided_even"),
        ({"router": ["guided"]}, "router"),
    ],
)  # fmt: skip
def test_other_layouts_are_refused(changes: dict, words: str) -> None:
    values = {**LEARNED.to_dict(), "router": ["guided_even"]}
    values |= {"k_min": [], "k_max": [], "stride": []}
    with pytest.raises(GenezipError, match=words):
        architecture({**values, **changes})


def test_the_bound_of_a_control_is_that_of_its_guide() -> None:
    shape: Architecture = guided("guided_even", bound="sequence", k_min=(4,), k_max=(6,))
    network = build(shape, 2).eval()
    network.take_guide(learned_network())
    assert network.bound == "sequence"
    assert int(network(torch.from_numpy(random_ids(80))[None]).chunks[0].valid.sum()) == 6
    network.set_bound("none")
    assert int(network(torch.from_numpy(random_ids(80))[None]).chunks[0].valid.sum()) > 6
