"""Log likelihood of the Markov models window by window, for paired comparisons.

One row is one held-out window under one order: the sum of the negative log likelihood (nats)
and the number of predicted bases in each region class, in order of class ids.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from genezip.artifacts.files import atomic_path
from genezip.errors import GenezipError
from genezip.evaluation.labels import Labels

SCHEMA_VERSION = 1

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
    places = labels.table[["chrom", "start", "end"]]
    classes = labels.taxonomy.names
    metadata = {"schema_version": SCHEMA_VERSION, "split": labels.split, "classes": classes}
    tables = []
    for order, columns in windows.by_order.items():
        table = pa.Table.from_pandas(places.assign(order=order), preserve_index=False)
        for name, values in columns.items():
            flat = pa.array(np.ascontiguousarray(values, dtype=np.float64).reshape(-1))
            table = table.append_column(name, pa.FixedSizeListArray.from_arrays(flat, len(classes)))
        tables.append(table)
    whole = pa.concat_tables(tables)
    whole = whole.replace_schema_metadata({b"genezip": json.dumps(metadata).encode()})
    with atomic_path(path) as temporary:
        pq.write_table(whole, temporary, compression="zstd")


def read_markov_windows(path: str | Path, labels: Labels) -> MarkovWindows:
    """Read the sums of the windows of a split, in their order.

    Raises
    ------
    GenezipError
        If the file is missing, is something else, or holds other windows or region classes
        than the corpus.
    """
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise GenezipError(f"{path} does not exist; run `genezip evaluate markov` first") from None
    except pa.ArrowInvalid as error:
        raise GenezipError(f"{path} is not a readable Parquet file ({error})") from None
    head = json.loads((table.schema.metadata or {}).get(b"genezip", b"{}"))
    if head.get("schema_version") != SCHEMA_VERSION or head.get("split") != labels.split:
        raise GenezipError(
            f"{path} holds no {labels.split} windows of Markov models in schema version "
            f"{SCHEMA_VERSION}; run `genezip evaluate markov` again"
        )
    if tuple(head["classes"]) != labels.taxonomy.names:
        raise GenezipError(
            f"{path} was made for the region classes {', '.join(head['classes'])}, the corpus has "
            f"{', '.join(labels.taxonomy.names)}; run `genezip evaluate markov` again"
        )
    places = table.select(["chrom", "start", "end", "order"]).to_pandas()
    wanted = labels.table[["chrom", "start", "end"]].reset_index(drop=True)
    by_order: dict[int, Columns] = {}
    for order, rows in places.groupby("order").indices.items():
        here = places.iloc[rows][["chrom", "start", "end"]].reset_index(drop=True)
        if not _equal(here, wanted):
            raise GenezipError(
                f"{path} holds other windows than the corpus; run `genezip evaluate markov` again"
            )
        by_order[int(str(order))] = {
            name: _matrix(table.column(name), len(head["classes"]))[rows]
            for name in ("nll", "predicted")
        }
    return MarkovWindows(by_order)


def _equal(left: pd.DataFrame, right: pd.DataFrame) -> bool:
    return len(left) == len(right) and all(
        (left[name].to_numpy() == right[name].to_numpy()).all() for name in right
    )


def _matrix(column: pa.ChunkedArray, classes: int) -> np.ndarray:
    flat = pa.concat_arrays([chunk.flatten() for chunk in column.chunks])
    return np.asarray(flat.to_numpy(zero_copy_only=False)).reshape(-1, classes)
