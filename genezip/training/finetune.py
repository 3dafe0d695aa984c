"""Fine-tuning: a small loop that learns a task from examples and keeps its best weights.

The optimiser settings are those of :class:`genezip.config.benchmarks.HeadTraining`. Weights
and moments are fp32; autocast to bf16 happens on CUDA alone. A run that was interrupted goes on
from its last checkpoint and ends with the very same weights.
"""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from genezip import log
from genezip.artifacts.journal import stop_request
from genezip.artifacts.states import save_state
from genezip.config.benchmarks import FineTuning, HeadTraining
from genezip.errors import GenezipError
from genezip.models.hnet.losses import rar_loss
from genezip.models.hnet.network import GeneZipNetwork
from genezip.models.hnet.output import Output
from genezip.training.checkpoint import load_run, random_state, set_random_state
from genezip.training.fit import rows_of_step
from genezip.training.head_step import backward, build_adamw, clip_gradients, set_rate
from genezip.training.trainable import compressor_learns

logger = logging.getLogger(__name__)

STATE = "finetune.pt"
BETAS = (0.9, 0.95)  # GeneZip Appendix D
CHECKPOINT_SECONDS = 600.0


def example_numbers(numbers: np.ndarray) -> str:
    """``training example 3, 7``."""
    return f"training example {', '.join(str(number) for number in numbers)}"


@dataclass(frozen=True)
class Problem:
    """What is to be learnt, and how it is judged.

    Attributes
    ----------
    name : what messages call it
    module : whatever of it requires gradients learns
    examples : number of training examples, n >= 1
    draws : training examples that are drawn in all: n x passes, or steps x batch
    loss : takes numbers of examples, int64 array (m,), each in 0 .. n - 1; returns their mean loss
    judge : validation score, the higher the better; NaN where it is undefined
    metric : name of that score
    identity : all that must not change between two parts of a run, JSON values
    micro_batch : examples that ``loss`` takes at a time; gradients of a step are added up
    describe : what a message calls the examples of these numbers
    """

    name: str
    module: nn.Module
    examples: int
    draws: int
    loss: Callable[[np.ndarray], Tensor]
    judge: Callable[[], float]
    metric: str
    identity: dict[str, Any]
    micro_batch: int = 1
    describe: Callable[[np.ndarray], str] = example_numbers


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


def ratio_term(network: GeneZipNetwork, output: Output, settings: FineTuning) -> Tensor:
    """The ratio loss of fine-tuning, weighted by ``alpha``; zero while the compressor is fixed.

    The ratio loss with one region class and target ``uniform_bpt``, N = target^(1/S) at each
    of S stages, per sequence, F taken after the bounds; as the authors' release replaces RAR
    when it fine-tunes (GeneZip release, classification tasks).
    """
    if settings.alpha == 0 or not compressor_learns(network):
        return output.states.new_zeros(())
    one_class = torch.zeros(output.valid.shape, dtype=torch.int64, device=output.valid.device)
    target = torch.full((1,), settings.uniform_bpt, device=output.valid.device)
    return settings.alpha * rar_loss(output, one_class, target, "post")[0]


def finetune(
    problem: Problem,
    settings: HeadTraining,
    seed: int,
    work_folder: Path,
) -> FinetuneState:
    """Train ``problem.module`` in place and leave it with its best weights, in eval mode.

    Every pass goes through all examples in a new seeded order; with ``warmup`` the rate rises
    over that share of the steps and then falls linearly to zero, without it stays constant.
    The best weights are those of the highest validation score; where no score is defined
    (a validation split of one class) the last ones. Validation takes place every
    ``evaluate_every`` steps and at the end; ``patience`` validations without a better score end
    the training.

    Parameters
    ----------
    work_folder : where checkpoints lie; the caller deletes it when its own output is written

    Returns
    -------
    The last state, with the history of validations.

    Raises
    ------
    GenezipError
        If loss or gradient stop being finite, a GPU has no memory left, or the checkpoint may
        not be read or is of another run.
    KeyboardInterrupt
        On Ctrl-C, after the step or validation in progress, with a checkpoint written.
    """
    if problem.examples < 1:
        raise GenezipError(f"{problem.name} has no training example; prepare the task again")
    steps = max(1, math.ceil(problem.draws / settings.batch))
    identity = {**_fixed(settings), **problem.identity, "seed": seed, "steps_in_all": steps}
    optimizer = build_adamw(problem.module, settings, BETAS)
    path = work_folder / STATE
    state = _load(path, identity, problem.module, optimizer)
    if state is None:
        torch.manual_seed(seed)
        state = FinetuneState(identity)
    else:
        logger.info(f"{problem.name}: going on at step {state.step} of {steps}")
    shown = log.Progress(problem.name, steps, "step", state.step)
    saved = time.monotonic()
    problem.module.train()
    with shown, stop_request() as stop:
        while True:
            due = state.step == steps or state.step % settings.evaluate_every == 0
            if due and state.validated < state.step:
                _validate(problem, state, steps)
                _save(path, state, problem.module, optimizer)
            finished = state.step == steps or state.waiting >= settings.patience
            if stop and not finished:
                _save(path, state, problem.module, optimizer)
                logger.info(
                    f"{problem.name}: stopped at step {state.step}; the same command goes on "
                    "from there"
                )
                raise KeyboardInterrupt
            if finished:
                break
            set_rate(optimizer, settings, state.step, steps)
            numbers = rows_of_step(problem.examples, settings.batch, state.step, seed)
            numbers = numbers[: problem.draws - state.step * settings.batch]  # of the last step
            loss = _step(problem, numbers, settings, state.step)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            state.step += 1
            due = state.step == steps or state.step % settings.evaluate_every == 0
            # before a validation, which may take long, and where one is far away
            if due or time.monotonic() - saved >= CHECKPOINT_SECONDS:
                _save(path, state, problem.module, optimizer)
                saved = time.monotonic()
            shown.show(loss=f"{loss:.4f}")
            shown.advance()
    _take_best(problem, state, settings)
    return state


def _step(problem: Problem, numbers: np.ndarray, settings: HeadTraining, step: int) -> float:
    """Gradients of one step; the mean loss over its examples."""
    size = problem.micro_batch
    parts = [numbers[start : start + size] for start in range(0, len(numbers), size)]
    loss = backward(
        problem.module,
        parts,
        lambda _, part: problem.loss(part) * (len(part) / len(numbers)),
        settings.precision == "bf16",
        lambda part: f"{problem.name}: training on {problem.describe(part)}",
    )
    clip_gradients(problem.module, settings, loss, problem.name, step)
    return loss


def _validate(problem: Problem, state: FinetuneState, steps: int) -> None:
    """Judge the weights of now and keep them if they are the best so far."""
    problem.module.eval()
    with torch.no_grad():
        score = float(problem.judge())
    problem.module.train()
    state.validated = state.step
    state.history.append({"step": state.step, problem.metric: score})
    logger.info(
        f"{problem.name}: step {state.step}/{steps}, validation {problem.metric} {score:.4f}"
    )
    if math.isnan(score):
        return
    state.waiting += 1
    if score > state.best:
        state.best, state.best_step, state.waiting = score, state.step, 0
        state.best_weights = learned_weights(problem.module)


def _take_best(problem: Problem, state: FinetuneState, settings: HeadTraining) -> None:
    if state.best_weights is None:
        logger.warning(
            f"{problem.name}: validation {problem.metric} was never defined, so the weights of "
            f"the last step, {state.step}, are used"
        )
    else:
        problem.module.load_state_dict(state.best_weights, strict=False)
        why = "patience ran out" if state.waiting >= settings.patience else "all steps done"
        logger.info(
            f"{problem.name}: {why}; best validation {problem.metric} {state.best:.4f} at step "
            f"{state.best_step}"
        )
    problem.module.eval()


def learned_weights(module: nn.Module) -> dict[str, Tensor]:
    """Copies, on the CPU, of the parameters that learn and of all buffers."""
    return {name: value.to("cpu", copy=True) for name, value in _learned(module).items()}


def _learned(module: nn.Module) -> dict[str, Tensor]:
    fixed = {name for name, p in module.named_parameters() if not p.requires_grad}
    return {name: value for name, value in module.state_dict().items() if name not in fixed}


def _save(
    path: Path, state: FinetuneState, module: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    """Write a checkpoint. Weights that do not learn are not in it."""
    apart = ("identity", "best_weights")
    values = {
        "progress": {key: value for key, value in vars(state).items() if key not in apart},
        "best_weights": state.best_weights,
        "weights": _learned(module),
        "optimizer": optimizer.state_dict(),
        "random": random_state(next(module.parameters()).device),
    }
    save_state(path, state.identity, values)


def _load(
    path: Path, identity: dict[str, Any], module: nn.Module, optimizer: torch.optim.Optimizer
) -> FinetuneState | None:
    """Bring module, optimiser and random numbers to the checkpoint; None where there is none."""
    values = load_run(path, identity)
    if values is None:
        return None
    module.load_state_dict(values["weights"], strict=False)
    optimizer.load_state_dict(values["optimizer"])
    set_random_state(values["random"], next(module.parameters()).device)
    return FinetuneState(identity, best_weights=values["best_weights"], **values["progress"])


def _fixed(settings: HeadTraining) -> dict[str, Any]:
    """The settings that decide the weights."""
    values = settings.model_dump(mode="json", exclude={"device"})
    names = (*FineTuning.model_fields, "steps", "epochs")
    return {key: values[key] for key in names if key in values}
