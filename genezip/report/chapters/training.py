"""The chapter on training: amount of DNA, targets, losses, and F and G of each region."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from genezip.region_classes import expected_bpt
from genezip.report import style
from genezip.report.chapter import Chapter, Section
from genezip.report.drawing import Drawing, new_figure
from genezip.report.results import Curve, Results
from genezip.report.words import plain

SMOOTH_SHARE = 1 / 40  # lines are running means over this share of the run
MAX_POINTS = 400  # of a line, so that long runs do not make heavy pages
PERCENT_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
LEAST_SHARE = 1e-2  # smaller shares are drawn here, as a log axis has no zero
_LOSS_WORDS = {
    False: "The next-base loss is the logarithm of the perplexity",
    True: "The masked-base loss is that of the bases at a mask",
}


def _exposure(results: Results, curve: Curve) -> str | None:
    """Sentence on the DNA of one training run: steps x batch windows."""
    steps, batch = int(curve.steps["step"].max()), curve.settings.get("batch")
    train = results.split("train")
    if not batch:
        return None
    text = f"{steps:,} steps of {batch:,} windows are {steps * batch:,} windows seen"
    if train.get("windows") and train.get("bp"):
        bp = steps * batch * train["bp"] / train["windows"]
        text += f", {bp / 1e6:,.1f} Mbp, of the {train['windows']:,} in the corpus"
    return f"{text}."


def wanted_bpt(composition: dict[str, int], target: dict[str, float]) -> float | None:
    """Bases per token that targets imply for a composition; None where unknown."""
    held = {name: bp for name, bp in composition.items() if bp}
    return expected_bpt(held, target) if held and held.keys() <= target.keys() else None


def _targets(results: Results, ours: Curve, theirs: Curve) -> str | None:
    """Sentences on the control's target, and on why training curves differ by design."""
    origin = theirs.training.get("targets")
    target, uniform = (curve.config.get("target_bpt") or {} for curve in (ours, theirs))
    if not origin or not target or not uniform:
        return None
    text = f"The target of {results.control} is {plain(next(iter(uniform.values())))} bases per "
    text += f"token for all bases ({origin})."
    train = results.split("train")
    wanted = wanted_bpt(train.get("composition") or {}, target)
    if wanted:
        text += (
            f" On training windows, which are drawn around genes, the targets of "
            f"{results.reference} imply {plain(wanted)}, so the training curves of bases per token "
            "differ by design."
        )
    return text


def section(results: Results) -> Section | None:
    """Text on the amount of training and the targets; networks on words have their own chapter."""
    logged = [curve for curve in results.curves if not curve.steps.empty]
    if not logged:
        return None if results.word_curves else Section()
    runs = "run" if len(logged) == 1 else "runs"
    text = [
        f"{len(logged)} training {runs}. {results.reference} has a target of bases per token for "
        f"each region; the control {results.control} is trained on the same corpus with one target "
        "for all bases. The regions are used only in this loss: annotation is never an input."
    ]
    first = {
        name: next((c for c in logged if c.model == name), None)
        for name in (results.reference, results.control)
    }
    ours, theirs = first.values()
    seen = [(c, sentence) for c in logged if (sentence := _exposure(results, c))]
    if len({sentence for _, sentence in seen}) == 1:
        text.append(f"In each run, {seen[0][1]}")
    else:
        text += [f"{c.model}, seed {c.seed}: {sentence}" for c, sentence in seen]
    if ours and theirs and (sentence := _targets(results, ours, theirs)):
        text.append(sentence)
    return Section(text)


def _chosen(results: Results) -> list[Curve]:
    """The curves of the reference and the control, one seed each (the lowest)."""
    chosen: dict[str, Curve] = {}
    for curve in sorted(results.curves, key=lambda curve: curve.seed):
        if curve.model in (results.reference, results.control) and not curve.steps.empty:
            chosen.setdefault(curve.model, curve)
    # the control is drawn first, so that the reference lies on top
    return [chosen[name] for name in (results.control, results.reference) if name in chosen]


def running_mean(values: pd.Series) -> pd.Series:
    """Running mean of a line."""
    window = max(round(len(values) * SMOOTH_SHARE), 1)
    return values.rolling(window, min_periods=1, center=True).mean()


def thinned(values: pd.Series) -> pd.Series:
    """Evenly spread points of a long line, including the last one."""
    keep = np.unique(np.linspace(0, len(values) - 1, MAX_POINTS).round().astype(int))
    return values.iloc[keep] if len(values) > MAX_POINTS else values


def logged_values(curve: Curve, column: str) -> pd.Series:
    """A logged number by step; empty where it was not logged."""
    if column not in curve.steps:
        return pd.Series(dtype=float)
    return curve.steps.set_index("step")[column].dropna().astype(float)


def _stages(curve: Curve, column: str) -> list[pd.Series]:
    """A logged list of numbers by stage as one series per stage."""
    if column not in curve.steps:
        return []
    logged = curve.steps.set_index("step")[column].dropna()
    table = pd.DataFrame(logged.tolist(), index=logged.index, dtype=float)
    return [table[stage] for stage in table]


def _classes(curve: Curve, column: str) -> list[pd.DataFrame]:
    """F or G: per stage a table of step x region class, NaN where a class was absent."""
    if column not in curve.steps:
        return []
    logged = curve.steps.set_index("step")[column].dropna()
    values = np.array(logged.tolist(), dtype=float)  # (steps, stages, classes)
    if values.ndim != 3 or values.shape[2] != len(curve.region_classes):
        return []
    return [
        pd.DataFrame(values[:, stage], index=logged.index, columns=list(curve.region_classes.names))
        for stage in range(values.shape[1])
    ]


def spread(levels: list[float], gap: float, low: float, high: float) -> list[float]:
    """Ascending values moved apart by at least ``gap``, inside [low, high] if they fit."""
    moved: list[float] = []
    for level in levels:
        moved.append(max(level, low, moved[-1] + gap if moved else low))
    ceiling = high
    for index in reversed(range(len(moved))):
        moved[index] = min(moved[index], ceiling)
        ceiling = moved[index] - gap
    return moved


def _end_labels(axes: Axes, ends: list[tuple[float, float, str, str]]) -> None:
    """Draw names at the right end of lines (x, y, text, colour), moved apart where they collide."""
    log = axes.get_yscale() == "log"
    forward, back = (np.log, np.exp) if log else (float, float)
    low, high = (forward(limit) for limit in axes.get_ylim())
    figure = axes.figure
    assert isinstance(figure, Figure)
    height = axes.get_position().height * figure.get_figheight() * 72
    ends = sorted(ends, key=lambda end: end[1])
    levels = spread([forward(end[1]) for end in ends], (high - low) * 11 / height, low, high)
    for (x, _, text, colour), level in zip(ends, levels, strict=True):
        axes.annotate(
            text, (x, back(level)), xytext=(5, 0), textcoords="offset points", va="center",
            fontsize=8, color=colour, annotation_clip=False,
        )  # fmt: skip


def _log_axis(axes: Axes, ticks: tuple[float, ...], scale: float = 1) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(FixedLocator([tick / scale for tick in ticks]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{scale * y:,g}"))


def long_table(
    curve: Curve, quantity: str, values: pd.Series, smooth: pd.Series | None = None, **cells: Any
) -> pd.DataFrame:
    """Table of one drawn line: value and running mean at each drawn step."""
    table = pd.DataFrame({"step": values.index, "value": values.to_numpy()})
    if smooth is not None:
        table = pd.DataFrame({"step": smooth.index, "running_mean": smooth.to_numpy()})
        table["value"] = values.reindex(smooth.index).to_numpy()
    return table.assign(model=curve.model, seed=curve.seed, quantity=quantity, **cells)


def _scalar_panel(
    axes: Axes, results: Results, curves: list[Curve], column: str, valid: str | None = None
) -> list[pd.DataFrame]:
    """Draw one number over training, a line per model; rings are validations."""
    looks = style.looks(results, [c.model for c in curves])
    frames, ends, smoothed = [], [], []
    for curve in curves:
        values, look = logged_values(curve, column), looks[curve.model]
        if values.empty:
            continue
        smooth, single = thinned(running_mean(values)), thinned(values)
        smoothed.append(smooth)
        axes.plot(single.index, single, color=look.colour, alpha=0.15, linewidth=0.6)
        axes.plot(smooth.index, smooth, color=look.colour, linestyle=look.dashes)
        ends.append((smooth.index[-1], smooth.iloc[-1], curve.model, look.colour))
        frames.append(long_table(curve, column, values, smooth))
        if valid and not curve.valid.empty and valid in curve.valid:
            points = curve.valid.set_index("step")[valid].dropna().astype(float)
            if valid == "ppl":
                points = points.map(np.log)
            elif valid == "mask_bits":
                points = points * np.log(2)
            axes.plot(points.index, points, look.marker, markersize=4.5, color=look.colour,
                      markerfacecolor="white", zorder=4)  # fmt: skip
            frames.append(long_table(curve, f"validation {column}", points))
    if smoothed:
        together = pd.concat(smoothed)
        low, high = together.min(), together.quantile(0.985)
        axes.set_ylim(low - 0.3 * (high - low), high + 0.3 * (high - low))
        if column == "bpt":
            _log_axis(axes, style.BPT_TICKS)
            axes.set_ylim(together.min() / 1.4, together.max() * 1.4)
        _end_labels(axes, ends)
    return frames


def _kept_panel(axes: Axes, results: Results, curves: list[Curve]) -> list[pd.DataFrame]:
    """Draw the share of positions kept at each stage, a line per model and stage."""
    looks = style.looks(results, [c.model for c in curves])
    frames, ends = [], []
    for curve in curves:
        look = looks[curve.model]
        for stage, values in enumerate(_stages(curve, "kept")):
            smooth = thinned(running_mean(values).clip(lower=LEAST_SHARE))
            axes.plot(smooth.index, smooth, color=look.colour, linestyle=look.dashes)
            ends.append((smooth.index[-1], smooth.iloc[-1], f"stage {stage}", look.colour))
            frames.append(long_table(curve, "kept", values, smooth, stage=stage))
    _log_axis(axes, PERCENT_TICKS, 100)
    if ends:
        _end_labels(axes, ends)
    return frames


def curves(results: Results) -> Drawing | None:
    """Figure of losses, bases per token and kept positions of both models over training."""
    chosen = _chosen(results)
    if not chosen:
        return None
    figure = new_figure(4.7)
    panels = figure.subplots(2, 2, sharex=True)
    figure.subplots_adjust(left=0.055, right=0.9, bottom=0.1, top=0.94, wspace=0.36, hspace=0.3)
    masks = any("mask_loss" in curve.steps for curve in chosen)
    loss, valid = ("mask_loss", "mask_bits") if masks else ("lm_loss", "ppl")
    frames = [
        *_scalar_panel(panels[0, 0], results, chosen, loss, valid),
        *_scalar_panel(panels[0, 1], results, chosen, "rar_loss"),
        *_scalar_panel(panels[1, 0], results, chosen, "bpt", "bpt"),
        *_kept_panel(panels[1, 1], results, chosen),
    ]
    titles = (
        f"{'masked' if masks else 'next'}-base loss (nats per base)",
        "region-aware ratio loss (sum of stages)",
        "bases per token",
        "positions kept at each stage (%)",
    )
    for axes, title in zip(panels.flat, titles, strict=True):
        axes.set_title(title)
        if not axes.lines:
            axes.text(0.5, 0.5, "not recorded", ha="center", transform=axes.transAxes)
    for axes in panels[1]:
        axes.set_xlabel("training step")
    names = " and ".join(f"{curve.model} (seed {curve.seed})" for curve in reversed(chosen))
    return Drawing(
        "curves",
        "Training curves",
        f"{names}. {_LOSS_WORDS[masks]}; the ratio loss steers "
        "how often each region is cut, and is 1 per stage on target. Stage 0 selects bases, stage "
        "1 selects among those; the product of the two shares is the tokens per base. "
        "Faint lines are single training steps, strong lines running means, rings are "
        "validation DNA. The two models have different targets, so their bases per token on "
        "training windows, which are rich in genes, differ by design.",
        figure,
        pd.concat(frames, ignore_index=True),
    )


def share_f(curve: Curve | None) -> str:
    """Sentence on what F counts, by the run's setting ``rar_mask``."""
    settings = curve.settings if curve else {}
    counted = {
        "pre": "whose boundary probability is above one half, before the bounds on tokens per "
        "window (the projection) change any of them",
        "post": "that become tokens, after the bounds on tokens per window (the projection) have "
        "been applied",
    }
    which = counted.get(str(settings.get("rar_mask")), "that are counted as boundaries")
    return f"F is the share of positions {which}"


def steering(results: Results) -> Drawing | None:
    """Figure of F and G of the reference by region and stage, beside their targets."""
    chosen = [curve for curve in _chosen(results) if curve.model == results.reference]
    tables = {c: _classes(chosen[0], c) for c in ("F", "G")} if chosen else {}
    if not tables or not tables["F"] or not tables["G"]:
        return None
    curve, stages = chosen[0], len(tables["F"])
    figure = new_figure(0.6 + 2.3 * stages)
    panels = figure.subplots(stages, 2, sharex=True, sharey=True, squeeze=False)
    figure.subplots_adjust(
        left=0.055, right=0.88, bottom=0.45 / figure.get_figheight(), top=0.93, wspace=0.08,
        hspace=0.26,
    )  # fmt: skip
    names = {"F": "share of positions counted", "G": "mean boundary probability"}
    targets = curve.config.get("target_bpt") or {}
    labels: dict[Axes, list[tuple[float, float, str, str]]] = {}
    frames = []
    for column, (quantity, by_stage) in enumerate(tables.items()):
        for stage, table in enumerate(by_stage):
            axes: Axes = panels[stage, column]
            ends: list[tuple[float, float, str, str]] = []
            for name in reversed(curve.region_classes.names):
                smooth = thinned(running_mean(table[name]).clip(lower=LEAST_SHARE).dropna())
                if smooth.empty:
                    continue
                label = style.end_label(curve.region_classes, name)
                colour = curve.region_classes.colours[name]
                axes.plot(smooth.index, smooth, color=colour)
                ends.append((table.index[-1], smooth.iloc[-1], label, colour))
                frames.append(
                    long_table(curve, quantity, table[name], smooth, stage=stage, region=name)
                )
            _log_axis(axes, PERCENT_TICKS, 100)
            for rate in sorted({float(t) ** (-1 / stages) for t in targets.values()}):
                axes.axhline(rate, color=style.SOFT, linewidth=0.6, linestyle=(0, (1, 2)), zorder=1)
            axes.set_title(f"{quantity}, stage {stage}: {names[quantity]} (%)")
            labels[axes] = ends
    panels[0, 0].set_ylim(LEAST_SHARE / 1.2, 1.2)
    for axes in panels[:, 1]:
        _end_labels(axes, labels[axes])
    for axes in panels[-1]:
        axes.set_xlabel("training step")
    return Drawing(
        "steering",
        "The ratio loss by region",
        f"{curve.model} (seed {curve.seed}). For every region, {share_f(curve)}, and G is the mean "
        "boundary probability. The loss acts on G alone: it lowers G where F is above the "
        "region's target (dotted lines, finest region on top) and raises it where F is below, "
        "so F should settle on its line, and the finest regions on top. Shares below "
        f"{100 * LEAST_SHARE:g} % are drawn at {100 * LEAST_SHARE:g} %.",
        figure,
        pd.concat(frames, ignore_index=True),
    )


def _bound_curves(results: Results) -> list[Curve]:
    """The compared curves of models that differ in their bounds, the lowest seed of each."""
    found: dict[str, Curve] = {}
    for curve in sorted(results.curves, key=lambda curve: curve.seed):
        if not curve.steps.empty:
            found.setdefault(curve.model, curve)
    return [found[name] for name in results.bounds if name in found]


def _bit(curve: Curve) -> float:
    """Share of the windows of the last fifth of training in which a bound changed the tokens."""
    values = logged_values(curve, "bound_bit")
    return float(values.iloc[-max(len(values) // 5, 1) :].mean()) if len(values) else float("nan")


def bounds(results: Results) -> Drawing | None:
    """Tokens of each stage and validation perplexity over training, with and without bounds."""
    compared = _bound_curves(results)
    if len(compared) < 2:
        return None
    looks = style.looks(results, [curve.model for curve in compared])
    figure = new_figure(3.0)
    panels = figure.subplots(1, 3)
    figure.subplots_adjust(left=0.055, right=0.985, bottom=0.17, top=0.76, wspace=0.28)
    frames = []
    for curve in compared:
        look, windows = looks[curve.model], int(curve.settings.get("batch") or 1)
        for stage, values in enumerate(_stages(curve, "stage_tokens")[:2]):
            smooth = thinned(running_mean(values / windows))
            panels[stage].plot(smooth.index, smooth, color=look.colour, linestyle=look.dashes)
            frames.append(long_table(curve, "tokens", values / windows, smooth, stage=stage))
        if not curve.valid.empty and "ppl" in curve.valid:
            points = curve.valid.set_index("step")["ppl"].dropna().astype(float)
            panels[2].plot(
                points.index, points, look.marker, linestyle=look.dashes, color=look.colour,
                markerfacecolor=look.colour if look.filled else "white", markersize=4.5,
            )  # fmt: skip
            frames.append(long_table(curve, "validation perplexity", points))
    for axes, title in zip(
        panels, ("tokens of a window, stage 0", "stage 1", "validation perplexity"), strict=True
    ):
        axes.set_title(title)
        axes.set_xlabel("training step")
    for axes in panels[:2]:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.0f}"))
        axes.yaxis.set_minor_locator(NullLocator())
    style.key(panels[0], [looks[curve.model] for curve in compared], y=1.2)
    bit = "; ".join(f"{curve.model} {100 * _bit(curve):.0f} %" for curve in compared)
    return Drawing(
        "bounds",
        "Training with and without bounds that change tokens",
        "Tokens that each stage selects in a training window, and perplexity on validation DNA. "
        "The models differ in their floor and ceiling alone. Windows of the last fifth of training "
        f"in which a bound changed the tokens: {bit}. A bound ranks the positions of the whole "
        "window, so where it changes tokens the perplexity is not that of an exact likelihood.",
        figure,
        pd.concat(frames, ignore_index=True),
    )


CHAPTER = Chapter(
    "training", "Training", section, {"curves": curves, "steering": steering, "bounds": bounds}
)
