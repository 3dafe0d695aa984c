"""The chapter on masked bases: a bidirectional network beside models that count."""

import math

import pandas as pd

from genezip.artifacts.scores import (
    EQUAL,
    TWO_SIDED,
    VISIBLE,
    WINDOW_GC,
    Metric,
    difference_of,
    two_sided_name,
)
from genezip.report import style
from genezip.report.chapter import Cell, Chapter, Section, Table
from genezip.report.chapters.training import logged_values, long_table, running_mean, thinned
from genezip.report.drawing import Drawing, new_figure
from genezip.report.results import Curve, Results
from genezip.report.scores import Number
from genezip.report.words import fixed, listed, measured

COLUMNS = 3  # panels of the figure side by side
PANEL_IN = 2.0
COUNTING = {
    TWO_SIDED: "two-sided Markov model, the same masks",
    EQUAL: "two-sided Markov model that learns from masked bases alone",
    two_sided_name(0): "composition of training DNA",
    WINDOW_GC: "GC content of the visible bases",
    VISIBLE: "two-sided Markov model, all neighbours visible",
}
LINES = {"masked_bpt": "with masks", "bpt": "without masks"}


def networks(results: Results) -> list[str]:
    """Networks whose prediction of masked bases was measured, in file order."""
    frame = results.masked.frame
    measured_bits = frame[(frame["metric"] == Metric.MASK_BITS) & frame["seed"].notna()]
    return list(dict.fromkeys(measured_bits["model"]))


def section(results: Results) -> Section | None:
    """The chapter; None where no masked bases were predicted."""
    names = networks(results)
    if not names:
        return None
    text = [
        "Some bases of held-out windows are replaced by a mask and predicted from both sides, all "
        "masks of a window at once. The number is bits per masked base: bases that were chosen but "
        "kept can be read off, so the usual loss over all chosen bases flatters a network. It is "
        "no likelihood of a sequence and is compared with no bits per base of other chapters.",
        "A two-sided Markov model counts every base of the training DNA. A network learns from the "
        "masked bases of its windows alone, so a second Markov model counts no others.",
        *(_verdict(results, name, other) for other in (TWO_SIDED, EQUAL) for name in names),
        _ratio(results, names),
    ]
    tables = [_table(results, names), _region_table(results, names), *_matched_tables(results)]
    return Section([part for part in text if part], tables)


def _verdict(results: Results, name: str, other: str) -> str:
    """Sentence on the difference from a two-sided Markov model, by seed."""
    than = {
        TWO_SIDED: "the two-sided Markov model given the same masks",
        EQUAL: "the one that learns from masked bases alone",
    }[other]
    words = {
        "below": f"predicts masked bases better than {than}",
        "above": f"predicts masked bases worse than {than}",
        "around": f"is not shown to differ from {than}",
        "unknown": f"has no interval of the difference from {than}",
    }
    pair = difference_of(name, other)
    groups: dict[str, list[str]] = {}
    for seed in results.masked.seeds(pair):
        number = results.masked.find(Metric.MASK_BITS_DIFFERENCE, pair, seed=seed)
        if number:
            found = f"seed {seed}: {_bits(number)}"
            groups.setdefault(words[number.side()], []).append(found)
    parts = [f"{phrase} ({listed(found)})" for phrase, found in groups.items()]
    return f"{name} {'; it '.join(parts)}." if parts else ""


def _bits(difference: Number) -> str:
    """A difference of bits with its interval, as ``−0.0200, −0.0300 to −0.0100``."""
    ends = (difference.low, difference.high)
    limits = [fixed(end, 4) for end in ends if end is not None]
    value = f"{'+' if difference.value > 0 else ''}{fixed(difference.value, 4)}"
    return f"{value}, {' to '.join(limits)}" if limits else value


def _ratio(results: Results, names: list[str]) -> str:
    """Sentence on bases per token with and without masks."""
    parts = []
    for name in names:
        each = []
        for seed in results.masked.seeds(name):
            pair = [
                results.masked.find(metric, name, seed=seed)
                for metric in (Metric.BPT, Metric.MASKED_BPT)
            ]
            if all(pair):
                each.append(" and ".join(fixed(number.value) for number in pair if number))
        if each:
            parts.append(f"{name} {listed(each)}")
    if not parts:
        return ""
    return f"Bases per token without and with masks, by seed: {'; '.join(parts)}."


def _table(results: Results, names: list[str]) -> Table:
    """Table of all models: bits at MASK and of all chosen bases, accuracy, bases per token."""
    rows: list[list[Cell]] = []

    def show(metric: str, model: str, seed: int | None, decimals: int) -> str:
        return measured(
            results.masked.find(metric, model, seed=seed), lambda value: fixed(value, decimals)
        )

    def row(label: str, model: str, seed: int | None) -> list[Cell]:
        pair = difference_of(model, TWO_SIDED)
        less = results.masked.find(Metric.MASK_BITS_DIFFERENCE, pair, seed=seed)
        return [
            label,
            "–" if seed is None else str(seed),
            show(Metric.MASK_BITS, model, seed, 4),
            "–" if less is None else _bits(less),
            show(Metric.MASK_ACCURACY, model, seed, 3),
            show(Metric.CHOSEN_BITS, model, seed, 4),
            show(Metric.BPT, model, seed, 2),
            show(Metric.MASKED_BPT, model, seed, 2),
        ]

    for name in names:
        rows += [row(name, name, seed) for seed in results.masked.seeds(name)]
    for model, label in COUNTING.items():
        if results.masked.find(Metric.MASK_BITS, model):
            width = results.masked.find(Metric.BEST_WIDTH, model)
            sides = "" if width is None else f", {round(width.value)} bases on each side"
            rows.append(row(f"{label}{sides}", model, None))
    head = ["model", "seed", "bits per masked base", "minus the two-sided Markov model"]
    head += ["accuracy", "bits, all chosen bases (flattered)"]
    head += ["bp per token, no masks", "bp per token, masks"]
    note = (
        "95 % intervals (bootstrap over blocks of neighbouring windows); that of a difference is "
        "paired. All models predict the same bases; width and smoothing of the Markov models are "
        "chosen on validation DNA. The model that sees all neighbours is a reference, as no other "
        "one does."
    )
    return Table(head, rows, tuple(range(1, len(head))), "Masked bases of held-out DNA", note)


def _region_table(results: Results, names: list[str]) -> Table:
    """Table of bits per masked base by region class, of the lowest seed of each network."""
    labels = results.region_classes.labels
    models = [*names, *(name for name in (TWO_SIDED,) if name in results.masked.models)]
    rows: list[list[Cell]] = []
    for region in results.region_classes.priority:
        numbers = [results.masked.find(Metric.MASK_BITS, name, region=region) for name in models]
        if any(numbers):
            known = next(number for number in numbers if number)
            cells = [measured(number, lambda value: fixed(value, 3)) for number in numbers]
            rows.append([labels[region], *cells, f"{known.n:,}"])
    head = ["region", *(COUNTING.get(name, name) for name in models), "masked bases"]
    return Table(head, rows, tuple(range(1, len(head))), "Bits per masked base by region")


def _matched_tables(results: Results) -> list[Table]:
    """Table of guided arms beside the learned models that guide them; none where there is none."""
    if results.matched.empty:
        return []
    rows: list[list[Cell]] = []
    for one in results.matched.to_dict("records"):
        guide = one["guide"] if isinstance(one["guide"], str) else None
        off = [f"{one[name]:.2%}" if guide else "–" for name in ("tokens_off", "flops_off")]
        rows.append(
            [
                one["model"], str(one["seed"]), one["router"].replace("_", " "), guide or "–",
                fixed(one["bpt"]), f"{one['flops_per_bp'] / 1000:,.1f}",
                f"{one['parameters']:,}", *off,
            ]
        )  # fmt: skip
    head = ["model", "seed", "router", "guide", "bp per token", "1,000 operations per bp"]
    head += ["parameters", "most tokens off", "operations off"]
    first = results.matched.iloc[0]
    note = (
        f"On {first.windows:,} held-out windows ({first.bp:,} bp) without masks. An arm takes from "
        "the learned model of its seed how many tokens each sequence has, and puts them elsewhere; "
        "an arm that is more than 1 % off in the tokens of any window or in operations is refused."
    )
    return [Table(head, rows, (1, *range(4, len(head))), "Arms with equal tokens", note)]


def masked(results: Results) -> Drawing | None:
    """Figure of bases per token with and without masks over training, a panel per network."""
    chosen: dict[str, Curve] = {}
    for curve in sorted(results.curves, key=lambda one: one.seed):
        if not curve.valid.empty and "masked_bpt" in curve.valid:
            chosen.setdefault(curve.model, curve)
    if not chosen:
        return None
    lines = math.ceil(len(chosen) / COLUMNS)
    figure = new_figure(0.75 + PANEL_IN * lines)
    columns = min(len(chosen), COLUMNS)
    panels = figure.subplots(lines, columns, sharey=True, squeeze=False)
    high = figure.get_figheight()
    figure.subplots_adjust(
        left=0.06, right=0.98, bottom=0.5 / high, top=1 - 0.4 / high, hspace=0.5, wspace=0.08
    )
    frames = []
    for axes, (name, curve) in zip(panels.flat, chosen.items(), strict=False):
        look = style.looks(results, [name])[name]
        values = logged_values(curve, "bpt")
        smooth = thinned(running_mean(values))
        axes.plot(smooth.index, smooth, color=look.colour, label="training, with masks")
        frames.append(long_table(curve, "training, with masks", values, smooth))
        for (column, words), marker in zip(LINES.items(), "os", strict=True):
            points = curve.valid.set_index("step")[column].dropna().astype(float)
            axes.plot(
                points.index, points, marker, linestyle="--" if marker == "s" else "none",
                color=look.colour, markersize=4, linewidth=0.9, markerfacecolor="white",
                label=f"validation, {words}",
            )  # fmt: skip
            frames.append(long_table(curve, f"validation, {words}", points))
        axes.set_title(f"{name}, seed {curve.seed}")
    for axes in panels.flat[len(chosen) :]:
        axes.set_visible(False)
    for axes in panels[:, 0]:
        axes.set_ylabel("bases per token")
    for axes in panels[-1]:
        axes.set_xlabel("training step")
    panels[0, 0].legend(fontsize=7, frameon=False)
    return Drawing(
        "masked",
        "Bases per token with and without masks over training",
        "A mask is unlike any base, so an untrained router begins tokens around it; the network "
        "is trained with masks and used without. Lines are running means over training windows, "
        "rings and squares the same validation windows with and without masks.",
        figure,
        pd.concat(frames, ignore_index=True),
    )


CHAPTER = Chapter("masked-bases", "Masked bases", section, {"masked": masked})
