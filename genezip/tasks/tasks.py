"""The five tasks by name: which loader, which features, which FASTA."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pandas as pd

from genezip import config
from genezip.errors import GenezipError
from genezip.genome.assembly import ReferenceGenome
from genezip.models.base import Compressor
from genezip.models.token_counts import with_vectors
from genezip.tasks.task_files import TaskFiles

TASKS = ("cmp", "eqtl", "etgp", "tisp", "rsap")
PAIRS = ("eqtl", "etgp")

FASTA = {
    "eqtl": ("eQTL/seqs/hg38.fa", "eQTL/seqs/hg38.fa.gz"),
    "etgp": ("hg19.fa", "hg19.fa.gz"),
    "tisp": (".primary_assembly.fa", ".primary_assembly.fa.gz"),
    "rsap": ("human/seqs/hg38.ml.fa", "human/seqs/hg38.ml.fa.gz"),
}
"""How the path of a deposit's FASTA ends; contact maps come without one."""


def known_task(task: str, among: Sequence[str] = TASKS) -> str:
    """The name itself, if it is one of the tasks.

    Raises
    ------
    GenezipError
        If it is not.
    """
    if task not in among:
        raise GenezipError(f"{task!r} is no task here; use one of {', '.join(among)}")
    return task


def prepare_task(
    task: str,
    subset: str,
    files: TaskFiles,
    genome: ReferenceGenome,
    manifest: Path,
    settings: config.Task,
    seed: int,
) -> None:
    """Convert the deposited files of a task.

    Parameters
    ----------
    subset : official name; ``all``, or the name of any subset, for cmp and tisp, whose subsets read
        the same folder

    Raises
    ------
    GenezipError
        For an unknown subset, or files that are missing, wrong or damaged.
    """
    if task in ("cmp", "tisp"):
        known = list(dict.fromkeys(["all", *settings.subsets, *settings.subsets.values()]))
        if subset not in known:
            raise GenezipError(
                f"{task} has no subset {subset!r}; name one with --subset (it has "
                f"{', '.join(known)})"
            )
    if task == "cmp":
        from genezip.tasks.windows.contact_maps import prepare_contact_maps

        prepare_contact_maps(files, genome, manifest)
    elif task == "rsap":
        from genezip.tasks.windows.regulatory_activity import prepare_activity

        prepare_activity(files, subset, genome, manifest)
    elif task == "tisp":
        from genezip.tasks.initiation.examples import prepare_initiation

        assert isinstance(settings, config.Initiation)
        prepare_initiation(files, genome, manifest, seed, settings.train_windows)
    else:
        from genezip.tasks.pairs.examples import prepare_pairs

        assert isinstance(settings, config.Pairs)
        prepare_pairs(task, subset, files, genome, manifest, settings.folds, seed)


def compute_features(
    task: str,
    compressor: Compressor,
    data: Path,
    genome: Path,
    input: Literal["authors", "full"],
    settings: config.Task,
    manifest: Path,
) -> None:
    """Cached features of a frozen model for one task and input.

    Of a system without vectors they are counts of its token ids.

    Raises
    ------
    GenezipError
        For initiation, whose features are one vector per base: 100,000 windows of 100,000 bases
        would fill petabytes, so its heads learn with the model in memory. For a system with
        neither vectors nor token ids.
    """
    if task == "tisp":
        raise GenezipError(
            "features of tisp are one vector per base and are not cached; use the mode head_only"
        )
    compressor = with_vectors(compressor)
    if task in PAIRS:
        from genezip.tasks.pairs.examples import PairExamples
        from genezip.tasks.pairs.features import compute_pair_features

        compute_pair_features(compressor, PairExamples.load(data, genome), input, manifest)
        return
    from genezip.tasks.windows.bins import CMP_AUTHORS, CMP_FULL, RSAP
    from genezip.tasks.windows.examples import WindowExamples
    from genezip.tasks.windows.features import compute_window_features

    bins = RSAP if task == "rsap" else CMP_AUTHORS if input == "authors" else CMP_FULL
    assert isinstance(settings, config.ContactMaps | config.Activity)
    layer = "states" if input == "authors" else settings.tap
    windows = WindowExamples.load(data, genome)
    compute_window_features(compressor, windows, bins, input, layer, manifest)


def annotated_tss(source: Path, transcripts: str, gene_types: Sequence[str] | None) -> pd.DataFrame:
    """Annotated TSSs of a source of DNA.

    Returns
    -------
    DataFrame
        chrom, position (0-based), strand; each TSS once.
    """
    from typing import cast

    from genezip.formats.genes.rows import Transcripts
    from genezip.genome.sources.source import Source

    found = Source.load(source).annotations(cast(Transcripts, transcripts), gene_types)
    columns = ["chrom", "position", "strand"]
    tables = [annotation.tss()[columns] for annotation in found.values()]
    return pd.concat(tables, ignore_index=True).drop_duplicates(ignore_index=True)
