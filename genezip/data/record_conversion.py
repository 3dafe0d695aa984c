"""Records of shards into ``targets.SPLIT.npy``, one at a time, shard by shard.

A deposit has up to 360 GB of targets: each goes from its shard straight into its place in the
file. Shards that are done are noted, so that an interrupted conversion goes on at the next one.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from genezip.artifacts.files import sha256_file, write_json
from genezip.data.record_check import MOST_DIFFERING, Differences, check_record
from genezip.data.record_shards import Shards
from genezip.errors import GenezipError
from genezip.formats.tfrecord import parse_example, read_records
from genezip.genome.assembly import ReferenceGenome
from genezip.genome.sources.splits import SPLITS

Say = Callable[[str], None]
_STATE = "done.json"


def targets_name(split: str) -> str:
    """File of the targets of a split."""
    return f"targets.{split}.npy"


TARGETS = tuple(targets_name(split) for split in SPLITS)


@dataclass(frozen=True)
class Layout:
    """How a deposit stores its windows.

    Attributes
    ----------
    task : str
    window_bp : int
        Bases of a stored sequence.
    widened_bp : int
        Bases that the input adds on each side.
    tracks : list of str
    stored : tuple of int
        Shape of a stored target (float16, little-endian, row by row).
    turned : bool
        Whether its axes change places in the ``.npy`` file.
    advice : str
        Which FASTA the sequences were cut from and where to name it, for messages.
    facts : dict
        More for the manifest.
    """

    task: str
    window_bp: int
    widened_bp: int
    tracks: list[str]
    stored: tuple[int, int]
    turned: bool
    advice: str
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of a target in the ``.npy`` file."""
        return self.stored[::-1] if self.turned else self.stored

    @property
    def target_bytes(self) -> int:
        """Bytes of a target."""
        return 2 * self.stored[0] * self.stored[1]

    def target(self, content: bytes) -> bytes:
        """A stored target as it goes into the ``.npy`` file."""
        if not self.turned:
            return content
        return np.frombuffer(content, dtype="<f2").reshape(self.stored).T.tobytes()


class Conversion:
    """Writes targets into ``work``; ``done.json`` there says which shards are finished.

    A shard counts as finished while its file is the same (size and date) and it begins at the
    same row: a damaged one can be fetched anew without losing the others.

    Parameters
    ----------
    layout : Layout
    rows : DataFrame of :func:`genezip.data.window_rows.read_rows`
    genome : ReferenceGenome
    work : folder that stays when the conversion is interrupted
    say : callable
        Receives a line per shard.
    """

    def __init__(
        self, layout: Layout, rows: pd.DataFrame, genome: ReferenceGenome, work: Path, say: Say
    ) -> None:
        self.layout = layout
        self.all_rows = rows
        self.rows = {split: np.flatnonzero(rows["split"] == split) for split in SPLITS}
        self.genome = genome
        self.work = work
        self.say = say
        self.done: dict[str, dict[str, Any]] = {}
        self.differences: dict[str, Differences] = {}
        self.key: dict[str, Any] = {}

    def begin(self, inputs: Mapping[str, Path]) -> None:
        """Take up what an earlier run left, or make empty files."""
        # not of the list of files: it is written anew when one of them is fetched again
        known = {name: sha256_file(path) for name, path in inputs.items() if name != "listing"}
        self.key = {
            "shape": list(self.layout.shape),
            "inputs": known,
            "most_differing": MOST_DIFFERING,
        }
        state = self._state()
        if state is not None:
            self.done = state
            self.say(f"{self.layout.task}: going on after {len(state):,} finished shards")
            return
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        self._check_room()
        for split in SPLITS:
            with open(self.work / targets_name(split), "wb") as handle:
                handle.write(self._head(split))
                handle.truncate(self._file_bytes(split))

    def convert(self, shards: Shards) -> None:
        """Convert the shards of a split that are not finished, and compare the counts.

        What differs from the FASTA, finished shards included, is said once and goes into
        ``differences``.
        """
        split, own = shards.split, self.rows[shards.split]
        differences = Differences()
        offset = len(self._head(split))
        row = 0
        bar = tqdm(total=len(own), desc=split, unit="record", disable=not sys.stderr.isatty())
        with open(self.work / targets_name(split), "r+b") as out, bar:
            for path in shards.paths:
                mark = self._mark(path, row)
                found = self.done.get(path.name, {})
                if found.items() >= mark.items():
                    row += found["records"]
                    differences += Differences(**found["differences"])
                    bar.update(found["records"])
                    continue
                self.done.pop(path.name, None)
                first, differing = row, Differences()
                records = enumerate(read_records(path))
                for number, payload in islice(records, len(own) - row):
                    where = f"record {number} of {path}"
                    target, bases = self._target(payload, where, row, shards)
                    differing = differing.with_record(row, bases)
                    out.seek(offset + row * self.layout.target_bytes)
                    out.write(target)
                    row += 1
                    bar.update()
                surplus = sum(1 for _ in records)
                if surplus:
                    raise GenezipError(self._counts(shards, row + surplus, path))
                out.flush()
                os.fsync(out.fileno())  # before the note that says so
                self.done[path.name] = {
                    **mark,
                    "records": row - first,
                    "differences": differing.facts(),
                }
                differences += differing
                write_json(self.work / _STATE, {"key": self.key, "done": self.done})
                self.say(
                    f"{self.layout.task}: {path.name}, {row - first:,} records "
                    f"({row:,} of {len(own):,} rows of {split})"
                )
        if row < len(own):
            raise GenezipError(self._counts(shards, row, shards.paths[-1]))
        self.differences[split] = differences
        if differences.records:
            self.say(
                f"{self.layout.task}: {differences.records:,} of {len(own):,} records of {split} "
                f"differ from the FASTA, at {differences.bases:,} bases in all (at most "
                f"{differences.worst_bases:,} of {self.layout.window_bp:,}, row "
                f"{differences.worst_row})"
            )

    def _target(self, payload: bytes, where: str, row: int, shards: Shards) -> tuple[bytes, int]:
        """The target of a record whose parts have the right length, and how many bases differ."""
        example = parse_example(payload, where)
        sequence = self._part(example, "sequence", 4 * self.layout.window_bp, where)
        target = self._part(example, "target", self.layout.target_bytes, where)
        bases = check_record(
            sequence,
            self.all_rows,
            int(self.rows[shards.split][row]),
            self.genome,
            where,
            shards.gap(),
            self.layout.advice,
        )
        return self.layout.target(target), bases

    def _part(
        self, example: dict[str, bytes | list[int]], key: str, wanted: int, where: str
    ) -> bytes:
        value = example.get(key)
        if not isinstance(value, bytes):
            raise GenezipError(f"{where} has no byte string `{key}`; fetch the file again")
        if len(value) != wanted:
            remark = ""
            per_track = self.layout.target_bytes // len(self.layout.tracks)
            if key == "target" and value and len(value) % per_track == 0:
                found = len(value) // per_track
                remark = f" ({found:,} tracks instead of {len(self.layout.tracks):,})"
            raise GenezipError(
                f"{where} has a {key} of {len(value):,} bytes, not {wanted:,}{remark}; "
                "fetch the files of the task again"
            )
        return value

    def _counts(self, shards: Shards, records: int, last: Path) -> str:
        """What to say when records and rows differ in number."""
        rows = len(self.rows[shards.split])
        until = f"up to {last}" if records > rows else f"the last is {last}"
        return (
            f"the {len(shards.paths)} {shards.split} shards hold {records:,} records ({until})"
            f"{shards.gap()}, but sequences.bed has {rows:,} {shards.split} rows; "
            "fetch the files of the task again"
        )

    def _head(self, split: str) -> bytes:
        return npy_head((len(self.rows[split]), *self.layout.shape))

    def _file_bytes(self, split: str) -> int:
        return len(self._head(split)) + len(self.rows[split]) * self.layout.target_bytes

    @staticmethod
    def _mark(path: Path, row: int) -> dict[str, int]:
        """What must be the same for a shard that is finished to stay so."""
        about = path.stat()
        return {"bytes": about.st_size, "mtime_ns": about.st_mtime_ns, "first_row": row}

    def _state(self) -> dict[str, dict[str, Any]] | None:
        """Finished shards of an earlier run with the same rows and FASTA, None without one."""
        try:
            state = json.loads((self.work / _STATE).read_text(encoding="utf-8"))
            about = {split: (self.work / targets_name(split)).stat() for split in SPLITS}
        except (OSError, ValueError):
            return None
        # A run that was killed at its very end leaves files that the finished folder has too:
        # writing here would change that one under its manifest.
        if any(one.st_nlink > 1 for one in about.values()):
            return None
        if any(one.st_size != self._file_bytes(split) for split, one in about.items()):
            return None
        return dict(state["done"]) if state["key"] == self.key else None

    def _check_room(self) -> None:
        needed = sum(map(len, self.rows.values())) * self.layout.target_bytes
        free = shutil.disk_usage(self.work).free
        if free < needed:
            raise GenezipError(
                f"the targets of {self.layout.task} take {needed:,} bytes and {self.work.parent} "
                f"has room for {free:,}; free space or choose another folder"
            )


def npy_head(shape: tuple[int, ...]) -> bytes:
    """The first bytes of a ``.npy`` file of float16, little-endian, C order (format 1.0)."""
    head = BytesIO()
    about = {"descr": "<f2", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(head, about)
    return head.getvalue()
