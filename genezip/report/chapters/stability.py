"""The chapter on stability: boundaries after one changed base, and on the other strand."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from genezip.artifacts.scores import SHIFTED, Metric
from genezip.report import style
from genezip.report.chapter import Cell, Chapter, Section, Table
from genezip.report.drawing import (
    Drawing,
    interval_words,
    name_rows,
    new_figure,
    record,
    rule_rows,
)
from genezip.report.results import Results
from genezip.report.scores import Number
from genezip.report.words import fixed, measured

SUBSTITUTION, OTHER_STRAND = "substitution", "reverse_complement"
PANELS = (
    (Metric.MOVED_SHARE, "moves a boundary (%)", 100.0),
    (Metric.CHANGED_CHUNKS, "chunks within 1 kb (%)", 100.0),
    (Metric.REACH_BP, "farthest boundary (bp)", 1.0),
)
"""Metric of a panel, its title, and the factor of its numbers."""
REACHES = (1, 10, 100, 1_000, 5_000)
"""Ticks of the distance (bp)."""


def models(results: Results) -> list[str]:
    """Models that were measured, reference and control first."""
    found = results.stability.models
    return sorted(found, key=lambda name: (name != results.reference, name != results.control))


def number(results: Results, metric: str, model: str, region: str = "all") -> Number | None:
    """A number of the substitutions of a model."""
    return results.stability.find(metric, model, subset=SUBSTITUTION, region=region)


def section(results: Results) -> Section | None:
    """Text with the verdict, and both strands as a table."""
    names = models(results)
    if not names:
        return None
    text = [
        "A token should stay where it is when a distant base changes, or every variant rewrites "
        "the input of the language model. One base of held-out DNA was changed at a time. Only a "
        "stretch around it is read (stability.window_bp, 4,096 bp unless it was set), so distances "
        "end at its edges. A boundary before the base can move where tokens depend on bases to "
        "their right: a bound on the tokens of the stretch, networks of both directions, words.",
        *(_sentence(results, name) for name in names),
    ]
    return Section(text, [_strands(results, names)])


def _sentence(results: Results, name: str) -> str:
    moved, reach, earlier = (
        number(results, metric, name)
        for metric in (Metric.MOVED_SHARE, Metric.REACH_BP, Metric.EARLIER_SHARE)
    )
    if moved is None:
        return f"{name}: not measured."
    text = f"{name}: one changed base moves a boundary in {measured(moved, _percent)} of cases"
    if reach:
        text += f"; where it does, the farthest lies {measured(reach, _bp)} away on average"
    if earlier and earlier.value > 0:
        text += f", and in {_percent(earlier.value)} of cases one before the changed base moves"
    return text + "."


def _percent(value: float) -> str:
    return f"{fixed(100 * value, 1)} %"


def _bp(value: float) -> str:
    return f"{fixed(value, 0)} bp"


def _strands(results: Results, names: list[str]) -> Table:
    """Boundaries that both strands have, beside random shifts of one strand."""
    rows: list[list[Cell]] = []
    for name in names:
        cells: list[Cell] = [name]
        for metric in (Metric.BOTH_STRANDS, Metric.CLOSE_STRANDS):
            for ending in ("", SHIFTED):
                found = results.stability.find(f"{metric}{ending}", name, subset=OTHER_STRAND)
                cells.append(measured(found, _percent))
        rows.append(cells)
    head = ["model", "on both strands", "by chance", "within 4 bp of the other", "by chance"]
    note = (
        "Share of the boundaries of any strand that both have at the same base, and share of those "
        "of the forward strand with one of the reverse complement within 4 bp. By chance: the same "
        "after random circular shifts of one strand, with the range of 95 % of them."
    )
    return Table(head, rows, (1, 2, 3, 4), "What reading the other strand changes", note)


def _panel(axes: Axes, results: Results, y_of: dict[str, int], metric: str, factor: float) -> Any:
    found = []
    looks = style.looks(results, models(results))
    shifts = [0.22 - 0.44 * k / max(len(looks) - 1, 1) for k in range(len(looks))]
    for (name, look), shift in zip(looks.items(), shifts, strict=True):
        for region, y in y_of.items():
            if one := number(results, metric, name, region):
                low, high = (None if v is None else factor * v for v in (one.low, one.high))
                style.dot(axes, factor * one.value, y + shift, look, low, high, size=5.5)
                found.append(record(one, model=name, region=region, metric=metric))
    return found


def stability(results: Results) -> Drawing | None:
    """Figure of the effect of one changed base, by region class."""
    names = models(results)
    if not any(number(results, Metric.MOVED_SHARE, name) for name in names):
        return None
    classes = results.region_classes
    regions = [
        region
        for region in ("all", *classes.priority)
        if any(number(results, Metric.MOVED_SHARE, name, region) for name in names)
    ]
    y_of = {region: len(regions) - 1 - row for row, region in enumerate(regions)}
    height = 1.25 + 0.36 * len(regions)
    figure = new_figure(height)
    panels = figure.subplots(1, len(PANELS), sharey=True)
    figure.subplots_adjust(
        left=0.135, right=0.985, bottom=0.3 / height, top=1 - 0.7 / height, wspace=0.12
    )
    data = []
    for axes, (metric, title, factor) in zip(panels, PANELS, strict=True):
        data += _panel(axes, results, y_of, metric, factor)
        axes.set_title(title)
        if metric == Metric.REACH_BP:
            axes.set_xscale("log")
            axes.set_xlim(REACHES[0], REACHES[-1])
            axes.set_xticks(REACHES, [f"{reach:,}" for reach in REACHES])
            axes.xaxis.set_minor_locator(NullLocator())
        else:
            axes.set_xlim(left=0)
        rule_rows(axes, len(regions))
    name_rows(
        panels[0],
        [style.row_label(classes, region) for region in regions],
        [style.region_colour(classes, region) for region in regions],
    )
    style.key(panels[0], list(style.looks(results, names).values()), y=1 + 0.42 / (height - 1))
    return Drawing(
        "stability",
        "What one changed base does to the tokens",
        "Rows are the region class of the changed base; in the first row classes count by their "
        "bases. Left: how often any boundary moves. Middle: of the chunks within 1 kb of the base, "
        "those that are no longer a chunk. Right: distance from the base to the farthest moved "
        f"boundary, where one moves; lines end at {REACHES[0]} and {REACHES[-1]:,} bp. "
        f"{interval_words(data)}{results.seed_note}",
        figure,
        pd.DataFrame(data),
    )


CHAPTER = Chapter("stability", "One changed base", section, {"stability": stability})
