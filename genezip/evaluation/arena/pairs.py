"""Bits per base of systems with an exact likelihood, beside the bar and beside their twins.

The bar is the context-mixing model, which counts and has no network. A twin is the same network on
tokens in other places, so that the difference is what these places are worth, or a system that is
claimed to be worse. Likelihoods that are not exact have no row here.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from genezip.artifacts.scores import ARENA, MIXING, Metric, Row, difference_of
from genezip.errors import GenezipError
from genezip.evaluation.baselines import BaselineWindows
from genezip.evaluation.comparisons import (
    PairedRows,
    Values,
    exact_columns,
    loss_differences,
)
from genezip.evaluation.compression import loss_values
from genezip.evaluation.windows import Columns, Subset, WindowFacts, WindowSums

_ALL = ("all",)


def bits_rows(
    files: Sequence[WindowSums],
    facts: WindowFacts,
    baselines: BaselineWindows | None,
    beside: Mapping[str, Sequence[str]],
    scale: str,
    source: str,
) -> list[Row]:
    """Score rows: bits per base, minus those of the bar, and minus those of every twin.

    Windows are those with few N. ``beside`` names the twins of a model; runs are paired by seed, or
    with the only run of a twin. Where a bound looked ahead, the likelihood is that of the same
    weights under the causal bound, if a file has it. ``baselines`` are scored on the same bases, or
    None for no bar.
    """
    by_name: dict[str, list[WindowSums]] = {}
    for sums in files:
        by_name.setdefault(sums.name, []).append(sums)
    subset = facts.subsets[1]
    rows = PairedRows(facts, scale, source, ARENA)
    exact = {
        (one.name, one.seed): columns
        for one in files
        if "nll" in (columns := exact_columns(one, by_name, "+", subset))
        and not columns["looked_ahead"].any()
    }

    def add(name: str, seed: int | None, values: Values) -> None:
        rows.add(name, seed, "+", subset.name, subset, values)

    bar = None
    if baselines is not None and MIXING in baselines.by_model:
        bar = baselines.columns(MIXING, subset.chosen)
        add(MIXING, None, _bits(bar, subset, facts))
    for (name, seed), columns in exact.items():
        add(name, seed, _bits(columns, subset, facts))
        others = {MIXING: bar} if bar is not None else {}
        for twin in beside.get(name, ()):
            runs = [key for key in exact if key[0] == twin]
            same = [key for key in runs if key[1] == seed] or (runs if len(runs) == 1 else [])
            if same:
                others[twin] = exact[same[0]]
        for other, theirs in others.items():
            if not np.array_equal(columns["predicted"], theirs["predicted"]):
                raise GenezipError(
                    f"{name} and {other} predict other bases; compress the same corpus with both"
                )
            found = loss_differences(columns, theirs, subset, facts, bits=True)
            only = {Metric.BITS_DIFFERENCE: found[Metric.BITS_DIFFERENCE]}
            add(difference_of(name, other), seed, only)
    return rows.rows()


def _bits(columns: Columns, subset: Subset, facts: WindowFacts) -> Values:
    values, predicted = loss_values(columns, subset, facts)
    bits = values[Metric.BITS_PER_BASE][:, :1]
    n = int(subset.chosen.sum())
    return {Metric.BITS_PER_BASE: (_ALL, bits, n, subset.bootstrap.support(predicted[:, :1]))}
