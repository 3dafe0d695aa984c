"""What eqtl and etgp give away without reading the sequence between gene and variant.

``distance``: closer is more likely; nothing is trained. ``distance_gc``: logistic regression on
log10(distance + 1) and the GC content around variant (or element) and TSS. ``class_prior``: the
positive rate of the training rows. ``gene_rate``: that of the training rows of the same gene,
which shows how far knowing the gene goes when genes recur in training.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from genezip.data.pair_examples import PairExamples
from genezip.genome.reference import ReferenceGenome
from genezip.tasks.arm import Arm
from genezip.tasks.gc_content import gc_share
from genezip.tasks.predictions import PredictionWriter

FOCUS_BP = 500  # on both sides of variant or element, the benchmark's flanks
TSS_BP = 3_000
PRIOR_WEIGHT = 1.0  # training rows that the class prior counts for in `gene_rate`

Say = Callable[[str], None]
Fitted = Callable[[pd.DataFrame, pd.DataFrame], np.ndarray]


@dataclass(frozen=True)
class Fold:
    """One training set and what it is validated and tested on (masks of the table's rows).

    Attributes
    ----------
    number : int, -1 for the rule ``paper``
    train, valid, test : bool arrays, shape (n,)
    """

    number: int
    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray


def folds_of(table: pd.DataFrame, rule: str) -> Iterator[Fold]:
    """Folds of a split rule.

    ``paper`` has one, the column ``split``. ``gene`` and ``chromosome`` have as many as
    ``fold_gene`` and ``fold_chromosome`` name: fold f is tested, f + 1 is for validation, and
    the others train. None where rows were not dealt to folds (-1).
    """
    if rule == "paper":
        split = table["split"].to_numpy()
        yield Fold(-1, split == "train", split == "valid", split == "test")
        return
    fold = table[f"fold_{rule}"].to_numpy()
    count = int(fold.max(initial=-1)) + 1
    for number in range(count):
        test, valid = fold == number, fold == (number + 1) % count
        yield Fold(number, ~test & ~valid & (fold >= 0), valid, test)


def distance(train: pd.DataFrame, rows: pd.DataFrame) -> np.ndarray:
    """Minus the distance from TSS to the variant's or element's start (bp)."""
    return -rows["distance"].to_numpy(dtype=np.float64)


def class_prior(train: pd.DataFrame, rows: pd.DataFrame) -> np.ndarray:
    """Positive rate of the training rows, the same for every row."""
    return np.full(len(rows), train["label"].mean())


def gene_rate(train: pd.DataFrame, rows: pd.DataFrame) -> np.ndarray:
    """Positive rate of the gene's training rows, drawn towards the class prior by one row."""
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


def predict_pairs(
    task: str,
    subset: str,
    manifest: str | Path,
    genome: str | Path,
    rules: Sequence[str],
    out: str | Path,
    say: Say,
) -> None:
    """Predictions of all four for every rule: test rows, and valid rows of ``paper``.

    The file's facts hold the share of test rows whose gene, and whose variant or element,
    occurs in training.
    """
    examples = PairExamples.load(manifest, genome)
    table = examples.table.assign(**gc_columns(examples.table, examples.genome))
    with PredictionWriter(out, None, "scalar") as writer:
        for rule in rules:
            folds = list(folds_of(table, rule))
            if not folds:
                say(f"{task} {subset}: no folds by {rule}, so no baseline of that rule")
            for fold in folds:
                for name, fitted in BASELINES.items():
                    arm = Arm(task, subset, name, None, "", "baseline")
                    _predict_fold(writer, arm, fitted, table, rule, fold, say)
            for metric, value, n in seen_in_training(table, folds):
                writer.fact(rule, "test", metric, value, n)


def gc_columns(table: pd.DataFrame, genome: ReferenceGenome) -> dict[str, np.ndarray]:
    """GC share around the variant or element (+-500 bp) and around the TSS (+-3 kb)."""
    focus, tss = [], []
    columns = ["chrom", "focus_start", "focus_end", "tss"]
    for chrom, start, end, site in table[columns].itertuples(index=False):
        focus.append(gc_share(genome.ids(chrom, start - FOCUS_BP, end + FOCUS_BP)))
        tss.append(gc_share(genome.ids(chrom, site - TSS_BP, site + TSS_BP + 1)))
    return {"gc_focus": np.array(focus), "gc_tss": np.array(tss)}


def seen_in_training(
    table: pd.DataFrame, folds: Sequence[Fold]
) -> list[tuple[str, float | None, int]]:
    """Share of tested rows whose gene, or variant or element, is in training.

    Returns
    -------
    list of (metric, share or None without a tested row, number of tested rows)
    """
    tested = int(sum(fold.test.sum() for fold in folds))
    found: list[tuple[str, float | None, int]] = []
    for metric, column in (
        ("test_genes_in_train", "gene_id"),
        ("test_regions_in_train", "region_id"),
    ):
        names = table[column]
        seen = sum(int(names[f.test].isin(names[f.train]).sum()) for f in folds)
        found.append((metric, seen / tested if tested else None, tested))
    return found


def _predict_fold(
    writer: PredictionWriter,
    arm: Arm,
    fitted: Fitted,
    table: pd.DataFrame,
    rule: str,
    fold: Fold,
    say: Say,
) -> None:
    train = table[fold.train]
    where = f"{arm.task} {arm.subset}, {rule}, fold {fold.number}"
    if fitted is not distance and train.empty:
        say(f"{where}: no training row, so no prediction of {arm.model}")
        return
    if fitted is distance_gc and train["label"].nunique() < 2:
        say(f"{where}: one class among {len(train)} training rows, so no prediction of {arm.model}")
        return
    parts = {"test": fold.test, "valid": fold.valid} if rule == "paper" else {"test": fold.test}
    for split, mask in parts.items():
        rows = table[mask]
        if len(rows):
            writer.add(
                rule=rule,
                fold=fold.number,
                split=split,
                example=rows["example"].to_numpy(),
                group=rows["gene_id"].tolist(),
                target=rows["label"].to_numpy(),
                prediction=fitted(train, rows),
                arm=arm,
            )


def _features(rows: pd.DataFrame, train: pd.DataFrame) -> np.ndarray:
    columns = [np.log10(rows["distance"].to_numpy(dtype=np.float64) + 1)]
    for name in ("gc_focus", "gc_tss"):
        known = train[name].mean()
        columns.append(rows[name].fillna(known if np.isfinite(known) else 0.0).to_numpy())
    return np.stack(columns, axis=1)
