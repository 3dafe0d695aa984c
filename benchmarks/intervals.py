"""How often the 95 % intervals of the block bootstrap hold the true value, by simulation.

    python benchmarks/intervals.py [REPLICATES]

A block of DNA has an effect of its own; what is estimated is the value over all blocks that there
could be. Three statistics: a ratio of sums over blocks of unequal size, the difference of two such
ratios over the same blocks, and an AUROC over pairs in blocks. Where effects have light tails each
figure has a goal (:func:`goal`); exit codes are those of :mod:`peers`.
"""

import sys
from collections.abc import Callable
from functools import partial

import numpy as np
from peers import Outcome
from scipy.special import ndtr

from genezip.metrics.bootstrap import BlockBootstrap, Estimate
from genezip.metrics.ranking import auroc

REPLICATES = 2000
RESAMPLES = 4000
BLOCKS = (4, 8, 16, 30)
PER_BLOCK = 10  # positives, and as many negatives, of a block

# Effect of a block, mean 0: name -> draws of a shape.
Effects = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
EFFECTS: dict[str, Effects] = {
    "normal (SD 0.5)": lambda random, shape: random.normal(0, 0.5, shape),
    "log-normal (sigma 0.5)": lambda random, shape: _log_normal(random, shape, 0.5),
    "log-normal (sigma 1)": lambda random, shape: _log_normal(random, shape, 1.0),
    "Student t, 3 degrees of freedom": lambda random, shape: random.standard_t(3, shape) / 2,
    "Pareto (index 2.5)": lambda random, shape: random.pareto(2.5, shape) - 1 / 1.5,
}
ACCEPTED = tuple(EFFECTS)[:2]
"""Effects under which coverage must be right; the others have heavy tails."""
LEAST, MOST = {8: 0.90, 16: 0.925, 30: 0.925}, 0.97
"""What coverage must be, by number of blocks."""


def _log_normal(random: np.random.Generator, shape: tuple[int, ...], sigma: float) -> np.ndarray:
    return random.lognormal(0, sigma, shape) - np.exp(sigma**2 / 2)


def _sizes(random: np.random.Generator, blocks: int, replicates: int) -> np.ndarray:
    return random.uniform(5, 20, (blocks, replicates))


def ratio(
    effects: Effects, blocks: int, replicates: int, random: np.random.Generator
) -> tuple[Estimate, float]:
    """Estimates of a ratio, one per replicate, and its true value."""
    boot = BlockBootstrap(np.arange(blocks), RESAMPLES, blocks)
    size = _sizes(random, blocks, replicates)
    sums = boot.sums({"x": size * (3 + effects(random, size.shape)), "size": size})
    return boot.summarise(sums["x"] / sums["size"], scale="ratio"), 3.0


def difference(
    effects: Effects, blocks: int, replicates: int, random: np.random.Generator
) -> tuple[Estimate, float]:
    """Estimates of a paired difference of two ratios whose blocks share a large effect."""
    boot = BlockBootstrap(np.arange(blocks), RESAMPLES, blocks)
    size = _sizes(random, blocks, replicates)
    shared = random.normal(3, 1, size.shape)
    ours = size * (shared + 0.3 + effects(random, size.shape))
    sums = boot.sums({"ours": ours, "theirs": size * shared, "size": size})
    return boot.summarise((sums["ours"] - sums["theirs"]) / sums["size"]), 0.3


def ranking(
    effects: Effects, blocks: int, replicates: int, random: np.random.Generator
) -> tuple[Estimate, float]:
    """Estimates of an AUROC; the effect of a block moves its positives."""
    names = np.repeat(np.arange(blocks), 2 * PER_BLOCK)
    boot = BlockBootstrap(names, RESAMPLES, blocks)
    labels = np.tile(np.repeat([1, 0], PER_BLOCK), blocks)
    values = []
    for _ in range(replicates):
        moved = np.repeat(effects(random, (blocks,)), 2 * PER_BLOCK)
        scores = random.normal(size=len(labels)) + labels * (1 + moved)
        values.append(boot.of_weights(partial(auroc, labels, scores)))
    true = ndtr((1 + effects(np.random.default_rng(0), (2_000_000,))) / np.sqrt(2)).mean()
    return boot.summarise(np.stack(values, axis=1), scale="share"), float(true)


STATISTICS = {"ratio": ratio, "paired difference": difference, "AUROC": ranking}


def coverage(name: str, effects: str, blocks: int, replicates: int = REPLICATES) -> float:
    """Share of the replicates whose interval holds the true value."""
    random = np.random.default_rng([blocks, list(STATISTICS).index(name)])
    found, true = STATISTICS[name](EFFECTS[effects], blocks, replicates, random)
    return float(((found.low <= true) & (true <= found.high)).mean())


def goal(effects: str, blocks: int) -> tuple[float, float] | None:
    """Between what coverage must lie; None where it is only told."""
    if effects not in ACCEPTED or blocks not in LEAST:
        return None
    return LEAST[blocks], MOST


def main() -> int:
    """Print coverage as a Markdown table; the exit codes are those of :mod:`peers`."""
    outcome = Outcome()
    replicates = int(sys.argv[1]) if len(sys.argv) > 1 else REPLICATES
    print(f"| effect of a block | statistic | {' | '.join(f'{n} blocks' for n in BLOCKS)} |")
    print(f"| --- | --- |{' ---: |' * len(BLOCKS)}")
    for effects in EFFECTS:
        for name in STATISTICS:
            found = {n: coverage(name, effects, n, replicates) for n in BLOCKS}
            for n, share in found.items():
                if limits := goal(effects, n):
                    outcome.count(limits[0] <= share <= limits[1])
            cells = " | ".join(f"{100 * share:.1f} %" for share in found.values())
            print(f"| {effects} | {name} | {cells} |", flush=True)
    return outcome.exit_status()


if __name__ == "__main__":
    sys.exit(main())
