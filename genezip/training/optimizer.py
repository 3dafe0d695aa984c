"""Optimiser groups and learning rates: of pretraining (GeneZip Table 4) and of tasks."""

import math
from collections.abc import Sequence
from statistics import harmonic_mean

import torch
from torch import nn

from genezip.config import Pretrain
from genezip.config.tasks import HeadTraining
from genezip.errors import GenezipError
from genezip.models.hnet.architecture import Architecture
from genezip.models.hnet.network import GeneZipNetwork

FINE_TUNING_BETAS = (0.9, 0.95)  # GeneZip Appendix D
# norms of mixers, which have one per direction
GATED_NORMS = ("mixer.norm_weight", "mixer.ahead.norm_weight", "mixer.back.norm_weight")
STAGE_PARTS = ("encoders", "decoders", "routers", "residuals", "starts")


def level_rates(
    shape: Architecture, settings: Pretrain, target_bpt: Sequence[float]
) -> list[float]:
    """Learning rate of every stage over that of the trunk.

    It is sqrt(d_trunk / d_stage), compression factors counted as 1 as in the release; or by
    ``width_and_length`` sqrt(n) d_trunk / d_stage as in H-Net, with n positions of the stage for a
    token of the trunk by ``target_bpt``, the targets of the region classes. Of unequal targets the
    harmonic mean is taken, that of a sequence with as many bases of every class.
    """
    ratios = [shape.d_model[-1] / width for width in shape.d_model[:-1]]
    if settings.level_rates == "width":
        return [math.sqrt(ratio) for ratio in ratios]
    bpt = harmonic_mean(target_bpt)
    inner = [sum(shape.stage_shares[s:]) for s in range(shape.n_stages)]
    return [math.sqrt(bpt**share) * ratio for share, ratio in zip(inner, ratios, strict=True)]


def stage_multipliers(
    network: GeneZipNetwork, settings: Pretrain, target_bpt: Sequence[float]
) -> list[tuple[float, list[str]]]:
    """Learning-rate multiplier of every level and the prefixes of its parameters.

    The multiplier is that of :func:`level_rates` for a stage (stage 0 includes embedding and head)
    and 1 for the trunk. The vector that widens tokens belongs to the level that reads them. In a
    flat model the trunk is stage 0.
    """
    stages = network.shape.n_stages
    levels = []
    for s, rate in enumerate(level_rates(network.shape, settings, target_bpt)):
        levels.append((rate, [f"{part}.{s}" for part in STAGE_PARTS]))
    levels.append((1.0, ["trunk"]))
    levels[0][1].extend(("embedding", "head"))
    for s in range(stages):
        levels[s + 1][1].append(f"paddings.{s}")
    return levels


def parameter_groups(
    network: GeneZipNetwork, settings: Pretrain, target_bpt: Sequence[float] = (1.0,)
) -> list[dict]:
    """AdamW groups: one per level and weight decay, each with its ``multiplier``.

    ``target_bpt`` are the targets of the region classes, for :func:`level_rates`.
    1-D parameters have no decay; with ``decay_vectors`` only biases and the gated norms have none,
    as in the release. Every parameter is in one group.
    """
    named = dict(network.named_parameters())
    groups, held = [], 0
    for multiplier, prefixes in stage_multipliers(network, settings, target_bpt):
        mine = {
            name: parameter
            for name, parameter in named.items()
            if any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)
        }
        vectors = settings.decay_vectors
        decayed = [p for name, p in mine.items() if _decays(name, p, vectors)]
        rest = [p for name, p in mine.items() if not _decays(name, p, vectors)]
        held += len(mine)
        for parameters, decay in ((decayed, settings.weight_decay), (rest, 0.0)):
            if parameters:
                groups.append(
                    {"params": parameters, "weight_decay": decay, "multiplier": multiplier}
                )
    assert held == len(named), f"{held} of {len(named)} parameters belong to a level"
    return groups


def _decays(name: str, parameter: torch.Tensor, decay_vectors: bool) -> bool:
    if parameter.dim() > 1:
        return True
    spared = name.endswith((".bias", "conv_bias", *GATED_NORMS))
    return decay_vectors and not spared


def pretraining_rate(step: int, settings: Pretrain) -> float:
    """Share of the peak learning rate at a step (0-based): warm-up, then the decay of the settings.

    ``wsd`` is 1 for the stable part and 1 - s (1 - 1/sqrt(u)) at step u = 1 .. D of the last part,
    with s so that the last step has the final share.
    """
    if step < settings.warmup_steps:
        return (step + 1) / settings.warmup_steps
    if settings.decay == "wsd":
        count = settings.falling_steps
        u = step - (settings.steps - count) + 1
        if u < 1:
            return 1.0
        reach = 1 - 1 / math.sqrt(count)  # 0 for a single step, which has the final share
        fallen = (1 - 1 / math.sqrt(u)) / reach if reach else 1.0
        return 1 - (1 - settings.final_lr_fraction) * fallen
    left = settings.steps - settings.warmup_steps
    done = (step - settings.warmup_steps) / max(1, left)
    if settings.decay == "cosine":
        done = (1 - math.cos(math.pi * done)) / 2
    return 1 - (1 - settings.final_lr_fraction) * done


def build_optimizer(
    network: GeneZipNetwork, settings: Pretrain, target_bpt: Sequence[float] = (1.0,)
) -> torch.optim.AdamW:
    """AdamW with :func:`parameter_groups`; rates are set by :func:`set_rate`."""
    return torch.optim.AdamW(
        parameter_groups(network, settings, target_bpt),
        lr=settings.learning_rate,
        betas=settings.betas,
        eps=1e-8,
    )


def task_rate(step: int, steps: int, warmup: float) -> float:
    """Share of the peak learning rate at a step (0-based).

    Without warm-up it is always 1. Otherwise it rises over ``warmup * steps`` steps and falls
    linearly to 0, which it reaches after the last step.
    """
    if warmup == 0:
        return 1.0
    rising = math.ceil(warmup * steps)
    if step < rising:
        return (step + 1) / rising
    return (steps - step) / max(1, steps - rising)


def build_adamw(
    module: nn.Module,
    settings: HeadTraining | Pretrain,
    betas: tuple[float, float] = (0.9, 0.999),
) -> torch.optim.AdamW:
    """AdamW on every trainable parameter; 1-D ones have no weight decay."""
    trained = [p for p in module.parameters() if p.requires_grad]
    if not trained:
        raise GenezipError("this model has no trainable parameter; add a head or use another mode")
    groups = [
        {"params": [p for p in trained if p.dim() > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in trained if p.dim() <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=betas)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of every group: ``rate``, times the group's ``multiplier`` if any."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("multiplier", 1.0)
