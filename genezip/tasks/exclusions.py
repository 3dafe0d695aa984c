"""Where the validation and test inputs of the DNALongBench tasks lie on hg38.

Files and geometry: Cheng et al. 2025 (doi 10.1038/s41467-025-65077-4) and the deposits
doi:10.7910/DVN/AZM25S (cmp), YUP2G5 (eqtl), CTEQXX (etgp), VXQKWO (tisp) and MNUEZR (rsap).
``<task>.intervals.json`` in the folder lists the small files that a task needs.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from genezip.data.gene_pairs import pair_spans, read_flanks, read_pairs, read_settings
from genezip.data.task_files import TaskFiles
from genezip.errors import GenezipError
from genezip.formats.bed import BED4_SPLIT, read_bed
from genezip.formats.chrom_sizes import hg19_sizes, hg38_sizes
from genezip.genome.lifted_pairs import lift_pairs
from genezip.genome.liftover import Liftover
from genezip.genome.names import match_intervals

SPLITS = ("valid", "test")
TISP = {"chr8": "test", "chr9": "test", "chr10": "valid"}
RSAP_WIDENED = 32_768
"""Bases added on both sides: inputs are 196,608 bp around intervals of 131,072 bp."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Inputs:
    """Validation and test inputs of a task.

    Attributes
    ----------
    table : DataFrame
        chrom, start, end (hg38, 0-based, half-open, may reach beyond the ends of a
        chromosome), split (valid or test), reason. Inputs that are the same come once.
    widened : split -> inputs that were lifted in pieces, which were then widened
    not_lifted : split -> names of inputs that have no place on hg38
    """

    table: pd.DataFrame
    widened: Mapping[str, int] = field(default_factory=Counter)
    not_lifted: Mapping[str, list[str]] = field(default_factory=dict)


def benchmark_inputs(task: str, folder: str | Path, say: Say) -> Inputs:
    """The inputs of one task.

    Parameters
    ----------
    task : cmp, eqtl, etgp, tisp or rsap
    folder : holds ``<task>.intervals.json`` and the files it lists (none for tisp)
    say : callable
        Receives one sentence for what was left out or moved.

    Raises
    ------
    GenezipError
        If a file is missing, malformed or of another assembly, or a split has no input: an
        exclusion that silently excludes nothing would be a leak.
    """
    found = _READERS[task](Path(folder), say)
    for split in SPLITS:
        if (found.table["split"] == split).any():
            continue
        lost = len(found.not_lifted.get(split, []))
        if lost:
            raise GenezipError(
                f"none of the {lost:,} {split} inputs of {task} lifts to hg38; is the table hg19?"
            )
        raise GenezipError(
            f"the files of task {task} in {folder} hold no {split} input; fetch them again"
        )
    unique = found.table.drop_duplicates(ignore_index=True)
    return Inputs(unique, found.widened, found.not_lifted)


def _listed(folder: Path, task: str, *endings: str) -> list[Path]:
    """Files of a task whose path ends so; at least one."""
    listing = folder / f"{task}.intervals.json"
    return TaskFiles.load(listing, f"fetch the intervals of task {task} first").ending(*endings)


def _contact_maps(folder: Path, say: Say) -> Inputs:
    (path,) = _listed(folder, "cmp", "/sequences.bed")[:1]
    return Inputs(_windows(path).assign(reason="contact map window"))


def _activity(folder: Path, say: Say) -> Inputs:
    (path,) = _listed(folder, "rsap", "human/sequences.bed")[:1]
    table = _windows(path)
    return Inputs(
        table.assign(
            start=table["start"] - RSAP_WIDENED,
            end=table["end"] + RSAP_WIDENED,
            reason=f"regulatory activity interval widened by {RSAP_WIDENED}",
        )
    )


def _initiation(folder: Path, say: Say) -> Inputs:
    rows = [
        (chrom, 0, hg38_sizes()[chrom], split, "transcription initiation chromosome")
        for chrom, split in TISP.items()
    ]
    return Inputs(pd.DataFrame(rows, columns=["chrom", "start", "end", "split", "reason"]))


def _windows(path: Path) -> pd.DataFrame:
    """Validation and test rows of a BED with the split in column 4."""
    choices = {"split": ("train", *SPLITS)}
    table = read_bed(path, BED4_SPLIT, choices=choices, todo="fetch it again")
    return table[table["split"].isin(SPLITS)].reset_index(drop=True)


def _eqtl(folder: Path, say: Say) -> Inputs:
    """Spans of gene and variant, table by table (one per tissue)."""
    tables = _listed(folder, "eqtl", ".data.tsv")
    configs = {path.name: path for path in _listed(folder, "eqtl", ".config", ".data.tsv")}
    frames, skipped = [], 0
    for path in tables:
        tissue = path.name.removesuffix(".data.tsv")
        own = configs.get(f"gtex_hg38.{tissue}.config")
        pairs = read_pairs(path)
        spans = pair_spans(pairs, read_flanks(own))
        skipped += len(pairs) - len(spans)
        reason = "gene " + spans["gene_id"] + " with variant " + spans["region_id"]
        frames.append(spans[["chrom", "start", "end", "split"]].assign(reason=reason))
    table = pd.concat(frames, ignore_index=True)
    say(
        f"eqtl: {len(table):,} validation and test rows of {len(tables)} tables; {skipped:,} more "
        "never become inputs (too far apart, two chromosomes, or no strand)"
    )
    return Inputs(table)


def _enhancers(folder: Path, say: Say) -> Inputs:
    """Spans of gene and element, lifted from hg19."""
    (config,) = _listed(folder, "etgp", "CRISPRi_EPI_K562_hg19.config")[:1]
    name = read_settings(config).get("EPI_file")
    if not name:
        raise GenezipError(f"{config} names no EPI_file; fetch it again")
    (path,) = _listed(folder, "etgp", f"/{Path(name).name}")[:1]
    (chain,) = _listed(folder, "etgp", ".chain.gz", ".chain")[:1]
    lift = Liftover(chain, hg19_sizes(), hg38_sizes())
    pairs = read_pairs(path)
    spans = pair_spans(pairs, read_flanks(config))
    skipped = len(pairs) - len(spans)
    if skipped:
        say(
            f"etgp: {skipped:,} validation and test rows never become inputs (too far apart, two "
            "chromosomes, or no strand)"
        )
    lifted = lift_pairs(_named_as_hg19(spans, say), lift, say)
    return Inputs(lifted.table, lifted.widened, lifted.not_lifted)


def _named_as_hg19(spans: pd.DataFrame, say: Say) -> pd.DataFrame:
    """Spans under UCSC's names of chromosomes, which the chains have.

    Those on other sequences stay, so that the liftover counts and names them as lost.
    """
    if spans.empty:
        return spans
    # Without ends: flanks reach beyond a chromosome, and what lies there does not lift.
    open_ended = dict.fromkeys(hg19_sizes(), np.iinfo(np.int64).max)
    known = match_intervals("etgp (hg19)", spans.assign(row=spans.index), open_ended, say)
    others = spans.drop(index=known["row"].to_list())
    return pd.concat([known.drop(columns="row"), others], ignore_index=True)


_READERS: dict[str, Callable[[Path, Say], Inputs]] = {
    "cmp": _contact_maps,
    "eqtl": _eqtl,
    "etgp": _enhancers,
    "tisp": _initiation,
    "rsap": _activity,
}
