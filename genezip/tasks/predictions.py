"""Prediction files: predictions and targets of methods, one row per example.

Parquet with the columns ``COLUMNS``; scores are computed from these files alone. In a ``scalar``
file target (0 or 1), prediction and masked-variant score (column ``hidden``, may be null) are
floats. In an ``array`` file they are the bytes of little-endian arrays in C order, read one row at
a time; a target of NaN is not scored. :class:`Layout` gives kind and precision of a task. The
file's metadata has, under the key ``genezip``, JSON with ``kind``, ``shape`` (of one array, -1
where rows differ), ``dtype`` (of a prediction), ``target_dtype`` (float16 in files of earlier
versions, which lack it), ``task``, ``subset``, ``arms`` (the methods), ``notes`` (why cells of a
method are empty, or a remark beside their value) and ``facts`` (numbers about the examples).
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa

from genezip.artifacts.manifest import Kind
from genezip.artifacts.tables import add_head, open_parquet, parquet_writer, read_head
from genezip.errors import GenezipError
from genezip.log import Progress
from genezip.tasks.base import ALL, Fact, Found, Layout, Method, Note, Predictions, Values

KIND = Kind(
    "prediction file",
    None,
    "predict first",
    "predict again",
    keys=("kind", "shape", "dtype", "task", "subset", "arms", "notes", "facts"),
)
_BUFFER_BYTES = 32 << 20  # of a row group, before compression

METHOD_COLUMNS = ["task", "subset", "model", "seed", "input", "mode"]
NOTE = ("rule", "split", "metric", "reason", "value_stands")
FACT = ("rule", "split", "metric", "value", "n")

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
    layout : of the task. The file states the size of an axis where all rows have the same.
    method : of all predictions; None where :meth:`add` names it for each batch
    of : (task, subset) of a file without ``method``, which may end without rows and notes
    """

    def __init__(
        self,
        path: str | Path,
        layout: Layout,
        method: Method | None = None,
        of: tuple[str, str] | None = None,
    ) -> None:
        self.path = Path(path)
        self.layout = layout
        self.method = method
        self._schema = schema_of(layout.kind)
        self._methods: dict[Method, None] = {} if method is None else {method: None}  # in order
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

    def add(self, found: Found, method: Method | None = None) -> None:
        """Add a result of a task; the order of rows is kept.

        Finite values beyond the range of a dtype become its ends. A prediction that is scored and
        not finite is an error, and so is a target of numbers that is not 0 or 1. ``method`` is that
        of the result, None for that of the file; ``model`` and ``subset`` of the result take
        precedence over it.
        """
        method = method or self.method
        if isinstance(found, Fact) and not found.of_method:
            subset = None if method is None else method.subset
            self._facts.append({"subset": subset, **_cells(found, FACT)})
            return
        if method is None:
            raise ValueError("no method was given, neither for the file nor for these rows")
        if not isinstance(found, Fact):
            method = replace(
                method, model=found.model or method.model, subset=found.subset or method.subset
            )
        self._methods[method] = None
        key = {"arm": method.label, "subset": method.subset}
        if isinstance(found, Fact):
            self._facts.append({**key, **_cells(found, FACT)})
            return
        if isinstance(found, Note):
            self._notes.append({**key, **_cells(found, NOTE)})
            return
        self._rows(found, method)

    def _rows(self, found: Predictions, method: Method) -> None:
        n = len(found.example)
        hidden = np.full(n, np.nan) if found.hidden is None else found.hidden
        columns: dict[str, Any] = {
            **{name: [getattr(method, name)] * n for name in METHOD_COLUMNS},
            **{name: [getattr(found, name)] * n for name in ("rule", "fold", "split")},
            "example": np.asarray(found.example, dtype=np.int64),
            "group": [str(name) for name in found.group],
            "target": self._values(found.target, n, "target"),
            "prediction": self._values(found.prediction, n, "prediction"),
            "hidden": np.asarray(hidden, np.float64),
        }
        if self.layout.kind == "scalar":
            if self.layout.binary:
                self._check_targets(method, columns["example"], columns["target"])
            known = np.where(np.isnan(columns["hidden"]), 0, columns["hidden"])
            self._check(method, found, "hidden", known)
        self._check(method, found, "prediction", found.prediction)
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

    def _values(
        self, values: Sequence[Any] | np.ndarray, n: int, name: Literal["target", "prediction"]
    ) -> Any:
        if len(values) != n:
            raise ValueError(f"{len(values)} values of {name} for {n} examples")
        if self.layout.kind == "scalar":
            return np.asarray(values, dtype=np.float64)
        dtype = np.dtype(getattr(self.layout, name))
        return [self._bytes(np.asarray(each), name, dtype) for each in values]

    def _bytes(self, array: np.ndarray, name: str, dtype: np.dtype) -> bytes:
        if not self.layout.fits(array.shape):
            raise ValueError(f"{name} has the shape {array.shape}, not {self.layout.shape}")
        self._seen.add(array.shape)
        if not np.can_cast(array.dtype, dtype):
            finite, most = np.isfinite(array), float(np.finfo(dtype).max)
            array = np.where(finite, np.clip(array, -most, most), array)
        return array.astype(dtype).tobytes()

    def _check_targets(self, method: Method, example: np.ndarray, targets: np.ndarray) -> None:
        wrong = ~np.isin(targets, (0, 1))
        if wrong.any():
            first = int(np.argmax(wrong))
            raise GenezipError(
                f"example {example[first]} of {method.task} {method.subset} has the target "
                f"{targets[first]:g}, not 0 or 1; prepare the task again"
            )

    def _check(self, method: Method, found: Predictions, name: str, values: Any) -> None:
        """Refuse a prediction that is not finite where the target is."""
        if self.layout.kind == "scalar":
            lost = np.isfinite(np.asarray(found.target, dtype=float)) & ~np.isfinite(values)
        else:
            pairs = zip(found.target, values, strict=True)
            lost = np.array([bool((np.isfinite(t) & ~np.isfinite(p)).any()) for t, p in pairs])
        if lost.any():
            raise GenezipError(
                f"{method.label} gives no finite {name} for {found.split} example "
                f"{found.example[int(np.argmax(lost))]} of {method.task} {method.subset}; its "
                "training has diverged, lower its learning rate"
            )

    def copy(self, file: "PredictionFile") -> None:
        """Add rows, notes and facts of a finished file."""
        self._flush()
        with open_parquet(file.path, KIND) as source:
            for number in range(source.num_row_groups):
                rows = source.read_row_group(number)
                self._file.write_table(rows.replace_schema_metadata(None))
                self._seen.add(file.shape)
        self._methods |= dict.fromkeys(file.methods)
        self._notes += file.notes
        self._facts += file.facts

    def _finish(self) -> None:
        self._flush()
        subsets = dict.fromkeys((method.task, method.subset) for method in self._methods)
        task, subset = self._of or next(iter(subsets), (None, None))
        head = KIND.head(
            kind=self.layout.kind,
            shape=self._sizes(),
            dtype=np.dtype(self.layout.prediction).str,
            target_dtype=np.dtype(self.layout.target).str,
            task=task,
            subset=subset,
            arms=[asdict(method) for method in self._methods],
            notes=self._notes,
            facts=self._facts,
        )
        add_head(self._file, head)

    def _sizes(self) -> list[int]:
        """Size of every axis of an array, -1 where rows differ."""
        if not self._seen:
            return list(self.layout.shape)
        each = [set(sizes) for sizes in zip(*self._seen, strict=True)]
        return [next(iter(sizes)) if len(sizes) == 1 else -1 for sizes in each]

    def _flush(self) -> None:
        if self._waiting:
            self._file.write_table(pa.Table.from_batches(self._waiting, self._schema))
        self._waiting, self._waiting_bytes = [], 0


def _cells(found: Found, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(found, name) for name in names}


_KEYS = ["rule", "fold", "split", "example", "group"]
_BATCH_ROWS = 16


@dataclass(frozen=True)
class ArrayRow:
    """One example of an array task."""

    method: Method
    rule: str
    fold: int
    split: str
    example: int
    group: str
    # target, prediction: float arrays of one shape, read-only, in the precision of the layout
    target: np.ndarray
    prediction: np.ndarray


@dataclass(frozen=True)
class PredictionFile:
    """A prediction file, opened without reading its arrays."""

    path: Path
    kind: Values  # ``scalar`` or ``array``
    shape: tuple[int, ...]  # of one array; -1 where rows differ
    # dtype, target_dtype: of a prediction and of a target
    dtype: np.dtype
    target_dtype: np.dtype
    task: tuple[str, str] | None  # task and subset; None in an empty file
    methods: list[Method]  # methods with rows or notes
    # dicts of method (label of the method), subset, rule, split, metric, reason, value_stands
    notes: list[dict[str, Any]]
    # numbers about the examples (dicts of rule, split, metric, value, n), or, with method and
    # subset, about a method
    facts: list[dict[str, Any]]

    @classmethod
    def open(cls, path: str | Path) -> "PredictionFile":
        """Read the file's metadata and check its columns."""
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
                np.dtype(raw.get("target_dtype", "<f2")),
                None if raw["task"] is None else (raw["task"], raw["subset"]),
                [Method(**cells) for cells in raw["arms"]],
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
        table = self._read([*METHOD_COLUMNS, *_KEYS])
        return table.astype({"seed": "Int64"})

    def frame(self) -> pd.DataFrame:
        """The whole table of a ``scalar`` file (column seed Int64)."""
        assert self.kind == "scalar"
        return self._read(list(COLUMNS)).astype({"seed": "Int64"})

    def rows(self) -> Iterator[ArrayRow]:
        """Rows of an ``array`` file, one row group in memory at a time; progress is shown."""
        assert self.kind == "array"
        columns = [*METHOD_COLUMNS, *_KEYS, "target", "prediction"]
        with (
            open_parquet(self.path, KIND, pre_buffer=False) as file,
            Progress(self.path.name, file.metadata.num_rows, "example") as shown,
        ):
            for batch in file.iter_batches(_BATCH_ROWS, columns=columns):
                parts = [batch.column(name) for name in columns]
                for cells in zip(*parts, strict=True):
                    yield self._row(cells)
                    shown.advance()

    def _row(self, cells: Sequence[Any]) -> ArrayRow:
        small = [cell.as_py() for cell in cells[:-2]]
        target = self._array(cells[-2], small, self.target_dtype)
        prediction = self._array(cells[-1], small, self.dtype)
        if target.shape != prediction.shape:
            raise GenezipError(
                f"{self.path} has a target of {target.size:,} values and a prediction of "
                f"{prediction.size:,} for example {small[9]}; predict again"
            )
        rule, fold, split, example, group = small[6:]
        return ArrayRow(method_of(small[:6]), rule, fold, split, example, group, target, prediction)

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


def join_predictions(paths: Sequence[Path], out: Path, layout: Layout, of: tuple[str, str]) -> None:
    """Write one prediction file of several, in their order; ``of`` is its task and subset."""
    with PredictionWriter(out, layout, of=of) as writer:
        for path in paths:
            writer.copy(PredictionFile.open(path))


def read_predictions(paths: Sequence[str | Path]) -> list[PredictionFile]:
    """Open prediction files of one task and subset.

    A method in two of them, or an example twice in one split of a method, is an error.
    """
    if not paths:
        raise GenezipError("no prediction file was given; name at least one")
    # a file that names no task has neither rows nor notes
    files = [file for file in map(PredictionFile.open, paths) if file.task is not None]
    if not files:
        raise GenezipError(f"{paths[0]} has no predictions; predict again")
    first, task = files[0], _task_name(files[0])
    seen: dict[Method, Path] = {}
    for file in files:
        if _task_name(file) != task or file.kind != first.kind:
            raise GenezipError(
                f"{first.path} is of {task} and {file.path} of {_task_name(file)}; score them apart"
            )
        for method in file.methods:
            if method in seen:
                raise GenezipError(
                    f"{seen[method]} and {file.path} both hold {method.label}; name only one of "
                    "them"
                )
            seen[method] = file.path
        _no_example_twice(file)
    return files


def _task_name(file: PredictionFile) -> str:
    """Task and subset of a file in words; a method of another is an error.

    A file of the subset ``all`` may hold methods of single subsets.
    """
    assert file.task is not None
    own = ((m.task, m.subset if file.task[1] != ALL else ALL) for m in file.methods)
    found = dict.fromkeys([file.task, *own])
    if len(found) > 1:
        names = " and ".join(" ".join(each) for each in list(found)[:2])
        raise GenezipError(f"{file.path} mixes {names}; predict them apart")
    return " ".join(file.task)


def _no_example_twice(file: PredictionFile) -> None:
    twice = file.keys.duplicated([*METHOD_COLUMNS, "rule", "split", "example"])
    if twice.any():
        row = file.keys[twice].iloc[0]
        method = method_of(row[METHOD_COLUMNS].tolist())
        raise GenezipError(
            f"{file.path} has {row['split']} example {row['example']} of {method.label} twice "
            f"under the split scheme {row['rule']}; predict again"
        )


class Accumulator(Protocol):
    """Accumulator of the rows of one method, split scheme and split."""

    def add(self, row: ArrayRow) -> None:
        """Add a row."""


G = TypeVar("G", bound=Accumulator)
R = TypeVar("R")


def gathered(
    file: PredictionFile,
    make: Callable[[], G],
    finish: Callable[[Method, str, str, G], Iterable[R]],
) -> Iterator[R]:
    """Results of ``finish`` for each method, split scheme and split of an ``array`` file.

    ``finish`` is called after the last row of a group, whose accumulator, which may be large, is
    then dropped.
    """
    keys = file.keys[[*METHOD_COLUMNS, "rule", "split"]].itertuples(index=False)
    left = Counter((method_of(cells), rule, split) for *cells, rule, split in keys)
    found: dict[tuple[Method, str, str], G] = defaultdict(make)
    for row in file.rows():
        key = row.method, row.rule, row.split
        found[key].add(row)
        left[key] -= 1
        if not left[key]:
            yield from finish(*key, found.pop(key))


def method_of(cells: Sequence[Any]) -> Method:
    """The method of cells in the order of ``METHOD_COLUMNS``."""
    task, subset, model, seed, fed, mode = cells
    return Method(task, subset, model, None if pd.isna(seed) else int(seed), fed, mode)
