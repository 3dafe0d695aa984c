"""One optimiser step: forward and backward in micro-batches, and its line of the log."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from genezip.config import Pretrain
from genezip.models.hnet.losses import count_targets, lm_loss, rar_loss
from genezip.training.ranks import ALONE, Ranks, local_gradients


def training_step(
    model: nn.Module,
    ids: Tensor,
    regions: Tensor,
    target_bpt: Tensor,
    settings: Pretrain,
    ranks: Ranks = ALONE,
) -> Tensor:
    """Forward and backward of one optimiser step; gradients are added up in place.

    The network sees bases 0 .. L - 2 and predicts 1 .. L - 1; RAR uses the labels of the
    positions it sees. The next-base loss is the mean over the informative targets of the whole
    step (all processes, all micro-batches), RAR the mean over its sequences, so the gradient
    depends neither on the number of processes nor on the micro-batch.

    Parameters
    ----------
    model : the network, or :meth:`Ranks.parallel` of it
    ids, regions : uint8 Tensors, shape (batch / processes, L)
        The rows of this process; every process has equally many.
    target_bpt : float Tensor, shape (R,), on the device of the network

    Returns
    -------
    float64 Tensor on the device, see :func:`figures`; this process's share, to be summed
    """
    device = target_bpt.device
    informative = ranks.add_up(count_targets(ids).to(device))
    ids, regions = ids.to(device), regions.to(device)
    parts = math.ceil(len(ids) / settings.micro_batch)
    total: Tensor | None = None
    for part in range(parts):
        some = slice(part * settings.micro_batch, (part + 1) * settings.micro_batch)
        share = len(ids[some]) / (len(ids) * ranks.world)
        with local_gradients(model, part + 1 < parts):
            loss, values = micro_batch_loss(
                model, ids[some], regions[some], target_bpt, settings, informative, share
            )
            # the processes' gradients are averaged, the loss is their sum
            (loss * ranks.world).backward()
        total = values if total is None else total + values
    assert total is not None
    return total


def micro_batch_loss(
    model: nn.Module,
    ids: Tensor,
    regions: Tensor,
    target_bpt: Tensor,
    settings: Pretrain,
    informative: Tensor,
    share: float,
) -> tuple[Tensor, Tensor]:
    """What a micro-batch adds to the loss of its step, and to the figures.

    Parameters
    ----------
    ids, regions : uint8 Tensors, shape (micro_batch, L)
    informative : scalar Tensor, informative targets of the whole step
    share : sequences of the micro-batch / sequences of the step

    Returns
    -------
    loss : scalar Tensor
    figures : float64 Tensor, see :func:`figures`
    """
    bf16 = settings.precision == "bf16"
    with torch.autocast(ids.device.type, dtype=torch.bfloat16, enabled=bf16):
        output = model(ids[:, :-1])
    lm = lm_loss(output.logits, ids, informative)
    rar, sums = rar_loss(
        output, regions[:, :-1], target_bpt, settings.rar_mask, settings.region_label
    )
    rar = rar * share
    bit = ids.new_zeros(len(ids), dtype=torch.bool)
    for routing in output.routings:
        bit = bit | routing.bound_active()
    tokens = [kept.valid.sum() for kept in output.chunks]
    scalars = torch.stack([t.detach().double() for t in (lm, rar, bit.sum(), *tokens)])
    return lm + settings.alpha * rar, torch.cat([scalars, sums.double().flatten()])


def figures(
    values: Sequence[float], windows: int, bases: int, stages: int, classes: int
) -> dict[str, Any]:
    """The log line of a step.

    Parameters
    ----------
    values : summed over micro-batches and processes
        lm_loss, rar_loss, windows where a bound bit, tokens of each stage, then positions,
        kept positions and summed boundary probability of every stage and class.
    windows, bases : windows of the step, bases that the network saw in them
    """
    lm, rar, bit = values[:3]
    tokens = [int(value) for value in values[3 : 3 + stages]]
    sums = torch.tensor(values[3 + stages :], dtype=torch.float64).view(stages, classes, 3)
    positions, kept, prob = sums.unbind(-1)
    counts = [bases, *tokens]
    return {
        "lm_loss": lm,
        "rar_loss": rar,
        "stage_tokens": tokens,
        "kept": [after / before if before else 0.0 for before, after in pairwise(counts)],
        "bpt": bases / max(counts[-1], 1),
        "F": _rounded(kept / positions),
        "G": _rounded(prob / positions),
        "bound_bit": bit / windows,
    }


def _rounded(values: Tensor) -> list[list[float | None]]:
    """Per stage and class, with None for an absent class (JSON has no NaN)."""
    return [[None if math.isnan(v) else round(v, 5) for v in row] for row in values.tolist()]
