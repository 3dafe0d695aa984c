"""Networks of both directions: every part equal to its definition, and blind to padding."""

import pytest
import torch
from toolkit.dna import random_batch
from toolkit.networks import LDARNET, SMALL, small_shape, speaking_network
from torch import Tensor

from genezip.alphabet import MASK_ID, N_ID, PAD_ID, SMALL_VOCABULARY
from genezip.errors import GenezipError
from genezip.models.hnet.architecture import architecture
from genezip.models.hnet.losses import rar_loss
from genezip.models.hnet.network import GeneZipNetwork
from genezip.models.layers.attention import Attention
from genezip.models.layers.bidirectional import BiMamba2
from genezip.models.layers.mamba2 import Mamba2
from genezip.models.routing.bidirectional import (
    BidirectionalRouter,
    boundary_prob_loop,
    ema_both,
    ema_both_loop,
)
from genezip.models.routing.learned import Router

LENGTHS = torch.tensor([20, 1, 2, 13])
VALID = torch.arange(20) < LENGTHS.unsqueeze(1)


def states(width: int = 16, seed: int = 0, length: int = 20) -> Tensor:
    """Padded rows of LENGTHS, fp64; padding holds numbers that must have no influence."""
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(len(LENGTHS), length, width, generator=draw, dtype=torch.float64)


def router(width: int = 16, seed: int = 0) -> BidirectionalRouter:
    torch.manual_seed(seed)
    return BidirectionalRouter(width, None).double()


def network(**changes: object) -> GeneZipNetwork:
    """A small LDARNet in fp64 that speaks up, with residual maps that are not zero."""
    found = speaking_network(**{**LDARNET, **changes}).double()
    with torch.no_grad():
        for residual in found.residuals:
            residual.weight.normal_(std=0.3, generator=torch.Generator().manual_seed(1))
    return found.eval()


# -- the router ----------------------------------------------------------------------------


def test_the_router_equals_its_definition() -> None:
    one, x = router(), states()
    prob = one.boundary_prob(x, VALID)
    for row, length in enumerate(LENGTHS.tolist()):
        alone = x[row, :length]
        wanted = boundary_prob_loop(one.q_proj(alone), one.k_proj(alone))
        assert (prob[row, :length] - wanted).abs().max() < 1e-12
        assert not prob[row, length:].any()
    assert prob[0, 1:].std() > 0.05


def test_with_identity_maps_it_is_the_causal_router() -> None:
    both, causal = BidirectionalRouter(16, None).double(), Router(16, None).double()
    both.reset_parameters()
    causal.reset_parameters()
    found, wanted = (one.boundary_prob(states(), VALID) for one in (both, causal))
    assert (found - wanted).abs().max() < 1e-12
    # and with maps of its own it is not
    both = router()
    causal.load_state_dict(both.state_dict())
    assert (both.boundary_prob(states(), VALID) - causal.boundary_prob(states(), VALID)).any()


@pytest.mark.parametrize("length", [1, 2, 20])
def test_a_gap_has_one_probability_in_both_readings(length: int) -> None:
    """p_rev[t] = p[L - t] for t = 1 .. L - 1: the token of a gap is on its right in each."""
    one, x = router(), states(length=length)[:1]
    valid = torch.ones(1, length, dtype=torch.bool)
    with torch.no_grad():
        prob = one.boundary_prob(x, valid)[0].tolist()
        turned = one.boundary_prob(x.flip(1), valid)[0].tolist()
    assert prob[0] == turned[0] == 1
    for t in range(1, length):
        assert turned[t] == pytest.approx(prob[length - t], abs=1e-12)


def test_a_network_of_equal_directions_mirrors_its_boundaries() -> None:
    """With equal weights of both directions and no rotation, encoder and router are symmetric."""
    one = network(rotary_dims=(0, 0))
    for module in one.modules():
        if isinstance(module, BiMamba2):
            module.back.load_state_dict(module.ahead.state_dict())
    ids = random_batch(60)
    prob, turned = (one(x).routings[0].boundary_prob[0] for x in (ids, ids.flip(1)))
    assert (turned[1:] - prob[1:].flip(0)).abs().max() < 1e-12
    assert prob[1:].std() > 0.01


# -- the moving average --------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_moving_average_equals_its_definition(dtype: torch.dtype) -> None:
    tokens = states().to(dtype)
    prob = states(seed=1)[..., 0].sigmoid().to(dtype)
    prob[:, 0] = 1
    found = ema_both(tokens, prob, VALID)
    for row, length in enumerate(LENGTHS.tolist()):
        wanted = ema_both_loop(tokens[row, :length], prob[row, :length])
        assert (found[row, :length] - wanted).abs().max() < (1e-12 if dtype.itemsize == 8 else 1e-5)


def test_equal_tokens_come_back_unchanged() -> None:
    """In both directions and at both ends, whatever the probabilities."""
    tokens = states()[:, :1].expand(-1, 20, -1)
    prob = torch.rand(4, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert (ema_both(tokens, prob * 0.2, VALID) - tokens)[VALID].abs().max() < 1e-12


def test_sure_boundaries_copy_their_tokens() -> None:
    tokens = states()
    found = ema_both(tokens, torch.ones(4, 20, dtype=torch.float64), VALID)
    assert (found - tokens)[VALID].abs().max() < 1e-3  # P is clipped to 1 - 1e-4


def test_the_moving_average_is_fp32_under_autocast() -> None:
    """A state in bf16 loses what follows a long run of small probabilities."""
    tokens, prob = states().bfloat16(), torch.full((4, 20), 0.01)
    with torch.autocast("cpu", torch.bfloat16):
        found = ema_both(tokens, prob, VALID)
    assert found.dtype == torch.float32
    wanted = ema_both_loop(tokens[0].double(), prob[0].double())
    assert (found[0] - wanted).abs().max() < 1e-5
    state = torch.zeros(16, dtype=torch.bfloat16)
    for value in tokens[0]:
        state = (0.01 * value + 0.99 * state).bfloat16()
    exact = 0.0
    for value in tokens[0].double():
        exact = 0.01 * value + 0.99 * exact
    assert (state - exact).abs().max() > 1e-4


def test_gradients_of_the_moving_average_are_those_of_the_definition() -> None:
    tokens = states()[:1].requires_grad_()
    prob = states(seed=1)[:1, :, 0].sigmoid().requires_grad_()
    fast, slow = ema_both(tokens, prob, VALID[:1]), ema_both_loop(tokens[0], prob[0])
    found = torch.autograd.grad(fast.square().sum(), (tokens, prob))
    wanted = torch.autograd.grad(slow.square().sum(), (tokens, prob))
    for one, other in zip(found, wanted, strict=True):
        assert (one - other).abs().max() < 1e-12


# -- layers --------------------------------------------------------------------------------


def bimamba2() -> BiMamba2:
    torch.manual_seed(0)
    found = BiMamba2(16, small_shape(**LDARNET))
    found.reset_parameters(0.5)
    return found.double()


def half(layer: BiMamba2, name: str) -> Mamba2:
    """One direction of a layer, as a causal mixer of its own."""
    found = Mamba2(16, small_shape(**LDARNET)).double()
    shared = {f"{part}.weight": getattr(layer, part).weight for part in ("in_proj", "out_proj")}
    found.load_state_dict({**getattr(layer, name).state_dict(), **shared})
    return found


def test_bimamba2_is_the_mean_of_two_mixers() -> None:
    """One on the sequence, one on its reverse, each sequence by its own length."""
    layer, x = bimamba2(), states()
    with torch.no_grad():
        found = layer(x, valid=VALID)
        for row, length in enumerate(LENGTHS.tolist()):
            alone = x[row : row + 1, :length]
            back = half(layer, "back")(alone.flip(1)).flip(1)
            wanted = (half(layer, "ahead")(alone) + back) / 2
            assert (found[row, :length] - wanted[0]).abs().max() < 1e-12
    assert not torch.equal(layer.ahead.dt_bias, layer.back.dt_bias)


@pytest.mark.parametrize("window", [None, 4])
def test_padding_reaches_no_base(window: int | None) -> None:
    torch.manual_seed(0)
    for layer in (bimamba2(), Attention(16, 2, 4, window, both=True).double()):
        x, other = states(), states(seed=1)
        other[VALID] = x[VALID]
        with torch.no_grad():
            found, wanted = layer(x, valid=VALID), layer(other, valid=VALID)
        assert torch.isfinite(found).all()
        assert (found - wanted)[VALID].abs().max() < 1e-12


# -- the network ---------------------------------------------------------------------------


@pytest.mark.parametrize("length", [1, 2, 3])
def test_shortest_sequences(length: int) -> None:
    output = network()(random_batch(length))
    assert output.logits.shape == (1, length, 7) and torch.isfinite(output.logits).all()
    assert output.routings[0].boundary_mask[0, 0]


def test_one_token_reaches_every_base() -> None:
    """M = 1: the token is copied to all bases."""
    one, ids = network(), random_batch(30)
    forced = torch.zeros(1, 30, dtype=torch.bool)
    forced[0, 0] = True
    output = one(ids, forced=[forced])
    assert output.tokens.shape == (1, 1, 24)
    received = one._dechunk(0, output.tokens, output.chunks[0], output.routings[0], None)
    assert (received(slice(0, 30)) - output.tokens).abs().max() < 1e-12


def test_every_base_depends_on_every_other() -> None:
    one, ids = network(), random_batch(40)
    for t in (0, 17, 39):
        changed = ids.clone()
        changed[0, t] = MASK_ID
        assert ((one(ids).logits - one(changed).logits).abs().amax(-1)[0] > 1e-9).all()


def test_rows_of_the_small_vocabulary_are_those_of_the_ids() -> None:
    """The same weights under 12 rows in the order of ids give the same logits of the bases."""
    one, other = network(), network(vocab_size=12)
    values = other.state_dict()
    for name, value in one.state_dict().items():
        if name in ("embedding", "head"):
            values[name][list(SMALL_VOCABULARY)] = value
        else:
            values[name] = value
    other.load_state_dict(values)
    ids = torch.tensor([[3, 4, 5, 6, N_ID, MASK_ID, 3, 3, PAD_ID]])
    valid = ids != PAD_ID
    mine, theirs = one(ids, valid), other(ids, valid)
    assert one.base_columns == slice(0, 4) and other.base_columns == slice(3, 7)
    difference = mine.logits[..., one.base_columns] - theirs.logits[..., other.base_columns]
    assert difference.abs().max() < 1e-12


def query_gradient(one: GeneZipNetwork, loss: Tensor) -> float:
    one.zero_grad()
    loss.backward()
    grad = one.routers[0].q_proj.weight.grad
    return 0.0 if grad is None else float(grad.abs().sum())


def test_each_way_to_the_router_carries_a_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The moving averages, the confidence and the ratio loss, with the other two cut off."""
    one, ids = network().train(), random_batch(100)
    confidence = "genezip.models.hnet.network.straight_through"
    average = "genezip.models.routing.bidirectional.ema_both"

    def mean_logit() -> Tensor:
        return one(ids).logits.square().mean()

    assert query_gradient(one, rar_loss(one(ids), ids * 0, torch.tensor([4.0]))[0]) > 0
    with monkeypatch.context() as patch:
        patch.setattr(confidence, lambda values, _: values)
        assert query_gradient(one, mean_logit()) > 0
        patch.setattr(average, lambda tokens, prob, valid: ema_both(tokens, prob.detach(), valid))
        assert query_gradient(one, mean_logit()) == 0
    with monkeypatch.context() as patch:
        patch.setattr(average, lambda tokens, prob, valid: ema_both(tokens, prob.detach(), valid))
        assert query_gradient(one, mean_logit()) > 0


def test_recomputed_blocks_change_nothing() -> None:
    one, ids = network().train(), random_batch(40, rows=2)
    plain = torch.autograd.grad(one(ids).logits.square().mean(), one.embedding)[0]
    one.checkpoint_activations(True)
    again = torch.autograd.grad(one(ids).logits.square().mean(), one.embedding)[0]
    assert (plain - again).abs().max() < 1e-12


def test_what_needs_an_order_is_refused() -> None:
    one = network()
    with pytest.raises(GenezipError, match="neither streams nor generates; give windows"):
        one.start()
    with pytest.raises(GenezipError, match="this one reads both directions; use the bound none"):
        one.set_bound("causal", [4.0])
    one.packed = True
    with pytest.raises(GenezipError, match="nor packs its trunk; give windows, and set packed"):
        one(random_batch(20, rows=2))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bound": "causal"}, "direction both has no causal order; use the bound none"),
        ({"router": ("block",), "stride": (4,)}, "has no causal order"),
        ({"logit_scale": "inverse_sqrt_width"}, "is for the tied head; use none"),
        ({"direction": "backward"}, "direction: "),
    ],
)
def test_layouts_that_do_not_fit(changes: dict, message: str) -> None:
    with pytest.raises(GenezipError, match=message) as caught:
        architecture({**SMALL.to_dict(), **LDARNET, **changes})
    assert "\n" not in str(caught.value)


def test_models_that_read_forward_have_no_new_keys() -> None:
    values = SMALL.to_dict()
    assert not {"direction", "head"} & set(values)
    assert architecture(values) == SMALL
    mine = small_shape(**LDARNET).to_dict()
    assert (mine["direction"], mine["head"]) == ("both", "untied")
    assert architecture(mine) == small_shape(**LDARNET)
