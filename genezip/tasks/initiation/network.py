"""Fine-tuning of a network on transcription initiation, and the CNN: ten tracks at every base.

LayerNorm and a linear map on the state of every base give log rates (GeneZip release). Targets
are log(count + 1), in the logarithm of their assay, and a prediction is the rate exp(log rate),
which is compared with the targets directly. Input ``authors`` reads the forward strand; ``full``
is the mean with the reverse complement, whose axes are both reversed: track k and track 9 - k are
the two strands of one assay. The loss of the one-hot CNN is the squared error of the stored values,
as in the benchmark.
"""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from genezip.alphabet import reverse_complement
from genezip.config.tasks import HeadTraining, Initiation
from genezip.errors import GenezipError
from genezip.metrics.correlation import initiation_pcc, initiation_sums
from genezip.models.device import choose_device
from genezip.models.hnet.network import GeneZipNetwork
from genezip.tasks.base import Job, Predictions
from genezip.tasks.initiation.examples import InitiationExamples, kept_part, predictions, rows_of
from genezip.tasks.networks import (
    CNN_MICRO_BATCH,
    InitiationCNN,
    ProfileHead,
    cnn_settings,
    initiation_loss,
    learn,
    seeded,
)
from genezip.training.objectives import ratio_term
from genezip.training.step import enough_memory, in_full_precision, precision

TRACKS = 10
INPUTS = ("authors", "full")
METRIC = "pcc_mean"

# ids (L,) -> predictions float32 (10, L), in the stored scale of the targets
Predict = Callable[[np.ndarray], np.ndarray]


class InitiationModel(nn.Module):
    """A network, its bound set, with ten log rates per base; a seed draws the head."""

    def __init__(self, network: GeneZipNetwork, seed: int) -> None:
        super().__init__()
        self.network = network
        self.head = seeded(lambda: ProfileHead(network.shape.d_model[0], TRACKS), seed)


class LiveInitiation:
    """Loss and predictions of one fine-tuned model."""

    def __init__(
        self, model: InitiationModel, examples: InitiationExamples, input: str, settings: Initiation
    ) -> None:
        self.module, self.examples, self.input, self.settings = model, examples, input, settings
        self.device = model.network.embedding.device

    def loss(self, numbers: np.ndarray) -> Tensor:
        """Mean loss of training windows, plus the ratio loss if the network is trained."""
        total = torch.zeros((), device=self.device)
        for number in numbers:
            ids, targets = self.examples.training(int(number))
            output = self.module.network(self._batch(ids))
            rates = in_full_precision(self.module.head, output.states)[0]
            target = torch.from_numpy(np.ascontiguousarray(targets)).to(self.device)
            term = ratio_term(self.module.network, output, self.settings)
            total = total + initiation_loss(rates, target) + term
        return total / len(numbers)

    def predict(self, ids: np.ndarray) -> np.ndarray:
        """Rates of a window, float32 (10, L)."""
        rates = self._rates(ids)
        if self.input == "full":
            back = self._rates(reverse_complement(ids))
            rates = (rates + back[::-1, ::-1]) / 2
        return rates

    def _rates(self, ids: np.ndarray) -> np.ndarray:
        memory = enough_memory(lambda: f"a window of {len(ids):,} bp")
        with memory, torch.no_grad(), precision(self.device, self.settings):
            states = self.module.network(self._batch(ids)).states
            log_rates = in_full_precision(self.module.head, states)[0]
        return np.asarray(log_rates.exp().cpu().numpy())

    def _batch(self, ids: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(ids)[None]).to(self.device)


class TracksCNN:
    """Loss and predictions of the one-hot CNN, with :func:`genezip.tasks.networks.cnn_settings`."""

    def __init__(
        self,
        examples: InitiationExamples,
        settings: HeadTraining,
        both_strands: bool,
        seed: int,
        device: torch.device,
    ) -> None:
        self.examples, self.settings, self.device = examples, settings, device
        self.both_strands = both_strands
        self.module = seeded(InitiationCNN, seed).to(device)

    def loss(self, numbers: np.ndarray) -> Tensor:
        """Mean squared error of training windows, in the stored scale."""
        drawn = [self.examples.training(int(number)) for number in numbers]
        ids = torch.from_numpy(np.stack([ids for ids, _ in drawn])).to(self.device)
        targets = torch.from_numpy(np.stack([targets for _, targets in drawn])).to(self.device)
        return mse_loss(self.module(ids).float(), targets.float())

    def predict(self, ids: np.ndarray) -> np.ndarray:
        """Predictions of a window, float32 (10, L)."""
        found = self._forward(ids)
        if self.both_strands:
            found = (found + self._forward(reverse_complement(ids))[::-1, ::-1]) / 2
        return found

    def _forward(self, ids: np.ndarray) -> np.ndarray:
        batch = torch.from_numpy(np.ascontiguousarray(ids)[None]).to(self.device)
        with torch.no_grad(), precision(self.device, self.settings):
            return np.asarray(self.module(batch)[0].float().cpu().numpy())


def initiation_score(examples: InitiationExamples, predict: Predict) -> float:
    """Mean of the five assay correlations over the validation chromosome."""
    sums = np.zeros(())
    for row in rows_of(examples, "valid", "validation"):
        target, prediction = scored_part(examples, row, predict)
        sums = sums + initiation_sums(prediction, target)
    return float(initiation_pcc(sums)[-1]) if sums.ndim else float("nan")


def scored_part(
    examples: InitiationExamples, row: int, predict: Predict
) -> tuple[np.ndarray, np.ndarray]:
    """Target and prediction of the kept part of a window, float32 (10, n).

    The target is NaN where a base is not scored.
    """
    kept, target = kept_part(examples, row)
    return target, np.ascontiguousarray(predict(examples.ids(row))[:, kept])


def tune_initiation(network: GeneZipNetwork, job: Job[InitiationExamples]) -> LiveInitiation:
    """Train on random windows; the result has the weights of the best validation.

    The network was set up by :func:`genezip.training.trainable.set_mode`, with its bound, on its
    device.
    """
    method = job.method
    if method.input not in INPUTS:
        raise GenezipError(f"{method.label}: tisp is trained on the inputs authors and full alone")
    model = InitiationModel(network, job.seed).to(network.embedding.device)
    live = LiveInitiation(model, job.examples, method.input, job.settings)
    _learn(job, live)
    return live


def train_initiation_cnn(job: Job[InitiationExamples]) -> TracksCNN:
    """Train the one-hot CNN; the result has the weights of the best validation."""
    settings = cnn_settings(job.settings)
    device = choose_device(settings.device)
    found = TracksCNN(job.examples, settings, job.method.input == "full", job.seed, device)
    _learn(job, found, CNN_MICRO_BATCH, {"subset": job.official})
    return found


def _learn(
    job: Job[InitiationExamples],
    found: LiveInitiation | TracksCNN,
    micro_batch: int = 1,
    identity: dict[str, str] | None = None,
) -> None:
    score = partial(initiation_score, job.examples, found.predict)
    count = int((job.examples.table["split"] == "train").sum())
    learn(job, found, score, METRIC, count, micro_batch, identity)


def predict_initiation(
    examples: InitiationExamples, found: LiveInitiation | TracksCNN, name: str
) -> Iterator[Predictions]:
    """Predictions for the kept part of every validation and test window, by a method's name."""

    def predict(row: int, kept: slice) -> np.ndarray:
        return np.ascontiguousarray(found.predict(examples.ids(row))[:, kept])

    return predictions(examples, predict, name)
