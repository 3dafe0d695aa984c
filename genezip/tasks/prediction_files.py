"""Reading prediction files, and checking that several of them belong together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from genezip.artifacts.tables import open_parquet, read_head
from genezip.errors import GenezipError
from genezip.log import Progress
from genezip.tasks.base import Arm
from genezip.tasks.predictions import COLUMNS, FLOAT, KIND, Values, schema_of

ARM_COLUMNS = ["task", "subset", "model", "seed", "input", "mode"]
_KEYS = ["rule", "fold", "split", "example", "group"]
_BATCH_ROWS = 16


@dataclass(frozen=True)
class Row:
    """One example of an array task.

    Attributes
    ----------
    arm : Arm
    rule, split, group : str
    fold, example : int
    target : float16 array, read-only
    prediction : float16 or float32 array of that shape, read-only
    """

    arm: Arm
    rule: str
    fold: int
    split: str
    example: int
    group: str
    target: np.ndarray
    prediction: np.ndarray


@dataclass(frozen=True)
class PredictionFile:
    """A prediction file, its arrays unread.

    Attributes
    ----------
    path : Path
    kind : ``scalar`` or ``array``
    shape : tuple of int, of one array; -1 where rows differ
    dtype : of a prediction
    task : task and subset; None in a file that holds nothing
    arms : arms with rows or notes
    notes : dicts of arm (its label), rule, split, metric, reason, value_stands
    facts : numbers about the examples (dicts of rule, split, metric, value, n)
    """

    path: Path
    kind: Values
    shape: tuple[int, ...]
    dtype: np.dtype
    task: tuple[str, str] | None
    arms: list[Arm]
    notes: list[dict[str, Any]]
    facts: list[dict[str, Any]]

    @classmethod
    def open(cls, path: str | Path) -> "PredictionFile":
        """Read the file's metadata and check its columns.

        Raises
        ------
        GenezipError
            If it is missing, no Parquet, no prediction file, or lacks a column.
        """
        path = Path(path)
        raw = read_head(path, KIND)
        with open_parquet(path, KIND) as file:
            schema = file.schema_arrow
        try:
            found = cls(
                path,
                raw["kind"],
                tuple(raw["shape"]),
                np.dtype(raw["dtype"]),
                None if raw["task"] is None else (raw["task"], raw["subset"]),
                [Arm(**cells) for cells in raw["arms"]],
                raw["notes"],
                raw["facts"],
            )
        except (ValueError, TypeError):
            raise KIND.foreign(path) from None
        missing = [name for name in COLUMNS if name not in schema.names]
        if missing:
            raise GenezipError(f"{path} lacks the column {missing[0]}; predict again")
        for field in schema_of(found.kind):
            if schema.field(field.name).type != field.type:
                raise GenezipError(
                    f"{path} has {schema.field(field.name).type} in the column {field.name} "
                    f"instead of {field.type}; predict again"
                )
        return found

    @cached_property
    def keys(self) -> pd.DataFrame:
        """Every column but target, prediction and hidden; seed is Int64 (may be missing)."""
        table = self._read([*ARM_COLUMNS, *_KEYS])
        return table.astype({"seed": "Int64"})

    def frame(self) -> pd.DataFrame:
        """The whole table of a ``scalar`` file (column seed Int64)."""
        assert self.kind == "scalar"
        return self._read(list(COLUMNS)).astype({"seed": "Int64"})

    def rows(self) -> Iterator[Row]:
        """Rows of an ``array`` file, one row group in memory at a time; progress is shown."""
        assert self.kind == "array"
        columns = [*ARM_COLUMNS, *_KEYS, "target", "prediction"]
        with (
            open_parquet(self.path, KIND, pre_buffer=False) as file,
            Progress(self.path.name, file.metadata.num_rows, "example") as shown,
        ):
            for batch in file.iter_batches(_BATCH_ROWS, columns=columns):
                parts = [batch.column(name) for name in columns]
                for cells in zip(*parts, strict=True):
                    yield self._row(cells)
                    shown.advance()

    def _row(self, cells: Sequence[Any]) -> Row:
        small = [cell.as_py() for cell in cells[:-2]]
        target = self._array(cells[-2], small, FLOAT)
        prediction = self._array(cells[-1], small, self.dtype)
        if target.shape != prediction.shape:
            raise GenezipError(
                f"{self.path} has a target of {target.size:,} values and a prediction of "
                f"{prediction.size:,} for example {small[9]}; predict again"
            )
        rule, fold, split, example, group = small[6:]
        return Row(arm_of(small[:6]), rule, fold, split, example, group, target, prediction)

    def _array(self, cell: pa.Scalar, small: Sequence[Any], dtype: np.dtype) -> np.ndarray:
        try:
            return np.frombuffer(cell.as_buffer(), dtype=dtype).reshape(self.shape)
        except (ValueError, TypeError, AttributeError):
            raise GenezipError(
                f"{self.path} has an array that is not of the shape {self.shape} for example "
                f"{small[9]}; predict again"
            ) from None

    def _read(self, columns: list[str]) -> pd.DataFrame:
        with open_parquet(self.path, KIND) as file:
            return file.read(columns).to_pandas()


def read_predictions(paths: Sequence[str | Path]) -> list[PredictionFile]:
    """Open prediction files of one task and subset.

    Raises
    ------
    GenezipError
        If there is none, one cannot be read, they are of several tasks or subsets, an arm is
        in two of them, or an example is twice in one split of an arm.
    """
    if not paths:
        raise GenezipError("no prediction file was given; name at least one")
    # a file that names no task holds neither rows nor notes, so it takes nothing from the others
    files = [file for file in map(PredictionFile.open, paths) if file.task is not None]
    if not files:
        raise GenezipError(f"{paths[0]} has no predictions; predict again")
    first, place = files[0], _place(files[0])
    seen: dict[Arm, Path] = {}
    for file in files:
        if _place(file) != place or file.kind != first.kind:
            raise GenezipError(
                f"{first.path} is of {place} and {file.path} of {_place(file)}; score them apart"
            )
        for arm in file.arms:
            if arm in seen:
                raise GenezipError(
                    f"{seen[arm]} and {file.path} both hold {arm.label}; name only one of them"
                )
            seen[arm] = file.path
        _no_example_twice(file)
    return files


def _place(file: PredictionFile) -> str:
    """Task and subset of a file; arms of several are an error."""
    assert file.task is not None
    found = dict.fromkeys([file.task, *((arm.task, arm.subset) for arm in file.arms)])
    if len(found) > 1:
        names = " and ".join(" ".join(each) for each in list(found)[:2])
        raise GenezipError(f"{file.path} mixes {names}; predict them apart")
    return " ".join(file.task)


def _no_example_twice(file: PredictionFile) -> None:
    twice = file.keys.duplicated([*ARM_COLUMNS, "rule", "split", "example"])
    if twice.any():
        row = file.keys[twice].iloc[0]
        arm = arm_of(row[ARM_COLUMNS].tolist())
        raise GenezipError(
            f"{file.path} has {row['split']} example {row['example']} of {arm.label} twice under "
            f"the rule {row['rule']}; predict again"
        )


def arm_of(cells: Sequence[Any]) -> Arm:
    """An arm of cells in order of ``ARM_COLUMNS``."""
    task, subset, model, seed, fed, mode = cells
    return Arm(task, subset, model, None if pd.isna(seed) else int(seed), fed, mode)
