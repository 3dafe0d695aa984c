"""A figure with its numbers and caption, and helpers of all figures.

The functions below :func:`note_empty` draw along a chromosome: genes, regions, repeats, tokens.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from genezip.artifacts.files import write_text
from genezip.artifacts.tables import write_tsv
from genezip.region_classes import RegionClasses
from genezip.report import style
from genezip.report.results import Results
from genezip.report.scores import FEW, FEW_BLOCKS, Number, records

INTERVAL = "Lines are 95 % intervals (bootstrap over blocks of neighbouring windows)."
NO_BASE = "no such base in held-out DNA"
REGION_IN = 0.36  # height that a further region adds to a figure (in)
LETTER_SHARE = 0.0105  # width of a letter of a gene name, as a share of the locus
XML: Final = '<?xml version="1.0" encoding="utf-8"?>\n'


def interval_words(rows: list[dict[str, Any]], words: str = INTERVAL) -> str:
    """Caption on the interval lines, and on how many of them rest on few blocks."""
    few = sum(bool(row["few_blocks"]) for row in rows)
    if not few:
        return words
    return f"{words} Of {len(rows)} drawn values, {few} rest on fewer than {FEW_BLOCKS} ({FEW})."


@dataclass(frozen=True)
class Drawing:
    """A figure, its numbers, its title and its caption."""

    name: str
    title: str
    caption: str
    figure: Figure
    data: pd.DataFrame

    @cached_property
    def svg(self) -> str:
        """The figure as SVG text, computed once for page and file."""
        return style.svg(self.figure, self.name, self.title)

    def write(self, folder: Path) -> None:
        """Write ``<name>.svg`` and the numbers as ``<name>.tsv``."""
        write_text(folder / f"{self.name}.svg", XML + self.svg)
        write_tsv(folder / f"{self.name}.tsv", self.data)


def not_computed(name: str) -> Drawing:
    """Placeholder of a figure without numbers, so that its files exist."""
    with style.applied():
        figure = new_figure(0.6)
        figure.text(0.02, 0.5, f"{name}: nothing was computed in this run", va="center")
    empty = pd.DataFrame(columns=["value"])
    return Drawing(name, name, "Nothing was computed in this run.", figure, empty)


def new_figure(height_in: float) -> Figure:
    """An empty figure of the page's width."""
    return Figure(figsize=(style.WIDTH_IN, height_in))


def record(number: Number, **cells: Any) -> dict[str, Any]:
    """One row of the table of a figure."""
    return {
        **cells,
        "value": number.value,
        "ci_low": number.low,
        "ci_high": number.high,
        "n": number.n,
        "unit": number.unit,
        "few_blocks": number.few,
    }


def rule_rows(axes: Axes, count: int, above: float = 0.6, below: float = 0.6) -> None:
    """Draw rows 0 to ``count - 1`` with a hairline each, and hide the left axis."""
    for y in reversed(range(count)):
        axes.axhline(y, color=style.RULE, linewidth=0.5, zorder=0)
    axes.set_ylim(-below, count - 1 + above)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def name_rows(
    axes: Axes, names: list[str], colours: Iterable[str] = (), weight: str = "bold"
) -> None:
    """Name the rows from the top, each in its colour where colours are given."""
    axes.set_yticks(range(len(names))[::-1], names)
    for text, colour in zip(axes.get_yticklabels(), colours, strict=False):
        text.set_color(colour)
        text.set_fontweight(weight)


def region_rows(axes: Axes, results: Results, metric: str) -> dict[str, int]:
    """Draw a row for all bases and for each region, from the top; returns region -> y.

    Regions have a number of the metric, or no base in held-out DNA (:func:`note_empty`).
    """
    regions = [
        region
        for region in ("all", *results.region_classes.priority)
        if results.number(metric, results.reference, region=region) or results.no_base(region)
    ]
    classes = results.region_classes
    rule_rows(axes, len(regions))
    name_rows(
        axes,
        [style.row_label(classes, name) for name in regions],
        [style.region_colour(classes, name) for name in regions],
    )
    return {name: len(regions) - 1 - row for row, name in enumerate(regions)}


def note_empty(
    axes: Axes, results: Results, y_of: dict[str, int], metric: str
) -> list[dict[str, Any]]:
    """Write ``NO_BASE`` into rows without any base; returns their rows of the table."""
    empty = [region for region in y_of if results.no_base(region)]
    for region in empty:
        axes.text(
            0.01, y_of[region], NO_BASE, transform=axes.get_yaxis_transform(), va="center",
            fontsize=8, style="italic", color=style.SOFT,
        )  # fmt: skip
    return [
        record(Number(float("nan"), n=0), model=name, region=region, metric=metric, note=NO_BASE)
        for name in (results.reference, results.control)
        for region in empty
    ]


def lanes(spans: list[tuple[float, float]]) -> list[int]:
    """Lane of every span, without overlaps in a lane (first fit, left to right)."""
    ends: list[float] = []
    found = [0] * len(spans)
    for index in sorted(range(len(spans)), key=lambda i: spans[i]):
        start, end = spans[index]
        lane = next((k for k, last in enumerate(ends) if last <= start), len(ends))
        if lane == len(ends):
            ends.append(end)
        ends[lane] = end
        found[index] = lane
    return found


def transcripts_in_lanes(genes: pd.DataFrame, length: int) -> pd.DataFrame:
    """One row per transcript with its lane; its span includes its name on the left."""
    table = genes[genes["feature"] == "transcript"].reset_index(drop=True)
    names = table["gene_name"].fillna("").str.len()
    left = table["start"] - (names + 1) * LETTER_SHARE * length
    spans = list(zip(left, table["end"] + 0.01 * length, strict=True))
    return table.assign(lane=lanes(spans))


def draw_genes(axes: Axes, genes: pd.DataFrame, low: int, high: int) -> None:
    """Draw introns as lines with arrows, exons as boxes, coding parts as taller boxes."""
    length = high - low
    table = transcripts_in_lanes(genes, length)
    for row in records(table):
        start, end, y = row["start"], row["end"], -row["lane"]
        axes.plot([start, end], [y, y], color=style.INK, linewidth=0.8, zorder=1)
        arrows = np.arange(start + 0.006 * length, end, 0.018 * length)
        marker = "4" if row["strand"] == "+" else "3"
        axes.plot(arrows, np.full(len(arrows), y), marker, color=style.INK, markersize=4, zorder=1)
        parts = genes[genes["transcript_id"] == row["transcript_id"]]
        for part in records(parts[parts["feature"].isin(["exon", "cds"])]):
            half = 0.32 if part["feature"] == "cds" else 0.17
            width = max(part["end"] - part["start"], 0.0009 * length)  # wide enough to be visible
            box = Rectangle((part["start"], y - half), width, 2 * half, color=style.INK)
            box.set_linewidth(0)
            axes.add_patch(box)
        axes.text(
            start - 0.004 * length, y, str(row["gene_name"]), ha="right", va="center",
            fontsize=7.5, style="italic",
        )  # fmt: skip
    axes.set_ylim(-table["lane"].max() - 0.6 if len(table) else -0.6, 0.6)
    if table.empty:
        axes.text((low + high) / 2, 0, "no gene in this locus", ha="center", color=style.SOFT)
    bare(axes)


def bare(axes: Axes) -> None:
    """Hide the ticks and spines of a panel without axes."""
    axes.set_yticks([])
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="x", length=0, labelbottom=False)


def draw_regions(axes: Axes, regions: pd.DataFrame, region_classes: RegionClasses) -> None:
    """Draw runs of region classes as boxes in their colours."""
    for row in records(regions):
        start, width = row["start"], row["end"] - row["start"]
        colour = style.region_colour(region_classes, row["region"])
        axes.add_patch(Rectangle((start, 0), width, 1, color=colour, linewidth=0))
    axes.set_ylim(0, 1)
    bare(axes)


def draw_repeats(axes: Axes, repeats: pd.DataFrame) -> None:
    """Draw interspersed repeats as grey boxes and tandem repeats as black ones."""
    for row in records(repeats):
        tandem = row["region"] in ("tandem", "Simple_repeat", "Satellite")
        colour = style.INK if tandem else style.SOFT
        box = Rectangle((row["start"], 0.15), row["end"] - row["start"], 0.7, color=colour)
        box.set(linewidth=0, alpha=1 if tandem else 0.55)
        axes.add_patch(box)
    axes.set_ylim(0, 1)
    bare(axes)


def draw_starts(axes: Axes, starts: pd.DataFrame) -> None:
    """Draw every transcription start as a triangle that points along its strand."""
    for row in records(starts):
        marker = {"+": ">", "-": "<"}.get(row["region"], "|")
        axes.plot(
            row["start"], 1.45, marker, markersize=3.6, color=style.INK, clip_on=False,
            markeredgewidth=0,
        )  # fmt: skip


def kilobases(position: float, length: int) -> str:
    """A position as a tick in kb, with the decimals that ticks of a locus of this length need."""
    decimals = 0 if length >= 7_000 else 1 if length >= 700 else 3
    return f"{position / 1000:,.{decimals}f}"


def side_label(axes: Axes, text: str, colour: str = style.INK, at: float = -0.055) -> None:
    """Write the name of a panel left of it."""
    axes.text(
        at, 0.5, text, transform=axes.transAxes, ha="right", va="center", fontsize=8.5,
        color=colour, fontweight="bold", linespacing=1.35,
    )  # fmt: skip


def draw_prob(axes: Axes, middle: pd.Series, prob: pd.Series, colour: str) -> None:
    """Draw boundary probabilities as filled steps around the middles of their bases or bins.

    An unknown probability leaves a gap.
    """
    places, values = middle.to_numpy(dtype=float), prob.to_numpy(dtype=float)
    inner = (places[1:] + places[:-1]) / 2
    first = places[0] - (inner[0] - places[0] if len(inner) else 0.5)
    last = places[-1] + (places[-1] - inner[-1] if len(inner) else 0.5)
    edges = np.concatenate([[first], inner, [last]])
    axes.stairs(values, edges, fill=True, color=colour, alpha=0.22, linewidth=0)
    axes.stairs(values, edges, baseline=None, color=colour, linewidth=0.7)


def bpt_axis(axes: Axes, least: float, most: float) -> None:
    """Logarithmic axis of bases per token from ``least`` at the top to ``most``."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(FixedLocator(style.BPT_TICKS))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.0f}"))
    axes.set_ylim(most, least)
