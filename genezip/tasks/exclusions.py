"""The validation and test inputs of the DNALongBench tasks on hg38, which training must not see.

Files and geometry: Cheng et al. 2025 (doi 10.1038/s41467-025-65077-4) and the deposits
doi:10.7910/DVN/AZM25S (cmp), YUP2G5 (eqtl), CTEQXX (etgp), VXQKWO (tisp) and MNUEZR (rsap).
``<task>.intervals.json`` in the folder lists the small files that a task needs.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import pandas as pd

from genezip.corpus.exclusions import EVALUATION_SPLITS, EvaluationIntervals
from genezip.errors import GenezipError
from genezip.formats.bed import BED4_SPLIT, read_bed
from genezip.formats.chrom_sizes import hg19_sizes, hg38_sizes
from genezip.genome.liftover import Liftover, lift_pairs
from genezip.genome.names import match_intervals
from genezip.genome.sources.splits import SPLITS
from genezip.log import quiet
from genezip.tasks.initiation.windows import HELD_OUT
from genezip.tasks.pairs.gene_pairs import pair_spans, read_flanks, read_pairs, read_settings
from genezip.tasks.task_files import TaskFiles

logger = logging.getLogger(__name__)

RSAP_WIDENED = 32_768
"""Bases added on both sides: inputs are 196,608 bp around intervals of 131,072 bp."""

_NO_END = 1 << 62


def evaluation_intervals(
    tasks: Iterable[str],
    folder: str | Path,
    chrom_sizes: Mapping[str, int],
) -> Iterator[EvaluationIntervals]:
    """The evaluation inputs of tasks, each task read when it is asked for.

    What is left out or moved is logged.

    Parameters
    ----------
    tasks : of cmp, eqtl, etgp, tisp and rsap
    folder : holds ``<task>.intervals.json`` and the files it lists (none for tisp)
    chrom_sizes : mapping
        Chromosome -> length (bp) of the genome, which must be hg38 or slices of it.

    Raises
    ------
    GenezipError
        If the genome is not hg38, a file is missing, malformed or of another assembly, or a split
        has no input: an exclusion that silently excludes nothing would be a leak.
    """
    chosen = list(dict.fromkeys(tasks))
    if chosen:
        _check_assembly(chrom_sizes)
    for task in chosen:
        found = _READERS[task](Path(folder))
        _check_splits(found, folder)
        yield found


def _check_assembly(chrom_sizes: Mapping[str, int]) -> None:
    """The tasks are in hg38, and ``chrom_sizes`` has true lengths, also of a genome of slices."""
    hg38 = pd.DataFrame(
        [(chrom, 0, bp, bp) for chrom, bp in hg38_sizes().items()],
        columns=["chrom", "start", "end", "bp"],
    )
    open_ended = dict.fromkeys(chrom_sizes, _NO_END)
    with quiet():  # a genome of slices lacks most of them
        hg38 = match_intervals("the list of DNALongBench (hg38)", hg38, open_ended)
    for chrom, bp in zip(hg38["chrom"], hg38["bp"], strict=True):
        if chrom_sizes[chrom] != bp:
            raise GenezipError(
                f"leakage.tasks are intervals of hg38, where {chrom} has {bp:,} bp, but the genome "
                f"has {chrom_sizes[chrom]:,}; use hg38 or set leakage.tasks to []"
            )


def _check_splits(found: EvaluationIntervals, folder: str | Path) -> None:
    """Refuse a task without an input in one of its splits."""
    for split in EVALUATION_SPLITS:
        if (found.table["split"] == split).any():
            continue
        lost = len(found.not_lifted.get(split, []))
        if lost:
            raise GenezipError(
                f"none of the {lost:,} {split} inputs of {found.task} lifts to hg38; is the table "
                "hg19?"
            )
        raise GenezipError(
            f"the files of task {found.task} in {folder} hold no {split} input; fetch them again"
        )


def _on_hg38(
    task: str,
    table: pd.DataFrame,
    widened: Mapping[str, int] | None = None,
    not_lifted: Mapping[str, list[str]] | None = None,
) -> EvaluationIntervals:
    unique = table.drop_duplicates(ignore_index=True)
    return EvaluationIntervals(task, unique, hg38_sizes(), widened or {}, not_lifted or {})


def _listed(folder: Path, task: str, *endings: str) -> list[Path]:
    """Files of a task whose path ends so; at least one."""
    listing = folder / f"{task}.intervals.json"
    return TaskFiles.load(listing, f"fetch the intervals of task {task} first").ending(*endings)


def _contact_maps(folder: Path) -> EvaluationIntervals:
    (path,) = _listed(folder, "cmp", "/sequences.bed")[:1]
    return _on_hg38("cmp", _windows(path).assign(reason="contact map window"))


def _activity(folder: Path) -> EvaluationIntervals:
    (path,) = _listed(folder, "rsap", "human/sequences.bed")[:1]
    table = _windows(path)
    return _on_hg38(
        "rsap",
        table.assign(
            start=table["start"] - RSAP_WIDENED,
            end=table["end"] + RSAP_WIDENED,
            reason=f"regulatory activity interval widened by {RSAP_WIDENED}",
        ),
    )


def _initiation(folder: Path) -> EvaluationIntervals:
    rows = [
        (chrom, 0, hg38_sizes()[chrom], split, "transcription initiation chromosome")
        for chrom, split in HELD_OUT.items()
    ]
    columns = ["chrom", "start", "end", "split", "reason"]
    return _on_hg38("tisp", pd.DataFrame(rows, columns=columns))


def _windows(path: Path) -> pd.DataFrame:
    """Validation and test rows of a BED with the split in column 4."""
    table = read_bed(path, BED4_SPLIT, choices={"split": SPLITS}, todo="fetch it again")
    return table[table["split"].isin(EVALUATION_SPLITS)].reset_index(drop=True)


def _eqtl(folder: Path) -> EvaluationIntervals:
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
    logger.info(
        f"eqtl: {len(table):,} validation and test rows of {len(tables)} tables; {skipped:,} more "
        "never become inputs (too far apart, two chromosomes, or no strand)"
    )
    return _on_hg38("eqtl", table)


def _enhancers(folder: Path) -> EvaluationIntervals:
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
        logger.info(
            f"etgp: {skipped:,} validation and test rows never become inputs (too far apart, two "
            "chromosomes, or no strand)"
        )
    lifted = lift_pairs(_named_as_hg19(spans), lift)
    return _on_hg38("etgp", lifted.table, lifted.widened, lifted.not_lifted)


def _named_as_hg19(spans: pd.DataFrame) -> pd.DataFrame:
    """Spans under UCSC's names of chromosomes, which the chains have.

    Those on other sequences stay, so that the liftover counts and names them as lost.
    """
    if spans.empty:
        return spans
    # without ends: flanks reach beyond a chromosome, and what lies there does not lift
    open_ended = dict.fromkeys(hg19_sizes(), _NO_END)
    known = match_intervals("etgp (hg19)", spans.assign(row=spans.index), open_ended)
    others = spans.drop(index=known["row"].to_list())
    return pd.concat([known.drop(columns="row"), others], ignore_index=True)


_READERS: dict[str, Callable[[Path], EvaluationIntervals]] = {
    "cmp": _contact_maps,
    "eqtl": _eqtl,
    "etgp": _enhancers,
    "tisp": _initiation,
    "rsap": _activity,
}
