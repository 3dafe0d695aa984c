"""Parts of an optimiser step: precision, memory errors, gradients summed over micro-batches."""

from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from genezip.config import Pretrain
from genezip.config.tasks import HeadTraining
from genezip.errors import GenezipError
from genezip.training.ranks import ALONE, Ranks, local_gradients


def precision(device: torch.device, settings: HeadTraining) -> torch.autocast:
    """Autocast of a forward pass: to bf16 if it is set and the device is CUDA, else disabled."""
    bf16 = settings.precision == "bf16" and device.type == "cuda"
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16)


def in_full_precision(head: nn.Module, features: Tensor) -> Tensor:
    """Output of a head in fp32, also under autocast.

    bf16 has 8 significant bits, so its logits have ties where scores must rank examples.
    """
    with torch.autocast(features.device.type, enabled=False):
        found: Tensor = head(features.float())
    return found


SMALLER = "take a smaller input or a GPU with more memory"


@contextmanager
def enough_memory(what: Callable[[], str], advice: str = SMALLER) -> Iterator[None]:
    """Replace ``torch.OutOfMemoryError`` by a GenezipError about ``what()`` with advice."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise GenezipError(f"{what()} does not fit into the memory of the GPU; {advice}") from None


def memory_advice(settings: Pretrain, windows: int, lower: str = "") -> str:
    """Advice on settings that need less memory in pretraining, as the end of a sentence.

    ``windows`` are those of a forward pass; ``lower`` is a remark on the micro-batch.
    """
    advice = []
    if windows > 1:
        advice.append(f"lower pretrain.micro_batch{lower}")
    if not settings.checkpoint_activations:
        advice.append("set pretrain.checkpoint_activations")
    advice.append("train on shorter windows (corpus.window_bp)")
    return ", or ".join(advice)


def backward(
    model: nn.Module,
    parts: Iterable[Any],
    loss: Callable[[Any], tuple[Tensor, Tensor]],
    describe: Callable[[Any], str],
    ranks: Ranks = ALONE,
    advice: str = SMALLER,
) -> tuple[Tensor, Tensor]:
    """Add up the gradients of a step's micro-batches in place, without a read from the device.

    The results are the loss (scalar) and the sums, (n,), of this process, float64 Tensors.

    Parameters
    ----------
    model : the network, or :meth:`Ranks.parallel` of it
    parts : micro-batches; those of an iterator are taken one at a time
    loss : micro-batch -> its share of the loss of the step (scalar Tensor), and further sums over
        the step (float64 Tensor, shape (n,))
    describe : micro-batch -> its name in the error if it does not fit into the GPU's memory
    advice : end of the same error
    """
    if ranks.world > 1:  # the processes exchange their gradients with the last micro-batch
        parts = list(parts)
    count = len(parts) if isinstance(parts, Sized) else 0
    found: tuple[Tensor, Tensor] | None = None
    for number, part in enumerate(parts):
        more = number + 1 < count
        memory = enough_memory(partial(describe, part), advice)
        with memory, local_gradients(model, more):
            value, sums = loss(part)
            # gradients are averaged over the processes, but the loss is a sum
            (value * ranks.world).backward()
        value = value.detach().double()
        found = (value, sums) if found is None else (found[0] + value, found[1] + sums)
    assert found is not None, "a step without a micro-batch"
    return found
