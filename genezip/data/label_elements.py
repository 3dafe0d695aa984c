"""Regulatory elements with their sequence: promoter, enhancer, open chromatin."""

from pathlib import Path

import numpy as np
import pandas as pd

from genezip.errors import GenezipError
from genezip.vocab import encode

CLASSES = ("promoter", "enhancer", "ocr")
COLUMNS = ("chrom", "start", "end", "label", "split", "sequence")


def read_elements(path: Path, locus_bp: int, folds: int) -> pd.DataFrame:
    """Read the elements (Ensembl regulatory build, in the split of Genomic Benchmarks).

    Parameters
    ----------
    path : TSV with the columns chrom, start, end (0-based, half-open), label, split, sequence
    locus_bp : length of a locus (bp)
    folds : number of chromosome folds

    Returns
    -------
    DataFrame
        ``example`` (row number), chrom, start, end, split (train or test), sequence,
        ``class`` int64 (place in :data:`CLASSES`), ``locus`` str (chromosome and number of the
        block that holds the start), ``fold`` int64 (:func:`chromosome_folds`).

    Raises
    ------
    GenezipError
        If columns are missing, a label or split is unknown, or a sequence has another length
        than its interval.
    """
    try:
        table = pd.read_csv(path, sep="\t", dtype={"chrom": str, "sequence": str})
    except (ValueError, OSError, pd.errors.ParserError) as error:
        raise GenezipError(f"{path} cannot be read ({error}); fetch the labels again") from None
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise GenezipError(f"{path} lacks the column {missing[0]}; fetch the labels again")
    for name, known in (("label", CLASSES), ("split", ("train", "test"))):
        odd = set(table[name]) - set(known)
        if odd:
            raise GenezipError(
                f"{path} has the {name} {min(map(str, odd))!r}; use {', '.join(known)}"
            )
    wrong = table["sequence"].str.len() != table["end"] - table["start"]
    if wrong.any():
        row = table[wrong].iloc[0]
        raise GenezipError(
            f"{path}: the sequence of {row['chrom']}:{row['start']}-{row['end']} has "
            f"{len(row['sequence'])} bases; fetch the labels again"
        )
    table = table.reset_index(drop=True)
    table.insert(0, "example", np.arange(len(table)))
    table["class"] = table["label"].map({name: place for place, name in enumerate(CLASSES)})
    table["locus"] = table["chrom"] + ":" + (table["start"] // locus_bp).astype(str)
    table["fold"] = table["chrom"].map(chromosome_folds(table["chrom"], folds))
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


def element_ids(table: pd.DataFrame) -> list[np.ndarray]:
    """Token ids (uint8) of every sequence."""
    return [encode(text, "element") for text in table["sequence"]]
