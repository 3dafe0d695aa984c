"""Gene and variant, or gene and element: the pairs of the tasks eqtl and etgp.

An input runs from the TSS window of the gene to the window of the other side, flanks included.
Columns and spans are those of the loaders of DNALongBench (doi 10.1038/s41467-025-65077-4);
coordinates are 0-based and half-open.
"""

import logging
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from genezip.corpus.exclusions import EvaluationIntervals
from genezip.errors import GenezipError
from genezip.formats.chrom_sizes import hg19_sizes, hg38_sizes
from genezip.formats.lines import read_rows
from genezip.genome.liftover import Liftover, lift_pairs
from genezip.genome.names import match_intervals
from genezip.genome.sources.splits import SPLITS
from genezip.tasks.exclusions import NO_END, listed, on_hg38

logger = logging.getLogger(__name__)

_TEXT = ("gene_chrom", "gene_strand", "gene_id", "region_chrom", "subset")
_NUMBERS = ("gene_start", "gene_end", "region_start", "region_end")
TWO_CHROMOSOMES = "gene and region on two chromosomes"
NO_STRAND = "gene without strand"
TOO_FAR = "windows further apart than the cutoff"
_COORDINATE = "[0-9]{1,12}"  # \d would take the digits of other scripts; more overflow


@dataclass(frozen=True)
class Flanks:
    """Flanks of the TSS and of the variant or element, and the longest gap between them (bp)."""

    tss_flank_upstream: int = 3_000
    tss_flank_downstream: int = 3_000
    region_flank_upstream: int = 500
    region_flank_downstream: int = 500
    seq_len_cutoff: int = 450_000


def read_settings(path: Path) -> dict[str, str]:
    """Key -> value of a task's config file: ``key value type`` on a line, split at white space."""
    found = {}
    for number, line in read_rows(path):
        cells = line.split()
        if len(cells) < 2:
            raise GenezipError(f"line {number} of {path} is no key, value and type; fetch it again")
        found[cells[0]] = cells[1]
    return found


def read_flanks(path: Path | None) -> Flanks:
    """Flanks of a config file; defaults for keys that it lacks, and without a file."""
    settings = {} if path is None else read_settings(path)
    found = {key: settings[key] for key in Flanks.__dataclass_fields__ if key in settings}
    for key, value in found.items():
        if not re.fullmatch(_COORDINATE, value):
            raise GenezipError(
                f"{path} has {key} {value!r}, which is no whole number of at most 12 digits, 0 or "
                "more; fetch it again"
            )
    return Flanks(**{key: int(value) for key, value in found.items()})


def read_pair_table(path: Path, more: tuple[str, ...] = ()) -> pd.DataFrame:
    """All rows of a pair table (TSV with a header, more columns allowed), in its order.

    The columns are gene_chrom, gene_strand, gene_id, region_chrom, subset (text), gene_start,
    gene_end, region_start, region_end (int64), region_id (from the coordinates where it is
    missing), and the table's other columns as text, of which ``more`` must be there. Row i stands
    on line i + 2 of the file.
    """
    table = _cells(path)
    missing = [name for name in (*_TEXT, *_NUMBERS, *more) if name not in table]
    if missing:
        raise GenezipError(f"{path} lacks the column {missing[0]}; fetch it again")
    if table.empty:
        raise GenezipError(f"{path} has a header and no row; fetch it again")
    table = table.fillna("")  # a row cut short
    numbers = table[list(_NUMBERS)].apply(lambda column: column.str.fullmatch(_COORDINATE))
    whole = numbers.all(axis=1)
    ends = table[list(_NUMBERS)].where(whole, "0").astype(np.int64)
    backwards = (ends["gene_end"] < ends["gene_start"]) | (
        ends["region_end"] < ends["region_start"]
    )
    no_subset = ~table["subset"].isin(SPLITS)
    wrong = ~whole | backwards | no_subset | (table["gene_chrom"] == "")
    if wrong.any():
        raise GenezipError(
            f"line {int(np.flatnonzero(wrong)[0]) + 2} of {path} is malformed (coordinates must be "
            "whole numbers of at most 12 digits, no end before its start, subset one of "
            f"{', '.join(SPLITS)}); fetch it again"
        )
    table = table.astype(dict.fromkeys(_NUMBERS, np.int64))
    if "region_id" not in table:
        table["region_id"] = ""
    named = table["region_id"] != ""
    coordinates = (
        table["region_chrom"]
        + ":"
        + table["region_start"].astype(str)
        + "-"
        + table["region_end"].astype(str)
    )
    table["region_id"] = table["region_id"].where(named, coordinates)
    return table


def _cells(path: Path) -> pd.DataFrame:
    """The text of every cell. Rows may have one more tab than the header, with nothing after it."""
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", pd.errors.ParserWarning)
            # index_col: rows longer than the header would lose their first cell to the index
            table = pd.read_csv(
                path, sep="\t", dtype=str, keep_default_na=False, quoting=3, index_col=False
            )
    except (OSError, ValueError, EOFError) as error:  # pandas: ParserError is a ValueError
        reason = str(error).split("\n", maxsplit=1)[0]
        raise GenezipError(f"{path} cannot be read ({reason}); fetch it again") from None
    if warned:  # cells beyond the header were left out
        for number, line in read_rows(path):
            if any(line.split("\t")[len(table.columns) :]):
                raise GenezipError(
                    f"line {number} of {path} is malformed (it has more cells than the header's "
                    f"{len(table.columns)}); fetch it again"
                )
    return table


def read_pairs(path: Path) -> pd.DataFrame:
    """Validation and test rows of a pair table, as :func:`read_pair_table` gives them."""
    table = read_pair_table(path)
    return table[table["subset"] != "train"].reset_index(drop=True)


def pair_windows(pairs: pd.DataFrame, flanks: Flanks) -> pd.DataFrame:
    """Coordinates of the two windows of every row, whether or not it becomes an input.

    Int64 columns on the index of ``pairs``: tss, tss_start, tss_end, region_start, region_end (the
    two windows with flanks), start, end (from the first base of either to the last; may begin
    before 0), gap (bases between them; negative where they overlap).
    """
    plus = pairs["gene_strand"] == "+"
    tss = pairs["gene_start"].where(plus, pairs["gene_end"] - 1)
    table = pd.DataFrame(
        {
            "tss": tss,
            "tss_start": tss - flanks.tss_flank_upstream,
            "tss_end": tss + 1 + flanks.tss_flank_downstream,
            "region_start": pairs["region_start"] - flanks.region_flank_upstream,
            "region_end": pairs["region_end"] + flanks.region_flank_downstream,
        }
    )
    starts, ends = table[["tss_start", "region_start"]], table[["tss_end", "region_end"]]
    return table.assign(
        start=starts.min(axis=1), end=ends.max(axis=1), gap=starts.max(axis=1) - ends.min(axis=1)
    )


def between_windows(tss: tuple[int, int], region: tuple[int, int]) -> tuple[int, int]:
    """The stretch between two windows, flanks included: (start, end), start 0 or more.

    It is empty, start == end, where they touch or overlap.
    """
    start, end = (region[1], tss[0]) if tss[0] > region[1] else (tss[1], region[0])
    start = max(start, 0)
    return start, max(start, end)


def why_dropped(pairs: pd.DataFrame, windows: pd.DataFrame, flanks: Flanks) -> pd.Series:
    """Reason why a row cannot become an input; empty text where it can.

    Of several reasons, two chromosomes take precedence, then a missing strand, then a long gap.
    """
    reason = pd.Series("", index=pairs.index, dtype=object)
    reason = reason.mask(windows["gap"] > flanks.seq_len_cutoff, TOO_FAR)
    reason = reason.mask(~pairs["gene_strand"].isin(["+", "-"]), NO_STRAND)
    return reason.mask(pairs["gene_chrom"] != pairs["region_chrom"], TWO_CHROMOSOMES)


def pair_spans(pairs: pd.DataFrame, flanks: Flanks) -> pd.DataFrame:
    """Input span of every pair that becomes an input (see :func:`why_dropped`).

    The columns are chrom, start, end (the span; may begin before 0), split, gene_id, region_id,
    tss_start, tss_end, region_start, region_end (the two windows with flanks).
    """
    windows = pair_windows(pairs, flanks)
    names = pairs[["gene_chrom", "subset", "gene_id", "region_id"]]
    table = names.rename(columns={"gene_chrom": "chrom", "subset": "split"})
    table = table.join(windows.drop(columns=["tss", "gap"]))
    return table[why_dropped(pairs, windows, flanks) == ""].reset_index(drop=True)


def eqtl_intervals(folder: Path) -> EvaluationIntervals:
    """Spans of gene and variant, table by table (one per tissue)."""
    tables = listed(folder, "eqtl", ".data.tsv")
    configs = {path.name: path for path in listed(folder, "eqtl", ".config", ".data.tsv")}
    frames, skipped = [], 0
    for path in tables:
        tissue = path.name.removesuffix(".data.tsv")
        config = configs.get(f"gtex_hg38.{tissue}.config")
        pairs = read_pairs(path)
        spans = pair_spans(pairs, read_flanks(config))
        skipped += len(pairs) - len(spans)
        reason = "gene " + spans["gene_id"] + " with variant " + spans["region_id"]
        frames.append(spans[["chrom", "start", "end", "split"]].assign(reason=reason))
    table = pd.concat(frames, ignore_index=True)
    logger.info(
        f"eqtl: {len(table):,} validation and test rows of {len(tables)} tables; {skipped:,} more "
        "never become inputs (too far apart, two chromosomes, or no strand)"
    )
    return on_hg38("eqtl", table)


def etgp_intervals(folder: Path) -> EvaluationIntervals:
    """Spans of gene and element, lifted from hg19."""
    (config,) = listed(folder, "etgp", "CRISPRi_EPI_K562_hg19.config")[:1]
    name = read_settings(config).get("EPI_file")
    if not name:
        raise GenezipError(f"{config} names no EPI_file; fetch it again")
    (path,) = listed(folder, "etgp", f"/{Path(name).name}")[:1]
    (chain,) = listed(folder, "etgp", ".chain.gz", ".chain")[:1]
    lift = Liftover(chain, hg19_sizes(), hg38_sizes())
    pairs = read_pairs(path)
    spans = pair_spans(pairs, read_flanks(config))
    skipped = len(pairs) - len(spans)
    if skipped:
        logger.info(
            f"etgp: {skipped:,} validation and test rows never become inputs (too far apart, two "
            "chromosomes, or no strand)"
        )
    lifted = lift_pairs(_named_as_hg19(spans), lift)
    return on_hg38("etgp", lifted.table, lifted.widened, lifted.not_lifted)


def _named_as_hg19(spans: pd.DataFrame) -> pd.DataFrame:
    """Spans with UCSC's chromosome names, as in the chains.

    Spans on other sequences stay, so that the liftover counts and names them as lost.
    """
    if spans.empty:
        return spans
    # without ends: flanks reach beyond a chromosome, and what lies there does not lift
    open_ended = dict.fromkeys(hg19_sizes(), NO_END)
    known = match_intervals("etgp (hg19)", spans.assign(row=spans.index), open_ended)
    others = spans.drop(index=known["row"].to_list())
    return pd.concat([known.drop(columns="row"), others], ignore_index=True)
