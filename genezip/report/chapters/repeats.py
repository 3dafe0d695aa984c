"""Figure of repeats: are they cut more coarsely than the DNA around them?"""

import math
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, NullLocator

from genezip.report import style
from genezip.report.drawing import Drawing, interval_words, new_figure, record
from genezip.report.region_style import region_colour, row_label
from genezip.report.repeat_sets import MIN_BASES, SETS, SPLITS, RepeatSet, band, ratio
from genezip.report.results import Results
from genezip.report.scores import Number

_WIDEST = 32  # ratios drawn at most; few blocks give intervals of many orders of magnitude
_MOST_TICKS = 6


def _panel(
    axes: Axes,
    results: Results,
    looks: dict[str, style.ModelStyle],
    metric: str,
    rows: list[tuple[RepeatSet, str]],
) -> list[dict[str, Any]]:
    """One row per (set, region): dots with intervals over the range of the shifted control."""
    found = []
    for row, (repeat, region) in enumerate(rows):
        y = len(rows) - 1 - row
        for offset, (name, look) in zip((0.17, -0.17), looks.items(), strict=False):
            if shifted := ratio(results, name, f"{metric}_shifted", repeat, region):
                low, high = band(shifted)
                axes.add_patch(
                    Rectangle((low, y + offset - 0.13), high - low, 0.26, color=look.colour,
                              alpha=0.17, linewidth=0)
                )  # fmt: skip
                found.append(_line(shifted, name, f"{metric}_shifted", repeat, region))
            if number := ratio(results, name, metric, repeat, region):
                style.dot(axes, number.value, y + offset, look, number.low, number.high, size=5.5)
                found.append(_line(number, name, metric, repeat, region))
        axes.axhline(y, color=style.RULE, linewidth=0.5, zorder=0)
    axes.axvline(1, color=style.SOFT, linewidth=0.8)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    return found


def _line(number: Number, model: str, metric: str, a: RepeatSet, region: str) -> dict[str, Any]:
    return record(number, model=model, metric=metric, subset=a.subset, split=a.split, region=region)


def _log_ratio(axes: Axes) -> None:
    axes.set_xscale("log", base=2)
    low, high = axes.get_xlim()
    axes.set_xlim(max(low, 1 / _WIDEST), min(high, _WIDEST))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: _label(x)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(_ticks(*axes.get_xlim()))


def _ticks(low: float, high: float) -> list[float]:
    """Round ratios inside the limits, few enough that their labels stay apart."""
    if high / low > 20:
        step = math.ceil(math.log2(high / low) / _MOST_TICKS)  # powers of two apart
        first, last = math.ceil(math.log2(low) / step), math.floor(math.log2(high) / step)
        return [2.0 ** (step * k) for k in range(first, last + 1)]
    fine = (0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5)
    coarse = (0.25, 0.5, 0.7, 1, 1.5, 2, 4)
    return [tick for tick in (fine if high / low < 2.2 else coarse) if low <= tick <= high]


def _label(ratio: float) -> str:
    return f"{ratio:g}" if ratio >= 0.5 else f"1/{1 / ratio:g}"


def repeats(results: Results) -> Drawing | None:
    """Bases per token in repeats over the background: plain, adjusted, and by region."""
    pair = [results.reference, results.control]
    looks = style.model_styles(pair, results.reference, results.control)
    sets = [s for s in SETS if ratio(results, results.reference, "bpt_ratio", s)]
    if not sets:
        return None
    rows = [(repeat, "all") for repeat in sets]
    regions = _regions(results, sets[:2])
    heights = [0.36 * len(rows), 0.36 * max(len(regions), 1)]
    total = sum(heights) + 2.25
    figure = new_figure(total)
    panels = figure.subplots(2, 2, height_ratios=heights, sharey="row")
    figure.subplots_adjust(
        left=0.215,
        right=0.985,
        bottom=0.5 / total,
        top=1 - 0.65 / total,
        wspace=0.1,
        hspace=2 * 0.95 / sum(heights),
    )
    data = _panel(panels[0, 0], results, looks, "bpt_ratio", rows)
    data += _panel(panels[0, 1], results, looks, "bpt_ratio_region_adjusted", rows)
    panels[0, 0].set_title("all regions together")
    panels[0, 1].set_title("adjusted for the regions they lie in")
    panels[0, 0].set_yticks(range(len(rows))[::-1], [a.name for a in sets])
    style.key(panels[0, 0], list(looks.values()), y=1 + 0.34 / heights[0])
    for axes, repeat in zip(panels[1], sets[:2], strict=False):
        data += _panel(axes, results, looks, "bpt_ratio", [(repeat, r) for r in regions])
        axes.set_title(f"{repeat.label}, {SPLITS[repeat.split]}, within each region")
    region_classes = results.region_classes
    panels[1, 0].set_yticks(
        range(len(regions))[::-1], [row_label(region_classes, region) for region in regions]
    )
    for text, region in zip(panels[1, 0].get_yticklabels(), regions, strict=True):
        text.set_color(region_colour(region_classes, region))
    for axes in panels[1, len(sets) :]:
        axes.set_visible(False)
    for axes in panels.flat:
        _log_ratio(axes)
        axes.set_xlabel("bases per token: repeat / background")
    return Drawing(
        "repeats",
        "Repeats against the DNA around them",
        "Bases per token inside a kind of repeat divided by that of its background, on the same "
        "pieces: right of 1, the model spends fewer tokens on the repeat. The background is DNA "
        "that is in neither kind, except for “tandem, all pieces”: there it is everything outside "
        "TRF calls, interspersed repeats included. Interspersed repeats of held-out DNA are "
        "soft-masked bases outside tandem repeats, on pieces with soft-masking only; "
        "RepeatMasker classes, where they exist on training DNA only, are shown as such. Repeats "
        "are rare in promoters, which are cut finely anyway, so the plain ratio mixes two things; "
        "the adjusted ratio and the ratio within each region reduce this. Pale bands: 95 % of "
        "the ratios that the same intervals give after a random shift along the piece; for a dot "
        "inside its band no preference is shown. Regions with fewer than "
        f"{MIN_BASES:,} such bases are not drawn; lines end at 1/{_WIDEST} and {_WIDEST}. "
        f"{interval_words(data)}{results.seed_note}",
        figure,
        pd.DataFrame(data),
    )


def _regions(results: Results, sets: list[RepeatSet]) -> list[str]:
    """Regions with enough bases of any of the repeat sets to be drawn."""
    return [
        region
        for region in results.region_classes.priority
        if any(ratio(results, results.reference, "bpt_ratio", repeat, region) for repeat in sets)
    ]
