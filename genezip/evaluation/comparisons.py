"""Paired comparisons: does the learned router do more than a control?

Differences and ratios are formed before the bootstrap: each resample leaves the same block out of
both models, so variation between windows cancels. Differences within GC tertiles test whether
enrichment is more than GC content: bases are split by the GC content of the 1,024 bp around them,
and promoter enrichment is computed inside each tertile with the base share of that tertile.
Perplexity is also compared with the Markov and mixing models, which predict the same bases. Only
exact likelihoods are compared: where a bound looked ahead, those of the same weights under the
causal bound. Several seeds give one row each and one with an empty seed, the mean of the seeds,
whose interval covers the choice of windows, not the spread of seeds.
"""

from functools import reduce
from typing import Any

import numpy as np

from genezip.artifacts.scores import (
    GC_TERTILE_MEAN,
    GC_TERTILES,
    MIXING,
    Metric,
    Row,
    difference_of,
    ratio_of,
    under_bound,
    with_mixing,
)
from genezip.errors import GenezipError
from genezip.evaluation.baselines import BaselineWindows
from genezip.evaluation.compression import CODING, corpus_rows, expand, loss_regions, loss_values
from genezip.evaluation.windows import N_TERTILES, Columns, Subset, WindowFacts, WindowSums
from genezip.metrics import compression as metrics
from genezip.metrics.bootstrap import Scale, scarcer
from genezip.region_classes import GROUPS, RegionClasses

_GROUPS = tuple(GROUPS)
CAUSAL = "causal"
LOSS = ("nll", "predicted", "looked_ahead", "mixed_nll")  # columns of the next-base loss
_SCALES: dict[str, Scale] = {Metric.ENRICHMENT: "ratio", Metric.ENRICHMENT_RATIO: "ratio"}

# metric -> (regions; values with and without each block, shape (1 + B, regions); number of
# windows; blocks with a non-zero denominator, shape (B, regions))
Values = dict[str, tuple[tuple[str, ...], np.ndarray, int, np.ndarray]]


def enrichment_by_block(
    columns: Columns, subset: Subset, region_classes: RegionClasses, *, tertiles: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Enrichment of the three groups, (1 + B, 3), and the blocks with their bases, bool (B, 3).

    With ``tertiles`` it is that inside each GC tertile, and the last two axes are (3 tertiles, 3).
    """
    groups = metrics.groups_of(region_classes)
    three = [groups.names.index(name) for name in _GROUPS]
    bp, tokens = (
        columns[name][:, :N_TERTILES] if tertiles else columns[name].sum(axis=1)
        for name in ("bp", "tokens")
    )
    sums = subset.bootstrap.sums({"bp": bp, "tokens": tokens})
    found = metrics.enrichment(sums["bp"], sums["tokens"], groups)[..., three]
    return found, subset.bootstrap.support(metrics.group_bp(bp, groups)[..., three])


def pair_values(
    first: Columns, second: Columns, subset: Subset, facts: WindowFacts, *, ratio: bool
) -> Values:
    """Differences (and ratios) of two models over the same windows and blocks.

    Of a macro mean over parts there are differences of next-base losses only.
    """
    found: Values = {}
    if subset.parts is None:
        n = int(subset.chosen.sum())
        ours, support = enrichment_by_block(first, subset, facts.region_classes)
        theirs, _ = enrichment_by_block(second, subset, facts.region_classes)
        found[Metric.ENRICHMENT_DIFFERENCE] = (_GROUPS, ours - theirs, n, support)
        if ratio:
            with np.errstate(divide="ignore", invalid="ignore"):
                found[Metric.ENRICHMENT_RATIO] = (_GROUPS, ours / theirs, n, support)
    if "nll" in first and "nll" in second:
        found |= loss_differences(first, second, subset, facts, bits=bool(facts.organisms))
    return found


def loss_differences(
    first: Columns, second: Columns, subset: Subset, facts: WindowFacts, *, bits: bool
) -> Values:
    """Difference of the perplexity (and bits per base) of two language models on the same windows.

    Regions are all bases and, where the source holds several organisms, coding and non-coding.
    """
    ours, predicted = loss_values(first, subset, facts)
    theirs, _ = loss_values(second, subset, facts)
    regions = ("all", *(CODING if facts.organisms else ()))
    at = [loss_regions(facts).index(region) for region in regions]
    support, n = subset.bootstrap.support(predicted[:, at]), int(subset.chosen.sum())
    named = {Metric.PPL_DIFFERENCE: Metric.PPL}
    if bits:
        named[Metric.BITS_DIFFERENCE] = Metric.BITS_PER_BASE
    return {
        difference: (regions, ours[metric][:, at] - theirs[metric][:, at], n, support)
        for difference, metric in named.items()
    }


def _by_tertile(values: np.ndarray, metric: str, n: int, support: np.ndarray) -> dict[str, Values]:
    """Values of each tertile and their mean, by subset name; values (1 + B, 3, 3)."""
    found: dict[str, Values] = {
        name: {metric: (_GROUPS, values[:, number], n, support[:, number])}
        for number, name in enumerate(GC_TERTILES)
    }
    fewest = reduce(scarcer, (support[:, number] for number in range(N_TERTILES)))
    found[GC_TERTILE_MEAN] = {metric: (_GROUPS, values.mean(axis=1), n, fewest)}
    return found


def _partner(reference: WindowSums, others: list[WindowSums]) -> WindowSums | None:
    """File of another model that is paired with this seed of the reference, if any.

    A router that copies the token counts of this run is preferred, then one of the same seed, then
    the only file there is. A router that copies another seed of the reference is never paired.
    """
    made_for = [other for other in others if _made_for(other) == (reference.name, reference.seed)]
    if made_for:
        return made_for[0]
    free = [other for other in others if _made_for(other)[0] != reference.name]
    same_seed = [other for other in free if other.seed == reference.seed]
    if same_seed:
        return same_seed[0]
    return free[0] if len(free) == 1 else None


def _made_for(sums: WindowSums) -> tuple[str | None, int | None]:
    """Name and seed of the model whose token counts a router copies, None for other routers."""
    return sums.info.get("like"), sums.info.get("like_seed")


def _check_tokens(reference: WindowSums, other: WindowSums) -> None:
    """Refuse a router that copies the reference but has other token counts in any window."""
    if _made_for(other) != (reference.name, reference.seed):
        return
    ours, theirs = (sums.by_strand["+"]["tokens"].sum(axis=(1, 2)) for sums in (reference, other))
    if not np.allclose(ours, theirs, atol=1e-3):
        raise GenezipError(
            f"router {other.name} was made for another run of {reference.name} (token counts "
            "differ); run `genezip evaluate routers` again"
        )


class PairedRows:
    """Collects values per seed, then writes rows per seed and for the mean of the seeds."""

    def __init__(
        self, facts: WindowFacts, scale: str, source: str, task: str = "comparison"
    ) -> None:
        self._common = {
            "task": task,
            "split": facts.split,
            "scale": scale,
            "source": source,
        }
        self._seen: dict[tuple[str, str, str], list[tuple[int | None, Subset, Values]]] = {}

    def add(
        self, model: str, seed: int | None, strand: str, name: str, subset: Subset, values: Values
    ) -> None:
        """Collect the values of one run on one strand; ``name`` is that of the subset."""
        self._seen.setdefault((model, strand, name), []).append((seed, subset, values))

    def rows(self) -> list[Row]:
        """Rows of every run, and of the mean where a model has several."""
        found: list[Row] = []
        for (model, strand, name), per_seed in self._seen.items():
            cells: dict[str, Any] = {"model": model, "strand": strand, "subset": name}
            for seed, subset, values in per_seed:
                found += self._rows(values, subset, seed=seed, **cells)
            if len(per_seed) > 1:
                subset = per_seed[0][1]
                first = per_seed[0][2]
                mean: Values = {
                    metric: (
                        regions,
                        np.mean([values[metric][1] for _, _, values in per_seed], axis=0),
                        n,
                        support,
                    )
                    for metric, (regions, _, n, support) in first.items()
                    if all(metric in values for _, _, values in per_seed)
                }
                found += self._rows(mean, subset, seed=None, **cells)
        return found

    def _rows(self, values: Values, drawn: Subset, **cells: Any) -> list[Row]:
        summarised = {
            metric: (
                regions,
                drawn.bootstrap.summarise(found, support, _SCALES.get(metric, "difference")),
                np.array(n),
            )
            for metric, (regions, found, n, support) in values.items()
        }
        return expand(summarised, **self._common, **cells)


def comparison_rows(
    files: list[WindowSums],
    facts: WindowFacts,
    reference: str,
    control: str,
    scale: str,
    source: str,
    baselines: BaselineWindows | None = None,
) -> list[Row]:
    """Paired rows of the reference against every other router.

    Models are named ``reference - other`` (``reference / control`` where the metric is a ratio).
    Tertiles use windows with few N and bases that are not N. With ``baselines``, the perplexity of
    reference and control, or of every model where the source holds several organisms, is also
    compared with that of every baseline (``reference - markov4``) on strand '+', and their bits per
    base with those of the mixing model, alone and in the mixture of both; baselines that were
    scored on other bases are refused.
    """
    by_name: dict[str, list[WindowSums]] = {}
    for sums in files:
        by_name.setdefault(sums.name, []).append(sums)
    for name in (reference, control):
        if name not in by_name:
            raise GenezipError(
                f"no compressed file of {name} is given, only {', '.join(by_name)}; add it to "
                "--compressed or name another model"
            )
    collected = PairedRows(facts, scale, source)
    strict = facts.subsets[1]
    for sums in files:
        for strand in sums.by_strand:
            columns = sums.columns(strand, strict.chosen, strict.strict)
            inside, support = enrichment_by_block(
                columns, strict, facts.region_classes, tertiles=True
            )
            n = int(strict.chosen.sum())
            for name, values in _by_tertile(inside, Metric.ENRICHMENT, n, support).items():
                collected.add(sums.name, sums.seed, strand, name, strict, values)
    for ours in by_name[reference]:
        for name, candidates in by_name.items():
            theirs = None if name == reference else _partner(ours, candidates)
            if theirs is not None:
                _check_tokens(ours, theirs)
                _compare(ours, theirs, by_name, facts, collected, ratio=name == control)
    if baselines is not None:
        for name in by_name if facts.organisms else (reference, control):
            for ours in by_name[name]:
                _compare_baselines(ours, by_name, baselines, facts, collected)
    behind = corpus_rows(facts, by_name[reference][0], "comparison", scale, source, tertiles=True)
    return [*collected.rows(), *behind]


def exact_columns(
    sums: WindowSums, by_name: dict[str, list[WindowSums]], strand: str, subset: Subset
) -> Columns:
    """Columns of the windows of a subset, with next-base losses of exact likelihoods only.

    Where a bound looked ahead in any of the windows, the loss is replaced by that of the same
    weights under the causal bound, or left out where that was not computed.
    """
    columns = sums.columns(strand, subset.chosen, subset.strict)
    if "nll" not in columns or not columns["looked_ahead"].any():
        return columns
    found = {name: values for name, values in columns.items() if name not in LOSS}
    for causal in by_name.get(under_bound(sums.name, CAUSAL), []):
        if causal.seed == sums.seed and strand in causal.by_strand:
            exact = causal.columns(strand, subset.chosen, subset.strict)
            return {**found, **{name: exact[name] for name in LOSS if name in exact}}
    return found


def _compare(
    ours: WindowSums,
    theirs: WindowSums,
    by_name: dict[str, list[WindowSums]],
    facts: WindowFacts,
    collected: PairedRows,
    *,
    ratio: bool,
) -> None:
    for strand in ours.by_strand:
        if strand not in theirs.by_strand:
            continue
        for subset in facts.subsets:
            first, second = (
                exact_columns(sums, by_name, strand, subset) for sums in (ours, theirs)
            )
            if theirs.name == under_bound(ours.name, CAUSAL):  # measures the gain of looking ahead
                first = ours.columns(strand, subset.chosen, subset.strict)
            values = pair_values(first, second, subset, facts, ratio=ratio)
            minus = difference_of(ours.name, theirs.name)
            quotient = values.pop(Metric.ENRICHMENT_RATIO, None)
            collected.add(minus, ours.seed, strand, subset.name, subset, values)
            if quotient is not None:
                over = ratio_of(ours.name, theirs.name)
                found: Values = {Metric.ENRICHMENT_RATIO: quotient}
                collected.add(over, ours.seed, strand, subset.name, subset, found)
            if subset is facts.subsets[1]:
                (mine, support), (other, _) = (
                    enrichment_by_block(each, subset, facts.region_classes, tertiles=True)
                    for each in (first, second)
                )
                n = int(subset.chosen.sum())
                tertiles = _by_tertile(mine - other, Metric.ENRICHMENT_DIFFERENCE, n, support)
                for name, inside in tertiles.items():
                    collected.add(minus, ours.seed, strand, name, subset, inside)


def _compare_baselines(
    ours: WindowSums,
    by_name: dict[str, list[WindowSums]],
    baselines: BaselineWindows,
    facts: WindowFacts,
    collected: PairedRows,
) -> None:
    """Add differences of next-base losses from each baseline over the same bases.

    The mixture of a model with the mixing model is compared with the mixing model alone.
    """
    for subset in facts.subsets:
        first = exact_columns(ours, by_name, "+", subset)
        if "nll" not in first or not subset.chosen.any():
            continue
        for baseline in baselines.by_model:
            second = baselines.columns(baseline, subset.chosen)
            if not np.array_equal(first["predicted"], second["predicted"]):
                raise GenezipError(
                    f"the Markov models predict other bases than {ours.name}; run `genezip "
                    "evaluate markov` and `genezip evaluate heldout` on the same corpus"
                )
            compared = {ours.name: first}
            if baseline == MIXING and "mixed_nll" in first:
                compared[with_mixing(ours.name)] = {**first, "nll": first["mixed_nll"]}
            bits = baseline == MIXING or bool(facts.organisms)
            for name, columns in compared.items():
                values = loss_differences(columns, second, subset, facts, bits=bits)
                pair = difference_of(name, baseline)
                collected.add(pair, ours.seed, "+", subset.name, subset, values)
