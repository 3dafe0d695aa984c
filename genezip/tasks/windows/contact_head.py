"""Contact maps (cmp) from cached bin features: the contact head of one cell line.

Settings of the GeneZip release: squared error over finite entries, AdamW at a constant rate,
the weights of the last step. Not as there: features are standardised by the training maps, and
training maps without signal (a chromosome that the experiment lacks is all zeros) are left out.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from genezip.config.benchmarks import ContactMaps
from genezip.errors import GenezipError
from genezip.genome.sources.splits import SPLITS
from genezip.metrics.contacts import contact_scores, has_signal, n_bins
from genezip.models.base import choose_device
from genezip.tasks.base import Method
from genezip.tasks.networks import ContactHead, squared_error_sum
from genezip.tasks.windows.bin_features import (
    BinFeatures,
    blocks,
    kept_where,
    micro_batch,
    rows_of,
    write_windows,
)
from genezip.training.fit import fit_task, rows_of_step
from genezip.training.objectives import TaskObjective

if TYPE_CHECKING:
    from genezip.tasks.windows.examples import WindowExamples

VALIDATION_MAPS = 100
"""Validation maps that are scored while training, as in the release."""
ROWS_PER_WRITE = 64
# Pair tensor and activations of a map of 448 bins take 0.9 GB in float32; 2 GB leave room for
# the convolutions' workspace and the gradients.
_BYTES_PER_PAIR = 10_000


def predict_contacts(
    array: np.ndarray,
    windows: "WindowExamples",
    track: int,
    method: Method,
    settings: ContactMaps,
    seed: int,
    identity: dict[str, Any],
    out: Path,
    work_folder: Path,
) -> None:
    """Train a contact head and write its maps of all validation and test windows.

    Parameters
    ----------
    array : float32, shape (n, bins, channels), features in the order of ``windows.table``
    track : index of the cell line
    identity : what else decides the weights, see :func:`fit_task`
    out, work_folder : prediction file (arrays of one upper triangle), folder of the checkpoint

    Raises
    ------
    GenezipError
        If bins and targets do not belong together, or no training map has signal.
    """
    rows, name = rows_of(windows.table), f"cmp {method.subset} {method.label}"
    targets = {split: windows.targets(split) for split in SPLITS}
    bins = n_bins(targets["train"].shape[-1])
    if array.shape[1] != bins:
        raise GenezipError(
            f"the features of {name} have {array.shape[1]} bins, its maps {bins}; compute the "
            "features again"
        )

    def target(split: str, places: np.ndarray) -> np.ndarray:
        return np.asarray(targets[split][places, track])

    train = kept_where(
        rows["train"], lambda place: has_signal(targets["train"][place, track]), name
    )
    device = choose_device(settings.device)
    features = BinFeatures(array, rows["train"][train], name)
    at_once = micro_batch(device, _BYTES_PER_PAIR * bins * bins, settings.batch)

    def batch(step: int) -> Iterator[tuple[Tensor, Tensor, int]]:
        places = train[rows_of_step(len(train), settings.batch, step, seed)]
        known = target("train", places)
        entries = int(np.isfinite(known).sum())
        for part in blocks(np.arange(len(places)), at_once):
            seen = features.batch(rows["train"][places[part]], device)
            yield seen, torch.from_numpy(known[part]).to(device), entries

    torch.manual_seed(seed)
    head = ContactHead(features.width, bins).to(device)

    def predict(here: np.ndarray) -> np.ndarray:
        """Maps of rows of the table, float32 (k, entries)."""
        parts = [head.triangle(features.batch(part, device)) for part in blocks(here, at_once)]
        return torch.cat(parts).cpu().numpy()

    def validate() -> float:
        """Mean SCC of the first validation maps that have one."""
        values = []
        for place, row in enumerate(rows["valid"][:VALIDATION_MAPS]):
            found = predict(np.array([row]))[0]
            values.append(contact_scores(found, targets["valid"][place, track])["scc"])
        defined = [value for value in values if np.isfinite(value)]
        return float(np.mean(defined)) if defined else float("nan")

    loss = partial(contact_loss, head)
    objective = TaskObjective(name, head, settings, loss, validate, "scc")
    fit_task(objective, batch, settings.steps, seed, identity, work_folder, "last")
    write_windows(out, method, windows, target, predict, ROWS_PER_WRITE)


def contact_loss(head: nn.Module, part: tuple[Tensor, Tensor, int]) -> Tensor:
    """A micro-batch's share of the mean squared error over a step's finite entries.

    ``part`` holds features (B, bins, channels), targets (B, entries) and the finite entries of
    the step.
    """
    assert isinstance(head, ContactHead)
    features, target, entries = part
    return squared_error_sum(head.triangle(features), target) / max(1, entries)
