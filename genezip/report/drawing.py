"""A figure with its numbers and caption, and helpers of all figures."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from genezip.artifacts.files import write_text
from genezip.artifacts.tables import write_tsv
from genezip.report import style
from genezip.report.results import Results
from genezip.report.scores import FEW, FEW_BLOCKS, Number

INTERVAL = "Lines are 95 % intervals (bootstrap over blocks of neighbouring windows)."
NO_BASE = "no such base in held-out DNA"
REGION_IN = 0.36  # height that a further region adds to a figure (in)
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
