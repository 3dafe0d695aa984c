"""Conversion of a deposit's shards into ``targets.SPLIT.npy`` and ``examples.parquet``.

A deposit has up to 360 GB of targets: each is written from its shard directly to its offset in the
file. Finished shards are recorded, so that an interrupted conversion resumes at the next one.

Shards of Basenji2 are ``SPLIT-NUMBER.tfr``, or ``SPLIT-SPECIES-NUMBER.tfr`` for several species
(Kelley 2020): the last number orders them, so ``train-2`` comes before ``train-10``.
"""

import logging
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genezip.artifacts.files import check_room, sha256_file
from genezip.artifacts.folder import part_of, refuse_foreign
from genezip.artifacts.journal import Journal
from genezip.errors import GenezipError
from genezip.formats.tfrecord import parse_example, read_payloads
from genezip.genome.assembly import ReferenceGenome
from genezip.genome.sources.splits import SPLITS
from genezip.log import Progress
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.examples import EXAMPLES, MANIFEST, Prepared, preparing, rows_by_split
from genezip.tasks.features import npy_head
from genezip.tasks.windows.check import MOST_DIFFERING, Differences, check_record
from genezip.tasks.windows.examples import targets_name, widened

logger = logging.getLogger(__name__)

_STATE = "done.json"
TARGETS = tuple(targets_name(split) for split in SPLITS)
_NAME = re.compile(r"(train|valid|test)(?:-[0-9]+)*-([0-9]+)[.]tfr")


@dataclass(frozen=True)
class Shards:
    """Shards of one split."""

    split: str
    paths: tuple[Path, ...]  # in the order of their numbers
    # missing numbers below the last one. Deposits may number with gaps; the count of records shows
    # whether a shard is lost.
    lacking: tuple[int, ...]

    def gap(self) -> str:
        """A remark on missing numbers, for messages; empty without any."""
        if not self.lacking:
            return ""
        before = self.paths[0].stem.rpartition("-")[0]
        names = ", ".join(f"{before}-{number}" for number in self.lacking[:3])
        return f" (there is no {names}{', ...' if len(self.lacking) > 3 else ''})"


def find_shards(files: TaskFiles, folder: str) -> list[Shards]:
    """The shards of train, valid and test among a task's files, in ``folder/targets`` at any depth.

    There may be further numbers (``train-0-3.tfr``); the last one orders.
    """
    numbered: dict[str, dict[int, Path]] = {split: {} for split in SPLITS}
    for path in files.ending(".tfr"):
        match = _NAME.fullmatch(path.name)
        if match is None or path.parts[-3:-1] != (folder, "targets"):
            continue
        own = numbered[match[1]]
        if int(match[2]) in own:
            raise GenezipError(
                f"{files.listing} lists {path} and {own[int(match[2])]}, which have one number; "
                "keep one of them"
            )
        own[int(match[2])] = path
    for split, own in numbered.items():
        if not own:
            raise GenezipError(
                f"{files.listing} lists no shard {folder}/targets/{split}-*.tfr; fetch all files"
            )
    return [
        Shards(
            split,
            tuple(own[number] for number in sorted(own)),
            tuple(number for number in range(max(own)) if number not in own),
        )
        for split, own in numbered.items()
    ]


@dataclass(frozen=True)
class StoredWindows:
    """How a deposit stores its windows."""

    task: str
    window_bp: int  # bases of a stored sequence
    widened_bp: int  # bases that the input adds on each side
    tracks: list[str]
    stored: tuple[int, int]  # shape of a stored target (float16, little-endian, row by row)
    transposed: bool  # whether its axes are transposed in the ``.npy`` file
    advice: str  # advice on the FASTA that the sequences were cut from, for messages
    facts: dict[str, Any] = field(default_factory=dict)  # further facts for the manifest

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of a target in the ``.npy`` file."""
        return self.stored[::-1] if self.transposed else self.stored

    @property
    def target_bytes(self) -> int:
        """Bytes of a target."""
        return 2 * self.stored[0] * self.stored[1]

    def target(self, content: bytes) -> bytes:
        """Bytes of a stored target in the ``.npy`` file."""
        if not self.transposed:
            return content
        return np.frombuffer(content, dtype="<f2").reshape(self.stored).T.tobytes()


class Conversion:
    """Writer of targets into ``work``, whose ``done.json`` lists the finished shards.

    A shard counts as finished while its file is the same (size and date) and begins at the same
    row: a damaged shard can be fetched again without losing the others. ``work`` is kept when the
    conversion is interrupted.
    """

    def __init__(
        self, layout: StoredWindows, rows: pd.DataFrame, genome: ReferenceGenome, work: Path
    ) -> None:
        self.layout = layout
        self.all_rows = rows
        self.rows = rows_by_split(rows)
        self.genome = genome
        self.work = work
        self.differences: dict[str, Differences] = {}
        self.journal: Journal

    def begin(self, inputs: Mapping[str, Path]) -> None:
        """Open the files of an earlier run for resuming, or create empty ones."""
        # without the list of files, which changes when one of them is fetched again
        known = {name: sha256_file(path) for name, path in inputs.items() if name != "listing"}
        identity = {
            "shape": list(self.layout.shape),
            "inputs": known,
            "most_differing": MOST_DIFFERING,
        }
        self.journal = Journal(self.work / _STATE, identity)
        done = len(self.journal.done)
        if done and self._files_are_whole():
            logger.info(f"{self.layout.task}: resumed after {done:,} finished shards")
            return
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        self.journal.clear()
        whole = sum(map(len, self.rows.values())) * self.layout.target_bytes
        check_room(self.work.parent, whole, files=len(SPLITS))
        for split in SPLITS:
            with open(self.work / targets_name(split), "wb") as handle:
                handle.write(self._head(split))
                handle.truncate(self._file_bytes(split))

    def convert(self, shards: Shards) -> None:
        """Convert the unfinished shards of a split, and compare the counts.

        Differences from the FASTA, also of finished shards, go into ``differences`` and into one
        warning.
        """
        split, own = shards.split, self.rows[shards.split]
        differences = Differences()
        offset = len(self._head(split))
        row = 0
        with (
            open(self.work / targets_name(split), "r+b") as out,
            Progress(split, len(own), "record") as shown,
        ):
            for path in shards.paths:
                mark = self._mark(path, row)
                found = self.journal.done.get(path.name, {})
                if found.items() >= mark.items():
                    row += found["records"]
                    differences += Differences(**found["differences"])
                    shown.advance(found["records"])
                    continue
                self.journal.forget(path.name)
                first, differing = row, Differences()
                records = enumerate(read_payloads(path))
                for number, payload in islice(records, len(own) - row):
                    where = f"record {number} of {path}"
                    target, bases = self._target(payload, where, row, shards)
                    differing = differing.with_record(row, bases)
                    out.seek(offset + row * self.layout.target_bytes)
                    out.write(target)
                    row += 1
                    shown.advance()
                surplus = sum(1 for _ in records)
                if surplus:
                    raise GenezipError(self._counts(shards, row + surplus, path))
                facts = {**mark, "records": row - first, "differences": differing.facts()}
                self.journal.note(path.name, facts, data=out)
                differences += differing
                logger.info(
                    f"{self.layout.task}: {path.name}, {row - first:,} records "
                    f"({row:,} of {len(own):,} rows of {split})"
                )
        if row < len(own):
            raise GenezipError(self._counts(shards, row, shards.paths[-1]))
        self.differences[split] = differences
        if differences.records:
            logger.warning(
                f"{self.layout.task}: {differences.records:,} of {len(own):,} records of {split} "
                f"differ from the FASTA, at {differences.bases:,} bases in all (at most "
                f"{differences.worst_bases:,} of {self.layout.window_bp:,}, row "
                f"{differences.worst_row})"
            )

    def _target(self, payload: bytes, where: str, row: int, shards: Shards) -> tuple[bytes, int]:
        """The target of a record, and the number of bases that differ; wrong lengths raise."""
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
        """Message for numbers of records and rows that differ."""
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
        """Facts that must stay equal for a finished shard to count as finished."""
        about = path.stat()
        return {"bytes": about.st_size, "mtime_ns": about.st_mtime_ns, "first_row": row}

    def _files_are_whole(self) -> bool:
        """Whether the files of an earlier run are complete and may be written into."""
        try:
            about = {split: (self.work / targets_name(split)).stat() for split in SPLITS}
        except OSError:
            return False
        # A run killed at its very end leaves hard links to files of the finished folder, which
        # must not change under its manifest.
        return all(
            one.st_nlink == 1 and one.st_size == self._file_bytes(split)
            for split, one in about.items()
        )


def _take_back(folder: Path, work: Path) -> None:
    """Free the targets of a conversion that was killed while they were hashed.

    They are linked into a draft of the folder then (or moved, on a file system without links), and
    a file with a second name is not written into.
    """
    draft = part_of(folder)
    for name in TARGETS:
        if work.is_dir() and (draft / name).exists() and not (work / name).exists():
            (draft / name).rename(work / name)
    shutil.rmtree(draft, ignore_errors=True)


def prepare_windows(
    layout: StoredWindows,
    rows: pd.DataFrame,
    shards: list[Shards],
    genome: ReferenceGenome,
    manifest: str | Path,
    inputs: Mapping[str, Path],
) -> Prepared:
    """Convert the shards of a deposit; ``manifest.json`` is written last.

    Every record is compared with the FASTA; differing bases (at most 0.1 % of a record) are counted
    in the fact ``differing_from_fasta``. A call with the same files resumes an interrupted
    conversion, whose finished shards lie in ``.FOLDER.shards`` beside the folder.

    Parameters
    ----------
    rows : of :func:`genezip.tasks.windows.examples.read_rows`
    shards : of every split
    manifest : ``FOLDER/manifest.json``; the folder's name is the subset
    inputs : name -> file, whose SHA-256 goes into the manifest
    """
    folder = Path(manifest).resolve().parent
    refuse_foreign(folder, (MANIFEST, EXAMPLES, *TARGETS))
    work = folder.with_name(f".{folder.name}.shards")
    conversion = Conversion(layout, rows, genome, work)
    _take_back(folder, work)
    try:
        conversion.begin(inputs)
        for split in shards:
            conversion.convert(split)
    except OSError as error:
        if error.filename is not None and not str(error.filename).startswith(str(work)):
            raise
        raise GenezipError(
            f"cannot write {folder}: {error.strerror}; free space or choose another folder "
            "(finished shards are kept)"
        ) from error
    logger.info(f"{layout.task}: every record is the window of its row; hashing the targets")
    with preparing(manifest, layout.task, folder.name, inputs, more=TARGETS) as draft:
        for name in TARGETS:
            _second_name(work / name, draft.folder / name)
        draft.write_examples(widened(rows, layout.widened_bp))
        draft.facts = {
            "tracks": layout.tracks,
            "window_bp": layout.window_bp + 2 * layout.widened_bp,
            "stored_bp": layout.window_bp,
            "target_shape": list(layout.shape),
            "build": genome.build(),
            "differing_from_fasta": {
                split: found.facts() for split, found in conversion.differences.items()
            },
            "chromosome_bp": {chrom: genome.length(chrom) for chrom in rows["chrom"].unique()},
            **layout.facts,
        }
    shutil.rmtree(work)
    return Prepared.load(manifest, layout.task)


def _second_name(source: Path, target: Path) -> None:
    """Hard-link a file, so that a later failure loses nothing; move it where links fail."""
    try:
        os.link(source, target)
    except OSError:
        source.rename(target)
