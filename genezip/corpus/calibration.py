"""Recover the promoter width and the sampling mixture of the paper from its Table 5.

The text of GeneZip (arXiv 2602.17739, section 4.1) gives neither.

Width: Table 5 has the bases of each class on the held-out chromosomes 8, 9 and 10. The map is
built for several half-widths, and the one with the closest totals is marked. The result depends on
the annotation, whose name is in every row.

Mixture: windows are drawn uniformly, around TSSs and around coding bases, and Table 5 has the
percentage of each class in the training corpora. Windows of each mode are drawn as for our
corpus and their class shares are measured; the weights w >= 0, sum 1, of the modes minimise the
squared difference to the published percentages.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genezip.artifacts.published import published_table
from genezip.artifacts.tables import read_tsv
from genezip.config import Regions
from genezip.corpus.sampling import MODES, Drawn, Pool, sample
from genezip.errors import GenezipError
from genezip.genome.assembly import Segment
from genezip.genome.gene_models import Annotation
from genezip.genome.intervals import Covered, Intervals
from genezip.genome.names import match_chrom_style
from genezip.genome.region_map import RegionMap
from genezip.genome.region_rules import class_layers, classify_layers
from genezip.genome.sources.splits import HELD_OUT_CHROMOSOMES
from genezip.region_classes import CLASSES

logger = logging.getLogger(__name__)

HALF_WIDTHS = (500, 1000, 1500, 2000, 2500)
HELD_OUT_ROW = ("Held-out chr8+chr9+chr10", "test")
"""Data set and split of the published row."""

_UNITS = ("bp_M", "pct")


def read_table5(path: Path | None = None) -> pd.DataFrame:
    """Published class totals: the rows of GeneZip Table 5, indexed by (dataset, split).

    ``path`` is a CSV in place of the paper's, with dataset, split, and for each class
    ``<class>_bp_M`` (Mb) and ``<class>_pct``.
    """
    needed = ["dataset", "split", *(f"{name}_{unit}" for name in CLASSES for unit in _UNITS)]
    table = read_tsv(
        path or published_table("table5_corpora") or "",
        needed,
        first="give --paper an existing file",
        again="give --paper the right file",
        separator=",",
    )
    return table.set_index(["dataset", "split"])


def published(table5: pd.DataFrame, row: tuple[str, str], unit: str) -> pd.Series:
    """One published row by class: ``bp_M`` in Mb or ``pct`` in percent."""
    if row not in table5.index:
        raise GenezipError(f"the table of published numbers has no row {row[0]}, {row[1]}")
    columns = [f"{name}_{unit}" for name in CLASSES]
    values = table5[columns].to_numpy(dtype=float)[list(table5.index).index(row)]
    return pd.Series(values, index=list(CLASSES))


def calibrate(
    annotation: Annotation,
    chrom_sizes: Mapping[str, int],
    settings: Regions,
    paper_mb: pd.Series,
    chromosomes: Sequence[str] = HELD_OUT_CHROMOSOMES,
    half_widths: Sequence[int] = HALF_WIDTHS,
) -> pd.DataFrame:
    """Class totals of some chromosomes for several promoter half-widths.

    Parameters
    ----------
    chrom_sizes : chromosome -> length (bp)
    settings : rules of the map; promoter width and user classes are overridden
    paper_mb : class -> published Mb
    chromosomes : chromosomes of the published row, as in ``chrom_sizes``
    half_widths : promoter half-widths (bp)

    Returns
    -------
    DataFrame
        annotation, chromosomes, half_width_bp, class, measured_mb, paper_mb, difference_mb
        (measured - paper), closest_promoter, closest_total (0 or 1). Each half-width has a row
        per class and a row ``all`` with the sum of absolute differences. ``closest_promoter``
        marks the half-width with the smallest absolute difference of the class promoter,
        ``closest_total`` the one with the smallest sum.
    """
    absent = [chrom for chrom in chromosomes if chrom not in chrom_sizes]
    if absent:
        raise GenezipError(
            f"the chromosome lengths lack {', '.join(absent)}; name others with --chromosomes"
        )
    matched = match_chrom_style(annotation, chrom_sizes)
    bare = without_genes(matched, chromosomes)
    if bare:
        raise GenezipError(
            f"{annotation.name} has no transcript on {', '.join(bare)}; name other chromosomes "
            "with --chromosomes or give the annotation of the whole genome"
        )
    sizes = {chrom: chrom_sizes[chrom] for chrom in chromosomes}
    here = on_chromosomes(matched, sizes)
    frames = []
    for half_width in half_widths:
        changed: dict[str, Any] = {
            "promoter_half_width": half_width,
            "promoter_upstream": None,
            "promoter_downstream": None,
            "classes": [],
            "required": [],
        }
        chosen = settings.model_copy(update=changed)
        region_classes = chosen.region_classes()
        totals = classify_layers(class_layers(here, chosen), sizes, region_classes).totals()
        measured = totals["bp"] / 1e6
        paper = paper_mb.loc[list(CLASSES)].to_numpy()
        frame = pd.DataFrame(
            {
                "annotation": annotation.name,
                "chromosomes": "+".join(chromosomes),
                "half_width_bp": half_width,
                "class": totals["class"],
                "measured_mb": measured,
                "paper_mb": paper,
                "difference_mb": measured - paper,
            }
        )
        whole = frame.iloc[:1].assign(
            **{"class": "all", "measured_mb": measured.sum(), "paper_mb": paper.sum()},
            difference_mb=frame["difference_mb"].abs().sum(),
        )
        frames.append(pd.concat([frame, whole]))
    table = pd.concat(frames, ignore_index=True)
    for column, name in (("closest_promoter", "promoter"), ("closest_total", "all")):
        table[column] = (table["half_width_bp"] == closest(table, name)).astype(int)
    return table


def without_genes(annotation: Annotation, chromosomes: Sequence[str]) -> list[str]:
    """Chromosomes without a transcript in the annotation."""
    on = set(annotation.transcripts["chrom"].unique())
    return [chrom for chrom in chromosomes if chrom not in on]


def closest(table: pd.DataFrame, name: str) -> int:
    """Half-width (bp) at which a class, or ``all``, differs least from the paper."""
    rows = table[table["class"] == name]
    least = int(rows["difference_mb"].abs().to_numpy().argmin())
    return int(rows["half_width_bp"].to_numpy()[least])


def on_chromosomes(annotation: Annotation, chromosomes: Collection[str]) -> Annotation:
    """The gene models on some chromosomes."""
    tables = {
        key: table[table["chrom"].isin(list(chromosomes))]
        for key, table in annotation.tables().items()
    }
    return annotation.with_tables(**tables)


CORPORA = {
    "12.8k": (("GENCODE-Human-12.8k", "train"), 12_800),
    "128k": (("GENCODE-Human-128k", "train"), 128_000),
}
"""Name -> published row and window length (bp)."""


def measure(
    segments: Sequence[Segment],
    annotations: Mapping[str, Annotation],
    region_map: RegionMap,
    n_runs: Mapping[str, Intervals],
    excluded: pd.DataFrame,
    windows: int,
    seed: int,
) -> dict[str, np.ndarray]:
    """Output of :func:`mode_shares` for each of :data:`CORPORA`, at its window length.

    Segments, annotations, N and exclusions are as of :class:`genezip.corpus.sampling.Pool`; the
    map of the seven classes covers the segments. ``windows`` are drawn per mode and corpus.
    """
    shares = {}
    for name, (_, window_bp) in CORPORA.items():
        logger.info(
            f"mixture: {windows:,} windows of {window_bp:,} bp in each of {len(MODES)} modes"
        )
        key = f"the window of the published corpus {name}"
        pool = Pool(segments, window_bp, annotations, n_runs, excluded, key)
        shares[name] = mode_shares(region_map, pool, windows, np.random.default_rng(seed))
    return shares


def mode_shares(
    region_map: RegionMap,
    pool: Pool,
    windows: int,
    rng: np.random.Generator,
    max_n_fraction: float = 0.01,
) -> np.ndarray:
    """Percentage of bases of each class in windows of each mode.

    ``windows`` are drawn per mode; those with a larger share of N than ``max_n_fraction`` are
    redrawn.

    Returns
    -------
    float64 array, shape (modes, classes)
        Every row sums to 100.
    """
    found = np.zeros((len(MODES), len(CLASSES)))
    for index, mode in enumerate(MODES):
        weights = {name: float(name == mode) for name in MODES}
        drawn = sample(pool, windows, weights, max_n_fraction, rng)
        found[index] = _class_bp(region_map, drawn)
    return 100 * found / found.sum(axis=1, keepdims=True)


def _class_bp(region_map: RegionMap, drawn: Drawn) -> np.ndarray:
    """Bases of each class in all windows; bases in two windows count twice."""
    counts = np.zeros(len(CLASSES), dtype=np.int64)
    of_segment = np.array([segment.chrom for segment in drawn.pool.segments], dtype=object)
    chroms = of_segment[drawn.segment]
    for chrom, runs in region_map.table().groupby("chrom"):
        starts = drawn.start[chroms == chrom]
        for index, name in enumerate(CLASSES):
            mine = runs[runs["name"] == name]
            covered = Covered(mine["start"].to_numpy(), mine["end"].to_numpy())
            counts[index] += covered.within(starts, starts + drawn.pool.window_bp).sum()
    return counts


def fit_simplex(matrix: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Weights w >= 0 with sum 1 that minimise ``|matrix @ w - target|``.

    The optimum is the unconstrained optimum over the modes with positive weight, so every set of
    modes is tried (7 for three modes) and the best solution without negative weights is kept.
    Shapes: matrix (n, k), target (n,), weights (k,).
    """
    k = matrix.shape[1]
    best, least = np.full(k, 1 / k), np.inf
    for size in range(1, k + 1):
        for chosen in combinations(range(k), size):
            # the sum is 1 by construction: the last weight follows from the others
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
    """Weights of the modes that come closest to the published percentages.

    Parameters
    ----------
    shares : corpus (a key of :data:`CORPORA`) -> output of :func:`mode_shares`
    table5 : output of :func:`read_table5`
    made_from, promoter : name of the annotation, and the promoter of its region map in words
    chosen : float array, shape (modes,)
        The weights of our corpora, shown for comparison.
    chosen_name : name of the fit with these weights; ``config`` for those of ``corpus.sampling``

    Returns
    -------
    DataFrame
        annotation, promoter, fit, corpus, class, ``<mode>_pct`` (measured in windows of the mode),
        mixture_pct, paper_pct, difference_pct (mixture - paper), ``<mode>_weight``, residual_pct
        (root of the sum of squared differences over the classes). The fit is ``own`` (to this
        corpus), ``both`` (one mixture for all) or ``chosen_name`` (not fitted, the weights given).
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
