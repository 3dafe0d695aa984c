"""The table of DNA that no training or validation window may touch.

The table has one row per evaluation input from the caller (GeneZip, arXiv 2602.17739, section 4.1,
excludes those of its benchmark tasks) and per interval of the user's BED files. Overlaps are kept,
because each row has the reason of its exclusion.
"""

import gzip
import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from genezip.artifacts.files import atomic_path
from genezip.corpus.sampling import by_chrom
from genezip.errors import GenezipError
from genezip.formats.bed import BED3, read_bed
from genezip.formats.lines import Input, TextFile, first_line, opened
from genezip.formats.tabular import LINE
from genezip.genome.intervals import Covered
from genezip.genome.names import match_intervals
from genezip.genome.region_rules import read_bed_intervals

logger = logging.getLogger(__name__)

EVALUATION_SPLITS = ("valid", "test")

EXCLUSION_COLUMNS = ("chrom", "start", "end", "task", "split", "reason")
"""Columns: interval; task (``bed`` for the user's files); split (valid, test; ``all``)."""

_HEADER = "# " + "\t".join(EXCLUSION_COLUMNS)

SUMMARY_COLUMNS = (
    "task",
    "split",
    "intervals",
    "bp",  # of their union
    "widened",  # inputs that were lifted in parts and widened
    "not_lifted",  # inputs that do not map to the assembly, which are not excluded
    "absent",  # intervals on chromosomes that the genome lacks
    "not_lifted_inputs",  # names of the inputs that do not map
)

_TYPES = {**BED3, **dict.fromkeys(EXCLUSION_COLUMNS[3:], pa.string())}
_NO_END = 1 << 62


@dataclass(frozen=True)
class EvaluationIntervals:
    """DNA of an evaluation, which must not be used for training."""

    task: str  # value of the column ``task`` in the table of exclusions
    # chrom, start, end (0-based, half-open, may reach beyond the ends of a chromosome), split (one
    # of :data:`EVALUATION_SPLITS`), reason. Rows are unique.
    table: pd.DataFrame
    assembly: Collection[str]  # chromosome names of the assembly of the intervals
    # split -> number of inputs that were lifted in parts and widened
    widened: Mapping[str, int] = field(default_factory=dict)
    # split -> names of inputs that do not map to the assembly
    not_lifted: Mapping[str, list[str]] = field(default_factory=dict)


def build_exclusions(
    evaluations: Iterable[EvaluationIntervals],
    beds: Iterable[str | Path],
    chrom_sizes: Mapping[str, int],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Build the table of exclusions; converted names and dropped intervals are logged.

    Parameters
    ----------
    evaluations : output of :func:`genezip.tasks.exclusions.evaluation_intervals`, on the assembly
        of the genome
    beds : BED files of the user
    chrom_sizes : chromosome -> length (bp) of the genome. Names are converted to its style;
        intervals are clipped at its ends; those on chromosomes that it lacks are counted and left
        out.

    Returns
    -------
    table : DataFrame of :data:`EXCLUSION_COLUMNS`, sorted
    summary : DataFrame of :data:`SUMMARY_COLUMNS`
        One row per task and split, ``bed``, and ``all`` (the union of everything).
    """
    empty = pd.DataFrame(columns=list(EXCLUSION_COLUMNS)).astype(
        {"start": np.int64, "end": np.int64}
    )
    frames, rows = [empty], []
    for given in evaluations:
        table, absent = _on_genome(given, chrom_sizes)
        frames.append(table.assign(task=given.task))
        rows += [_summary(given, table, split, absent) for split in EVALUATION_SPLITS]
    read = [_read_bed(Path(path), chrom_sizes) for path in beds]
    if read:
        user = pd.concat([frame for frame, _ in read], ignore_index=True)
        frames.append(user)
        given = EvaluationIntervals("bed", user, ())
        rows.append(_summary(given, user, "all", {"all": sum(count for _, count in read)}))
    filled = [frame for frame in frames if len(frame)] or [empty]
    table = pd.concat([frame[list(EXCLUSION_COLUMNS)] for frame in filled], ignore_index=True)
    table = table.sort_values(["chrom", "start", "end", "task", "split", "reason"])
    total: dict[str, Any] = {"task": "all", "split": "all", "bp": merged_bp(table)}
    for name in ("intervals", "widened", "not_lifted", "absent"):
        total[name] = sum(row[name] for row in rows)
    summary = pd.DataFrame([*rows, total], columns=list(SUMMARY_COLUMNS))
    return table.reset_index(drop=True), summary


def merged_bp(table: pd.DataFrame) -> int:
    """Number of bases in the union of intervals (chrom, start, end)."""
    return sum(Covered(*intervals).bp for intervals in by_chrom(table).values())


def write_exclusions(path: str | Path, table: pd.DataFrame) -> None:
    """Write the table as BED with task, split and reason; reproducible gzip for ``.gz``."""
    text = _HEADER + "\n"
    text += table[list(EXCLUSION_COLUMNS)].to_csv(sep="\t", index=False, header=False, quoting=3)
    data = text.encode()
    with atomic_path(path) as temporary:
        packed = gzip.compress(data, mtime=0) if str(path).endswith(".gz") else data
        temporary.write_bytes(packed)


def is_exclusions(given: Input) -> bool:
    """Whether a file has the header of :func:`write_exclusions`, unlike other BED files."""
    return first_line(given) == _HEADER


def read_exclusions(given: Input, chrom_sizes: Mapping[str, int] | None = None) -> pd.DataFrame:
    """Read a file of :func:`write_exclusions`; its rows must lie inside the ``chrom_sizes``."""
    with opened(given) as file:
        path = str(file)
        again = "run `genezip leakage exclusions` again"
        table = read_bed(file, _TYPES, numbered=True, todo=again)
        # A file without rows reads like any other text; only the header distinguishes them.
        if table.empty and not is_exclusions(file):
            raise GenezipError(
                f"{path} is not a table of exclusions; run `genezip leakage exclusions`"
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
            f"3), which is not an interval of this genome; {again}"
        )
    return table


def _on_genome(
    given: EvaluationIntervals, chrom_sizes: Mapping[str, int]
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Rows on chromosomes of the genome, clipped, and the number of other rows of each split."""
    every = given.table["split"].value_counts()
    if given.table.empty:
        return given.table, {}
    # open ends, because intervals beyond a chromosome are clipped here and not refused
    open_ended = dict.fromkeys(chrom_sizes, _NO_END)
    try:
        table = match_intervals(given.task, given.table, open_ended)
    except GenezipError:
        if not given.table["chrom"].isin(list(given.assembly)).any():
            raise
        table = given.table.iloc[:0]  # all rows are on chromosomes that this genome leaves out
        logger.warning(
            f"{given.task}: all {len(given.table):,} intervals lie on chromosomes that the "
            "assembly lacks"
        )
    there = table["split"].value_counts()
    absent = {split: int(every.get(split, 0) - there.get(split, 0)) for split in EVALUATION_SPLITS}
    ends = table["chrom"].map(chrom_sizes).astype(np.int64)
    beyond = table[table["start"] >= ends]
    if len(beyond):
        row = beyond.iloc[0]
        raise GenezipError(
            f"{given.task} has the input {row['chrom']}:{row['start']}-{row['end']}, which lies "
            f"beyond the {chrom_sizes[row['chrom']]:,} bases of {row['chrom']}; fetch its files "
            "again"
        )
    table = table.assign(
        start=table["start"].clip(lower=0), end=table["end"].clip(upper=ends).astype(np.int64)
    )
    return table[table["end"] > table["start"]].reset_index(drop=True), absent


def _read_bed(path: Path, chrom_sizes: Mapping[str, int]) -> tuple[pd.DataFrame, int]:
    """Intervals of a user's BED file, and the number on chromosomes that the genome lacks."""
    if any(letter in path.name for letter in "\t\r\n"):  # the name becomes a cell of the table
        raise GenezipError(f"the file name {path.name!r} has a tab or a line end; rename the file")
    with TextFile(path) as file:
        found = read_bed_intervals(file, chrom_sizes)
        rows = sum(1 for _ in file.rows())
    absent = rows - len(found)
    found = found.loc[found["end"] > found["start"], ["chrom", "start", "end"]]
    return found.assign(task="bed", split="all", reason=f"in {path.name}"), absent


def _summary(
    given: EvaluationIntervals, table: pd.DataFrame, split: str, absent: Mapping[str, int]
) -> dict[str, Any]:
    """A row of the summary; ``table`` has the intervals on the genome."""
    of_split = table[table["split"] == split]
    lost = given.not_lifted.get(split, [])
    values = (
        given.task,
        split,
        len(of_split),
        merged_bp(of_split),
        given.widened.get(split, 0),
        len(lost),
        absent.get(split, 0),
        "; ".join(lost),
    )
    return dict(zip(SUMMARY_COLUMNS, values, strict=True))
