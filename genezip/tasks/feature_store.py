"""Features of a frozen model on disk: one array of numbers per example.

A store is a folder: ``features.npy`` (float32, one row per example), ``examples.npy`` (int64, the
``example`` of every row) and ``manifest.json``, which comes last and says which model made it
from which data. A store in the making lies in a hidden folder beside it; an interrupted call is
taken up where it stopped, as long as model, data and settings are the same.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from genezip.artifacts.files import check_room, sha256_file, sha256_json, write_json
from genezip.artifacts.folder import resumed_folder
from genezip.artifacts.provenance import versions
from genezip.data.prepared import MANIFEST
from genezip.errors import GenezipError

SCHEMA_VERSION = 1
FEATURES = "features.npy"
EXAMPLES = "examples.npy"
PROGRESS = "progress.json"
SAY_EVERY = 300  # seconds between two lines on how far it is
OWN = (MANIFEST, FEATURES, EXAMPLES, PROGRESS)

# rows -> their features, float32 (rows, *inner, C), and the bases that went through the model
Compute = Callable[[range], tuple[np.ndarray, int]]


@dataclass(frozen=True)
class FeatureStore:
    """A finished store.

    Attributes
    ----------
    folder : Path
    array : float32 memory map, shape (n, C) of pairs or (n, bins, C) of windows
    blocks : name -> slice of the last axis
    examples : int64 array, shape (n,), column ``example`` of the prepared table, row by row
    facts : dict
        The manifest: task, subset, input, tap, model, prepared_sha256, bases, seconds, ...
    """

    folder: Path
    array: np.memmap
    blocks: dict[str, slice]
    examples: np.ndarray
    facts: dict[str, Any]

    @classmethod
    def load(cls, manifest: str | Path, prepared: str | Path | None = None) -> "FeatureStore":
        """Read a store.

        Parameters
        ----------
        manifest : ``FOLDER/manifest.json``
        prepared : manifest of the prepared data that the features must be of

        Raises
        ------
        GenezipError
            If manifest or a file is missing, unreadable or incomplete, or the features are of
            other data.
        """
        path = Path(manifest)
        facts = _read(path)
        for entry in facts["files"]:
            file = path.parent / entry["path"]
            if not file.is_file() or file.stat().st_size != entry["bytes"]:
                raise GenezipError(f"{file} is missing or incomplete; compute the features again")
        if prepared is not None and _sha256(prepared) != facts["prepared_sha256"]:
            raise GenezipError(
                f"{path} holds features of other data than {prepared}; compute the features again"
            )
        try:
            array = np.load(path.parent / FEATURES, mmap_mode="r")
            examples = np.load(path.parent / EXAMPLES)
        except (OSError, ValueError) as error:
            raise GenezipError(
                f"{path.parent} cannot be read ({error}); compute it again"
            ) from None
        if list(array.shape) != facts["shape"] or len(examples) != len(array):
            raise GenezipError(
                f"{path.parent / FEATURES} has the shape {array.shape}, not "
                f"{tuple(facts['shape'])} of its manifest; compute the features again"
            )
        blocks = {name: slice(*ends) for name, ends in facts["blocks"].items()}
        return cls(path.parent, array, blocks, examples, facts)

    def block(self, name: str) -> np.ndarray:
        """The part of the last axis with this name (a view); an unknown name is an error."""
        if name not in self.blocks:
            raise GenezipError(
                f"{self.folder} has no features {name}, only {', '.join(self.blocks)}; compute "
                "them with another input"
            )
        return np.asarray(self.array[..., self.blocks[name]])


def _read(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise GenezipError(f"{path} does not exist; compute the features first") from None
    except (ValueError, OSError) as error:
        raise GenezipError(f"{path} cannot be read ({error}); compute the features again") from None
    version = facts.get("schema_version") if isinstance(facts, dict) else None
    if version != SCHEMA_VERSION:
        raise GenezipError(
            f"{path} has schema_version {version}, this genezip reads {SCHEMA_VERSION}; compute "
            "the features again"
        )
    if not _whole(facts):
        raise GenezipError(f"{path} is no manifest of features; compute the features first")
    return dict(facts)


def _whole(facts: dict[str, Any]) -> bool:
    """Whether a manifest has what a store is read by; other steps write manifests, too."""
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
    """What a store will hold.

    Attributes
    ----------
    task, subset, input : as of :class:`genezip.tasks.arm.Arm`
    tap : ``states`` or ``tokens``, what is pooled
    model : what identifies the model (:attr:`genezip.models.backbone.Backbone.facts`)
    prepared : manifest of the prepared data
    examples : int64 array, shape (n,)
    inner : axes between the rows and the last one: () for pairs, (bins,) for windows
    blocks : name -> width on the last axis, in order
    """

    task: str
    subset: str
    input: str
    tap: str
    model: Mapping[str, Any]
    prepared: Path
    examples: np.ndarray
    inner: tuple[int, ...]
    blocks: Mapping[str, int]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return (len(self.examples), *self.inner, sum(self.blocks.values()))

    def identity(self) -> dict[str, Any]:
        """Everything that decides the numbers; part of the manifest."""
        ends = np.cumsum([0, *self.blocks.values()]).tolist()
        spans = pairwise(ends)
        return {
            "schema_version": SCHEMA_VERSION,
            "task": self.task,
            "subset": self.subset,
            "input": self.input,
            "tap": self.tap,
            "model": dict(self.model),
            "prepared_sha256": _sha256(self.prepared),
            "shape": list(self.shape),
            "blocks": {name: list(span) for name, span in zip(self.blocks, spans, strict=True)},
        }


def write_store(
    manifest: str | Path,
    plan: StorePlan,
    compute: Compute,
    rows_per_part: int,
    say: Callable[[str], None],
) -> None:
    """Compute the features of all examples; parts of ``rows_per_part`` rows survive a stop.

    Parameters
    ----------
    manifest : ``FOLDER/manifest.json``; the folder is replaced as a whole
    say : takes a plain line

    Raises
    ------
    GenezipError
        For a folder with foreign files, a disk without room, a failed write, or a feature that
        is no finite number.
    """
    identity = plan.identity()
    row_bytes = 4 * int(np.prod(plan.shape[1:]))
    whole = row_bytes * len(plan.examples)
    say(f"features of {len(plan.examples):,} examples take {whole:,} bytes on disk")
    with resumed_folder(Path(manifest).parent, OWN) as folder:
        progress = _Progress.resume(folder, sha256_json(identity), plan.shape)
        if progress.rows:
            say(f"taken up after {progress.rows:,} of {len(plan.examples):,} examples")
        # beside the folder, where a trial file that is left over would not be a foreign file
        check_room(Path(manifest).parent, whole - row_bytes * progress.rows)
        _fill(folder, plan, compute, rows_per_part, progress, say)
        np.save(folder / EXAMPLES, plan.examples.astype(np.int64))
        say(
            f"{len(plan.examples):,} examples, {progress.bases:,} bases in "
            f"{progress.seconds:,.1f} s ({progress.rate()})"
        )
        paths = [folder / name for name in (FEATURES, EXAMPLES)]
        files = [
            {"path": path.name, "bytes": path.stat().st_size, "sha256": sha256_file(path)}
            for path in paths
        ]
        spent = {"bases": progress.bases, "seconds": progress.seconds}
        write_json(folder / MANIFEST, {**identity, **spent, "files": files, "versions": versions()})
        (folder / PROGRESS).unlink()


def _fill(
    folder: Path,
    plan: StorePlan,
    compute: Compute,
    rows_per_part: int,
    progress: "_Progress",
    say: Callable[[str], None],
) -> None:
    total = len(plan.examples)
    told = time.perf_counter()
    # plain writes at an offset: a full disk is an error here, not a crash as in a memory map
    with (
        open(folder / FEATURES, "r+b") as file,
        tqdm(
            total=total, initial=progress.rows, unit="example", disable=not sys.stderr.isatty()
        ) as bar,
    ):
        row_bytes = 4 * int(np.prod(plan.shape[1:]))
        while progress.rows < total:
            rows = range(progress.rows, min(progress.rows + rows_per_part, total))
            began = time.perf_counter()
            part, bases = compute(rows)
            progress.seconds += time.perf_counter() - began
            progress.bases += bases
            _check(part, rows, plan)
            file.seek(progress.first_byte + rows.start * row_bytes)
            file.write(np.ascontiguousarray(part, dtype="<f4").tobytes())
            file.flush()
            os.fsync(file.fileno())
            progress.rows = rows.stop
            progress.save(folder)
            bar.set_postfix_str(progress.rate())
            bar.update(len(rows))
            if time.perf_counter() - told > SAY_EVERY:
                told = time.perf_counter()
                say(f"{progress.rows:,} of {total:,} examples, {progress.rate()}")


def _check(part: np.ndarray, rows: range, plan: StorePlan) -> None:
    if part.shape != (len(rows), *plan.shape[1:]):
        raise ValueError(f"features of {rows} have the shape {part.shape}, not {plan.shape[1:]}")
    wrong = ~np.isfinite(part).reshape(len(rows), -1).all(axis=1)
    if wrong.any():
        example = int(plan.examples[rows[int(np.flatnonzero(wrong)[0])]])
        raise GenezipError(
            f"the features of example {example} of {plan.task} {plan.subset} are not finite; the "
            "model is broken, train it again"
        )


@dataclass
class _Progress:
    """How far an unfinished store is; ``progress.json`` of its folder."""

    key: str
    first_byte: int  # where row 0 begins in the file, after the header
    rows: int = 0
    bases: int = 0
    seconds: float = 0.0

    @classmethod
    def resume(cls, folder: Path, key: str, shape: tuple[int, ...]) -> "_Progress":
        """What an earlier call left, if it is of the same store; a new beginning otherwise."""
        path = folder / PROGRESS
        try:
            found = cls(**json.loads(path.read_text(encoding="utf-8")))
            if found.key == key and (folder / FEATURES).is_file():
                return found
        except (OSError, ValueError, TypeError):
            pass  # nothing there, or cut short: begin anew
        path.unlink(missing_ok=True)
        (folder / MANIFEST).unlink(missing_ok=True)
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        with open(folder / FEATURES, "wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            return cls(key, file.tell())

    def rate(self) -> str:
        """Bases per second so far, in words."""
        return f"{self.bases / max(self.seconds, 1e-9):,.0f} bp/s"

    def save(self, folder: Path) -> None:
        """Write it atomically."""
        write_json(folder / PROGRESS, vars(self))
