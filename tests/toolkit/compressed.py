"""Compressed windows of made-up models."""

from typing import Any

import numpy as np

from genezip.alphabet import is_base
from genezip.inference.table import CompressedWindow


def make_window(place: Any, starts: Any, strand: str = "+", **more: Any) -> CompressedWindow:
    """Compressed form of a corpus window, cut at the given bases."""
    starts = np.asarray(starts, dtype=np.int32)
    stages = np.array([len(starts)], dtype=np.int32)
    return CompressedWindow(
        place.chrom, place.start, place.end, strand, place.piece, place.split, len(place.ids),
        starts, stages, **{"bound_active": np.array([False]), **more},
    )  # fmt: skip


def scored_window(place: Any, starts: Any, prob: np.ndarray) -> CompressedWindow:
    """The same with boundary probabilities, and 1.3 nats per base but the first."""
    nll = np.where(is_base(place.ids), 1.3, np.nan).astype(np.float32)
    nll[0] = np.nan
    return make_window(place, starts, boundary_prob=prob.astype(np.float16), nll=nll)


def random_starts(rng: np.random.Generator, length: int, tokens: int) -> np.ndarray:
    inner = rng.choice(np.arange(1, length), tokens - 1, replace=False)
    return np.append(0, np.sort(inner)).astype(np.int32)
