"""Checkpoint of a fine-tuning run: what learns, its moments, the best so far, random numbers."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from genezip.training.checkpoint import random_state, set_random_state
from genezip.training.head_checkpoint import load_run, save_run

STATE = "finetune.pt"
_APART = ("identity", "best_weights")  # what the checkpoint holds beside the progress


@dataclass
class FinetuneState:
    """How far a run is.

    Attributes
    ----------
    identity : all that must not change between two parts of the run
    step : optimiser steps done
    validated : step of the last validation; 0 before the first
    best, best_step, best_weights : highest validation score, its step, and the weights then
    waiting : validations since
    history : one {"step", metric} per validation
    """

    identity: dict[str, Any]
    step: int = 0
    validated: int = 0
    best: float = -math.inf
    best_step: int = 0
    best_weights: dict[str, Tensor] | None = None
    waiting: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


def learned_weights(module: nn.Module) -> dict[str, Tensor]:
    """Copies, on the CPU, of the parameters that learn and of all buffers."""
    return {name: value.to("cpu", copy=True) for name, value in _learned(module).items()}


def _learned(module: nn.Module) -> dict[str, Tensor]:
    fixed = {name for name, p in module.named_parameters() if not p.requires_grad}
    return {name: value for name, value in module.state_dict().items() if name not in fixed}


def save_finetune(
    folder: Path, state: FinetuneState, module: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    """Write a checkpoint atomically. Weights that do not learn are not in it."""
    progress = {key: value for key, value in vars(state).items() if key not in _APART}
    values = {
        "progress": progress,
        "best_weights": state.best_weights,
        "weights": _learned(module),
        "optimizer": optimizer.state_dict(),
        "random": random_state(next(module.parameters()).device),
    }
    save_run(folder / STATE, state.identity, values)


def load_finetune(
    folder: Path,
    identity: dict[str, Any],
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    say: Callable[[str], None],
) -> FinetuneState | None:
    """Bring module, optimiser and random numbers to the checkpoint; None where there is none.

    A damaged checkpoint counts as none, and a line says so.

    Raises
    ------
    GenezipError
        If the checkpoint may not be read, or is of another run.
    """
    values = load_run(folder / STATE, identity, say)
    if values is None:
        return None
    module.load_state_dict(values["weights"], strict=False)
    optimizer.load_state_dict(values["optimizer"])
    set_random_state(values["random"], next(module.parameters()).device)
    return FinetuneState(identity, best_weights=values["best_weights"], **values["progress"])
