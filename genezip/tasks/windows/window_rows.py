"""Rows of ``sequences.bed``: the windows whose records the shards hold, in order.

Four columns without a header (chrom, start, end, split): record *j* of a split is the *j*-th
row of that split (Akita, Fudenberg et al. 2020; Basenji2, Kelley 2020).
"""

from pathlib import Path

import numpy as np
import pandas as pd

from genezip.errors import GenezipError
from genezip.formats.bed import BED4_SPLIT, read_bed
from genezip.genome.assembly import ReferenceGenome
from genezip.genome.intervals import components
from genezip.genome.names import check_ends
from genezip.genome.sources.splits import SPLITS


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
    table = read_bed(path, BED4_SPLIT, choices={"split": SPLITS}, length=window_bp)
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
