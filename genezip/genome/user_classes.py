"""Region classes of the user: the intervals of their BED files."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from genezip.config import Regions
from genezip.errors import GenezipError
from genezip.formats.bed import read_bed
from genezip.formats.lines import Input, opened
from genezip.genome.names import match_intervals, say_on_stderr

OwnIntervals = Mapping[str, pd.DataFrame]
"""Name of a class -> table of chrom, start, end, on contigs of the assembly."""


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
        return match_intervals(file.name, read_bed(file, empty=True), chrom_sizes, say)


def _not_empty(path: Path, table: pd.DataFrame, say: Callable[[str], None]) -> pd.DataFrame:
    """The intervals that hold a base."""
    real = table["end"] > table["start"]
    if not real.any():
        raise GenezipError(f"{path} has only empty intervals (start = end); name a BED with others")
    if not real.all():
        say(f"{path.name}: {int((~real).sum()):,} empty intervals (start = end) are left out")
    return table[real].reset_index(drop=True)
