"""Are the hand-written layers worth having? Forward and backward against their peers, on CPU.

Each pair runs in turn (A B A B ...) in one process and one thread; the figure is the median
of the ratios peer / ours, printed beside its goal. Exit status 1 if a goal is missed.

    python benchmarks/layers.py
"""

import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import conv1d, pad

from genezip.models import ssd as ssd_module
from genezip.models.chunking import ema_dechunk, ema_dechunk_loop
from genezip.models.convolution import causal_convolution
from genezip.models.ssd import ssd

PAIRS = 7


def seconds(run: Callable[[], Tensor]) -> float:
    """One forward and backward pass."""
    began = time.perf_counter()
    run().sum().backward()
    return time.perf_counter() - began


def ratio(ours: Callable[[], Tensor], peer: Callable[[], Tensor]) -> float:
    """Median over pairs of peer / ours, after one warm-up each."""
    seconds(ours), seconds(peer)
    return statistics.median(seconds(peer) / seconds(ours) for _ in range(PAIRS))


def convolution() -> float:
    """Causal depthwise convolution against the library's grouped one (2 x 4,096 x 160)."""
    x = torch.randn(2, 4096, 160, requires_grad=True)
    weight = torch.randn(160, 4, requires_grad=True)
    bias = torch.randn(160, requires_grad=True)

    def library() -> Tensor:
        padded = pad(x.transpose(1, 2), (3, 0))
        return conv1d(padded, weight.unsqueeze(1), bias, groups=160).transpose(1, 2).contiguous()

    return ratio(lambda: causal_convolution(x, weight, bias), library)


def state_space() -> float:
    """Factorised against masked form of the state-space scan (2 x 4,096, 4 heads of 32)."""
    x = torch.randn(2, 4096, 4, 32, requires_grad=True)
    dt = torch.rand(2, 4096, 4) * 0.05
    a = -torch.linspace(1, 16, 4)
    b, c = torch.randn(2, 2, 4096, 16)

    def masked() -> Tensor:
        limit, ssd_module.FACTORISED_LIMIT = ssd_module.FACTORISED_LIMIT, 0.0
        try:
            return ssd(x, dt, a, b, c)[0]
        finally:
            ssd_module.FACTORISED_LIMIT = limit

    return ratio(lambda: ssd(x, dt, a, b, c)[0], masked)


def dechunk() -> float:
    """Blocked de-chunk scan against the loop (2 x 400 tokens of width 64)."""
    tokens = torch.randn(2, 400, 64, requires_grad=True)
    prob = torch.rand(2, 400)
    return ratio(lambda: ema_dechunk(tokens, prob), lambda: ema_dechunk_loop(tokens, prob))


def main() -> int:
    """Print every figure beside its goal."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    missed = 0
    for measure, goal in ((convolution, 1.2), (state_space, 1.5), (dechunk, 5.0)):
        found = measure()
        title = (measure.__doc__ or "").strip().rstrip(".")
        print(f"{title}: {found:.1f} times as fast (goal {goal:g})")
        missed += found < goal
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
