"""Promoter, enhancer or open chromatin: a linear probe on a frozen model's mean vectors.

The published lengths nearly give the classes away. So models and baselines of composition all read
a window of one length around the middle of the element, alone and on both strands; a model's
features are its mean vector over the bases of the window and both strands. One baseline knows the
length and nothing else; it is shown, and no model is compared with it.
"""

import logging
from functools import reduce
from pathlib import Path

import numpy as np
import pandas as pd

from genezip.alphabet import encode
from genezip.artifacts.scores import TASK_SCORES
from genezip.artifacts.tables import read_tsv
from genezip.errors import GenezipError
from genezip.genome.assembly import Assembly
from genezip.genome.sources.source import Source
from genezip.metrics.bootstrap import BlockBootstrap, ratio, scarcer
from genezip.metrics.ranking import macro_auroc
from genezip.tasks.base import Method, baseline_method
from genezip.tasks.classification.baselines import (
    LENGTH,
    PRIOR,
    boosted_trees,
    class_shares,
    composition_features,
)
from genezip.tasks.classification.probe import linear_probe, mean_vectors, unlearnable
from genezip.tasks.classification.splits import Fold, balanced_folds, folds_of, loci
from genezip.tasks.predictions import PredictionWriter
from genezip.tasks.public_labels import CLASSES, COLUMNS, SPLITS
from genezip.tasks.real_run import LabelRun, model_method
from genezip.tasks.score_rows import ranked_support
from genezip.tasks.sheet import Sheet
from genezip.tasks.task_files import FETCH

logger = logging.getLogger(__name__)

PART, SUBSET = "elements", "ensembl"
UNSEEN = "no model sees the length, so none is compared with it"


def measure_elements(run: LabelRun) -> None:
    """Write scores and predictions of the part ``elements``."""
    if reason := run.absent(PART):
        run.give_up(PART, reason)
        return
    settings = run.settings
    known = read_elements(run.files().one("elements.tsv.gz"), settings.locus_bp)
    assembly = Source.load(run.source).assembly()
    table, ids = windows(known, assembly, settings.element_bp, settings.folds)
    left_out = (
        f"{len(known) - len(table):,} of {len(known):,} elements left out: their window of "
        f"{settings.element_bp:,} bp is not inside a piece"
    )
    logger.info(f"labels: elements, {left_out}")
    classes, units = table["class"].to_numpy(), table["locus"].to_numpy()
    rules = {"chromosome": folds_of(table["fold"].to_numpy()), "paper": [_own(table)]}
    for rule, folds in rules.items():
        if reason := unlearnable(classes, units, folds, "element", "loci"):
            run.give_up(PART, f"{reason} (split {rule}, {len(table):,} elements)")
            return
    baselines = {PRIOR: np.zeros((len(ids), 0)), LENGTH: lengths(table)} | composition_features(ids)
    features = [(baseline_method(name, PART, SUBSET), x) for name, x in baselines.items()]
    notes = {PRIOR: left_out, LENGTH: UNSEEN}
    for model in run.compressors():
        features.append((model_method(model, PART, SUBSET), mean_vectors(model, ids)))
        logger.info(f"labels: elements, {model.name}: vectors of {len(ids):,} elements")
    sheets = []
    with PredictionWriter(run.predictions, None, "array", (len(CLASSES),)) as writer:
        for rule, folds in rules.items():
            tested = np.concatenate([fold.test for fold in folds])
            of_fold = np.concatenate([np.full(len(fold.test), fold.number) for fold in folds])
            rows = table.iloc[tested]
            truth, groups = classes[tested], units[tested]
            bootstrap = BlockBootstrap(groups, settings.bootstrap, settings.seed)
            sheet = Sheet(bootstrap, "loci", rule, "test", run.scale)
            for method, x in features:
                found = np.concatenate(
                    [_learn(method.model, x, classes, units, fold, settings.seed) for fold in folds]
                )
                _score(sheet, method, truth, found, of_fold, notes.get(method.model, ""))
                for fold in folds:
                    of = of_fold == fold.number
                    writer.add(
                        method=method,
                        rule=rule,
                        fold=fold.number,
                        split="test",
                        example=rows["example"].to_numpy()[of],
                        group=groups[of],
                        target=list(np.eye(len(CLASSES))[truth[of]]),
                        prediction=list(found[of]),
                    )
            sheets.append(sheet)
            logger.info(f"labels: elements, split {rule}: {len(rows):,} tested")
    TASK_SCORES.write(run.out, [row for sheet in sheets for row in sheet.rows(run.control)])


def _own(table: pd.DataFrame) -> Fold:
    """The split that the elements were published with; its fold is -1."""
    split = table["split"].to_numpy()
    return Fold(-1, np.flatnonzero(split == "train"), np.flatnonzero(split == "test"))


def _learn(
    model: str, x: np.ndarray, truth: np.ndarray, loci: np.ndarray, fold: Fold, seed: int
) -> np.ndarray:
    """Class probabilities of the test rows of a fold, (n, classes)."""
    if model == PRIOR:
        return class_shares(truth, fold, len(CLASSES))
    if model == LENGTH:
        return boosted_trees(x, truth, fold, len(CLASSES), seed)
    return linear_probe(x, truth, loci, fold, len(CLASSES))


def lengths(table: pd.DataFrame) -> np.ndarray:
    """Length of the published interval (bp); float64, (n, 1)."""
    return (table["end"] - table["start"]).to_numpy(dtype=np.float64)[:, None]


def _score(
    sheet: Sheet, method: Method, truth: np.ndarray, found: np.ndarray, folds: np.ndarray, note: str
) -> None:
    """Macro AUROC (one class against the rest, within folds) and accuracy."""
    ranked = sheet.bootstrap.of_weights(lambda weights: macro_auroc(truth, found, weights, folds))
    right = sheet.bootstrap.sums({"right": found.argmax(1) == truth, "n": np.ones(len(truth))})
    accuracy = ratio(right["right"], right["n"])
    classes = [ranked_support(sheet.bootstrap, truth == place) for place in range(found.shape[1])]
    each = (("auroc_macro", ranked, reduce(scarcer, classes)), ("accuracy", accuracy, None))
    for metric, values, held in each:
        compared = method.model != LENGTH
        sheet.add(method, metric, values, len(truth), note=note, candidate=compared, support=held)


def read_elements(path: Path, locus_bp: int) -> pd.DataFrame:
    """Read the elements (Ensembl regulatory build, in the split of Genomic Benchmarks).

    Parameters
    ----------
    path : TSV with the columns chrom, start, end (0-based, half-open), label, split, sequence
    locus_bp : length of a locus (bp)

    Returns
    -------
    DataFrame
        By chromosome and start: chrom, start, end, split (train or test), sequence, ``class``
        int64 (place in :data:`CLASSES`), ``locus`` str (chromosome and number of the block that
        holds the start).

    Raises
    ------
    GenezipError
        If columns are missing, a label or split is unknown, an interval is empty, or a sequence
        has another length than its interval.
    """
    table = read_tsv(path, COLUMNS, ("chrom", "sequence"), *FETCH)
    for name, known in (("label", CLASSES), ("split", SPLITS)):
        odd = set(table[name]) - set(known)
        if odd:
            raise GenezipError(
                f"{path} has the {name} {min(map(str, odd))!r}; use {', '.join(known)}"
            )
    empty = table["sequence"].isna() | (table["end"] <= table["start"])
    if empty.any():
        row = table[empty].iloc[0]
        raise GenezipError(
            f"line {int(np.argmax(empty.to_numpy())) + 2} of {path} has no base "
            f"({row['chrom']}:{row['start']}-{row['end']}); fetch the labels again"
        )
    wrong = table["sequence"].str.len() != table["end"] - table["start"]
    if wrong.any():
        row = table[wrong].iloc[0]
        raise GenezipError(
            f"{path}: the sequence of {row['chrom']}:{row['start']}-{row['end']} has "
            f"{len(row['sequence'])} bases; fetch the labels again"
        )
    table = table.sort_values(["chrom", "start", "end", "label"], ignore_index=True)
    table["class"] = table["label"].map({name: place for place, name in enumerate(CLASSES)})
    table["locus"] = loci(table, locus_bp)
    return table


def windows(
    table: pd.DataFrame, assembly: Assembly, window_bp: int, folds: int
) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """Cut a window of one length around the middle of each element, so that no length is seen.

    Parameters
    ----------
    table : of :func:`read_elements`
    assembly : genome of the same build
    window_bp : length of every window (bp)
    folds : number of chromosome folds

    Returns
    -------
    DataFrame
        The elements whose window lies in a segment of the genome, with ``example`` (row number)
        and ``fold`` (no chromosome in two): both follow from the elements that are measured,
        whatever else a table lists.
    list of uint8 arrays, shape (window_bp,)
        Their token ids.

    Raises
    ------
    GenezipError
        If the genome has other bases than an element: it is of another build.
    """
    first = (table["start"] + table["end"]).to_numpy() // 2 - window_bp // 2
    chrom, start, end = (table[name].to_numpy() for name in ("chrom", "start", "end"))
    found: dict[int, np.ndarray] = {}
    for segment in assembly.segments:
        inside = (first >= segment.start) & (first + window_bp <= segment.end)
        rows = np.flatnonzero((chrom == segment.chrom) & inside)
        for row in rows:
            low, high = max(start[row], segment.start), min(end[row], segment.end)
            text = table["sequence"].iloc[row][low - start[row] : high - start[row]]
            own = encode(text, f"the element {chrom[row]}:{start[row]}-{end[row]}")
            if not np.array_equal(encode(assembly.sequence(segment, low, high), segment.name), own):
                raise GenezipError(
                    f"the element {chrom[row]}:{start[row]}-{end[row]} has other bases than the "
                    f"segment {segment.name}; labels and genome must be of one build"
                )
            at = int(first[row])
            found[int(row)] = encode(assembly.sequence(segment, at, at + window_bp), segment.name)
    kept = sorted(found)
    measured = table.iloc[kept].reset_index(drop=True)
    measured.insert(0, "example", np.arange(len(measured)))
    measured["fold"] = measured["chrom"].map(balanced_folds(measured["chrom"], folds))
    return measured, [found[row] for row in kept]
