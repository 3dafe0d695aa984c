"""Split schemes of pairs: disjoint folds, and the rows that train, validate and test.

In the deposits' own split genes, variants and loci recur in training and test. Here rows that
share a gene, a TSS, a name of the variant or element, or bases of it are one group, and a group is
never divided. Groups are dealt greedily, so that positives and then rows are about equal.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from genezip.genome.intervals import components
from genezip.tasks.base import Note, Predictions

NO_FOLD = -1
"""Fold of every row where there are fewer groups than folds."""


def gene_folds(table: pd.DataFrame, folds: int, seed: int) -> np.ndarray:
    """Folds in which no gene and no variant or element occurs twice; int8 (n,).

    Numbers are 0 to folds - 1, the same for any order of the rows; :data:`NO_FOLD` throughout where
    there are fewer groups than folds. The table has gene_id, region_id, chrom, tss, focus_start,
    focus_end and label (0 or 1).
    """
    return _dealt(_group_names(table), table["label"].to_numpy(), folds, seed)


def chromosome_folds(table: pd.DataFrame, folds: int, seed: int) -> np.ndarray:
    """Folds of whole chromosomes; columns chrom and label, otherwise as :func:`gene_folds`."""
    return _dealt(table["chrom"].to_numpy(), table["label"].to_numpy(), folds, seed)


def groups(table: pd.DataFrame) -> np.ndarray:
    """Connected components of rows that share a gene, a TSS, a region_id or a base of the focus.

    A table of several sources may have one gene under two names; its rows then have the same
    chromosome and TSS and belong together. Two genes that begin at one base are joined too. Numbers
    of the groups are int64 (n,).
    """
    rows = np.arange(len(table))
    edges = [
        pd.factorize(table["gene_id"])[0],
        table.groupby(["chrom", "tss"], sort=False).ngroup().to_numpy(),
        pd.factorize(table["region_id"])[0],
        components(
            table["focus_start"].to_numpy(),
            table["focus_end"].to_numpy(),
            pd.factorize(table["chrom"])[0],
        ),
    ]
    offset, sources, targets = len(table), [], []
    for codes in edges:  # every gene, name and stretch is a node joined to its rows
        sources.append(rows)
        targets.append(codes + offset)
        offset += int(codes.max(initial=-1)) + 1
    from scipy.sparse import coo_array  # late: a list of tasks does without
    from scipy.sparse.csgraph import connected_components

    pairs = (np.concatenate(sources), np.concatenate(targets))
    graph = coo_array((np.ones(len(pairs[0]), dtype=np.int8), pairs), shape=(offset, offset))
    _, found = connected_components(graph, directed=False)
    return np.asarray(found[: len(table)], dtype=np.int64)


def _group_names(table: pd.DataFrame) -> np.ndarray:
    """A name of every row's group that does not depend on the order of the rows."""
    table = table.reset_index(drop=True)
    genes = pd.Series(table["gene_id"].to_numpy(dtype=object))
    return genes.groupby(groups(table)).transform("min").to_numpy(dtype=object)


def _dealt(names: np.ndarray, labels: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Deal groups, those with most positives first, to the fold that has fewest so far.

    Groups without a positive follow and go by rows alone. Equal groups come in an order drawn
    by the seed.
    """
    by_group = pd.DataFrame({"name": names, "label": labels}).groupby("name")["label"]
    sizes = by_group.agg(["sum", "size"]).sort_index()
    if len(sizes) < folds:
        return np.full(len(names), NO_FOLD, dtype=np.int8)
    drawn = [hashlib.sha256(f"{seed}:{name}".encode()).hexdigest() for name in sizes.index]
    order = sizes.assign(drawn=drawn).sort_values(
        ["sum", "size", "drawn"], ascending=[False, False, True]
    )
    positives, rows = [0] * folds, [0] * folds
    chosen: dict[str, int] = {}
    for name, positive, size in zip(order.index, order["sum"], order["size"], strict=True):
        if positive:
            fold = min(range(folds), key=lambda f: (positives[f], rows[f], f))
        else:
            fold = min(range(folds), key=lambda f: (rows[f], f))
        positives[fold] += int(positive)
        rows[fold] += int(size)
        chosen[name] = fold
    return np.array([chosen[name] for name in names], dtype=np.int8)


@dataclass(frozen=True)
class Fold:
    """Training, validation and test rows of one fold, as masks of the table's rows."""

    number: int  # -1 for the split scheme ``paper``
    # train, valid, test: bool arrays, shape (n,)
    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray

    def predicted(self, rule: str) -> Iterator[tuple[str, np.ndarray]]:
        """Each split that is predicted (:func:`splits_of`), and its rows, int64 (k,)."""
        masks = {"valid": self.valid, "test": self.test}
        for split in splits_of(rule):
            yield split, np.flatnonzero(masks[split])

    def named(self, reason: str) -> str:
        """The reason, with the number of the fold where the scheme has folds."""
        return reason if self.number < 0 else f"fold {self.number}: {reason}"


def folds_of(table: pd.DataFrame, rule: str) -> Iterator[Fold]:
    """Folds of a split scheme.

    ``paper`` has one, the column ``split``. ``gene`` and ``chromosome`` have those of the columns
    ``fold_gene`` and ``fold_chromosome``: fold f tests, f + 1 validates, and the others train.
    There is none where the column is -1.
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


def predictions_at(
    table: pd.DataFrame,
    rows: np.ndarray,
    split: str,
    prediction: np.ndarray,
    hidden: np.ndarray | None = None,
    **scheme: Any,
) -> Predictions:
    """Predictions of rows of a prepared table, with the gene as the unit of the bootstrap.

    ``scheme`` is rule, fold and model, as of :class:`Predictions`.
    """
    example, gene, target = (
        table[name].to_numpy()[rows] for name in ("example", "gene_id", "label")
    )
    return Predictions(split, example, gene, target, prediction, hidden=hidden, **scheme)


def splits_of(rule: str) -> tuple[str, ...]:
    """Splits that are predicted; with folds every pair is a test pair once."""
    return ("valid", "test") if rule == "paper" else ("test",)


def no_folds(rule: str) -> str:
    """Reason why a split scheme has no predictions where :func:`folds_of` yields nothing."""
    return f"the data have no folds by {rule}"


def one_class(targets: np.ndarray) -> str:
    """Reason why targets (0 or 1) cannot train a classifier; empty where both classes are there."""
    kinds = np.unique(targets)
    if len(kinds) == 2:
        return ""
    if not len(kinds):
        return "there are no training pairs"
    return f"all {len(targets)} training pairs have the label {int(kinds[0])}"


def unpredicted(
    rule: str, metrics: Sequence[str], reasons: Sequence[str], some: bool, model: str | None = None
) -> Iterator[Note]:
    """Notes with the reasons why pairs of a split scheme have no prediction.

    Parameters
    ----------
    metrics : names of metrics whose cells get the reasons
    reasons : one of the scheme, or one per fold that could not be predicted; no notes without one
    some : whether other folds were predicted, so that values stand beside the reasons
    model : name of the baseline, or None
    """
    for split in splits_of(rule) if reasons else ():
        for metric in metrics:
            yield Note(metric, "; ".join(reasons), rule, split, some, model)
