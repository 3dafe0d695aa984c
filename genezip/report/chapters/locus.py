"""The chapter on held-out loci: genes, regions, repeats, and the tokens of each model.

The layout follows Figure 4 of the paper (arXiv 2602.17739). The first locus stands at the top of
the page.
"""

import textwrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from genezip.report import style
from genezip.report.chapter import Chapter, Section
from genezip.report.drawing import (
    Drawing,
    bpt_axis,
    draw_genes,
    draw_prob,
    draw_regions,
    draw_repeats,
    draw_starts,
    kilobases,
    new_figure,
    side_label,
    transcripts_in_lanes,
)
from genezip.report.results import Results
from genezip.report.scores import records


def section(results: Results) -> Section | None:
    """Further loci; without any, nothing but that the first figure is missing."""
    if loci(results)[1:]:
        return Section(
            ["Loci that the settings name; the first one stands at the top of the page."]
        )
    return Section() if results.locus.empty else None


def loci(results: Results) -> list[str]:
    """Names of the loci, in order."""
    return [*dict.fromkeys(results.locus["locus"])]


def _draw_model(axes: Axes, bins: pd.DataFrame, look: style.ModelStyle, top: float) -> None:
    """Draw boundary probability per bin up to ``top``, and a tick per bin with a token start."""
    middle = (bins["start"] + bins["end"]) / 2
    draw_prob(axes, middle, bins["boundary_prob"], look.colour)
    starts = np.repeat(middle, bins["tokens"].astype(int).clip(upper=1))
    # one path for all ticks: a path for each would make most of the page
    ticks = np.array([-0.24 * top, -0.06 * top, np.nan])
    axes.plot(np.repeat(starts, 3), np.tile(ticks, len(starts)), color=look.colour, linewidth=0.6)
    axes.set_ylim(-0.28 * top, 1.08 * top)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=3, prune=None))
    axes.set_yticks([tick for tick in axes.get_yticks() if 0 <= tick <= 1.05 * top])
    axes.set_ylim(-0.28 * top, 1.08 * top)


def locus(results: Results) -> Drawing | None:
    """Figure of the first locus."""
    names = loci(results)
    return _drawing(results, names[0], "locus") if names else None


def more(results: Results) -> list[Drawing]:
    """Figures of the other loci."""
    drawn = [
        _drawing(results, name, f"locus_{number}")
        for number, name in enumerate(loci(results)[1:], start=2)
    ]
    return [drawing for drawing in drawn if drawing]


def _models(results: Results, bins: pd.DataFrame) -> list[str]:
    """Models drawn at a locus: reference, control, then the others in file order."""
    there = [*dict.fromkeys(bins["model"])]
    return sorted(there, key=lambda name: (name != results.reference, name != results.control))


def _drawing(results: Results, named: str, name: str) -> Drawing | None:
    """Genes, regions, repeats, boundary probability and tokens of each model at one locus."""
    table = results.locus[results.locus["locus"] == named]
    bins = table[table["kind"] == "bin"]
    if bins.empty:
        return None
    names = _models(results, bins)
    looks = style.looks(results, names)
    low, high, chrom = int(bins["start"].min()), int(bins["end"].max()), bins["chrom"].iloc[0]
    genes = results.locus_genes[results.locus_genes["locus"] == named]
    repeats = table[table["kind"] == "repeat"]
    depth = 1 + max(transcripts_in_lanes(genes, high - low)["lane"], default=0)
    heights = [0.22 * depth + 0.12, 0.17, *([0.15] if len(repeats) else [])]
    above = len(heights)
    heights += [*[0.85] * len(names), 0.95]
    extra = style.key_extra_in(results.region_classes, 0.165)
    figure = new_figure(sum(heights) + 1.25 + extra)
    panels = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
    total = figure.get_figheight()
    top = 1 - (0.4 + extra) / total
    figure.subplots_adjust(left=0.165, right=0.985, bottom=0.48 / total, top=top, hspace=0.28)
    style.region_key(figure, results.region_classes, 0.165, 1 - 0.16 / total)
    draw_genes(panels[0], genes, low, high)
    side_label(panels[0], "genes", at=-0.13)  # left of the names of genes that begin outside
    draw_regions(panels[1], table[table["kind"] == "region"], results.region_classes)
    draw_starts(panels[1], table[table["kind"] == "tss"])
    side_label(panels[1], "regions")
    if len(repeats):
        draw_repeats(panels[2], repeats)
        side_label(panels[2], "repeats")
    prob = bins["boundary_prob"].astype(float)
    highest = float(prob.max()) if prob.notna().any() else 1.0
    last = panels[-1]
    for axes, (model, look) in zip(panels[above:], looks.items(), strict=False):
        of_model = bins[bins["model"] == model].sort_values("start")
        _draw_model(axes, of_model, look, highest)
        count = int(of_model["tokens"].sum())
        has_prob = of_model["boundary_prob"].notna().any()
        words = ["boundary prob."] if has_prob else []
        lines = [*textwrap.wrap(look.label, 16), *words, f"{count:,} tokens"]
        side_label(axes, "\n".join(lines), look.colour)
        last.plot(
            (of_model["start"] + of_model["end"]) / 2, of_model["bpt"].astype(float),
            color=look.colour, linestyle=look.dashes, linewidth=1.1,
        )  # fmt: skip
    values = bins["bpt"].astype(float)
    bpt_axis(last, values.min() / 1.15, values.max() * 1.15)
    side_label(last, "bases per token\n(finer above)")
    for row in records(table[(table["kind"] == "region") & (table["region"] == "promoter")]):
        for axes in panels[above:]:
            colour = style.region_colour(results.region_classes, "promoter")
            axes.axvspan(row["start"], row["end"], color=colour, alpha=0.13, linewidth=0)
    last.set_xlim(low, high)
    last.xaxis.set_major_locator(MaxNLocator(7))
    last.xaxis.set_major_formatter(FuncFormatter(lambda x, _: kilobases(x, high - low)))
    last.set_xlabel(f"position on {chrom} (kb)", parse_math=False)  # a name may have $
    place = f"{chrom}:{low:,}–{high:,}"
    if name == "locus":
        chosen = (
            "Unless the settings name a locus, it is the held-out stretch with most promoter "
            "bases, chosen by annotation alone. "
        )
        title = f"A held-out locus, {place}"
    else:
        chosen = ""
        title = f"{named}, {place}" if ":" not in named else f"A held-out locus, {place}"
    return Drawing(
        name,
        title,
        "From the top: genes (one transcript each; boxes are exons, taller where they code; "
        "arrows show the strand), the region of every base with a triangle at each transcription "
        f"start, {'repeats (black: tandem), ' if len(repeats) else ''}then for each model, on one "
        f"scale, the mean boundary probability in bins of {_widest(bins)} bp with a tick below "
        "for every bin where a token starts, and the local bases per token "
        "(bases over tokens). Tinted stripes are promoters: a model that has learned promoters has "
        f"more ticks and fewer bases per token there. {chosen}The models were not trained on it, "
        "and annotation is never an input.",
        figure,
        pd.concat(
            [table[~table["kind"].isin(["dna", "chunk"])], genes.assign(kind="gene")],
            ignore_index=True,
        ),
    )


def browser(results: Results) -> dict[str, Any] | None:
    """Sequence, loci and tracks for igv.js, of all loci together; None without the bases of any.

    Positions are 0-based and half-open; a locus that the browser is sent to counts from 1. The many
    bins and chunks are ``rows`` of a chromosome (its number in ``chroms``), start, end and perhaps
    a value, which the script of the page turns into features; rows have the colours ``shades`` in
    turn, if there are any. A colour of a track would hide those of its features.
    """
    table = results.locus
    bases = table[table["kind"] == "dna"]
    if bases.empty:
        return None
    longest = table.groupby("chrom")["end"].max()
    records_of = [
        f">{row['chrom']}:{row['start'] + 1}-{row['end']} @len={longest[row['chrom']]}\n"
        f"{row['region']}\n"
        for row in records(bases)
    ]
    places = [
        {"name": row["locus"], "locus": f"{row['chrom']}:{row['start'] + 1}-{row['end']}"}
        for row in records(bases)
    ]
    chroms = [*longest.index]
    tracks = [_gene_track(results), _region_track(results)]
    repeats = table[table["kind"] == "repeat"]
    if len(repeats):
        tracks.append(_intervals("repeats", repeats, style.SOFT))
    bins = table[table["kind"] == "bin"]
    highest = bins["boundary_prob"].astype(float).max()
    for name, look in style.looks(results, _models(results, bins)).items():
        own = bins[(bins["model"] == name) & bins["boundary_prob"].notna()]
        if len(own):
            tracks.append(
                {
                    "name": f"{look.label}: boundary probability", "type": "wig", "height": 60,
                    "color": look.colour, "min": 0, "max": round(float(highest), 2),
                    "rows": _rows(own, chroms, own["boundary_prob"].astype(float)),
                }
            )  # fmt: skip
        chunks = table[(table["kind"] == "chunk") & (table["model"] == name)]
        rows = {"rows": _rows(chunks, chroms), "shades": [look.colour, style.RULE]}
        tracks.append({"name": f"{look.label}: chunks", **_INTERVALS, **rows})
    return {"fasta": "".join(records_of), "chroms": chroms, "places": places, "tracks": tracks}


_INTERVALS = {"type": "annotation", "displayMode": "COLLAPSED", "height": 35}


def _rows(table: pd.DataFrame, chroms: list[str], *values: pd.Series) -> list[list[float]]:
    """Number of the chromosome, start, end and values of every row."""
    numbers = table["chrom"].map({name: number for number, name in enumerate(chroms)})
    columns = [numbers.astype(int), table["start"].astype(int), table["end"].astype(int), *values]
    return [list(row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def _intervals(name: str, table: pd.DataFrame, colour: str) -> dict[str, Any]:
    """An annotation track of named intervals."""
    features = [
        {
            "chr": row["chrom"], "start": int(row["start"]), "end": int(row["end"]),
            "name": str(row["region"]),
        }
        for row in records(table)
    ]  # fmt: skip
    return {"name": name, "color": colour, **_INTERVALS, "features": features}


def _region_track(results: Results) -> dict[str, Any]:
    table = results.locus[results.locus["kind"] == "region"]
    track = _intervals("regions", table, style.INK)
    del track["color"]
    for feature in track["features"]:
        name = feature["name"]
        feature["color"] = style.region_colour(results.region_classes, name)
        feature["name"] = results.region_classes.labels[name]
    return track


def _gene_track(results: Results) -> dict[str, Any]:
    """One feature per transcript and locus, with its exons."""
    features = []
    genes = results.locus_genes
    for _, parts in genes.groupby(["locus", "transcript_id"], sort=False):
        whole = parts[parts["feature"] == "transcript"]
        for row in records(whole):
            exons = records(parts[parts["feature"] == "exon"])
            features.append(
                {
                    "chr": row["chrom"], "start": int(row["start"]), "end": int(row["end"]),
                    "name": str(row["gene_name"]), "strand": row["strand"],
                    "exons": [{"start": int(e["start"]), "end": int(e["end"])} for e in exons],
                }
            )  # fmt: skip
    look = {"type": "annotation", "displayMode": "EXPANDED", "height": 80}
    return {"name": "genes", "color": style.INK, **look, "features": features}


def _widest(bins: pd.DataFrame) -> int:
    return int((bins["end"] - bins["start"]).max())


CHAPTER = Chapter("locus", "More loci", section, {"locus": locus}, more)
