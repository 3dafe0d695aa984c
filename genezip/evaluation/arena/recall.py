"""Exact recall: what a system makes of 256 bases that it has read before.

A language model that keeps the past predicts a copy; a compressor keeps vectors of tokens, and at
137 bp per token the copy may be lost. A trial is held-out DNA whose last bases are a copy of
earlier ones, ``distance`` bases from start to start. Its control has the same last bases, but other
ones at the earlier place. The copied bases are from elsewhere, so that they occur nowhere else in
either. Both are read to the same last base, with the same bases right before the copy, so the bits
that the copy saves are those of memory. The bar is the context-mixing model, which looks repeats
up.

Of a system without exact likelihoods only the boundaries are compared: those inside the copy with
those inside its original, in positions relative to either.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from genezip.alphabet import is_base
from genezip.artifacts.scores import ARENA, MIXING, Metric, Row
from genezip.config import Arena
from genezip.errors import GenezipError
from genezip.evaluation.compression import Found, expand
from genezip.evaluation.mixing import MixingModel
from genezip.genome.assembly import Assembly
from genezip.inference.forward import tokens_of
from genezip.log import progress
from genezip.metrics.bootstrap import BlockBootstrap, ratio
from genezip.models.base import Compressor, on_request

SPLIT = "test"
LEAD_BP = 1_024
"""Bases before the original."""
_STEP_BP = 4_096  # between places that a trial may have


@dataclass(frozen=True)
class Trial:
    """A sequence that ends with a copy, and its control; uint8 token ids, both (L,).

    The copy is the last ``copy_bp`` bases, its original begins at ``first`` in ``copied`` alone.
    """

    copied: np.ndarray
    control: np.ndarray
    first: int


def subset_of(distance: int) -> str:
    """Subset of the rows of one distance (bp)."""
    return f"copy_at_{distance}"


def trials(assembly: Assembly, distance: int, settings: Arena) -> Iterator[Trial]:
    """Trials at one distance (from start to start), in evenly spaced held-out DNA without N.

    The copied bases are from another place that no base of the trial shares; without one, or where
    all held-out segments are shorter, there is no trial.
    """
    size = settings.copy_bp
    length = LEAD_BP + distance + size
    places = []
    for segment in assembly.segments_of(SPLIT):
        unknown = np.append(
            0, np.cumsum(~is_base(assembly.ids(segment, segment.start, segment.end)))
        )
        starts = np.arange(0, segment.length - length + 1, _STEP_BP)
        whole = unknown[starts + length] == unknown[starts]
        places += [(segment, segment.start + int(start)) for start in starts[whole]]
    chosen = np.linspace(0, len(places) - 1, min(settings.recall_copies, len(places)))
    for number in np.unique(chosen.astype(int)).tolist():
        segment, start = places[number]
        others = (places[(number + step) % len(places)] for step in range(1, len(places)))
        apart = (
            (other, at)
            for other, at in others
            if other.name != segment.name or not start - size < at < start + length
        )
        found = next(apart, None)
        if found is None:
            continue
        control = assembly.ids(segment, start, start + length).copy()
        control[-size:] = assembly.ids(found[0], found[1], found[1] + size)
        copied = control.copy()
        copied[LEAD_BP : LEAD_BP + size] = control[-size:]
        yield Trial(copied, control, LEAD_BP)


def shared_cuts(starts: np.ndarray, first: int, second: int, size: int) -> tuple[int, int]:
    """Boundaries that original and copy share, and those of either; relative positions, not 0."""
    one, other = (
        starts[(starts > begin) & (starts < begin + size)] - begin for begin in (first, second)
    )
    both = len(np.intersect1d(one, other))
    return both, len(one) + len(other) - both


def recall_rows(
    compressor: Compressor, assembly: Assembly, settings: Arena, scale: str, source: str
) -> list[Row]:
    """Score rows of a system: bits saved on a copy at each distance, and boundaries found again."""
    exact = compressor.likelihood is not None and not on_request(compressor)
    seed = getattr(compressor, "seed", None)

    def measured(trial: Trial) -> dict[str, float]:
        second = len(trial.copied) - settings.copy_bp
        read = [trial.copied, trial.control] if exact else [trial.copied]
        found = [one for ids in read for one in tokens_of(compressor, [ids])]
        cells, starts = dict[str, float](), found[0].token_starts
        if len(starts) < len(trial.copied):  # where every base is a token, no cut is a choice
            both, either = shared_cuts(starts, trial.first, second, settings.copy_bp)
            cells = {"both": float(both), "either": float(either)}
        told = [one.log_prob for one in found if one.likelihood == "exact"]
        if exact and len(told) == len(found):
            for name, nats in zip(("copied", "control"), told, strict=True):
                assert nats is not None
                cells[name] = float(-np.nansum(nats[second:].astype(np.float64)) / np.log(2))
        return cells

    cells = _each(assembly, settings, measured)
    return [
        row
        for distance, found in cells.items()
        for row in _rows(found, distance, settings, compressor.name, seed, scale, source)
    ]


def mixing_rows(
    model: MixingModel, assembly: Assembly, settings: Arena, scale: str, source: str
) -> list[Row]:
    """Score rows of the context-mixing model on the same trials."""

    def measured(trial: Trial) -> dict[str, float]:
        copied, control = (
            float(model.score(ids)[-settings.copy_bp :].sum() / np.log(2))
            for ids in (trial.copied, trial.control)
        )
        return {"copied": copied, "control": control}

    cells = _each(assembly, settings, measured)
    return [
        row
        for distance, found in cells.items()
        for row in _rows(found, distance, settings, MIXING, None, scale, source)
    ]


def _each(
    assembly: Assembly, settings: Arena, measured: Callable[[Trial], dict[str, float]]
) -> dict[int, list[dict[str, float]]]:
    """What is measured in the trials at each distance; DNA without any trial is refused."""
    found = {}
    for distance in settings.recall_bp:
        every = list(trials(assembly, distance, settings))
        found[distance] = [measured(one) for one in progress(every, f"copies {distance} bp")]
    if not any(found.values()):
        raise GenezipError(
            f"no held-out segment has {min(settings.recall_bp) + LEAD_BP + settings.copy_bp:,} "
            "bases without N; give shorter arena.recall_bp"
        )
    return found


def _rows(
    cells: Sequence[dict[str, float]],
    distance: int,
    settings: Arena,
    model: str,
    seed: int | None,
    scale: str,
    source: str,
) -> list[Row]:
    """Rows of the trials at one distance, of which each is a unit of the bootstrap."""
    found: Found = {}
    told = [one for one in cells if "copied" in one]
    if told:
        columns = {name: np.array([one[name] for one in told]) for name in ("copied", "control")}
        bootstrap = BlockBootstrap(np.arange(len(told)), settings.bootstrap, settings.seed)
        sums, n = bootstrap.sums(columns), np.array(len(told))
        bases = settings.copy_bp * bootstrap.sums({"one": np.ones(len(told))})["one"]
        saved = ratio(sums["control"] - sums["copied"], bases)[:, None]
        share = ratio(sums["control"] - sums["copied"], sums["control"])[:, None]
        found[Metric.COPY_BITS] = (("all",), bootstrap.summarise(saved), n)
        found[Metric.COPY_RECALL] = (("all",), bootstrap.summarise(share), n)
    cuts = [one for one in cells if one.get("either")]
    if cuts:
        columns = {name: np.array([one[name] for one in cuts]) for name in ("both", "either")}
        bootstrap = BlockBootstrap(np.arange(len(cuts)), settings.bootstrap, settings.seed)
        sums = bootstrap.sums(columns)
        values = ratio(sums["both"], sums["either"])[:, None]
        estimate = bootstrap.summarise(values, None, "share")
        found[Metric.COPY_CUTS] = (("all",), estimate, np.array(len(cuts)))
    return expand(
        found, model=model, task=ARENA, subset=subset_of(distance), split=SPLIT, strand="+",
        unit="copies", seed=seed, scale=scale, source=source,
    )  # fmt: skip
