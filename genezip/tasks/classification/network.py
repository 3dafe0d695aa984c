"""Fine-tuning of a network on labelled sequences (modes other than ``frozen``), and the CNN.

A linear map takes the mean of the base states of a sequence to the classes. Training reads the
given strand; probabilities are means over both strands, like the features of a frozen model.
Batches have sequences of one length, so there is no padding.

With ``validation_folds`` there are several fits, each with another random part of the training rows
for validation, and with a ``grid`` the settings are first those of the highest validation MCC.
"""

import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from genezip.alphabet import reverse_complement
from genezip.config.tasks import Classification, Grid
from genezip.errors import GenezipError
from genezip.metrics.classification import confusion, mcc
from genezip.models.device import choose_device
from genezip.models.hnet.network import GeneZipNetwork
from genezip.tasks.base import Job
from genezip.tasks.classification.splits import Fold, random_validation
from genezip.tasks.classification.task import Labelled, Tuned
from genezip.tasks.networks import CNN_MICRO_BATCH, PairCNN, cnn_settings, seeded
from genezip.training.checkpoint import discard
from genezip.training.fit import fine_tune
from genezip.training.objectives import TaskObjective, ratio_term
from genezip.training.step import enough_memory, in_full_precision, precision

logger = logging.getLogger(__name__)

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
    examples: Labelled  # the set
    settings: Any  # of precision, and of the ratio loss while a network is trained
    device: torch.device  # of the model
    fold: Fold  # its rows

    def rows(self, split: str) -> np.ndarray:
        """Row numbers of ``train`` or ``valid``, int64."""
        found: np.ndarray = getattr(self.fold, split)
        return found

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


def tune(network: GeneZipNetwork, job: Job[Labelled], fold: Fold) -> Iterator[Tuned]:
    """Fine-tune the network on the rows of a fold, from the same weights in every fit.

    The network was set up by :func:`genezip.training.trainable.set_mode`, on its device.
    """
    device = network.embedding.device
    micro_batch = MICRO_BATCH if device.type == "cuda" else 1
    first = {name: value.clone() for name, value in network.state_dict().items()}

    def learner(fold: Fold, settings: Classification) -> Learner:
        network.load_state_dict(first)
        model = SequenceModel(network, job.examples.classes, job.seed)
        return Learner(model.to(device), job.examples, settings, device, fold)

    return _fits(learner, job, job.settings, fold, micro_batch)


def train_cnn(job: Job[Labelled], fold: Fold) -> Iterator[Tuned]:
    """Train the one-hot CNN on the rows of a fold; results as of :func:`tune`, without a grid."""
    settings = cnn_settings(job.settings).model_copy(update={"grid": Grid()})
    device = choose_device(settings.device)

    def learner(fold: Fold, settings: Any) -> Learner:
        model = seeded(lambda: SequenceCNN(job.examples.classes), job.seed)
        return Learner(model.to(device), job.examples, settings, device, fold)

    return _fits(learner, job, settings, fold, CNN_MICRO_BATCH)


def grid_points(settings: Any) -> list[Any]:
    """The settings of fine-tuning that are tried, those of a lower batch first."""
    grid = settings.grid
    batches, rates = grid.batch or [settings.batch], grid.learning_rate or [settings.learning_rate]
    return [
        settings.model_copy(update={"batch": batch, "learning_rate": rate})
        for batch, rate in product(batches, rates)
    ]


def _fits(
    learner: Callable[[Fold, Any], Learner],
    job: Job[Labelled],
    settings: Any,
    fold: Fold,
    micro_batch: int,
) -> Iterator[Tuned]:
    """Choose the settings on the first fit, then train every fit with them.

    The checkpoint of a finished fit stays until the last one, so an interrupted call resumes.
    """
    parts = settings.validation_folds
    folds = random_validation(fold, job.examples.truth, parts, job.seed) if parts else [fold]
    points = grid_points(settings)
    if len(points) > 1 and not len(folds[0].valid):
        raise GenezipError(
            f"{job.name}: a grid is chosen by validation rows, and the set has none; set "
            "validation_folds"
        )

    def work(one: Fold, chosen: Any) -> Path:
        if not parts and len(points) == 1:
            return job.work
        return job.work / f"{one.number}.{chosen.batch}.{chosen.learning_rate}"

    def trained(one: Fold, chosen: Any) -> tuple[Learner, float]:
        made = learner(one, chosen)
        return made, _train(made, replace(job, work=work(one, chosen)), chosen, micro_batch)

    chosen = points[0]
    if len(points) > 1:
        scores = np.array([trained(folds[0], point)[1] for point in points])
        best = int(np.argmax(np.nan_to_num(scores, nan=-math.inf)))
        chosen = points[best]
        logger.info(
            f"{job.name}: of {len(points)} settings, batch {chosen.batch} with rate "
            f"{chosen.learning_rate} has the highest validation MCC, {scores[best]:.4f}"
        )
        for other in (point for point in points if point is not chosen):
            discard(work(folds[0], other))
    for one in folds:
        made, score = trained(one, chosen)
        found = np.zeros((len(job.examples.ids), job.examples.classes))
        found[fold.test] = made.probabilities(fold.test)
        yield Tuned(
            one.number if parts else None, found, score, len(one.valid), chosen, len(points)
        )


def _train(learner: Learner, job: Job[Labelled], settings: Any, micro_batch: int) -> float:
    """Train a model in place; its highest validation score, NaN where none is defined."""
    count = len(learner.rows("train"))
    if settings.every_epoch:
        every = math.ceil(count / settings.batch)
        settings = settings.model_copy(update={"evaluate_every": every})
    objective = TaskObjective(
        job.method.label,
        learner.model,
        settings,
        learner.loss,
        learner.validation_score if len(learner.rows("valid")) else None,
        METRIC,
    )
    draws = settings.epochs * count
    state = fine_tune(objective, count, draws, job.seed, job.identity, job.work, micro_batch)
    return state.best if math.isfinite(state.best) else math.nan
