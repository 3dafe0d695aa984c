"""Regulatory elements with their sequence: promoter, enhancer, open chromatin."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from genezip.alphabet import encode
from genezip.artifacts.tables import read_tsv
from genezip.errors import GenezipError
from genezip.genome.assembly import Assembly

CLASSES = ("promoter", "enhancer", "ocr")
SPLITS = ("train", "test")
COLUMNS = ("chrom", "start", "end", "label", "split", "sequence")
PUBLISHED = ("region", "start", "end")  # columns of the interval files that are read
FETCH = ("fetch the labels first", "fetch the labels again")
"""What to do where a file of labels is missing, or damaged."""


def elements_inside(files: Mapping[tuple[str, str], Path], assembly: Assembly) -> pd.DataFrame:
    """The elements of the published interval files that lie inside the segments of a genome.

    Parameters
    ----------
    files : (split, label) -> CSV of Genomic Benchmarks with the columns id, region, start, end,
        strand (0-based, half-open, GRCh38)
    assembly : genome of that build; its bases become the sequence of an element

    Returns
    -------
    DataFrame
        The columns :data:`COLUMNS`, by chromosome and start; sequences in upper case.

    Raises
    ------
    GenezipError
        If a file cannot be read, lacks a column, or has a row that is no interval.
    """
    rows = []
    for (split, label), path in files.items():
        table = _intervals(path)
        for segment in assembly.segments:
            inside = (
                (table["region"] == segment.chrom)
                & (table["start"] >= segment.start)
                & (table["end"] <= segment.end)
            )
            for start, end in table.loc[inside, ["start", "end"]].itertuples(index=False):
                text = assembly.sequence(segment, int(start), int(end)).tobytes().decode().upper()
                rows.append((segment.chrom, int(start), int(end), label, split, text))
    found = pd.DataFrame(rows, columns=list(COLUMNS))
    return found.sort_values(["chrom", "start", "end", "label"], ignore_index=True)


def _intervals(path: Path) -> pd.DataFrame:
    """Region, start and end of one interval file."""
    table = read_tsv(path, PUBLISHED, ("region",), *FETCH, separator=",")
    start, end = (pd.to_numeric(table[name], errors="coerce") for name in PUBLISHED[1:])
    whole = (start % 1 == 0) & (end % 1 == 0) & (start >= 0) & (end > start)
    wrong = ~whole | table["region"].isna()
    if wrong.any():
        line = int(np.argmax(wrong.to_numpy()))
        cells = ", ".join(str(table[name].iloc[line]) for name in PUBLISHED)
        raise GenezipError(
            f"line {line + 2} of {path} is no interval ({cells}); fetch the labels again"
        )
    return table.assign(start=start.astype(np.int64), end=end.astype(np.int64))


def read_elements(path: Path, locus_bp: int) -> pd.DataFrame:
    """Read the elements (Ensembl regulatory build, in the split of Genomic Benchmarks).

    Parameters
    ----------
    path : TSV with the columns chrom, start, end (0-based, half-open), label, split, sequence
    locus_bp : length of a locus (bp)

    Returns
    -------
    DataFrame
        By chromosome and start: chrom, start, end, split (train or test), sequence, ``class``
        int64 (place in :data:`CLASSES`), ``locus`` str (chromosome and number of the block that
        holds the start).

    Raises
    ------
    GenezipError
        If columns are missing, a label or split is unknown, an interval is empty, or a sequence
        has another length than its interval.
    """
    table = read_tsv(path, COLUMNS, ("chrom", "sequence"), *FETCH)
    for name, known in (("label", CLASSES), ("split", SPLITS)):
        odd = set(table[name]) - set(known)
        if odd:
            raise GenezipError(
                f"{path} has the {name} {min(map(str, odd))!r}; use {', '.join(known)}"
            )
    empty = table["sequence"].isna() | (table["end"] <= table["start"])
    if empty.any():
        row = table[empty].iloc[0]
        raise GenezipError(
            f"line {int(np.argmax(empty.to_numpy())) + 2} of {path} has no base "
            f"({row['chrom']}:{row['start']}-{row['end']}); fetch the labels again"
        )
    wrong = table["sequence"].str.len() != table["end"] - table["start"]
    if wrong.any():
        row = table[wrong].iloc[0]
        raise GenezipError(
            f"{path}: the sequence of {row['chrom']}:{row['start']}-{row['end']} has "
            f"{len(row['sequence'])} bases; fetch the labels again"
        )
    table = table.sort_values(["chrom", "start", "end", "label"], ignore_index=True)
    table["class"] = table["label"].map({name: place for place, name in enumerate(CLASSES)})
    table["locus"] = table["chrom"] + ":" + (table["start"] // locus_bp).astype(str)
    return table


def chromosome_folds(chroms: pd.Series, folds: int) -> dict[str, int]:
    """Fold of every chromosome: the largest first, each to the fold with fewest rows so far."""
    sizes = chroms.value_counts().rename_axis("chrom").reset_index(name="rows")
    sizes = sizes.sort_values(["rows", "chrom"], ascending=[False, True])
    filled = [0] * folds
    found = {}
    for chrom, rows in zip(sizes["chrom"], sizes["rows"], strict=True):
        fold = filled.index(min(filled))
        found[str(chrom)] = fold
        filled[fold] += int(rows)
    return found


def windows(
    table: pd.DataFrame, assembly: Assembly, window_bp: int, folds: int
) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """Cut a window of one length around the middle of each element, so that no length is seen.

    Parameters
    ----------
    table : of :func:`read_elements`
    assembly : genome of the same build
    window_bp : length of every window (bp)
    folds : number of chromosome folds

    Returns
    -------
    DataFrame
        The elements whose window lies in a segment of the genome, with ``example`` (row number)
        and ``fold`` (:func:`chromosome_folds`): both follow from the elements that are measured,
        whatever else a table lists.
    list of uint8 arrays, shape (window_bp,)
        Their token ids.

    Raises
    ------
    GenezipError
        If the genome has other bases than an element: it is of another build.
    """
    first = (table["start"] + table["end"]).to_numpy() // 2 - window_bp // 2
    chrom, start, end = (table[name].to_numpy() for name in ("chrom", "start", "end"))
    found: dict[int, np.ndarray] = {}
    for segment in assembly.segments:
        inside = (first >= segment.start) & (first + window_bp <= segment.end)
        rows = np.flatnonzero((chrom == segment.chrom) & inside)
        for row in rows:
            low, high = max(start[row], segment.start), min(end[row], segment.end)
            text = table["sequence"].iloc[row][low - start[row] : high - start[row]]
            own = encode(text, f"the element {chrom[row]}:{start[row]}-{end[row]}")
            if not np.array_equal(encode(assembly.sequence(segment, low, high), segment.name), own):
                raise GenezipError(
                    f"the element {chrom[row]}:{start[row]}-{end[row]} has other bases than the "
                    f"segment {segment.name}; labels and genome must be of one build"
                )
            at = int(first[row])
            found[int(row)] = encode(assembly.sequence(segment, at, at + window_bp), segment.name)
    kept = sorted(found)
    measured = table.iloc[kept].reset_index(drop=True)
    measured.insert(0, "example", np.arange(len(measured)))
    measured["fold"] = measured["chrom"].map(chromosome_folds(measured["chrom"], folds))
    return measured, [found[row] for row in kept]
