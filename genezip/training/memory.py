"""Estimate the peak memory of a training run; log it, and refuse a run that cannot fit.

Weights, gradients and the two AdamW moments are counted. Memory that grows with the bases of a
forward pass is measured: forward and backward run on one window of two short lengths while every
created tensor is tallied, and the line through the two peaks is extrapolated to the real length.
"""

import logging
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from genezip.alphabet import A_ID, T_ID
from genezip.config import Pretrain
from genezip.errors import GenezipError
from genezip.models.hnet.network import GeneZipNetwork
from genezip.region_classes import GENE7
from genezip.training.masked import masked_base_loss
from genezip.training.objectives import next_base_loss
from genezip.training.step import memory_advice

logger = logging.getLogger(__name__)

PROBE_BP = 2048
COPIES = 4  # weight, gradient, first and second moment
# Allocators hold more than the tensors in use: 0 to 50 % on CPU as measured, usually 20 %.
MARGIN = 1.2


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes that one process of a run needs, with ``windows`` of ``window_bp`` in a forward pass.

    ``parameters`` are weights, gradients and moments; ``fixed`` is the peak of other memory that
    does not grow with the bases (copies of weights); ``per_base`` are activations, their gradients
    and intermediates per base of a forward pass.
    """

    parameters: int
    fixed: int
    per_base: float
    windows: int
    window_bp: int

    def total(self, windows: int | None = None) -> int:
        """Bytes with ``windows`` per forward pass (default: those of the run)."""
        bases = (self.windows if windows is None else windows) * self.window_bp
        return self.parameters + round(MARGIN * (self.fixed + self.per_base * bases))

    def fitting(self, available: int) -> int:
        """Windows per forward pass that fit; 0 if not even one does."""
        left = available - self.total(0)
        return max(0, int(left / max(1.0, MARGIN * self.per_base * self.window_bp)))


class PeakBytes(TorchDispatchMode):
    """Tallies the bytes of tensors created inside the block; ``peak`` is their maximum.

    It works on every device and includes backward passes and recomputed activations. Views and
    ``known`` tensors do not count.
    """

    def __init__(self, known: list[Tensor]) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._alive = {tensor.untyped_storage()._cdata for tensor in known}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and count the storages it creates."""
        made = func(*args, **(kwargs or {}))
        for tensor in tree_iter(made):
            if isinstance(tensor, Tensor):
                self._count(tensor.untyped_storage())
        return made

    def _count(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._alive:
            return
        self._alive.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._free, key, size)

    def _free(self, key: int, size: int) -> None:
        self._alive.discard(key)
        self.now -= size


def estimate(
    network: GeneZipNetwork,
    settings: Pretrain,
    windows: int,
    window_bp: int,
    classes: int = len(GENE7),
) -> MemoryEstimate:
    """Estimate the memory of training; the network is not changed and has no gradients after it.

    With initial weights a router keeps about half of all positions, later far fewer, so the
    estimate is that of the first steps. ``windows`` are those of a forward pass of this process;
    the ratio loss counts bases in each of ``classes`` region classes.
    """
    longer = min(PROBE_BP, window_bp)
    shorter = max(2, longer // 2)
    peaks = [_peak(network, settings, bases, classes) for bases in (shorter, longer)]
    per_base = max(0.0, (peaks[1] - peaks[0]) / max(1, longer - shorter))
    fixed = max(0, peaks[1] - round(per_base * longer))
    parameters = sum(COPIES * p.numel() * p.element_size() for p in network.parameters())
    return MemoryEstimate(parameters, fixed, per_base, windows, window_bp)


def _peak(network: GeneZipNetwork, settings: Pretrain, bases: int, classes: int) -> int:
    """Peak bytes of forward and backward over one window, without gradients of weights."""
    device = network.embedding.device
    draw = torch.Generator().manual_seed(0)  # does not change the random numbers of the run
    ids = torch.randint(A_ID, T_ID + 1, (1, bases), generator=draw).to(device, torch.uint8)
    regions = torch.randint(classes, (1, bases), generator=draw).to(device, torch.uint8)
    targets = torch.full((classes,), 32.0, device=device)
    informative = torch.tensor(bases, device=device)

    def drop(parameter: Tensor) -> None:
        parameter.grad = None

    parameters = list(network.parameters())
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    hooks = [parameter.register_post_accumulate_grad_hook(drop) for parameter in trained]
    try:
        with PeakBytes([*parameters, *network.buffers()]) as memory:
            given = regions, targets, settings, informative, 1.0
            if network.shape.direction == "both":
                chosen = torch.ones_like(ids, dtype=torch.bool)
                columns = network.base_columns
                loss, _ = masked_base_loss(network, columns, ids, ids, chosen, *given)
            else:
                loss, _ = next_base_loss(network, ids, *given)
            loss.backward()
            del loss
    finally:
        for hook in hooks:
            hook.remove()
    return memory.peak


def available_bytes(device: torch.device, processes: int = 1) -> int | None:
    """Free memory for this process, one of ``processes`` that share a CPU's; None if unknown."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        free = int(psutil.virtual_memory().available)
    except (OSError, RuntimeError):  # a system that psutil does not know
        return None
    if (limit := _container_bytes()) is not None:
        free = min(free, limit)
    return free // processes


def _container_bytes(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Bytes left to a container or batch job (cgroup v2); None without a limit."""
    try:
        group = Path("/proc/self/cgroup").read_text(encoding="ascii").strip().rpartition("::/")[2]
        folder = root / group
        limit = (folder / "memory.max").read_text(encoding="ascii").strip()
        used = (folder / "memory.current").read_text(encoding="ascii").strip()
    except OSError:
        return None
    return None if limit == "max" else max(0, int(limit) - int(used))


def check_memory(
    name: str, need: MemoryEstimate, settings: Pretrain, available: int | None, device: torch.device
) -> None:
    """Log the memory of a run; refuse a run that needs more than is available."""
    total, flight = need.total(), need.total() - need.parameters
    free = "" if available is None else f" of {_gb(available)} free on {device.type}"
    logger.info(
        f"{name}: needs about {_gb(total)}{free}: weights, gradients and moments "
        f"{_gb(need.parameters)}, activations {_gb(flight)} ({need.windows} x "
        f"{need.window_bp:,} bp at a time; the first steps keep most tokens, later ones fewer)"
    )
    if available is None or total <= available:
        return
    fitting = need.fitting(available)
    while fitting and settings.batch % fitting:
        fitting -= 1
    lower = f" ({fitting} would fit)" if fitting else " (1 does not fit either)"
    raise GenezipError(
        f"training {name} needs about {_gb(total)}, but {device.type} has {_gb(available or 0)} "
        f"free; {memory_advice(settings, need.windows, lower)}"
    )


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"
