"""The one-hot CNN on tasks of windows: contact maps and regulatory activity."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from genezip.genome.sources.splits import SPLITS
from genezip.metrics.contacts import has_signal, mean_score
from genezip.metrics.correlation import track_pcc, track_sums
from genezip.models.device import choose_device
from genezip.tasks.base import Job, Predictions
from genezip.tasks.examples import rows_by_split
from genezip.tasks.networks import (
    CNN_MICRO_BATCH,
    ActivityCNN,
    ContactCNN,
    cnn_settings,
    learn,
    seeded,
    squared_error_sum,
)
from genezip.tasks.windows.contacts import FIRST_MAPS, cell_line
from genezip.tasks.windows.examples import (
    CMP_BP,
    CMP_FULL,
    RSAP_BINS,
    Bins,
    WindowExamples,
    predict_windows,
)
from genezip.training.step import precision

CROPPED_BINS = (CMP_BP // CMP_FULL.width_bp - CMP_FULL.count) // 2


class WindowCNN(ABC):
    """Loss and predictions of the CNN on windows.

    Two windows at a time take 1.1 GB for maps, and 0.7 GB for activity with 5,313 tracks.
    ``metric`` is the score of the validation windows that selects the weights.
    """

    metric: ClassVar[str]

    def __init__(self, job: Job[WindowExamples], make: Callable[[], nn.Module]) -> None:
        self.job, self.examples = job, job.examples
        self.settings = cnn_settings(job.settings)
        self.device = choose_device(self.settings.device)
        self.rows = rows_by_split(self.examples.table)
        self.targets = {split: self.examples.targets(split) for split in SPLITS}
        self.module = seeded(make, job.seed).to(self.device)

    @abstractmethod
    def target(self, split: str, number: int) -> np.ndarray:
        """Target of a split's window, float16; NaN where it is not scored."""

    @abstractmethod
    def forward(self, ids: Tensor) -> Tensor:
        """Predictions (B, ...) in the shape of the targets, of token ids (B, L)."""

    @abstractmethod
    def validation_score(self) -> float:
        """Score of the validation windows that selects the weights."""

    def loss(self, numbers: np.ndarray) -> Tensor:
        """Squared error of training windows: the mean over finite targets, then over windows."""
        ids = np.stack([self.examples.ids(int(self.rows["train"][n])) for n in numbers])
        found = self.forward(torch.from_numpy(ids).to(self.device))
        total = found.new_zeros((), dtype=torch.float32)
        for prediction, number in zip(found, numbers, strict=True):
            target = torch.from_numpy(self.target("train", int(number))).to(self.device)
            count = target.isfinite().sum().clamp(min=1)
            total = total + squared_error_sum(prediction, target) / count
        return total / len(numbers)

    def predict(self, row: int) -> np.ndarray:
        """Prediction of a row of the table, float32, in the shape of its target."""
        ids = torch.from_numpy(self.examples.ids(row)[None]).to(self.device)
        with torch.no_grad(), precision(self.device, self.settings):
            return np.asarray(self.forward(ids)[0].float().cpu().numpy())


class ContactMapsCNN(WindowCNN):
    """The CNN on maps of one cell line.

    Parameters
    ----------
    crop : bins of an input that are not scored on each side
    """

    metric = "corr"

    def __init__(self, job: Job[WindowExamples], crop: int = CROPPED_BINS) -> None:
        self.line = cell_line(job.examples.prepared, job.official)
        super().__init__(job, lambda: ContactCNN(crop))

    def target(self, split: str, number: int) -> np.ndarray:
        """As of :class:`WindowCNN`; all NaN for a constant map."""
        found = np.array(self.targets[split][number, self.line])
        if not has_signal(found):
            found[:] = np.nan  # a chromosome that was missing from the experiment: all zeros
        return found

    def forward(self, ids: Tensor) -> Tensor:
        """Upper triangles (B, entries)."""
        assert isinstance(self.module, ContactCNN)
        return self.module.triangle(ids)

    def validation_score(self) -> float:
        """Mean correlation of the first validation maps."""
        first = enumerate(self.rows["valid"][:FIRST_MAPS])
        maps = ((self.predict(int(row)), self.target("valid", n)) for n, row in first)
        return mean_score(maps, self.metric)


class TracksCNN(WindowCNN):
    """The CNN on all tracks of regulatory activity.

    Parameters
    ----------
    scored : scored bins of an input
    """

    metric = "pcc_track"

    def __init__(self, job: Job[WindowExamples], scored: Bins = RSAP_BINS) -> None:
        tracks = job.examples.targets("train").shape[2]
        first = scored.first_bp // scored.width_bp
        super().__init__(job, lambda: ActivityCNN(tracks, first, scored.count))

    def target(self, split: str, number: int) -> np.ndarray:
        """As of :class:`WindowCNN`."""
        return np.array(self.targets[split][number])  # a copy, as the file is read-only

    def forward(self, ids: Tensor) -> Tensor:
        """Predictions (B, bins, tracks)."""
        found: Tensor = self.module(ids)
        return found

    def validation_score(self) -> float:
        """Mean over tracks of the correlation over all validation windows."""
        sums = np.zeros(())
        for n, row in enumerate(self.rows["valid"]):
            sums = sums + track_sums(self.predict(int(row)), self.target("valid", n))
        return float(track_pcc(sums)) if sums.ndim else float("nan")


def train_cnn(cnn: WindowCNN) -> Iterator[Predictions]:
    """Train the CNN, and predict all validation and test windows."""
    job, count = cnn.job, len(cnn.rows["train"])
    identity = {"subset": job.official}
    learn(job, cnn, cnn.validation_score, cnn.metric, count, CNN_MICRO_BATCH, identity)
    yield from predict_windows(
        cnn.examples.table,
        lambda split, numbers: np.stack([cnn.target(split, int(number)) for number in numbers]),
        lambda rows: np.stack([cnn.predict(int(row)) for row in rows]),
    )
