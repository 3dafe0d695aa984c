"""Rows of ``sequences.bed``: the windows whose records the shards hold, in order.

Four columns without a header (chrom, start, end, split): record *j* of a split is the *j*-th
row of that split (Akita, Fudenberg et al. 2020; Basenji2, Kelley 2020).
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from genezip.errors import GenezipError
from genezip.formats.lines import opened
from genezip.formats.tabular import explain, read_table, wrong_interval
from genezip.genome.assembly import ReferenceGenome
from genezip.genome.intervals import components
from genezip.genome.names import check_ends
from genezip.genome.sources.splits import SPLITS

_BED4: dict[str, pa.DataType | None] = {
    "chrom": pa.string(),
    "start": pa.int64(),
    "end": pa.int64(),
    "split": pa.string(),
}


def read_rows(path: Path, window_bp: int, genome: ReferenceGenome) -> pd.DataFrame:
    """The stored windows, with the FASTA's names of chromosomes.

    Parameters
    ----------
    path : ``sequences.bed``
    window_bp : int
        Length that every window must have (bp).
    genome : ReferenceGenome

    Returns
    -------
    DataFrame
        example int64 (number in its split, from 0), split, chrom, start, end; rows as in the
        file.

    Raises
    ------
    GenezipError
        For a malformed row, a window of another length or outside its chromosome, a chromosome
        that the FASTA lacks, or a split without a row.
    """

    def wrong(fields: list[str]) -> str | None:
        problem = wrong_interval(fields[1], fields[2], first=0)
        if problem is None and int(fields[2]) - int(fields[1]) != window_bp:
            problem = f"its window is not {window_bp:,} bp long (columns 2 and 3)"
        if problem is None and fields[3] not in SPLITS:
            problem = f"its split {fields[3]!r} is none of {', '.join(SPLITS)} (column 4)"
        return problem

    with opened(path) as file:
        table = read_table(file, _BED4, wrong).to_pandas()
        odd = (
            (table["start"] < 0)
            | (table["end"] - table["start"] != window_bp)
            | ~table["split"].isin(SPLITS)
        )
        if odd.any():
            explain(file, _BED4, wrong)
    missing = [split for split in SPLITS if not (table["split"] == split).any()]
    if missing:
        raise GenezipError(f"{path} has no row of split {missing[0]}; fetch it again")
    names = {chrom: genome.name_of(chrom) for chrom in table["chrom"].unique()}
    table["chrom"] = table["chrom"].map(names)
    check_ends(str(path), table, genome.sizes)
    table.insert(0, "example", table.groupby("split").cumcount().astype(np.int64))
    return table[["example", "split", "chrom", "start", "end"]]


def widened(table: pd.DataFrame, widened_bp: int) -> pd.DataFrame:
    """Input windows of stored windows: longer on both sides, with their loci.

    Parameters
    ----------
    table : DataFrame of :func:`read_rows`
    widened_bp : int
        Bases added on each side; windows may then reach beyond the chromosome.

    Returns
    -------
    DataFrame
        The same rows; start and end moved, and locus int64 (:func:`loci`).
    """
    found = table.assign(start=table["start"] - widened_bp, end=table["end"] + widened_bp)
    return found.assign(locus=loci(found))


def loci(table: pd.DataFrame) -> np.ndarray:
    """Number of the stretch of overlapping windows that each window belongs to.

    Windows of one split and chromosome that overlap, directly or through others, share bases
    and so are no independent examples. Windows that only touch do.

    Parameters
    ----------
    table : DataFrame with split, chrom, start, end

    Returns
    -------
    int64 array, shape (n,)
        From 0, in the order of split name, chromosome name and start.
    """
    groups = table.groupby(["split", "chrom"]).ngroup().to_numpy()
    return components(table["start"].to_numpy(), table["end"].to_numpy(), groups)
