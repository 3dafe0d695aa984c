"""CRISPRi enhancer-gene pairs of the ENCODE-rE2G benchmark (Gschwind et al.)."""

from pathlib import Path

import numpy as np
import pandas as pd

from genezip.artifacts.tables import read_tsv
from genezip.errors import GenezipError
from genezip.genome.assembly import Assembly
from genezip.tasks.task_files import FETCH

COLUMNS = (
    "chrom",
    "chromStart",
    "chromEnd",
    "chrTSS",
    "startTSS",
    "endTSS",
    "measuredGeneEnsemblId",
    "measuredGeneSymbol",
    "CellType",
    "Regulated",
)


def read_screens(train: Path, test: Path) -> pd.DataFrame:
    """Pairs of the training screen (K562) and of the held-out screens.

    Returns
    -------
    DataFrame
        ``example`` (row number), ``split`` (train or test), cell_type, gene (Ensembl id, or the
        symbol where there is none), chrom, start, end of the element (0-based, half-open), tss
        (0-based), ``distance`` int64 (bp from the middle of the element to the TSS), ``label``
        int64 (1: the screen found regulation).

    Raises
    ------
    GenezipError
        If a file lacks a column, or a row has a coordinate that is no whole number from 0 on, an
        end before its start, a TSS on another chromosome, no gene or no cell type, or a value of
        ``Regulated`` that is neither TRUE nor FALSE.
    """
    found = [_read(path, split) for path, split in ((train, "train"), (test, "test"))]
    table = pd.concat(found, ignore_index=True)
    table.insert(0, "example", np.arange(len(table)))
    return table


def _read(path: Path, split: str) -> pd.DataFrame:
    raw = read_tsv(path, COLUMNS, None, *FETCH)
    odd = set(raw["Regulated"].dropna()) - {"TRUE", "FALSE"}
    if odd or raw["Regulated"].isna().any():
        raise GenezipError(f"{path}: Regulated must be TRUE or FALSE; fetch the labels again")
    start, end, tss = (_places(path, raw[name]) for name in ("chromStart", "chromEnd", "startTSS"))
    gene = raw["measuredGeneEnsemblId"].fillna(raw["measuredGeneSymbol"])
    _refuse(path, end < start, "an element that ends before it starts")
    _refuse(path, raw["chrom"].isna(), "no chromosome")
    _refuse(path, raw["chrTSS"] != raw["chrom"], "its TSS on another chromosome than its element")
    _refuse(path, gene.isna(), "no gene, neither an Ensembl id nor a symbol")
    _refuse(path, raw["CellType"].isna(), "no cell type")
    return pd.DataFrame(
        {
            "split": split,
            "cell_type": raw["CellType"],
            "gene": gene,
            "chrom": raw["chrom"],
            "start": start,
            "end": end,
            "tss": tss,
            "distance": ((start + end) // 2 - tss).abs(),
            "label": (raw["Regulated"] == "TRUE").astype(np.int64),
        }
    )


def _places(path: Path, column: pd.Series) -> pd.Series:
    """Whole numbers from 0 on, as int64."""
    _refuse(path, ~column.str.fullmatch(r"[0-9]{1,18}").eq(True), f"no whole {column.name}")
    return column.astype(np.int64)


def _refuse(path: Path, wrong: pd.Series, what: str) -> None:
    if wrong.any():
        line = int(np.argmax(wrong.to_numpy())) + 2  # the first line is the header
        raise GenezipError(f"line {line} of {path} has {what}; fetch the labels again")


def inside_segments(pairs: pd.DataFrame, assembly: Assembly) -> np.ndarray:
    """Whether element and TSS of a pair lie in one segment of the genome (bool, one per pair)."""
    found = np.zeros(len(pairs), dtype=bool)
    low = np.minimum(pairs["start"].to_numpy(), pairs["tss"].to_numpy())
    high = np.maximum(pairs["end"].to_numpy(), pairs["tss"].to_numpy() + 1)
    chrom = pairs["chrom"].to_numpy()
    for segment in assembly.segments:
        found |= (chrom == segment.chrom) & (low >= segment.start) & (high <= segment.end)
    return found
