"""One result, one row: the columns that every score file of the project shares."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from genezip.artifacts.files import atomic_path

COLUMNS = (
    "model",  # model or baseline name
    "task",  # compression, markov, repeats, ...
    "subset",  # what part of the data: all, n_le_5pct, a repeat class, a GC tertile, ...
    "region",  # region class or group, or all
    "split",  # train, valid or test
    "strand",  # +, - or both (mean of the two)
    "metric",  # ppl, bpt, bpt_ratio, enrichment, ...
    "value",
    "ci_low",  # 95 % interval, empty where none is given
    "ci_high",
    "n",  # number of units behind the value
    "unit",  # what n counts: windows, blocks, bases
    "blocks",  # bootstrap blocks that hold what is measured; empty where no interval is given
    "note",  # `few blocks` where an interval rests on fewer than 8, or why there is none
    "seed",  # training seed, empty for models without one
    "scale",  # full, demo or test
    "source",  # mirror, download, simulated, files
)


def row(**cells: Any) -> dict[str, Any]:
    """A row with every column; unknown names raise, absent ones stay empty (None)."""
    unknown = set(cells) - set(COLUMNS)
    if unknown:
        raise KeyError(f"unknown result columns: {sorted(unknown)}")
    return {name: cells.get(name) for name in COLUMNS}


def write(path: str | Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write result rows as TSV (atomically), floats with 6 significant digits."""
    frame = pd.DataFrame(list(rows), columns=list(COLUMNS)).astype({"blocks": "Int64"})
    with atomic_path(path) as temporary:
        frame.to_csv(temporary, sep="\t", index=False, float_format="%.6g")


def read(path: str | Path) -> pd.DataFrame:
    """Read a result file; text columns stay text, empty cells are missing."""
    text = dict.fromkeys(("model", "task", "subset", "region", "split", "strand", "metric"), str)
    return pd.read_csv(path, sep="\t", dtype=text)
