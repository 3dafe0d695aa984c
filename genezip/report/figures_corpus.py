"""Figure of what the DNA consists of: region composition of every split."""

import pandas as pd
from matplotlib.axes import Axes

from genezip.report import style
from genezip.report.drawing import Drawing, new_figure
from genezip.report.results import Results
from genezip.taxonomy import CLASSES, COLOURS

SPLITS = {"train": "training", "valid": "validation", "test": "held out"}
SMALL_CLASSES = ("promoter", "cds", "utr", "exon")


def corpus_table(results: Results) -> pd.DataFrame:
    """Bases and share of each region class in each split, largest split first as trained."""
    rows = []
    for split in SPLITS:
        entry = results.manifest.get("splits", {}).get(split)
        if not entry or not entry.get("windows"):
            continue
        composition = entry["composition"]
        total = sum(composition.values())
        rows += [
            (split, name, int(composition.get(name, 0)), composition.get(name, 0) / total)
            for name in CLASSES
        ]
    return pd.DataFrame(rows, columns=["split", "region", "bp", "share"])


def _stack(axes: Axes, shares: pd.DataFrame, names: tuple[str, ...], label_from: float) -> None:
    """Stacked horizontal bars, one per split, segments wide enough carry their percentage."""
    splits = list(dict.fromkeys(shares["split"]))
    limit = shares[shares["region"].isin(names)].groupby("split")["share"].sum().max() * 100
    for y, split in enumerate(reversed(splits)):
        left = 0.0
        here = shares[shares["split"] == split].set_index("region")["share"] * 100
        for name in names:
            axes.barh(y, here[name], left=left, height=0.6, color=COLOURS[name], linewidth=0)
            if here[name] > label_from * limit:
                axes.text(
                    left + here[name] / 2,
                    y,
                    f"{here[name]:.1f} %",
                    ha="center",
                    va="center",
                    fontsize=8,
                    color="black" if name in ("intron", "utr") else "white",
                )
            left += here[name]
    axes.set_yticks(range(len(splits)), [SPLITS[split] for split in reversed(splits)])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlim(0, limit)
    axes.set_xlabel("share of bases (%)")


def corpus(results: Results) -> Drawing | None:
    """Region composition of every split, with the small classes enlarged."""
    table = corpus_table(results)
    if table.empty:
        return None
    splits = list(dict.fromkeys(table["split"]))
    figure = new_figure(1.35 + 0.42 * len(splits))
    left, right = figure.subplots(1, 2, width_ratios=[1.5, 1], gridspec_kw={"wspace": 0.24})
    figure.subplots_adjust(left=0.09, right=0.985, bottom=0.47 / figure.get_figheight(), top=0.68)
    _stack(left, table, CLASSES, 0.055)
    left.set_title("all classes")
    _stack(right, table, SMALL_CLASSES, 0.1)
    right.set_title("the gene classes alone, enlarged")
    right.set_yticklabels([])
    style.region_key(figure, 0.09, 0.93)
    counts = results.manifest["splits"]
    sizes = "; ".join(
        f"{SPLITS[split]} {counts[split]['windows']:,} windows, "
        f"{counts[split]['bp'] / 1e6:,.1f} Mbp"
        for split in splits
    )
    return Drawing(
        "corpus",
        "What the DNA consists of",
        "Every base has exactly one class: of all that apply, the first of promoter, CDS, UTR, "
        f"exon, intron, near and distal intergenic. Sizes: {sizes}. Training windows are drawn "
        "more often around genes, and may overlap; held-out windows tile their pieces once.",
        figure,
        table,
    )
