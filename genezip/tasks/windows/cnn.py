"""The one-hot CNN on tasks of windows: contact maps and regulatory activity."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genezip.config.benchmarks import Activity, ContactMaps
from genezip.genome.sources.splits import SPLITS
from genezip.log import progress
from genezip.metrics.contacts import contact_scores
from genezip.metrics.correlation import track_pcc, track_sums
from genezip.tasks.base import Method
from genezip.tasks.networks import ActivityCNN, ContactCNN, squared_error_sum
from genezip.tasks.predictions import PredictionWriter
from genezip.tasks.windows.bins import CMP_BP, CMP_FULL, RSAP
from genezip.tasks.windows.cell_line import cell_line
from genezip.tasks.windows.examples import WindowExamples
from genezip.training.fit import fine_tune
from genezip.training.objectives import TaskObjective
from genezip.training.step import precision

MICRO_BATCH = 2  # the batch of the benchmark's CNNs
VALID_MAPS = 100  # contact maps that choose the best weights, the first ones, as the release does
CROPPED_BINS = (CMP_BP // CMP_FULL.width_bp - CMP_FULL.count) // 2


class WindowCNN:
    """Loss and predictions of the CNN on windows.

    Parameters
    ----------
    task : cmp or rsap
    examples : prepared windows
    official : of contact maps, the cell line
    settings : precision
    seed : of the initial values

    Raises
    ------
    GenezipError
        If the prepared data have no such cell line.
    """

    def __init__(
        self,
        task: str,
        examples: WindowExamples,
        official: str,
        settings: ContactMaps | Activity,
        seed: int,
        device: torch.device,
    ) -> None:
        self.examples, self.settings, self.device = examples, settings, device
        self.contacts = task == "cmp"
        self.line = cell_line(examples.prepared, official) if self.contacts else None
        table = examples.table
        self.rows = {s: np.flatnonzero(table["split"] == s) for s in SPLITS}
        self.targets = {split: examples.targets(split) for split in self.rows}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.module: ContactCNN | ActivityCNN = (
                ContactCNN(CROPPED_BINS)
                if self.contacts
                else ActivityCNN(
                    self.targets["train"].shape[2], RSAP.first_bp // RSAP.width_bp, RSAP.count
                )
            )
        self.module.to(device)
        self.metric = "corr" if self.contacts else "pcc_track"

    def target(self, split: str, number: int) -> np.ndarray:
        """Targets of a split's window, float16; NaN throughout for a map without contrast."""
        if not self.contacts:
            return np.array(self.targets[split][number])  # the file itself is read-only
        found = np.array(self.targets[split][number, self.line])
        known = found[np.isfinite(found)]
        if not len(known) or known.min() == known.max():
            found[:] = np.nan  # a chromosome that was missing from the experiment: all zeros
        return found

    def loss(self, numbers: np.ndarray) -> Tensor:
        """Squared error of training windows: the mean over finite targets, then over windows."""
        ids = np.stack([self.examples.ids(int(self.rows["train"][n])) for n in numbers])
        found = self._forward(torch.from_numpy(ids).to(self.device))
        total = found.new_zeros((), dtype=torch.float32)
        for prediction, number in zip(found, numbers, strict=True):
            target = torch.from_numpy(self.target("train", int(number))).to(self.device)
            count = target.isfinite().sum().clamp(min=1)
            total = total + squared_error_sum(prediction, target) / count
        return total / len(numbers)

    def predict(self, split: str, number: int) -> np.ndarray:
        """Prediction of a split's window, float32, in the shape of its target."""
        ids = self.examples.ids(int(self.rows[split][number]))
        with torch.no_grad(), precision(self.device, self.settings):
            found = self._forward(torch.from_numpy(ids[None]).to(self.device))[0]
        return np.asarray(found.float().cpu().numpy())

    def validation_score(self) -> float:
        """Mean correlation of the first validation maps, or the mean over tracks."""
        count = len(self.rows["valid"])
        if self.contacts:
            scores = [
                contact_scores(self.predict("valid", n), self.target("valid", n))["corr"]
                for n in range(min(count, VALID_MAPS))
            ]
            defined = [score for score in scores if np.isfinite(score)]
            return float(np.mean(defined)) if defined else float("nan")
        sums = np.zeros(())
        for n in range(count):
            sums = sums + track_sums(self.predict("valid", n), self.target("valid", n))
        return float(track_pcc(sums)) if sums.ndim else float("nan")

    def _forward(self, ids: Tensor) -> Tensor:
        if isinstance(self.module, ContactCNN):
            return self.module.triangle(ids)
        found: Tensor = self.module(ids)
        return found


def predict_window_cnn(
    task: str,
    examples: WindowExamples,
    method: Method,
    official: str,
    settings: ContactMaps | Activity,
    seed: int,
    device: torch.device,
    identity: dict[str, Any],
    out: Path,
    work_folder: Path,
) -> None:
    """Train and write the predictions; arguments as of :func:`genezip.tasks.cnn.predict_cnn`.

    Two windows at a time: 1.1 GB for maps, 0.7 GB for activity with 5,313 tracks.
    """
    cnn = WindowCNN(task, examples, official, settings, seed, device)
    objective = TaskObjective(
        method.label, cnn.module, settings, cnn.loss, cnn.validation_score, cnn.metric
    )
    count, draws = len(cnn.rows["train"]), settings.steps * settings.batch
    fine_tune(objective, count, draws, seed, identity, work_folder, MICRO_BATCH)
    shape = (-1,) if task == "cmp" else (-1, -1)
    with PredictionWriter(out, method, "array", shape) as writer:
        for split in ("valid", "test"):
            rows = cnn.rows[split]
            for number, row in enumerate(progress(rows, f"predicting {split}", unit="window")):
                window = examples.table.iloc[int(row)]
                writer.add(
                    split=split,
                    example=np.array([window["example"]]),
                    group=[str(window["locus"])],
                    target=[cnn.target(split, number)],
                    prediction=[cnn.predict(split, number)],
                )
