"""The chapter on latency: time and peak memory of one forward pass against length.

It follows the paper's Figure 3, whose numbers were not recovered. The table is that of
``benchmarks/latency.py``, which draws the same figure.
"""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from genezip.report import style
from genezip.report.chapter import Chapter, Section
from genezip.report.drawing import Drawing, new_figure
from genezip.report.results import Results
from genezip.report.words import listed, plain

NAME = "latency"
TITLE = "Forward latency and peak memory against sequence length"
PANELS = (("median_ms", "time of one forward pass"), ("peak_mb", "peak memory"))
# the reference and the control of the page's palette are GeneZip and its flat peer
LOOKS = {
    "genezip": ("#6A1FA0", "o", True),
    "dnahnet": ("#6A1FA0", "o", True),
    "fixed": ("#8C2D04", "^", True),
    "flat": ("#111111", "o", False),
    "hnet": ("#00606B", "v", True),
    "unet": ("#8C2D04", "^", True),
    "flat-equal": ("#7A7A7A", "s", False),
}
LENGTH_TICKS = tuple(2**power for power in range(10, 21, 2))
POWERS = tuple(10.0**power for power in range(-2, 9))
STEPS = tuple(step * power for power in POWERS for step in (1, 2, 5))  # for narrow ranges


def looks(table: pd.DataFrame) -> dict[str, style.ModelStyle]:
    """Role -> style, in drawing order, of the models in the table."""
    names = table.drop_duplicates("role").set_index("role")["model"]
    return {
        role: style.ModelStyle(str(names[role]), *look)
        for role, look in LOOKS.items()
        if role in names
    }


def draw(table: pd.DataFrame) -> Figure:
    """The figure of a table of latencies.

    Rows without a time (out of memory, no sequence) leave gaps. One row of panels per input.
    """
    timed = table.dropna(subset=["median_ms"])
    inputs = list(dict.fromkeys(timed["input"])) or ["nothing was timed"]
    figure = new_figure(0.9 + 2.7 * len(inputs))
    panels = figure.subplots(len(inputs), 2, sharex=True, sharey="col", squeeze=False)
    height = figure.get_figheight()
    figure.subplots_adjust(
        left=0.075, right=0.985, bottom=0.5 / height, top=1 - 0.75 / height, wspace=0.2, hspace=0.24
    )
    chosen = looks(timed)
    for row, name in enumerate(inputs):
        for column, (quantity, title) in enumerate(PANELS):
            axes: Axes = panels[row, column]
            axes.set_title(f"{title}, {name}")
            for role, look in reversed(chosen.items()):
                line = timed[(timed["role"] == role) & (timed["input"] == name)]
                line = line.sort_values("length_bp")
                axes.plot(
                    line["length_bp"], line[quantity], color=look.colour, linestyle=look.dashes,
                    marker=look.marker, markersize=4.5,
                    markerfacecolor=look.colour if look.filled else "white",
                )  # fmt: skip
            _log_axes(axes, ticks_of(timed[quantity]), _time if quantity == "median_ms" else _size)
    for axes in panels[-1]:
        axes.set_xlabel("length of the sequence")
    style.key(panels[0, 0], list(chosen.values()), y=1.13)
    return figure


def ticks_of(values: pd.Series) -> list[float]:
    """Round numbers for a logarithmic axis, at least two of them among the values."""
    low, high = float(values.min()), float(values.max())
    if high > 100 * low:
        return list(POWERS)
    if sum(low <= step <= high for step in STEPS) > 1:
        return list(STEPS)
    return list(MaxNLocator(5).tick_values(low, high))  # nearly constant, as memory of short input


def _log_axes(axes: Axes, ticks: list[float], label: FuncFormatter) -> None:
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(FixedLocator(LENGTH_TICKS))
    axes.xaxis.set_major_formatter(FuncFormatter(_length))
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_major_formatter(label)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.grid(axis="y")


def _length(bases: float, _: object) -> str:
    return f"{bases / 2**20:.0f} Mb" if bases >= 2**20 else f"{bases / 2**10:.0f} kb"


@FuncFormatter
def _time(milliseconds: float, _: object) -> str:
    return f"{milliseconds / 1000:g} s" if milliseconds >= 1000 else f"{milliseconds:g} ms"


@FuncFormatter
def _size(megabytes: float, _: object) -> str:
    return f"{megabytes / 1000:g} GB" if megabytes >= 1000 else f"{megabytes:g} MB"


def section(results: Results) -> Section | None:
    """Device and versions, and how much faster the first model is than the others when longest."""
    table = results.latency
    if table.empty:
        return None
    timed = table.dropna(subset=["median_ms"])
    if timed.empty:
        return Section(["No length could be timed."])
    made = timed.iloc[0]
    text = [
        f"Measured on this machine: {made['device']}, {int(made['threads'])} "
        f"thread{'' if made['threads'] == 1 else 's'}, {made['dtype']}, torch {made['torch']}. "
        f"Only the forward pass is timed, one sequence at a time ({made['rule']})."
    ]
    return Section([*text, *_faster(timed)])


def _faster(timed: pd.DataFrame) -> list[str]:
    """Sentence on the longest length that all models of an input have."""
    found = []
    for name, group in timed.groupby("input", sort=False):
        models = list(dict.fromkeys(group["model"]))
        counts = group.groupby("length_bp")["model"].nunique()
        shared = counts[counts == len(models)].index
        if len(shared) == 0 or len(models) < 2:
            continue
        longest = max(shared)
        at: Any = group[group["length_bp"] == longest].set_index("model")["median_ms"]
        first, others = models[0], models[1:]
        parts = [f"{plain(at[other] / at[first], 2)} times {other}" for other in others]
        seconds = plain(at[first] / 1000, 3)
        found.append(
            f"At {longest:,} bp of {name}, {first} needs {seconds} s; as many bases a second as "
            f"{listed(parts)}."
        )
    return found


def latency(results: Results) -> Drawing | None:
    """Figure of time and peak memory against length."""
    table = results.latency
    if table.empty or table["median_ms"].isna().all():
        return None
    return Drawing(
        NAME,
        TITLE,
        "Left: median time of one forward pass. Right: peak memory of the process, weights "
        "included. A repeated snippet, as published, is unusual input for a router that depends on "
        "content, so real sequence stands beside it where there is enough of it. Lines end where "
        "memory or the sequence does.",
        draw(table),
        table,
    )


CHAPTER = Chapter("latency", "Latency and memory", section, {NAME: latency})
