"""Folds of gene pairs that share nothing: by gene and variant or element, and by chromosome.

In the deposits' own split genes, variants and loci recur in training and test. Here rows that
share a gene, a TSS, a name of the variant or element, or bases of it are one group, and a group is
never divided. Groups are dealt greedily, so that positives and then rows are about equal.
"""

import hashlib

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from genezip.genome.intervals import components

NO_FOLD = -1
"""Fold of every row where there are fewer groups than folds."""


def gene_folds(table: pd.DataFrame, folds: int, seed: int) -> np.ndarray:
    """Folds in which no gene and no variant or element occurs twice.

    Parameters
    ----------
    table : DataFrame
        gene_id, region_id, chrom, tss, focus_start, focus_end, label (0 or 1).
    folds, seed : int

    Returns
    -------
    int8 array, shape (n,)
        0 to folds - 1, the same for any order of the rows; :data:`NO_FOLD` throughout where
        there are fewer groups than folds.
    """
    return _dealt(_group_names(table), table["label"].to_numpy(), folds, seed)


def chromosome_folds(table: pd.DataFrame, folds: int, seed: int) -> np.ndarray:
    """Folds of whole chromosomes; columns chrom and label, otherwise as :func:`gene_folds`."""
    return _dealt(table["chrom"].to_numpy(), table["label"].to_numpy(), folds, seed)


def groups(table: pd.DataFrame) -> np.ndarray:
    """Connected components of rows that share a gene, a TSS, a region_id or a base of the focus.

    A table of several sources may have one gene under two names; its rows then have the same
    chromosome and TSS and belong together. Two genes that begin at one base are joined too.

    Returns
    -------
    int64 array, shape (n,), numbers of the groups
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
    for codes in edges:  # every gene, name and stretch is a node that joins its rows
        sources.append(rows)
        targets.append(codes + offset)
        offset += int(codes.max(initial=-1)) + 1
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
