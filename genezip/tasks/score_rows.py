"""One score, one row: the columns of ``results/TASK/SUBSET.tsv`` and what fills a cell."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genezip.artifacts.files import atomic_path
from genezip.evaluation.bootstrap import BlockBootstrap, Scale, interval_note, scarcer
from genezip.tasks.arm import Arm

COLUMNS = (
    "model",  # model, comparator or baseline; `examples` for facts about the examples
    "task",
    "subset",
    "rule",  # split rule: paper, gene, chromosome
    "split",  # test, valid, valid100
    "input",  # authors, full, contrast; empty for baselines
    "mode",  # frozen, head_only, release, lora, full, baseline
    "metric",
    "value",  # empty where undefined; the note says why
    "ci_low",  # 95 % bootstrap interval; the note marks one that rests on few units
    "ci_high",
    "n",  # examples behind the value: pairs, maps, positions, sequences
    "positives",  # positive examples among them (tasks of pairs)
    "unit",  # what the bootstrap resamples: genes, loci, blocks
    "units",  # how many of them
    "seed",  # training seed; empty for what learns nothing at random
    "scale",  # full, demo or test
    "origin",  # measured here, or published
    "note",
)
_WHOLE = ("n", "positives", "units", "seed")

Row = dict[str, Any]


def row(arm: Arm, **cells: Any) -> Row:
    """A row of an arm with every column; unknown names raise, absent ones stay empty."""
    unknown = set(cells) - set(COLUMNS)
    if unknown:
        raise KeyError(f"unknown score columns: {sorted(unknown)}")
    own = {
        "model": arm.model,
        "task": arm.task,
        "subset": arm.subset,
        "input": arm.input,
        "mode": arm.mode,
        "seed": arm.seed,
        "origin": "measured",
        "note": "",
    }
    cells = own | cells
    return {name: cells.get(name) for name in COLUMNS}


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


def mean_of(total: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Total over n, NaN where nothing is counted; arrays of one shape."""
    return np.divide(total, n, out=np.full(np.shape(n), np.nan), where=n > 0)


def cell(value: float | np.ndarray) -> float | None:
    """A number, or None for an empty cell."""
    return float(value) if np.isfinite(value) else None


def table(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows as a DataFrame with all columns; counts and seed are Int64."""
    frame = pd.DataFrame(list(rows), columns=list(COLUMNS))
    numbers = dict.fromkeys(("value", "ci_low", "ci_high"), "float64")
    return frame.astype(numbers | dict.fromkeys(_WHOLE, "Int64"))


def write_scores(path: str | Path, rows: pd.DataFrame | Iterable[Mapping[str, Any]]) -> None:
    """Write score rows as TSV (atomically), floats with 6 significant digits."""
    frame = rows if isinstance(rows, pd.DataFrame) else table(rows)
    with atomic_path(path) as temporary:
        frame.to_csv(temporary, sep="\t", index=False, float_format="%.6g")
