"""A run under way: what a checkpoint saves and a resumed run gets back."""

import logging
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from genezip.artifacts.files import sha256_file
from genezip.corpus.stream import Batches
from genezip.models.hnet.network import GeneZipNetwork, build
from genezip.models.pretrained import BEST, save_weights
from genezip.training.checkpoint import (
    TrainingState,
    load_checkpoint,
    random_state,
    save_checkpoint,
    set_random_state,
)
from genezip.training.optim import build_optimizer
from genezip.training.run import Run
from genezip.training.validation import validate

logger = logging.getLogger(__name__)


@dataclass
class ActiveRun:
    """Network and optimiser of a run, and how far it is.

    Attributes
    ----------
    run, batches : what is trained on what
    network, optimizer : on the device of this process
    step : optimiser steps done
    best_ppl, valid : lowest validation perplexity, and the last validation's metrics
    best_sha256 : hash of the file that holds the weights of that perplexity
    began : monotonic clock when the run would have begun without interruptions (s)
    """

    run: Run
    batches: Batches
    network: GeneZipNetwork
    optimizer: torch.optim.AdamW
    step: int = 0
    best_ppl: float = math.inf
    best_sha256: str | None = None
    valid: dict[str, Any] | None = None
    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Training time so far."""
        return time.monotonic() - self.began

    def validate(self, checkpoints: Path) -> dict[str, Any]:
        """Metrics on the validation windows; the best weights so far are kept."""
        run = self.run
        self.valid = validate(
            self.network, run.valid_ids, run.valid_regions, run.target_bpt, run.region_classes
        )
        if self.valid["ppl"] < self.best_ppl:
            self.best_ppl = self.valid["ppl"]
            save_weights(checkpoints / BEST, self.network)
            self.best_sha256 = sha256_file(checkpoints / BEST)
        return self.valid

    def save(self, checkpoints: Path) -> None:
        """Write a checkpoint."""
        state = TrainingState(
            identity=self.run.identity(),
            step=self.step,
            network=self.network.state_dict(),
            optimizer=self.optimizer.state_dict(),
            batches=self.batches.state_dict(),
            random=random_state(self.network.embedding.device),
            best_ppl=self.best_ppl,
            best_sha256=self.best_sha256,
            valid=self.valid,
            seconds=self.seconds,
        )
        save_checkpoint(checkpoints, state)


def initial_network(run: Run, device: torch.device) -> GeneZipNetwork:
    """The network with the initial values of the run's seed, set up for training."""
    shape = run.architecture.resolved(list(run.target_bpt.values()))
    network = build(shape, run.seed).to(device).train()
    network.checkpoint_activations(run.settings.checkpoint_activations)
    network.packed = run.settings.packed_trunk
    return network


def begin(run: Run, batches: Batches, network: GeneZipNetwork, checkpoints: Path) -> ActiveRun:
    """Where a run begins or goes on: its checkpoint, its initial weights, or its seed.

    Raises
    ------
    GenezipError
        If no checkpoint can be read, or those in the folder are of another run.
    """
    device = network.embedding.device
    state = load_checkpoint(checkpoints, run.identity())
    if state is None:
        if run.initial is not None:
            run.initial.load_into(network)
        torch.manual_seed(run.seed)
        np.random.seed(run.seed)
        return ActiveRun(run, batches, network, build_optimizer(network, run.settings))
    network.load_state_dict(state.network)
    optimizer = build_optimizer(network, run.settings)
    optimizer.load_state_dict(state.optimizer)
    batches.load_state_dict(state.batches)
    set_random_state(state.random, device)
    logger.info(f"{run.name}: resuming at step {state.step} of {run.settings.steps}")
    progress = ActiveRun(
        run,
        batches,
        network,
        optimizer,
        state.step,
        state.best_ppl,
        state.best_sha256,
        state.valid,
        time.monotonic() - state.seconds,
    )
    best = checkpoints / BEST
    found = sha256_file(best) if best.exists() else None
    if state.best_sha256 is not None and found != state.best_sha256:
        logger.warning(
            f"{run.name}: the best weights so far belong to steps after the checkpoint; the best "
            "is chosen anew from here"
        )
        progress.best_ppl, progress.best_sha256 = math.inf, None
    return progress
