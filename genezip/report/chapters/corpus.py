"""Figure of what the DNA consists of: region composition of every split."""

import pandas as pd
from matplotlib.axes import Axes

from genezip.region_classes import CLASSES, RegionClasses
from genezip.report.drawing import Drawing, new_figure
from genezip.report.region_style import key_extra_in, order_in_words, region_key, text_on
from genezip.report.results import Results

SPLITS = {"train": "training", "valid": "validation", "test": "held-out"}
ALL_TRAINING = "train_annotated"
ROW_LABELS = {ALL_TRAINING: "training DNA"} | {k: f"{v} windows" for k, v in SPLITS.items()}
SMALL_CLASSES = ("promoter", "cds", "utr", "exon")


def corpus_table(results: Results) -> pd.DataFrame:
    """Bases and share of each class: all training DNA, then the windows of each split."""
    found: dict[str, dict[str, int]] = {}
    annotated = results.regions
    if not annotated.empty:
        training = annotated[annotated["split"] == "train"]
        found[ALL_TRAINING] = dict(zip(training["class"], training["bp"], strict=True))
    for split in SPLITS:
        entry = results.manifest.get("splits", {}).get(split)
        if entry and entry.get("windows"):
            found[split] = entry["composition"]
    rows = [
        (split, name, int(composition.get(name, 0)), composition.get(name, 0) / total)
        for split, composition in found.items()
        if (total := sum(composition.values()))
        for name in results.region_classes.priority
    ]
    return pd.DataFrame(rows, columns=["split", "region", "bp", "share"])


def _stack(
    axes: Axes,
    shares: pd.DataFrame,
    names: tuple[str, ...],
    label_from: float,
    colours: dict[str, str],
) -> None:
    """Stacked horizontal bars, one per split, segments wide enough carry their percentage."""
    splits = list(dict.fromkeys(shares["split"]))
    limit = shares[shares["region"].isin(names)].groupby("split")["share"].sum().max() * 100
    if not limit:
        axes.text(0.5, 0.5, "no such base", ha="center", transform=axes.transAxes)
        limit = 1.0
    for y, split in enumerate(reversed(splits)):
        left = 0.0
        here = shares[shares["split"] == split].set_index("region")["share"] * 100
        for name in names:
            axes.barh(y, here[name], left=left, height=0.6, color=colours[name], linewidth=0)
            if here[name] > label_from * limit:
                axes.text(
                    left + here[name] / 2,
                    y,
                    f"{here[name]:.1f} %",
                    ha="center",
                    va="center",
                    fontsize=8,
                    color=text_on(colours[name]),
                )
            left += here[name]
    axes.set_yticks(range(len(splits)), [ROW_LABELS[split] for split in reversed(splits)])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlim(0, limit)
    axes.set_xlabel("share of bases (%)")


def small_classes(region_classes: RegionClasses) -> tuple[str, ...]:
    """The classes that are drawn once more, enlarged: those of genes and the user's."""
    large = set(CLASSES) - set(SMALL_CLASSES)
    return tuple(name for name in region_classes.priority if name not in large)


def corpus(results: Results) -> Drawing | None:
    """Region composition of every split, with the small classes enlarged."""
    table, region_classes = corpus_table(results), results.region_classes
    if table.empty:
        return None
    splits = [split for split in SPLITS if split in set(table["split"])]
    extra = key_extra_in(region_classes, 0.135)
    height = 1.3 + 0.36 * table["split"].nunique() + extra
    figure = new_figure(height)
    left, right = figure.subplots(1, 2, width_ratios=[1.5, 1], gridspec_kw={"wspace": 0.24})
    figure.subplots_adjust(
        left=0.135, right=0.985, bottom=0.47 / height, top=1 - (0.7 + extra) / height
    )
    _stack(left, table, region_classes.priority, 0.055, region_classes.colours)
    left.set_title("all classes")
    _stack(right, table, small_classes(region_classes), 0.12, region_classes.colours)
    right.set_title(
        "gene and own classes, enlarged"
        if region_classes.user_classes
        else "the gene classes alone, enlarged"
    )
    right.set_yticklabels([])
    region_key(figure, region_classes, 0.135, 1 - 0.16 / height)
    counts = results.manifest["splits"]
    sizes = "; ".join(
        f"{SPLITS[split]} {counts[split]['windows']:,} windows, "
        f"{counts[split]['bp'] / 1e6:,.1f} Mbp"
        for split in splits
    )
    return Drawing(
        "corpus",
        "What the DNA consists of",
        "Every base has exactly one class: of all that apply, the first of "
        f"{order_in_words(region_classes)}. Sizes: {sizes}. Training windows are drawn "
        "more often around genes than a fair draw from training DNA (first bar) would, and may "
        "overlap; held-out windows tile their pieces once.",
        figure,
        table,
    )
