"""A figure with the numbers behind it and the words beside it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from genezip.report import style
from genezip.report.scores import FEW, FEW_BLOCKS, Number

INTERVAL = "Lines are 95 % intervals (bootstrap over blocks of neighbouring windows)."


def interval_words(rows: list[dict[str, Any]], words: str = INTERVAL) -> str:
    """What the lines are, and how many of the drawn ones rest on few blocks."""
    few = sum(bool(row["few_blocks"]) for row in rows)
    if not few:
        return words
    return f"{words} Of {len(rows)} drawn values, {few} rest on fewer than {FEW_BLOCKS} ({FEW})."


@dataclass(frozen=True)
class Drawing:
    """A figure, the numbers behind it, and the words beside it."""

    name: str
    title: str
    caption: str
    figure: Figure
    data: pd.DataFrame

    @cached_property
    def svg(self) -> str:
        """The figure as SVG text, made once for page and file."""
        return style.svg(self.figure, self.name, self.title)


def new_figure(height_in: float) -> Figure:
    """A figure of the page's width."""
    return Figure(figsize=(style.WIDTH_IN, height_in))


def record(number: Number, **cells: Any) -> dict[str, Any]:
    """One line of the table behind a figure."""
    return {
        **cells,
        "value": number.value,
        "ci_low": number.low,
        "ci_high": number.high,
        "n": number.n,
        "unit": number.unit,
        "few_blocks": number.few,
    }
