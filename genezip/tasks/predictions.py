"""Prediction files: what an arm predicted beside what was true, one row per example.

Parquet with the columns ``COLUMNS``. Scores are computed from these files alone. In tasks of
pairs target (0 or 1), prediction and hidden are numbers; hidden may be null. In tasks of arrays
target and prediction are the bytes of little-endian arrays in C order, which are read one row at
a time; a target of NaN is not scored. Arrays are float16, predictions of maps float32: a
correlation does not see an offset, but float16 spends its 11 bits on it. The file's metadata has,
under the key ``genezip``, JSON with ``kind`` (scalar or array), ``shape`` (of one array, -1 where
rows differ), ``dtype`` (of a prediction), ``task``, ``subset``, ``arms``, ``notes`` (why cells of
an arm are empty, or a remark beside their value) and ``facts`` (numbers about the examples
themselves).
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from genezip.artifacts.manifest import Kind
from genezip.artifacts.tables import add_head, parquet_writer
from genezip.errors import GenezipError
from genezip.tasks.base import Arm

Values = Literal["scalar", "array"]
KIND = Kind(
    "prediction file",
    None,
    "predict first",
    "predict again",
    keys=("kind", "shape", "dtype", "task", "subset", "arms", "notes", "facts"),
)
FLOAT = np.dtype("<f2")
DTYPES = {"cmp": np.dtype("<f4")}
"""Task -> dtype of its predictions, where it is not ``FLOAT``."""
_BUFFER_BYTES = 32 << 20  # of a row group, before compression

_HEAD = [
    ("task", pa.string()),
    ("subset", pa.string()),
    ("model", pa.string()),
    ("seed", pa.int64()),
    ("input", pa.string()),
    ("mode", pa.string()),
    ("rule", pa.string()),
    ("fold", pa.int16()),
    ("split", pa.string()),
    ("example", pa.int64()),
    ("group", pa.string()),
]
COLUMNS = (*(name for name, _ in _HEAD), "target", "prediction", "hidden")


def schema_of(kind: Values) -> pa.Schema:
    """Columns of a prediction file."""
    value = pa.float64() if kind == "scalar" else pa.binary()
    tail = [("target", value), ("prediction", value), ("hidden", pa.float64())]
    return pa.schema([*_HEAD, *tail])


class PredictionWriter:
    """Writes one prediction file, whole or not at all; use it as a context manager.

    Parameters
    ----------
    path : path
    arm : Arm or None
        Whose predictions they are; None where :meth:`add` names it for each batch.
    kind : ``scalar`` or ``array``
    shape : sequence of int
        Of one array, -1 where rows may differ; empty for ``scalar``. The file names the
        size of an axis that turned out the same in all rows.
    of : (task, subset) or None
        Of a file without ``arm`` that may come to hold no rows and no notes.
    """

    def __init__(
        self,
        path: str | Path,
        arm: Arm | None,
        kind: Values,
        shape: Sequence[int] = (),
        of: tuple[str, str] | None = None,
    ) -> None:
        self.path = Path(path)
        self.arm = arm
        self.kind: Values = kind
        self.shape = tuple(int(size) for size in shape)
        self._schema = schema_of(kind)
        self._arms: dict[Arm, None] = {} if arm is None else {arm: None}  # in order
        self._of = of
        self._seen: set[tuple[int, ...]] = set()  # shapes of arrays
        self._notes: list[dict[str, Any]] = []
        self._facts: list[dict[str, Any]] = []
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_bytes = 0

    def __enter__(self) -> "PredictionWriter":
        with ExitStack() as stack:
            self._file = stack.enter_context(parquet_writer(self.path, self._schema, None))
            self._open = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._finish()
        except BaseException as late:
            self._open.__exit__(type(late), late, late.__traceback__)
            raise
        self._open.__exit__(kind, error, trace)

    def add(
        self,
        *,
        rule: str = "paper",
        fold: int = -1,
        split: str,
        example: np.ndarray,
        group: Sequence[Any] | np.ndarray,
        target: Sequence[Any] | np.ndarray,
        prediction: Sequence[Any] | np.ndarray,
        hidden: np.ndarray | None = None,
        arm: Arm | None = None,
    ) -> None:
        """Add examples of one split; the order of rows is kept.

        Parameters
        ----------
        rule : ``paper`` (the deposit's own split), ``gene`` or ``chromosome``
        fold : int, -1 for ``paper``
        split : ``valid`` or ``test``
        example : int array, shape (n,)
        group : n names, what the bootstrap resamples
        target, prediction : arrays, shape (n,), or n arrays of the file's shape
            Numbers have a target of 0 or 1. Finite values beyond the range of float16
            become its ends.
        hidden : float array, shape (n,), or None
            Scores with the variant or element hidden, NaN where unknown; ``scalar`` only.

        Raises
        ------
        GenezipError
            If a prediction that is scored is not finite, or a target of pairs is not 0 or 1.
        """
        arm = arm or self.arm
        if arm is None:
            raise ValueError("no arm was given, neither for the file nor for these rows")
        self._arms[arm] = None
        n = len(example)
        columns: dict[str, Any] = {
            "task": [arm.task] * n,
            "subset": [arm.subset] * n,
            "model": [arm.model] * n,
            "seed": [arm.seed] * n,
            "input": [arm.input] * n,
            "mode": [arm.mode] * n,
            "rule": [rule] * n,
            "fold": [fold] * n,
            "split": [split] * n,
            "example": np.asarray(example, dtype=np.int64),
            "group": [str(name) for name in group],
            "target": self._values(target, n, "target", FLOAT),
            "prediction": self._values(prediction, n, "prediction", DTYPES.get(arm.task, FLOAT)),
            "hidden": np.full(n, np.nan) if hidden is None else np.asarray(hidden, np.float64),
        }
        if self.kind == "scalar":
            self._check_labels(arm, columns["example"], columns["target"])
            unknown = np.isnan(columns["hidden"])
            known = np.where(unknown, 0, columns["hidden"])
            self._check(arm, split, columns["example"], "hidden", target, known)
        self._check(arm, split, columns["example"], "prediction", target, prediction)
        batch = pa.RecordBatch.from_arrays(
            [
                pa.array(columns[field.name], field.type, from_pandas=field.name == "hidden")
                for field in self._schema
            ],
            schema=self._schema,
        )
        self._waiting.append(batch)
        self._waiting_bytes += batch.nbytes
        if self._waiting_bytes >= _BUFFER_BYTES:
            self._flush()

    def note(
        self,
        arm: Arm,
        metric: str,
        reason: str,
        rule: str = "paper",
        split: str = "test",
        *,
        value_stands: bool = False,
    ) -> None:
        """Note why a metric does not apply to an arm: its cell is empty and gives the reason.

        With ``value_stands`` the cell keeps a value that it has, and gives the reason beside it.
        """
        self._arms[arm] = None
        place = {"arm": arm.label, "rule": rule, "split": split, "metric": metric}
        self._notes.append({**place, "reason": reason, "value_stands": value_stands})

    def fact(self, rule: str, split: str, metric: str, value: float | None, n: int) -> None:
        """Note a number about the examples of a split (share of genes seen in training, ...)."""
        self._facts.append(
            {"rule": rule, "split": split, "metric": metric, "value": value, "n": int(n)}
        )

    def _values(
        self, values: Sequence[Any] | np.ndarray, n: int, name: str, dtype: np.dtype
    ) -> Any:
        if len(values) != n:
            raise ValueError(f"{len(values)} values of {name} for {n} examples")
        if self.kind == "scalar":
            return np.asarray(values, dtype=np.float64)
        return [self._bytes(np.asarray(each), name, dtype) for each in values]

    def _bytes(self, array: np.ndarray, name: str, dtype: np.dtype) -> bytes:
        if array.ndim != len(self.shape) or any(
            want not in (-1, have) for want, have in zip(self.shape, array.shape, strict=True)
        ):
            raise ValueError(f"{name} has the shape {array.shape}, the file {self.shape}")
        self._seen.add(array.shape)
        if not np.can_cast(array.dtype, dtype):
            finite, most = np.isfinite(array), float(np.finfo(dtype).max)
            array = np.where(finite, np.clip(array, -most, most), array)
        return array.astype(dtype).tobytes()

    def _check_labels(self, arm: Arm, example: np.ndarray, labels: np.ndarray) -> None:
        wrong = ~np.isin(labels, (0, 1))
        if wrong.any():
            place = int(np.argmax(wrong))
            raise GenezipError(
                f"example {example[place]} of {arm.task} {arm.subset} has the target "
                f"{labels[place]:g}, not 0 or 1; prepare the task again"
            )

    def _check(
        self, arm: Arm, split: str, example: np.ndarray, name: str, target: Any, found: Any
    ) -> None:
        """Refuse a prediction that is no number where the target is one."""
        if self.kind == "scalar":
            lost = np.isfinite(np.asarray(target, dtype=float)) & ~np.isfinite(found)
        else:
            pairs = zip(target, found, strict=True)
            lost = np.array([bool((np.isfinite(t) & ~np.isfinite(p)).any()) for t, p in pairs])
        if lost.any():
            raise GenezipError(
                f"{arm.label} gives no finite {name} for {split} example "
                f"{example[int(np.argmax(lost))]} of {arm.task} {arm.subset}; its training has "
                "diverged, lower its learning rate"
            )

    def _finish(self) -> None:
        self._flush()
        places = dict.fromkeys((arm.task, arm.subset) for arm in self._arms)
        task, subset = self._of or next(iter(places), (None, None))
        head = KIND.head(
            kind=self.kind,
            shape=self._sizes(),
            dtype=DTYPES.get(str(task), FLOAT).str,
            task=task,
            subset=subset,
            arms=[asdict(arm) for arm in self._arms],
            notes=self._notes,
            facts=self._facts,
        )
        add_head(self._file, head)

    def _sizes(self) -> list[int]:
        """Size of every axis of an array, -1 where rows differ."""
        if not self._seen:
            return list(self.shape)
        each = [set(sizes) for sizes in zip(*self._seen, strict=True)]
        return [next(iter(sizes)) if len(sizes) == 1 else -1 for sizes in each]

    def _flush(self) -> None:
        if self._waiting:
            self._file.write_table(pa.Table.from_batches(self._waiting, self._schema))
        self._waiting, self._waiting_bytes = [], 0
