"""Scores from prediction files alone, whatever made the predictions."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from genezip.artifacts.scores import TASK_SCORES, Row
from genezip.errors import GenezipError
from genezip.metrics import contacts as metrics_contacts
from genezip.metrics import correlation as metrics_correlation
from genezip.metrics import ranking as metrics_ranking
from genezip.tasks.base import Arm
from genezip.tasks.initiation.scores import initiation_rows
from genezip.tasks.pairs.scores import pair_rows
from genezip.tasks.prediction_files import PredictionFile, read_predictions
from genezip.tasks.score_rows import joined, row
from genezip.tasks.windows.scores_activity import activity_rows
from genezip.tasks.windows.scores_maps import map_rows

_KINDS = {"eqtl": "scalar", "etgp": "scalar", "cmp": "array", "tisp": "array", "rsap": "array"}
_METRICS = {
    "eqtl": metrics_ranking.METRICS,
    "etgp": metrics_ranking.METRICS,
    "cmp": metrics_contacts.METRICS,
    "tisp": metrics_correlation.INITIATION_METRICS,
    "rsap": metrics_correlation.ACTIVITY_METRICS,
}
_NOTHING = "the file holds no prediction of it, and no reason; predict again"
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
    DataFrame, columns of :data:`genezip.artifacts.scores.TASK_SCORES`
        A score that is undefined, or does not apply, has an empty value and a note.

    Raises
    ------
    GenezipError
        If a file is no prediction file, or they do not belong together.
    """
    files = read_predictions(paths)
    assert files[0].task is not None
    task, _ = files[0].task
    if _KINDS.get(task) != files[0].kind:
        raise GenezipError(
            f"{files[0].path} holds predictions of kind {files[0].kind} for the task {task!r}; "
            f"the tasks are {', '.join(_KINDS)}, predict again"
        )
    for file in files if task in _ARRAYS else ():
        _check_shape(file, task)
    if task in _ARRAYS:
        rows = _ARRAYS[task](files, bootstrap, seed)
    else:
        rows = pair_rows(files, bootstrap, seed)
    rows = _noted(rows, files)
    return TASK_SCORES.frame({**each, "scale": scale} for each in rows)


def _check_shape(file: PredictionFile, task: str) -> None:
    """Refuse arrays that cannot be of the task; an axis of -1 is looked at row by row."""
    shape = file.shape
    if task == "cmp":
        wanted = "one axis with the upper triangle of a map"
        fits = len(shape) == 1 and (shape[0] == -1 or metrics_contacts.is_triangle(shape[0]))
    elif task == "tisp":
        wanted = f"{metrics_correlation.N_TRACKS} tracks and an axis of positions"
        fits = len(shape) == 2 and shape[0] == metrics_correlation.N_TRACKS
    else:
        wanted, fits = "an axis of bins and one of tracks", len(shape) == 2
    if not fits:
        raise GenezipError(
            f"{file.path} holds arrays of the shape {shape}, but those of {task} have {wanted}; "
            "predict again"
        )


def _noted(rows: list[Row], files: Sequence[PredictionFile]) -> list[Row]:
    """Apply the notes: cells of metrics that do not apply to an arm are emptied, and say why.

    An arm without rows and notes has empty cells too.
    """
    for file in files:
        arms = {arm.label: arm for arm in file.arms}
        for note in file.notes:
            arm, reason = arms[note["arm"]], note["reason"]
            place = {name: note[name] for name in ("rule", "split", "metric")}
            own = _own(arm) | place
            mine = [each for each in rows if own.items() <= each.items()]
            if not mine:
                rows.append(row(arm, note=reason, **place))
            for each in mine:
                if note["value_stands"]:
                    each["note"] = joined(each["note"], reason)
                else:
                    each.update(value=None, ci_low=None, ci_high=None, note=reason)
        for arm in file.arms:
            if not any(_own(arm).items() <= each.items() for each in rows):
                rows += [
                    row(arm, rule="paper", split="test", metric=metric, note=_NOTHING)
                    for metric in _METRICS[arm.task]
                ]
    return rows


def _own(arm: Arm) -> Row:
    """Cells that tell an arm's rows from others."""
    return {name: row(arm)[name] for name in ("model", "input", "mode", "seed")}
