"""Figures of held-out compression: perplexity and bases per token, by region."""

import math
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from genezip.artifacts.scores import markov_name
from genezip.region_classes import RegionClasses
from genezip.report import claims, style
from genezip.report.drawing import Drawing, interval_words, new_figure, record
from genezip.report.region_style import region_colour, row_label
from genezip.report.results import Results
from genezip.report.scores import Number
from genezip.report.verdicts import NO_BASE

ROW_IN = 0.36  # height that a further region adds to a figure (in)


def _region_rows(axes: Axes, regions: list[str], region_classes: RegionClasses) -> dict[str, int]:
    """Label one row per region from the top, each name in its colour; returns name -> y."""
    places = {name: len(regions) - 1 - row for row, name in enumerate(regions)}
    axes.set_yticks(list(places.values()), [row_label(region_classes, name) for name in places])
    for text, name in zip(axes.get_yticklabels(), places, strict=True):
        text.set_color(region_colour(region_classes, name))
        text.set_fontweight("bold")
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-0.6, len(regions) - 0.4)
    for y in places.values():
        axes.axhline(y, color=style.RULE, linewidth=0.5, zorder=0)
    axes.spines["left"].set_visible(False)
    return places


def _known(results: Results, metric: str) -> list[str]:
    """Regions with a number, and those of which held-out DNA holds no base: a row says so."""
    return [
        region
        for region in ("all", *results.region_classes.priority)
        if results.number(metric, results.reference, region=region) or results.no_base(region)
    ]


def _say_empty(
    axes: Axes, results: Results, places: dict[str, int], metric: str
) -> list[dict[str, Any]]:
    """Write into the rows without any base that there is none; their lines of the table."""
    empty = [region for region in places if results.no_base(region)]
    for region in empty:
        axes.text(
            0.01, places[region], NO_BASE, transform=axes.get_yaxis_transform(), va="center",
            fontsize=8, style="italic", color=style.SOFT,
        )  # fmt: skip
    return [
        record(Number(math.nan, n=0), model=name, region=region, metric=metric, note=NO_BASE)
        for name in _pair(results)
        for region in empty
    ]


def _pair(results: Results) -> dict[str, style.ModelStyle]:
    names = [results.reference, results.control]
    return style.model_styles(names, results.reference, results.control)


def _ppl_by_region(axes: Axes, results: Results, orders: list[int]) -> list[dict[str, Any]]:
    """Models as dots, Markov models as numbered ticks, one row per region."""
    places = _region_rows(axes, _known(results, "ppl"), results.region_classes)
    rows = _say_empty(axes, results, places, "ppl")
    for order in orders:
        for region, y in places.items():
            if number := results.markov_ppl(order, region):
                axes.text(
                    number.value, y, str(order), ha="center", va="center", fontsize=7.5,
                    color=style.SOFT, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4},
                )  # fmt: skip
                axes.plot(number.value, y, alpha=0)  # text alone does not widen the axis
                rows.append(record(number, model=markov_name(order), region=region, metric="ppl"))
    for offset, (name, look) in zip((0.17, -0.17), _pair(results).items(), strict=True):
        for region, y in places.items():
            if number := results.number("ppl", name, region=region):
                style.dot(axes, number.value, y + offset, look, number.low, number.high)
                rows.append(record(number, model=name, region=region, metric="ppl"))
    axes.set_xlabel("perplexity (4 = guessing; lower is better)")
    axes.set_title("by region")
    return rows


def _ppl_by_order(axes: Axes, results: Results) -> list[dict[str, Any]]:
    """Markov perplexity against order, and the two models as level lines."""
    orders = range(max(claims.telling_orders(results), default=-1) + 1)
    found = [(order, number) for order in orders if (number := results.markov_ppl(order))]
    axes.plot([o for o, _ in found], [n.value for _, n in found], color=style.SOFT, zorder=2)
    axes.plot(
        [o for o, _ in found], [n.value for _, n in found], "o", markersize=3.2, color=style.SOFT
    )
    ends = {name: number for name in _pair(results) if (number := results.number("ppl", name))}
    highest = max(ends, key=lambda name: ends[name].value)
    for name, number in ends.items():
        look = _pair(results)[name]
        axes.axhline(number.value, color=look.colour, linestyle=look.dashes)
        axes.annotate(
            name, (1, number.value), xycoords=("axes fraction", "data"), ha="right",
            va="bottom" if name == highest else "top", xytext=(0, 2 if name == highest else -2),
            textcoords="offset points", fontsize=8, color=look.colour,
        )  # fmt: skip
    if found:
        axes.annotate(
            "Markov models", (found[0][0], found[0][1].value),
            xytext=(8, 0), textcoords="offset points", va="center", fontsize=8, color=style.SOFT,
        )  # fmt: skip
    axes.set_xlabel("order of the Markov model (bases of context)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.set_title("all bases")
    return [record(n, model=markov_name(o), region="all", metric="ppl") for o, n in found]


def _bound_share(axes: Axes, results: Results) -> list[dict[str, Any]]:
    """Share of windows in which floor or ceiling changed the tokens of a stage."""
    rows: list[dict[str, Any]] = []
    labels: list[str] = []
    colours: list[str] = []
    for name, look in _pair(results).items():
        stage = 0
        while number := results.number(f"bound_bit_share_stage{stage}", name):
            y = -len(labels)
            low, high = (None if v is None else 100 * v for v in (number.low, number.high))
            style.dot(axes, 100 * number.value, y, look, low, high)
            labels.append(f"stage {stage}")
            colours.append(look.colour)
            rows.append(record(number, model=name, region="all", metric=f"bound_bit_stage{stage}"))
            stage += 1
    axes.set_yticks([-y for y in range(len(labels))], labels)
    for text, colour in zip(axes.get_yticklabels(), colours, strict=True):
        text.set_color(colour)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-len(labels) + 0.4, 0.6)
    for y in range(len(labels)):
        axes.axhline(-y, color=style.RULE, linewidth=0.5, zorder=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlim(-4, 104)
    axes.set_xlabel("windows (%)")
    axes.set_title("a bound bit")
    return rows


def perplexity(results: Results) -> Drawing | None:
    """Perplexity by region, against Markov models, beside how often a bound bit."""
    if results.number("ppl", results.reference) is None:
        return None
    shown = claims.telling_orders(results)
    figure = new_figure(3.9 + ROW_IN * len(results.region_classes.user_classes))
    left, middle, right = figure.subplots(1, 3, width_ratios=[1.5, 1, 0.62])
    figure.subplots_adjust(left=0.135, right=0.985, bottom=0.125, top=0.84, wspace=0.3)
    rows = _ppl_by_region(left, results, shown)
    rows += [row for row in _ppl_by_order(middle, results) if row not in rows]
    rows += _bound_share(right, results)
    style.key(left, list(_pair(results).values()), y=1.12)
    numbered = ", ".join(map(str, shown))
    return Drawing(
        "perplexity",
        "Guessing the next base",
        "Perplexity is the number of bases the model hesitates between, on average: 4 is pure "
        "guessing. Left: by region; grey numerals mark Markov models of that order "
        f"({numbered}), which guess from the last bases alone. Middle: Markov models of every "
        "order, and the two models as level lines (solid and dashed as in training figures). "
        "Right: the share of windows in which the floor or ceiling on tokens changed what the "
        "router chose; these bounds look at the whole window, so where they bite, perplexity is "
        f"not strictly that of a left-to-right model. {interval_words(rows)}{results.seed_note}",
        figure,
        pd.DataFrame(rows).drop_duplicates(),
    )


def _bpt_columns(axes: Axes, results: Results, places: dict[str, int]) -> None:
    """The numbers of the figure on its right: got and asked, a column per model."""
    top = len(places)
    for x, (name, look) in zip((1.1, 1.28), _pair(results).items(), strict=True):
        place: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "color": look.colour}
        axes.text(x, top + 0.2, name, ha="center", fontsize=8.5, fontweight="bold", **place)
        axes.text(x, top - 0.2, "got / asked", ha="center", fontsize=8, **place)
        for region, y in places.items():
            metric = "expected_bpt" if region == "all" else "target_bpt"
            target = results.number(metric, name, region=region)
            if number := results.number("bpt", name, region=region):
                asked = f"{target.value:,.0f}" if target else "–"
                for text, shift, side in (
                    (f"{number.value:,.0f}", -0.014, "right"),
                    ("/", 0.0, "center"),
                    (asked, 0.014, "left"),
                ):
                    axes.text(x + shift, y, text, ha=side, va="center", fontsize=8.5, **place)


def bpt(results: Results) -> Drawing | None:
    """Realised against asked bases per token, by region, of both models."""
    known = _known(results, "bpt")
    if results.number("bpt", results.reference) is None:
        return None
    figure = new_figure(3.7 + ROW_IN * len(results.region_classes.user_classes))
    axes = figure.subplots()
    figure.subplots_adjust(left=0.135, right=0.74, bottom=0.13, top=0.88)
    places = _region_rows(axes, known, results.region_classes)
    rows: list[dict[str, Any]] = []
    for offset, (name, look) in zip((0.17, -0.17), _pair(results).items(), strict=True):
        for region, y in places.items():
            metric = "expected_bpt" if region == "all" else "target_bpt"
            target = results.number(metric, name, region=region)
            if target and not results.no_base(region):
                ends = [y + offset - 0.17, y + offset + 0.17]
                bar = axes.plot([target.value] * 2, ends, color=look.colour, linewidth=4, alpha=0.3)
                bar[0].set_solid_capstyle("butt")
                rows.append(record(target, model=name, region=region, metric=metric))
            if number := results.number("bpt", name, region=region):
                style.dot(axes, number.value, y + offset, look, number.low, number.high)
                rows.append(record(number, model=name, region=region, metric="bpt"))
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator([2.0**power for power in range(1, 16)]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    values = [row["value"] for row in rows] + [row["ci_high"] or 0 for row in rows]
    axes.set_xlim(0.75 * min(value for value in values if value), 1.25 * max(values))
    axes.set_xlabel("bases per token (log scale; fewer = finer)")
    style.key(axes, list(_pair(results).values()), y=1.04)
    _bpt_columns(axes, results, places)
    rows += _say_empty(axes, results, places, "bpt")
    return Drawing(
        "bpt",
        "How finely each region is cut",
        "Dots: bases per token that came out on held-out DNA. Pale bars of the same colour: what "
        "the model was asked for (for all bases together: what the targets of the regions imply "
        "for this DNA). A dot on its bar is on target; to the left of it, the region got more "
        f"tokens than asked. {interval_words(rows)}{results.seed_note}",
        figure,
        pd.DataFrame(rows),
    )
