"""Resumable training state: weights, optimiser, data position.

There is no other randomness in training: initial values and batches follow from the seed.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from genezip.errors import GenezipError
from genezip.provenance import atomic_path

STATE = "state.pt"


@dataclass
class TrainingState:
    """Everything a run needs to go on as if it had never stopped.

    ``identity`` is the hash of all that must not change between the parts of a run
    (settings, architecture, targets, corpus, seed).
    """

    identity: str
    step: int
    network: dict[str, Any]
    optimizer: dict[str, Any]
    batches: dict[str, Any]
    best_ppl: float
    seconds: float


def save_state(folder: Path, state: TrainingState) -> None:
    """Write the state atomically."""
    data = io.BytesIO()
    torch.save(vars(state), data)
    with atomic_path(folder / STATE) as temporary:
        temporary.write_bytes(data.getbuffer())


def load_state(folder: Path, identity: str) -> TrainingState | None:
    """The state of an interrupted run, or None where there is none of this run.

    A state of other settings is no state of this run: it is left alone and training
    starts anew (the new run's first checkpoint replaces it).
    """
    path = folder / STATE
    if not path.exists():
        return None
    try:
        state = TrainingState(**torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:
        raise GenezipError(
            f"{path} cannot be read ({type(error).__name__}); delete it to train from the start"
        ) from None
    return state if state.identity == identity else None
