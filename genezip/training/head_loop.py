"""Training of a head on batches from anywhere: a step loop that can stop and go on.

A checkpoint in a work folder holds everything: an interrupted run that goes on ends with the
same weights as one that was never interrupted.
"""

import logging
import math
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from genezip import log
from genezip.artifacts.journal import stop_request
from genezip.artifacts.states import save_state
from genezip.config.benchmarks import HeadTraining
from genezip.training.checkpoint import load_run, random_state, set_random_state
from genezip.training.head_step import backward, build_adamw, clip_gradients, set_rate

logger = logging.getLogger(__name__)

CHECKPOINT = "head.pt"
CHECKPOINT_SECONDS = 600.0
# Settings that decide the weights; the device is not among them.
DECISIVE = (
    "batch", "learning_rate", "weight_decay", "warmup", "clip_norm", "evaluate_every",
    "patience", "precision",
)  # fmt: skip


@dataclass(frozen=True)
class HeadRun:
    """What a head learns from.

    Attributes
    ----------
    name : for messages
    settings : rates, limits and intervals
    steps : optimiser steps
    seed : of dropout (the caller draws initial weights and batches)
    identity : what else must be equal between the parts of a run, as plain values
    batch : step (0-based) -> the micro-batches of the step; must depend on the step alone
    loss : module, micro-batch -> scalar Tensor. The losses of a step's micro-batches are added
        up, so each is its share of the loss of the whole step
    validate : module (eval mode, no gradients) -> a value, higher is better, NaN for none; it
        runs after every ``settings.evaluate_every`` steps and after the last one
    select : ``best`` keeps the weights of the highest validation value and stops when
        ``settings.patience`` validations in a row were not better; ``last`` does neither
    """

    name: str
    settings: HeadTraining
    steps: int
    seed: int
    identity: dict[str, Any]
    batch: Callable[[int], Iterable[Any]]
    loss: Callable[[nn.Module, Any], Tensor]
    validate: Callable[[nn.Module], float] | None = None
    select: Literal["best", "last"] = "best"

    def identities(self) -> dict[str, Any]:
        """All that decides the weights, as plain values."""
        dump = self.settings.model_dump()
        settings = {key: dump[key] for key in DECISIVE}
        own = {"steps": self.steps, "seed": self.seed, "select": self.select}
        return {**own, "settings": settings, **self.identity}


@dataclass
class Trained:
    """How a run went.

    Attributes
    ----------
    step : optimiser steps done
    best_value, best_step : highest validation value and the step after which it was reached;
        -inf and 0 where there is none
    stale : validations since then
    history : (step, validation value) of every validation
    finished : whether there is nothing left to train
    """

    step: int = 0
    best_value: float = -math.inf
    best_step: int = 0
    stale: int = 0
    history: list[tuple[int, float]] = field(default_factory=list)
    finished: bool = False


def rows_of_step(count: int, batch: int, step: int, seed: int) -> np.ndarray:
    """Rows of a step when every pass goes through all rows in a new random order.

    Returns int64 array (batch,), values 0 .. count - 1. It depends on the arguments alone, so
    a run that goes on needs no state. A batch may hold the end of one pass and the begin of
    the next.
    """
    places = np.arange(step * batch, (step + 1) * batch)
    rows = np.empty(batch, dtype=np.int64)
    for epoch in np.unique(places // count):
        order = np.random.default_rng([seed, int(epoch)]).permutation(count)
        here = places // count == epoch
        rows[here] = order[places[here] % count]
    return rows


def train_head(
    module: nn.Module,
    run: HeadRun,
    work_folder: Path,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> Trained:
    """Train in place, or go on with an interrupted run; the module ends in eval mode.

    The checkpoint stays in ``work_folder`` when training ends, so that a failure in what
    follows costs no training; :func:`discard` removes it.

    Parameters
    ----------
    module : on its device, with its initial weights
    checkpoint_seconds : a checkpoint is written at every validation, and when so much time
        has passed since the last one

    Raises
    ------
    GenezipError
        If the checkpoint is of other settings, loss or gradient stop being finite, or a GPU
        has no memory left.
    KeyboardInterrupt
        On Ctrl-C, after the step in progress, when a checkpoint has been written.
    """
    optimizer = build_adamw(module, run.settings)
    path = Path(work_folder) / CHECKPOINT
    progress, best = _begin(module, optimizer, run, path)
    if not progress.finished:
        best = _train(module, optimizer, run, path, progress, best, checkpoint_seconds)
    if run.select == "best" and best is not None:
        module.load_state_dict(best)
    module.eval()
    return progress


def discard(work_folder: Path) -> None:
    """Remove the checkpoint, and the folder if nothing else is in it."""
    (Path(work_folder) / CHECKPOINT).unlink(missing_ok=True)
    with suppress(OSError):
        Path(work_folder).rmdir()


def _train(
    module: nn.Module,
    optimizer: torch.optim.AdamW,
    run: HeadRun,
    path: Path,
    progress: Trained,
    best: dict[str, Any] | None,
    checkpoint_seconds: float,
) -> dict[str, Any] | None:
    """The loop; returns the best weights."""
    settings, what = run.settings, f"a training batch of {run.name}"
    shown = log.Progress(run.name, run.steps, "step", progress.step)
    saved = time.monotonic()
    module.train()
    with shown, stop_request() as stop:
        while not progress.finished:
            step = progress.step
            set_rate(optimizer, settings, step, run.steps)
            optimizer.zero_grad(set_to_none=True)
            bf16 = settings.precision == "bf16"
            loss = backward(module, run.batch(step), run.loss, bf16, lambda _: what)
            clip_gradients(module, settings, loss, run.name, step)
            optimizer.step()
            progress.step = done = step + 1
            last = done == run.steps
            due = run.validate is not None and (last or done % settings.evaluate_every == 0)
            if due and _validated(module, run, progress):
                best = {key: value.clone() for key, value in module.state_dict().items()}
            patient = run.select == "last" or progress.stale < settings.patience
            progress.finished = last or not patient
            old = time.monotonic() - saved >= checkpoint_seconds
            if due or stop or progress.finished or old:
                state = {
                    "progress": asdict(progress),
                    "module": module.state_dict(),
                    "best": best,
                    "optimizer": optimizer.state_dict(),
                    "random": random_state(next(module.parameters()).device),
                }
                save_state(path, run.identities(), state)
                saved = time.monotonic()
            if stop and not progress.finished:
                logger.info(
                    f"{run.name}: stopped at step {done}; the same command goes on from there"
                )
                raise KeyboardInterrupt
            shown.show(loss=f"{loss:.4g}")
            shown.advance()
    return best


def _validated(module: nn.Module, run: HeadRun, progress: Trained) -> bool:
    """Validate and note the value; True where it is the best so far."""
    assert run.validate is not None
    module.eval()
    with torch.no_grad():
        value = float(run.validate(module))
    module.train()
    progress.history.append((progress.step, value))
    better = value > progress.best_value  # False for NaN
    if better:
        progress.best_value, progress.best_step = value, progress.step
    progress.stale = 0 if better else progress.stale + 1
    logger.info(f"{run.name}: step {progress.step} of {run.steps}, validation {value:.4f}")
    return better


def _begin(
    module: nn.Module, optimizer: torch.optim.AdamW, run: HeadRun, path: Path
) -> tuple[Trained, dict[str, Any] | None]:
    """Progress and best weights of the checkpoint; from the start where there is none."""
    state = load_run(path, run.identities())
    if state is None:
        torch.manual_seed(run.seed)
        return Trained(), None
    module.load_state_dict(state["module"])
    optimizer.load_state_dict(state["optimizer"])
    set_random_state(state["random"], next(module.parameters()).device)
    progress = Trained(**state["progress"])
    if not progress.finished:
        logger.info(f"{run.name}: resuming at step {progress.step} of {run.steps}")
    return progress, state["best"]
