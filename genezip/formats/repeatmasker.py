"""Repeat annotation: RepeatMasker ``.out`` and TRF (UCSC simpleRepeat) tables.

UCSC's database tables (rmsk, simpleRepeat) are converted to these two output formats.
"""

import re
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from genezip.errors import GenezipError
from genezip.formats.bed import read_bed
from genezip.formats.input_file import open_bytes
from genezip.formats.lines import Input, opened, read_rows
from genezip.formats.tabular import Types, malformed, wrong_interval

RMSK_HEADER = (
    b"   SW  perc perc perc  query      position in query           matching       repeat"
    b"              position in  repeat\n"
    b"score  div. del. ins.  sequence    begin     end    (left)    repeat         class/family"
    b"         begin  end (left)   ID\n\n"
)
TRF_HEADER = (
    b"#chrom\tchromStart\tchromEnd\tname\tperiod\tcopyNum\tconsensusSize\tperMatch\tperIndel"
    b"\tscore\tA\tC\tG\tT\tentropy\tsequence\n"
)

Inside = Callable[[bytes, int, int], bool]
"""Whether an interval (chrom, start, end) is wanted."""

_TRF: Types = {
    "chrom": pa.dictionary(pa.int32(), pa.string()),
    "start": pa.int64(),
    "end": pa.int64(),
    "name": None,
    "period": pa.float64(),
    "copies": pa.float64(),
    **dict.fromkeys(("consensus", "match", "indel", "score", "a", "c", "g", "t", "entropy")),
    "sequence": None,
}
_RMSK_COLUMNS = (14, 15)  # the last column, an ID, is optional
_OVERLAPPED = "*"  # follows the columns where a better match overlaps
_STRANDS = ("+", "C", "-")  # some scripts that rewrite rows use - for C
_SCORE = re.compile(r"[0-9]+(?:\.[0-9]*)?")  # nhmmer searches give decimal numbers
_HEADS = ("sw", "bit", "score")  # first words of the two lines above the columns
_NONE_FOUND = "there were no repetitive sequences detected"


def read_rmsk_out(path: Input) -> pd.DataFrame:
    """Interspersed repeats of a RepeatMasker ``.out`` file (plain or gzip).

    The file counts bases from 1; the returned intervals are 0-based and half-open. Header lines
    may occur anywhere, as in concatenated files. The ID column may be missing, a ``*`` (a better
    match overlaps) may follow, and scores may be decimal numbers.

    Returns
    -------
    DataFrame
        chrom, start, end, repeat (``AluY``), repeat_class (``SINE``), family (``Alu``, or the
        class if none is named), divergence (percent of substituted bases, float32), sorted by
        chromosome and start. Names are categories, because the
        human genome has millions of rows and thousands of names. The table is empty if the file
        has only header lines or the line "There were no repetitive sequences detected".
    """
    # Arrays of numbers take 30 bytes per repeat, rows of objects 500.
    starts, ends, divergence = array("q"), array("q"), array("f")
    chroms, repeats, families = _Names(), _Names(), _Names()
    known = False  # whether a header line was seen
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
        divergence.append(float(fields[1]))
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
                "divergence": np.frombuffer(divergence, dtype=np.float32),
            }
        )
    )


def _is_head(fields: list[str]) -> bool:
    """Whether a line is a header line or the message that nothing was found."""
    return fields[0].lower() in _HEADS or " ".join(fields).lower().startswith(_NONE_FOUND)


def _wrong_rmsk(fields: list[str]) -> str | None:
    """What is wrong with the columns of a row of an ``.out`` file, or None."""
    if not (fields[0].isdecimal() or _SCORE.fullmatch(fields[0])):
        return "it does not begin with a score (column 1)"
    if len(fields) > 1 and not _SCORE.fullmatch(fields[1]):
        return f"column 2 is {fields[1]!r} instead of a divergence in percent"
    if len(fields) not in _RMSK_COLUMNS:
        return f"it has {len(fields)} columns instead of {_RMSK_COLUMNS[-1]}"
    if fields[8] not in _STRANDS:
        return (
            f"column 9 is {fields[8]!r} instead of + or C, so a column is missing or one too many"
        )
    return wrong_interval(fields[5], fields[6], first=1, columns=(6, 7))


class _Names:
    """A column of repeating names, stored as one number per row."""

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
        """The column, categories in alphabetical order; ``instead`` replaces name i by item i."""
        names = instead or self.names
        categories = sorted(set(names))
        position = np.searchsorted(categories, names).astype(np.int32)
        codes = position[np.frombuffer(self._rows, dtype=np.int32)]
        return pd.Series(pd.Categorical.from_codes(codes, pd.Index(categories)))


def read_trf(path: Input) -> pd.DataFrame:
    """Tandem repeats of a UCSC simpleRepeat table (plain or gzip; no bin column).

    The columns are chrom, start, end, period (bp), copies, sorted by chromosome and start.
    """
    with opened(path) as file:
        rows = read_bed(file, _TRF)
        if rows.empty:
            raise GenezipError(f"{file} has no repeat; is it a simpleRepeat table?")
    return _sorted(
        rows.assign(
            chrom=rows["chrom"].cat.reorder_categories(sorted(rows["chrom"].cat.categories)),
            period=rows["period"].astype(np.int64),
        )
    )


def _sorted(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values(["chrom", "start", "end"], kind="stable", ignore_index=True)


def rmsk_rows(path: Path, inside: Inside) -> Iterator[bytes]:
    """Rows of the UCSC table rmsk that are ``inside``, as RepeatMasker ``.out``.

    The table has 0-based starts, parts per thousand, and negative "left" numbers.
    """
    yield RMSK_HEADER
    with open_bytes(path) as handle:
        for line in handle:
            f = line.rstrip(b"\n").split(b"\t")
            chrom, start, end = f[5], int(f[6]), int(f[7])
            if not inside(chrom, start, end):
                continue
            div, dele, ins = (b"%.1f" % (int(value) / 10) for value in f[2:5])
            if f[9] == b"+":
                strand, at = b"+", (f[13], f[14], b"(%d)" % -int(f[15]))
            else:
                strand, at = b"C", (b"(%d)" % -int(f[13]), f[14], f[15])
            left = b"(%d)" % -int(f[8])
            family = f[11] if f[11] == f[12] else f[11] + b"/" + f[12]
            fields = (f[1], div, dele, ins, chrom, b"%d" % (start + 1), b"%d" % end, left)
            yield b" ".join((*fields, strand, f[10], family, *at, f[16])) + b"\n"


def trf_rows(path: Path, inside: Inside) -> Iterator[bytes]:
    """Rows of the UCSC table simpleRepeat that are ``inside``, without the bin column."""
    yield TRF_HEADER
    with open_bytes(path) as handle:
        for line in handle:
            row = line.partition(b"\t")[2]
            chrom, start, end = row.split(b"\t", 3)[:3]
            if inside(chrom, int(start), int(end)):
                yield row
