"""Regulatory activity (rsap) from cached bin features: a linear head on all tracks.

The paper has no setting for this task. The loss is Enformer's (Poisson); the weights of the
lowest validation loss are used.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from genezip.config.benchmarks import Activity
from genezip.errors import GenezipError
from genezip.genome.sources.splits import SPLITS
from genezip.models.base import choose_device
from genezip.tasks.base import Method
from genezip.tasks.networks import ActivityHead, poisson_sum
from genezip.tasks.windows.bin_features import (
    BinFeatures,
    blocks,
    micro_batch,
    rows_of,
    write_windows,
)
from genezip.training.fit import fit_task, rows_of_step
from genezip.training.objectives import TaskObjective

if TYPE_CHECKING:
    from genezip.tasks.windows.examples import WindowExamples

VALIDATION_WINDOWS = 256
"""Validation windows that choose the weights, evenly spread over the split."""
ROWS_PER_WRITE = 2
_BYTES_PER_VALUE = 32  # rate, target, loss terms and their gradients, float32


def predict_activity(
    array: np.ndarray,
    windows: "WindowExamples",
    method: Method,
    settings: Activity,
    seed: int,
    identity: dict[str, Any],
    out: Path,
    work_folder: Path,
) -> None:
    """Train an activity head and write its rates in all validation and test windows.

    Targets are read from their memory maps a batch at a time.

    Parameters
    ----------
    array : float32, shape (n, bins, channels), features in the order of ``windows.table``
    identity : what else decides the weights, see :func:`fit_task`
    out, work_folder : prediction file (arrays bins x tracks), folder of the checkpoint

    Raises
    ------
    GenezipError
        If bins and targets do not belong together, or there are no training windows.
    """
    rows, name = rows_of(windows.table), f"rsap {method.subset} {method.label}"
    targets = {split: windows.targets(split) for split in SPLITS}
    bins, tracks = targets["train"].shape[1:]
    if array.shape[1] != bins:
        raise GenezipError(
            f"the features of {name} have {array.shape[1]} bins, its targets {bins}; compute the "
            "features again"
        )
    device = choose_device(settings.device)
    features = BinFeatures(array, rows["train"], name)
    at_once = micro_batch(device, _BYTES_PER_VALUE * bins * tracks, settings.batch)
    torch.manual_seed(seed)
    head = ActivityHead(features.width, tracks).to(device)

    def target(split: str, places: np.ndarray) -> np.ndarray:
        return np.asarray(targets[split][places])

    def parts(split: str, places: np.ndarray) -> Iterator[tuple[Tensor, Tensor, int]]:
        known = target(split, places)
        values = int(np.isfinite(known).sum())
        for part in blocks(np.arange(len(places)), at_once):
            seen = features.batch(rows[split][places[part]], device)
            yield seen, torch.from_numpy(known[part]).to(device), values

    def batch(step: int) -> Iterator[tuple[Tensor, Tensor, int]]:
        return parts("train", rows_of_step(len(rows["train"]), settings.batch, step, seed))

    def validate() -> float:
        """The negative mean loss."""
        total, values = 0.0, 0
        for places in blocks(spread(len(rows["valid"]), VALIDATION_WINDOWS), settings.batch):
            for seen, found, _values in parts("valid", places):
                total += float(poisson_sum(head(seen), found))
                values += int(found.isfinite().sum())
        return -total / values if values else float("nan")

    def predict(here: np.ndarray) -> np.ndarray:
        """Rates of rows of the table, float32 (k, bins, tracks)."""
        return head(features.batch(here, device)).cpu().numpy()

    loss = partial(activity_loss, head)
    objective = TaskObjective(name, head, settings, loss, validate, "negative loss")
    fit_task(objective, batch, settings.steps, seed, identity, work_folder)
    write_windows(out, method, windows, target, predict, ROWS_PER_WRITE)


def spread(count: int, most: int) -> np.ndarray:
    """At most so many of the numbers 0 .. count - 1, evenly spread; int64, rising."""
    return np.arange(min(count, most)) * count // max(1, min(count, most))


def activity_loss(head: nn.Module, part: tuple[Tensor, Tensor, int]) -> Tensor:
    """A micro-batch's share of the mean Poisson loss over a step's finite targets.

    ``part`` holds features (B, bins, channels), targets (B, bins, tracks) and the finite
    targets of the step.
    """
    features, target, values = part
    return poisson_sum(head(features), target) / max(1, values)
