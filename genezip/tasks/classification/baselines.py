"""Baselines of labelled sequences: class shares, length, GC content and k-mers.

Features of composition use the same :func:`genezip.tasks.classification.probe.linear_probe` as
those of a model.
"""

from itertools import product

import numpy as np

from genezip.alphabet import A_ID, is_base
from genezip.metrics.gc_content import gc_and_cpg
from genezip.tasks.classification.splits import Fold

PRIOR, LENGTH = "class_prior", "length"
KMER = 4


def composition_features(ids: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Features of each baseline of composition, by its name; float64 arrays, (n, width)."""
    kmers, shares = kmer_shares(ids), composition(ids)
    return {
        "gc_cpg": shares,
        f"kmer{KMER}": kmers,
        f"gc_cpg_kmer{KMER}": np.hstack([shares, kmers]),
    }


def class_shares(truth: np.ndarray, fold: Fold, classes: int) -> np.ndarray:
    """Shares of the classes among the rows of ``fold.seen``, for every test row.

    Float64 array, shape (len(fold.test), classes).
    """
    share = np.bincount(truth[fold.seen], minlength=classes) / len(fold.seen)
    return np.tile(share, (len(fold.test), 1))


def boosted_trees(
    x: np.ndarray, truth: np.ndarray, fold: Fold, classes: int, seed: int
) -> np.ndarray:
    """Class probabilities of the test rows, (len(fold.test), classes), of boosted trees."""
    from sklearn.ensemble import HistGradientBoostingClassifier  # a list of tasks does without

    trees = HistGradientBoostingClassifier(random_state=seed).fit(x[fold.seen], truth[fold.seen])
    found = np.zeros((len(fold.test), classes))
    found[:, trees.classes_] = trees.predict_proba(x[fold.test])
    return found


def composition(ids: list[np.ndarray]) -> np.ndarray:
    """GC content, and CpG observed over expected; float64, (n, 2)."""
    found = np.array([gc_and_cpg(sequence) for sequence in ids]).reshape(len(ids), 2)
    return np.nan_to_num(found)  # 0 where no base is known


def kmer_shares(ids: list[np.ndarray], k: int = KMER) -> np.ndarray:
    """Shares of the canonical k-mers: a k-mer and its reverse complement are one.

    Float64 array, shape (n, number of such classes: 136 for k = 4); rows add up to 1, or 0 for a
    sequence without a k-mer of known bases.
    """
    words = list(product(range(4), repeat=k))
    canonical = sorted({min(word, _opposite(word)) for word in words})
    number_of = {word: number for number, word in enumerate(canonical)}
    column = np.array([number_of[min(word, _opposite(word))] for word in words])
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
