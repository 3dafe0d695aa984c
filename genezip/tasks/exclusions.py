"""Validation and test inputs of the DNALongBench tasks on hg38, excluded from training.

Files and geometry: Cheng et al. 2025 (doi 10.1038/s41467-025-65077-4) and the deposits
doi:10.7910/DVN/AZM25S (cmp), YUP2G5 (eqtl), CTEQXX (etgp), VXQKWO (tisp) and MNUEZR (rsap).
``<task>.intervals.json`` in the folder lists the small files that a task needs.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pandas as pd

from genezip.corpus.exclusions import EVALUATION_SPLITS, EvaluationIntervals
from genezip.errors import GenezipError
from genezip.formats.chrom_sizes import hg38_sizes
from genezip.genome.names import match_intervals
from genezip.log import quiet
from genezip.tasks import TASKS
from genezip.tasks.deposits import TaskFiles

NO_END = 1 << 62  # bp, beyond the end of any chromosome


def evaluation_intervals(
    names: Iterable[str], folder: str | Path, chrom_sizes: Mapping[str, int]
) -> Iterator[EvaluationIntervals]:
    """The evaluation inputs of tasks, read lazily, one task at a time.

    Inputs that are left out or moved are logged. A split without an input is an error: an exclusion
    that silently excludes nothing would be a leak.

    Parameters
    ----------
    names : of tasks that list such inputs
    folder : holds ``<task>.intervals.json`` and the files it lists (none for tisp)
    chrom_sizes : chromosome -> length (bp) of the genome, which must be hg38 or slices of it
    """
    chosen = list(dict.fromkeys(names))
    if chosen:
        _check_assembly(chrom_sizes)
    for name in chosen:
        found = TASKS[name].evaluation_intervals(Path(folder))
        _check_splits(found, folder)
        yield found


def _check_assembly(chrom_sizes: Mapping[str, int]) -> None:
    """Refuse a genome that is not hg38; ``chrom_sizes`` has full lengths even of sliced genomes."""
    hg38 = pd.DataFrame(
        [(chrom, 0, bp, bp) for chrom, bp in hg38_sizes().items()],
        columns=["chrom", "start", "end", "bp"],
    )
    open_ended = dict.fromkeys(chrom_sizes, NO_END)
    with quiet():  # a genome of slices lacks most chromosomes
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


def on_hg38(
    task: str,
    table: pd.DataFrame,
    widened: Mapping[str, int] | None = None,
    not_lifted: Mapping[str, list[str]] | None = None,
) -> EvaluationIntervals:
    """Intervals on hg38, equal rows once; arguments as of :class:`EvaluationIntervals`."""
    unique = table.drop_duplicates(ignore_index=True)
    return EvaluationIntervals(task, unique, hg38_sizes(), widened or {}, not_lifted or {})


def listed(folder: Path, task: str, *endings: str) -> list[Path]:
    """Files of a task whose path has one of the endings; at least one."""
    listing = folder / f"{task}.intervals.json"
    return TaskFiles.load(listing, f"fetch the intervals of task {task} first").ending(*endings)
