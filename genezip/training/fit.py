"""The training loop of pretraining, heads and fine-tuning, resumable at any step.

:func:`fit` draws batches, calls the objective for gradients, takes the optimiser step, and decides
when to validate, to write a checkpoint and to end, in one process or several.
"""

import logging
import math
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from genezip import log
from genezip.artifacts.journal import stop_request
from genezip.config.tasks import FineTuning
from genezip.errors import GenezipError
from genezip.training.checkpoint import Batches, Checkpoint, TrainingState
from genezip.training.curve import Curve
from genezip.training.objectives import Objective, TaskObjective, Validation
from genezip.training.optimizer import FINE_TUNING_BETAS, build_adamw, set_rate, task_rate
from genezip.training.ranks import ALONE, Ranks

logger = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 600.0  # longest time between two checkpoints of any training


@dataclass(frozen=True)
class Schedule:
    """Length of a training, and the steps of validations and checkpoints.

    Attributes
    ----------
    steps : optimiser steps
    seed : seed of the random numbers in training (the caller draws initial weights and batches)
    rate : step (0-based) -> learning rate, times the ``multiplier`` of a parameter group
    clip_norm : limit of the norm of all gradients
    validate_every : steps between validations, one more after the last step; None for none
    patience : number of validations in a row without a better score that end training; None for
        no limit
    halve_after : number of validations in a row without a better score after which the rate is
        halved, and again after as many more; None for never
    undefined_counts : whether a validation without a defined score counts against the patience
    select : final weights of the module: those of the highest validation score, or the last
    checkpoint_every : steps between checkpoints, in addition to those by time; None for none
    around_validations : whether a checkpoint is also written before and after every validation
    """

    steps: int
    seed: int
    rate: Callable[[int], float]
    clip_norm: float
    validate_every: int | None
    patience: int | None = None
    halve_after: int | None = None
    undefined_counts: bool = False
    select: Literal["best", "last"] = "last"
    checkpoint_every: int | None = None
    around_validations: bool = False

    def validation_due(self, state: TrainingState) -> bool:
        """Whether a validation of the present step is due and not yet done.

        A run that was stopped before a validation starts with it when it resumes.
        """
        if self.validate_every is None or state.validated == state.step:
            return False
        return state.step == self.steps or state.step % self.validate_every == 0

    def checkpoint_due(self, step: int) -> bool:
        """Whether the schedule sets a checkpoint after this step."""
        every = self.checkpoint_every
        return step == self.steps or (every is not None and step % every == 0)

    def out_of_patience(self, state: TrainingState) -> bool:
        """Whether ``patience`` validations in a row brought no better score."""
        return self.patience is not None and state.waiting >= self.patience

    def finished(self, state: TrainingState) -> bool:
        """Whether the training is complete."""
        return state.step == self.steps or self.out_of_patience(state)


def fit(
    objective: Objective,
    batches: Batches,
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    checkpoint: Checkpoint,
    ranks: Ranks = ALONE,
    open_curve: Callable[[int, int], AbstractContextManager[Curve]] | None = None,
) -> TrainingState:
    """Train ``objective.module`` in place from its checkpoint, and leave it in eval mode.

    Every process of ``ranks`` calls this, each with its rows of the same batches. Rank 0 writes,
    and validates alone unless the objective shares that; all stop, write and end at the same step.
    ``open_curve`` takes the steps done and the step of the last validation, and returns the open
    learning curve, a context. The result is the last state, with the history of validations.

    A loss or gradient that is not finite, and a GPU without memory left, are refused; the last
    checkpoint is kept. Ctrl-C raises KeyboardInterrupt after the current step or validation, with a
    checkpoint written; a validation that is due then is left to the resumed run.
    """
    best_in_state = checkpoint.best_file is None
    assert schedule.select == "last" or (best_in_state and ranks.world == 1), (
        "the best weights are selected from the state, by a single process"
    )
    keeps_best = schedule.select == "best" or not best_in_state
    module, name = objective.module, objective.name
    with ranks.together():
        state = checkpoint.load(module, optimizer, batches)
    if state is None:
        torch.manual_seed(schedule.seed)
        np.random.seed(schedule.seed % 2**32)  # the range of numpy's seeds
        state = TrainingState()
    else:
        logger.info(f"{name}: resuming at step {state.step} of {schedule.steps}")
    began = time.monotonic() - state.seconds
    saved = time.monotonic()

    def save() -> None:
        nonlocal saved
        state.seconds = time.monotonic() - began
        with ranks.together():
            if ranks.main:
                if curve is not None:
                    curve.flush()
                checkpoint.save(state, module, optimizer, batches)
        saved = time.monotonic()

    shown = log.Progress(objective.label, schedule.steps, "step", state.step, show=ranks.main)
    lines = open_curve(state.step, state.validated) if open_curve and ranks.main else nullcontext()
    asked = write = False
    module.train()
    optimizer.zero_grad(set_to_none=True)
    with shown, stop_request(again_at_once=ranks.world == 1) as stop, lines as curve:
        while True:
            due = schedule.validation_due(state)
            if write or (due and schedule.around_validations):  # a validation may take long
                save()
            if schedule.finished(state) and not due:
                break
            if asked:
                logger.info(f"{name}: stopped at step {state.step}; run the same command to resume")
                ranks.interrupt()
            if due:
                found = _validate(objective, ranks)
                if curve is not None:
                    curve.valid(state.step, found.metrics)
                where = f"{objective.label}: step {state.step}/{schedule.steps}"
                logger.info(f"{where}, validation {found.message}")
                better = _note(state, found, schedule)
                with ranks.together():
                    if better and keeps_best and ranks.main:
                        checkpoint.keep_best(state, module)
                asked = ranks.of_main(asked or bool(stop))
                write = write or asked or schedule.around_validations or schedule.finished(state)
                continue
            with ranks.together():  # a shard may be damaged for one process alone
                batch = batches.next_batch()
            rate = schedule.rate(state.step) / 2**state.halved
            set_rate(optimizer, rate)
            gradients = objective.minimise(batch)
            clipped = nn.utils.clip_grad_norm_(module.parameters(), schedule.clip_norm)
            late = ranks.main and time.monotonic() - saved >= CHECKPOINT_SECONDS
            loss, sums, norm, asked, late = read_step(ranks, *gradients, clipped, bool(stop), late)
            if not math.isfinite(loss + norm):
                # a checkpoint is not resumed with other settings
                kept = checkpoint.exists()
                again = f"delete {checkpoint.folder} to train anew" if kept else "train again"
                ranks.refuse(
                    f"training of {name} is no longer finite (loss {loss:.4g}, gradient "
                    f"{norm:.4g}) at step {state.step}; lower {objective.remedy} and {again}"
                )
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            state.step += 1
            figures = objective.figures(loss, sums)
            if curve is not None:
                seconds = round(time.monotonic() - began, 2)
                line = {**figures, "lr": rate, "grad_norm": norm, "seconds": seconds}
                curve.step(state.step, line)
            shown.show(**objective.shown(figures))
            shown.advance()
            write = asked or late or schedule.checkpoint_due(state.step)
    state.seconds = time.monotonic() - began
    if schedule.select == "best":
        _take_best(objective, state, schedule)
    module.eval()
    return state


def read_step(
    ranks: Ranks, loss: Tensor, sums: Tensor, norm: Tensor, asked: bool, late: bool
) -> tuple[float, list[float], float, bool, bool]:
    """All numbers of a step, summed over the processes in one transfer from the device.

    ``norm`` is that of the averaged gradients, equal in every process. ``asked`` and ``late`` are
    true if they are true in any process.
    """
    flags = loss.new_tensor([float(asked), float(late)])
    values = torch.cat([loss.view(1), norm.double().view(1), flags, sums])
    total, norms, stopping, written, *rest = ranks.add_up(values).tolist()
    return total, rest, norms / ranks.world, stopping > 0, written > 0


def _validate(objective: Objective, ranks: Ranks) -> Validation:
    """Validate on all ranks or on rank 0, as the objective does; every rank has the result of 0."""
    found = None
    objective.module.eval()
    with torch.no_grad():
        if objective.shares_validation:
            found = objective.validate()
        else:
            with ranks.together():
                found = objective.validate() if ranks.main else None
    objective.module.train()
    found = ranks.of_main(found)
    assert found is not None
    return found


def _note(state: TrainingState, found: Validation, schedule: Schedule) -> bool:
    """Record a validation in the state; True if it is the best so far."""
    state.validated = state.step
    state.history.append({"step": state.step, **found.metrics})
    better = found.score > state.best  # False for NaN
    if better:
        state.best, state.best_step, state.waiting = found.score, state.step, 0
    elif schedule.undefined_counts or not math.isnan(found.score):
        state.waiting += 1
        if schedule.halve_after is not None and state.waiting % schedule.halve_after == 0:
            state.halved += 1
    return better


def _take_best(objective: Objective, state: TrainingState, schedule: Schedule) -> None:
    """Load the best weights into the module, and log their score and step."""
    if state.best_weights is not None:
        objective.module.load_state_dict(state.best_weights, strict=False)
        why = "patience ran out" if schedule.out_of_patience(state) else "all steps done"
        logger.info(
            f"{objective.name}: {why}; best validation {objective.metric} {state.best:.4f} at step "
            f"{state.best_step}"
        )
    elif schedule.validate_every is not None:
        logger.warning(
            f"{objective.name}: validation {objective.metric} was never defined, so the weights of "
            f"the last step, {state.step}, are used"
        )


class StepBatches:
    """Batches that are a function of the step (0-based), which is their whole state."""

    def __init__(self, draw: Callable[[int], Any]) -> None:
        self.draw, self.step = draw, 0

    def next_batch(self) -> Any:
        """The batch of the next step."""
        batch = self.draw(self.step)
        self.step += 1
        return batch

    def state_dict(self) -> dict[str, Any]:
        """The next step."""
        return {"step": self.step}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from the step of a state."""
        self.step = state["step"]


def rows_of_step(count: int, batch: int, step: int, seed: int) -> np.ndarray:
    """Rows of a step, int64 (batch,) in 0 .. count - 1; every pass has a new random order.

    They depend only on the arguments, so a resumed run needs no state. A batch may span the end
    of one pass and the start of the next.
    """
    drawn = np.arange(step * batch, (step + 1) * batch)
    rows = np.empty(batch, dtype=np.int64)
    for epoch in np.unique(drawn // count):
        order = np.random.default_rng([seed, int(epoch)]).permutation(count)
        here = drawn // count == epoch
        rows[here] = order[drawn[here] % count]
    return rows


def fit_task(
    objective: TaskObjective,
    draw: Callable[[int], Iterable[Any]],
    steps: int,
    seed: int,
    identity: dict[str, Any],
    work_folder: Path,
    select: Literal["best", "last"] = "best",
    betas: tuple[float, float] = (0.9, 0.999),
    undefined_counts: bool = True,
) -> TrainingState:
    """Train the module of an objective in place, or resume an interrupted run.

    The checkpoint stays in ``work_folder`` when training ends, so that a later failure costs no
    training; :func:`genezip.training.checkpoint.discard` removes it.

    Parameters
    ----------
    objective : its module has its initial weights and device; the losses of a step's
        micro-batches are summed, so each is its share of the loss of the whole step
    draw : step (0-based) -> the micro-batches of the step; must depend only on the step
    seed : seed of dropout (the caller draws initial weights and batches)
    identity : further plain values that must be equal in a resumed run
    select, undefined_counts : as in :class:`Schedule`; with ``last`` there is no patience
    """
    settings = objective.settings
    schedule = Schedule(
        steps=steps,
        seed=seed,
        rate=lambda step: settings.learning_rate * task_rate(step, steps, settings.warmup),
        clip_norm=settings.clip_norm,
        validate_every=None if objective.score is None else settings.evaluate_every,
        patience=settings.patience if select == "best" else None,
        halve_after=settings.halve_after if isinstance(settings, FineTuning) else None,
        undefined_counts=undefined_counts,
        select=select,
        around_validations=True,
    )
    # without keys that are off, so that a run can be resumed by a version with more of them
    values = settings.model_dump(mode="json", exclude={"device"}, exclude_none=True)
    decisive = [key for key in (*FineTuning.model_fields, "steps", "epochs") if key in values]
    run = {"steps": steps, "seed": seed, "select": select}
    identity = {**run, "settings": {key: values[key] for key in decisive}, **identity}
    checkpoint = Checkpoint(work_folder, objective.name, identity)
    optimizer = build_adamw(objective.module, settings, betas)
    return fit(objective, StepBatches(draw), optimizer, schedule, checkpoint)


def fine_tune(
    objective: TaskObjective,
    examples: int,
    draws: int,
    seed: int,
    identity: dict[str, Any],
    work_folder: Path,
    micro_batch: int = 1,
) -> TrainingState:
    """Train a network on the examples of a task in place; it ends with its best weights.

    Every pass has a new seeded order. A validation without a defined score (a split of one class)
    does not count against the patience; if no score is ever defined, the last weights are used.

    Parameters
    ----------
    objective : its loss is the mean over examples that are given by their numbers, int64 array
        (m,) in 0 .. examples - 1
    examples : number of training examples, at least 1
    draws : total number of examples drawn: examples x passes, or steps x batch
    identity, work_folder : those of :func:`fit_task`
    micro_batch : examples per call of the loss
    """
    if examples < 1:
        raise GenezipError(f"{objective.name} has no training example; prepare the task again")
    batch, mean = objective.settings.batch, objective.loss
    named = objective.describe or example_numbers

    def draw(step: int) -> list[tuple[np.ndarray, float]]:
        rows = rows_of_step(examples, batch, step, seed)
        rows = rows[: draws - step * batch]  # of the last step
        parts = [rows[start : start + micro_batch] for start in range(0, len(rows), micro_batch)]
        return [(part, len(part) / len(rows)) for part in parts]

    weighted = replace(
        objective,
        loss=lambda part: mean(part[0]) * part[1],
        describe=lambda part: f"{objective.name}: training on {named(part[0])}",
    )
    steps = max(1, math.ceil(draws / batch))
    return fit_task(
        weighted,
        draw,
        steps,
        seed,
        identity,
        work_folder,
        betas=FINE_TUNING_BETAS,
        undefined_counts=False,
    )


def example_numbers(numbers: np.ndarray) -> str:
    """Text such as ``training example 3, 7``."""
    return f"training example {', '.join(str(number) for number in numbers)}"
