"""Which mixture of sampling modes the paper used, from the class shares of its corpora.

GeneZip (arXiv 2602.17739, section 4.1) draws windows uniformly, around TSSs and around coding
bases, but does not give the shares of the three. Its Table 5 gives the percentage of each class
in the training corpora. Windows of each mode are drawn as for our own corpus, their class
shares are measured, and the shares w >= 0, sum 1, are those with the smallest squared
difference to the published percentages.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from genezip.corpus.calibration import published
from genezip.corpus.pool import Pool
from genezip.corpus.sampling import MODES, Drawn, sample
from genezip.errors import GenezipError
from genezip.genome.assembly import Piece
from genezip.genome.gene_models import Annotation
from genezip.genome.intervals import Covered, Intervals
from genezip.genome.names import say_on_stderr
from genezip.genome.region_map import RegionMap
from genezip.region_classes import CLASSES

CORPORA = {
    "12.8k": (("GENCODE-Human-12.8k", "train"), 12_800),
    "128k": (("GENCODE-Human-128k", "train"), 128_000),
}
"""Name -> published row and window length (bp)."""


def measure(
    pieces: Sequence[Piece],
    annotations: Mapping[str, Annotation],
    region_map: RegionMap,
    n_runs: Mapping[str, Intervals],
    excluded: pd.DataFrame,
    windows: int,
    seed: int,
    say: Callable[[str], None] = say_on_stderr,
) -> dict[str, np.ndarray]:
    """Class shares in windows of each mode, for the window length of each published corpus.

    Parameters
    ----------
    pieces, annotations, n_runs, excluded
        As :class:`genezip.corpus.pool.Pool`.
    region_map : RegionMap
        Of the seven classes, covering the pieces.
    windows : int
        Windows drawn per mode and corpus.
    seed : int
        Equal seeds give equal numbers.
    say : callable
        Receives a line per corpus.

    Returns
    -------
    dict
        Corpus (key of :data:`CORPORA`) -> float64 array, shape (modes, classes), percent.
    """
    shares = {}
    for name, (_, window_bp) in CORPORA.items():
        say(f"mixture: {windows:,} windows of {window_bp:,} bp in each of {len(MODES)} modes")
        key = f"the window of the published corpus {name}"
        pool = Pool(pieces, window_bp, annotations, n_runs, excluded, key)
        shares[name] = mode_shares(region_map, pool, windows, np.random.default_rng(seed))
    return shares


def mode_shares(
    region_map: RegionMap,
    pool: Pool,
    windows: int,
    rng: np.random.Generator,
    max_n_fraction: float = 0.01,
) -> np.ndarray:
    """Percent of the bases that each class has in windows of each mode.

    Parameters
    ----------
    region_map : RegionMap
        Of the seven classes.
    pool : Pool
        What windows are drawn from, and their length.
    windows : int
        Windows drawn per mode.
    rng : numpy Generator
    max_n_fraction : float
        Windows with a larger share of N are redrawn.

    Returns
    -------
    float64 array, shape (modes, classes)
        Every row sums to 100.

    Raises
    ------
    GenezipError
        If a mode has no legal window.
    """
    found = np.zeros((len(MODES), len(CLASSES)))
    for index, mode in enumerate(MODES):
        weights = {name: float(name == mode) for name in MODES}
        drawn = sample(pool, windows, weights, max_n_fraction, rng)
        found[index] = _class_bp(region_map, drawn)
    return 100 * found / found.sum(axis=1, keepdims=True)


def _class_bp(region_map: RegionMap, drawn: Drawn) -> np.ndarray:
    """Bases of each class in all windows together; bases of overlapping windows count twice."""
    counts = np.zeros(len(CLASSES), dtype=np.int64)
    chroms = np.array([piece.chrom for piece in drawn.pool.pieces], dtype=object)[drawn.piece]
    for chrom, runs in region_map.table().groupby("chrom"):
        starts = drawn.start[chroms == chrom]
        for index, name in enumerate(CLASSES):
            mine = runs[runs["name"] == name]
            covered = Covered(mine["start"].to_numpy(), mine["end"].to_numpy())
            counts[index] += covered.within(starts, starts + drawn.pool.window_bp).sum()
    return counts


def fit_simplex(matrix: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Weights w >= 0 with sum 1 that minimise ``|matrix @ w - target|``.

    The optimum is the unconstrained one of the modes that take part in it, so every set of
    modes is tried (7 for three modes) and the best answer without negative weight is kept.

    Parameters
    ----------
    matrix : float array, shape (n, k)
    target : float array, shape (n,)

    Returns
    -------
    float64 array, shape (k,)
    """
    k = matrix.shape[1]
    best, least = np.full(k, 1 / k), np.inf
    for size in range(1, k + 1):
        for chosen in combinations(range(k), size):
            # the sum is 1 by construction: what the last weight is follows from the others
            last = matrix[:, chosen[-1]]
            free = matrix[:, chosen[:-1]] - last[:, None]
            part = np.linalg.lstsq(free, target - last, rcond=None)[0]
            weights = np.zeros(k)
            weights[list(chosen)] = [*part, 1 - part.sum()]
            if (weights < 0).any():
                continue
            distance = float(np.sum((matrix @ weights - target) ** 2))
            if distance < least:
                best, least = weights, distance
    return best


def fit_mixture(
    shares: Mapping[str, np.ndarray],
    table5: pd.DataFrame,
    made_from: str,
    promoter: str,
    chosen: np.ndarray,
    chosen_name: str = "config",
) -> pd.DataFrame:
    """Shares of the modes that come closest to the published percentages.

    Parameters
    ----------
    shares : mapping
        Corpus (a key of :data:`CORPORA`) -> what :func:`mode_shares` gave.
    table5 : DataFrame
        What :func:`genezip.corpus.calibration.read_table5` gave.
    made_from, promoter : str
        Name of the annotation, and the promoter of its region map in words.
    chosen : float array, shape (modes,)
        Our own weights, shown for comparison.
    chosen_name : str
        What the fit with these weights is called: ``config`` for those of ``corpus.sampling``.

    Returns
    -------
    DataFrame
        annotation, promoter, fit, corpus, class, ``<mode>_pct`` (measured in windows of the mode),
        mixture_pct, paper_pct, difference_pct (mixture - paper), ``<mode>_weight``, residual_pct
        (root of the sum of squared differences over the classes). The fit is ``own`` (to this
        corpus), ``both`` (one mixture for all) or ``chosen_name`` (not fitted, the weights given).

    Raises
    ------
    GenezipError
        If a published row is missing.
    """
    if not shares:
        raise GenezipError("no corpus to fit a mixture to; measure at least one")
    paper = {name: published(table5, CORPORA[name][0], "pct").to_numpy() for name in shares}
    stacked = np.concatenate([found.T for found in shares.values()])
    both = fit_simplex(stacked, np.concatenate(list(paper.values())))
    frames = []
    for name, found in shares.items():
        fits = {"own": fit_simplex(found.T, paper[name]), "both": both, chosen_name: chosen}
        for fit, weights in fits.items():
            mixed = weights @ found
            difference = mixed - paper[name]
            frames.append(
                pd.DataFrame(
                    {
                        "annotation": made_from,
                        "promoter": promoter,
                        "fit": fit,
                        "corpus": name,
                        "class": CLASSES,
                        **{f"{m}_pct": row for m, row in zip(MODES, found, strict=True)},
                        "mixture_pct": mixed,
                        "paper_pct": paper[name],
                        "difference_pct": difference,
                        **{f"{m}_weight": w for m, w in zip(MODES, weights, strict=True)},
                        "residual_pct": float(np.sqrt(np.sum(difference**2))),
                    }
                )
            )
    return pd.concat(frames, ignore_index=True)
