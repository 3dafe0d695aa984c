"""Optimiser groups and schedule (GeneZip Table 4)."""

import math
from pathlib import Path

import pytest
import torch

from genezip.config import Pretrain
from genezip.models.hnet.architecture import Architecture, load_architecture
from genezip.models.hnet.network import GeneZipNetwork
from genezip.training.optimizer import (
    build_optimizer,
    level_rates,
    parameter_groups,
    pretraining_rate,
    set_rate,
)


@pytest.fixture(scope="module")
def network(repo: Path) -> GeneZipNetwork:
    with torch.device("meta"):
        return GeneZipNetwork(load_architecture("genezip-70m"))


def test_groups_hold_every_parameter_once(network: GeneZipNetwork) -> None:
    groups = parameter_groups(network, Pretrain())
    ids = [id(p) for group in groups for p in group["params"]]
    assert len(ids) == len(set(ids)) == len(list(network.parameters()))


SIZES = {"d_state": 8, "headdim": 8, "trunk_layers": 2}
STAGED = {
    **SIZES, "d_model": (16, 16, 24), "encoder_layers": (1, 1), "decoder_layers": (1, 1),
}  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "multipliers"),
    [
        ({**SIZES, "d_model": (16,)}, {1.0}),
        ({**STAGED, "router": ("block", "block"), "stride": (8, 16)}, {1.0, 1.2247}),
        ({**STAGED, "router": ("cpg", "random"), "stride": (None, 4)}, {1.0, 1.2247}),
        ({**STAGED, "d_model": (8, 16, 32), "bound": "none"}, {1.0, 1.4142, 2.0}),
    ],
)
@pytest.mark.parametrize("decay_vectors", [False, True])
def test_groups_of_other_models_hold_every_parameter_once(
    keys: dict, multipliers: set[float], decay_vectors: bool
) -> None:
    """Flat, U-Net with learned start vectors, unlearned routers, three widths."""
    network = GeneZipNetwork(Architecture(**keys))
    groups = parameter_groups(network, Pretrain(decay_vectors=decay_vectors))
    held = [id(p) for group in groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in network.parameters())
    assert {round(group["multiplier"], 4) for group in groups} == multipliers
    multiplier = {id(p): group["multiplier"] for group in groups for p in group["params"]}
    for s, start in network.starts.items():
        assert multiplier[id(start)] == multiplier[id(network.residuals[int(s)].weight)]
    assert multiplier[id(network.embedding)] == max(multiplier.values())


def test_a_parameter_of_no_level_is_a_bug(network: GeneZipNetwork) -> None:
    stray = GeneZipNetwork(Architecture(**STAGED))
    stray.register_parameter("stray", torch.nn.Parameter(torch.zeros(3)))
    with pytest.raises(AssertionError, match="parameters belong to a level"):
        parameter_groups(stray, Pretrain())


def test_outer_stages_learn_faster(network: GeneZipNetwork) -> None:
    """sqrt(768 / 512) for both stages and the embedding, 1 for the trunk."""
    found = {round(group["multiplier"], 4) for group in parameter_groups(network, Pretrain())}
    assert found == {1.2247, 1.0}
    trunk = {id(p) for p in network.trunk.parameters()} | {id(network.paddings[1])}
    for group in parameter_groups(network, Pretrain()):
        assert all((id(p) in trunk) == (group["multiplier"] == 1.0) for p in group["params"])


@pytest.mark.parametrize("decay_vectors", [False, True])
def test_weight_decay(network: GeneZipNetwork, decay_vectors: bool) -> None:
    settings = Pretrain(weight_decay=0.1, decay_vectors=decay_vectors)
    groups = parameter_groups(network, settings)
    decayed = {id(p) for g in groups if g["weight_decay"] > 0 for p in g["params"]}
    names = {name for name, p in network.named_parameters() if id(p) in decayed}
    layer = "trunk.blocks.0."
    assert layer + "mixer.in_proj.weight" in names
    assert layer + "mixer.conv_bias" not in names
    assert layer + "mixer.norm_weight" not in names
    assert "residuals.0.bias" not in names
    assert {"embedding", "routers.0.q_proj.weight", "residuals.0.weight"} <= names
    vectors = ("mixer.a_log", "mixer.d", "mixer.dt_bias", "norm_weight")
    for name in (*(layer + vector for vector in vectors), "trunk.norm_weight", "paddings.1"):
        assert (name in names) is decay_vectors


def test_the_default_spares_exactly_the_vectors(network: GeneZipNetwork) -> None:
    """Ours: matrices decay at 0.1, vectors do not; the authors' rule is ``decay_vectors``."""
    assert Pretrain().decay_vectors is False
    for group in parameter_groups(network, Pretrain()):
        assert {p.dim() > 1 for p in group["params"]} == {group["weight_decay"] == 0.1}
        assert group["weight_decay"] in (0.0, 0.1)


def test_schedule() -> None:
    settings = Pretrain(steps=110, warmup_steps=10, final_lr_fraction=0.1, learning_rate=2.0)
    assert pretraining_rate(0, settings) == pytest.approx(0.1)
    assert pretraining_rate(9, settings) == pytest.approx(1.0)
    assert pretraining_rate(10, settings) == pytest.approx(1.0)
    assert pretraining_rate(60, settings) == pytest.approx(0.55)
    assert pretraining_rate(110, settings) == pytest.approx(0.1)


def test_the_paper_schedule() -> None:
    """Linear up over 500 steps, linear to exactly 0 at step 30,600; AdamW as in Table 4."""
    settings = Pretrain()
    assert (settings.steps, settings.warmup_steps, settings.learning_rate) == (30_600, 500, 1e-3)
    assert (settings.batch, settings.alpha, settings.weight_decay) == (256, 0.03, 0.1)
    assert settings.betas == (0.9, 0.95)
    rates = [pretraining_rate(step, settings) for step in range(30_601)]
    assert [rates[step] for step in (0, 249, 499, 500)] == [1 / 500, 0.5, 1.0, 1.0]
    assert rates[500 + 30_100 // 2] == pytest.approx(0.5)
    assert rates[30_600] == 0.0
    fall = [rates[step] - rates[step + 1] for step in range(500, 30_600, 999)]
    assert fall == pytest.approx([1 / 30_100] * len(fall))


def test_the_optimiser_is_that_of_the_paper(network: GeneZipNetwork) -> None:
    optimizer = build_optimizer(network, Pretrain())
    assert optimizer.defaults["betas"] == (0.9, 0.95)
    assert optimizer.defaults["eps"] == 1e-8
    assert optimizer.defaults["lr"] == 1e-3


def test_rate_is_set_per_group(network: GeneZipNetwork) -> None:
    settings = Pretrain(warmup_steps=0, learning_rate=0.01, steps=10)
    optimizer = build_optimizer(network, settings)
    set_rate(optimizer, settings.learning_rate * pretraining_rate(0, settings))
    rates = {round(group["lr"], 6) for group in optimizer.param_groups}
    assert rates == {0.01, 0.012247}


def test_stages_learn_faster_by_width_and_length() -> None:
    """H-Net's rule by hand: sqrt(6) 128 / 64 and sqrt(2) 128 / 96; one class, or equal ones."""
    shape = load_architecture("dnahnet-tiny")
    settings = Pretrain(level_rates="width_and_length")
    wanted = pytest.approx([4.8990, 1.8856], abs=1e-4)
    assert level_rates(shape, settings, [6.0]) == wanted
    assert level_rates(shape, settings, [6.0] * 7) == wanted
    assert level_rates(shape, settings, [4.0, 12.0]) == wanted  # harmonic mean 6
    assert level_rates(shape, Pretrain(), [6.0]) == pytest.approx([2**0.5, (4 / 3) ** 0.5])
    assert level_rates(load_architecture("dnahnet-tiny-flat"), settings, [1.0]) == []
    assert level_rates(load_architecture("dnahnet-tiny-fixed"), settings, [6.0]) == wanted
    with torch.device("meta"):
        found = parameter_groups(GeneZipNetwork(shape), settings, [6.0])
    assert {round(group["multiplier"], 4) for group in found} == {4.8990, 1.8856, 1.0}


def test_a_cosine_falls_to_the_final_share() -> None:
    settings = Pretrain(steps=110, warmup_steps=10, final_lr_fraction=0.1, decay="cosine")
    rates = [pretraining_rate(step, settings) for step in (4, 9, 10, 35, 60, 85, 110)]
    cosine = [0.1 + 0.9 * (1 + math.cos(math.pi * share)) / 2 for share in (0, 0.25, 0.5, 0.75, 1)]
    assert rates == pytest.approx([0.5, 1.0, *cosine])
    assert cosine[2] == pytest.approx(0.55)


def test_wsd_by_hand() -> None:
    """20 steps: 2 rise, 14 stay, 4 fall to 5 %: 1 - s (1 - 1/sqrt(u)), s = 0.95 / (1 - 1/2)."""
    settings = Pretrain(steps=20, warmup_steps=2, decay="wsd", final_lr_fraction=0.05)
    rates = [pretraining_rate(step, settings) for step in range(20)]
    fall = [1 - 1.9 * (1 - 1 / math.sqrt(u)) for u in (1, 2, 3, 4)]
    assert rates == pytest.approx([0.5, 1.0, *[1.0] * 14, *fall])
    assert fall[0] == 1.0 and fall[-1] == pytest.approx(0.05)


def test_wsd_has_halved_four_updates_into_a_long_tail() -> None:
    settings = Pretrain(steps=100_000, warmup_steps=10_000, decay="wsd", final_lr_fraction=0.05)
    tail = [pretraining_rate(step, settings) for step in (79_999, 80_000, 80_003, 99_999)]
    assert tail[:2] == [1.0, 1.0]
    assert tail[2] == pytest.approx(1 - 0.95 / (1 - 20_000**-0.5) / 2)  # u = 4
    assert 0.5 < tail[2] < 0.53 and tail[3] == pytest.approx(0.05)


def test_wsd_without_a_step_for_its_fall_is_refused() -> None:
    last = Pretrain(steps=10, warmup_steps=2, decay="wsd", final_lr_fraction=0.05)
    assert pretraining_rate(9, last) == pytest.approx(0.05)  # a fall of a single step
    with pytest.raises(ValueError, match="wsd has no step left for its fall: 10 steps, 3 of them"):
        Pretrain(steps=10, warmup_steps=3, decay="wsd")


def test_ldarnet_of_110m_learns_three_times_as_fast_outside() -> None:
    """sqrt(4) 768 / 512; weights decay, norms, biases and parameters of the scan do not."""
    shape = Architecture(
        d_model=(512, 768), encoder_layers=("m3t1",), trunk_layers="M10", decoder_layers=("m4",),
        d_intermediate=(None, 2560), attention_heads=(16, None), d_state=128, headdim=64,
        vocab_size=7, bound="none", direction="both", head="untied",
    )  # fmt: skip
    settings = Pretrain(level_rates="width_and_length", weight_decay=0.01)
    assert level_rates(shape, settings, [4.0] * 7) == pytest.approx([3.0])
    with torch.device("meta"):
        network = GeneZipNetwork(shape)
    groups = parameter_groups(network, settings, [4.0] * 7)
    assert {round(group["multiplier"], 6) for group in groups} == {1.0, 3.0}
    decayed = {id(p) for g in groups if g["weight_decay"] == 0.01 for p in g["params"]}
    spared = ("norm_weight", "bias", "a_log", "mixer.ahead.d", "mixer.back.d", "paddings.0")
    for name, parameter in network.named_parameters():
        assert (id(parameter) in decayed) is not name.endswith(spared), name
