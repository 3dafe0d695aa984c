"""Log likelihood of the Markov models window by window, for paired comparisons.

One row is one held-out window under one order: the sum of the negative log likelihood (nats)
and the number of predicted bases in each region class, in order of class ids.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from genezip.artifacts.manifest import Kind
from genezip.artifacts.tables import read_parquet, write_parquet
from genezip.errors import GenezipError
from genezip.evaluation.windows import Labels

KIND = Kind(
    noun="table of Markov models by window",
    version=1,
    first="run `genezip evaluate markov` first",
    again="run `genezip evaluate markov` again",
    keys=("split", "classes"),
)

_PLACE, _SUMS = ["chrom", "start", "end"], ["nll", "predicted"]

Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class MarkovWindows:
    """Columns ``nll`` and ``predicted``, float64 (n, R) in the order of Labels, by order."""

    by_order: dict[int, Columns]

    def columns(self, order: int, chosen: np.ndarray) -> Columns:
        """Columns of some windows under one order."""
        return {name: values[chosen] for name, values in self.by_order[order].items()}


def write_markov_windows(path: str | Path, windows: MarkovWindows, labels: Labels) -> None:
    """Write the sums of every window and order (atomically)."""
    places = labels.table[_PLACE]
    classes = labels.region_classes.names
    tables = []
    for order, columns in windows.by_order.items():
        table = pa.Table.from_pandas(places.assign(order=order), preserve_index=False)
        for name, values in columns.items():
            flat = pa.array(np.ascontiguousarray(values, dtype=np.float64).reshape(-1))
            table = table.append_column(name, pa.FixedSizeListArray.from_arrays(flat, len(classes)))
        tables.append(table)
    head = KIND.head(split=labels.split, classes=classes)
    write_parquet(path, pa.concat_tables(tables), head)


def read_markov_windows(path: str | Path, labels: Labels) -> MarkovWindows:
    """Read the sums of the windows of a split, in their order.

    Raises
    ------
    GenezipError
        If the file is missing, is something else, or holds other windows or region classes
        than the corpus.
    """
    table, head = read_parquet(path, KIND, [*_PLACE, "order", *_SUMS])
    if head["split"] != labels.split:
        raise GenezipError(
            f"{path} holds {head['split']} windows, not {labels.split} windows; {KIND.again}"
        )
    if tuple(head["classes"]) != labels.region_classes.names:
        raise GenezipError(
            f"{path} was made for the region classes {', '.join(head['classes'])}, the corpus has "
            f"{', '.join(labels.region_classes.names)}; {KIND.again}"
        )
    places = table.select([*_PLACE, "order"]).to_pandas()
    wanted = labels.table[_PLACE].reset_index(drop=True)
    by_order: dict[int, Columns] = {}
    for order, rows in places.groupby("order").indices.items():
        here = places.iloc[rows][_PLACE].reset_index(drop=True)
        if not _equal(here, wanted):
            raise GenezipError(f"{path} holds other windows than the corpus; {KIND.again}")
        by_order[int(str(order))] = {
            name: _matrix(table.column(name), len(head["classes"]))[rows] for name in _SUMS
        }
    return MarkovWindows(by_order)


def _equal(left: pd.DataFrame, right: pd.DataFrame) -> bool:
    return len(left) == len(right) and all(
        (left[name].to_numpy() == right[name].to_numpy()).all() for name in right
    )


def _matrix(column: pa.ChunkedArray, classes: int) -> np.ndarray:
    flat = pa.concat_arrays([chunk.flatten() for chunk in column.chunks])
    return np.asarray(flat.to_numpy(zero_copy_only=False)).reshape(-1, classes)
