"""The chapter on the corpus: splits, leaks, DNA shared with training, and composition."""

import pandas as pd
from matplotlib.axes import Axes

from genezip.region_classes import CLASSES, RegionClasses
from genezip.report import style
from genezip.report.chapter import Cell, Chapter, Section, Table
from genezip.report.drawing import Drawing, new_figure
from genezip.report.results import Results
from genezip.report.scores import records

VALIDATION = {
    "paper": "were drawn from training segments in the same way as training windows",
    "strict": "lie in blocks of the training segments that no training window touches",
    "pieces": "lie on separate segments",
}
SPLITS = {"train": "training", "valid": "validation", "test": "held-out"}
ALL_TRAINING = "train_annotated"
ROW_LABELS = {ALL_TRAINING: "training DNA"} | {k: f"{v} windows" for k, v in SPLITS.items()}
SMALL_CLASSES = ("promoter", "cds", "utr", "exon")


def section(results: Results) -> Section:
    """Text on the splits and the homology filter, and the composition beside the paper's."""
    dropped = results.manifest.get("dropped") or {}
    # a corpus without this setting has `pieces` if the map has validation segments
    on_pieces = "pieces" if "valid" in set(results.regions["split"]) else "paper"
    validation = (results.manifest.get("settings") or {}).get("validation") or on_pieces
    text = [
        "Held-out windows lie on segments of DNA without training windows. Validation "
        f"windows {VALIDATION[validation]}."
    ]
    if dropped.get("k") and dropped.get("threshold") is not None:
        text.append(
            f"{dropped['windows']} of {dropped['of']} held-out windows were left out because more "
            f"than {100 * dropped['threshold']:g} % of their {dropped['k']}"
            "\N{NON-BREAKING HYPHEN}mers also occur in training DNA (copies or repeats), which "
            "would favour the model."
        )
    text += [sentence for sentence in (_leakage(results), _homology(results)) if sentence]
    tables = [table] if (table := _table5(results)) else []
    return Section(text, tables)


def _leakage(results: Results) -> str | None:
    """Sentence on the leakage check of the written shards."""
    found = results.leakage
    if found.empty:
        return None
    drawn = found[found["check"].isin(["exclusions", "heldout"])]
    leaks = (drawn["verdict"] == "leak").any()
    windows = found.groupby("split")["windows"].max()
    where = "held-out DNA"
    if len(set(found.loc[found["check"] == "exclusions", "against"]) - {"all"}):
        where += " or an excluded interval (inputs of benchmarks)"
    text = (
        f"In the written files, {'none' if not leaks else 'some'} of the "
        f"{windows.get('train', 0):,} training and {windows.get('valid', 0):,} validation windows "
        f"{'touches' if not leaks else 'touch'} {where}"
    )
    shared = found[(found["check"] == "validation") & (found["bp"] > 0)]
    if len(shared):
        share = 100 * shared["touched_bp"].sum() / shared["bp"].sum()
        text += f"; {share:.3g} % of the bases of validation windows lie in training windows"
    return f"{text}."


def _homology(results: Results) -> str | None:
    """Sentence on the share of held-out DNA that occurs in training DNA."""
    found = results.homology
    found = found[found["counting"] == "positions"] if len(found) else found
    if found.empty or found["kmers"].sum() == 0:
        return None
    by_chrom = found.set_index("chrom")["share"]
    k, sample = int(found["k"].iloc[0]), int(found["sample"].iloc[0])
    parts = [f"{chrom} {100 * share:.3g} %" for chrom, share in by_chrom.items() if chrom != "all"]
    notes = parts if parts[1:] else []  # with one chromosome the total is the same
    notes += [] if sample == 1 else [f"from one in {sample} of them"]
    noted = f" ({', '.join(notes)})" if notes else ""
    return (
        f"Held-out DNA shares sequence with training DNA: {100 * by_chrom['all']:.3g} % of all "
        f"held-out {k}\N{NON-BREAKING HYPHEN}mers occur in training DNA, on either strand{noted}."
    )


def _table5(results: Results) -> Table | None:
    """Table of the composition of whole chromosomes beside the published one."""
    found = results.table5
    if results.scale != "full" or found.empty or found["paper_pct"].isna().all():
        return None
    found = found[found["paper_pct"].notna() & (found["region"] != "all")]
    rows: list[list[Cell]] = [
        [
            f"{row['corpus']}, {row['split']}",
            style.region_label(results.region_classes, row["region"]),
            f"{row['pct']:.2f}",
            f"{row['paper_pct']:.2f}",
            f"{row['difference_pct']:+.2f}".replace("-", "\N{MINUS SIGN}"),
        ]
        for row in records(found)
    ]
    return Table(
        ["corpus", "class", "measured, % of bases", "paper, % of bases", "difference"],
        rows,
        (2, 3, 4),
        "Composition beside the paper's Table 5",
        "Published numbers are for GENCODE 49 and whole chromosomes; the annotation and DNA of "
        "this run are named at the top of the page.",
    )


def corpus_table(results: Results) -> pd.DataFrame:
    """Bases and share of each class: all training DNA, then the windows of each split."""
    found: dict[str, dict[str, int]] = {}
    annotated = results.regions
    if not annotated.empty:
        training = annotated[annotated["split"] == "train"]
        found[ALL_TRAINING] = dict(zip(training["class"], training["bp"], strict=True))
    for split in SPLITS:
        entry = results.split(split)
        if entry.get("windows"):
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
    """Draw stacked horizontal bars, one per split, with percentages where they fit."""
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
                    left + here[name] / 2, y, f"{here[name]:.1f} %", ha="center", va="center",
                    fontsize=8, color=style.text_on(colours[name]),
                )  # fmt: skip
            left += here[name]
    axes.set_yticks(range(len(splits)), [ROW_LABELS[split] for split in reversed(splits)])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlim(0, limit)
    axes.set_xlabel("share of bases (%)")


def small_classes(region_classes: RegionClasses) -> tuple[str, ...]:
    """The classes that are also drawn enlarged: those of genes and the user's."""
    large = set(CLASSES) - set(SMALL_CLASSES)
    return tuple(name for name in region_classes.priority if name not in large)


def corpus(results: Results) -> Drawing | None:
    """Figure of the region composition of every split, with the small classes enlarged."""
    table, region_classes = corpus_table(results), results.region_classes
    if table.empty:
        return None
    splits = [split for split in SPLITS if split in set(table["split"])]
    extra = style.key_extra_in(region_classes, 0.135)
    height = 1.3 + 0.36 * table["split"].nunique() + extra
    figure = new_figure(height)
    left, right = figure.subplots(1, 2, width_ratios=[1.5, 1], gridspec_kw={"wspace": 0.24})
    figure.subplots_adjust(
        left=0.135, right=0.985, bottom=0.47 / height, top=1 - (0.7 + extra) / height
    )
    _stack(left, table, region_classes.priority, 0.055, region_classes.colours)
    left.set_title("all classes")
    _stack(right, table, small_classes(region_classes), 0.12, region_classes.colours)
    shown = "gene and user classes" if region_classes.user_classes else "the gene classes alone"
    right.set_title(f"{shown}, enlarged")
    right.set_yticklabels([])
    style.region_key(figure, region_classes, 0.135, 1 - 0.16 / height)
    sizes = "; ".join(
        f"{SPLITS[split]} {results.split(split)['windows']:,} windows, "
        f"{results.split(split)['bp'] / 1e6:,.1f} Mbp"
        for split in splits
    )
    return Drawing(
        "corpus",
        "Composition of the DNA",
        "Every base has exactly one class: of all that apply, the first of "
        f"{style.order_in_words(region_classes)}. Sizes: {sizes}. Training windows are drawn "
        "around genes more often than uniform sampling of training DNA (first bar) would, and may "
        "overlap; held-out windows tile their segments once.",
        figure,
        table,
    )


CHAPTER = Chapter("corpus", "The DNA", section, {"corpus": corpus})
