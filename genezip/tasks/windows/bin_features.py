"""What heads on windows share: standardised features in batches, and writing predictions."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from genezip.errors import GenezipError
from genezip.genome.sources.splits import SPLITS
from genezip.log import Progress, progress
from genezip.tasks.base import Method
from genezip.tasks.features import Moments, Standard
from genezip.tasks.predictions import PredictionWriter

if TYPE_CHECKING:
    from genezip.tasks.windows.examples import WindowExamples

logger = logging.getLogger(__name__)

ROWS_PER_BLOCK = 16
MEMORY_SHARE = 0.5  # of the free memory of a GPU, for a micro-batch


def rows_of(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Row numbers of every split, int64, in the order of the split's targets."""
    split = table["split"].to_numpy()
    return {name: np.flatnonzero(split == name) for name in SPLITS}


def micro_batch(device: torch.device, bytes_each: int, batch: int) -> int:
    """Examples that go through a head at once: one on a CPU, what half of a GPU holds on it.

    ``bytes_each`` is what an example takes in forward and backward.
    """
    if device.type != "cuda":
        return 1
    free, _ = torch.cuda.mem_get_info(device)
    return max(1, min(batch, int(free * MEMORY_SHARE) // bytes_each))


class BinFeatures:
    """Features of windows; every channel has mean 0 and SD 1 over the training windows' bins.

    Parameters
    ----------
    array : float array, shape (n, bins, channels), usually a memory map
    train : int array, rows whose bins decide mean and SD
    name : for messages

    Raises
    ------
    GenezipError
        If there are no training rows.
    """

    def __init__(self, array: np.ndarray, train: np.ndarray, name: str) -> None:
        self._array = array
        self.bins, self.width = array.shape[1:]
        if not len(train):
            raise GenezipError(f"{name} has no training windows with a target; prepare it again")
        moments = Moments(self.width)
        with Progress("features", len(train), "window") as shown:
            for rows in blocks(train):
                moments.add(array[rows])
                shown.advance(len(rows))
        self.standard: Standard = moments.standard()

    def batch(self, rows: np.ndarray, device: torch.device) -> Tensor:
        """Standardised features, float32 Tensor (len(rows), bins, channels)."""
        found = self.standard.apply(self._array[rows]).astype(np.float32)
        return torch.from_numpy(found).to(device)


def blocks(rows: np.ndarray, size: int = ROWS_PER_BLOCK) -> list[np.ndarray]:
    """Consecutive parts of at most ``size`` rows."""
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def kept_where(rows: np.ndarray, keep: Callable[[int], bool], name: str) -> np.ndarray:
    """Positions 0 .. len(rows) - 1 for which ``keep`` holds; a warning counts the others."""
    places = progress(range(len(rows)), "targets", unit="window")
    kept = np.array([place for place in places if keep(place)], dtype=np.int64)
    if len(kept) < len(rows):
        logger.warning(
            f"{name}: {len(rows) - len(kept)} of {len(rows)} training windows have no signal "
            "(all values are equal) and are left out"
        )
    return kept


def write_windows(
    out: Path,
    method: Method,
    windows: "WindowExamples",
    target: Callable[[str, np.ndarray], np.ndarray],
    predict: Callable[[np.ndarray], np.ndarray],
    rows_per_write: int,
) -> None:
    """Write the predictions of all validation and test windows, some rows at a time.

    Parameters
    ----------
    out : prediction file, written atomically
    target : split, positions within it -> float array (k, ...)
    predict : rows of ``windows.table`` -> float array (k, ...)
    """
    table, rows = windows.table, rows_of(windows.table)
    sizes = target("test", np.arange(0)).shape[1:]
    total = len(rows["valid"]) + len(rows["test"])
    bar = Progress("predictions", total, "window")
    with PredictionWriter(out, method, "array", sizes) as writer, bar as shown, torch.no_grad():
        for split in ("valid", "test"):
            for places in blocks(np.arange(len(rows[split])), rows_per_write):
                here = rows[split][places]
                writer.add(
                    split=split,
                    example=table["example"].to_numpy()[here],
                    group=table["locus"].to_numpy()[here],
                    target=target(split, places),
                    prediction=predict(here),
                )
                shown.advance(len(here))
