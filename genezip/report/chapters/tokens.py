"""The chapter on tokens: bases per token by region, enrichment, and thirds of GC content."""

import textwrap
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from genezip.artifacts.scores import CORPUS, GC_TERTILE_MEAN, GC_TERTILES, Metric, difference_of
from genezip.region_classes import GROUPS
from genezip.report import claims, style
from genezip.report.chapter import Cell, Chapter, Section, Table
from genezip.report.drawing import (
    NO_BASE,
    REGION_IN,
    Drawing,
    interval_words,
    name_rows,
    new_figure,
    note_empty,
    record,
    region_rows,
    rule_rows,
)
from genezip.report.results import Results
from genezip.report.scores import FEW_BLOCKS
from genezip.report.words import capital, fixed, listed, measured, per_seed, plain, verdicts_of

MAX_MISS = 1.5  # factor from its target above which a region is named
THIRDS = dict(zip(GC_TERTILES, ("lowest GC", "middle GC", "highest GC"), strict=True))


def section(results: Results) -> Section:
    """Text on bases per token and enrichment, and the table of user classes."""
    total = results.number(Metric.BPT, results.reference)
    text = []
    if total:
        text.append(
            f"{results.reference} has one token per {plain(total.value)} bases on average; the "
            "question is where they are."
        )
    text += [sentence for sentence in (budget(results), genic(results)) if sentence]
    return Section(text, [table] if (table := _user_enrichment(results)) else [])


def budget(results: Results) -> str | None:
    """Sentence on realised over target bases per token by region, and on missed targets."""
    factors: dict[str, list[float]] = {}
    for region in results.region_classes.priority:
        for seed in results.seeds(results.reference):
            where = {"region": region, "seed": seed}
            got = results.number(Metric.BPT, results.reference, **where)
            asked = results.number(Metric.TARGET_BPT, results.reference, **where)
            if got and asked:
                factors.setdefault(region, []).append(got.value / asked.value)
    if not factors:
        return None
    labels = results.region_classes.labels
    each = [f"{labels[r]} {_range(values)}" for r, values in factors.items()]
    missed = [
        labels[r]
        for r, values in factors.items()
        if any(f > MAX_MISS or f < 1 / MAX_MISS for f in values)
    ]
    several = len(results.seeds(results.reference)) > 1
    text = (
        f"Realised over target bases per token of {results.reference}, by region "
        f"(above 1: longer chunks than the target{'; range over seeds' if several else ''}): "
        f"{', '.join(each)}. "
    )
    if missed:
        runs = " in at least one training run" if several else ""
        verb = "miss their targets" if len(missed) > 1 else "misses its target"
        text += f"{capital(listed(missed))} {verb} by more than a factor of {MAX_MISS}{runs}."
    else:
        text += f"No region misses its target by more than a factor of {MAX_MISS}."
    empty = [labels[r] for r in results.region_classes.priority if results.no_base(r)]
    return text + (f" {capital(listed(empty))}: {NO_BASE}." if empty else "")


def _range(values: list[float]) -> str:
    low, high = fixed(min(values)), fixed(max(values))
    return low if low == high else f"{low} to {high}"


def genic(results: Results) -> str | None:
    """Sentence on the enrichment of genic DNA."""
    seeds = results.seeds(results.reference)
    found = results.by_seed(Metric.ENRICHMENT, results.reference, region="genic")
    if not any(found):
        return None
    words = {
        "above": "more tokens than an even cut",
        "below": "fewer tokens than an even cut",
        "around": "not shown to differ from an even cut",
        "unknown": "without an interval, so nothing is shown",
    }
    verdict = verdicts_of(seeds, found, words, lambda _, number: number.side(1))
    own = style.user_labels(results.region_classes, "genic")
    return (
        f"Genic enrichment ({listed(['CDS', 'UTR', 'non-coding exons', *own])}; 1 is their share "
        "of the bases) of "
        f"{results.reference}: {verdict}."
    )


def _user_enrichment(results: Results) -> Table | None:
    """Table of the enrichment of every class of the user, a column per model or router."""
    looks = style.looks(results)

    def cell(model: str, region: str) -> str:
        seeds = results.seeds(model)
        own: list[int | None] = [*seeds] or [None]
        found = [results.number(Metric.ENRICHMENT, model, region=region, seed=s) for s in own]
        return per_seed(seeds, [measured(number) for number in found])

    rows: list[list[Cell]] = [
        [found.label, found.group or "none", *(cell(model, found.name) for model in looks)]
        for found in results.region_classes.user_classes
    ]
    head = ["user class", "group", *(look.label for look in looks.values())]
    title = "Enrichment of each user class"
    return Table(head, rows, title=title) if rows else None


def _bpt_columns(axes: Axes, results: Results, y_of: dict[str, int]) -> None:
    """Write realised and target numbers on the right of the figure, a column per model."""
    top = len(y_of)
    for x, (name, look) in zip((1.1, 1.28), style.pair(results).items(), strict=True):
        at: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "color": look.colour}
        axes.text(x, top + 0.2, name, ha="center", fontsize=8.5, fontweight="bold", **at)
        axes.text(x, top - 0.2, "realised / target", ha="center", fontsize=8, **at)
        for region, y in y_of.items():
            metric = Metric.EXPECTED_BPT if region == "all" else Metric.TARGET_BPT
            target = results.number(metric, name, region=region)
            if number := results.number(Metric.BPT, name, region=region):
                asked = f"{target.value:,.0f}" if target else "–"
                for text, shift, side in (
                    (f"{number.value:,.0f}", -0.014, "right"),
                    ("/", 0.0, "center"),
                    (asked, 0.014, "left"),
                ):
                    axes.text(x + shift, y, text, ha=side, va="center", fontsize=8.5, **at)


def bpt(results: Results) -> Drawing | None:
    """Figure of realised and target bases per token, by region, of both models."""
    if results.number(Metric.BPT, results.reference) is None:
        return None
    figure = new_figure(3.7 + REGION_IN * len(results.region_classes.user_classes))
    axes = figure.subplots()
    figure.subplots_adjust(left=0.135, right=0.74, bottom=0.13, top=0.88)
    y_of = region_rows(axes, results, Metric.BPT)
    rows: list[dict[str, Any]] = []
    for offset, (name, look) in zip((0.17, -0.17), style.pair(results).items(), strict=True):
        for region, y in y_of.items():
            metric = Metric.EXPECTED_BPT if region == "all" else Metric.TARGET_BPT
            target = results.number(metric, name, region=region)
            if target and not results.no_base(region):
                ends = [y + offset - 0.17, y + offset + 0.17]
                bar = axes.plot([target.value] * 2, ends, color=look.colour, linewidth=4, alpha=0.3)
                bar[0].set_solid_capstyle("butt")
                rows.append(record(target, model=name, region=region, metric=metric))
            if number := results.number(Metric.BPT, name, region=region):
                style.dot(axes, number.value, y + offset, look, number.low, number.high)
                rows.append(record(number, model=name, region=region, metric=Metric.BPT))
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator([2.0**power for power in range(1, 16)]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    values = [row["value"] for row in rows] + [row["ci_high"] or 0 for row in rows]
    axes.set_xlim(0.75 * min(value for value in values if value), 1.25 * max(values))
    axes.set_xlabel("bases per token (log scale; fewer = more tokens)")
    style.key(axes, list(style.pair(results).values()), y=1.04)
    _bpt_columns(axes, results, y_of)
    rows += note_empty(axes, results, y_of, Metric.BPT)
    return Drawing(
        Metric.BPT,
        "Bases per token by region",
        "Dots: bases per token on held-out DNA. Pale bars of the same colour: the target (for all "
        "bases: the number that the targets of the regions imply for this DNA). A dot on its bar "
        "is on target; to the left of it, the region has more tokens than its target "
        f"implies. {interval_words(rows)}{results.seed_note}",
        figure,
        pd.DataFrame(rows),
    )


def enrichment(results: Results) -> Drawing | None:
    """Figure of enrichment in promoters, genes and the rest, for every router."""
    looks = style.looks(results)
    words = {
        "promoter": "promoters",
        "genic": "CDS, UTR, non-coding exons",
        "intergenic": "introns, intergenic",
    }
    titles = {
        group: style.group_title(results.region_classes, group, words[group]) for group in GROUPS
    }
    extra = 0.16 * max(title.count("\n") for title in titles.values())
    figure = new_figure(1.25 + 0.34 * len(looks) + extra)
    height = figure.get_figheight()
    panels = figure.subplots(1, 3, sharex=True, sharey=True)
    figure.subplots_adjust(
        left=0.135, right=0.985, bottom=0.55 / height, top=1 - (0.4 + extra) / height, wspace=0.12
    )
    y_of = {name: len(looks) - 1 - row for row, name in enumerate(looks)}
    rows = []
    for axes, group in zip(panels, GROUPS, strict=True):
        axes.axvline(1, color=style.SOFT, linewidth=0.8)
        for name, look in looks.items():
            y = y_of[name]
            for seed in results.seeds(name)[1:]:
                if more := results.number(Metric.ENRICHMENT, name, region=group, seed=seed):
                    style.dot(axes, more.value, y, look._replace(filled=False), size=4)
                    rows.append(record(more, model=name, seed=seed, region=group))
            if number := results.number(Metric.ENRICHMENT, name, region=group):
                style.dot(axes, number.value, y, look, number.low, number.high)
                axes.annotate(
                    f"{number.value:.2f}", (number.value, y), xytext=(0, 6), ha="center",
                    textcoords="offset points", fontsize=7.5, color=look.colour,
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
                )  # fmt: skip
                first = next(iter(results.seeds(name)), None)
                rows.append(record(number, model=name, seed=first, region=group))
        if not any(row["region"] == group for row in rows):
            axes.text(
                0.5, 0.5, NO_BASE, transform=axes.transAxes, ha="center", fontsize=8,
                style="italic", color=style.SOFT,
            )  # fmt: skip
        axes.set_title(titles[group])
        rule_rows(axes, len(looks), above=0.65, below=0.5)
    shown = looks.values()
    labels = [textwrap.fill(look.label, 16) for look in shown]
    name_rows(panels[0], labels, [look.colour for look in shown])
    claimed = results.codon_phase.frame.empty  # runs on whole genomes have other claims
    if claimed:
        limit = claims.MIN_ENRICHMENT
        panels[0].axvline(limit, color=style.SOFT, linewidth=0.8, linestyle=(0, (2, 2)))
        panels[0].annotate(
            f"claim: > {limit}", (limit, 0), xycoords=("data", "axes fraction"), xytext=(-3, 2.5),
            textcoords="offset points", fontsize=7.5, color=style.SOFT, ha="right",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.3},
        )  # fmt: skip
    panels[1].set_xlabel("enrichment: share of tokens / share of bases (1 = even cut)")
    return Drawing(
        Metric.ENRICHMENT,
        "Where the tokens go",
        "Enrichment is a group's share of the tokens divided by its share of the bases; above 1 "
        "the group has more tokens per base than average. The GC/CpG router has a token rate for "
        "each composition, learned from the annotation of training DNA, and uses composition "
        "alone; fixed stride and the untrained model have learned nothing. Both routers have as "
        f"many tokens in each window as {results.reference} and differ from it only in their "
        "positions inside the window, so even a fixed stride can differ from 1. "
        + (f"The claim is about {results.reference}. " if claimed else "")
        + interval_words(rows)
        + (
            " Large marks: lowest seed; small open marks: further seeds."
            if results.seeds(results.reference)[1:]
            else ""
        ),
        figure,
        pd.DataFrame(rows),
    )


def _third_labels(results: Results) -> dict[str, str]:
    """Names of the thirds with their range of GC content."""
    lower, upper = (
        results.comparisons.find(Metric.GC_UPPER_EDGE, CORPUS, subset=name)
        for name in GC_TERTILES[:2]
    )
    if lower is None or upper is None:
        return dict(THIRDS)
    low, high = (f"{100 * edge.value:.0f} %" for edge in (lower, upper))
    ranges = (f"up to {low}", f"{low} to {high}", f"above {high}")
    return {
        name: f"{text}\n({span})" for (name, text), span in zip(THIRDS.items(), ranges, strict=True)
    }


def _third_blocks(results: Results) -> str:
    """Sentence on blocks with promoter bases in each GC tertile; starts with a space."""
    counts = [results.blocks("promoter", subset=name) for name in GC_TERTILES]
    if any(count is None for count in counts):
        return ""
    text = f" Blocks with promoter bases, by third: {listed([str(c) for c in counts])}"
    few = any(count is not None and count < FEW_BLOCKS for count in counts)
    return text + (", so the intervals are rough." if few else ".")


def gc_thirds(results: Results) -> Drawing | None:
    """Figure of promoter enrichment within thirds of GC content, and of paired differences."""
    looks = style.looks(results)
    if results.compared(Metric.ENRICHMENT, results.reference, subset=GC_TERTILES[0]) is None:
        return None
    labels = _third_labels(results)
    figure = new_figure(3.9)
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.05])
    figure.subplots_adjust(left=0.055, right=0.985, bottom=0.15, top=0.82, wspace=0.42)
    rows = []
    left.axhline(1, color=style.SOFT, linewidth=0.8)
    for number, (name, look) in enumerate(looks.items()):
        offset = 0.13 * (number - (len(looks) - 1) / 2)
        for x, third in enumerate(THIRDS):
            found, _ = results.compared_over_seeds(Metric.ENRICHMENT, name, subset=third)
            if found is None:
                continue
            style.dot(left, found.value, x + offset, look, found.low, found.high, vertical=True)
            rows.append(record(found, model=name, subset=third, metric=Metric.ENRICHMENT))
    left.set_xticks(range(3), list(labels.values()))
    left.set_xlim(-0.5, 2.5)
    left.tick_params(axis="x", length=0)
    left.set_title("promoter enrichment")
    style.key(left, list(looks.values()), y=1.13)
    names = {results.subset: "all bases", **THIRDS, GC_TERTILE_MEAN: "mean of the thirds"}
    others = {name: look for name, look in looks.items() if name != results.reference}
    right.axvline(0, color=style.SOFT, linewidth=0.8)
    for number, (name, look) in enumerate(others.items()):
        offset = 0.16 * ((len(others) - 1) / 2 - number)
        for row, subset in enumerate(names):
            pair = difference_of(results.reference, name)
            found, _ = results.compared_over_seeds(
                Metric.ENRICHMENT_DIFFERENCE, pair, subset=subset
            )
            if found:
                y = len(names) - 1 - row + offset
                style.dot(right, found.value, y, look, found.low, found.high)
                rows.append(record(found, model=pair, subset=subset, metric="difference"))
    right.set_yticks(range(len(names))[::-1], list(names.values()))
    right.tick_params(axis="y", length=0)
    right.spines["left"].set_visible(False)
    for y in range(1, len(names)):
        right.axhline(y - 0.5, color=style.RULE, linewidth=0.5, zorder=0)
    right.set_ylim(-0.5, len(names) - 0.5)
    right.xaxis.set_major_locator(MaxNLocator(5))
    right.set_xlabel(
        f"{results.reference} minus the other (right of 0: {results.reference} is higher)"
    )
    right.set_title("paired difference in promoter enrichment")
    return Drawing(
        "gc_thirds",
        "Promoter enrichment within thirds of GC content",
        "Promoters are rich in G and C. Here the held-out bases are split into thirds by the GC "
        "content of their surroundings, and promoter enrichment is computed inside each third, "
        "relative to the third's share of promoter bases. Left: every router. Right: "
        f"{results.reference} minus each of the others, in colour and marker of the other, both "
        "on the same resampled blocks. If an interval touches the vertical line, no difference is "
        "shown. The highest third has no upper edge, so composition still "
        f"varies inside it. {interval_words(rows)}{_third_blocks(results)}"
        + (
            " Marks are means over training runs where every run was compared, else the lowest "
            "seed."
            if results.seeds(results.reference)[1:]
            else ""
        ),
        figure,
        pd.DataFrame(rows),
    )


CHAPTER = Chapter(
    "tokens",
    "Where the tokens go",
    section,
    {"bpt": bpt, "enrichment": enrichment, "gc_thirds": gc_thirds},
)
