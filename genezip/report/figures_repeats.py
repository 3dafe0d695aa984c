"""Figure of repeats: are they cut more coarsely than the DNA around them?"""

from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, NullLocator

from genezip.report import style
from genezip.report.drawing import INTERVAL, Drawing, new_figure, record
from genezip.report.results import Number, Results, pick
from genezip.taxonomy import CLASSES

MIN_BASES = 1000  # a region with fewer bases of a repeat says too little to be drawn


class Set(NamedTuple):
    """A repeat set of one split."""

    subset: str
    split: str
    label: str


SETS = (
    Set("softmasked_outside_trf", "test", "interspersed"),
    Set("tandem", "test", "tandem"),
    Set("tandem_all_pieces", "test", "tandem, all pieces"),
    Set("rmsk_interspersed", "test", "interspersed (RepeatMasker)"),
    Set("rmsk_interspersed", "train", "interspersed"),
    Set("rmsk_tandem", "train", "tandem"),
    Set("SINE", "train", "SINE"),
    Set("LINE", "train", "LINE"),
    Set("LTR", "train", "LTR"),
    Set("DNA", "train", "DNA transposon"),
)
SPLITS = {"test": "held out", "train": "training DNA"}


def _get(results: Results, model: str, metric: str, a: Set, region: str = "all") -> Number | None:
    return pick(
        results.repeats, model=model, metric=metric, subset=a.subset, split=a.split, region=region
    )


def _panel(
    axes: Axes,
    results: Results,
    looks: dict[str, style.ModelStyle],
    metric: str,
    rows: list[tuple[Set, str]],
) -> list[dict[str, Any]]:
    """One row per (set, region): dots with intervals over the range of the shifted control."""
    found = []
    for row, (repeat, region) in enumerate(rows):
        y = len(rows) - 1 - row
        for offset, (name, look) in zip((0.17, -0.17), looks.items(), strict=False):
            if band := _get(results, name, f"{metric}_shifted", repeat, region):
                low, high = band.low or band.value, band.high or band.value
                axes.add_patch(
                    Rectangle((low, y + offset - 0.13), high - low, 0.26, color=look.colour,
                              alpha=0.17, linewidth=0)
                )  # fmt: skip
                found.append(_line(band, name, f"{metric}_shifted", repeat, region))
            if number := _get(results, name, metric, repeat, region):
                style.dot(axes, number.value, y + offset, look, number.low, number.high, size=5.5)
                found.append(_line(number, name, metric, repeat, region))
        axes.axhline(y, color=style.RULE, linewidth=0.5, zorder=0)
    axes.axvline(1, color=style.SOFT, linewidth=0.8)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    return found


def _line(number: Number, model: str, metric: str, a: Set, region: str) -> dict[str, Any]:
    return record(number, model=model, metric=metric, subset=a.subset, split=a.split, region=region)


def _log_ratio(axes: Axes) -> None:
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    low, high = axes.get_xlim()
    ticks = [t for t in (0.25, 0.5, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 4) if low <= t <= high]
    wide = high / low > 2.2
    axes.set_xticks([t for t in ticks if not wide or t in (0.25, 0.5, 0.7, 1, 1.5, 2, 4)])


def repeats(results: Results) -> Drawing | None:
    """Bases per token in repeats over the background: plain, adjusted, and by region."""
    looks = style.model_styles(
        [results.reference, results.control], results.reference, results.control
    )
    sets = [s for s in SETS if _get(results, results.reference, "bpt_ratio", s)]
    if not sets:
        return None
    rows = [(repeat, "all") for repeat in sets]
    strata = [
        (repeat, region)
        for repeat in sets[:2]
        for region in CLASSES
        if (n := _get(results, results.reference, "bpt_ratio", repeat, region))
        and (n.n or 0) >= MIN_BASES
    ]
    top, bottom = 0.36 * len(rows), 0.3 * len(strata)
    figure = new_figure(top + bottom + 2.1)
    total = figure.get_figheight()
    grid = figure.add_gridspec(
        2, 1, height_ratios=[top, max(bottom, 0.1)], left=0.2, right=0.985,
        bottom=0.5 / total, top=1 - 0.6 / total, hspace=1.0 / max((top + bottom) / 2, 0.6),
    )  # fmt: skip
    upper = grid[0].subgridspec(1, 2, wspace=0.08)
    left, right = figure.add_subplot(upper[0]), figure.add_subplot(upper[1])
    data = _panel(left, results, looks, "bpt_ratio", rows)
    data += _panel(right, results, looks, "bpt_ratio_region_adjusted", rows)
    left.set_yticks(
        range(len(rows))[::-1], [f"{repeat.label}, {SPLITS[repeat.split]}" for repeat in sets]
    )
    right.set_yticks([])
    left.set_title("all regions together")
    right.set_title("adjusted for the regions that the repeats lie in")
    style.key(left, list(looks.values()), y=1 + 0.34 / top)
    below = figure.add_subplot(grid[1])
    data += _panel(below, results, looks, "bpt_ratio", strata)
    below.set_yticks(
        range(len(strata))[::-1],
        [f"{repeat.label} · {style.region_label(region)}" for repeat, region in strata],
    )
    for text, (_, region) in zip(below.get_yticklabels(), strata, strict=True):
        text.set_color(style.region_colour(region))
    below.set_title(f"within each region, {SPLITS[sets[0].split]}")
    for axes in (left, right, below):
        _log_ratio(axes)
    below.set_xlabel("bases per token in the repeat / in the background (log; above 1 = coarser)")
    return Drawing(
        "repeats",
        "Repeats against the DNA around them",
        "Bases per token inside a kind of repeat divided by that of the background (neither "
        "kind), on the same pieces: right of 1, the model spends fewer tokens on the repeat. "
        "Interspersed repeats of held-out DNA are its soft-masked bases outside tandem repeats; "
        "RepeatMasker classes exist on training DNA only. Repeats are rare in promoters, which "
        "are cut finely anyway, so the plain ratio (left) mixes two things; the adjusted ratio "
        "(right) and the ratio within each region (below) take this out. Pale bands: 95 % of "
        "the ratios that the same intervals give after a random shift along the piece; a dot "
        "inside its band shows no preference. Regions with fewer than "
        f"{MIN_BASES:,} such bases are not drawn. {INTERVAL}",
        figure,
        pd.DataFrame(data),
    )
