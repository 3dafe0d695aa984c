"""Split schemes of labelled sets: which sequences train and which test.

``official`` is the split that the set was published with. ``pool`` has its official test part, and
other training rows of the same pool of sequences. ``unseen`` is either without the test rows that
share 32 bases, on either strand, with a training or validation row. ``chromosome`` and ``family``
are folds: no chromosome, and no family of alike sequences
(:func:`genezip.tasks.classification.similarity.families`), has training and test rows in one fold.
:func:`random_validation` divides the training rows of a fold again, for fine-tuning.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, get_args

import numpy as np
import pandas as pd

from genezip.artifacts.scores import Row, cell
from genezip.config.tasks import Scheme
from genezip.errors import GenezipError
from genezip.tasks.classification.similarity import STRETCH, families, shares_stretch, stretches

SCHEMES = get_args(Scheme)
LOCUS_BP = 1_000_000
PUBLISHED = -1
"""Number of the one fold of a published split."""
UNTESTED = -2
ONE_FOLD = ("official", "pool")
"""Split schemes on which a network is fine-tuned; a set has one of them."""
_FIT = re.compile(r"(.+)_fit[0-9]+")

T = TypeVar("T")


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
    """Folds that each test the rows of one number, int (n,), and train on all the others.

    Rows of the number :data:`UNTESTED` are in no fold.
    """
    used = fold != UNTESTED
    return [
        Fold(int(number), np.flatnonzero(used & (fold != number)), np.flatnonzero(fold == number))
        for number in np.unique(fold[used])
    ]


def random_validation(fold: Fold, truth: np.ndarray, parts: int, seed: int) -> list[Fold]:
    """The fold with each of ``parts`` random parts of its training rows as validation rows.

    Validation rows of the fold are divided with its training rows, at random as in the protocol of
    the Nucleotide Transformer; all results have the same test rows.

    Parameters
    ----------
    truth : int array, shape (n,), class of every row; a part must leave each class to learn from
    """
    from sklearn.model_selection import KFold  # late: a list of tasks does without

    seen = np.sort(fold.seen)
    if len(seen) < parts:
        raise GenezipError(
            f"{len(seen)} training rows cannot be divided into {parts} validation parts; lower "
            "validation_folds"
        )
    found = []
    for number, (train, valid) in enumerate(
        KFold(parts, shuffle=True, random_state=seed).split(seen)
    ):
        missing = set(truth[seen]) - set(truth[seen[train]])
        if missing:
            raise GenezipError(
                f"validation part {number} of {parts} has every training row of the class number "
                f"{min(missing)}; add rows of it, or lower validation_folds"
            )
        found.append(Fold(number, seen[train], fold.test, seen[valid]))
    return found


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
    scheme : one of :data:`SCHEMES`; ``official``, ``pool`` and ``unseen`` have one fold;
        ``chromosome`` leaves out rows whose chromosome is empty
    folds : number of folds, of ``chromosome`` and ``family``
    k : length of a shared stretch (bases), of ``unseen`` and ``family``
    """
    if scheme in ("official", "pool", "unseen"):
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
    known = groups[groups != ""]
    if known.nunique() < folds:
        raise GenezipError(
            f"{folds} folds need as many {name}, and the set has {known.nunique()}; "
            "ask for fewer folds"
        )
    numbers = groups.map(balanced_folds(known, folds)).fillna(UNTESTED).to_numpy(dtype=np.int64)
    note = f"{len(known):,} of {len(table):,} rows in {folds} folds of {known.nunique():,} {name}"
    return folds_of(numbers), note


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


def fit_of(scheme: str, number: int) -> str:
    """Name of a split scheme in rows of one of several fits."""
    return f"{scheme}_fit{number}"


def mean_of_fits(rows: Iterable[Row]) -> list[Row]:
    """Rows of means over the fits of a method (``SCHEME_fits``), for every metric and difference.

    The interval is that of Student's t over the fits, as of the protocol of the Nucleotide
    Transformer. All fits share the test rows, so it is about training, not about data.
    """
    from scipy import stats  # late: a list of tasks does without

    grouped: dict[tuple[Any, ...], list[Row]] = {}
    for each in rows:
        if (match := _FIT.fullmatch(str(each["rule"]))) and each["value"] is not None:
            names = ("model", "seed", "input", "mode", "subset", "split", "metric")
            grouped.setdefault((match[1], *(each[name] for name in names)), []).append(each)
    found = []
    for (scheme, *_), fits in grouped.items():
        values = np.array([float(each["value"]) for each in fits])
        mean, error = values.mean(), stats.sem(values) if len(values) > 1 else 0.0
        low, high = stats.t.interval(0.95, len(values) - 1, mean, error) if error else (mean, mean)
        limits = {"ci_low": cell(low), "ci_high": cell(high)} if len(values) > 1 else {}
        about = {"rule": f"{scheme}_fits", "value": cell(mean), "ci_low": None, "ci_high": None}
        note = "mean of fits that share their test rows: the interval is over training, not data"
        counts = {"unit": "fits", "units": len(fits), "note": note}
        found.append(fits[0] | about | limits | counts)
    return found


def by_fold(
    folds: Mapping[str, Sequence[Fold]], fit: Callable[[Fold], T]
) -> Iterator[tuple[str, Fold, T, np.ndarray]]:
    """Results of ``fit`` for every fold, computed once for folds with equal training rows.

    ``folds`` are those of each split scheme. Yields scheme, fold, result for a fold with at least
    its test rows, and their positions among the rows of the result.
    """
    every = [fold for group in folds.values() for fold in group]
    known: dict[bytes, tuple[np.ndarray, T]] = {}
    for scheme, group in folds.items():
        for fold in group:
            key = fold.seen.tobytes()
            if key not in known:
                same = [other.test for other in every if other.seen.tobytes() == key]
                rows = np.unique(np.concatenate(same))
                known[key] = rows, fit(replace(fold, test=rows))
            rows, found = known[key]
            yield scheme, fold, found, np.searchsorted(rows, fold.test)
