"""Heads on cached bin features: contact maps of one cell line, and activity of all tracks.

Contact maps have the settings of the GeneZip release: squared error over finite entries, AdamW at
a constant rate, the weights of the last step. Unlike the release, features are standardised by the
training maps, and training maps without signal (all zeros where the experiment lacks a chromosome)
are left out.

The paper has no setting for regulatory activity; it has a linear head, the loss of Enformer
(Poisson), and the weights of the lowest validation loss here.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from genezip.artifacts.files import sha256_json
from genezip.artifacts.states import kept_state, save_state
from genezip.errors import GenezipError
from genezip.genome.sources.splits import SPLITS
from genezip.log import Progress, progress
from genezip.metrics.contacts import has_signal, mean_score, n_bins
from genezip.models.device import choose_device
from genezip.tasks.base import Job, Predictions
from genezip.tasks.examples import rows_by_split
from genezip.tasks.features import ROUNDING, ROUNDING_HALF, Moments, Standard
from genezip.tasks.networks import ActivityHead, ContactHead, poisson_sum, seeded, squared_error_sum
from genezip.tasks.windows.contacts import FIRST_MAPS
from genezip.tasks.windows.examples import WindowExamples, blocks, predict_windows
from genezip.training.checkpoint import STATE
from genezip.training.fit import fit_task, rows_of_step
from genezip.training.objectives import TaskObjective

logger = logging.getLogger(__name__)

VALIDATION_WINDOWS = 256
"""Number of validation windows that select an activity head's weights, evenly spread."""
MAPS_AT_ONCE = 64
ACTIVITY_AT_ONCE = 2
_ROWS_PER_BLOCK = 16
_MEMORY_SHARE = 0.5  # of a GPU's free memory, for a micro-batch
# Pair tensor and activations of a map of 448 bins take 0.9 GB in float32; 2 GB leave room for
# the convolutions' workspace and the gradients.
_BYTES_PER_PAIR = 10_000
_BYTES_PER_VALUE = 32  # rate, target, loss terms and their gradients, float32

Part = tuple[Tensor, Tensor, int]
"""Features (B, bins, channels), targets (B, ...), and the step's number of finite targets."""


class BinFeatures:
    """Features of windows, standardised by the bins of the training windows.

    Parameters
    ----------
    array : float array, shape (n, bins, channels), usually a memory map
    train : int array, rows that give mean and SD
    name : for messages
    kept : file of mean and SD, from which an interrupted job goes on; None to keep none
    identity : JSON values that decide them
    """

    def __init__(
        self,
        array: np.ndarray,
        train: np.ndarray,
        name: str,
        kept: Path | None = None,
        identity: Mapping[str, Any] | None = None,
    ) -> None:
        self._array = array
        self.bins, self.width = array.shape[1:]
        if not len(train):
            raise GenezipError(f"{name} has no training windows with a target; prepare it again")
        own = {
            **(identity or {}),
            "train": sha256_json(train.tolist()),
            "features": [str(array.dtype), *array.shape],
        }
        state = kept_state(kept, own, ("centre", "scale")) if kept else None
        if state is not None:
            self.standard = Standard(state["centre"].numpy(), state["scale"].numpy())
            return
        self.standard = self._measure(train)
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            values = vars(self.standard).items()
            save_state(kept, own, {name: torch.from_numpy(value) for name, value in values})

    def _measure(self, train: np.ndarray) -> Standard:
        """Mean and SD of the training windows; all of them are read."""
        moments = Moments(self.width)
        with Progress("features", len(train), "window") as shown:
            for rows in blocks(train, _ROWS_PER_BLOCK):
                moments.add(self._array[rows])
                shown.advance(len(rows))
        half = self._array.dtype == np.float16
        return moments.standard(rounding=ROUNDING_HALF if half else ROUNDING)

    def batch(self, rows: np.ndarray, device: torch.device) -> Tensor:
        """Standardised features, float32 Tensor (len(rows), bins, channels)."""
        found = self.standard.apply(self._array[rows]).astype(np.float32)
        return torch.from_numpy(found).to(device)


class BinnedWindows:
    """Features and targets of windows in micro-batches.

    Parameters
    ----------
    array : float32, shape (n, bins, channels), features in the order of the table
    job : method, subset and settings
    target : split, k positions within it -> float array, shape (k, ...)
    train : positions of the training windows that are used
    bytes_each : memory of an example in forward and backward
    """

    def __init__(
        self,
        array: np.ndarray,
        job: Job[WindowExamples],
        target: Callable[[str, np.ndarray], np.ndarray],
        train: np.ndarray,
        bytes_each: int,
    ) -> None:
        self.job, self.target, self.train = job, target, train
        self.rows = rows_by_split(job.examples.table)
        self.device = choose_device(job.settings.device)
        # a folder inside that of the checkpoint is removed with it
        kept = None if job.work == Path() else job.work / "standard" / STATE
        chosen = self.rows["train"][train]
        self.features = BinFeatures(array, chosen, job.name, kept, job.identity)
        self.at_once = micro_batch(self.device, bytes_each, job.settings.batch)

    def batch(self, rows: np.ndarray) -> Tensor:
        """Features of rows of the table, float32 Tensor (len(rows), bins, channels)."""
        return self.features.batch(rows, self.device)

    def parts(self, split: str, positions: np.ndarray) -> Iterator[Part]:
        """Micro-batches of the windows of a split at ``positions``."""
        known = self.target(split, positions)
        values = int(np.isfinite(known).sum())
        for part in blocks(np.arange(len(positions)), self.at_once):
            seen = self.batch(self.rows[split][positions[part]])
            yield seen, torch.from_numpy(known[part]).to(self.device), values

    def step(self, step: int) -> Iterator[Part]:
        """Micro-batches of the training windows of a step."""
        batch, seed = self.job.settings.batch, self.job.seed
        return self.parts("train", self.train[rows_of_step(len(self.train), batch, step, seed)])


def micro_batch(device: torch.device, bytes_each: int, batch: int) -> int:
    """Examples per micro-batch of a head: one on a CPU, as many as half of a GPU holds on a GPU.

    ``bytes_each`` is the memory of an example in forward and backward.
    """
    if device.type != "cuda":
        return 1
    free, _ = torch.cuda.mem_get_info(device)
    return max(1, min(batch, int(free * _MEMORY_SHARE) // bytes_each))


def kept_where(rows: np.ndarray, keep: Callable[[int], bool], name: str) -> np.ndarray:
    """Positions 0 .. len(rows) - 1 for which ``keep`` holds; a warning counts the others."""
    positions = progress(range(len(rows)), "targets", unit="window")
    kept = np.array([position for position in positions if keep(position)], dtype=np.int64)
    if len(kept) < len(rows):
        logger.warning(
            f"{name}: {len(rows) - len(kept)} of {len(rows)} training windows have no signal "
            "(all values are equal) and are left out"
        )
    return kept


def predict_contacts(
    array: np.ndarray, track: int, job: Job[WindowExamples]
) -> Iterator[Predictions]:
    """Train a contact head on one cell line (number ``track``) and predict all held-out windows.

    Features are float32 (n, bins, channels), in the order of the table.
    """
    targets = {split: job.examples.targets(split) for split in SPLITS}
    bins = n_bins(targets["train"].shape[-1])
    _check_bins(array, bins, "maps", job.name)

    def target(split: str, positions: np.ndarray) -> np.ndarray:
        return np.asarray(targets[split][positions, track])

    table, settings = job.examples.table, job.settings
    known = rows_by_split(table)["train"]
    train = kept_where(known, lambda each: has_signal(targets["train"][each, track]), job.name)
    windows = BinnedWindows(array, job, target, train, _BYTES_PER_PAIR * bins * bins)
    width = windows.features.width
    head = seeded(lambda: ContactHead(width, bins), job.seed).to(windows.device)

    @torch.no_grad()
    def predict(here: np.ndarray) -> np.ndarray:
        """Maps of rows of the table, float32 (k, entries)."""
        parts = [head.triangle(windows.batch(part)) for part in blocks(here, windows.at_once)]
        return np.asarray(torch.cat(parts).cpu().numpy())

    def validate() -> float:
        """Mean SCC of the first validation maps, of those where it is defined."""
        first = windows.rows["valid"][:FIRST_MAPS]
        pairs = (
            (predict(np.array([row]))[0], targets["valid"][number, track])
            for number, row in enumerate(first)
        )
        return mean_score(pairs, "scc")

    loss = partial(contact_loss, head)
    objective = TaskObjective(job.name, head, settings, loss, validate, "scc")
    fit_task(objective, windows.step, settings.steps, job.seed, job.identity, job.work, "last")
    yield from predict_windows(table, target, predict, MAPS_AT_ONCE)


def contact_loss(head: nn.Module, part: Part) -> Tensor:
    """A micro-batch's share of the mean squared error over a step's finite entries."""
    assert isinstance(head, ContactHead)
    features, target, entries = part
    return squared_error_sum(head.triangle(features), target) / max(1, entries)


def predict_activity(array: np.ndarray, job: Job[WindowExamples]) -> Iterator[Predictions]:
    """Train an activity head and predict the rates in all test windows.

    Those of validation windows, tens of gigabytes with their targets, are in no score.

    Targets are read from their memory maps in batches; features as of :func:`predict_contacts`.
    """
    targets = {split: job.examples.targets(split) for split in SPLITS}
    bins, tracks = targets["train"].shape[1:]
    _check_bins(array, bins, "targets", job.name)

    def target(split: str, positions: np.ndarray) -> np.ndarray:
        return np.asarray(targets[split][positions])

    table, settings = job.examples.table, job.settings
    train = np.arange(len(rows_by_split(table)["train"]))
    windows = BinnedWindows(array, job, target, train, _BYTES_PER_VALUE * bins * tracks)
    width = windows.features.width
    head = seeded(lambda: ActivityHead(width, tracks), job.seed).to(windows.device)

    @torch.no_grad()
    def predict(here: np.ndarray) -> np.ndarray:
        """Rates of rows of the table, float32 (k, bins, tracks)."""
        return np.asarray(head(windows.batch(here)).cpu().numpy())

    def validate() -> float:
        """The negative mean loss."""
        total, values = 0.0, 0
        chosen = spread(len(windows.rows["valid"]), VALIDATION_WINDOWS)
        for positions in blocks(chosen, settings.batch):
            for seen, found, _values in windows.parts("valid", positions):
                total += float(poisson_sum(head(seen), found))
                values += int(found.isfinite().sum())
        return -total / values if values else float("nan")

    loss = partial(activity_loss, head)
    objective = TaskObjective(job.name, head, settings, loss, validate, "negative loss")
    fit_task(objective, windows.step, settings.steps, job.seed, job.identity, job.work)
    yield from predict_windows(table, target, predict, ACTIVITY_AT_ONCE, ("test",))


def activity_loss(head: nn.Module, part: Part) -> Tensor:
    """A micro-batch's share of the mean Poisson loss over a step's finite targets."""
    features, target, values = part
    return poisson_sum(head(features), target) / max(1, values)


def spread(count: int, most: int) -> np.ndarray:
    """At most ``most`` of the numbers 0 .. count - 1, evenly spread; int64, rising."""
    return np.arange(min(count, most)) * count // max(1, min(count, most))


def _check_bins(array: np.ndarray, bins: int, of: str, name: str) -> None:
    if array.shape[1] != bins:
        raise GenezipError(
            f"the features of {name} have {array.shape[1]} bins, its {of} {bins}; compute the "
            "features again"
        )
