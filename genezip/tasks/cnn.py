"""The learned baseline: a CNN on one-hot bases, trained on a task from nothing.

It is trained as the benchmark trains its own (AdamW at 0.005 with weight decay 0.01, constant rate,
gradient norm 1, batches of two at a time), but from a seed, with the weights of the best validation
score, and over as many examples as the other models of the task. In tasks of pairs it reads the
alternative sequence padded or cut to 450,000 bp (the benchmark's variant task reads the reference
alone, which cannot see the variant); the hidden score is that of the reference.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from genezip.alphabet import reverse_complement
from genezip.config.benchmarks import Activity, ContactMaps, HeadTraining, Initiation, Pairs, Task
from genezip.errors import GenezipError
from genezip.genome.sources.splits import SPLITS
from genezip.models.base import choose_device
from genezip.tasks.base import Arm, run_identity
from genezip.tasks.initiation.examples import InitiationExamples
from genezip.tasks.initiation.network import METRIC, initiation_score, write_initiation
from genezip.tasks.onehot_cnn import InitiationCNN, PairCNN
from genezip.tasks.pairs.examples import PairExamples
from genezip.tasks.pairs.network import SELECTION, pair_score, write_pairs
from genezip.tasks.pairs.sequences import PADDED_BP, padded
from genezip.tasks.windows.cnn import MICRO_BATCH, predict_window_cnn
from genezip.tasks.windows.examples import WindowExamples
from genezip.training.checkpoint import discard
from genezip.training.fit import fine_tune
from genezip.training.objectives import TaskObjective
from genezip.training.step import in_full_precision, precision

LEARNING_RATE = 0.005
WEIGHT_DECAY = 0.01


def predict_cnn(
    task: str,
    prepared_manifest: Path,
    genome: Path,
    arm: Arm,
    official: str,
    settings: Task,
    seed: int,
    out: Path,
    work_folder: Path,
    padded_bp: int = PADDED_BP,
) -> None:
    """Train the CNN of a task and write its predictions of validation and test examples.

    Parameters
    ----------
    task : cmp, eqtl, etgp, tisp or rsap
    prepared_manifest : ``manifest.json`` of the prepared data
    genome : FASTA of the deposit
    official : name of the subset in the deposit; of contact maps, the cell line
    settings : steps or epochs, batch, validation and precision are taken from here; the
        learning rate, its schedule and the weight decay are the benchmark's
    out : prediction file, written atomically
    work_folder : checkpoints; an interrupted call goes on from there, and removes them at the end
    padded_bp : length of the input in tasks of pairs

    Raises
    ------
    GenezipError
        If there is no such task, and whatever loading and training raise.
    """
    device = choose_device(settings.device)
    chosen = cnn_settings(settings)
    identity = run_identity(arm, prepared_manifest)
    identity |= {"subset": official, "padded_bp": padded_bp}
    if task in SELECTION:
        assert isinstance(chosen, Pairs)
        pairs = PairExamples.load(prepared_manifest, genome)
        found = _Pairs(pairs, chosen, padded_bp, seed, device)
        draws = chosen.epochs * len(found.train)
        _train(found, arm, draws, chosen, seed, identity, work_folder)
        write_pairs(pairs, found.scores, arm, out)
    elif task == "tisp":
        assert isinstance(chosen, Initiation)
        windows = InitiationExamples.load(prepared_manifest, genome)
        tracks = _Initiation(windows, chosen, arm.input == "full", seed, device)
        draws = chosen.steps * chosen.batch
        _train(tracks, arm, draws, chosen, seed, identity, work_folder)
        write_initiation(windows, tracks.predict, arm, out)
    elif task in ("cmp", "rsap"):
        assert isinstance(chosen, ContactMaps | Activity)
        examples = WindowExamples.load(prepared_manifest, genome)
        predict_window_cnn(
            task, examples, arm, official, chosen, seed, device, identity, out, work_folder
        )
    else:
        raise GenezipError(f"{task!r} is no task here; use cmp, eqtl, etgp, tisp or rsap")
    discard(work_folder)


def cnn_settings(settings: Task) -> Task:
    """The same amounts of training, with the rate and decay of the benchmark's CNNs."""
    changes = {"learning_rate": LEARNING_RATE, "weight_decay": WEIGHT_DECAY, "warmup": 0.0}
    return settings.model_copy(update=changes)


def seeded(make: Callable[[], nn.Module], seed: int) -> Any:
    """A module with the initial values of a seed; other random numbers are left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


class _Pairs:
    """Loss and scores of the CNN on pairs."""

    def __init__(
        self,
        examples: PairExamples,
        settings: HeadTraining,
        length: int,
        seed: int,
        device: torch.device,
    ) -> None:
        self.examples, self.settings, self.length, self.device = examples, settings, length, device
        self.module = seeded(PairCNN, seed).to(device)
        table = examples.table
        self.rows = {s: np.flatnonzero(table["split"] == s) for s in SPLITS}
        self.labels = table["label"].to_numpy(dtype=np.int64)
        self.train = self.rows["train"]
        self.metric = SELECTION[examples.prepared.task]

    def loss(self, numbers: np.ndarray) -> Tensor:
        """Mean cross-entropy of training pairs."""
        rows = self.train[numbers]
        labels = torch.from_numpy(self.labels[rows]).to(self.device)
        return cross_entropy(self._logits(rows, hidden=False), labels)

    def validation_score(self) -> float:
        """Validation score."""
        return pair_score(self.metric, self.labels[self.rows["valid"]], self.scores("valid"))

    def scores(self, split: str, hidden: bool = False) -> np.ndarray:
        """Probability of class 1 of every pair of a split."""
        found = []
        for row in self.rows[split]:
            with torch.no_grad(), precision(self.device, self.settings):
                logits = self._logits(np.array([row]), hidden)
            found.append(float(logits[0].double().softmax(0)[1]))
        return np.array(found)

    def _logits(self, rows: np.ndarray, hidden: bool) -> Tensor:
        pairs = [self.examples.sequences(int(row)) for row in rows]
        ids = [padded(p.reference if hidden else p.alternative, self.length) for p in pairs]
        cnn, batch = self.module, torch.from_numpy(np.stack(ids)).to(self.device)
        return in_full_precision(cnn.classify, cnn.tower(cnn.onehot(batch)).amax(2))


class _Initiation:
    """Loss and predictions of the CNN on transcription initiation."""

    metric = METRIC

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
        self.train = np.flatnonzero(examples.table["split"] == "train")

    def loss(self, numbers: np.ndarray) -> Tensor:
        """Mean squared error of training windows, in the stored scale."""
        drawn = [self.examples.training(int(number)) for number in numbers]
        ids = torch.from_numpy(np.stack([ids for ids, _ in drawn])).to(self.device)
        targets = torch.from_numpy(np.stack([targets for _, targets in drawn])).to(self.device)
        return mse_loss(self.module(ids).float(), targets.float())

    def validation_score(self) -> float:
        """Mean correlation over the validation chromosome."""
        return initiation_score(self.examples, self.predict)

    def predict(self, ids: np.ndarray) -> np.ndarray:
        """Predictions of a window, float32 (10, L); both strands averaged on input ``full``."""
        found = self._forward(ids)
        if self.both_strands:
            found = (found + self._forward(reverse_complement(ids))[::-1, ::-1]) / 2
        return found

    def _forward(self, ids: np.ndarray) -> np.ndarray:
        batch = torch.from_numpy(np.ascontiguousarray(ids)[None]).to(self.device)
        with torch.no_grad(), precision(self.device, self.settings):
            return np.asarray(self.module(batch)[0].float().cpu().numpy())


def _train(
    found: _Pairs | _Initiation,
    arm: Arm,
    draws: int,
    settings: HeadTraining,
    seed: int,
    identity: dict[str, Any],
    work_folder: Path,
) -> None:
    objective = TaskObjective(
        arm.label, found.module, settings, found.loss, found.validation_score, found.metric
    )
    examples = len(found.train)
    fine_tune(objective, examples, draws, seed, identity, work_folder, MICRO_BATCH)
