"""The table of a task: the measured scores of all subsets beside the published numbers.

One row per value. Published rows come from copies of the paper's tables
(arXiv 2602.17739v1, Tables 2, 3 and 7) and are marked ``paper``; ours are marked ``measured``.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from genezip.artifacts.scores import COMPARED_SCORES, MEAN, MEASURED, PAPER, SOLVED, TASK_SCORES
from genezip.artifacts.tables import read_tsv
from genezip.errors import GenezipError
from genezip.tasks import TASKS
from genezip.tasks.base import CNN, Task

ALIASES = {
    "genezip-70m": ("GeneZip",),
    "hnet-128bpt-70m": ("HNet-128BPT", "HNet"),
    "mamba2-84m": ("Mamba2",),
    "unet-70m": ("UNet",),
    CNN: ("CNN-one-hot", "CNN"),
}
"""Our name of a model -> its names in the paper's tables."""

NOT_RECOVERED = "the published value could not be had"


def published_rows(
    task: Task[Any], paper: str | Path | None, subsets: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Published values as rows of :data:`genezip.artifacts.scores.COMPARED_SCORES`.

    ``paper`` is the CSV of the published table, None where there is none; ``subsets`` maps short
    names to those of the CSV.
    """
    published = task.published
    common = {"task": task.name, "origin": PAPER, "rule": "paper", "split": "test"}
    if published.rows is not None:
        return [common | dict(row) for row in published.rows()]
    if paper is None or published.columns is None:
        if published.missing is None:
            return []
        empty = {"subset": MEAN, "model": "GeneZip", "note": NOT_RECOVERED}
        return [common | empty | {"metric": published.missing}]
    columns = published.columns(subsets)
    todo = "restore the published table"
    table = read_tsv(paper, ["model", *columns], first=todo, again=todo, separator=",")
    rows = []
    for _, line in table.iterrows():
        for column, (subset, metric) in columns.items():
            value = line[column]
            rows.append(
                common
                | {"subset": subset, "model": line["model"], "metric": metric}
                | {"value": None if pd.isna(value) else float(value)}
            )
    return rows


_GROUP = ["task", "model", "seed", "input", "mode", "rule", "split", "metric", "scale"]


def mean_rows(measured: pd.DataFrame, subsets: Sequence[str]) -> pd.DataFrame:
    """Means over the subsets, without intervals; empty where a subset has no value."""
    if len(subsets) < 2:
        return measured.iloc[:0]
    rows = []
    measured = measured[measured["subset"].isin(list(subsets))]
    for key, group in measured.groupby(_GROUP, dropna=False, sort=False):
        known = group.dropna(subset=["value"])
        row = dict(zip(_GROUP, key, strict=True)) | {"subset": MEAN, "origin": MEASURED}
        if set(known["subset"]) == set(subsets):
            row |= {"value": known["value"].mean(), "n": known["n"].sum()}
            note = f"mean of {len(subsets)} subsets, which have intervals of their own"
            marked = known["note"].astype(str).str.startswith(SOLVED)
            if marked.any():
                solved = ", ".join(known.loc[marked, "subset"])
                note += f"; solved by a trivial baseline, so not a comparison of models: {solved}"
            row["note"] = note
        else:
            left = [name for name in subsets if name not in set(known["subset"])]
            row["note"] = f"no value for {', '.join(left)}, so no mean over all subsets"
        rows.append(row)
    return pd.DataFrame(rows)


def task_table(
    task: Task[Any],
    scores: Sequence[pd.DataFrame],
    paper: str | Path | None,
    subsets: Mapping[str, str],
    scale: str,
) -> pd.DataFrame:
    """Rows of all subsets, their means, and the published values.

    A measured value has the columns ``paper`` and ``difference`` (ours minus the paper's) where the
    paper has one of the same model, subset and metric, and both can be compared: scale ``full``,
    the deposit's split scheme, the release input, and split and mode of
    :class:`~genezip.tasks.base.Published`. The paper always trained all of its CNN.
    """
    measured = pd.concat(list(scores), ignore_index=True)
    means = mean_rows(measured, list(subsets))
    if len(means):
        measured = pd.concat([measured, means], ignore_index=True)
    published = COMPARED_SCORES.frame(published_rows(task, paper, subsets))
    known = {
        (row.model, row.subset, row.metric): row.value
        for row in published.dropna(subset=["value"]).itertuples()
    }

    def beside(row: pd.Series) -> list[Any]:
        names = (*ALIASES.get(row["model"], ()), row["model"])
        comparable = (
            scale == "full"
            and row["rule"] == "paper"
            and row["split"] == task.published.split
            and row["input"] == "authors"
            and row["mode"] == ("full" if row["model"] == CNN else task.published.mode)
        )
        for name in names if comparable else ():
            value = known.get((name, row["subset"], row["metric"]))
            if value is not None:
                return [name, value, row["value"] - value]
        return [None, None, None]

    added = ["paper_model", "paper", "difference"]
    compared = [beside(row) for _, row in measured.iterrows()]
    measured[added] = pd.DataFrame(compared, index=measured.index, columns=added)
    parts = [part for part in (measured, published) if len(part)]
    return COMPARED_SCORES.frame(pd.concat(parts, ignore_index=True))


def write_table(
    name: str,
    scores: Sequence[Path],
    paper: Path | None,
    subsets: Mapping[str, str],
    scale: str,
    out: Path,
) -> None:
    """Write the table of result files as TSV (floats with 6 significant digits)."""
    tables = []
    for path in scores:
        found = TASK_SCORES.read(path)
        if set(found["task"]) - {name}:
            raise GenezipError(f"{path} holds scores of {found['task'].iloc[0]}, not of {name}")
        tables.append(found)
    COMPARED_SCORES.write(out, task_table(TASKS[name], tables, paper, subsets, scale))
