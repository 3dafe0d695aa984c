"""Repeat annotation: RepeatMasker ``.out`` and TRF (UCSC simpleRepeat) tables."""

import re
from array import array
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import pyarrow as pa

from genezip.errors import GenezipError
from genezip.formats.lines import Input, opened, read_rows
from genezip.formats.tabular import explain, malformed, read_table, wrong_interval
from genezip.genome.names import match_intervals, say_on_stderr

_TRF_TYPES: dict[str, pa.DataType | None] = {
    "chrom": pa.dictionary(pa.int32(), pa.string()),
    "start": pa.int64(),
    "end": pa.int64(),
    "name": None,
    "period": pa.float64(),
    "copies": pa.float64(),
}
_TRF_REST = (
    "consensus",
    "match",
    "indel",
    "score",
    "a",
    "c",
    "g",
    "t",
    "entropy",
    "sequence",
)
_RMSK_COLUMNS = (14, 15)  # the last, an ID, is not always there
_OVERLAPPED = "*"  # stands behind the columns where a better match overlaps
_STRANDS = ("+", "C", "-")  # scripts that pass rows on write - for C
_SCORE = re.compile(r"[0-9]+(?:\.[0-9]*)?")  # a decimal number where nhmmer searched
_HEADS = ("sw", "bit", "score")  # first words of the two lines above the columns
_NONE_FOUND = "there were no repetitive sequences detected"


def read_rmsk_out(path: Input) -> pd.DataFrame:
    """Interspersed repeats of a RepeatMasker ``.out`` file (plain or gzip).

    The file counts bases from 1; here intervals are 0-based and half-open. The lines above the
    columns may stand anywhere, as in files put together. The ID column may be missing, a ``*``
    (a better match overlaps) may follow, and scores may be decimal numbers.

    Returns
    -------
    DataFrame
        chrom, start, end, repeat (``AluY``), repeat_class (``SINE``), family (``Alu``; the
        class again where none is named), sorted by chromosome and start. Names are
        categories: the human genome has millions of rows and thousands of names. No row where
        the file has only the lines above the columns, or says "There were no repetitive
        sequences detected".

    Raises
    ------
    GenezipError
        For a missing, truncated, empty or malformed file, the last with its line number.
    """
    # Columns of numbers, not rows of objects: 30 bytes per repeat instead of 500.
    starts, ends = array("q"), array("q")
    chroms, repeats, families = _Names(), _Names(), _Names()
    known = False  # whether a line told that this is such a file
    for number, line in read_rows(path):
        fields = line.split()
        if not fields[0].isdecimal() and _is_head(fields):
            known = True
            continue
        if fields[-1] == _OVERLAPPED:
            fields.pop()
        wrong = _wrong_rmsk(fields)
        if wrong:
            raise malformed(path, number, wrong)
        starts.append(int(fields[5]) - 1)
        ends.append(int(fields[6]))
        chroms.append(fields[4])
        repeats.append(fields[9])
        families.append(fields[10])
    if not starts and not known:
        raise GenezipError(f"{path} has no repeat; is it a RepeatMasker .out file?")
    parts = [name.partition("/") for name in families.names]
    return _sorted(
        pd.DataFrame(
            {
                "chrom": chroms.column(),
                "start": np.frombuffer(starts, dtype=np.int64),
                "end": np.frombuffer(ends, dtype=np.int64),
                "repeat": repeats.column(),
                "repeat_class": families.column([part[0] for part in parts]),
                "family": families.column([part[2] or part[0] for part in parts]),
            }
        )
    )


def _is_head(fields: list[str]) -> bool:
    """Whether a line stands above the columns, or says that nothing was found."""
    return fields[0].lower() in _HEADS or " ".join(fields).lower().startswith(_NONE_FOUND)


def _wrong_rmsk(fields: list[str]) -> str | None:
    """What is wrong with the columns of a row of an ``.out`` file."""
    if not (fields[0].isdecimal() or _SCORE.fullmatch(fields[0])):
        return "it does not begin with a score (column 1)"
    if len(fields) not in _RMSK_COLUMNS:
        return f"it has {len(fields)} columns instead of {_RMSK_COLUMNS[-1]}"
    if fields[8] not in _STRANDS:
        return (
            f"column 9 is {fields[8]!r} instead of + or C, so a column is missing or one too many"
        )
    return wrong_interval(fields[5], fields[6], first=1, columns=(6, 7))


def match_repeats(
    name: str,
    table: pd.DataFrame,
    chrom_sizes: Mapping[str, int],
    say: Callable[[str], None] = say_on_stderr,
) -> pd.DataFrame:
    """Give a table of repeats the contig names of an assembly, and check that the two fit.

    Names are converted and rows on other contigs left out as those of annotation are
    (:func:`genezip.genome.names.match_intervals`); both are said.

    Parameters
    ----------
    name : str
        What the table is called in messages.
    table : DataFrame
        As :func:`read_rmsk_out` and :func:`read_trf` give it; it may have no row.
    chrom_sizes : mapping
        Contig -> length (bp) of the assembly.
    say : callable
        Receives one sentence for each thing done, and one for a table without rows.

    Returns
    -------
    DataFrame
        The same columns, sorted by chromosome and start.

    Raises
    ------
    GenezipError
        If no contig is shared, or a row ends beyond its contig (another build).
    """
    if table.empty:
        say(f"{name} lists no repeat; results will have no base of its kind")
        return table
    matched = match_intervals(name, table, chrom_sizes, say)
    if matched is table:
        return table
    chrom = matched["chrom"].cat
    return _sorted(matched.assign(chrom=chrom.reorder_categories(sorted(chrom.categories))))


class _Names:
    """A column of names that repeat: one number per row."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._code: dict[str, int] = {}
        self._rows = array("i")

    def append(self, name: str) -> None:
        code = self._code.get(name)
        if code is None:
            code = self._code[name] = len(self.names)
            self.names.append(name)
        self._rows.append(code)

    def column(self, instead: list[str] | None = None) -> pd.Series:
        """The column, each name replaced by that of ``instead`` at its place, if given."""
        return _categorical(np.frombuffer(self._rows, dtype=np.int32), instead or self.names)


def _categorical(codes: np.ndarray, names: list[str]) -> pd.Series:
    """Categories in alphabetical order; names may repeat."""
    categories = sorted(set(names))
    place = np.searchsorted(categories, names).astype(np.int32)
    return pd.Series(pd.Categorical.from_codes(place[codes], pd.Index(categories)))


def read_trf(path: Input) -> pd.DataFrame:
    """Tandem repeats of a UCSC simpleRepeat table (plain or gzip; no bin column).

    Returns
    -------
    DataFrame
        chrom, start, end, period (bp), copies; sorted by chromosome and start.

    Raises
    ------
    GenezipError
        For a missing, truncated, empty or malformed file, the last with its line number.
    """
    types = {**_TRF_TYPES, **dict.fromkeys(_TRF_REST)}
    with opened(path) as file:
        rows = read_table(file, types, _wrong_trf).to_pandas()
        if rows.empty:
            raise GenezipError(f"{file} has no repeat; is it a simpleRepeat table?")
        if (rows["end"] <= rows["start"]).any() or (rows["start"] < 0).any():
            explain(file, types, _wrong_trf)
    return _sorted(
        rows.assign(
            chrom=rows["chrom"].cat.reorder_categories(sorted(rows["chrom"].cat.categories)),
            period=rows["period"].astype(np.int64),
        )
    )


def _wrong_trf(fields: list[str]) -> str | None:
    return wrong_interval(fields[1], fields[2], first=0)


def _sorted(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values(["chrom", "start", "end"], kind="stable", ignore_index=True)
