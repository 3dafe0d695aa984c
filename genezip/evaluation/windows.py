"""What is known of the held-out windows: region, GC tertile, N content, bootstrap block."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from genezip.alphabet import is_base
from genezip.artifacts.scores import GC_TERTILES
from genezip.config import Evaluation
from genezip.errors import GenezipError
from genezip.evaluation.composition import gc_content
from genezip.metrics.bootstrap import BlockBootstrap
from genezip.region_classes import MOST_CLASSES, RegionClasses

N_TERTILES = len(GC_TERTILES)
N_STRATA = N_TERTILES + 1  # the last stratum holds N and padding
GC_WIDTH = 1024  # bp
_LEVELS = 1024  # GC content is rounded to 1/1024 before it is ranked

Key = tuple[str, int, int]


@dataclass(frozen=True)
class Subset:
    """A choice of windows with its own bootstrap; ``strict`` leaves padding out."""

    name: str
    chosen: np.ndarray
    strict: bool
    bootstrap: BlockBootstrap


@dataclass(frozen=True)
class Labels:
    """Labels of the windows of one split, in corpus order.

    Attributes
    ----------
    table : DataFrame
        chrom, start, end, piece, split, length, n_fraction (of the real bases), block.
    cells : list of uint8 arrays, one per window, shape (length,)
        GC stratum x 64 + region class of every base; stratum 3 is N or padding.
    gc_edges : two floats
        Highest GC content of the lower and of the middle tertile.
    region_classes : RegionClasses
        The region classes of the corpus.
    """

    split: str
    table: pd.DataFrame
    cells: list[np.ndarray]
    index: dict[Key, int]
    gc_edges: tuple[float, float]
    subsets: tuple[Subset, ...]
    region_classes: RegionClasses


def subset_name(max_n_fraction: float) -> str:
    """Name of the subset without N-rich windows, such as ``n_le_5pct``."""
    return f"n_le_{100 * max_n_fraction:g}pct"


def block_ids(piece: pd.Series, start: pd.Series, block_bp: int) -> np.ndarray:
    """Bootstrap block of every window: (piece, (start - first start of the piece) // block_bp)."""
    offset = (start - start.groupby(piece).transform("min")) // block_bp
    order = piece.map({name: number for number, name in enumerate(piece.unique())})
    return (order * (int(offset.max()) + 1) + offset).to_numpy(dtype=np.int64)


def _gc_levels(ids: np.ndarray) -> np.ndarray:
    """GC content of the 1,024 bp around each base in 1/1024, -1 for N.

    The window is clipped at the ends of the held-out window: a router sees no further.
    """
    gc = gc_content(ids, GC_WIDTH)
    levels = np.full(len(ids), -1, dtype=np.int16)
    known = is_base(ids)
    levels[known] = np.rint(gc[known] * _LEVELS).astype(np.int16)
    return levels


def _tertile_levels(histogram: np.ndarray) -> np.ndarray:
    """Highest level of the lower and middle tertile of a histogram over levels."""
    share = np.cumsum(histogram) / max(histogram.sum(), 1)
    return np.array([int(np.searchsorted(share, k / N_TERTILES - 1e-12)) for k in (1, 2)])


def _describe(window: Any) -> dict[str, Any]:
    real = window.end - window.start
    return {
        "chrom": window.chrom,
        "start": window.start,
        "end": window.end,
        "piece": window.piece,
        "split": window.split,
        "length": len(window.ids),
        "n_fraction": float(1 - is_base(window.ids[:real]).mean()),
    }


def read_labels(reader: Any, settings: Evaluation, split: str = "test") -> Labels:
    """Read the labels of a split of the corpus (twice: GC ranks first, then cells).

    Parameters
    ----------
    reader : genezip.corpus.corpus.CorpusReader
    settings : Evaluation
        ``max_n_fraction``, ``block_bp``, ``bootstrap`` and ``seed`` are used.

    Raises
    ------
    GenezipError
        If the split has no window.
    """
    rows = []
    histogram = np.zeros(_LEVELS + 1, dtype=np.int64)
    for window in reader.windows(split):
        rows.append(_describe(window))
        if rows[-1]["n_fraction"] <= settings.max_n_fraction:
            levels = _gc_levels(window.ids)
            histogram += np.bincount(levels[levels >= 0], minlength=_LEVELS + 1)
    if not rows:
        raise GenezipError(f"the corpus has no window of split {split}; build it with such windows")
    edges = _tertile_levels(histogram)
    cells = []
    for window in reader.windows(split):
        levels = _gc_levels(window.ids)
        stratum = np.searchsorted(edges, levels).astype(np.uint8)
        stratum[levels < 0] = N_TERTILES
        # class and GC stratum of a base share one byte
        cells.append(stratum * np.uint8(MOST_CLASSES) + window.regions.astype(np.uint8))
    table = pd.DataFrame(rows)
    table["block"] = block_ids(table["piece"], table["start"], settings.block_bp)
    keys = zip(table["chrom"], table["start"].tolist(), table["end"].tolist(), strict=True)
    index = {key: number for number, key in enumerate(keys)}
    gc_edges = (float(edges[0] / _LEVELS), float(edges[1] / _LEVELS))
    chosen = subsets(table, settings)
    return Labels(split, table, cells, index, gc_edges, chosen, reader.region_classes)


def subsets(table: pd.DataFrame, settings: Evaluation) -> tuple[Subset, ...]:
    """The two sets of windows that every held-out metric is given for."""
    everything = np.ones(len(table), dtype=bool)
    few_n = table["n_fraction"].to_numpy() <= settings.max_n_fraction
    blocks = table["block"].to_numpy()
    found = []
    for name, chosen, strict in (
        ("all", everything, False),
        (subset_name(settings.max_n_fraction), few_n, True),
    ):
        bootstrap = BlockBootstrap(blocks[chosen], settings.bootstrap, settings.seed)
        found.append(Subset(name, chosen, strict, bootstrap))
    return tuple(found)
