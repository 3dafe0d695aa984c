"""The table of DNA that no training or validation window may touch.

One row for every validation or test input of the chosen DNALongBench tasks (GeneZip, arXiv
2602.17739, section 4.1) and for every interval of the user's BED files. Overlaps are kept: a row
says why its bases are excluded.
"""

import gzip
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from genezip.artifacts.files import atomic_path
from genezip.config import Leakage
from genezip.errors import GenezipError
from genezip.formats.bed import BED3, read_bed
from genezip.formats.chrom_sizes import hg38_sizes
from genezip.formats.lines import Input, TextFile, first_line, opened
from genezip.formats.tabular import LINE
from genezip.genome.covered import Covered
from genezip.genome.names import match_intervals, say_on_stderr
from genezip.genome.user_classes import read_bed_intervals
from genezip.tasks.exclusions import SPLITS, Inputs, benchmark_inputs

COLUMNS = ("chrom", "start", "end", "task", "split", "reason")
"""Of a row: where it lies; task (``bed`` for the user's files); split (valid, test; ``all``)."""

_HEADER = "# " + "\t".join(COLUMNS)

SUMMARY_COLUMNS = (
    "task",
    "split",
    "intervals",
    "bp",  # of their union
    "widened",  # inputs that were lifted in pieces, which were then widened
    "not_lifted",  # inputs without a place on hg38: not excluded
    "absent",  # intervals on chromosomes that the genome lacks
    "not_lifted_inputs",  # their names
)

_TYPES = {**BED3, **dict.fromkeys(COLUMNS[3:], pa.string())}
_NO_END = 1 << 62
Say = Callable[[str], None]


def build_exclusions(
    settings: Leakage,
    folder: str | Path,
    chrom_sizes: Mapping[str, int],
    root: str | Path = ".",
    say: Say = say_on_stderr,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Collect what is excluded.

    Parameters
    ----------
    settings : config.Leakage
        ``tasks`` and ``beds``.
    folder : holds ``<task>.intervals.json`` and the files of the tasks
    chrom_sizes : mapping
        Chromosome -> length (bp) of the genome. Names are converted to its own; intervals are
        clipped at its ends; those on chromosomes that it lacks are counted and left out.
    root : paths of ``beds`` are relative to it
    say : callable
        Receives one sentence for whatever was converted, left out, moved or widened.

    Returns
    -------
    table : DataFrame of :data:`COLUMNS`, sorted
    summary : DataFrame of :data:`SUMMARY_COLUMNS`
        One row per task and split, ``bed``, and ``all`` (the union of everything).

    Raises
    ------
    GenezipError
        If a file is missing or wrong, a list shares no chromosome with the genome, or the genome
        is not hg38 while a task is excluded.
    """
    empty = pd.DataFrame(columns=list(COLUMNS)).astype({"start": np.int64, "end": np.int64})
    frames, rows = [empty], []
    if settings.tasks:
        _check_build(chrom_sizes)
    for task in dict.fromkeys(settings.tasks):
        inputs = benchmark_inputs(task, folder, say)
        placed, absent = _place_task(task, inputs.table, chrom_sizes, say)
        placed = placed.assign(task=task)
        frames.append(placed)
        rows += [_summary(placed, task, split, inputs, absent) for split in SPLITS]
    beds = [_read_bed(Path(root) / path, chrom_sizes, say) for path in dict.fromkeys(settings.beds)]
    if beds:
        own = pd.concat([frame for frame, _ in beds], ignore_index=True)
        frames.append(own)
        nothing = Inputs(own)
        rows.append(_summary(own, "bed", "all", nothing, {"all": sum(bp for _, bp in beds)}))
    filled = [frame for frame in frames if len(frame)] or [empty]
    table = pd.concat([frame[list(COLUMNS)] for frame in filled], ignore_index=True)
    table = table.sort_values(["chrom", "start", "end", "task", "split", "reason"])
    total: dict[str, Any] = {"task": "all", "split": "all", "bp": merged_bp(table)}
    for name in ("intervals", "widened", "not_lifted", "absent"):
        total[name] = sum(row[name] for row in rows)
    summary = pd.DataFrame([*rows, total], columns=list(SUMMARY_COLUMNS))
    return table.reset_index(drop=True), summary


def merged_bp(table: pd.DataFrame) -> int:
    """Bases in the union of the rows of a table with chrom, start and end."""
    return sum(
        Covered(own["start"].to_numpy(np.int64), own["end"].to_numpy(np.int64)).bp
        for _, own in table.groupby("chrom")
    )


def write_exclusions(path: str | Path, table: pd.DataFrame) -> None:
    """Write the table as BED (three columns, then task, split, reason); gzip for ``.gz``.

    Equal tables give equal bytes.
    """
    text = _HEADER + "\n"
    text += table[list(COLUMNS)].to_csv(sep="\t", index=False, header=False, quoting=3)
    data = text.encode()
    with atomic_path(path) as temporary:
        packed = gzip.compress(data, mtime=0) if str(path).endswith(".gz") else data
        temporary.write_bytes(packed)


def is_exclusions(given: Input) -> bool:
    """Whether a file begins as :func:`write_exclusions` writes it, and is no plain BED."""
    return first_line(given) == _HEADER


def read_exclusions(given: Input, chrom_sizes: Mapping[str, int] | None = None) -> pd.DataFrame:
    """Read what :func:`write_exclusions` wrote.

    Parameters
    ----------
    given : BED, plain or gzip; a file or a pipe
    chrom_sizes : mapping, optional
        Chromosome -> length (bp); rows must lie inside.

    Returns
    -------
    DataFrame
        chrom, start, end, task, split, reason.

    Raises
    ------
    GenezipError
        If the file is missing, broken, no table of exclusions, or of another genome.
    """
    with opened(given) as file:
        path = str(file)
        again = "run `genezip leakage exclusions` again"
        table = read_bed(file, _TYPES, numbered=True, todo=again)
        # A file without rows reads like any other text; the header tells them apart.
        if table.empty and not is_exclusions(file):
            raise GenezipError(
                f"{path} is no table of exclusions; run `genezip leakage exclusions`"
            )
    lines = table.pop(LINE)
    if table.empty:
        return table.astype({"start": np.int64, "end": np.int64})
    if chrom_sizes is None:
        return table
    outside = ~(table["end"] <= table["chrom"].map(chrom_sizes))
    if outside.any():
        row, line = table[outside].iloc[0], lines[outside].iloc[0]
        raise GenezipError(
            f"line {line} of {path} is {row['chrom']}:{row['start']}-{row['end']} (columns 1 to "
            f"3), which is no interval of this genome; {again}"
        )
    return table


def _check_build(chrom_sizes: Mapping[str, int]) -> None:
    """The tasks are in hg38, and ``chrom_sizes`` has true lengths, also of a genome of slices."""
    hg38 = pd.DataFrame(
        [(chrom, 0, bp, bp) for chrom, bp in hg38_sizes().items()],
        columns=["chrom", "start", "end", "bp"],
    )
    hg38 = match_intervals("the list of DNALongBench (hg38)", hg38, _open(chrom_sizes), _silent)
    for chrom, bp in zip(hg38["chrom"], hg38["bp"], strict=True):
        if chrom_sizes[chrom] != bp:
            raise GenezipError(
                f"leakage.tasks are intervals of hg38, where {chrom} has {bp:,} bp, but the genome "
                f"has {chrom_sizes[chrom]:,}; use hg38 or set leakage.tasks to []"
            )


def _place_task(
    task: str, table: pd.DataFrame, chrom_sizes: Mapping[str, int], say: Say
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Rows on chromosomes of the genome, clipped; how many rows of a split lie on others."""
    every = table["split"].value_counts()
    if table.empty:
        return table, {}
    try:
        placed = match_intervals(task, table, _open(chrom_sizes), say)
    except GenezipError:
        if not table["chrom"].isin(list(hg38_sizes())).any():
            raise
        placed = table.iloc[:0]  # a list of chromosomes that this genome was made without
        say(f"{task}: all {len(table):,} intervals lie on chromosomes that the assembly lacks")
    there = placed["split"].value_counts()
    absent = {split: int(every.get(split, 0) - there.get(split, 0)) for split in SPLITS}
    ends = placed["chrom"].map(chrom_sizes).astype(np.int64)
    beyond = placed[placed["start"] >= ends]
    if len(beyond):
        row = beyond.iloc[0]
        raise GenezipError(
            f"{task} has the input {row['chrom']}:{row['start']}-{row['end']}, which lies beyond "
            f"the {chrom_sizes[row['chrom']]:,} bases of {row['chrom']}; fetch its files again"
        )
    placed = placed.assign(
        start=placed["start"].clip(lower=0), end=placed["end"].clip(upper=ends).astype(np.int64)
    )
    return placed[placed["end"] > placed["start"]].reset_index(drop=True), absent


def _read_bed(path: Path, chrom_sizes: Mapping[str, int], say: Say) -> tuple[pd.DataFrame, int]:
    """Intervals of a user's BED file, and how many lie on chromosomes that the genome lacks."""
    if any(letter in path.name for letter in "\t\r\n"):  # the name becomes a cell of the table
        raise GenezipError(f"the file name {path.name!r} has a tab or a line end; rename the file")
    with TextFile(path) as file:
        found = read_bed_intervals(file, chrom_sizes, say)
        rows = sum(1 for _ in file.rows())
    absent = rows - len(found)
    found = found.loc[found["end"] > found["start"], ["chrom", "start", "end"]]
    return found.assign(task="bed", split="all", reason=f"in {path.name}"), absent


def _summary(
    table: pd.DataFrame, task: str, split: str, inputs: Inputs, absent: Mapping[str, int]
) -> dict[str, Any]:
    own = table[table["split"] == split]
    lost = inputs.not_lifted.get(split, [])
    values = (
        task,
        split,
        len(own),
        merged_bp(own),
        inputs.widened.get(split, 0),
        len(lost),
        absent.get(split, 0),
        "; ".join(lost),
    )
    return dict(zip(SUMMARY_COLUMNS, values, strict=True))


def _open(chrom_sizes: Mapping[str, int]) -> dict[str, int]:
    """The same chromosomes without ends: intervals beyond them are clipped, not refused."""
    return dict.fromkeys(chrom_sizes, _NO_END)


def _silent(message: str) -> None:
    """Say nothing."""
