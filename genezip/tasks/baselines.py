"""Trivial baselines of every task: what a score is worth that no model stands behind."""

from pathlib import Path

import pandas as pd

from genezip.config.benchmarks import Pairs, Task
from genezip.errors import GenezipError
from genezip.tasks.initiation.baselines import predict_initiation
from genezip.tasks.pairs.baselines import predict_pairs
from genezip.tasks.windows.baselines_activity import predict_activity
from genezip.tasks.windows.contact_baselines import predict_maps


def predict_baselines(
    task: str,
    prepared_manifest: str | Path,
    genome: str | Path,
    subset: str,
    official: str,
    settings: Task,
    seed: int,
    out: str | Path,
    tss: pd.DataFrame | None,
) -> None:
    """Write ``baselines.parquet`` of a task's subset.

    Parameters
    ----------
    task : cmp, eqtl, etgp, tisp or rsap
    prepared_manifest : ``manifest.json`` of the prepared folder
    genome : FASTA (or ``source.json``) that it was prepared with
    subset, official : short name, as in result paths, and name in the deposit
    settings : the task's section
    seed : int
        Which TSSs are taken for ``tss_profile``; nothing else is random.
    out : prediction file to write
    tss : DataFrame or None
        Annotated TSSs for ``tisp``: chrom, position (0-based), strand.

    Raises
    ------
    GenezipError
        If the prepared folder or genome is missing, wrong, or lacks the subset.
    """
    if task in ("eqtl", "etgp"):
        assert isinstance(settings, Pairs)
        predict_pairs(task, subset, prepared_manifest, genome, settings.rules, out)
    elif task == "cmp":
        predict_maps(subset, official, prepared_manifest, genome, out)
    elif task == "tisp":
        predict_initiation(subset, prepared_manifest, genome, seed, out, tss)
    elif task == "rsap":
        predict_activity(subset, prepared_manifest, genome, out)
    else:
        raise GenezipError(
            f"there is no task {task!r}; the tasks are cmp, eqtl, etgp, tisp and rsap"
        )
