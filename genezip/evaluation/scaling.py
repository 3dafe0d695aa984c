"""Perplexity against the operations of training, over networks of several sizes and budgets.

Operations are those of matrix products, a multiply-add as two, in closed form and at the realised
tokens (:mod:`genezip.models.hnet.flops`); a training step costs three forward passes, one of them
forward and two backward. Networks of one family differ in size and budget only. Its exponent k in
perplexity ~ operations ** -k is fitted to the runs that are best for their operations
(:func:`frontier`), because the others were trained for too long or too short for their size.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from genezip.artifacts.published import published_table
from genezip.artifacts.scores import DNA_SCORES, PAPER, SEEN, UNSEEN, Metric, Row, cell
from genezip.artifacts.tables import read_tsv
from genezip.errors import GenezipError
from genezip.inference.table import CompressedFile

if TYPE_CHECKING:
    from genezip.models.hnet.architecture import Architecture
    from genezip.models.pretrained import ModelCard

SCALING = "scaling"
PASSES = 3
"""Forward passes that a training step is worth: one forward, two backward."""
REGIONS = ("all", "coding", "noncoding")
FEWEST = 3
"""Runs on the frontier that a fit needs."""
PUBLISHED = "perplexity scaling exponent "


@dataclass(frozen=True)
class ScalingRun:
    """One trained network.

    Attributes
    ----------
    family : router and targets, equal for networks that differ in size and budget only
    bases : bases read in training
    operations : floating-point operations per base of a forward pass over held-out windows
    windows : number of these windows
    """

    name: str
    seed: int
    family: str
    parameters: int
    bases: int
    operations: float
    windows: int

    @property
    def training(self) -> float:
        """Floating-point operations of the training."""
        return PASSES * self.operations * self.bases


def family(shape: "Architecture") -> str:
    """Router and positions per token of a network, such as ``learned 3, 2`` or ``flat``."""
    if not shape.n_stages:
        return "flat"
    given = shape.stage_bpt if shape.learns_routing else shape.stride
    parts = ", ".join(f"{one:g}" for one in given if one is not None)
    return f"{shape.router[0]} {parts}".strip()


def scaling_run(card: "ModelCard", compressed: CompressedFile) -> ScalingRun:
    """The run of a model folder, with the operations per base of its held-out windows."""
    from genezip.models.hnet.flops import flops

    training = card.training
    try:
        settings, windows = training["settings"], training["windows"]
        bases = settings["steps"] * settings["batch"] * windows["window_bp"]
    except KeyError as error:
        raise GenezipError(
            f"the model folder of {card.name} does not tell its {error.args[0]}, so the "
            "operations of its training are unknown; train it again"
        ) from None
    read = list(compressed.windows("+"))
    lengths = np.array([one.length for one in read], dtype=np.int64)
    tokens = np.array([one.stage_tokens for one in read], dtype=np.int64)
    tokens = tokens.reshape(len(read), card.architecture.n_stages)
    total = float(flops(card.architecture, lengths, tokens).sum())
    return ScalingRun(
        name=card.name,
        seed=card.seed,
        family=family(card.architecture),
        parameters=int(compressed.info["parameters"]),
        bases=int(bases),
        operations=total / float(lengths.sum()),
        windows=len(read),
    )


def frontier(operations: Sequence[float], perplexity: Sequence[float]) -> np.ndarray:
    """Bool (n,): runs of which no other has a lower perplexity for as many operations or fewer."""
    best = np.inf
    kept = np.zeros(len(operations), dtype=bool)
    for number in np.lexsort((perplexity, operations)):
        if perplexity[number] < best:
            best, kept[number] = perplexity[number], True
    return kept


def exponent(operations: Sequence[float], perplexity: Sequence[float]) -> tuple[float, float]:
    """The exponent k of perplexity ~ operations ** -k, and half its 95 % interval.

    It is the slope of a line through the logarithms, with the t distribution of n - 2 degrees of
    freedom; both are NaN with fewer than three runs.
    """
    if len(operations) < FEWEST:
        return math.nan, math.nan
    fit = stats.linregress(np.log(operations), np.log(perplexity))
    margin = stats.t.ppf(0.975, len(operations) - 2) * fit.stderr
    return -float(fit.slope), float(margin)


def scaling_rows(
    runs: Sequence[ScalingRun], scores: pd.DataFrame, scale: str, source: str
) -> list[Row]:
    """Score rows: size, operations and perplexity of every run, and the exponent of every family.

    ``scores`` are those of ``genezip evaluate compression``. Perplexities are of the organisms
    trained on and of the others where the source has several, else of all windows.
    """
    rows = [row for run in runs for row in _facts(run, scale, source)]
    ppl = scores[(scores["metric"] == Metric.PPL) & (scores["strand"] == "+")]
    groups = [one for one in (SEEN, UNSEEN) if (ppl["subset"] == one).any()] or ["all"]
    for subset in groups:
        for region in REGIONS:
            here = ppl[(ppl["subset"] == subset) & (ppl["region"] == region)]
            known = here.dropna(subset=["seed", "value"])
            of_run = {
                (str(row["model"]), int(row["seed"])): row for row in known.to_dict("records")
            }
            rows += _group(runs, of_run, {"subset": subset, "region": region}, scale, source)
    return [*rows, *published_rows(scale)]


def _facts(run: ScalingRun, scale: str, source: str) -> Iterable[Row]:
    values = {
        Metric.PARAMETERS: run.parameters,
        Metric.TRAINING_BASES: run.bases,
        Metric.OPERATIONS: run.operations,
        Metric.TRAINING_OPERATIONS: run.training,
    }
    for metric, value in values.items():
        yield DNA_SCORES.row(
            model=run.name,
            task=SCALING,
            subset="all",
            region="all",
            split="test",
            strand="+",
            metric=metric,
            value=float(value),
            n=run.windows,
            unit="windows",
            note=run.family,
            seed=run.seed,
            scale=scale,
            source=source,
        )


def _group(
    runs: Sequence[ScalingRun],
    of_run: Mapping[tuple[str, int], Mapping[Any, Any]],
    where: dict[str, str],
    scale: str,
    source: str,
) -> Iterable[Row]:
    """Perplexity of the runs on one part of the DNA, and the exponents of their families."""
    common = {"task": SCALING, "split": "test", "strand": "+", "scale": scale, "source": source}
    common |= where
    known = [run for run in runs if (run.name, run.seed) in of_run]
    for name in dict.fromkeys(run.family for run in known):
        own = [run for run in known if run.family == name]
        found = [of_run[run.name, run.seed] for run in own]
        values = [float(one["value"]) for one in found]
        best = frontier([run.training for run in own], values)
        for run, one, on_it in zip(own, found, best, strict=True):
            yield DNA_SCORES.row(
                model=run.name,
                metric=Metric.PPL,
                value=float(one["value"]),
                ci_low=cell(one["ci_low"]),
                ci_high=cell(one["ci_high"]),
                n=int(one["n"]),
                unit=one["unit"],
                blocks=None if pd.isna(one["blocks"]) else int(one["blocks"]),
                note=f"{name}; {'best' if on_it else 'not best'} for its operations",
                seed=run.seed,
                **common,
            )
        chosen = np.flatnonzero(best)
        value, margin = exponent([own[i].training for i in chosen], [values[i] for i in chosen])
        few = len(chosen) < FEWEST
        yield DNA_SCORES.row(
            model=name,
            metric=Metric.PPL_EXPONENT,
            value=cell(value),
            ci_low=cell(value - margin),
            ci_high=cell(value + margin),
            n=len(chosen),
            unit="runs",
            note=f"fewer than {FEWEST} runs are best for their operations" if few else None,
            **common,
        )


def published_rows(scale: str) -> list[Row]:
    """Published exponents of the dnaHNet paper, as score rows whose source is ``paper``."""
    todo = "restore the published table"
    path = published_table("sister_dnahnet_scaling")
    columns = ("quantity", "value", "source")
    table = read_tsv(path or "", columns, first=todo, again=todo, separator=",")
    return [
        DNA_SCORES.row(
            model=quantity.removeprefix(PUBLISHED),
            task=SCALING,
            metric=Metric.PPL_EXPONENT,
            value=float(value),
            note=where,
            scale=scale,
            source=PAPER,
        )
        for quantity, value, where in table[list(columns)].itertuples(index=False)
        if quantity.startswith(PUBLISHED)
    ]
