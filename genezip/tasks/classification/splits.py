"""Split schemes of labelled sets: which sequences train and which test.

``official`` is the split that the set was published with. ``unseen`` is the same without the
test rows that share 32 bases, on either strand, with a training or validation row. ``chromosome``
and ``family`` are folds: no chromosome, and no family of alike sequences
(:func:`genezip.tasks.classification.similarity.families`), has training and test rows in one fold.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import get_args

import numpy as np
import pandas as pd

from genezip.config.tasks import Scheme
from genezip.errors import GenezipError
from genezip.tasks.classification.similarity import STRETCH, families, shares_stretch, stretches

SCHEMES = get_args(Scheme)
LOCUS_BP = 1_000_000
PUBLISHED = -1
"""Number of the one fold of a published split."""
UNTESTED = -2


@dataclass(frozen=True)
class Fold:
    """Row numbers of one fold, int64 arrays."""

    number: int  # from 0; -1 for the split that a set was published with
    # train, test, valid: disjoint; ``valid`` is empty in folds of a cross-validation
    train: np.ndarray
    test: np.ndarray
    valid: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @property
    def seen(self) -> np.ndarray:
        """Rows whose labels may be used: training, then validation rows."""
        return np.concatenate([self.train, self.valid])


def folds_of(fold: np.ndarray) -> list[Fold]:
    """Folds that each test the rows of one number, int (n,), and train on all the others."""
    return [
        Fold(int(number), np.flatnonzero(fold != number), np.flatnonzero(fold == number))
        for number in np.unique(fold)
    ]


def fold_column(folds: list[Fold], rows: int) -> np.ndarray:
    """Number of the fold that tests each row, int64 (rows,); :data:`UNTESTED` for the others."""
    found = np.full(rows, UNTESTED, dtype=np.int64)
    for fold in folds:
        found[fold.test] = fold.number
    return found


def folds_in(column: np.ndarray, split: np.ndarray) -> list[Fold]:
    """The folds of a column of :func:`fold_column`.

    ``split``, str (n,), is the published split, for training rows of a published fold.
    """
    if (column >= 0).any():
        return folds_of(column)
    train, valid = (np.flatnonzero(split == name) for name in ("train", "valid"))
    return [Fold(PUBLISHED, train, np.flatnonzero(column == PUBLISHED), valid)]


def balanced_folds(groups: pd.Series, folds: int) -> dict[str, int]:
    """Fold of every group (chromosome, family), with about equal numbers of rows per fold.

    Groups are assigned from the largest on, each to the fold with fewest rows so far.
    """
    sizes = groups.value_counts().rename_axis("group").reset_index(name="rows")
    sizes = sizes.sort_values(["rows", "group"], ascending=[False, True])
    filled = [0] * folds
    found = {}
    for group, rows in zip(sizes["group"], sizes["rows"], strict=True):
        fold = filled.index(min(filled))
        found[str(group)] = fold
        filled[fold] += int(rows)
    return found


def split_folds(
    table: pd.DataFrame, ids: Sequence[np.ndarray], scheme: str, folds: int, k: int = STRETCH
) -> tuple[list[Fold], str]:
    """Folds of a labelled set by a split scheme, and a note on the number of test rows.

    A set that names no split, has no coordinates, or has fewer groups than folds is an error.

    Parameters
    ----------
    table, ids : of :mod:`genezip.tasks.classification.sets`, and token ids of its sequences
    scheme : one of :data:`SCHEMES`; ``official`` and ``unseen`` have one fold
    folds : number of folds, of ``chromosome`` and ``family``
    k : length of a shared stretch (bases), of ``unseen`` and ``family``
    """
    if scheme in ("official", "unseen"):
        fold = _official(table)
        of = len(fold.test)
        if scheme == "unseen":
            seen, test = ([ids[row] for row in rows] for rows in (fold.seen, fold.test))
            kept = fold.test[~shares_stretch(test, seen, k)]
            fold = Fold(fold.number, fold.train, kept, fold.valid)
            left = f", without those that share {k} bases with a training or validation row"
            return [fold], f"{len(kept):,} of {of:,} test rows{left}"
        return [fold], f"{of:,} of {of:,} test rows"
    if scheme == "chromosome":
        if "chrom" not in table:
            raise GenezipError(
                "a split by chromosome needs coordinates; give the set the columns chrom, start "
                "and end, or split it by family"
            )
        groups, name = table["chrom"].astype(str), "chromosomes"
    elif scheme == "family":
        groups, name = (
            pd.Series(families(stretches(ids, k))).astype(str),
            "families of alike sequences",
        )
    else:
        raise GenezipError(f"there is no split {scheme!r}; the splits are {', '.join(SCHEMES)}")
    if groups.nunique() < folds:
        raise GenezipError(
            f"{folds} folds need as many {name}, and the set has {groups.nunique()}; "
            "ask for fewer folds"
        )
    number = groups.map(balanced_folds(groups, folds)).to_numpy()
    note = f"{len(table):,} of {len(table):,} rows in {folds} folds of {groups.nunique():,} {name}"
    return folds_of(number), note


def _official(table: pd.DataFrame) -> Fold:
    split = table["split"].to_numpy()
    train, test, valid = (np.flatnonzero(split == name) for name in ("train", "test", "valid"))
    for rows, name in ((train, "train"), (test, "test")):
        if not len(rows):
            raise GenezipError(
                f"the set has no {name} row in its column split; split it by chromosome or family"
            )
    return Fold(PUBLISHED, train, test, valid)


def resampling_units(
    table: pd.DataFrame, ids: Sequence[np.ndarray], locus_bp: int = LOCUS_BP
) -> np.ndarray:
    """Resampling unit of each row, str (n,): rows of one unit are not independent.

    The column ``group`` where the set has one, else the block of ``locus_bp`` bases of a chromosome
    that holds the start, else the family of alike sequences.
    """
    if "group" in table:
        return table["group"].astype(str).to_numpy()
    if "chrom" in table:
        return loci(table, locus_bp).to_numpy()
    return families(stretches(ids)).astype(str)


def loci(table: pd.DataFrame, locus_bp: int) -> pd.Series:
    """Chromosome and number of the block with the start, ``chr1:12``."""
    return table["chrom"].astype(str) + ":" + (table["start"] // locus_bp).astype(str)
