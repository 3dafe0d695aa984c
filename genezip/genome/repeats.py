"""Repeat annotation: RepeatMasker ``.out`` and TRF (UCSC simpleRepeat) tables."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from genezip.errors import GenezipError
from genezip.genome.tabular import explain, read_lines, read_table, wrong_interval

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
_RMSK_COLUMNS = 15  # and a 16th, `*`, where a better match overlaps


def read_rmsk_out(path: str | Path) -> pd.DataFrame:
    """Interspersed repeats of a RepeatMasker ``.out`` file (plain or gzip).

    The file counts bases from 1; here intervals are 0-based and half-open.

    Returns
    -------
    DataFrame
        chrom, start, end, repeat (``AluY``), repeat_class (``SINE``), family (``Alu``; the
        class again where none is named), sorted by chromosome and start.

    Raises
    ------
    GenezipError
        For a missing, truncated, empty or malformed file, the last with its line number.
    """
    rows = []
    for number, line in enumerate(read_lines(path), 1):
        fields = line.split()
        if not fields or not fields[0].isdigit():
            if number <= 3 or not fields:  # the three lines of the head
                continue
            raise GenezipError(
                f"line {number} of {path} is malformed: it does not begin with a score; mend or "
                "remove it"
            )
        wrong = (
            f"it has {len(fields)} columns instead of {_RMSK_COLUMNS}"
            if len(fields) not in (_RMSK_COLUMNS, _RMSK_COLUMNS + 1)
            else wrong_interval(fields[5], fields[6], first=1)
        )
        if wrong:
            raise GenezipError(f"line {number} of {path} is malformed: {wrong}; mend or remove it")
        repeat_class, _, family = fields[10].partition("/")
        rows.append(
            (
                fields[4],
                int(fields[5]) - 1,
                int(fields[6]),
                fields[9],
                repeat_class,
                family or repeat_class,
            )
        )
    if not rows:
        raise GenezipError(f"{path} has no repeat; is it a RepeatMasker .out file?")
    columns = ["chrom", "start", "end", "repeat", "repeat_class", "family"]
    return _sorted(pd.DataFrame(rows, columns=columns))


def read_trf(path: str | Path) -> pd.DataFrame:
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
    rows = read_table(path, types, _wrong_trf).to_pandas()
    if rows.empty:
        raise GenezipError(f"{path} has no repeat; is it a simpleRepeat table?")
    if (rows["end"] <= rows["start"]).any() or (rows["start"] < 0).any():
        explain(Path(path), len(types), _wrong_trf)
    return _sorted(
        rows.assign(chrom=rows["chrom"].astype(str), period=rows["period"].astype(np.int64))
    )


def _wrong_trf(fields: list[str]) -> str | None:
    try:
        float(fields[4]), float(fields[5])
    except ValueError:
        return "period and copy number (columns 5 and 6) are not both numbers"
    return wrong_interval(fields[1], fields[2], first=0)


def _sorted(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values(["chrom", "start", "end"], kind="stable", ignore_index=True)
