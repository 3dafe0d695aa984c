"""Cells of a task's score rows: those that name the arm, and a statistic with its interval."""

from typing import Any

import numpy as np

from genezip.artifacts.scores import MEASURED, TASK_SCORES, Row, cell
from genezip.metrics.bootstrap import BlockBootstrap, Scale, interval_note, scarcer
from genezip.tasks.base import Arm


def row(arm: Arm, **cells: Any) -> Row:
    """A row of an arm with every column; unknown names raise, absent ones stay empty."""
    own = {
        "model": arm.model,
        "task": arm.task,
        "subset": arm.subset,
        "input": arm.input,
        "mode": arm.mode,
        "seed": arm.seed,
        "origin": MEASURED,
        "note": "",
    }
    return TASK_SCORES.row(**(own | cells))


def joined(*notes: str) -> str:
    """Notes in one cell."""
    return "; ".join(note for note in notes if note)


def estimated(
    bootstrap: BlockBootstrap,
    values: np.ndarray,
    unit: str,
    scale: Scale = "difference",
    support: np.ndarray | None = None,
) -> Row:
    """Cells value, ci_low, ci_high, unit, units and note of one statistic.

    Parameters
    ----------
    bootstrap : BlockBootstrap
    values : float array, shape (1 + B,)
        Row 0 is the sample itself, the others leave one unit out; NaN where undefined.
    unit : str, plural of what is resampled
    scale : what values the statistic can take
    support : bool array, shape (B,), units that hold what is measured; None for all
    """
    found = bootstrap.summarise(np.asarray(values, dtype=np.float64), support, scale)
    return {
        "value": cell(found.value),
        "ci_low": cell(found.low),
        "ci_high": cell(found.high),
        "unit": unit,
        "units": bootstrap.n_blocks,
        "note": interval_note(float(found.value), float(found.low), int(found.blocks), unit),
    }


def ranked_support(bootstrap: BlockBootstrap, labels: np.ndarray) -> np.ndarray:
    """Units with a positive, or those with a negative where these are fewer; bool, (B,).

    Parameters
    ----------
    labels : array, shape (n,), 1 or True for a positive
    """
    positive = np.asarray(labels) == 1
    return scarcer(bootstrap.support(positive), bootstrap.support(~positive))
