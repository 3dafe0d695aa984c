"""Checkpoint of a fine-tuning run: what learns, its moments, the best so far, random numbers."""

import io
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from genezip.errors import GenezipError
from genezip.provenance import atomic_path
from genezip.training.checkpoint import random_state, set_random_state
from genezip.training.differences import first_difference

STATE = "finetune.pt"


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
    fixed = {name for name, p in module.named_parameters() if not p.requires_grad}
    return {
        name: value.detach().cpu().clone()
        for name, value in module.state_dict().items()
        if name not in fixed
    }


def save_finetune(
    folder: Path, state: FinetuneState, module: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    """Write a checkpoint atomically. Weights that do not learn are not in it."""
    values = {
        **vars(state),
        "weights": learned_weights(module),
        "optimizer": optimizer.state_dict(),
        "random": random_state(next(module.parameters()).device),
    }
    data = io.BytesIO()
    torch.save(values, data)
    with atomic_path(folder / STATE) as temporary:
        temporary.write_bytes(data.getbuffer())


def load_finetune(
    folder: Path,
    identity: dict[str, Any],
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
) -> FinetuneState | None:
    """Bring module, optimiser and random numbers to the checkpoint; None where there is none.

    Raises
    ------
    GenezipError
        If the checkpoint cannot be read, or is of another run.
    """
    path = folder / STATE
    if not path.exists():
        return None
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
        weights, moments = values.pop("weights"), values.pop("optimizer")
        random = values.pop("random")
        state = FinetuneState(**values)
    except Exception:  # a damaged archive fails in many ways
        raise GenezipError(
            f"{path} cannot be read; delete the folder {folder} to train from the start"
        ) from None
    difference = first_difference(state.identity, identity)
    if difference is not None:
        key, old, new = difference
        raise GenezipError(
            f"{folder} holds a run that stopped at step {state.step} with {key} {old}, not {new}; "
            "set it back to go on, or delete that folder to train from the start"
        )
    module.load_state_dict(weights, strict=False)
    optimizer.load_state_dict(moments)
    set_random_state(random, next(module.parameters()).device)
    return state
