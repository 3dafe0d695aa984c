"""Promoter, enhancer or open chromatin: a linear probe on a frozen model's mean vectors.

The published lengths nearly give the classes away. So models and baselines of composition all read
a window of one length around the middle of the element, alone and on both strands; a model's
features are its mean vector over the bases of the window and both strands. One baseline knows the
length and nothing else; it is shown, and no model is compared with it.
"""

import logging
from collections.abc import Iterator
from functools import reduce
from itertools import product

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from genezip.alphabet import A_ID, is_base, reverse_complement
from genezip.artifacts.scores import TASK_SCORES
from genezip.genome.sources.source import Source
from genezip.inference.forward import sequence_vectors
from genezip.metrics.bootstrap import BlockBootstrap, ratio, scarcer
from genezip.metrics.gc_content import gc_and_cpg
from genezip.metrics.ranking import auroc
from genezip.models.base import Compressor, vector_width
from genezip.tasks.base import Method, baseline_method
from genezip.tasks.classification.label_elements import CLASSES, read_elements, windows
from genezip.tasks.predictions import PredictionWriter
from genezip.tasks.real_run import LabelRun, model_method
from genezip.tasks.scores import Sheet, ranked_support

logger = logging.getLogger(__name__)

PART, SUBSET = "elements", "ensembl"
PRIOR, LENGTH = "class_prior", "length"
UNSEEN = "no model sees the length, so none is compared with it"
STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)
INNER_FOLDS = 3
KMER = 4
BATCH = 64

Fold = tuple[int, np.ndarray, np.ndarray]
"""Number of a fold, training rows, test rows."""


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
    rules = {"chromosome": list(_chromosomes(table)), "paper": [_own(table)]}
    for rule, folds in rules.items():
        if reason := unlearnable(table, folds):
            run.give_up(PART, f"{reason} (split {rule}, {len(table):,} elements)")
            return
    kmers, shares = kmer_shares(ids), composition(ids)
    features: list[tuple[Method, np.ndarray | None]] = [
        (baseline_method(PRIOR, PART, SUBSET), None),
        (baseline_method(LENGTH, PART, SUBSET), lengths(table)),
        (baseline_method("gc_cpg", PART, SUBSET), shares),
        (baseline_method("kmer4", PART, SUBSET), kmers),
        (baseline_method("gc_cpg_kmer4", PART, SUBSET), np.hstack([shares, kmers])),
    ]
    notes = {PRIOR: left_out, LENGTH: UNSEEN}
    for model in run.compressors():
        features.append((model_method(model, PART, SUBSET), mean_vectors(model, ids)))
        logger.info(f"labels: elements, {model.name}: vectors of {len(ids):,} elements")
    sheets = []
    with PredictionWriter(run.predictions, None, "array", (len(CLASSES),)) as writer:
        for rule, folds in rules.items():
            tested = np.concatenate([test for _, _, test in folds])
            of_fold = np.concatenate([np.full(len(test), fold) for fold, _, test in folds])
            rows = table.iloc[tested]
            truth, groups = rows["class"].to_numpy(), rows["locus"].to_numpy()
            bootstrap = BlockBootstrap(groups, settings.bootstrap, settings.seed)
            sheet = Sheet(bootstrap, "loci", rule, "test", run.scale)
            for method, x in features:
                learn = _length_trees if method.model == LENGTH else _probabilities
                found = np.concatenate([learn(table, x, a, b, settings.seed) for _, a, b in folds])
                _score(sheet, method, truth, found, of_fold, notes.get(method.model, ""))
                for fold, _, _ in folds:
                    of = of_fold == fold
                    writer.add(
                        method=method,
                        rule=rule,
                        fold=fold,
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
    return -1, np.flatnonzero(split == "train"), np.flatnonzero(split == "test")


def _chromosomes(table: pd.DataFrame) -> Iterator[Fold]:
    """Folds of which no chromosome has training and test rows at once."""
    fold = table["fold"].to_numpy()
    for number in np.unique(fold):
        yield int(number), np.flatnonzero(fold != number), np.flatnonzero(fold == number)


def unlearnable(table: pd.DataFrame, folds: list[Fold]) -> str | None:
    """Why heads cannot be trained and tested on these folds; None where they can.

    The strength of a head is chosen on loci that it was not trained on, so each class must be
    there in several loci.
    """
    for _, train, test in folds:
        if not len(train) or not len(test):
            return "no element is left to learn from, or none to test"
        truth, groups = table["class"].to_numpy()[train], table["locus"].to_numpy()[train]
        if len(np.unique(groups)) < INNER_FOLDS or len(np.unique(truth)) < 2:
            return "too few loci or classes are learned"
        for inner in GroupKFold(INNER_FOLDS).split(train, truth, groups):
            if any(set(truth[part]) != set(truth) for part in inner):
                return "a class lies in too few loci"
    return None


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


def macro_auroc(
    truth: np.ndarray, found: np.ndarray, weights: np.ndarray | None, folds: np.ndarray | None
) -> np.ndarray:
    """Mean over classes of the AUROC of one class against the rest.

    Parameters
    ----------
    truth : int array, shape (n,); found : float array, shape (n, classes)
    weights, folds : as of :func:`genezip.metrics.ranking.auroc`
    """
    each = [
        auroc(truth == place, found[:, place], weights, folds) for place in range(found.shape[1])
    ]
    return np.mean(each, axis=0)


def _probabilities(
    table: pd.DataFrame, x: np.ndarray | None, train: np.ndarray, test: np.ndarray, seed: int
) -> np.ndarray:
    """Class probabilities of the test rows, (n, classes); shares of classes without features."""
    truth = table["class"].to_numpy()
    if x is None:
        share = np.bincount(truth[train], minlength=len(CLASSES)) / len(train)
        return np.tile(share, (len(test), 1))
    groups = table["locus"].to_numpy()[train]
    search = GridSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
        {"logisticregression__C": STRENGTHS},
        cv=GroupKFold(INNER_FOLDS),
        scoring="neg_log_loss",
    )
    search.fit(x[train], truth[train], groups=groups)
    found = np.zeros((len(test), len(CLASSES)))
    found[:, search.classes_] = search.predict_proba(x[test])
    return found


def _length_trees(
    table: pd.DataFrame, x: np.ndarray | None, train: np.ndarray, test: np.ndarray, seed: int
) -> np.ndarray:
    """Class probabilities of the test rows, (n, classes), of boosted trees."""
    truth = table["class"].to_numpy()
    assert x is not None
    trees = HistGradientBoostingClassifier(random_state=seed).fit(x[train], truth[train])
    found = np.zeros((len(test), len(CLASSES)))
    found[:, trees.classes_] = trees.predict_proba(x[test])
    return found


def lengths(table: pd.DataFrame) -> np.ndarray:
    """Length of the published interval (bp); float64, (n, 1)."""
    return (table["end"] - table["start"]).to_numpy(dtype=np.float64)[:, None]


def composition(ids: list[np.ndarray]) -> np.ndarray:
    """GC content, and CpG observed over expected; float64, (n, 2)."""
    found = np.array([gc_and_cpg(sequence) for sequence in ids]).reshape(len(ids), 2)
    return np.nan_to_num(found)  # 0 where no base is known


def kmer_shares(ids: list[np.ndarray], k: int = KMER) -> np.ndarray:
    """Shares of the k-mers, a k-mer and its reverse complement counted as one.

    Returns
    -------
    float64 array, shape (n, number of such classes: 136 for k = 4); rows add up to 1, or 0 for a
    sequence without a k-mer of known bases
    """
    words = list(product(range(4), repeat=k))
    canonical = sorted({min(word, _opposite(word)) for word in words})
    place = {word: number for number, word in enumerate(canonical)}
    column = np.array([place[min(word, _opposite(word))] for word in words])
    powers = 4 ** np.arange(k - 1, -1, -1)
    found = np.zeros((len(ids), len(canonical)))
    for row, sequence in enumerate(ids):
        if len(sequence) < k:
            continue
        around = np.lib.stride_tricks.sliding_window_view(sequence, k)
        around = around[is_base(around).all(axis=1)].astype(np.int64) - A_ID
        counts = np.bincount(column[around @ powers], minlength=len(canonical))
        found[row] = counts / max(counts.sum(), 1)
    return found


def _opposite(word: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(3 - base for base in reversed(word))


def mean_vectors(compressor: Compressor, ids: list[np.ndarray]) -> np.ndarray:
    """Mean over bases and strands of the vectors of each sequence, float64, (n, width)."""
    found = np.zeros((len(ids), vector_width(compressor)))
    order = np.argsort([len(sequence) for sequence in ids], kind="stable")  # little padding
    for turn in (lambda sequence: sequence, reverse_complement):
        turned = [turn(ids[row]) for row in order]
        for row, vectors in zip(order, sequence_vectors(compressor, turned, BATCH), strict=True):
            found[row] += vectors.mean(axis=0, dtype=np.float64) / 2
    return found
