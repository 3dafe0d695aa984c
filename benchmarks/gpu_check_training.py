"""Training for the GPU check: bases per second, peak memory and a falling loss.

The step is that of :class:`genezip.training.objectives.NextBase`, under the settings of the paper
but for a short warm-up: bf16 autocast, activation checkpointing, AdamW. The DNA is made in memory:
a Markov chain of third order with a fixed seed, so there is something to learn, and how much of
it there is is known (``source_nats``). Region classes lie in runs.
"""

import gc
import math
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gpu_check_report import NO_TIME, Report
from latency_case import out_of_memory, peak_from_here
from latency_models import ROOT, preset

from genezip.alphabet import A_ID
from genezip.config import Pretrain, RegionPreset, parse, read_yaml
from genezip.models.hnet.network import GeneZipNetwork, build
from genezip.models.layers.ssd import fused_scan
from genezip.region_classes import CLASSES
from genezip.training.memory import estimate
from genezip.training.objectives import NextBase
from genezip.training.optimizer import build_optimizer, pretraining_rate, set_rate

ORDER = 3
RUN_BP = 400  # bases in a row with the same region class
WARM_STEPS = 3  # not timed: kernels are compiled and memory is found there
EDGE_STEPS = 5  # the mean loss of as many first steps is compared with that of the last
REGIONS = ROOT / "genezip" / "config" / "regions" / "transcript_balanced.yaml"


@dataclass(frozen=True)
class Runs:
    """What is trained.

    Attributes
    ----------
    preset : of GeneZip
    device : ``cpu`` or ``cuda``
    steps : optimiser steps of every run
    cases : window (bp) and windows per step, all in one micro-batch
    pool : windows of the shortest length that exist; they are read again and again
    learning_rate : of the trunk, at its peak
    """

    preset: str
    device: str
    steps: int
    cases: tuple[tuple[int, int], ...]
    pool: int
    learning_rate: float


def markov_dna(windows: int, length: int, seed: int = 0) -> tuple[np.ndarray, float]:
    """Windows of a random Markov chain of order 3.

    Returns
    -------
    ids : uint8 array, shape (windows, length), A, C, G and T
    entropy : nats per base that remain to one who knows the chain
    """
    random = np.random.default_rng(seed)
    chances = random.dirichlet([0.3] * 4, size=4**ORDER)
    limits = chances.cumsum(1)[:, :3]
    bases = np.empty((length, windows), dtype=np.uint8)
    context = random.integers(4**ORDER, size=windows)
    surprise = 0.0
    for position in range(length):
        drawn = (random.random(windows)[:, None] > limits[context]).sum(1)
        surprise -= float(np.log(chances[context, drawn]).sum())
        bases[position] = drawn
        context = (4 * context + drawn) % 4**ORDER
    return np.ascontiguousarray(bases.T) + np.uint8(A_ID), surprise / (windows * length)


def region_runs(windows: int, length: int, seed: int = 0) -> np.ndarray:
    """uint8 array, shape (windows, length): region classes in runs of 400 bp."""
    random = np.random.default_rng(seed)
    classes = random.integers(len(CLASSES), size=(windows, math.ceil(length / RUN_BP)))
    return np.repeat(classes.astype(np.uint8), RUN_BP, axis=1)[:, :length]


def targets(path: Path = REGIONS) -> dict[str, float]:
    """bp per token of every class: the default budget of the paper."""
    return parse(RegionPreset, read_yaml(path), str(path)).target_bpt()


def run_training(
    report: Report, found: dict[str, Any], runs: Runs, objective: type[NextBase] = NextBase
) -> None:
    """Train from initial weights once per case; a case that memory cannot hold is a row, too."""
    shortest = min(window for window, _ in runs.cases)
    ids, found["source_nats"] = markov_dna(runs.pool, shortest)
    regions = region_runs(*ids.shape)
    rows: list[dict[str, Any]] = []
    found["rows"] = rows
    for window, windows in runs.cases:
        row: dict[str, Any] = {"window_bp": window, "micro_batch": windows, "steps": 0, "note": ""}
        rows.append(row)
        title = f"training at {window:,} bp, micro-batch {windows}"
        if not report.budget.left():
            row["note"] = NO_TIME
            report.leave_out(title, NO_TIME)
            continue
        gc.collect()  # what the last run left would count in the peak of this one
        try:
            parts = ids.reshape(-1, window), regions.reshape(-1, window)
            train(report, row, runs, *parts, objective)
        except Exception as error:
            if not out_of_memory(error):
                report.failed(title, error)
                continue
            row["note"] = "out of memory"
            report.leave_out(title, "out of memory")
        if row["steps"] < runs.steps and not row["note"]:
            row["note"] = NO_TIME
            report.leave_out(f"{title}, steps {row['steps'] + 1} to {runs.steps}", NO_TIME)
        if row["steps"] > WARM_STEPS and not row["note"].startswith("out"):
            tell(report, title, row, found["source_nats"])


def tell(report: Report, title: str, row: dict[str, Any], source_nats: float) -> None:
    """The figures of a run."""
    report.figure(f"{title}: speed", row["bases_per_second"], "bases/s")
    report.figure(f"{title}: peak memory", row["peak_mb"], "MB")
    report.figure(f"{title}: peak / estimate", row["peak_mb"] / row["estimated_mb"], "times")
    first, last = row["first_nats"], row["last_nats"]
    goal = f"below the {first:.3f} of the first steps (the source has {source_nats:.3f})"
    report.figure(f"{title}: loss of the last steps", last, "nats", goal, last < first)


def settings_of(runs: Runs, windows: int) -> Pretrain:
    """The paper's settings with a warm-up for few steps, one micro-batch per step."""
    return Pretrain(
        steps=runs.steps, batch=windows, micro_batch=windows, warmup_steps=EDGE_STEPS,
        learning_rate=runs.learning_rate, checkpoint_activations=True,
        precision="bf16" if runs.device == "cuda" else "fp32", device=runs.device,
    )  # fmt: skip


def train(
    report: Report,
    row: dict[str, Any],
    runs: Runs,
    ids: np.ndarray,
    regions: np.ndarray,
    objective: type[NextBase],
) -> None:
    """Take the steps that the budget allows; fills ``row`` also where memory runs out."""
    settings = settings_of(runs, row["micro_batch"])
    device = torch.device(runs.device)
    with device:
        network: GeneZipNetwork = build(preset(runs.preset))
    network.train().checkpoint_activations(settings.checkpoint_activations)
    none = np.zeros((0, 1), dtype=np.uint8)
    name = f"GeneZip-{runs.preset}"
    learner = objective(
        name, name, network, network, settings, targets(), row["window_bp"], none, none
    )
    need = estimate(network, settings, row["micro_batch"], row["window_bp"])
    row["estimated_mb"] = need.total() / 1e6
    optimizer = build_optimizer(network, settings)
    peak = peak_from_here(runs.device)
    seconds: list[float] = []
    losses: list[float] = []
    for step in range(settings.steps):
        # the latest steps alone: the first one compiles, and takes many times as long
        if report.budget.left() <= 2 * max(seconds[-3:], default=0.0):
            break
        began = report.budget.clock()
        some = np.arange(step * settings.batch, (step + 1) * settings.batch) % len(ids)
        set_rate(optimizer, settings.learning_rate * pretraining_rate(step, settings))
        loss, sums = learner.minimise({"ids": ids[some], "regions": regions[some]})
        torch.nn.utils.clip_grad_norm_(network.parameters(), settings.clip_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(report.budget.clock() - began)
        line = learner.figures(float(loss), sums.tolist())
        losses.append(line["lm_loss"])
        row |= {"steps": step + 1, "bpt": line["bpt"], "peak_mb": peak() / 1e6}
    if row["steps"] <= WARM_STEPS:
        return
    timed = seconds[WARM_STEPS:]
    edge = max(1, min(EDGE_STEPS, len(losses) // 2))
    row |= {
        "bases_per_second": settings.batch * row["window_bp"] * len(timed) / sum(timed),
        "step_ms": 1000 * statistics.median(timed),
        "first_nats": statistics.fmean(losses[:edge]),
        "last_nats": statistics.fmean(losses[-edge:]),
        "losses": [round(loss, 4) for loss in losses],
        "precision": settings.precision,
        "scan": "mamba-ssm" if device.type == "cuda" and fused_scan() else "plain PyTorch",
    }
