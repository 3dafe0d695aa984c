"""The goals of the forward pass on a CPU, as ratios of interleaved pairs in one process.

Both sides of a pair run back to back (A B A B ...), one thread, same allocator, same network
code and segments, random weights at the target token rate; the figure is the median of the
ratios. Beside each stands what the count of operations allows
(:func:`latency_models.operations`). A goal that asks for more than 80 % of that is a defect
of the goal: it is reported, never met by changing a preset.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from allocator import malloc_settings
from latency_case import forward, processor
from latency_models import Contender, expected_tokens, family, hold_to, operations, preset
from peers import Outcome

from genezip.alphabet import A_ID, T_ID

FAIR_SHARE = 0.8


@dataclass(frozen=True)
class Side:
    """One side of a pair: who runs, and over how many bases."""

    contender: Contender
    length: int

    def operations(self) -> float:
        """Of one forward pass."""
        tokens = expected_tokens(self.contender, self.length)
        return operations(self.contender.shape, self.length, tokens)

    def runner(self) -> Callable[[], tuple[float, float]]:
        """A function that runs one pass: seconds by the wall clock, and of the CPU."""
        network = self.contender.load()
        draw = torch.Generator().manual_seed(0)
        ids = torch.randint(A_ID, T_ID + 1, (1, self.length), generator=draw, dtype=torch.uint8)
        hold_to(network, self.length, self.contender.bpt)

        def run() -> tuple[float, float]:
            began = time.process_time()
            wall, _ = forward(network, ids)
            return wall, time.process_time() - began

        return run


@dataclass(frozen=True)
class Goal:
    """A ratio time(upper) / time(lower) and what it should be.

    Attributes
    ----------
    preset : the preset it belongs to
    title : what is compared
    upper, lower : the two sides
    goal : the ratio asked for
    at_most : whether the ratio may not exceed the goal (else it must reach it)
    pairs : how many pairs are timed
    """

    preset: str
    title: str
    upper: Side
    lower: Side
    goal: float
    at_most: bool
    pairs: int

    def limit(self) -> float:
        """The ratio of operations: the ceiling of a speed-up, the floor of a growth."""
        return self.upper.operations() / self.lower.operations()

    def share(self) -> float:
        """How much of the limit the goal asks for."""
        return self.limit() / self.goal if self.at_most else self.goal / self.limit()

    def met(self, ratio: float) -> bool:
        """Whether a measured ratio meets the goal."""
        return ratio <= self.goal if self.at_most else ratio >= self.goal


def goals(presets: list[str]) -> list[Goal]:
    """The goals of the given presets; none for a preset that has no goal on a CPU."""
    found = []
    if "tiny" in presets:
        tiny, flat = _pair("tiny")
        found += [
            Goal("tiny", "tiny at 131,072 bp: flat peer / GeneZip",
                 Side(flat, 131_072), Side(tiny, 131_072), 3.0, False, 7),
            Goal("tiny", "tiny: time(1,024,000 bp) / time(128,000 bp)",
                 Side(tiny, 1_024_000), Side(tiny, 128_000), 8.8, True, 7),
        ]  # fmt: skip
    if "70m" in presets:
        big, flat = _pair("70m")
        found.append(
            Goal("70m", "70M at 16,384 bp: Mamba2-84M / GeneZip",
                 Side(flat, 16_384), Side(big, 16_384), 5.0, False, 3)
        )  # fmt: skip
    return found


def _pair(name: str) -> tuple[Contender, Contender]:
    members = family(f"GeneZip-{name}", preset(name))
    return members[0], members[1]


def ratios(goal: Goal) -> tuple[list[float], list[float]]:
    """The ratio of every pair, by wall clock and by CPU time, after one warm-up each."""
    upper, lower = goal.upper.runner(), goal.lower.runner()
    lower()
    if goal.upper.length <= goal.lower.length:  # a longer pass of the same model is warm already
        upper()
    wall, cpu = [], []
    for _ in range(goal.pairs):
        above, below = upper(), lower()
        wall.append(above[0] / below[0])
        cpu.append(above[1] / below[1])
    return wall, cpu


def report(goal: Goal, wall: list[float], cpu: list[float]) -> str:
    """One line: the measured ratio, its goal, and what can be had."""
    ratio = statistics.median(wall)
    limit = "floor" if goal.at_most else "ceiling"
    text = (
        f"{goal.title}: {ratio:.2f} (goal {'at most' if goal.at_most else 'at least'} "
        f"{goal.goal:g}, {limit} {goal.limit():.2f}; {len(wall)} pairs "
        f"{min(wall):.2f} to {max(wall):.2f}, by CPU time {statistics.median(cpu):.2f}): "
        f"{'met' if goal.met(ratio) else 'MISSED'}"
    )
    if goal.share() > FAIR_SHARE:
        text += (
            f"; the goal asks for {goal.share():.0%} of its {limit}, more than "
            f"{FAIR_SHARE:.0%}: a defect of the goal"
        )
    return text


def run_goals(presets: list[str], outcome: Outcome) -> None:
    """Measure and print; a run without any goal on a CPU compares nothing, and is told so."""
    torch.set_num_threads(1)
    print(f"{processor()}, 1 thread, float32, torch {torch.__version__}")
    print(f"allocator of both sides: {malloc_settings()}")
    chosen = goals(presets)
    for goal in chosen:
        wall, cpu = ratios(goal)
        print(report(goal, wall, cpu), flush=True)
        outcome.count(goal.met(statistics.median(wall)))
    if not chosen:
        outcome.leave_out(f"{', '.join(presets)} has no goal on a CPU (figure only: --no-goals)")
