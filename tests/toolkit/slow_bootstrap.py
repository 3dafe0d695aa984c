"""The interval of the block bootstrap, one resample and one deleted block at a time."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np


def slow_interval(
    blocks: Sequence[Any] | np.ndarray,
    statistic: Callable[[np.ndarray], Any],
    resamples: int,
    seed: int,
    holding: Collection[Any] | None = None,
) -> tuple[float, float, float]:
    """Value and limits on a plain scale.

    ``statistic`` takes the numbers of the units that are left; ``holding`` names the blocks with a
    non-zero denominator (None: all).
    """
    blocks = np.asarray(blocks)
    names = np.unique(blocks)
    count = len(names)
    value = float(statistic(np.arange(len(blocks))))
    without = []
    for b in range(count):
        kept = np.delete(names, b)
        without.append(float(statistic(np.flatnonzero(np.isin(blocks, kept)))))
    moves = (count - 1) * (np.mean(without) - np.array(without))
    held = np.array([holding is None or name in holding for name in names])
    k = int(held.sum())
    error = np.sqrt(sum(move**2 for move in moves) / count**2 * k / (k - 1))
    inside = moves - moves[held].mean()
    draws = np.random.default_rng(seed).multinomial(count, [1 / count] * count, resamples)
    seen = []
    for row in draws:
        drawn = [inside[b] for b in range(count) if held[b] for _ in range(row[b])]
        if len(set(drawn)) > 1:
            standard_error = np.std(drawn, ddof=1) / np.sqrt(len(drawn))
            seen.append(abs(np.mean(drawn)) / standard_error)
    reach = float(np.quantile(seen, 0.95) * error)
    return value, value - reach, value + reach
