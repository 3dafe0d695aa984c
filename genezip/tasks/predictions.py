"""Prediction files: what an arm predicted beside what was true, one row per example.

Parquet with the columns ``COLUMNS``. Scores are computed from these files alone. In tasks of
pairs target and prediction are numbers. In tasks of arrays they are the bytes of little-endian
float16 arrays in C order, which are read one row at a time; a target of NaN is not scored. The
file's metadata has, under the key ``genezip``, JSON with ``kind`` (scalar or array), ``shape``
(of one array, -1 where rows differ), ``arms``, ``notes`` (label of an arm -> metric -> why it
does not apply) and ``facts`` (numbers about the examples themselves).
"""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from genezip.errors import GenezipError
from genezip.provenance import atomic_path
from genezip.tasks.arm import Arm

Kind = Literal["scalar", "array"]
METADATA_KEY = b"genezip"
FLOAT = np.dtype("<f2")
LARGEST = float(np.finfo(FLOAT).max)
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


def schema_of(kind: Kind) -> pa.Schema:
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
        Of one array, -1 where rows may differ; empty for ``scalar``.
    """

    def __init__(
        self, path: str | Path, arm: Arm | None, kind: Kind, shape: Sequence[int] = ()
    ) -> None:
        self.path = Path(path)
        self.arm = arm
        self.kind: Kind = kind
        self.shape = tuple(int(size) for size in shape)
        self._schema = schema_of(kind)
        self._arms: dict[Arm, None] = {} if arm is None else {arm: None}  # in order
        self._notes: dict[str, dict[str, str]] = {}
        self._facts: list[dict[str, Any]] = []
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_bytes = 0

    def __enter__(self) -> "PredictionWriter":
        with ExitStack() as stack:
            temporary = stack.enter_context(atomic_path(self.path))
            self._file = stack.enter_context(
                pq.ParquetWriter(temporary, self._schema, compression="zstd")
            )
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
        rule: str,
        fold: int,
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
        rule : ``paper``, ``gene`` or ``chromosome``
        fold : int, -1 for ``paper``
        split : ``valid`` or ``test``
        example : int array, shape (n,)
        group : n names, what the bootstrap resamples
        target, prediction : arrays, shape (n,), or n arrays of the file's shape
            Arrays are stored as float16; finite values beyond its range become its ends.
        hidden : float array, shape (n,), or None
            Scores with the variant or element hidden; ``scalar`` only.

        Raises
        ------
        GenezipError
            If a prediction that is scored is not finite.
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
            "target": self._values(target, n, "target"),
            "prediction": self._values(prediction, n, "prediction"),
            "hidden": [None] * n if hidden is None else np.asarray(hidden, dtype=np.float64),
        }
        self._check(arm, split, columns["example"], "prediction", target, prediction)
        if hidden is not None:
            self._check(arm, split, columns["example"], "hidden", target, columns["hidden"])
        batch = pa.RecordBatch.from_arrays(
            [pa.array(columns[field.name], field.type) for field in self._schema],
            schema=self._schema,
        )
        self._waiting.append(batch)
        self._waiting_bytes += batch.nbytes
        if self._waiting_bytes >= _BUFFER_BYTES:
            self._flush()

    def note(self, arm: Arm, metric: str, reason: str) -> None:
        """Say why a metric does not apply to an arm: its cell is empty and gives the reason."""
        self._arms[arm] = None
        self._notes.setdefault(arm.label, {})[metric] = reason

    def fact(self, rule: str, split: str, metric: str, value: float | None, n: int) -> None:
        """Note a number about the examples of a split (share of genes seen in training, ...)."""
        self._facts.append(
            {"rule": rule, "split": split, "metric": metric, "value": value, "n": int(n)}
        )

    def _values(self, values: Sequence[Any] | np.ndarray, n: int, name: str) -> Any:
        if len(values) != n:
            raise ValueError(f"{len(values)} values of {name} for {n} examples")
        if self.kind == "scalar":
            return np.asarray(values, dtype=np.float64)
        return [self._bytes(np.asarray(each), name) for each in values]

    def _bytes(self, array: np.ndarray, name: str) -> bytes:
        if array.ndim != len(self.shape) or any(
            want not in (-1, have) for want, have in zip(self.shape, array.shape, strict=True)
        ):
            raise ValueError(f"{name} has the shape {array.shape}, the file {self.shape}")
        if array.dtype != FLOAT:
            finite = np.isfinite(array)
            array = np.where(finite, np.clip(array, -LARGEST, LARGEST), array).astype(FLOAT)
        return array.tobytes()

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
        facts = {
            "kind": self.kind,
            "shape": self.shape,
            "arms": [asdict(arm) for arm in self._arms],
            "notes": self._notes,
            "facts": self._facts,
        }
        self._file.add_key_value_metadata({METADATA_KEY: json.dumps(facts).encode()})

    def _flush(self) -> None:
        if self._waiting:
            self._file.write_table(pa.Table.from_batches(self._waiting, self._schema))
        self._waiting, self._waiting_bytes = [], 0
