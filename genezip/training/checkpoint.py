"""Checkpoints of training: weights, optimiser, data position, random numbers.

Of a pretraining the newest state and the one before it are kept: if the newest is damaged, the
run goes on from the previous one. A run on a task keeps one.
"""

import logging
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from genezip.artifacts.states import load_state, refuse_other_run, save_state
from genezip.errors import GenezipError

logger = logging.getLogger(__name__)

STATE = "state.pt"
PREVIOUS = "state.previous.pt"

# Settings that may change between two parts of a run, because the trained weights do not
# depend on them: where and in which portions the same sum is computed (device, micro_batch,
# checkpoint_activations, packed_trunk; its rounding alone may differ, as with another number
# of processes), and when something is written. `validate_windows` is not among them: the best
# weights are chosen by perplexities that must be comparable.
FREE = (
    "pretrain.device",
    "pretrain.micro_batch",
    "pretrain.checkpoint_activations",
    "pretrain.packed_trunk",
    "pretrain.checkpoint_every",
    "pretrain.validate_every",
)


@dataclass
class TrainingState:
    """Everything a run needs to go on as if it had never stopped.

    Attributes
    ----------
    identity : all that must not change between the parts of a run (settings, architecture,
        targets, corpus, seed, initial weights), as plain values
    step : optimiser steps done
    network, optimizer, batches : their state dicts
    random : see :func:`random_state`
    best_ppl, valid : lowest validation perplexity, and the last validation's metrics
    best_sha256 : hash of the file that holds the weights of that perplexity
    seconds : training time so far
    """

    identity: dict[str, Any]
    step: int
    network: dict[str, Any]
    optimizer: dict[str, Any]
    batches: dict[str, Any]
    random: dict[str, Any]
    best_ppl: float
    best_sha256: str | None
    valid: dict[str, Any] | None
    seconds: float


def random_state(device: torch.device) -> dict[str, Any]:
    """Random generators of torch (CPU, and CUDA where used) and numpy, as tensors and numbers."""
    numpy: dict[str, Any] = dict(np.random.get_state(legacy=False))
    words = {**numpy["state"], "key": torch.from_numpy(numpy["state"]["key"].astype(np.int64))}
    state = {"torch": torch.get_rng_state(), "numpy": {**numpy, "state": words}}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def set_random_state(state: dict[str, Any], device: torch.device) -> None:
    """Continue the random numbers of :func:`random_state`."""
    torch.set_rng_state(state["torch"])
    words = state["numpy"]["state"]
    key = words["key"].numpy().astype(np.uint32)
    np.random.set_state({**state["numpy"], "state": {**words, "key": key}})
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)


def save_checkpoint(folder: Path, state: TrainingState) -> None:
    """Write the state atomically; the one it replaces becomes the previous one."""
    values = {name: value for name, value in vars(state).items() if name != "identity"}
    save_state(folder / STATE, state.identity, values, folder / PREVIOUS)


def load_checkpoint(folder: Path, identity: dict[str, Any]) -> TrainingState | None:
    """The newest readable state of a run, or None where there is none.

    Raises
    ------
    GenezipError
        If no state can be read, or the folder holds a run of other settings.
    """
    names = [field.name for field in fields(TrainingState)]
    damaged: list[Path] = []
    for path in (folder / STATE, folder / PREVIOUS):
        if not path.exists():
            continue
        values = load_state(path, names)
        if values is None:
            damaged.append(path)
            continue
        state = TrainingState(**{name: values[name] for name in names})
        refuse_other_run(folder, _stopped(state.step), state.identity, identity, FREE)
        for broken in damaged:  # set aside, so that it does not replace the good one later
            with suppress(FileNotFoundError):  # another process was first
                broken.rename(broken.with_suffix(".damaged.pt"))
        if path.name == PREVIOUS:
            newest = f"{damaged[0]} is damaged" if damaged else f"{folder / STATE} is missing"
            logger.warning(f"{newest}; going on from the previous checkpoint, step {state.step}")
        return state
    if damaged:
        raise GenezipError(
            f"{' and '.join(map(str, damaged))} cannot be read; delete the folder {folder} to "
            "train from the start"
        )
    return None


def load_run(path: Path, identity: dict[str, Any]) -> dict[str, Any] | None:
    """The state of a run on a task; None where there is none, or a damaged one.

    Its ``progress`` holds the ``step``.

    Raises
    ------
    GenezipError
        If it is of another identity, or may not be read.
    """
    if not path.exists():
        return None
    state = load_state(path, ("progress",))
    if state is None:
        logger.warning(f"{path} is damaged; training from the start")
        return None
    refuse_other_run(path, _stopped(state["progress"]["step"]), state["identity"], identity)
    return state


def _stopped(step: int) -> str:
    return f"a run that stopped at step {step}"
