"""Resumable training state: weights, optimiser, data position, random numbers.

The newest state and the one before it are kept: if the newest is damaged, the run goes on
from the previous one.
"""

import io
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from genezip.artifacts.files import atomic_path
from genezip.errors import GenezipError
from genezip.training.differences import first_difference

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


def save_state(folder: Path, state: TrainingState) -> None:
    """Write the state atomically; the one it replaces becomes the previous one."""
    data = io.BytesIO()
    torch.save(vars(state), data)
    path = folder / STATE
    with atomic_path(path) as temporary:
        temporary.write_bytes(data.getbuffer())
        if path.exists():
            path.replace(folder / PREVIOUS)


def load_state(
    folder: Path, identity: dict[str, Any], say: Callable[[str], None]
) -> TrainingState | None:
    """The newest readable state of a run, or None where there is none.

    Raises
    ------
    GenezipError
        If no state can be read, or the folder holds a run of other settings.
    """
    damaged: list[Path] = []
    for path in (folder / STATE, folder / PREVIOUS):
        if not path.exists():
            continue
        state = _read(path)
        if state is None:
            damaged.append(path)
            continue
        _refuse_other_run(folder, state, identity)
        for broken in damaged:  # set aside, so that it does not replace the good one later
            with suppress(FileNotFoundError):  # another process was first
                broken.rename(broken.with_suffix(".damaged.pt"))
        if path.name == PREVIOUS:
            newest = f"{damaged[0]} is damaged" if damaged else f"{folder / STATE} is missing"
            say(f"{newest}; going on from the previous checkpoint, step {state.step}")
        return state
    if damaged:
        raise GenezipError(
            f"{' and '.join(map(str, damaged))} cannot be read; delete the folder {folder} to "
            "train from the start"
        )
    return None


def _read(path: Path) -> TrainingState | None:
    """A state, or None where the file is damaged (each part of the archive has a checksum)."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:
                return None
        return TrainingState(**torch.load(path, map_location="cpu", weights_only=True))
    except PermissionError as error:
        raise GenezipError(f"{path} cannot be read: {error.strerror}; allow it") from None
    except Exception:  # a damaged archive fails in many ways
        return None


def _refuse_other_run(folder: Path, state: TrainingState, identity: dict[str, Any]) -> None:
    difference = first_difference(state.identity, identity, FREE)
    if difference is not None:
        key, old, new = difference
        raise GenezipError(
            f"{folder} holds a run that stopped at step {state.step} with {key} {old}, not {new}; "
            "set it back to go on, or delete that folder to train from the start"
        )
