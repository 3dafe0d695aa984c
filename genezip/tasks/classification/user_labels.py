"""Labels of a user: a score table from one YAML file that names labels and models."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd

from genezip import config
from genezip.artifacts.files import write_text
from genezip.artifacts.scores import FLOOR_SHARE, SOLVED, TASK_SCORES
from genezip.errors import GenezipError
from genezip.tasks.base import NotMeasured
from genezip.tasks.classification.audit import audit
from genezip.tasks.classification.sets import read_intervals, read_sequences
from genezip.tasks.classification.splits import LOCUS_BP
from genezip.tasks.classification.task import LabelledSequences
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.examples import Prepared
from genezip.tasks.measure import measure

logger = logging.getLogger(__name__)

HEADLINE = "mcc"
SCORES, PREDICTIONS, AUDIT = "scores.tsv", "predictions.parquet", "audit.txt"


class UserTask(LabelledSequences):
    """The task of a user's labelled set; ``name`` is that in the score table."""

    settings = config.UserLabels

    def __init__(self, name: str, table: pd.DataFrame) -> None:
        self.name = self.own_subset = name
        self._table = table

    def read(self, files: TaskFiles, genome: Path, subset: str, settings: Any) -> pd.DataFrame:
        """A copy of the table."""
        return self._table.copy()

    def prepare(self, files: TaskFiles, *given: Any) -> Prepared:
        """As of :class:`LabelledSequences`; labels that cannot train a probe are an error."""
        try:
            return super().prepare(files, *given)
        except NotMeasured as error:
            raise GenezipError(
                f"the labels of {files.listing} cannot train a probe: {error}; add rows of every "
                f"class from other groups (the column `group`, else {LOCUS_BP:,} bp of a "
                "chromosome, else families of alike sequences), or name other schemes"
            ) from None


def run_user_labels(path: Path, out: Path) -> pd.DataFrame:
    """Audit a labelled set, and score probes on frozen models beside baselines.

    ``path`` is a YAML file with the keys of :class:`genezip.config.UserLabels`; the folder ``out``
    gets ``scores.tsv``, whose content is returned, ``predictions.parquet`` and ``audit.txt``.
    """
    settings = config.parse(config.UserLabels, config.read_yaml(path), str(path))
    labels, fasta = (
        None if name is None else path.parent / name for name in (settings.labels, settings.fasta)
    )
    assert labels is not None
    if fasta is not None:
        table = read_intervals(labels, fasta, settings.label)
    else:
        table = read_sequences([labels], settings.label)
    found = audit(table)
    write_text(out / AUDIT, found.text())
    for sentence in found.verdict:
        logger.info(sentence)
    schemes = settings.schemes or default_schemes(table, settings.folds)
    settings = settings.model_copy(update={"schemes": schemes})
    # a folder beside the YAML file, else any other name of a model
    models = [
        path.parent / name if (path.parent / name).exists() else name for name in settings.models
    ]
    files = TaskFiles(path, tuple(one for one in (labels, fasta) if one is not None), {})
    task = UserTask(path.stem, table)
    results = (out / SCORES, out / PREDICTIONS)
    measure(task, files, None, models, settings.control, settings, "full", *results)
    return TASK_SCORES.read(results[0])


def default_schemes(table: pd.DataFrame, folds: int) -> list[str]:
    """Split schemes of a set without ``schemes``: the strictest possible ones."""
    if (table["split"] == "test").any():
        return ["official", "unseen"]
    if "chrom" in table and table["chrom"].nunique() >= folds:
        return ["chromosome"]
    return ["family"]


def headline(scores: pd.DataFrame) -> str:
    """The printed table: a line per method and split scheme, then baselines that solve one.

    The columns are split, model, mcc with its interval, n (test rows), units, and for models bpt
    (bases per token) and floor_forced_share (share of test rows in which the floor made tokens).
    """
    key = ["rule", "model", "seed"]
    shown = scores.loc[scores["metric"] == HEADLINE]
    marks = shown[["rule", "note"]].drop_duplicates("rule").itertuples(index=False)
    shown = shown[[*key, "value", "ci_low", "ci_high", "n", "units"]]
    for metric in ("bpt", FLOOR_SHARE):
        facts = scores.loc[scores["metric"] == metric, [*key, "value"]]
        shown = shown.merge(facts.rename(columns={"value": metric}), how="left", on=key)
    shown = shown.drop(columns="seed").rename(columns={"rule": "split", "value": HEADLINE})
    lines = [shown.to_string(index=False, float_format="%.3f", na_rep="")]
    for rule, note in marks:
        if str(note).startswith(SOLVED):
            lines.append(f"split {rule} is {note.partition(';')[0]}")
    return "\n".join(lines)
