"""Fine-tuning of a network on labelled sequences (modes other than ``frozen``), and the CNN.

A linear map takes the mean of the base states of a sequence to the classes. Training reads the
given strand; probabilities are means over both strands, like the features of a frozen model.
Batches have sequences of one length, so there is no padding.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from genezip.alphabet import reverse_complement
from genezip.config.tasks import HeadTraining
from genezip.metrics.classification import confusion, mcc
from genezip.models.device import choose_device
from genezip.models.hnet.network import GeneZipNetwork
from genezip.tasks.base import Job
from genezip.tasks.classification.task import Labelled
from genezip.tasks.networks import CNN_MICRO_BATCH, PairCNN, cnn_settings, seeded
from genezip.training.fit import fine_tune
from genezip.training.objectives import TaskObjective, ratio_term
from genezip.training.step import enough_memory, in_full_precision, precision

METRIC = "mcc"
MICRO_BATCH = 8


class SequenceModel(nn.Module):
    """A network, its bound set, with a linear head on the classes, drawn by a seed."""

    def __init__(self, network: GeneZipNetwork, classes: int, seed: int) -> None:
        super().__init__()
        self.network = network
        self.head = seeded(lambda: nn.Linear(network.shape.d_model[0], classes), seed)

    def forward(self, ids: Tensor) -> tuple[Tensor, Any]:
        """Logits (B, classes) in fp32 of ids (B, L), and the network's output."""
        output = self.network(ids)
        return in_full_precision(self.head, output.states.float().mean(1)), output


class SequenceCNN(nn.Module):
    """The one-hot CNN of pairs, with any number of classes."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.cnn = PairCNN(classes)

    def forward(self, ids: Tensor) -> tuple[Tensor, Any]:
        """Logits (B, classes) in fp32 of ids (B, L), and None."""
        return self.cnn(ids), None


@dataclass(frozen=True)
class Learner:
    """Loss and probabilities of a model on a labelled set."""

    model: SequenceModel | SequenceCNN  # returns logits and the network's output
    examples: Labelled  # the set, trained on its official split
    settings: Any  # of precision, and of the ratio loss while a network is trained
    device: torch.device  # of the model

    def rows(self, split: str) -> np.ndarray:
        """Row numbers of a split, int64."""
        return np.flatnonzero(self.examples.table["split"] == split)

    def loss(self, numbers: np.ndarray) -> Tensor:
        """Mean cross-entropy of training rows, plus the ratio loss if a network is trained."""
        rows = self.rows("train")[numbers]
        total = torch.zeros((), device=self.device)
        for part in self._by_length(rows):
            logits, output = self.model(self._ids(part))
            truth = torch.from_numpy(self.examples.truth[part]).to(self.device)
            loss = cross_entropy(logits, truth)
            if isinstance(self.model, SequenceModel):
                loss = loss + ratio_term(self.model.network, output, self.settings)
            total = total + loss * (len(part) / len(rows))
        return total

    def probabilities(self, rows: np.ndarray) -> np.ndarray:
        """Class probabilities, means over both strands; float64 (n, classes), for few ties."""
        found = np.zeros((len(rows), self.examples.classes))
        number_of = {int(row): number for number, row in enumerate(rows)}
        for part in self._by_length(rows):
            for start in range(0, len(part), MICRO_BATCH):
                here = part[start : start + MICRO_BATCH]
                for strand in (False, True):
                    memory = enough_memory(lambda: f"{MICRO_BATCH} sequences")
                    with memory, torch.no_grad(), precision(self.device, self.settings):
                        logits, _ = self.model(self._ids(here, strand))
                    values = logits.double().softmax(1).cpu().numpy() / 2
                    found[[number_of[int(row)] for row in here]] += values
        return found

    def validation_score(self) -> float:
        """MCC of the validation rows; NaN without any."""
        rows, classes = self.rows("valid"), self.examples.classes
        if not len(rows):
            return float("nan")
        predicted = self.probabilities(rows).argmax(axis=1)
        return float(mcc(confusion(self.examples.truth[rows], predicted, classes)))

    def _by_length(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        lengths = np.array([len(self.examples.ids[int(row)]) for row in rows])
        for length in np.unique(lengths):
            yield rows[lengths == length]

    def _ids(self, rows: np.ndarray, reverse: bool = False) -> Tensor:
        ids = np.stack([self.examples.ids[int(row)] for row in rows])
        return torch.from_numpy(reverse_complement(ids) if reverse else ids).to(self.device)


def tune(network: GeneZipNetwork, job: Job[Labelled]) -> np.ndarray:
    """Fine-tune the network on the official split.

    The network was set up by :func:`genezip.training.trainable.set_mode`, on its device. Returns
    the probabilities of every row, float64 (n, classes); 0 for all but test rows.
    """
    model = SequenceModel(network, job.examples.classes, job.seed)
    device = network.embedding.device
    learner = Learner(model.to(device), job.examples, job.settings, device)
    micro_batch = MICRO_BATCH if device.type == "cuda" else 1
    return _trained(learner, job, job.settings, micro_batch)


def train_cnn(job: Job[Labelled]) -> np.ndarray:
    """Train the one-hot CNN on the official split; result as of :func:`tune`."""
    settings = cnn_settings(job.settings)
    device = choose_device(settings.device)
    model = seeded(lambda: SequenceCNN(job.examples.classes), job.seed)
    learner = Learner(model.to(device), job.examples, settings, device)
    return _trained(learner, job, settings, CNN_MICRO_BATCH)


def _trained(
    learner: Learner, job: Job[Labelled], settings: HeadTraining, micro_batch: int
) -> np.ndarray:
    objective = TaskObjective(
        job.method.label,
        learner.model,
        settings,
        learner.loss,
        learner.validation_score if len(learner.rows("valid")) else None,
        METRIC,
    )
    count = len(learner.rows("train"))
    draws = job.settings.epochs * count
    fine_tune(objective, count, draws, job.seed, job.identity, job.work, micro_batch)
    (fold,) = job.examples.folds["official"]
    found = np.zeros((len(job.examples.ids), job.examples.classes))
    found[fold.test] = learner.probabilities(fold.test)
    return found
