"""Checkpoints, from which a training resumes as if it had never stopped.

Pretraining, heads and fine-tuning save the same state in the same format: weights, optimiser,
position of the data, random numbers, and the best weights so far. A pretraining keeps the newest
state and the one before it, from which it resumes if the newest is damaged. A run on a task keeps
one state.
"""

import logging
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from genezip.artifacts.files import sha256_file
from genezip.artifacts.states import load_state, refuse_other_run, save_state
from genezip.errors import GenezipError
from genezip.models.pretrained import save_weights
from genezip.training.trainable import trainable_weights

logger = logging.getLogger(__name__)

STATE = "state.pt"
PREVIOUS = "state.previous.pt"
FORMAT = 2
OLDER = ("head.pt", "finetune.pt")  # file names of format 1


class Batches(Protocol):
    """An endless, resumable stream of batches."""

    def next_batch(self) -> Any:
        """The next batch."""

    def state_dict(self) -> dict[str, Any]:
        """The position as plain JSON values."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a position of :meth:`state_dict`."""


@dataclass
class TrainingState:
    """Progress of a training.

    Attributes
    ----------
    step : optimiser steps done
    validated : step of the last validation; 0 before the first
    best, best_step : highest validation score and its step; -inf and 0 before the first score
    waiting : validations since then that count against the patience
    halved : number of times that the learning rate was halved
    history : one {"step", metrics} per validation
    best_sha256 : hash of the file of the best weights, if they are kept in a file
    seconds : training time so far
    best_weights : the best weights, on the CPU, if they are not kept in a file
    """

    step: int = 0
    validated: int = 0
    best: float = -math.inf
    best_step: int = 0
    waiting: int = 0
    halved: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    best_sha256: str | None = field(default=None, compare=False)
    seconds: float = field(default=0.0, compare=False)
    best_weights: dict[str, Tensor] | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Checkpoint:
    """The checkpoint folder of a run and the identity that a resumed run must have.

    Attributes
    ----------
    folder : folder of the state; the caller deletes it after writing its output
    name : name of the run in messages
    identity : everything that determines the weights, as plain values
    free : dotted keys of the identity that may differ
    best_file : file of the best weights so far; None keeps them in the state
    keep_previous : whether the state before the newest is kept. If so, damaged states are an
        error; if not, a damaged state means training from the start
    """

    folder: Path
    name: str
    identity: dict[str, Any]
    free: Sequence[str] = ()
    best_file: Path | None = None
    keep_previous: bool = False

    @property
    def paths(self) -> list[Path]:
        """Possible paths of states, the newest first."""
        return [self.folder / name for name in (STATE, PREVIOUS)[: 1 + self.keep_previous]]

    def exists(self) -> bool:
        """Whether there is a state, even a damaged one or one of another run."""
        return any(path.exists() for path in self.paths)

    def save(
        self,
        state: TrainingState,
        module: nn.Module,
        optimizer: torch.optim.Optimizer,
        batches: Batches,
    ) -> None:
        """Write the state atomically, without frozen weights."""
        progress = {key: value for key, value in vars(state).items() if key != "best_weights"}
        values = {
            "format": FORMAT,
            "progress": progress,
            "best_weights": state.best_weights,
            "weights": trainable_weights(module),
            "optimizer": optimizer.state_dict(),
            "position": batches.state_dict(),
            "random": random_state(_device(module)),
        }
        previous = self.folder / PREVIOUS if self.keep_previous else None
        save_state(self.folder / STATE, self.identity, values, previous)

    def load(
        self, module: nn.Module, optimizer: torch.optim.Optimizer, batches: Batches
    ) -> TrainingState | None:
        """Load the newest readable state into all arguments; return None if there is no state.

        States that are unreadable, or of other settings or another version, are refused.
        """
        values = self._newest()
        if values is None:
            return None
        missing, unknown = module.load_state_dict(values["weights"], strict=False)
        assert not unknown and not set(missing) & set(trainable_weights(module)), "other weights"
        optimizer.load_state_dict(values["optimizer"])
        batches.load_state_dict(values["position"])
        set_random_state(values["random"], _device(module))
        state = TrainingState(**values["progress"], best_weights=values["best_weights"])
        if self.best_file is not None and state.best_sha256 is not None:
            self._forget_lost_best(self.best_file, state)
        return state

    def keep_best(self, state: TrainingState, module: nn.Module) -> None:
        """Keep the present weights as the best so far."""
        if self.best_file is None:
            weights = trainable_weights(module)
            state.best_weights = {k: value.to("cpu", copy=True) for k, value in weights.items()}
        else:
            save_weights(self.best_file, module)
            state.best_sha256 = sha256_file(self.best_file)

    def _newest(self) -> dict[str, Any] | None:
        damaged: list[Path] = []
        for path in (self.folder / name for name in OLDER):
            if path.exists():
                self._refuse_version(path)
        for path in self.paths:
            if not path.exists():
                continue
            values = load_state(path, ())
            if values is None:
                damaged.append(path)
                continue
            if values.get("format") != FORMAT:
                self._refuse_version(path)
            step = values["progress"]["step"]
            what = f"a run that stopped at step {step}"
            refuse_other_run(self.folder, what, values["identity"], self.identity, self.free)
            for broken in damaged:  # renamed, so that it does not replace the good one later
                with suppress(FileNotFoundError):  # another process has renamed it
                    broken.rename(broken.with_suffix(".damaged.pt"))
            if path.name == PREVIOUS:
                newest = f"{damaged[0]} is damaged" if damaged else f"{self.paths[0]} is missing"
                logger.warning(f"{newest}; resuming from the previous checkpoint, step {step}")
            return values
        if damaged and self.keep_previous:
            raise GenezipError(
                f"{' and '.join(map(str, damaged))} cannot be read; delete the folder "
                f"{self.folder} to train from the start"
            )
        if damaged:
            logger.warning(f"{damaged[0]} is damaged; training from the start")
        return None

    def _refuse_version(self, path: Path) -> NoReturn:
        raise GenezipError(
            f"{path} is of a run of another version of genezip and cannot be resumed; "
            f"delete the folder {self.folder} to train from the start"
        )

    def _forget_lost_best(self, best: Path, state: TrainingState) -> None:
        """Forget the best score of the state if the file of best weights has another hash.

        The file is written at a validation and the state at the next checkpoint. If a run crashes
        between the two, the file holds weights that are newer than the state.
        """
        if not best.exists() or sha256_file(best) != state.best_sha256:
            logger.warning(
                f"{self.name}: the best weights so far belong to steps after the checkpoint; the "
                "best is chosen anew from here"
            )
            state.best, state.best_step, state.best_sha256 = -math.inf, 0, None


def discard(folder: Path) -> None:
    """Remove all states of a run and of its parts, and the folder if it is then empty."""
    for part in (path for path in folder.glob("*") if path.is_dir()):
        discard(part)
    for path in (folder / STATE, folder / PREVIOUS, *folder.glob("*.damaged.pt")):
        path.unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


def random_state(device: torch.device) -> dict[str, Any]:
    """States of the random generators of torch (CPU, CUDA if used) and numpy."""
    numpy: dict[str, Any] = dict(np.random.get_state(legacy=False))
    words = {**numpy["state"], "key": torch.from_numpy(numpy["state"]["key"].astype(np.int64))}
    state = {"torch": torch.get_rng_state(), "numpy": {**numpy, "state": words}}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def set_random_state(state: dict[str, Any], device: torch.device) -> None:
    """Restore the states of :func:`random_state`."""
    torch.set_rng_state(state["torch"])
    words = state["numpy"]["state"]
    key = words["key"].numpy().astype(np.uint32)
    np.random.set_state({**state["numpy"], "state": {**words, "key": key}})
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)


def _device(module: nn.Module) -> torch.device:
    return next(module.parameters()).device
