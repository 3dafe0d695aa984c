"""How often the 95 % intervals of the block bootstrap hold the true value, by simulation.

    python benchmarks/intervals.py

A block of DNA has an effect of its own; what is estimated is the value over all blocks that there
could be. Three statistics: a ratio of sums over blocks of unequal size, the difference of two such
ratios over the same blocks, and an AUROC over pairs in blocks. There are goals for the first two
kinds of effects and from 8 blocks on; heavy tails and fewer blocks are printed without one.
"""

import sys
from collections.abc import Callable

import numpy as np
from peers import Outcome
from scipy.special import ndtr

from genezip.evaluation.bootstrap import BlockBootstrap, Estimate
from genezip.tasks.metrics_ranking import auroc

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
        values.append(boot.of_weights(lambda weights, s=scores: auroc(labels, s, weights)))
    true = ndtr((1 + effects(np.random.default_rng(0), (2_000_000,))) / np.sqrt(2)).mean()
    return boot.summarise(np.stack(values, axis=1), scale="share"), float(true)


STATISTICS = {"ratio": ratio, "paired difference": difference, "AUROC": ranking}


def coverage(name: str, effects: str, blocks: int, replicates: int = REPLICATES) -> float:
    """Share of the replicates whose interval holds the true value."""
    random = np.random.default_rng([blocks, list(STATISTICS).index(name)])
    found, true = STATISTICS[name](EFFECTS[effects], blocks, replicates, random)
    return float(((found.low <= true) & (true <= found.high)).mean())


def in_band(covered: float, blocks: int) -> bool:
    """Whether a coverage is what is asked of so many blocks."""
    least = 0.90 if blocks < 16 else 0.925
    return least <= covered <= 0.97


def main() -> int:
    """Print coverage as a Markdown table, with a mark where a goal was missed."""
    outcome = Outcome()
    print(f"| effect of a block | statistic | {' | '.join(f'{n} blocks' for n in BLOCKS)} |")
    print(f"| --- | --- |{' ---: |' * len(BLOCKS)}")
    for effects in EFFECTS:
        for name in STATISTICS:
            cells = []
            for blocks in BLOCKS:
                covered = coverage(name, effects, blocks)
                good = in_band(covered, blocks)
                asked = effects in ACCEPTED and blocks >= 8
                if asked:
                    outcome.count(good)
                cells.append(f"{100 * covered:.1f} %{'' if good or not asked else ' MISSED'}")
            print(f"| {effects} | {name} | {' | '.join(cells)} |", flush=True)
    print("goals: 90 to 97 % at 8 blocks, 92.5 to 97 % from 16 on, for the first two effects")
    return outcome.exit_status()


if __name__ == "__main__":
    sys.exit(main())
