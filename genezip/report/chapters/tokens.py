"""Figures of where tokens go: enrichment of every router, and within thirds of GC content."""

import pandas as pd
from matplotlib.axes import Axes

from genezip.artifacts.scores import CORPUS, GC_TERTILE_MEAN, GC_TERTILES
from genezip.region_classes import GROUPS
from genezip.report import claims, style, summary
from genezip.report.drawing import Drawing, interval_words, new_figure, record
from genezip.report.region_style import group_title
from genezip.report.results import Results
from genezip.report.verdicts import NO_BASE

THIRDS = dict(zip(GC_TERTILES, ("lowest GC", "middle GC", "highest GC"), strict=True))


def _name_rows(axes: Axes, looks: dict[str, style.ModelStyle]) -> None:
    """Model names as row labels, from the top, in their colours."""
    axes.set_yticks(range(len(looks))[::-1], [look.label for look in looks.values()])
    for text, look in zip(axes.get_yticklabels(), looks.values(), strict=True):
        text.set_color(look.colour)
        text.set_fontweight("bold")


def enrichment(results: Results) -> Drawing | None:
    """Token share over base share in promoters, genes and the rest, for every router."""
    looks = style.model_styles(results.models, results.reference, results.control)
    words = {
        "promoter": "promoters",
        "genic": "CDS, UTR, non-coding exons",
        "intergenic": "introns, intergenic",
    }
    titles = {group: group_title(results.region_classes, group, words[group]) for group in GROUPS}
    extra = 0.16 * max(title.count("\n") for title in titles.values())
    figure = new_figure(1.25 + 0.34 * len(looks) + extra)
    height = figure.get_figheight()
    panels = figure.subplots(1, 3, sharex=True, sharey=True)
    figure.subplots_adjust(
        left=0.135, right=0.985, bottom=0.55 / height, top=1 - (0.4 + extra) / height, wspace=0.12
    )
    places = {name: len(looks) - 1 - row for row, name in enumerate(looks)}
    rows = []
    for axes, group in zip(panels, GROUPS, strict=True):
        axes.axvline(1, color=style.SOFT, linewidth=0.8)
        for name, look in looks.items():
            y = places[name]
            axes.axhline(y, color=style.RULE, linewidth=0.5, zorder=0)
            for seed in results.seeds(name)[1:]:
                if more := results.number("enrichment", name, region=group, seed=seed):
                    style.dot(axes, more.value, y, look._replace(filled=False), size=4)
                    rows.append(record(more, model=name, seed=seed, region=group))
            if number := results.number("enrichment", name, region=group):
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
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(-0.5, len(looks) - 0.35)
    _name_rows(panels[0], looks)
    limit = claims.MIN_ENRICHMENT
    panels[0].axvline(limit, color=style.SOFT, linewidth=0.8, linestyle=(0, (2, 2)))
    panels[0].text(limit, -0.47, f"claim: > {limit} ", fontsize=7.5, color=style.SOFT, ha="right")
    panels[1].set_xlabel("enrichment: share of tokens / share of bases (1 = as if cut evenly)")
    return Drawing(
        "enrichment",
        "Where the tokens go",
        "Enrichment is a group's share of the tokens divided by its share of the bases; above 1 "
        "the group is cut more finely than average. The GC/CpG router learned from the annotation "
        "of training DNA how finely DNA of each composition is to be cut, and sees nothing but "
        "composition when it cuts; fixed stride and the untrained model learned nothing. Both "
        f"routers spend as many tokens in each window as {results.reference} and differ from it in "
        "where inside the window they lie, so even a fixed stride can be off 1. The claim is about "
        f"{results.reference}. {interval_words(rows)}"
        + (
            " Large marks: lowest seed; small open marks: further seeds."
            if results.seeds(results.reference)[1:]
            else ""
        ),
        figure,
        pd.DataFrame(rows),
    )


def _third_labels(results: Results) -> dict[str, str]:
    """Thirds with their range of GC content, as the corpus was split."""
    edges = [
        results.comparisons.find("gc_upper_edge", CORPUS, subset=name) for name in list(THIRDS)[:2]
    ]
    if edges[0] is None or edges[1] is None:
        return dict(THIRDS)
    low, high = (f"{100 * edge.value:.0f} %" for edge in edges if edge)
    ranges = (f"up to {low}", f"{low} to {high}", f"above {high}")
    return {
        name: f"{text}\n({span})" for (name, text), span in zip(THIRDS.items(), ranges, strict=True)
    }


def gc_thirds(results: Results) -> Drawing | None:
    """Promoter enrichment inside thirds of GC content, and paired differences to the reference."""
    looks = style.model_styles(results.models, results.reference, results.control)
    if results.compared("enrichment", results.reference, subset=GC_TERTILES[0]) is None:
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
            found, _ = results.compared_over_seeds("enrichment", name, subset=third)
            if found is None:
                continue
            style.dot(left, found.value, x + offset, look, found.low, found.high, vertical=True)
            rows.append(record(found, model=name, subset=third, metric="enrichment"))
    left.set_xticks(range(3), list(labels.values()))
    left.set_xlim(-0.5, 2.5)
    left.tick_params(axis="x", length=0)
    left.set_title("promoter enrichment")
    style.key(left, list(looks.values()), y=1.13)
    places = {
        results.subset: "all bases",
        **THIRDS,
        GC_TERTILE_MEAN: "mean of the thirds",
    }
    others = {name: look for name, look in looks.items() if name != results.reference}
    right.axvline(0, color=style.SOFT, linewidth=0.8)
    for number, (name, look) in enumerate(others.items()):
        offset = 0.16 * ((len(others) - 1) / 2 - number)
        for row, subset in enumerate(places):
            pair = f"{results.reference} - {name}"
            found, _ = results.compared_over_seeds("enrichment_difference", pair, subset=subset)
            if found:
                y = len(places) - 1 - row + offset
                style.dot(right, found.value, y, look, found.low, found.high)
                rows.append(record(found, model=pair, subset=subset, metric="difference"))
    right.set_yticks(range(len(places))[::-1], list(places.values()))
    right.tick_params(axis="y", length=0)
    right.spines["left"].set_visible(False)
    for y in range(1, len(places)):
        right.axhline(y - 0.5, color=style.RULE, linewidth=0.5, zorder=0)
    right.set_ylim(-0.5, len(places) - 0.5)
    right.set_xlabel(f"{results.reference} minus the other (right of 0: it does more)")
    right.set_title("paired difference in promoter enrichment")
    return Drawing(
        "gc_thirds",
        "Is it only GC content?",
        "Promoters are rich in G and C. Here the held-out bases are split into thirds by the GC "
        "content of their surroundings, and promoter enrichment is taken inside each "
        "third, against that third's own share of promoter bases. Left: every router. Right: "
        f"{results.reference} minus each of the others, in colour and marker of the other, both "
        "measured on the same resampled blocks. With an interval that touches the vertical line "
        "no difference is shown. The highest third has no upper edge, so composition still "
        f"varies inside it. {interval_words(rows)}{summary.third_blocks(results)}"
        + (
            " Marks are means over training runs where every run was compared, else the lowest "
            "seed."
            if results.seeds(results.reference)[1:]
            else ""
        ),
        figure,
        pd.DataFrame(rows),
    )
