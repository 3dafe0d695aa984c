"""The GPU check trains: DNA of known entropy, time that ends, memory that runs out."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import peers
import pytest
import torch
from gpu_check import DRY_RUNS
from gpu_check_report import SHARES, Report
from gpu_check_training import markov_dna, run_training, tell
from toolkit.gpu_report import NO_ROOM, left_out, no_time_left, raising, report_of
from torch import Tensor

from genezip.training.objectives import NextBase

Batch = dict[str, np.ndarray]


def test_the_chain_is_the_same_every_time_and_its_entropy_true() -> None:
    ids, nats = markov_dna(40, 600)
    again, _ = markov_dna(40, 600)
    assert np.array_equal(ids, again)
    digits = ids.astype(int) - 3
    counts = np.zeros((64, 4))
    contexts = digits[:, :-3] * 16 + digits[:, 1:-2] * 4 + digits[:, 2:-1]
    np.add.at(counts, (contexts.ravel(), digits[:, 3:].ravel()), 1)
    chances = counts / counts.sum(1, keepdims=True).clip(1)
    seen = counts > 0
    assert nats == pytest.approx(-(counts[seen] * np.log(chances[seen])).sum() / counts.sum(), 0.02)


class NoRoom(NextBase):
    """The network fails for lack of memory, so the package's own sentence is raised."""

    def minimise(self, batch: Batch) -> tuple[Tensor, Tensor]:
        self.module.register_forward_pre_hook(raising(torch.OutOfMemoryError(NO_ROOM)))
        return super().minimise(batch)


class Defective(NextBase):
    def minimise(self, batch: Batch) -> tuple[Tensor, Tensor]:
        raise RuntimeError("shapes")


def counted(each_step: Callable[[int], None]) -> type[NextBase]:
    """The objective, told before each step how many steps there have been in all runs."""
    steps = itertools.count()

    class Counted(NextBase):
        def minimise(self, batch: Batch) -> tuple[Tensor, Tensor]:
            each_step(next(steps))
            return super().minimise(batch)

    return Counted


@pytest.mark.slow
def test_memory_that_runs_out_in_training_is_a_row(report: Report) -> None:
    found: dict[str, Any] = {}
    run_training(report, found, DRY_RUNS, NoRoom)
    assert [row["note"] for row in found["rows"]] == ["out of memory"] * 2
    assert report.outcome.exit_status() == peers.MISSING
    run_training(report, found, replace(DRY_RUNS, cases=DRY_RUNS.cases[:1]), Defective)
    assert report.outcome.exit_status() == peers.MISSED


def test_training_stops_where_the_time_ends(report: Report) -> None:
    objective = counted(lambda step: no_time_left(report) if step == 4 else None)
    found: dict[str, Any] = {}
    run_training(report, found, DRY_RUNS, objective)
    assert [row["steps"] for row in found["rows"]] == [5, 0]
    assert found["rows"][0]["bases_per_second"] > 0
    assert list(left_out(report)) == [
        "training at 400 bp, micro-batch 2, steps 6 to 12",
        "training at 2,000 bp, micro-batch 1",
    ]


@pytest.mark.slow
def test_a_slow_first_step_does_not_end_a_run_early(tmp_path: Path) -> None:
    """It compiles, and takes ten times as long as the others."""
    report = report_of(tmp_path, "training", minutes=36 / 60 / sum(SHARES.values()))
    clock: Any = report.budget.clock

    def pass_time(step: int) -> None:
        clock.now += 1.0 if step else 10.0

    runs = replace(DRY_RUNS, cases=DRY_RUNS.cases[:1])
    found: dict[str, Any] = {}
    run_training(report, found, runs, counted(pass_time))
    assert found["rows"][0]["steps"] == runs.steps
    assert not report.left_out


def test_a_loss_that_does_not_fall_misses_its_goal(report: Report) -> None:
    row = {"bases_per_second": 1.0, "peak_mb": 1.0, "estimated_mb": 2.0, "first_nats": 1.0}
    tell(report, "training", {**row, "last_nats": 0.9}, 0.5)
    assert report.outcome.exit_status() == peers.MET
    for last in (1.0, float("nan")):
        tell(report, "training", {**row, "last_nats": last}, 0.5)
    assert report.counts()["missed"] == 2
