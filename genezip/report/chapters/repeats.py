"""The chapter on repeats: bases per token there beside those of a background."""

import math
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, NullLocator

from genezip.artifacts.scores import CORPUS, SHIFTED, WITHOUT_TRF, Metric, ratio_of
from genezip.report import style
from genezip.report.chapter import Cell, Chapter, Section, Table
from genezip.report.drawing import Drawing, interval_words, name_rows, new_figure, record, rule_rows
from genezip.report.results import Results
from genezip.report.scores import Number
from genezip.report.words import capital, measured, per_seed, verdicts_of

_WIDEST = 32  # largest drawn ratio; intervals from few blocks span many orders of magnitude
_MOST_TICKS = 6
REPEAT_WORDS = {
    "above": "fewer tokens than the background",
    "below": "more tokens than the background",
    "around": "not shown to differ from the background",
    "unknown": "without an interval, so nothing is shown",
}
MIN_BASES = 1000  # a region with fewer bases of a repeat is not drawn
SPLITS = {"test": "held out", "train": "training DNA"}
_MASKED = "bases in neither kind; soft-masked segments only"
_RMSK = "bases without any RepeatMasker or TRF call; segments with RepeatMasker classes only"
_RMSK_ONLY = "bases without any RepeatMasker call; the source has no TRF calls"


class RepeatSet(NamedTuple):
    """A repeat set of one split, and its background."""

    subset: str
    split: str
    label: str
    background: str

    @property
    def name(self) -> str:
        """Label with the DNA of the split."""
        return f"{self.label}, {SPLITS[self.split]}"


SETS = (
    RepeatSet("softmasked_outside_trf", "test", "interspersed", _MASKED),
    RepeatSet("tandem", "test", "tandem", _MASKED),
    RepeatSet("tandem_all_pieces", "test", "tandem, all segments", "all bases outside TRF calls"),
    RepeatSet("rmsk_interspersed", "test", "interspersed (RepeatMasker)", _RMSK),
    RepeatSet("rmsk_simple_repeat", "test", "simple repeats (RepeatMasker)", _RMSK_ONLY),
    RepeatSet("rmsk_interspersed", "train", "interspersed", _RMSK),
    RepeatSet("rmsk_tandem", "train", "tandem", _RMSK),
    RepeatSet("rmsk_simple_repeat", "train", "simple repeats", _RMSK_ONLY),
    RepeatSet("SINE", "train", "SINE", _RMSK),
    RepeatSet("LINE", "train", "LINE", _RMSK),
    RepeatSet("LTR", "train", "LTR", _RMSK),
    RepeatSet("DNA", "train", "DNA transposon", _RMSK),
)
HELD_OUT = SETS[:2]  # the sets of the verdict, which count each base once


def ratio(
    results: Results,
    model: str,
    metric: str,
    a: RepeatSet,
    region: str = "all",
    seed: int | None = None,
) -> Number | None:
    """One result; None where the region has fewer than ``MIN_BASES`` bases of the repeat."""
    where: dict[str, Any] = {"subset": a.subset, "split": a.split, "region": region, "seed": seed}
    bases = results.repeats.find(Metric.BPT_RATIO, model, **where)
    if region != "all" and (bases is None or (bases.n or 0) < MIN_BASES):
        return None
    return results.repeats.find(metric, model, **where)


def band(number: Number) -> tuple[float, float]:
    """Range of the shifted control; its value where it has no range."""
    low = number.value if number.low is None else number.low
    return low, number.value if number.high is None else number.high


def shown_side(results: Results, metric: str, a: RepeatSet, seed: int, number: Number) -> str:
    """Side of the interval from 1; ``around`` if the value is in the range of random shifts."""
    side = number.side(1)
    shifted = ratio(results, results.reference, metric + SHIFTED, a, seed=seed)
    if side in ("above", "below") and shifted:
        low, high = band(shifted)
        return "around" if low <= number.value <= high else side
    return side


def blocks(results: Results, a: RepeatSet) -> int | None:
    """Number of bootstrap blocks of a set's interval; None without an interval."""
    found = ratio(results, results.reference, Metric.BPT_RATIO, a)
    return found.blocks if found else None


def background(results: Results, a: RepeatSet) -> str:
    """Background of a set; without TRF calls, that of RepeatMasker alone."""
    alone = results.repeats.find("bp", CORPUS, subset=WITHOUT_TRF, split=a.split)
    return _RMSK_ONLY if alone and a.background == _RMSK else a.background


def remarks(results: Results) -> list[str]:
    """Sentences on tables that the source lacks, and on sets without a base."""
    found = []
    tables = results.source.get("repeats") or {}
    absent = [key for key in ("rmsk", "trf") if key in tables and tables[key] is None]
    if absent:
        names = {"rmsk": "RepeatMasker classes (genome.rmsk)", "trf": "TRF calls (genome.trf)"}
        lost = " and no ".join(names[key] for key in absent)
        found.append(f"The source has no {lost}; results that need them are unknown, not zero.")
    frame = results.repeats.frame
    bases = frame[(frame["model"] == CORPUS) & (frame["metric"] == Metric.BP)]
    for split, where in SPLITS.items():
        empty = bases[(bases["split"] == split) & (bases["value"] == 0)]["subset"]
        labels = {a.subset: a.label for a in SETS if a.split == split}
        if len(empty):
            named = ", ".join(dict.fromkeys(labels.get(name, name) for name in empty))
            found.append(f"The measured DNA ({where}) has no base of: {named}.")
    if not results.repeats.models:
        found.append("No repeat was measured.")
    return found


def section(results: Results) -> Section:
    """Text with the verdict first, and the table of repeats."""
    text = [
        "Repeats are copies, often old and decayed. The training targets do not include them, so a "
        "preference of the model in repeats is not due to a target.",
        *verdict(results),
        *steered(results),
        *remarks(results),
    ]
    return Section(text, [table] if (table := _repeat_table(results)) else [])


def verdict(results: Results) -> list[str]:
    """Sentences on held-out repeats, plain and adjusted, beside the published direction."""
    seeds = results.seeds(results.reference)
    lines, sides = [], []
    for repeat in HELD_OUT:
        parts = []
        for metric, label in (
            (Metric.BPT_RATIO, "plain ratio"),
            (Metric.ADJUSTED_RATIO, "ratio adjusted for regions"),
        ):
            numbers = [ratio(results, results.reference, metric, repeat, seed=s) for s in seeds]
            if not any(numbers):
                continue

            def side(seed: int, number: Number, metric: str = metric, a: RepeatSet = repeat) -> str:
                return shown_side(results, metric, a, seed, number)

            parts.append(f"{label} {verdicts_of(seeds, numbers, REPEAT_WORDS, side)}")
            sides += [side(s, n) for s, n in zip(seeds, numbers, strict=True) if n]
        if parts:
            lines.append(f"{capital(repeat.label)} repeats of held-out DNA: {'; '.join(parts)}.")
    if not lines:
        return []
    counts = [sides.count(name) for name in ("above", "below")]
    rest = len(sides) - sum(counts)
    first = (
        "The published result is fewer tokens in repeats. Of "
        f"{len(sides)} comparisons of {results.reference} on held-out DNA, {counts[0]} show this, "
        f"{counts[1]} show the opposite, and {rest} show no difference. A difference is shown if "
        "the interval excludes 1 and the value lies outside the range of random shifts."
    )
    return [first, " ".join(lines)]


def _repeat_table(results: Results) -> Table | None:
    """Table of bases, blocks and ratios of the reference, of every set with results."""
    rows: list[list[Cell]] = []
    seeds = results.seeds(results.reference)
    counted = any(blocks(results, a) is not None for a in SETS)
    for repeat in SETS:
        plain_ratio, adjusted = (
            [ratio(results, results.reference, metric, repeat, seed=s) for s in seeds]
            for metric in (Metric.BPT_RATIO, Metric.ADJUSTED_RATIO)
        )
        bases = next((number.n for number in plain_ratio if number), None)
        if bases is None:
            continue
        held = blocks(results, repeat)
        rows.append(
            [
                repeat.name,
                background(results, repeat),
                f"{bases:,}",
                *([] if not counted else ["–" if held is None else f"{held:,}"]),
                per_seed(seeds, [measured(number) for number in plain_ratio]),
                per_seed(seeds, [measured(number) for number in adjusted]),
            ]
        )
    head = ["repeat", "background", "bases", *(["blocks"] if counted else [])]
    head += ["ratio (95 % interval)", "adjusted for regions"]
    title = f"Bases per token of {results.reference}, repeat over background"
    note = "" if counted else "The number of blocks with each repeat was not counted."
    return Table(head, rows, (2, 3) if counted else (2,), title, note) if rows else None


def _panel(
    axes: Axes,
    results: Results,
    looks: dict[str, style.ModelStyle],
    metric: str,
    rows: list[tuple[RepeatSet, str]],
) -> list[dict[str, Any]]:
    """Draw a row per (set, region): dots with intervals over the range of the shifted control."""
    found = []
    for row, (repeat, region) in enumerate(rows):
        y = len(rows) - 1 - row
        for offset, (name, look) in zip((0.17, -0.17), looks.items(), strict=False):
            if shifted := ratio(results, name, metric + SHIFTED, repeat, region):
                low, high = band(shifted)
                axes.add_patch(
                    Rectangle((low, y + offset - 0.13), high - low, 0.26, color=look.colour,
                              alpha=0.17, linewidth=0)
                )  # fmt: skip
                found.append(_line(shifted, name, metric + SHIFTED, repeat, region))
            if number := ratio(results, name, metric, repeat, region):
                style.dot(axes, number.value, y + offset, look, number.low, number.high, size=5.5)
                found.append(_line(number, name, metric, repeat, region))
    axes.axvline(1, color=style.SOFT, linewidth=0.8)
    rule_rows(axes, len(rows))
    return found


def _line(number: Number, model: str, metric: str, a: RepeatSet, region: str) -> dict[str, Any]:
    return record(number, model=model, metric=metric, subset=a.subset, split=a.split, region=region)


def _log_ratio(axes: Axes) -> None:
    axes.set_xscale("log", base=2)
    low, high = axes.get_xlim()
    axes.set_xlim(max(low, 1 / _WIDEST), min(high, _WIDEST))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda x, _: f"{x:g}" if x >= 0.5 else f"1/{1 / x:g}")
    )
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(_ticks(*axes.get_xlim()))


def _ticks(low: float, high: float) -> list[float]:
    """Round ratios inside the limits, few enough for separate labels."""
    if high / low > 20:
        step = math.ceil(math.log2(high / low) / _MOST_TICKS)  # powers of two apart
        first, last = math.ceil(math.log2(low) / step), math.floor(math.log2(high) / step)
        return [2.0 ** (step * k) for k in range(first, last + 1)]
    fine = (0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5)
    coarse = (0.25, 0.5, 0.7, 1, 1.5, 2, 4)
    return [tick for tick in (fine if high / low < 2.2 else coarse) if low <= tick <= high]


def repeats(results: Results) -> Drawing | None:
    """Bases per token in repeats over the background: plain, adjusted, and by region."""
    looks = style.pair(results)
    sets = [s for s in SETS if ratio(results, results.reference, Metric.BPT_RATIO, s)]
    if not sets:
        return None
    rows = [(repeat, "all") for repeat in sets]
    regions = [
        region
        for region in results.region_classes.priority
        if any(ratio(results, results.reference, Metric.BPT_RATIO, s, region) for s in sets[:2])
    ]
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
    data = _panel(panels[0, 0], results, looks, Metric.BPT_RATIO, rows)
    data += _panel(panels[0, 1], results, looks, Metric.ADJUSTED_RATIO, rows)
    panels[0, 0].set_title("all regions together")
    panels[0, 1].set_title("adjusted for the regions they lie in")
    name_rows(panels[0, 0], [a.name for a in sets])
    style.key(panels[0, 0], list(looks.values()), y=1 + 0.34 / heights[0])
    for axes, repeat in zip(panels[1], sets[:2], strict=False):
        data += _panel(axes, results, looks, Metric.BPT_RATIO, [(repeat, r) for r in regions])
        axes.set_title(f"{repeat.label}, {SPLITS[repeat.split]}, within each region")
    region_classes = results.region_classes
    name_rows(
        panels[1, 0],
        [style.row_label(region_classes, region) for region in regions],
        [style.region_colour(region_classes, region) for region in regions],
        weight="normal",
    )
    for axes in panels[1, len(sets) :]:
        axes.set_visible(False)
    for axes in panels.flat:
        _log_ratio(axes)
        axes.set_xlabel("bases per token: repeat / background")
    return Drawing(
        "repeats",
        "Bases per token in repeats and in their background",
        "Bases per token inside a kind of repeat divided by that of its background, on the same "
        "segments: right of 1, the model has fewer tokens in the repeat. The background is DNA in "
        "neither kind, except for “tandem, all segments”: there it is all DNA outside TRF calls, "
        "interspersed repeats included. Interspersed repeats of held-out DNA are soft-masked bases "
        "outside tandem repeats, on segments with soft-masking only; rows on training DNA are "
        "named so. Repeats are rare in promoters, which have many tokens anyway, so the plain "
        "ratio mixes two effects; the adjusted ratio and the ratio within each region reduce this. "
        "Pale bands: 95 % of the ratios of the same intervals after random shifts along the "
        "segment; for a dot inside its band no preference is shown. Regions with fewer than "
        f"{MIN_BASES:,} such bases are not drawn; lines end at 1/{_WIDEST} and {_WIDEST}. "
        f"{interval_words(data)}{results.seed_note}",
        figure,
        pd.DataFrame(data),
    )


KINDS = {
    "families": "family",
    "ages": "divergence from the consensus",
    "periods": "tandem repeats, length of the unit",
    "copies": "tandem repeats, copies of the unit",
}
"""Grouping of repeats -> its title."""


def _groups(results: Results, grouping: str) -> tuple[str, list[str]]:
    """Split in which a grouping was measured, held-out DNA first, and its groups with a ratio."""
    frame = results.repeat_kinds.frame
    own = frame[frame["subset"].astype(str).str.startswith(f"{grouping}:")]
    own = own[(own["metric"] == Metric.ADJUSTED_RATIO) & (own["model"] == results.reference)]
    own = own[own["n"] >= MIN_BASES]
    for split in SPLITS:
        if names := [*dict.fromkeys(own.loc[own["split"] == split, "subset"])]:
            return split, names
    return "", []


def repeat_kinds(results: Results) -> Drawing | None:
    """Adjusted ratio of families, ages, periods and copy numbers, a panel for each grouping."""
    found = {name: _groups(results, name) for name in KINDS}
    found = {name: groups for name, groups in found.items() if groups[1]}
    if not found:
        return None
    looks = style.pair(results)
    rows = [max(len(groups) for _, groups in part) for part in _halves(list(found.values()))]
    heights = [0.27 * max(count, 2) for count in rows]
    total = sum(heights) + 0.85 + 0.95 * len(heights)
    figure = new_figure(total)
    panels = figure.subplots(len(heights), 2, height_ratios=heights, squeeze=False)
    figure.subplots_adjust(
        left=0.115, right=0.985, bottom=0.5 / total, top=1 - 0.75 / total, wspace=0.3,
        hspace=2 * 0.95 / sum(heights) if len(heights) > 1 else 0,
    )  # fmt: skip
    data: list[dict[str, Any]] = []
    for axes, (grouping, (split, names)) in zip(panels.flat, found.items(), strict=False):
        for row, name in enumerate(names):
            y = len(names) - 1 - row
            for offset, (model, look) in zip((0.17, -0.17), looks.items(), strict=False):
                where: dict[str, Any] = {"subset": name, "split": split}
                find = results.repeat_kinds.find
                if shifted := find(Metric.ADJUSTED_RATIO + SHIFTED, model, **where):
                    low, high = band(shifted)
                    axes.add_patch(
                        Rectangle((low, y + offset - 0.13), high - low, 0.26, color=look.colour,
                                  alpha=0.17, linewidth=0)
                    )  # fmt: skip
                if number := find(Metric.ADJUSTED_RATIO, model, **where):
                    style.dot(axes, number.value, y + offset, look, number.low, number.high, 5)
                    data.append(record(number, model=model, subset=name, split=split))
        axes.axvline(1, color=style.SOFT, linewidth=0.8)
        rule_rows(axes, len(names))
        name_rows(axes, [name.partition(":")[2] for name in names], weight="normal")
        axes.set_title(f"{KINDS[grouping]} ({SPLITS[split]})")
        axes.set_xlabel("bases per token: repeat / background")
        _log_ratio(axes)
    for axes in list(panels.flat)[len(found) :]:
        axes.set_visible(False)
    style.key(panels[0, 0], list(looks.values()), y=1 + 0.34 / heights[0])
    return Drawing(
        "repeat_kinds",
        "Which repeats get fewer tokens",
        "Bases per token in a kind of repeat divided by those of DNA in no repeat in the same "
        "regions: right of 1, the model spends fewer tokens on it. For periods and numbers of "
        "copies the background is all DNA outside tandem repeats. Old copies of interspersed "
        "repeats differ more from their consensus. Pale bands are 95 % of the ratios after random "
        "shifts of the repeats along the segment; for a dot inside its band none is shown. "
        f"Groups with fewer than {MIN_BASES:,} bases are not drawn. {interval_words(data)}"
        f"{results.seed_note}",
        figure,
        pd.DataFrame(data),
    )


def _halves(values: list[Any]) -> list[list[Any]]:
    """Pairs of neighbours, which stand in one row of panels."""
    return [values[low : low + 2] for low in range(0, len(values), 2)]


def steered(results: Results) -> list[str]:
    """Sentence on the region targets: ratios of the reference over those of its control."""
    pair = ratio_of(results.reference, results.control)
    found = []
    for repeat in HELD_OUT:
        number = results.repeats.find(
            Metric.ADJUSTED_RATIO, pair, subset=repeat.subset, split=repeat.split
        )
        if number:
            words = {
                "above": "larger with region targets",
                "below": "smaller with region targets",
                "around": "not shown to differ",
                "unknown": "of unknown difference",
            }[number.side(1)]
            found.append(f"{repeat.label} {measured(number)}, {words}")
    if not found:
        return []
    return [
        "The paper credits the region targets. The adjusted ratio of "
        f"{results.reference} divided by that of {results.control}, which has none, on the same "
        f"bases: {'; '.join(found)}."
    ]


CHAPTER = Chapter("repeats", "Repeats", section, {"repeats": repeats, "repeat_kinds": repeat_kinds})
