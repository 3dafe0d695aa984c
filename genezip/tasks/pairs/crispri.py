"""CRISPRi enhancer-gene pairs: distance alone, on every pair.

A model needs element and TSS in one sequence. On a genome of short segments almost no pair has
both, so its cells are empty and say how many have.
"""

import logging

import numpy as np
import pandas as pd

from genezip.artifacts.scores import TASK_SCORES
from genezip.genome.sources.source import Source
from genezip.metrics.bootstrap import BlockBootstrap
from genezip.metrics.ranking import auprc, auroc
from genezip.tasks.base import Method, baseline_method
from genezip.tasks.pairs.label_pairs import inside_segments, read_screens
from genezip.tasks.predictions import PredictionWriter
from genezip.tasks.real_run import LabelRun, model_method
from genezip.tasks.scores import Sheet, ranked_support

logger = logging.getLogger(__name__)

PART, ALL = "enhancer_gene", "all"
METRICS = {"auroc": auroc, "auprc": auprc}


def measure_enhancer_gene(run: LabelRun) -> None:
    """Write scores and predictions of the part ``enhancer_gene``."""
    if reason := run.absent(PART):
        run.give_up(PART, reason)
        return
    files = run.files()
    pairs = read_screens(files.one("screen.train.tsv.gz"), files.one("screen.test.tsv.gz"))
    inside = inside_segments(pairs, Source.load(run.source).assembly())
    prior = float(pairs.loc[pairs["split"] == "train", "label"].mean())
    scores = {"distance": -pairs["distance"].to_numpy(dtype=np.float64)}
    scores["class_prior"] = np.full(len(pairs), prior)
    both = f"{int(inside.sum())} of {len(pairs):,} pairs"
    note = f"only {both} have element and TSS in one sequence of this run"
    sheets = []
    with PredictionWriter(run.predictions, None, "scalar") as writer:
        for split, subset, rows in _sets(pairs):
            chosen = pairs[rows]
            truth, genes = chosen["label"].to_numpy(), chosen["gene"].to_numpy()
            bootstrap = BlockBootstrap(genes, run.settings.bootstrap, run.settings.seed)
            sheet = Sheet(bootstrap, "genes", "paper", split, run.scale)
            for name, values in scores.items():
                method = baseline_method(name, PART, subset)
                _score(sheet, method, truth, values[rows])
                if split == "test" and subset == ALL:
                    writer.add(
                        method=method,
                        split=split,
                        example=chosen["example"].to_numpy(),
                        group=genes,
                        target=truth,
                        prediction=values[rows],
                    )
            if split == "test" and subset == ALL:
                for model in run.compressors():
                    for metric in METRICS:
                        sheet.add(model_method(model, PART, subset), metric, None, 0, note=note)
            sheets.append(sheet)
    logger.info(f"labels: enhancer_gene: {len(pairs):,} pairs; {note}")
    TASK_SCORES.write(run.out, [row for sheet in sheets for row in sheet.rows(run.control)])


def _sets(pairs: pd.DataFrame) -> list[tuple[str, str, np.ndarray]]:
    """Held-out pairs together and by cell type, then the training screen."""
    test = (pairs["split"] == "test").to_numpy()
    found = [("test", ALL, test)]
    for name in sorted(pairs.loc[test, "cell_type"].unique()):
        found.append(("test", str(name), test & (pairs["cell_type"] == name).to_numpy()))
    return [*found, ("train", ALL, ~test)]


def _score(sheet: Sheet, method: Method, truth: np.ndarray, values: np.ndarray) -> None:
    """AUROC and average precision, ties counted as scikit-learn does."""
    positives = int(truth.sum())
    for name, function in METRICS.items():
        if positives in (0, len(truth)):
            kind = "positives" if positives else "negatives"
            note = f"only {kind} among {len(truth)} pairs: {name.upper()} is undefined"
            sheet.add(method, name, None, len(truth), positives, note)
            continue
        values_without = sheet.bootstrap.of_weights(
            lambda weights, f=function: f(truth, values, weights)  # type: ignore[misc]
        )
        held = ranked_support(sheet.bootstrap, truth)
        sheet.add(method, name, values_without, len(truth), positives, support=held)
