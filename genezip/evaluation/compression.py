"""Held-out compression: BPT, budget error, enrichment and perplexity, with intervals.

Every metric is computed for two subsets of windows: `all` (padding counted, comparable with the
paper's Table 6, which assembly gaps dominate) and those with few N (padding left out). Metrics are
pooled (the formula of sums over windows); means over windows have ``window`` in their name.
``enrichment_window_mean`` is the paper's mean over the windows that have the group.

Rows of the model ``corpus`` hold the number of blocks behind the intervals of every subset, because
few blocks of DNA give wide intervals however many windows they hold: blocks with any base of the
subset (region ``all``) and blocks with promoter bases (region ``promoter``: that group, with the
user's classes in it).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from genezip.artifacts.scores import (
    CORPUS,
    DNA_SCORES,
    GC_TERTILE_MEAN,
    GC_TERTILES,
    WINDOW_MEAN,
    Metric,
    Row,
    cell,
    of_stage,
    with_mixing,
)
from genezip.evaluation.windows import N_TERTILES, Columns, Subset, WindowFacts, WindowSums
from genezip.metrics import compression as metrics
from genezip.metrics.bootstrap import BlockBootstrap, Estimate, interval_note, ratio
from genezip.region_classes import GROUPS, RegionClasses

Found = dict[str, tuple[tuple[str, ...], Estimate, np.ndarray]]

ALL = ("all",)
CODING = ("coding", "noncoding")
UNANNOTATED = "unannotated"
LOOKED_AHEAD = "a bound looked ahead, so the likelihood is not exact; see the causal bound"
"""Why a model has no bits per base."""


def expand(found: Found, **cells: Any) -> list[Row]:
    """One row per metric and region; NaN becomes an empty cell.

    ``found`` maps a metric to its regions, its estimate and its number of windows.
    """
    rows = []
    for metric, (regions, estimate, windows) in found.items():
        limits = (estimate.value, estimate.low, estimate.high, estimate.blocks)
        parts = [
            np.broadcast_to(np.atleast_1d(part), len(regions))
            for part in (*limits, np.asarray(windows))
        ]
        for region, value, low, high, blocks, n in zip(regions, *parts, strict=True):
            rows.append(
                DNA_SCORES.row(
                    region=region,
                    metric=metric,
                    value=cell(value),
                    ci_low=cell(low),
                    ci_high=cell(high),
                    n=int(n),
                    blocks=int(blocks) or None,
                    note=_note(metric, value, low, int(blocks)),
                    **{"unit": "windows", **cells},
                )
            )
    return rows


def _note(metric: str, value: float, low: float, blocks: int) -> str:
    if metric == Metric.BITS_PER_BASE and blocks and np.isnan(value):
        return LOOKED_AHEAD
    return interval_note(value, low, blocks)


def loss_regions(facts: WindowFacts) -> tuple[str, ...]:
    """Regions of next-base losses: all bases, each class, coding and non-coding (organisms)."""
    return (*ALL, *facts.region_classes.names, *(CODING if facts.organisms else ()))


def by_region(values: np.ndarray, facts: WindowFacts) -> np.ndarray:
    """Sums by region class, (..., R), as sums by :func:`loss_regions`.

    Coding bases are those of class cds; bases without annotation are neither coding nor non-coding.
    """
    found = metrics.with_all(values)
    if not facts.organisms:
        return found
    names = np.array(facts.region_classes.names)
    coding = names == "cds"
    sides = [values[..., one].sum(-1) for one in (coding, ~coding & (names != UNANNOTATED))]
    return np.concatenate([found, np.stack(sides, axis=-1)], axis=-1)


def loss_values(
    columns: Columns, subset: Subset, facts: WindowFacts
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Perplexity and bits per base by :func:`loss_regions`, with and without each block.

    Values are (1 + B, regions), from the columns nll and predicted of the windows of a subset. The
    macro mean of a subset with parts is that of the parts with bases of the region. The second
    result is the number of predicted bases, (n, regions).
    """
    named = {name: columns[name] for name in ("nll", "predicted")}
    if subset.parts is not None:
        named = {name: subset.parts[:, :, None] * values[:, None] for name, values in named.items()}
    sums = subset.bootstrap.sums(named)
    nats = ratio(by_region(sums["nll"], facts), by_region(sums["predicted"], facts))
    found = {Metric.PPL: np.exp(nats), Metric.BITS_PER_BASE: nats / np.log(2)}
    if subset.parts is not None:
        has = np.isfinite(nats[0])  # parts with bases of the region
        shares = ratio(has, has.sum(axis=0))
        found = {
            metric: np.where(has, shares * values, 0).sum(axis=1)
            + np.where(has.any(axis=0), 0, np.nan)
            for metric, values in found.items()
        }
    return found, by_region(columns["predicted"], facts)


def language_model_metrics(columns: Columns, subset: Subset, facts: WindowFacts) -> Found:
    """Perplexity and bits per base, overall and per region, from nll and predicted.

    Bits per base are NaN where a bound looked ahead in any window: the likelihood is not exact.
    """
    bootstrap, regions = subset.bootstrap, loss_regions(facts)
    values, predicted = loss_values(columns, subset, facts)
    windows, support = (predicted > 0).sum(axis=0), bootstrap.support(predicted)
    ppl = bootstrap.summarise(values[Metric.PPL], support, "ratio")
    bits = bootstrap.summarise(values[Metric.BITS_PER_BASE], support, "ratio")
    if columns.get("looked_ahead", np.zeros(1)).any():
        none = np.full(np.shape(bits.value), np.nan)
        bits = Estimate(none, none, none, bits.blocks)
    return {Metric.PPL: (regions, ppl, windows), Metric.BITS_PER_BASE: (regions, bits, windows)}


def _more_losses(columns: Columns, subset: Subset, facts: WindowFacts) -> Found:
    """Perplexity of windows without an active bound, and in the weighting of the release.

    The second is no perplexity of a model, as the weights do not sum to the number of bases; it is
    given for comparison with runs of the release on soft-masked DNA.
    """
    names = ("nll", "predicted", "looked_ahead")
    free = (columns["bound_active"].max(axis=1, initial=0.0) == 0).astype(float)
    unbounded = {name: (columns[name].T * free).T for name in names if name in columns}
    found = language_model_metrics(unbounded, subset, facts)
    renamed = {
        Metric.PPL_UNBOUNDED: found[Metric.PPL],
        Metric.BITS_UNBOUNDED: found[Metric.BITS_PER_BASE],
    }
    if "release_nll" in columns and columns["release_predicted"].any():
        weighted = {name: columns[f"release_{name}"] for name in ("nll", "predicted")}
        found = language_model_metrics(weighted, subset, facts)
        renamed[Metric.PPL_RELEASE] = found[Metric.PPL]
    return renamed


def _pooled(
    bp: np.ndarray, tokens: np.ndarray, bootstrap: BlockBootstrap, region_classes: RegionClasses
) -> Found:
    groups = metrics.groups_of(region_classes)
    sums = bootstrap.sums({"bp": bp, "tokens": tokens})
    total = sums["bp"].sum(-1, keepdims=True)
    local = ratio(metrics.with_all(sums["bp"]), metrics.with_all(sums["tokens"]))
    share = ratio(sums["bp"], total)
    enrichment = metrics.enrichment(sums["bp"], sums["tokens"], groups)
    windows = np.append(len(bp), (bp > 0).sum(axis=0))
    grouped = metrics.group_bp(bp, groups)
    support = bootstrap.support(metrics.with_all(bp))
    return {
        Metric.BPT: (
            (*ALL, *region_classes.names),
            bootstrap.summarise(local, support, "ratio"),
            windows,
        ),
        Metric.REGION_SHARE: (
            region_classes.names,
            bootstrap.summarise(share, support[:, :1], "share"),
            windows[1:],
        ),
        Metric.ENRICHMENT: (
            groups.names,
            bootstrap.summarise(enrichment, bootstrap.support(grouped), "ratio"),
            (grouped > 0).sum(axis=0),
        ),
    }


def _window_statistics(
    name: str, values: np.ndarray, bootstrap: BlockBootstrap, regions: tuple[str, ...] = ALL
) -> Found:
    """Mean and SD over the windows in which a value is defined; values (n, regions)."""
    good = np.isfinite(values)
    filled = np.where(good, values, 0.0)
    sums = bootstrap.sums({"n": good.astype(float), "x": filled, "xx": filled**2})
    n = sums["n"]
    mean = ratio(sums["x"], n)
    sd = np.sqrt(ratio(np.maximum(ratio(sums["xx"], n) - mean**2, 0) * n, n - 1))
    windows, support = good.sum(axis=0), bootstrap.support(good)
    return {
        f"{name}{WINDOW_MEAN}": (regions, bootstrap.summarise(mean, support, "ratio"), windows),
        f"{name}_window_sd": (regions, bootstrap.summarise(sd, support, "ratio"), windows),
    }


def _budget(
    bp: np.ndarray,
    tokens: np.ndarray,
    target: np.ndarray,
    bootstrap: BlockBootstrap,
    region_classes: RegionClasses,
) -> Found:
    sums = bootstrap.sums({"bp": bp, "tokens": tokens})
    pooled = {
        Metric.EXPECTED_BPT: metrics.expected_bpt(sums["bp"], target),
        Metric.BPT_RATIO: metrics.bpt_ratio(sums["bp"], sums["tokens"], target),
        Metric.MICRO_ERR: metrics.micro_err(sums["bp"], sums["tokens"], target),
    }
    support = bootstrap.support(bp.sum(1))
    found: Found = {
        name: (ALL, bootstrap.summarise(values, support, "ratio"), np.array(len(bp)))
        for name, values in pooled.items()
    }
    nowhere, windows = np.full(len(region_classes), np.nan), (bp > 0).sum(axis=0)
    found[Metric.TARGET_BPT] = (region_classes.names, Estimate(target, nowhere, nowhere), windows)
    for name, per_window in (
        (Metric.BPT_RATIO, metrics.bpt_ratio(bp, tokens, target)),
        (Metric.MICRO_ERR, metrics.micro_err(bp, tokens, target)),
    ):
        found.update(_window_statistics(name, per_window[:, None], bootstrap))
    return found


def _bounds(bound_active: np.ndarray, bootstrap: BlockBootstrap) -> Found:
    """Share of windows in which a bound changed the boundary mask: of any stage, then of each."""
    shares = {Metric.BOUND_SHARE: bound_active.max(axis=1, initial=0.0)}
    for stage in range(bound_active.shape[1]):
        shares[of_stage(Metric.BOUND_SHARE, stage)] = bound_active[:, stage]
    one = np.ones(len(bound_active))
    sums, support = bootstrap.sums({"one": one, **shares}), bootstrap.support(one)
    return {
        name: (
            ALL,
            bootstrap.summarise(ratio(sums[name], sums["one"]), support, "share"),
            np.array(len(one)),
        )
        for name in shares
    }


def subset_metrics(
    columns: Columns, target_bpt: dict[str, float] | None, subset: Subset, facts: WindowFacts
) -> Found:
    """Every metric of one router on one subset of windows and one strand.

    Of a macro mean over parts there are next-base losses only.
    """
    if subset.parts is not None:
        return language_model_metrics(columns, subset, facts) if "nll" in columns else {}
    bootstrap, region_classes = subset.bootstrap, facts.region_classes
    bp, tokens = columns["bp"].sum(axis=1), columns["tokens"].sum(axis=1)
    found = _pooled(bp, tokens, bootstrap, region_classes)
    found.update(_window_statistics(Metric.BPT, metrics.bpt(bp, tokens)[:, None], bootstrap))
    groups = metrics.groups_of(region_classes)
    enrichment = metrics.enrichment(bp, tokens, groups)
    found.update(_window_statistics(Metric.ENRICHMENT, enrichment, bootstrap, groups.names))
    if target_bpt is not None:
        target = metrics.target_array(target_bpt, region_classes)
        found.update(_budget(bp, tokens, target, bootstrap, region_classes))
    found.update(_bounds(columns["bound_active"], bootstrap))
    if "nll" in columns:
        found.update(language_model_metrics(columns, subset, facts))
        found.update(_more_losses(columns, subset, facts))
    return found


def compression_rows(sums: WindowSums, facts: WindowFacts, scale: str, source: str) -> list[Row]:
    """Score rows of one window table."""
    rows = []
    for strand in sums.by_strand:
        for subset in facts.subsets:
            if not subset.chosen.any():
                continue
            columns = sums.columns(strand, subset.chosen, subset.strict)
            found = {sums.name: subset_metrics(columns, sums.target_bpt, subset, facts)}
            if "mixed_nll" in columns:
                mixed = {"nll": columns["mixed_nll"], "predicted": columns["predicted"]}
                found[with_mixing(sums.name)] = language_model_metrics(mixed, subset, facts)
            for model, metrics_found in found.items():
                rows += expand(
                    metrics_found,
                    model=model,
                    task="compression",
                    subset=subset.name,
                    split=facts.split,
                    strand=strand,
                    seed=sums.seed,
                    scale=scale,
                    source=source,
                )
    return rows


def window_table(sums: WindowSums, facts: WindowFacts) -> pd.DataFrame:
    """One row per window and strand for the figures of the report (padding counted)."""
    everything: Subset = facts.subsets[0]
    groups = metrics.groups_of(facts.region_classes)
    tables = []
    for strand in sums.by_strand:
        columns = sums.columns(strand, everything.chosen, strict=False)
        bp, tokens = columns["bp"].sum(axis=1), columns["tokens"].sum(axis=1)
        table = facts.table[["chrom", "start", "end", "piece"]].copy()
        table.insert(0, "model", sums.name)
        table.insert(1, "seed", pd.Series([sums.seed] * len(table), dtype="Int64"))
        table["strand"] = strand
        table["tokens"] = tokens.sum(axis=1)
        table["bpt"] = metrics.bpt(bp, tokens)
        table["bpt_ratio"] = np.nan
        if sums.target_bpt is not None:
            target = metrics.target_array(sums.target_bpt, facts.region_classes)
            table["bpt_ratio"] = metrics.bpt_ratio(bp, tokens, target)
        table["ppl"] = np.nan
        if "nll" in columns:
            table["ppl"] = metrics.perplexity(columns["nll"], columns["predicted"])[:, 0]
        enrichment = metrics.enrichment(bp, tokens, groups)
        for group in GROUPS:
            table[f"{group}_enrichment"] = enrichment[:, groups.names.index(group)]
        table["n_fraction"] = facts.table["n_fraction"]
        table["bound_bit"] = columns["bound_active"].max(axis=1, initial=0.0)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _fact(
    value: np.ndarray | float, subset: Subset, *regions: str
) -> tuple[tuple[str, ...], Estimate, np.ndarray]:
    """A value without an interval, as :func:`expand` takes it."""
    value = np.asarray(value, dtype=np.float64)
    nowhere = np.full(value.shape, np.nan)
    return regions, Estimate(value, nowhere, nowhere), np.array(int(subset.chosen.sum()))


def _promoter(bp: np.ndarray, region_classes: RegionClasses) -> np.ndarray:
    """Bases of the promoter group: (..., R) -> (...)."""
    ids = [region_classes.ids[name] for name in region_classes.groups["promoter"]]
    return np.asarray(bp[..., ids].sum(axis=-1))


def block_counts(bp: np.ndarray, subset: Subset, region_classes: RegionClasses) -> np.ndarray:
    """Blocks with any base and blocks with promoter bases: (n, ..., R) -> int64 (..., 2)."""
    counted = np.stack([bp.sum(axis=-1), _promoter(bp, region_classes)], axis=-1)
    return np.asarray(subset.bootstrap.support(counted).sum(axis=0))


def window_facts(facts: WindowFacts, sums: WindowSums) -> Iterator[tuple[str, Found]]:
    """Number of blocks of each subset of windows; ``sums`` of any router give the same bases."""
    for subset in facts.subsets:
        if subset.parts is not None:
            continue
        bp = sums.columns("+", subset.chosen, subset.strict)["bp"].sum(axis=1)
        blocks = block_counts(bp, subset, facts.region_classes)
        yield subset.name, {Metric.BLOCKS: _fact(blocks, subset, "all", "promoter")}


def tertile_facts(facts: WindowFacts, sums: WindowSums) -> Iterator[tuple[str, Found]]:
    """Upper GC edge, promoter share and blocks of each tertile, then the fewest blocks of any."""
    subset = facts.subsets[1]
    bp = sums.columns("+", subset.chosen, subset.strict)["bp"][:, :N_TERTILES]
    blocks, total = block_counts(bp, subset, facts.region_classes), bp.sum(axis=0)
    promoter = _promoter(total, facts.region_classes)
    for number, name in enumerate(GC_TERTILES):
        found: Found = {Metric.BLOCKS: _fact(blocks[number], subset, "all", "promoter")}
        if number < N_TERTILES - 1:
            found[Metric.GC_UPPER_EDGE] = _fact(facts.gc_edges[number], subset, "all")
        share = promoter[number] / max(total[number].sum(), 1)
        found[Metric.REGION_SHARE] = _fact(share, subset, "promoter")
        yield name, found
    yield GC_TERTILE_MEAN, {Metric.BLOCKS: _fact(blocks.min(axis=0), subset, "all", "promoter")}


def corpus_rows(
    facts: WindowFacts, sums: WindowSums, task: str, scale: str, source: str, *, tertiles: bool
) -> list[Row]:
    """Score rows of the model ``corpus``; ``sums`` of any router give the same bases."""
    every = [*window_facts(facts, sums), *(tertile_facts(facts, sums) if tertiles else ())]
    rows = []
    for name, found in every:
        rows += expand(
            found,
            model=CORPUS,
            task=task,
            subset=name,
            split=facts.split,
            strand="+",
            scale=scale,
            source=source,
        )
    return rows
