"""Region classes of the user: the intervals of their BED files."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa

from genezip.config import Regions
from genezip.errors import GenezipError
from genezip.formats.lines import Input, TextFile, opened
from genezip.formats.tabular import explain, read_table, wrong_interval
from genezip.genome.names import match_intervals, say_on_stderr

OwnIntervals = Mapping[str, pd.DataFrame]
"""Name of a class -> table of chrom, start, end, on contigs of the assembly."""

_MOST_COLUMNS = 12


def read_own_classes(
    settings: Regions,
    root: str | Path,
    chrom_sizes: Mapping[str, int],
    say: Callable[[str], None] = say_on_stderr,
) -> dict[str, pd.DataFrame]:
    """Intervals of every class of ``regions.classes``.

    Parameters
    ----------
    settings : Regions
    root : str or Path
        Base of relative paths.
    chrom_sizes : mapping
        Contig -> length (bp) of the assembly. Contig names are converted to its own.
    say : callable
        Receives one sentence for contigs converted or left out, and for empty intervals, which
        hold no base and are left out.

    Returns
    -------
    dict
        Name -> chrom, start, end (0-based, half-open). Intervals may overlap; none is empty.

    Raises
    ------
    GenezipError
        A file is missing, broken or without interval, a row is malformed, no contig is
        shared, or a row ends beyond its contig.
    """
    own = {}
    for found in settings.classes:
        path = Path(root) / found.bed
        own[found.name] = _not_empty(path, read_bed_intervals(path, chrom_sizes, say), say)
    return own


def read_bed_intervals(
    given: Input,
    chrom_sizes: Mapping[str, int],
    say: Callable[[str], None] = say_on_stderr,
) -> pd.DataFrame:
    """Intervals of a BED (3 to 12 tab-separated columns; plain or gzip, file or pipe).

    Returns
    -------
    DataFrame
        chrom, start, end; at least one row. Intervals may be empty (start = end).

    Raises
    ------
    GenezipError
        As :func:`read_own_classes`.
    """
    with opened(given) as file:
        types: dict[str, pa.DataType | None] = dict.fromkeys(map(str, range(_columns(file))))
        types = {"chrom": pa.string(), "start": pa.int64(), "end": pa.int64(), **types}
        for name in ("0", "1", "2"):
            del types[name]
        table = read_table(file, types, _wrong).to_pandas()
        if (table["start"] < 0).any() or (table["end"] < table["start"]).any():
            explain(file, types, _wrong)
        return match_intervals(file.name, table, chrom_sizes, say)


def _not_empty(path: Path, table: pd.DataFrame, say: Callable[[str], None]) -> pd.DataFrame:
    """The intervals that hold a base."""
    real = table["end"] > table["start"]
    if not real.any():
        raise GenezipError(f"{path} has only empty intervals (start = end); name a BED with others")
    if not real.all():
        say(f"{path.name}: {int((~real).sum()):,} empty intervals (start = end) are left out")
    return table[real].reset_index(drop=True)


def _columns(file: TextFile) -> int:
    """Columns of the first row."""
    for number, line in file.rows():
        count = line.count("\t") + 1
        if not 3 <= count <= _MOST_COLUMNS:
            raise GenezipError(
                f"line {number} of {file} has {count} tab-separated columns; BED has 3 to "
                f"{_MOST_COLUMNS}; mend or remove it"
            )
        return count
    raise GenezipError(f"{file} has no interval; name a BED file with some")


def _wrong(fields: list[str]) -> str | None:
    return wrong_interval(fields[1], fields[2], first=0)
