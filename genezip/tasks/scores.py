"""Scores from prediction files alone, whatever made the predictions."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from genezip.errors import GenezipError
from genezip.tasks.prediction_files import PredictionFile, read_predictions
from genezip.tasks.score_rows import COLUMNS, Row, row, table, write_scores
from genezip.tasks.scores_activity import activity_rows
from genezip.tasks.scores_initiation import initiation_rows
from genezip.tasks.scores_maps import map_rows
from genezip.tasks.scores_pairs import pair_rows

__all__ = ["COLUMNS", "score", "write_scores"]

_KINDS = {"eqtl": "scalar", "etgp": "scalar", "cmp": "array", "tisp": "array", "rsap": "array"}
_ARRAYS = {"cmp": map_rows, "tisp": initiation_rows, "rsap": activity_rows}


def score(paths: Sequence[str | Path], bootstrap: int, seed: int, scale: str) -> pd.DataFrame:
    """Every score of some prediction files of one task and subset.

    Parameters
    ----------
    paths : prediction files (:mod:`genezip.tasks.predictions`)
    bootstrap : number of resamples of genes, loci or blocks behind each 95 % interval
    seed : of the resamples
    scale : full, demo or test; goes into every row

    Returns
    -------
    DataFrame, columns ``COLUMNS``
        A score that is undefined, or does not apply, has an empty value and a note.

    Raises
    ------
    GenezipError
        If a file is no prediction file, or they do not belong together.
    """
    files = read_predictions(paths)
    task, _ = files[0].task
    if _KINDS.get(task) != files[0].kind:
        raise GenezipError(
            f"{files[0].path} holds predictions of kind {files[0].kind} for the task {task!r}; "
            f"the tasks are {', '.join(_KINDS)}, predict again"
        )
    if task in _ARRAYS:
        rows = _ARRAYS[task](files, bootstrap, seed, quiet=not sys.stderr.isatty())
    else:
        rows = pair_rows(files, bootstrap, seed)
    rows = _noted(rows, files)
    return table({**each, "scale": scale} for each in rows)


def _noted(rows: list[Row], files: Sequence[PredictionFile]) -> list[Row]:
    """Cells of metrics that do not apply to an arm are emptied, and say why."""
    for file in files:
        for arm in file.arms:
            own = {name: row(arm)[name] for name in ("model", "input", "mode", "seed")}
            for metric, reason in file.notes.get(arm.label, {}).items():
                empty = {"value": None, "ci_low": None, "ci_high": None, "note": reason}
                mine = [each for each in rows if own.items() <= each.items()]
                mine = [each for each in mine if each["metric"] == metric]
                if not mine:
                    rows.append(row(arm, rule="paper", split="test", metric=metric, note=reason))
                for each in mine:
                    each.update(empty)
    return rows
