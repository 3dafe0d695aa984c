"""Two ways of doing the same thing, timed in turn.

Ours and the peer run as A B A B ... in one process and one thread, with the allocator set as
in the workflow; the figure is the median of the ratios peer / ours. It is printed beside its
goal and its ceiling: the ratio that would be reached if ours did nothing but the matrix
products of its method, at the rate of a large product, and one reading of its inputs and one
writing of its outputs, at the rate of a copy of that size. A goal above 80 % of its ceiling is
a defect of the goal, and is named.
"""

import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from allocator import malloc_settings
from peers import Outcome
from torch import Tensor

PAIRS = 7
AT_LEAST = 0.05  # seconds per timing
HEADER = (
    "| what | pass | peer | peer, ms | ours, ms | ratio | goal | ceiling | |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)

Run = Callable[[], Any]


def forward(run: Run) -> Run:
    """The same without gradients."""
    return torch.no_grad()(run)


def training(run: Run, leaves: Sequence[Tensor], grads: Sequence[Tensor]) -> Run:
    """Forward, then the gradients of ``leaves`` for ``grads`` at the outputs."""

    def both() -> None:
        outputs = run()
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        torch.autograd.grad(outputs, leaves, grads)

    return both


def seconds(run: Run) -> float:
    """Wall time of one run, the mean of as many as fill a twentieth of a second."""
    began = time.perf_counter()
    runs = 0
    while (passed := time.perf_counter() - began) < AT_LEAST or not runs:
        run()
        runs += 1
    return passed / runs


@dataclass
class Work:
    """The least that a method must do.

    Attributes
    ----------
    flops : additions and multiplications inside matrix products
    numbers : fp32 values read or written once
    """

    flops: float
    numbers: float

    def seconds(self) -> float:
        """Time of that work on this machine, one thread."""
        return self.flops / product_rate() + self.numbers / copy_rate(int(self.numbers))


@dataclass
class Table(Outcome):
    """Prints one row per comparison and remembers whether a goal was missed."""

    def __post_init__(self) -> None:
        torch.set_num_threads(1)
        torch.manual_seed(0)
        print(f"torch {torch.__version__}, {platform.machine()}, 1 thread, {PAIRS} pairs,", end=" ")
        print(f"{product_rate() / 1e9:.0f} GFLOP/s in a 512 x 512 product,", end=" ")
        print(f"allocator {malloc_settings()}\n\n{HEADER}")

    def compare(
        self,
        what: str,
        way: str,
        ours: Run,
        peer: Run,
        peer_name: str,
        goal: float,
        least: Work,
    ) -> None:
        """Time a pair and print its row."""
        seconds(ours), seconds(peer)  # warm up
        times = [(seconds(ours), seconds(peer)) for _ in range(PAIRS)]
        own, other = (statistics.median(column) for column in zip(*times, strict=True))
        ratio = statistics.median(second / first for first, second in times)
        ceiling = other / least.seconds()
        remark = "" if ratio >= goal else "MISSED"
        if goal > 0.8 * ceiling:
            remark += " goal above 80 % of its ceiling"
        self.count(ratio >= goal)
        print(
            f"| {what} | {way} | {peer_name} | {1e3 * other:.1f} | {1e3 * own:.1f} "
            f"| {ratio:.2f} | {goal:.3g} | {ceiling:.1f} | {remark.strip()} |",
            flush=True,
        )


@cache
def product_rate() -> float:
    """FLOP/s of a 512 x 512 fp32 product, the best of many."""
    left, right = torch.randn(2, 512, 512)
    return 2 * 512**3 / _best(lambda: left @ right, 50)


@cache
def copy_rate(numbers: int) -> float:
    """fp32 values moved per second, read or written, by a copy of this size."""
    source = torch.randn(max(numbers // 2, 1))
    target = torch.empty_like(source)
    return 2 * source.numel() / _best(lambda: target.copy_(source), 20)


def _best(run: Run, times: int) -> float:
    found = []
    for _ in range(times):
        began = time.perf_counter()
        run()
        found.append(time.perf_counter() - began)
    return min(found)
