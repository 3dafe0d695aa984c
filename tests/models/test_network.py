"""The whole network: sizes, causality, padding, presets."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from toolkit.dna import random_batch
from toolkit.networks import SMALL, speaking_network
from torch.nn.functional import linear

from genezip.errors import GenezipError
from genezip.models.hnet.architecture import load_architecture
from genezip.models.hnet.losses import lm_loss, rar_loss
from genezip.models.hnet.network import build
from genezip.models.hnet.windows import run_batch
from genezip.models.layers import mamba2
from genezip.models.layers.ssd import scan

small = partial(speaking_network, k_min=(1, 1))


@pytest.mark.slow
def test_70m_forward_and_backward(repo: Path) -> None:
    network = build(load_architecture("genezip-70m"))
    ids = random_batch(513)
    output = network(ids[:, :-1])
    rar, _ = rar_loss(output, torch.zeros(1, 512), torch.full((7,), 128.0))
    (lm_loss(output.logits, ids) + 0.03 * rar).backward()
    missing = [n for n, p in network.named_parameters() if p.grad is None]
    assert missing == []
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())


def random_masks(length: int) -> list[torch.Tensor]:
    outer = torch.rand(1, length, generator=torch.Generator().manual_seed(1)) < 0.3
    outer[:, 0] = True
    inner = torch.rand(1, int(outer.sum()), generator=torch.Generator().manual_seed(2)) < 0.4
    inner[:, 0] = True
    return [outer, inner]


def test_causal_while_no_bound_bites() -> None:
    network = small()
    ids = random_batch(300)
    changed = ids.clone()
    changed[:, 200:] = random_batch(100, seed=9)
    with torch.no_grad():
        one, other = network(ids).logits, network(changed).logits
    assert (one[:, :200] - other[:, :200]).abs().max() < 1e-5
    assert (one[:, 200:] - other[:, 200:]).abs().max() > 1e-2


@pytest.mark.parametrize("bounds", [{"k_min": (250, 8)}, {"k_max": (5, None)}])
def test_not_causal_where_a_bound_bites(bounds: dict) -> None:
    """The published projection ranks the whole sequence, so perplexity needs this caveat."""
    network = small(**bounds)
    ids = random_batch(300)
    changed = ids.clone()
    changed[:, 150:] = random_batch(150, seed=9)
    with torch.no_grad():
        one, other = network(ids), network(changed)
    assert one.routings[0].bound_active().all()
    assert (one.logits[:, :150] - other.logits[:, :150]).abs().max() > 1e-4


def test_unequal_lengths_equal_one_by_one() -> None:
    network = small(k_min=(4, 2)).double()
    windows = [random_batch(n, seed=n)[0].numpy().astype("uint8") for n in (200, 77, 1, 130)]
    together = run_batch(network, windows)
    for window, result in zip(windows, together, strict=True):
        alone = run_batch(network, [window])[0]
        assert result.token_starts.tolist() == alone.token_starts.tolist()
        assert result.stage_tokens.tolist() == alone.stage_tokens.tolist()
        probs = (alone.boundary_prob, *alone.inner_prob), (result.boundary_prob, *result.inner_prob)
        for together_prob, prob in zip(*probs, strict=True):
            assert together_prob == pytest.approx(prob, abs=1e-5)
        assert result.log_prob == pytest.approx(alone.log_prob, abs=1e-9, nan_ok=True)


def test_token_starts_follow_both_stages() -> None:
    network = small()
    outer = torch.zeros(1, 10, dtype=torch.bool)
    outer[0, [0, 3, 4, 8]] = True
    inner = torch.tensor([[True, False, True, False]])
    output = network(random_batch(10), forced=[outer, inner])
    starts, valid = output.token_starts()
    assert starts[valid].tolist() == [0, 4]


def test_forced_masks_of_one_token_and_of_all() -> None:
    network = small()
    for fill in (False, True):
        outer = torch.full((1, 40), fill)
        outer[:, 0] = True
        inner = torch.full((1, int(outer.sum())), fill)
        inner[:, 0] = True
        logits = network(random_batch(40), forced=[outer, inner]).logits
        assert torch.isfinite(logits).all()


def test_confidence_is_that_of_the_threshold_not_of_the_bounded_mask() -> None:
    """Through it dL/dp is + where p > 1/2 and - elsewhere, kept by the floor or not."""
    network = small(k_min=(250, 1)).double()
    for stack in (*network.decoders, network.trunk):
        stack.eval()
    seen: dict[str, torch.Tensor] = {}
    expand = network._dechunk

    def watched(s: int, *arguments: object) -> Callable[[slice], torch.Tensor]:
        # detached, so that the confidence is the only way to p
        expanded = expand(s, *arguments)(slice(None)).detach()
        if s == 0:
            seen["expanded"], routing = expanded, arguments[2]
            seen["prob"], seen["mask"] = routing.boundary_prob, routing.boundary_mask
            routing.boundary_prob.retain_grad()
        return lambda part: expanded[:, part]

    network._dechunk = watched
    decoder = network.decoders[0]
    decoder.blocks[0].register_forward_pre_hook(lambda _, args: seen.update(decoded=args[0]))
    ids = random_batch(300)
    output = network(ids)
    seen["decoded"].retain_grad()
    lm_loss(output.logits, ids).backward()
    prob, kept = seen["prob"], seen["mask"]
    assert (kept & (prob < 0.5)).any()  # the floor bit
    share = (seen["decoded"].grad * seen["expanded"]).sum(-1)
    want = torch.where(prob > 0.5, share, -share)
    torch.testing.assert_close(prob.grad, want, rtol=1e-9, atol=1e-15)


def test_an_unknown_bound_and_a_mask_that_is_none() -> None:
    network = small()
    with pytest.raises(GenezipError, match="no bound 'casual'; use none, sequence, causal"):
        network.set_bound("casual")
    with pytest.raises(GenezipError, match="the causal bound has no integers"):
        network.set_bound("causal")
    ids = random_batch(20)
    for labels in (torch.ones_like(ids), torch.ones(20, dtype=torch.bool)):
        with pytest.raises(GenezipError, match="region classes belong to the loss"):
            network(ids, labels)


def test_without_limits_there_is_no_bound() -> None:
    assert small(k_min=(None, None)).bound == "none"
    assert small(k_min=(None, 2)).bound == "sequence"


def test_gradient_reaches_the_routers_through_the_confidence() -> None:
    network = small().train()
    ids = random_batch(200)
    lm_loss(network(ids, forced=random_masks(200)).logits, ids).backward()
    for router in network.routers:
        assert router.q_proj.weight.grad.abs().sum() > 0


def test_initial_values_depend_on_the_seed_alone() -> None:
    before = torch.random.get_rng_state()
    one, two, other = build(SMALL, 1), build(SMALL, 1), build(SMALL, 2)
    assert torch.equal(before, torch.random.get_rng_state())
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(one.embedding, other.embedding)


def test_output_projections_shrink_with_depth(repo: Path) -> None:
    """N(0, 0.02 / sqrt(n)), n = 4, 8, 23 residual additions from the outside in (70M)."""
    network = build(load_architecture("genezip-70m"))
    for stack, depth in (
        (network.encoders[0], 4),
        (network.decoders[1], 8),
        (network.trunk, 23),
    ):
        std = stack.blocks[0].mixer.out_proj.weight.std().item()
        assert std == pytest.approx(0.02 / depth**0.5, rel=0.02)
    assert network.embedding.std().item() == pytest.approx(1.0, rel=0.05)
    assert torch.equal(network.routers[0].q_proj.weight, torch.eye(512))
    assert network.residuals[0].weight.abs().max() == 0


def test_bf16_autocast_keeps_scans_and_head_in_fp32() -> None:
    """Projections may round; scans, de-chunk, routing cosine and logits may not."""
    network = small()
    ids = random_batch(200, rows=2)
    masks = [mask.expand(2, -1) for mask in random_masks(200)]
    residual = network.residuals[0]
    torch.nn.init.normal_(residual.weight, generator=torch.Generator().manual_seed(0))
    given, made = [], []
    residual.register_forward_pre_hook(lambda _, arguments: given.append(arguments[0]))
    residual.register_forward_hook(lambda _, arguments, result: made.append(result))
    with torch.no_grad():
        exact = network(ids, forced=masks)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rounded = network(ids, forced=masks)
    assert torch.equal(made[1], linear(given[1], residual.weight, residual.bias))
    assert rounded.logits.dtype == torch.float32
    assert rounded.routings[0].boundary_prob.dtype == torch.float32
    scale = exact.logits.abs().max()
    assert (rounded.logits - exact.logits).abs().max() < 0.03 * scale
    ssd_in = torch.randn(1, 100, 2, 8), torch.rand(1, 100, 2), -torch.ones(2)
    maps = torch.randn(2, 1, 100, 8)
    want = scan(*ssd_in, *maps, 16)[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(scan(*ssd_in, *maps, 16)[0], want)


def test_bf16_training_step_has_finite_gradients() -> None:
    network = small().train()
    ids = random_batch(200, rows=2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = network(ids[:, :-1])
    rar, _ = rar_loss(output, torch.zeros(2, 199), torch.full((7,), 16.0))
    (lm_loss(output.logits, ids) + rar).backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.numel())


def test_autocast_reaches_the_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    """fp32 weights of the convolution must not lift bf16 to fp32, where no fused scan runs."""
    seen: list[torch.dtype] = []
    scan = mamba2.scan

    def noted(x: torch.Tensor, *rest: object) -> tuple[torch.Tensor, torch.Tensor]:
        seen.append(x.dtype)
        found: tuple[torch.Tensor, torch.Tensor] = scan(x, *rest)
        return found

    monkeypatch.setattr(mamba2, "scan", noted)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        small()(random_batch(50))
    assert set(seen) == {torch.bfloat16}
