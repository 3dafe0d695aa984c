"""Features of a frozen model on disk: one array of numbers per example.

A store is a folder: ``features.npy`` (one row per example), ``examples.npy`` (int64, the example
number of every row) and ``manifest.json``, which is written last and names the model and the data.
A partial store lies in a hidden folder beside it; an interrupted call resumes from there as long
as model, data and settings are the same.
"""

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genezip.artifacts.files import check_room, sha256_file, write_json
from genezip.artifacts.folder import resumed_folder
from genezip.artifacts.journal import Journal
from genezip.artifacts.manifest import Kind, file_entries
from genezip.artifacts.provenance import versions
from genezip.errors import GenezipError
from genezip.log import Progress
from genezip.tasks.examples import MANIFEST, Prepared

logger = logging.getLogger(__name__)

KIND = Kind("manifest of features", 1, "compute the features first", "compute the features again")
FEATURES = "features.npy"
EXAMPLES = "examples.npy"
PROGRESS = "progress.json"
RELEASE_BP = 12_800  # bp that the GeneZip release reads at once
FLOAT = "<f4"
STORE_FILES = (MANIFEST, FEATURES, EXAMPLES, PROGRESS)

# rows -> their features, (rows, *inner, C), and the number of bases that the model read
Compute = Callable[[range], tuple[np.ndarray, int]]


@dataclass(frozen=True)
class FeatureStore:
    """A finished store."""

    folder: Path
    # memory map, shape (n, C) of pairs or (n, bins, C) of windows; dtype of the plan
    array: np.memmap
    blocks: dict[str, slice]  # name -> slice of the last axis
    # int64 array, shape (n,), column ``example`` of the prepared table, row by row
    examples: np.ndarray
    # the manifest: task, subset, input, tap, model, prepared_sha256, bases, seconds, ...
    facts: dict[str, Any]

    @classmethod
    def load(cls, manifest: str | Path, prepared: str | Path | None = None) -> "FeatureStore":
        """Read a store; ``prepared`` is the manifest of the data that the features must be of."""
        path = Path(manifest)
        facts = KIND.read(path)
        if not _whole(facts):
            raise KIND.foreign(path)
        KIND.check_files(path, facts["files"])
        if prepared is not None and _sha256(prepared) != facts["prepared_sha256"]:
            raise GenezipError(
                f"{path} holds features of other data than {prepared}; compute the features again"
            )
        try:
            array = np.load(path.parent / FEATURES, mmap_mode="r")
            examples = np.load(path.parent / EXAMPLES)
        except (OSError, ValueError) as error:
            raise KIND.unreadable(path.parent, error) from None
        if list(array.shape) != facts["shape"] or len(examples) != len(array):
            raise GenezipError(
                f"{path.parent / FEATURES} has the shape {array.shape}, not "
                f"{tuple(facts['shape'])} of its manifest; compute the features again"
            )
        blocks = {name: slice(*ends) for name, ends in facts["blocks"].items()}
        return cls(path.parent, array, blocks, examples, facts)

    def block(self, name: str) -> np.ndarray:
        """The block of the last axis with this name (a view); an unknown name is an error."""
        if name not in self.blocks:
            raise GenezipError(
                f"{self.folder} has no features {name}, only {', '.join(self.blocks)}; compute "
                "them with another input"
            )
        return np.asarray(self.array[..., self.blocks[name]])


def _whole(facts: dict[str, Any]) -> bool:
    """Whether a manifest has the keys of a store; other steps write manifests, too."""
    try:
        names = {entry["path"] for entry in facts["files"] if entry["bytes"] >= 0}
        ends = [(int(start), int(stop)) for start, stop in facts["blocks"].values()]
        return (
            names == {FEATURES, EXAMPLES}
            and len(ends) > 0
            and isinstance(facts["shape"], list)
            and isinstance(facts["model"], dict)
            and all(isinstance(facts[key], str) for key in ("task", "input", "prepared_sha256"))
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return False


def _sha256(path: str | Path) -> str:
    try:
        return sha256_file(path)
    except OSError as error:
        raise GenezipError(
            f"{path} cannot be read ({error.strerror}); prepare the task first"
        ) from None


@dataclass(frozen=True)
class StorePlan:
    """Content of a store before it is computed."""

    # task, subset, input: as of :class:`genezip.tasks.base.Method`
    task: str
    subset: str
    input: str
    layer: str  # ``states`` or ``tokens``, the layer that is pooled; ``tap`` in the manifest
    model: Mapping[str, Any]  # identity of the model (:attr:`genezip.models.base.Compressor.facts`)
    prepared: Path  # manifest of the prepared data
    examples: np.ndarray  # int64 array, shape (n,)
    # axes between the rows and the last one: () for pairs, (bins,) for windows
    inner: tuple[int, ...]
    blocks: Mapping[str, int]  # name -> width on the last axis, in order
    dtype: str = FLOAT  # of a number on disk

    @classmethod
    def of(
        cls,
        prepared: Prepared,
        table: pd.DataFrame,
        input: str,
        model: Mapping[str, Any],
        blocks: Mapping[str, int],
        inner: tuple[int, ...] = (),
        layer: str = "states",
        dtype: str = FLOAT,
    ) -> "StorePlan":
        """Plan for all examples of a prepared folder; ``table`` has their column ``example``."""
        examples = table["example"].to_numpy(dtype=np.int64)
        manifest = prepared.folder / MANIFEST
        of = prepared.task, prepared.subset
        return cls(*of, input, layer, model, manifest, examples, inner, blocks, dtype)

    @property
    def row_bytes(self) -> int:
        """Bytes of an example."""
        return np.dtype(self.dtype).itemsize * int(np.prod(self.shape[1:]))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return (len(self.examples), *self.inner, sum(self.blocks.values()))

    def identity(self) -> dict[str, Any]:
        """All that determines the numbers; part of the manifest."""
        ends = np.cumsum([0, *self.blocks.values()]).tolist()
        spans = pairwise(ends)
        precise = {} if self.dtype == FLOAT else {"dtype": self.dtype}
        return KIND.head(
            **precise,
            task=self.task,
            subset=self.subset,
            input=self.input,
            tap=self.layer,
            model=dict(self.model),
            prepared_sha256=_sha256(self.prepared),
            shape=list(self.shape),
            blocks={name: list(span) for name, span in zip(self.blocks, spans, strict=True)},
        )


@dataclass(frozen=True)
class Extraction:
    """How the features of a task's examples are computed."""

    plan: StorePlan  # content of the store
    # rows of the examples -> their features, and the number of bases that the model read
    compute: Compute
    rows_per_part: int  # rows that an interruption may lose


def write_store(manifest: str | Path, extraction: Extraction) -> None:
    """Compute the features of all examples; finished parts survive an interruption.

    ``manifest`` is ``FOLDER/manifest.json``; the folder is replaced as a whole.
    """
    plan = extraction.plan
    identity = plan.identity()
    whole = plan.row_bytes * len(plan.examples)
    logger.info(f"features of {len(plan.examples):,} examples take {whole:,} bytes on disk")
    with resumed_folder(Path(manifest).parent, STORE_FILES) as folder:
        journal = Journal(folder / PROGRESS, identity)
        made = _begun(journal, plan)
        if made.rows:
            logger.info(f"resumed after {made.rows:,} of {len(plan.examples):,} examples")
        check_room(Path(manifest).parent, whole - plan.row_bytes * made.rows)
        _fill(journal, extraction, made)
        np.save(folder / EXAMPLES, plan.examples.astype(np.int64))
        logger.info(
            f"{len(plan.examples):,} examples, {made.bases:,} bases in "
            f"{made.seconds:,.1f} s ({made.rate()})"
        )
        spent = {"bases": made.bases, "seconds": made.seconds}
        files = file_entries(folder, (FEATURES, EXAMPLES))
        write_json(folder / MANIFEST, {**identity, **spent, "files": files, "versions": versions()})
        journal.clear()


@dataclass
class _Made:
    """How much of a store is computed; the entry of :data:`FEATURES` in the journal."""

    rows: int = 0
    bases: int = 0
    seconds: float = 0.0

    def rate(self) -> str:
        """Bases per second so far, as text."""
        return f"{self.bases / max(self.seconds, 1e-9):,.0f} bp/s"


def _begun(journal: Journal, plan: StorePlan) -> _Made:
    """Progress of an earlier call on the same store; otherwise a new file without rows."""
    features = journal.path.with_name(FEATURES)
    if FEATURES in journal.done and features.is_file():
        with suppress(TypeError):  # a version that recorded other facts
            return _Made(**journal.done[FEATURES])
    journal.clear()
    journal.path.with_name(MANIFEST).unlink(missing_ok=True)
    features.write_bytes(npy_head(plan.shape, plan.dtype))
    return _Made()


def _fill(journal: Journal, extraction: Extraction, made: _Made) -> None:
    """Compute and write the missing rows, part by part; ``made`` keeps count."""
    plan, total = extraction.plan, len(extraction.plan.examples)
    first = len(npy_head(plan.shape, plan.dtype))
    # plain writes at an offset: a full disk is an error here, not a crash as in a memory map
    with (
        open(journal.path.with_name(FEATURES), "r+b") as file,
        Progress("features", total, "example", made.rows) as shown,
    ):
        while made.rows < total:
            rows = range(made.rows, min(made.rows + extraction.rows_per_part, total))
            began = time.perf_counter()
            part, bases = extraction.compute(rows)
            made.seconds += time.perf_counter() - began
            made.bases += bases
            with np.errstate(over="ignore"):  # what does not fit is infinite, and refused
                part = np.ascontiguousarray(part, dtype=plan.dtype)
            _check(part, rows, plan)
            file.seek(first + rows.start * plan.row_bytes)
            file.write(part.tobytes())
            made.rows = rows.stop
            journal.note(FEATURES, vars(made), data=file)
            shown.show(speed=made.rate())
            shown.advance(len(rows))


def _check(part: np.ndarray, rows: range, plan: StorePlan) -> None:
    if part.shape != (len(rows), *plan.shape[1:]):
        raise ValueError(f"features of {rows} have the shape {part.shape}, not {plan.shape[1:]}")
    wrong = ~np.isfinite(part).reshape(len(rows), -1).all(axis=1)
    if wrong.any():
        example = int(plan.examples[rows[int(np.flatnonzero(wrong)[0])]])
        raise GenezipError(
            f"the features of example {example} of {plan.task} {plan.subset} are not finite "
            f"(as {np.dtype(plan.dtype).name}); the model is broken, train it again"
        )


def npy_head(shape: tuple[int, ...], dtype: str = "<f2") -> bytes:
    """The first bytes of a ``.npy`` file in C order (format 1.0); ``dtype`` with its byte order."""
    head = BytesIO()
    about = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(head, about)
    return head.getvalue()


# A spread below this share of a channel's size is rounding, not signal: of float32, and of float16.
ROUNDING, ROUNDING_HALF = 1e-6, 1e-3


@dataclass(frozen=True)
class Standard:
    """Per-channel mean and standard deviation of the training rows."""

    # centre, scale: float64 (channels,); ``scale`` is infinite for a channel that is
    # constant in training: it becomes 0
    centre: np.ndarray
    scale: np.ndarray

    def apply(self, values: np.ndarray) -> np.ndarray:
        """(values - centre) / scale, float64, shape (..., channels)."""
        return (values - self.centre) / self.scale


class Moments:
    """Mean and mean square of channels, float64, from blocks of any size.

    Blocks are merged by the formula of Chan, Golub and LeVeque (1979), so that a large mean costs
    no digits of the spread.
    """

    def __init__(self, channels: int) -> None:
        self.count = 0
        self.mean = np.zeros(channels)
        self._spread = np.zeros(channels)  # sum of squared deviations from the mean

    def add(self, block: np.ndarray) -> None:
        """Add an array of shape (..., channels)."""
        rows = np.asarray(block, dtype=np.float64).reshape(-1, len(self.mean))
        if not len(rows):
            return
        mean = rows.mean(0)
        spread = np.square(rows - mean).sum(0)
        total = self.count + len(rows)
        apart = mean - self.mean
        self._spread += spread + apart**2 * (self.count * len(rows) / total)
        self.mean += apart * (len(rows) / total)
        self.count = total

    @property
    def sd(self) -> np.ndarray:
        """Standard deviation (divided by n), float64 (channels,)."""
        return np.sqrt(self._spread / self.count)

    def standard(
        self, centred: bool = True, least: np.ndarray | None = None, rounding: float = ROUNDING
    ) -> Standard:
        """Standard by mean and standard deviation; if not ``centred``, by the root mean square.

        A spread below ``rounding``, a share of the mean, is rounding and no signal.

        Without centring 0 stays 0. A channel whose root mean square is below ``least``, a float
        array (channels,), becomes 0: a difference that is small beside its terms is rounding
        (``ROUNDING``).
        """
        sd, mean = self.sd, self.mean
        size = np.sqrt(sd**2 + mean**2)
        signal = sd > rounding * np.abs(mean) if centred else size > 0
        if least is not None:
            signal &= size >= least
        centre = mean if centred else np.zeros_like(mean)
        return Standard(centre, np.where(signal, sd if centred else size, np.inf))
