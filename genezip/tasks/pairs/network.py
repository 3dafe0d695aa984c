"""Fine-tuning of a network on pairs (modes other than ``frozen``), and the CNN.

Input ``authors``: the first 12,800 bp of the alternative sequence under the network's own
bound; the mean of its base states, bases N included, goes to a linear head (GeneZip
Appendix D, release features). Input ``full``: both alleles from end to end on both strands; the
last state and the mean from the first base of the variant (or element) on, of the reference, the
alternative and their difference, go to the head: 12 x width numbers.

On ``full`` the causal bound replaces that of the whole sequence, whose limits count tokens of the
window that the model was trained on; the frozen features of the same input obey the causal bound
as well. All four passes of an example (alleles, strands) are in memory at a time: 173 kB per
base of the pair, measured on the 70M layout in fp32 with recomputed activations and one token in 36
bases; 17 GB for a pair of 100,000 bp and 78 GB for one of 450,000 bp.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from genezip.config.tasks import FineTuning, HeadTraining
from genezip.errors import GenezipError
from genezip.metrics.ranking import auprc, auroc
from genezip.models.device import choose_device
from genezip.models.hnet.network import GeneZipNetwork
from genezip.tasks.base import Job, Predictions
from genezip.tasks.examples import rows_by_split
from genezip.tasks.features import RELEASE_BP
from genezip.tasks.networks import CNN_MICRO_BATCH, PairCNN, PairHead, cnn_settings, learn, seeded
from genezip.tasks.pairs.examples import PairExamples
from genezip.tasks.pairs.folds import predictions_at
from genezip.tasks.pairs.sequences import PADDED_BP, PairSequences, padded, release_input
from genezip.training.objectives import ratio_term
from genezip.training.step import enough_memory, in_full_precision, precision

INPUTS = ("authors", "full")
GPU_MICRO_BATCH = 8  # sequences of 12,800 bp at a time on a GPU


class PairModel(nn.Module):
    """A network, its bound set, with a linear head on two classes, drawn by a seed."""

    def __init__(self, network: GeneZipNetwork, input: str, seed: int) -> None:
        super().__init__()
        self.network = network
        width = network.shape.d_model[0]
        self.head = seeded(lambda: PairHead(width if input == "authors" else 12 * width), seed)

    @property
    def device(self) -> torch.device:
        """Device of the network."""
        return self.network.embedding.device

    def release(self, windows: list[np.ndarray]) -> tuple[Tensor, list]:
        """Mean state of windows of one length, (B, width), and the network's outputs."""
        ids = torch.from_numpy(np.stack(windows)).to(self.device)
        output = self.network(ids)
        return output.states.float().mean(1), [output]

    def full(self, pair: PairSequences, masked: bool = False) -> tuple[Tensor, list]:
        """Contrast of the alleles on both strands: (1, 12 x width), and the network's outputs.

        ``masked`` replaces the alternative by the reference.
        """
        features, outputs = [], []
        for strand in (pair, pair.reverse_complement()):
            reference, output = self._summary(strand.reference, strand.focus_start)
            outputs.append(output)
            alternative = reference
            if not masked:
                alternative, output = self._summary(strand.alternative, strand.focus_start)
                outputs.append(output)
            features += [reference, alternative, alternative - reference]
        return torch.cat(features).unsqueeze(0), outputs

    def _summary(self, ids: np.ndarray, focus_start: int) -> tuple[Tensor, object]:
        """Last state and mean from the focus on, (2 x width,)."""
        output = self.network(torch.from_numpy(np.ascontiguousarray(ids)[None]).to(self.device))
        states = output.states[0].float()
        return torch.cat([states[-1], states[focus_start:].mean(0)]), output


class LivePairs:
    """Loss and scores of a fine-tuned network on the pairs of one table.

    Parameters
    ----------
    release_bp : length of the input ``authors`` (bp)
    """

    def __init__(
        self,
        model: PairModel,
        examples: PairExamples,
        input: str,
        settings: FineTuning,
        release_bp: int = RELEASE_BP,
    ) -> None:
        self.module, self.examples, self.input, self.settings = model, examples, input, settings
        self.release_bp = release_bp
        self.rows = rows_by_split(examples.table)
        self.labels = examples.table["label"].to_numpy(dtype=np.int64)
        on_gpu = model.device.type == "cuda" and input == "authors"
        self.micro_batch = min(settings.batch, GPU_MICRO_BATCH) if on_gpu else 1

    def loss(self, numbers: np.ndarray) -> Tensor:
        """Mean cross-entropy of training pairs, plus the ratio loss if the network is trained."""
        rows = self.rows["train"][numbers]
        labels = torch.from_numpy(self.labels[rows]).to(self.module.device)
        features, outputs = self._features(rows, masked=False)
        terms = [ratio_term(self.module.network, output, self.settings) for output in outputs]
        logits = in_full_precision(self.module.head, features)
        return cross_entropy(logits, labels) + sum(terms) / len(terms)

    def scores(self, split: str, masked: bool = False) -> np.ndarray:
        """Probability of class 1 of every pair of a split, float64, in the order of its rows."""
        rows, found = self.rows[split], []
        for start in range(0, len(rows), self.micro_batch):
            part = rows[start : start + self.micro_batch]
            memory = enough_memory(partial(self._named, part))
            with memory, torch.no_grad(), precision(self.module.device, self.settings):
                features, _ = self._features(part, masked)
                logits = in_full_precision(self.module.head, features)
            # in double precision, or confident scores would tie at 1
            found.append(logits.double().softmax(1)[:, 1].cpu().numpy())
        return np.concatenate(found) if found else np.zeros(0)

    def describe(self, numbers: np.ndarray) -> str:
        """Training pairs by their number in the table and their length."""
        return self._named(self.rows["train"][numbers])

    def _named(self, rows: np.ndarray) -> str:
        names = self.examples.table["example"].to_numpy()[rows]
        lengths = [len(self.examples.sequences(int(row)).alternative) for row in rows]
        if self.input == "authors":
            lengths = [self.release_bp] * len(rows)
        return ", ".join(f"example {n} ({bp:,} bp)" for n, bp in zip(names, lengths, strict=True))

    def _features(self, rows: np.ndarray, masked: bool) -> tuple[Tensor, list]:
        pairs = [self.examples.sequences(int(row)) for row in rows]
        if self.input == "authors":
            allele = 0 if masked else 1
            windows = [release_input(pair, self.release_bp)[allele] for pair in pairs]
            return self.module.release(windows)
        found = [self.module.full(pair, masked) for pair in pairs]
        return torch.cat([f for f, _ in found]), [o for _, outputs in found for o in outputs]


class PairsCNN:
    """Loss and scores of the one-hot CNN on pairs.

    The CNN reads the alternative sequence padded or cut to 450,000 bp (the benchmark's CNN reads
    the reference alone, which lacks the variant); the masked-variant score is that of the
    reference.
    """

    def __init__(
        self,
        examples: PairExamples,
        settings: HeadTraining,
        seed: int,
        device: torch.device,
        length: int = PADDED_BP,
    ) -> None:
        self.examples, self.settings, self.length, self.device = examples, settings, length, device
        self.module = seeded(PairCNN, seed).to(device)
        self.rows = rows_by_split(examples.table)
        self.labels = examples.table["label"].to_numpy(dtype=np.int64)
        self.train = self.rows["train"]

    def loss(self, numbers: np.ndarray) -> Tensor:
        """Mean cross-entropy of training pairs."""
        rows = self.train[numbers]
        labels = torch.from_numpy(self.labels[rows]).to(self.device)
        return cross_entropy(self._logits(rows, masked=False), labels)

    def scores(self, split: str, masked: bool = False) -> np.ndarray:
        """Probability of class 1 of every pair of a split."""
        found = []
        for row in self.rows[split]:
            with torch.no_grad(), precision(self.device, self.settings):
                logits = self._logits(np.array([row]), masked)
            found.append(float(logits[0].double().softmax(0)[1]))
        return np.array(found)

    def _logits(self, rows: np.ndarray, masked: bool) -> Tensor:
        pairs = [self.examples.sequences(int(row)) for row in rows]
        ids = [padded(p.reference if masked else p.alternative, self.length) for p in pairs]
        logits: Tensor = self.module(torch.from_numpy(np.stack(ids)).to(self.device))
        return logits


def pair_score(metric: str, labels: np.ndarray, scores: np.ndarray) -> float:
    """``auroc`` or ``auprc`` of scored pairs; NaN where only one class is there."""
    if len(np.unique(labels)) < 2:
        return float("nan")
    return float({"auroc": auroc, "auprc": auprc}[metric](labels, scores))


def validation_score(found: LivePairs | PairsCNN, metric: str) -> float:
    """:func:`pair_score` of the validation pairs."""
    return pair_score(metric, found.labels[found.rows["valid"]], found.scores("valid"))


def tune_pairs(
    network: GeneZipNetwork, job: Job[PairExamples], metric: str, release_bp: int = RELEASE_BP
) -> LivePairs:
    """Train on the deposit's training pairs; the result has the weights of the best validation.

    The network was set up by :func:`genezip.training.trainable.set_mode`, with its bound, on its
    device; ``metric`` selects the weights, and the input ``authors`` has ``release_bp`` bases.
    """
    method = job.method
    if method.input not in INPUTS:
        raise GenezipError(
            f"{method.label}: pairs are trained on the inputs authors and full alone"
        )
    model = PairModel(network, method.input, job.seed).to(network.embedding.device)
    live = LivePairs(model, job.examples, method.input, job.settings, release_bp)
    score, count = partial(validation_score, live, metric), len(live.rows["train"])
    learn(job, live, score, metric, count, live.micro_batch, describe=live.describe)
    return live


def train_pairs_cnn(job: Job[PairExamples], metric: str, padded_bp: int = PADDED_BP) -> PairsCNN:
    """Train the one-hot CNN; the result has the weights of the best validation by ``metric``."""
    settings = cnn_settings(job.settings)
    device = choose_device(settings.device)
    found = PairsCNN(job.examples, settings, job.seed, device, padded_bp)
    score = partial(validation_score, found, metric)
    identity = {"subset": job.official, "padded_bp": padded_bp}
    learn(job, found, score, metric, len(found.train), CNN_MICRO_BATCH, identity)
    return found


def tested_sequences(examples: PairExamples, input: str) -> Iterator[np.ndarray]:
    """Alternative sequence of every test pair as the network reads it, uint8 (L,)."""
    for row in rows_by_split(examples.table)["test"]:
        pair = examples.sequences(int(row))
        yield release_input(pair, RELEASE_BP)[1] if input == "authors" else pair.alternative


def predict_pairs(examples: PairExamples, found: LivePairs | PairsCNN) -> Iterator[Predictions]:
    """Scores of validation and test pairs under the split scheme ``paper``."""
    for split in ("valid", "test"):
        rows = np.flatnonzero(examples.table["split"] == split)
        if len(rows):
            scores = (found.scores(split, masked) for masked in (False, True))
            yield predictions_at(examples.table, rows, split, *scores)
