"""Baselines of eqtl and etgp, which do not read the sequence between gene and variant.

``distance``: closer is more likely; nothing is trained. ``distance_gc``: logistic regression on
log10(distance + 1) and the GC content around variant (or element) and TSS. ``class_prior``: the
positive rate of the training rows. ``gene_rate``: the positive rate of the same gene's training
rows, which measures how much recurring genes give away.
"""

import logging
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd

from genezip.genome.assembly import ReferenceGenome
from genezip.metrics.gc_content import gc_content
from genezip.metrics.ranking import METRICS
from genezip.tasks.base import Fact, Found, Predictions
from genezip.tasks.pairs.examples import PairExamples
from genezip.tasks.pairs.folds import (
    Fold,
    folds_of,
    no_folds,
    one_class,
    predictions_at,
    unpredicted,
)

logger = logging.getLogger(__name__)

FOCUS_BP = 500  # on both sides of variant or element, the benchmark's flanks
TSS_BP = 3_000
PRIOR_WEIGHT = 1.0  # weight of the class prior in `gene_rate`, in training rows

Fitted = Callable[[pd.DataFrame, pd.DataFrame], np.ndarray]


def distance(train: pd.DataFrame, rows: pd.DataFrame) -> np.ndarray:
    """Minus the distance from TSS to the variant's or element's start (bp)."""
    return -rows["distance"].to_numpy(dtype=np.float64)


def class_prior(train: pd.DataFrame, rows: pd.DataFrame) -> np.ndarray:
    """Positive rate of the training rows, the same for every row."""
    return np.full(len(rows), train["label"].mean())


def gene_rate(train: pd.DataFrame, rows: pd.DataFrame) -> np.ndarray:
    """Positive rate of the gene's training rows, shrunk towards the class prior by one row."""
    prior = train["label"].mean()
    seen = train.groupby("gene_id")["label"].agg(["sum", "size"])
    positive = rows["gene_id"].map(seen["sum"]).fillna(0).to_numpy(dtype=np.float64)
    count = rows["gene_id"].map(seen["size"]).fillna(0).to_numpy(dtype=np.float64)
    return (positive + PRIOR_WEIGHT * prior) / (count + PRIOR_WEIGHT)


def distance_gc(train: pd.DataFrame, rows: pd.DataFrame) -> np.ndarray:
    """Probability of a logistic regression on distance and two GC contents.

    Rows need the columns distance, gc_focus, gc_tss; a window without a base takes the mean of
    the training rows.
    """
    from sklearn.linear_model import LogisticRegression  # late: a list of tasks does without
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features = [_features(part, train) for part in (train, rows)]
    model = make_pipeline(StandardScaler(), LogisticRegression())
    model.fit(features[0], train["label"])
    return np.asarray(model.predict_proba(features[1])[:, 1])


BASELINES: dict[str, Fitted] = {
    "distance": distance,
    "distance_gc": distance_gc,
    "class_prior": class_prior,
    "gene_rate": gene_rate,
}


def predict_baselines(examples: PairExamples, name: str, rules: Sequence[str]) -> Iterator[Found]:
    """Predictions of all baselines for every split scheme: test rows, and valid rows of ``paper``.

    Facts give the share of test rows whose gene, and whose variant or element, occurs in training;
    notes give the reason where a baseline has no predictions under a scheme or in some folds.
    ``name`` is task and subset, for messages.
    """
    table = examples.table.assign(**gc_columns(examples.table, examples.genome))
    for rule in rules:
        folds = list(folds_of(table, rule))
        if not folds:
            logger.warning(f"{name}: {no_folds(rule)}, so no baseline of that split scheme")
        for model, fitted in BASELINES.items():
            lost = []
            for fold in folds:
                reason = _unfit(fitted, table[fold.train], fold)
                if reason:
                    lost.append(reason)
                    logger.warning(f"{name}, {rule}, {reason}; no prediction of {model}")
                    continue
                yield from _predicted(model, fitted, table, rule, fold)
            reasons = lost if folds else [no_folds(rule)]
            yield from unpredicted(rule, METRICS, reasons, len(lost) < len(folds), model)
        for metric, value, n in seen_in_training(table, folds):
            yield Fact(metric, value, n, rule)


def gc_columns(table: pd.DataFrame, genome: ReferenceGenome) -> dict[str, np.ndarray]:
    """GC share around the variant or element (+-500 bp) and around the TSS (+-3 kb)."""
    focus, tss = [], []
    columns = ["chrom", "focus_start", "focus_end", "tss"]
    for chrom, start, end, site in table[columns].itertuples(index=False):
        focus.append(gc_content(genome.ids(chrom, start - FOCUS_BP, end + FOCUS_BP)))
        tss.append(gc_content(genome.ids(chrom, site - TSS_BP, site + TSS_BP + 1)))
    return {"gc_focus": np.array(focus), "gc_tss": np.array(tss)}


def seen_in_training(
    table: pd.DataFrame, folds: Sequence[Fold]
) -> list[tuple[str, float | None, int]]:
    """Share of test rows whose gene, or variant or element, is in training.

    Each entry is metric, share (None without test rows) and number of test rows.
    """
    count = int(sum(fold.test.sum() for fold in folds))
    found: list[tuple[str, float | None, int]] = []
    for metric, column in (
        ("test_genes_in_train", "gene_id"),
        ("test_regions_in_train", "region_id"),
    ):
        names = table[column]
        seen = sum(int(names[f.test].isin(names[f.train]).sum()) for f in folds)
        found.append((metric, seen / count if count else None, count))
    return found


def _unfit(fitted: Fitted, train: pd.DataFrame, fold: Fold) -> str:
    """Reason why a baseline cannot be fitted on a fold, or an empty text."""
    reason = one_class(train["label"].to_numpy())
    if reason and (fitted is distance_gc or (fitted is not distance and train.empty)):
        return fold.named(reason)
    return ""


def _predicted(
    model: str, fitted: Fitted, table: pd.DataFrame, rule: str, fold: Fold
) -> Iterator[Predictions]:
    for split, rows in fold.predicted(rule):
        if len(rows):
            found = fitted(table[fold.train], table.iloc[rows])
            yield predictions_at(
                table, rows, split, found, rule=rule, fold=fold.number, model=model
            )


def _features(rows: pd.DataFrame, train: pd.DataFrame) -> np.ndarray:
    columns = [np.log10(rows["distance"].to_numpy(dtype=np.float64) + 1)]
    for name in ("gc_focus", "gc_tss"):
        known = train[name].mean()
        columns.append(rows[name].fillna(known if np.isfinite(known) else 0.0).to_numpy())
    return np.stack(columns, axis=1)
