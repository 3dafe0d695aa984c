"""Transcription initiation with the network in the graph: ten rates at every base.

LayerNorm and a linear map on the state of every base give log rates (GeneZip release). Labels
are log(count + 1), in the logarithm of their assay, and the rate exp(log rate) is compared with
them as they are, so a prediction is that rate. Input ``authors`` reads the forward strand;
``full`` also reads the reverse complement and averages, after reversing both axes: track k and
track 9 - k are the two strands of one assay.
"""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from genezip.alphabet import reverse_complement
from genezip.config.benchmarks import Initiation
from genezip.errors import GenezipError
from genezip.log import progress
from genezip.metrics.correlation import initiation_pcc, initiation_sums
from genezip.models.hnet.network import GeneZipNetwork
from genezip.tasks.base import Method
from genezip.tasks.initiation.examples import InitiationExamples
from genezip.tasks.networks import ProfileHead, initiation_loss
from genezip.tasks.predictions import PredictionWriter
from genezip.training.fit import fine_tune
from genezip.training.objectives import TaskObjective, ratio_term
from genezip.training.step import enough_memory, in_full_precision, precision

logger = logging.getLogger(__name__)

TRACKS = 10
INPUTS = ("authors", "full")
METRIC = "pcc_mean"

# ids (L,) -> predictions float32 (10, L), in the stored scale of the labels
Predict = Callable[[np.ndarray], np.ndarray]


class InitiationModel(nn.Module):
    """A network with ten log rates per base.

    Parameters
    ----------
    network : with its bound set
    seed : of the head's initial values
    """

    def __init__(self, network: GeneZipNetwork, seed: int) -> None:
        super().__init__()
        self.network = network
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.head = ProfileHead(network.shape.d_model[0], TRACKS)


class LiveInitiation:
    """Loss and predictions of one model."""

    def __init__(
        self,
        model: InitiationModel,
        examples: InitiationExamples,
        input: str,
        settings: Initiation,
    ) -> None:
        self.model, self.examples, self.input, self.settings = model, examples, input, settings
        self.device = model.network.embedding.device

    def loss(self, numbers: np.ndarray) -> Tensor:
        """Mean loss of training windows, and the ratio loss while the network learns."""
        total = torch.zeros((), device=self.device)
        for number in numbers:
            ids, targets = self.examples.training(int(number))
            output = self.model.network(self._batch(ids))
            rates = in_full_precision(self.model.head, output.states)[0]
            target = torch.from_numpy(np.ascontiguousarray(targets)).to(self.device)
            term = ratio_term(self.model.network, output, self.settings)
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
            states = self.model.network(self._batch(ids)).states
            log_rates = in_full_precision(self.model.head, states)[0]
        return np.asarray(log_rates.exp().cpu().numpy())

    def _batch(self, ids: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(ids)[None]).to(self.device)


def initiation_score(examples: InitiationExamples, predict: Predict) -> float:
    """Mean of the five assay correlations over the validation chromosome."""
    sums = np.zeros(())
    for row in _rows(examples, "valid", "validation"):
        target, prediction = scored_part(examples, row, predict)
        sums = sums + initiation_sums(prediction, target)
    return float(initiation_pcc(sums)[-1]) if sums.ndim else float("nan")


def scored_part(
    examples: InitiationExamples, row: int, predict: Predict
) -> tuple[np.ndarray, np.ndarray]:
    """Target and prediction of the kept part of a window, float32 (10, n).

    The target is NaN where a base is not scored.
    """
    window = examples.table.iloc[row]
    first = int(window["keep_start"]) - int(window["start"])
    kept = slice(first, first + int(window["keep_end"]) - int(window["keep_start"]))
    target = np.array(examples.targets(row)[:, kept], dtype=np.float32)
    target[:, ~examples.scored(row)] = np.nan
    return target, np.ascontiguousarray(predict(examples.ids(row))[:, kept])


def tune_initiation(
    examples: InitiationExamples,
    network: GeneZipNetwork,
    method: Method,
    settings: Initiation,
    seed: int,
    identity: dict,
    work_folder: Path,
) -> LiveInitiation:
    """Train on random windows and leave the best weights in the model.

    Parameters
    ----------
    network : with what learns of it set by :func:`genezip.training.trainable.set_mode`, its
        bound set, on its device
    identity : what must not change between two parts of the run

    Raises
    ------
    GenezipError
        If the input is not ``authors`` or ``full``, and whatever ``fine_tune`` raises.
    """
    if method.input not in INPUTS:
        raise GenezipError(f"{method.label}: tisp is trained on the inputs authors and full alone")
    model = InitiationModel(network, seed).to(network.embedding.device)
    live = LiveInitiation(model, examples, method.input, settings)
    objective = TaskObjective(
        name=method.label,
        module=model,
        settings=settings,
        loss=live.loss,
        score=lambda: initiation_score(examples, live.predict),
        metric=METRIC,
    )
    count, draws = int((examples.table["split"] == "train").sum()), settings.steps * settings.batch
    fine_tune(objective, count, draws, seed, identity, work_folder)
    return live


def write_initiation(
    examples: InitiationExamples,
    predict: Predict,
    method: Method,
    out: Path,
) -> None:
    """Write the kept part of every validation and test window, one row per window."""
    with PredictionWriter(out, method, "array", (TRACKS, -1)) as writer:
        for split in ("valid", "test"):
            count = int((examples.table["split"] == split).sum())
            logger.info(f"{method.label}: predicting {count:,} windows of the split {split}")
            for row in _rows(examples, split, f"predicting {split}"):
                target, prediction = scored_part(examples, row, predict)
                writer.add(
                    split=split,
                    example=examples.table["example"].to_numpy()[row : row + 1],
                    group=examples.table["block"].to_numpy()[row : row + 1],
                    target=target[None],
                    prediction=prediction[None],
                )


def _rows(examples: InitiationExamples, split: str, what: str) -> Iterator[int]:
    """Rows of a split, whose progress is shown."""
    rows = np.flatnonzero(examples.table["split"] == split).tolist()
    return progress(rows, what, unit="window")
