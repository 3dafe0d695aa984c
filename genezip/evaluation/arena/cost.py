"""What a system costs: parameters, operations of its training, and time and memory of one pass.

Time and memory are those of the process and the threads at hand, so they belong to a machine;
other work beside it makes them worse. Memory is what a pass over all bases takes on top of one over
a few. A pass gives the vectors of the tokens where a system has them, else the tokens alone.
"""

from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from genezip.artifacts.scores import ARENA, DNA_SCORES, Metric, Row
from genezip.config import Arena
from genezip.errors import GenezipError
from genezip.evaluation.scaling import PASSES
from genezip.genome.assembly import Assembly
from genezip.inference.forward import cut, longest_window, routed
from genezip.models import CONFIG, KIND
from genezip.models.base import Compressor
from genezip.peak import peak_bytes

SPLIT = "test"
_WARM_BP = 1_024
_READ_WINDOWS = 32  # in which the tokens of a training window are counted


def cost_rows(
    compressor: Compressor,
    folder: Path,
    assembly: Assembly,
    settings: Arena,
    scale: str,
    kind: str,
    trained_on: str | None = None,
) -> list[Row]:
    """Score rows of one system, opened from a model folder; ``kind`` is that of the source.

    ``trained_on`` names the DNA of its training, and becomes the note of a row without a value.
    """
    ids = _longest(assembly, settings.speed_bp)
    one_pass(compressor, ids[:_WARM_BP])
    before, seconds = peak_bytes(), []
    for _ in range(settings.speed_repeats):
        begun = perf_counter()
        one_pass(compressor, ids)
        seconds.append(perf_counter() - begun)
    metrics: dict[str, float] = {
        Metric.BASES_PER_SECOND: len(ids) / median(seconds),
        Metric.PEAK_BYTES: float(max(peak_bytes() - before, 0)),
        **training(compressor, folder, ids),
    }
    cells = {
        "model": compressor.name, "task": ARENA, "subset": "all", "region": "all", "split": SPLIT,
        "strand": "+", "unit": "bases", "seed": getattr(compressor, "seed", None), "scale": scale,
        "source": kind,
    }  # fmt: skip
    rows = [
        DNA_SCORES.row(metric=metric, value=value, n=len(ids), **cells)
        for metric, value in metrics.items()
    ]
    if trained_on is not None:
        rows.append(DNA_SCORES.row(metric=Metric.TRAINED_ON, note=trained_on, **cells))
    return rows


def one_pass(compressor: Compressor, ids: np.ndarray) -> None:
    """Read one sequence, in windows where the system reads no longer ones."""
    if compressor.token_width is None:
        cut(compressor, [ids])
        return
    size = longest_window(compressor, compressor.max_bp or len(ids))
    for first in range(0, len(ids), size):
        compressor.embed([ids[first : first + size]], "token")


def _longest(assembly: Assembly, bp: int) -> np.ndarray:
    """The first ``bp`` bases of the longest held-out segment; a shorter one is refused."""
    segment = max(assembly.segments_of(SPLIT), key=lambda one: one.length, default=None)
    if segment is None or segment.length < bp:
        raise GenezipError(
            f"no held-out segment has {bp:,} bases, which arena.speed_bp asks for; lower it"
        )
    return assembly.ids(segment, segment.start, segment.start + bp)


def training(compressor: Compressor, folder: Path, ids: np.ndarray) -> dict[str, float]:
    """Parameters, and bases and operations of the training, of a network; nothing of other systems.

    Operations are those of ``compressor.flops`` at the tokens of held-out windows as long as those
    of training; a step costs three forward passes (:mod:`genezip.evaluation.scaling`).
    """
    found = {}
    if (parameters := compressor.metadata.get("parameters")) is not None:
        found[Metric.PARAMETERS] = float(parameters)
    facts = KIND.read(folder / CONFIG).get("training", {})
    settings, window_bp = facts.get("settings"), facts.get("windows", {}).get("window_bp")
    if not settings or not window_bp:
        return found
    bases = float(settings["steps"] * settings["batch"] * window_bp)
    windows = [ids[at : at + window_bp] for at in range(0, len(ids) - window_bp + 1, window_bp)]
    windows = windows[:: max(1, len(windows) // _READ_WINDOWS)]
    tokens = np.array(
        [one.stage_tokens for one in cut(compressor, windows, routed)], dtype=np.int64
    )
    lengths = np.full(len(windows), window_bp, dtype=np.int64)
    per_base = float(compressor.flops(lengths, tokens).sum() / lengths.sum())
    return found | {
        Metric.TRAINING_BASES: bases,
        Metric.OPERATIONS: per_base,
        Metric.TRAINING_OPERATIONS: PASSES * bases * per_base,
    }
