"""Readers of labelled sets: every format becomes one table with a class for every sequence.

Four layouts are read: files of a benchmark by split (``NAME.train.csv.gz``, as those of GUE), one
or more tables with a sequence and a label in each row, intervals of a genome with a label (BED or
table) whose bases come from a FASTA, and FASTA with the label in the header (as those of the
Nucleotide Transformer). The table has the columns

- ``example`` int64, number of the row
- ``split`` str: ``train``, ``valid``, ``test``, or empty where the set names none
- ``sequence`` str: A, C, G, T and N; of an interval on the strand ``-`` the reverse complement
- ``label`` str, as in the file, and ``class`` int64, its index among the sorted labels
- ``chrom``, ``start``, ``end`` (0-based, half-open), ``strand`` where the set has coordinates
- ``group`` str, where the set has one: rows of one group are not independent
"""

import re
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from genezip.alphabet import decode, encode, reverse_complement
from genezip.artifacts.tables import read_tsv
from genezip.errors import GenezipError
from genezip.formats.bed import BED3, read_bed
from genezip.formats.lines import TextFile
from genezip.formats.tabular import wrong_interval
from genezip.genome.assembly import ReferenceGenome

SPLIT_NAMES = {
    "train": "train",
    "valid": "valid",
    "validation": "valid",
    "val": "valid",
    "dev": "valid",
    "test": "test",
}
"""Name of a split in a file (or in the name of a file) -> name here."""
INTERVAL = ("chrom", "start", "end")
STRANDS = ("+", "-", ".")
LINE = "line"

_TABLE = re.compile(r"(?:.*[._-])?([^._-]*)\.(?:csv|tsv|txt)(?:\.gz)?", re.IGNORECASE)
_TEXT = ("sequence", "label", "split", "chrom", "strand", "group", "start", "end")
_ADVICE = ("name an existing file", "mend the file")


def split_files(paths: Iterable[Path], name: str) -> dict[str, Path]:
    """Files of a set with one for each split (GUE, Zhou et al. 2023, arXiv 2306.15006).

    The files of the set are ``NAME.SPLIT.csv`` or ``NAME.SPLIT.csv.gz``, where SPLIT is one of
    :data:`SPLIT_NAMES`. The result is split -> file, in the order train, valid, test; without
    splits that have no file.
    """
    known = {f"{name}.{part}.csv": split for part, split in SPLIT_NAMES.items()}
    found: dict[str, Path] = {}
    for path in paths:
        split = known.get(path.name.removesuffix(".gz"))
        if split and found.setdefault(split, path) != path:
            raise GenezipError(
                f"{found[split]} and {path} are both the {split} rows of {name}; list one of them"
            )
    return {split: found[split] for split in ("train", "valid", "test") if split in found}


def read_sequences(paths: Sequence[str | Path], label: str = "label") -> pd.DataFrame:
    """Read tables with the columns ``sequence`` and ``label``, CSV or TSV, plain or gzip.

    Further columns are ``split`` (else from the file's name, ``x.test.csv``), ``chrom``, ``start``,
    ``end``, ``strand`` and ``group``; others are left out. Names of files end in ``.csv``, ``.tsv``
    or ``.txt``, or in one of them and ``.gz``; ``label`` names the label column.
    """
    for path in map(Path, paths):
        if not _TABLE.fullmatch(path.name):
            raise GenezipError(
                f"{path} is no .csv, .tsv or .txt (or one of them in .gz); name one, or for the "
                "intervals of a BED also the FASTA of their genome"
            )
    return _finished([_read_table(Path(path), ("sequence",), label) for path in paths], None)


def read_intervals(labels: str | Path, genome: str | Path, label: str = "label") -> pd.DataFrame:
    """Read intervals with a label, and their bases from a FASTA.

    Parameters
    ----------
    labels : BED (any name but ``.csv``, ``.tsv`` or ``.txt``) with the label in the fourth column
        and, where it has six, the strand in the last of these; else a table with a header
    genome : FASTA of the same build, or ``source.json`` of whole chromosomes
    label : name of the label column of a table
    """
    path = Path(labels)
    if _TABLE.fullmatch(path.name):
        table = _read_table(path, INTERVAL, label)
        table = table.drop(columns="sequence", errors="ignore")  # the FASTA takes precedence
    else:
        table = _read_labelled_bed(path).assign(split="")
    return _finished([table], ReferenceGenome(genome))


def read_headed(path: Path) -> list[dict[str, Any]]:
    """Rows of a FASTA with a label in every header (Nucleotide Transformer, first release).

    A header is ``>PROBE_COORDINATE|LABEL``, as ``>iYMR122W-A_513047|1``: a probe of a microarray
    and a coordinate beside the middle of the window, in the genome of that time. The result has
    ``sequence``, ``label`` (text), ``probe``, ``coordinate`` (int, or None where the header has
    none), ``file`` and ``line`` (of the header).
    """
    rows: list[dict[str, Any]] = []
    parts: list[str] = []

    def finish() -> None:
        if rows:
            rows[-1]["sequence"] = "".join(parts)
            if not parts:
                raise _wrong(path, rows[-1][LINE], "it has no sequence below it")
        parts.clear()

    for number, text in TextFile(path).rows():
        if not text.startswith(">"):
            if not rows:
                raise GenezipError(f"{path} is not a FASTA: it does not begin with '>'")
            parts.append(text.strip())
            continue
        finish()
        name, bar, label = text[1:].strip().rpartition("|")
        if not bar or not label:
            raise _wrong(path, number, f"the header {text.strip()} has no label after a |")
        probe, _, coordinate = name.rpartition("_")
        at = int(coordinate) if coordinate.isdecimal() else None
        about = {"probe": probe if at is not None else name, "coordinate": at}
        rows.append({"label": label, **about, "file": str(path), LINE: number})
    finish()
    if not rows:
        raise GenezipError(f"{path} has no record; name a FASTA file with sequence")
    return rows


def labelled(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """A labelled set from rows in memory.

    Parameters
    ----------
    rows : each with ``sequence`` and ``label`` (text), and optionally ``split``,
        ``chrom``, ``start``, ``end``, ``strand`` and ``group``; ``file`` and ``line``, for
        messages

    Returns
    -------
    DataFrame
        example, split, sequence, label, class (from 0, labels sorted), and the others.
    """
    table = pd.DataFrame(list(rows))
    if "file" not in table:
        table = table.assign(file="the rows", line=np.arange(1, len(table) + 1))
    if not {"sequence", "label"} <= set(table):
        raise GenezipError("rows of a labelled set need a sequence and a label; give both")
    table["label"] = table["label"].map(str, na_action="ignore")
    if "split" not in table:
        table["split"] = ""
    return _finished([table], None)


def _read_labelled_bed(path: Path) -> pd.DataFrame:
    number, first = next(TextFile(path).rows(), (0, ""))
    if not number:
        raise GenezipError(f"{path} has no interval; name a BED with some")
    columns = first.count("\t") + 1
    if columns < 4:
        raise GenezipError(
            f"line {number} of {path} has {columns} tab-separated columns; the label must "
            "be in the fourth of a BED (name)"
        )
    types = {**BED3, "label": pa.string()}
    if columns >= 6:
        types |= {"score": None, "strand": pa.string()}
    choices = {"strand": STRANDS} if columns >= 6 else None
    table = read_bed(path, types, choices=choices, more=True, numbered=True)
    return table.assign(file=str(path))


def _read_table(path: Path, columns: Collection[str], label: str) -> pd.DataFrame:
    """The known columns of a table as text, with the file and line of each row."""
    columns = {*columns, label}
    bare = path.name.removesuffix(".gz")
    separator = "," if bare.endswith(".csv") else "\t"
    table = read_tsv(path, columns, None, *_ADVICE, separator=separator)
    if table.empty:
        raise GenezipError(f"{path} has no row; name a table with some")
    numbers = {name: number for number, name in enumerate(table, 1)}
    table = table[[name for name in table if name in {*_TEXT, *columns}]].copy()
    if label != "label":
        table = table.drop(columns="label", errors="ignore").rename(columns={label: "label"})
    table["file"], table[LINE] = str(path), np.arange(2, len(table) + 2)
    match = _TABLE.fullmatch(path.name)
    if "split" not in table:
        table["split"] = SPLIT_NAMES.get(match[1].lower(), "") if match else ""
    if present := [name for name in INTERVAL if name in table]:
        if lacking := [name for name in INTERVAL if name not in table]:
            raise GenezipError(
                f"{path} has the column {present[0]} and lacks {lacking[0]}; an interval needs "
                f"{', '.join(INTERVAL)}"
            )
        where = numbers["start"], numbers["end"]
        for row in table.to_dict("records"):
            wrong = wrong_interval(str(row["start"]), str(row["end"]), first=0, columns=where)
            if wrong or pd.isna(row["chrom"]):
                raise _wrong(path, row[LINE], wrong or "it has no chrom")
        table = table.astype({"start": np.int64, "end": np.int64})
    return table


def _wrong(path: str | Path, line: int, wrong: str) -> GenezipError:
    return GenezipError(f"line {line} of {path}: {wrong}; mend or remove it")


def _finished(tables: list[pd.DataFrame], genome: ReferenceGenome | None) -> pd.DataFrame:
    """The table that every reader returns, from the rows of all files."""
    for table in tables:
        if odd := set(tables[0].columns) ^ set(table.columns):
            raise GenezipError(
                f"{_files(table)} and {_files(tables[0])} differ in the column {min(odd)}; "
                "give all files of a set the same columns"
            )
    table = pd.concat(tables, ignore_index=True)
    table["split"] = table["split"].fillna("")
    _check_cells(table)
    table["split"] = table["split"].map({"": ""} | SPLIT_NAMES)
    found = []
    for row in table.to_dict("records"):
        if genome is None:
            ids = encode(row["sequence"], f"line {row[LINE]} of {row['file']}")
        else:
            ids = _cut(row, genome)
        found.append(decode(ids).decode())
    table["sequence"] = found
    _check_classes(table)
    classes = {label: number for number, label in enumerate(_in_order(table["label"].unique()))}
    table["class"] = table["label"].map(classes).astype(np.int64)
    table["example"] = np.arange(len(table))
    order = ("example", "split", "sequence", "label", "class", *INTERVAL, "strand", "group")
    return table[[name for name in order if name in table]]


def _check_cells(table: pd.DataFrame) -> None:
    """Refuse a row without label, bases or group, or with an unknown split or strand."""
    wrong = {"label": (table["label"].isna(), "its label is empty (or NA)")}
    if "sequence" in table:
        wrong["sequence"] = table["sequence"].isna(), "its sequence is empty"
    if "group" in table:
        wrong["group"] = table["group"].isna(), "its group is empty (or NA)"
    for name, known in (("split", ("", *SPLIT_NAMES)), ("strand", STRANDS)):
        if name in table:
            cells = table[name].fillna(known[0] if name == "split" else ".")
            listed = ", ".join(filter(None, known))
            wrong[name] = ~cells.isin(known), f"its {name} is none of {listed}"
    for name, (odd, what) in wrong.items():
        if odd.any():
            row = table.iloc[int(odd.to_numpy().argmax())]
            cell = "" if pd.isna(row[name]) else f" ({row[name]})"
            raise _wrong(row["file"], row[LINE], what + cell)


def _cut(row: dict[Hashable, Any], genome: ReferenceGenome) -> np.ndarray:
    """Token ids of an interval, on its strand."""
    chrom, start, end = row["chrom"], row["start"], row["end"]
    length = genome.length(chrom)
    if end > length:
        what = f"{chrom}:{start}-{end} ends outside its chromosome, which has {length:,} bp in "
        raise _wrong(row["file"], row[LINE], f"{what}{genome.path}")
    ids = genome.ids(chrom, start, end)
    return reverse_complement(ids) if row.get("strand") == "-" else ids


def require_whole_labels(table: pd.DataFrame, name: str) -> None:
    """Refuse labels that are not the whole numbers 0, 1, ... without a gap, as benchmarks have."""
    labels = set(table["label"])
    wanted = {str(number) for number in range(len(labels))}
    if labels != wanted:
        odd = _in_order(labels - wanted)[0]
        raise GenezipError(
            f"{name} has the label {odd!r} in {(table['label'] == odd).sum():,} of {len(table):,} "
            f"rows; the labels of a benchmark are whole numbers from 0 on, so number the classes "
            f"0 to {len(labels) - 1}"
        )


def require_disjoint(table: pd.DataFrame, name: str) -> None:
    """Refuse a test row whose sequence is also that of a training or validation row."""
    seen = set(table.loc[table["split"].isin(("train", "valid")), "sequence"])
    test = table[table["split"] == "test"]
    shared = test["sequence"].isin(seen)
    if shared.any():
        text = test.loc[shared, "sequence"].iloc[0]
        raise GenezipError(
            f"{name} has {shared.sum():,} of {len(test):,} test sequences among its training "
            f"rows, {text[:20]}... first; leave them out of the training rows"
        )


def _check_classes(table: pd.DataFrame) -> None:
    """Refuse one class, fewer than two rows per class, or a class without a training row."""
    labels = table["label"].unique()
    if len(labels) < 2:
        raise GenezipError(
            f"{_files(table)} has the class {labels[0]!r} alone; a classification needs two"
        )
    if len(labels) > max(2, len(table) // 2):
        raise GenezipError(
            f"{_files(table)} has {len(labels):,} classes in {len(table):,} rows, {labels[0]!r} "
            "among them; a class needs two rows or more, and numbers need bins"
        )
    train = table["split"] == "train"
    absent = sorted(set(labels) - set(table.loc[train, "label"]))
    if train.any() and absent:
        raise GenezipError(
            f"{_files(table)} has no training row of the class {absent[0]!r}; add some, or leave "
            "its rows out"
        )


def _files(table: pd.DataFrame) -> str:
    return ", ".join(table["file"].unique())


def _in_order(labels: Collection[str]) -> list[str]:
    """Labels sorted by number where all are whole numbers, else by name."""
    whole = all(re.fullmatch(r"-?[0-9]+", label) for label in labels)
    return sorted(labels, key=int if whole else str)
