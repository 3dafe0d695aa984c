"""Gene and variant, or gene and element: the pairs of the tasks eqtl and etgp.

An input runs from the TSS window of the gene to the window of the other side, flanks included.
Columns and rule: the loaders of DNALongBench (doi 10.1038/s41467-025-65077-4); coordinates are
0-based and half-open.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from genezip.errors import GenezipError
from genezip.genome.tabular import read_lines

_TEXT = ("gene_chrom", "gene_strand", "gene_id", "region_chrom", "subset")
_NUMBERS = ("gene_start", "gene_end", "region_start", "region_end")
_SUBSETS = ("train", "valid", "test")
_COORDINATE = "[0-9]{1,12}"  # \d would take the digits of other scripts; more overflow


@dataclass(frozen=True)
class Flanks:
    """Bases around the TSS and the other side, and the longest gap between them (bp)."""

    tss_flank_upstream: int = 3_000
    tss_flank_downstream: int = 3_000
    region_flank_upstream: int = 500
    region_flank_downstream: int = 500
    seq_len_cutoff: int = 450_000


def read_settings(path: Path) -> dict[str, str]:
    """Key -> value of a task's config file: ``key value type`` on a line, split at white space."""
    found = {}
    for number, line in enumerate(read_lines(path), 1):
        cells = line.split()
        if not cells or cells[0].startswith("#"):
            continue
        if len(cells) < 2:
            raise GenezipError(f"line {number} of {path} is no key, value and type; fetch it again")
        found[cells[0]] = cells[1]
    return found


def read_flanks(path: Path | None) -> Flanks:
    """Flanks of a config file; defaults for keys that it lacks, and without a file."""
    settings = {} if path is None else read_settings(path)
    found = {key: settings[key] for key in Flanks.__dataclass_fields__ if key in settings}
    for key, value in found.items():
        if not re.fullmatch(f"-?{_COORDINATE}", value):
            raise GenezipError(
                f"{path} has {key} {value!r}, which is no whole number of at most 12 digits; "
                "fetch it again"
            )
    return Flanks(**{key: int(value) for key, value in found.items()})


def read_pairs(path: Path) -> pd.DataFrame:
    """Validation and test rows of a pair table (TSV with a header, more columns allowed).

    Returns
    -------
    DataFrame
        gene_chrom, gene_strand, gene_id, region_chrom, subset, gene_start, gene_end,
        region_start, region_end, region_id (made of the coordinates where it is missing).

    Raises
    ------
    GenezipError
        If a column is missing, or a row has an empty cell, a wrong number, an end before its
        start, or another subset.
    """
    try:
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, quoting=3)
    except (OSError, ValueError, EOFError) as error:  # pandas: ParserError is a ValueError
        reason = str(error).split("\n", maxsplit=1)[0]
        raise GenezipError(f"{path} cannot be read ({reason}); fetch it again") from None
    missing = [name for name in (*_TEXT, *_NUMBERS) if name not in table]
    if missing:
        raise GenezipError(f"{path} lacks the column {missing[0]}; fetch it again")
    table = table.fillna("")  # a row cut short
    numbers = table[list(_NUMBERS)].apply(lambda column: column.str.fullmatch(_COORDINATE))
    whole = numbers.all(axis=1)
    ends = table[list(_NUMBERS)].where(whole, "0").astype(np.int64)
    backwards = (ends["gene_end"] < ends["gene_start"]) | (
        ends["region_end"] < ends["region_start"]
    )
    no_subset = ~table["subset"].isin(_SUBSETS)
    wrong = ~whole | backwards | no_subset | (table["gene_chrom"] == "")
    if wrong.any():
        raise GenezipError(
            f"line {int(np.flatnonzero(wrong)[0]) + 2} of {path} is malformed (coordinates must be "
            "whole numbers of at most 12 digits, no end before its start, subset one of "
            f"{', '.join(_SUBSETS)}); fetch it again"
        )
    table = table.astype(dict.fromkeys(_NUMBERS, np.int64))
    if "region_id" not in table:
        table["region_id"] = ""
    named = table["region_id"] != ""
    place = (
        table["region_chrom"]
        + ":"
        + table["region_start"].astype(str)
        + "-"
        + table["region_end"].astype(str)
    )
    table["region_id"] = table["region_id"].where(named, place)
    return table[table["subset"] != "train"].reset_index(drop=True)


def pair_spans(pairs: pd.DataFrame, flanks: Flanks) -> pd.DataFrame:
    """Input span of every pair that becomes an input.

    A pair on two chromosomes, of a gene without strand, or with a gap above the cutoff between
    its two windows never becomes one.

    Returns
    -------
    DataFrame
        chrom, start, end (the span; may begin before 0), split, gene_id, region_id,
        tss_start, tss_end, region_start, region_end (the two windows with flanks).
    """
    tss = np.where(pairs["gene_strand"] == "+", pairs["gene_start"], pairs["gene_end"] - 1)
    table = pd.DataFrame(
        {
            "chrom": pairs["gene_chrom"],
            "split": pairs["subset"],
            "gene_id": pairs["gene_id"],
            "region_id": pairs["region_id"],
            "tss_start": tss - flanks.tss_flank_upstream,
            "tss_end": tss + 1 + flanks.tss_flank_downstream,
            "region_start": pairs["region_start"] - flanks.region_flank_upstream,
            "region_end": pairs["region_end"] + flanks.region_flank_downstream,
        }
    )
    table["start"] = table[["tss_start", "region_start"]].min(axis=1)
    table["end"] = table[["tss_end", "region_end"]].max(axis=1)
    gap = table[["tss_start", "region_start"]].max(axis=1) - table[["tss_end", "region_end"]].min(
        axis=1
    )
    used = (
        (pairs["gene_chrom"] == pairs["region_chrom"])
        & pairs["gene_strand"].isin(["+", "-"])
        & (gap <= flanks.seq_len_cutoff)
    )
    return table[used].reset_index(drop=True)
