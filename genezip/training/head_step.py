"""One optimiser step of a task: rate, precision, gradients, clipping.

Heads on cached features (:mod:`genezip.training.head_loop`) and networks that are fine-tuned
(:mod:`genezip.training.finetune`) take their steps in the same way.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from genezip.config.benchmarks import HeadTraining
from genezip.errors import GenezipError


def rate_at(step: int, steps: int, warmup: float) -> float:
    """Share of the peak learning rate at a step (0-based).

    Without warm-up it is 1 throughout. Else it rises over ``warmup * steps`` steps and falls
    linearly to 0 behind the last step.
    """
    if warmup == 0:
        return 1.0
    rising = math.ceil(warmup * steps)
    if step < rising:
        return (step + 1) / rising
    return (steps - step) / max(1, steps - rising)


def set_rate(
    optimizer: torch.optim.Optimizer, settings: HeadTraining, step: int, steps: int
) -> None:
    """Give every group the learning rate of a step (0-based) of ``steps``."""
    for group in optimizer.param_groups:
        group["lr"] = settings.learning_rate * rate_at(step, steps, settings.warmup)


def build_adamw(
    module: nn.Module, settings: HeadTraining, betas: tuple[float, float] = (0.9, 0.999)
) -> torch.optim.AdamW:
    """AdamW on every parameter that learns; 1-D ones without weight decay.

    Raises
    ------
    GenezipError
        If nothing learns.
    """
    learned = [p for p in module.parameters() if p.requires_grad]
    if not learned:
        raise GenezipError("nothing of this model learns; give it a head or another mode")
    groups = [
        {"params": [p for p in learned if p.dim() > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in learned if p.dim() <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=betas)


def precision(device: torch.device, settings: HeadTraining) -> torch.autocast:
    """The autocast block of a forward pass: bf16 on CUDA where it is asked for, else nothing."""
    return _autocast(device.type, settings.precision == "bf16")


def _autocast(kind: str, bf16: bool) -> torch.autocast:
    return torch.autocast(kind, dtype=torch.bfloat16, enabled=bf16 and kind == "cuda")


def in_full_precision(head: nn.Module, features: Tensor) -> Tensor:
    """What a head makes of features in fp32, whatever autocast is around.

    bf16 has 8 significant bits, so logits in it tie where scores must rank examples.
    """
    with torch.autocast(features.device.type, enabled=False):
        found: Tensor = head(features.float())
    return found


@contextmanager
def enough_memory(what: Callable[[], str]) -> Iterator[None]:
    """Turn a GPU that has no memory left into one sentence about ``what()``.

    Raises
    ------
    GenezipError
        In the place of ``torch.OutOfMemoryError``.
    """
    try:
        yield
    except torch.OutOfMemoryError:
        raise GenezipError(
            f"{what()} does not fit into the memory of the GPU; take a smaller input or a GPU "
            "with more memory"
        ) from None


def backward(
    module: nn.Module,
    parts: Iterable[Any],
    loss: Callable[[nn.Module, Any], Tensor],
    bf16: bool = False,
    describe: Callable[[Any], str] = lambda part: "a training batch",
) -> float:
    """Add up the gradients of a step's micro-batches in place; return the step's loss.

    Parameters
    ----------
    loss : module, micro-batch -> scalar Tensor, its share of the loss of the step
    bf16 : whether autocast is asked for; it is used on CUDA only
    describe : what a message calls a micro-batch that does not fit into memory

    Raises
    ------
    GenezipError
        If a GPU has no memory left.
    """
    kind = next(module.parameters()).device.type
    total = 0.0
    for part in parts:
        with enough_memory(partial(describe, part)):
            with _autocast(kind, bf16):
                value = loss(module, part)
            value.backward()
        total += float(value.detach())
    return total


def clip_gradients(
    module: nn.Module, settings: HeadTraining, loss: float, name: str, step: int
) -> None:
    """Bring the norm of all gradients down to ``clip_norm`` where it is above, in place.

    Raises
    ------
    GenezipError
        If the loss or the norm is not finite.
    """
    norm = float(nn.utils.clip_grad_norm_(module.parameters(), settings.clip_norm))
    if not math.isfinite(loss + norm):
        raise GenezipError(
            f"training of {name} became not finite (loss {loss:.4g}, gradient {norm:.4g}) at step "
            f"{step}; lower its learning_rate and train again"
        )
