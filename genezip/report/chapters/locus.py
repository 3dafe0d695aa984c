"""The chapter on held-out loci: genes, regions, repeats, and the tokens of each model.

The layout follows Figure 4 of the paper (arXiv 2602.17739). The first locus stands at the top of
the page.
"""

import base64
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from genezip.region_classes import RegionClasses
from genezip.report import style
from genezip.report.chapter import Chapter, Section
from genezip.report.drawing import Drawing, new_figure
from genezip.report.results import Results
from genezip.report.scores import records

LETTER_SHARE = 0.0105  # width of a letter of a gene name, as a share of the locus


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


def lanes(spans: list[tuple[float, float]]) -> list[int]:
    """Lane of every span, without overlaps in a lane (first fit, left to right)."""
    ends: list[float] = []
    found = [0] * len(spans)
    for index in sorted(range(len(spans)), key=lambda i: spans[i]):
        start, end = spans[index]
        lane = next((k for k, last in enumerate(ends) if last <= start), len(ends))
        if lane == len(ends):
            ends.append(end)
        ends[lane] = end
        found[index] = lane
    return found


def _transcripts(genes: pd.DataFrame, length: int) -> pd.DataFrame:
    """One row per transcript with its lane; its span includes its name on the left."""
    table = genes[genes["feature"] == "transcript"].reset_index(drop=True)
    names = table["gene_name"].fillna("").str.len()
    left = table["start"] - (names + 1) * LETTER_SHARE * length
    spans = list(zip(left, table["end"] + 0.01 * length, strict=True))
    return table.assign(lane=lanes(spans))


def _draw_genes(axes: Axes, genes: pd.DataFrame, low: int, high: int) -> None:
    """Draw introns as lines with arrows, exons as boxes, coding parts as taller boxes."""
    length = high - low
    table = _transcripts(genes, length)
    for row in records(table):
        start, end, y = row["start"], row["end"], -row["lane"]
        axes.plot([start, end], [y, y], color=style.INK, linewidth=0.8, zorder=1)
        arrows = np.arange(start + 0.006 * length, end, 0.018 * length)
        marker = "4" if row["strand"] == "+" else "3"
        axes.plot(arrows, np.full(len(arrows), y), marker, color=style.INK, markersize=4, zorder=1)
        parts = genes[genes["transcript_id"] == row["transcript_id"]]
        for part in records(parts[parts["feature"].isin(["exon", "cds"])]):
            half = 0.32 if part["feature"] == "cds" else 0.17
            width = max(part["end"] - part["start"], 0.0009 * length)  # wide enough to be visible
            box = Rectangle((part["start"], y - half), width, 2 * half, color=style.INK)
            box.set_linewidth(0)
            axes.add_patch(box)
        axes.text(
            start - 0.004 * length, y, str(row["gene_name"]), ha="right", va="center",
            fontsize=7.5, style="italic",
        )  # fmt: skip
    axes.set_ylim(-table["lane"].max() - 0.6 if len(table) else -0.6, 0.6)
    if table.empty:
        axes.text((low + high) / 2, 0, "no gene in this locus", ha="center", color=style.SOFT)
    _bare(axes)


def _bare(axes: Axes) -> None:
    axes.set_yticks([])
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="x", length=0, labelbottom=False)


def _draw_regions(axes: Axes, regions: pd.DataFrame, region_classes: RegionClasses) -> None:
    for row in records(regions):
        start, width = row["start"], row["end"] - row["start"]
        colour = style.region_colour(region_classes, row["region"])
        axes.add_patch(Rectangle((start, 0), width, 1, color=colour, linewidth=0))
    axes.set_ylim(0, 1)
    _bare(axes)


def _draw_repeats(axes: Axes, repeats: pd.DataFrame) -> None:
    """Draw interspersed repeats as grey boxes and tandem repeats as black ones."""
    for row in records(repeats):
        tandem = row["region"] in ("tandem", "Simple_repeat", "Satellite")
        colour = style.INK if tandem else style.SOFT
        box = Rectangle((row["start"], 0.15), row["end"] - row["start"], 0.7, color=colour)
        box.set(linewidth=0, alpha=1 if tandem else 0.55)
        axes.add_patch(box)
    axes.set_ylim(0, 1)
    _bare(axes)


def _draw_starts(axes: Axes, starts: pd.DataFrame) -> None:
    """Draw every transcription start as a triangle that points along its strand."""
    for row in records(starts):
        marker = {"+": ">", "-": "<"}.get(row["region"], "|")
        axes.plot(
            row["start"], 1.45, marker, markersize=3.6, color=style.INK, clip_on=False,
            markeredgewidth=0,
        )  # fmt: skip


def _draw_model(axes: Axes, bins: pd.DataFrame, look: style.ModelStyle, top: float) -> None:
    """Draw boundary probability per bin up to ``top``, and a tick per bin with a token start."""
    middle = (bins["start"] + bins["end"]) / 2
    axes.fill_between(middle, bins["boundary_prob"].astype(float), color=look.colour, alpha=0.22,
                      linewidth=0, step="mid")  # fmt: skip
    axes.plot(
        middle, bins["boundary_prob"], color=look.colour, linewidth=0.7, drawstyle="steps-mid"
    )
    starts = np.repeat(middle, bins["tokens"].astype(int).clip(upper=1))
    axes.vlines(starts, -0.24 * top, -0.06 * top, color=look.colour, linewidth=0.6)
    axes.set_ylim(-0.28 * top, 1.08 * top)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=3, prune=None))
    axes.set_yticks([tick for tick in axes.get_yticks() if 0 <= tick <= 1.05 * top])
    axes.set_ylim(-0.28 * top, 1.08 * top)


def kilobases(position: float, length: int) -> str:
    """A position as a tick in kb, with the decimals that ticks of a locus of this length need."""
    decimals = 0 if length >= 7_000 else 1 if length >= 700 else 3
    return f"{position / 1000:,.{decimals}f}"


def _label(axes: Axes, text: str, colour: str = style.INK, at: float = -0.055) -> None:
    axes.text(
        at, 0.5, text, transform=axes.transAxes, ha="right", va="center", fontsize=8.5,
        color=colour, fontweight="bold", linespacing=1.35,
    )  # fmt: skip


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
    depth = 1 + max(_transcripts(genes, high - low)["lane"], default=0)
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
    _draw_genes(panels[0], genes, low, high)
    _label(panels[0], "genes", at=-0.13)  # left of the names of genes that begin outside
    _draw_regions(panels[1], table[table["kind"] == "region"], results.region_classes)
    _draw_starts(panels[1], table[table["kind"] == "tss"])
    _label(panels[1], "regions")
    if len(repeats):
        _draw_repeats(panels[2], repeats)
        _label(panels[2], "repeats")
    prob = bins["boundary_prob"].astype(float)
    highest = float(prob.max()) if prob.notna().any() else 1.0
    last = panels[-1]
    for axes, (model, look) in zip(panels[above:], looks.items(), strict=False):
        of_model = bins[bins["model"] == model].sort_values("start")
        _draw_model(axes, of_model, look, highest)
        count = int(of_model["tokens"].sum())
        has_prob = of_model["boundary_prob"].notna().any()
        words = ["boundary prob."] if has_prob else []
        _label(axes, "\n".join([look.label, *words, f"{count:,} tokens"]), look.colour)
        last.plot(
            (of_model["start"] + of_model["end"]) / 2, of_model["bpt"].astype(float),
            color=look.colour, linestyle=look.dashes, linewidth=1.1,
        )  # fmt: skip
    last.set_yscale("log")
    last.yaxis.set_major_locator(FixedLocator(style.BPT_TICKS))
    last.yaxis.set_minor_locator(NullLocator())
    last.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.0f}"))
    values = bins["bpt"].astype(float)
    last.set_ylim(values.max() * 1.15, values.min() / 1.15)
    _label(last, "bases per token\n(finer above)")
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

    Positions are 0-based and half-open; a locus that the browser is sent to counts from 1.
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
    fasta = base64.b64encode("".join(records_of).encode()).decode()
    tracks = [_gene_track(results), _region_track(results)]
    repeats = table[table["kind"] == "repeat"]
    if len(repeats):
        tracks.append(_intervals("repeats", repeats, style.SOFT, named=True))
    bins = table[table["kind"] == "bin"]
    highest = bins["boundary_prob"].astype(float).max()
    for name, look in style.looks(results, _models(results, bins)).items():
        own = bins[(bins["model"] == name) & bins["boundary_prob"].notna()]
        if len(own):
            keys = ("chrom", "start", "end", "boundary_prob")
            values = zip(*(own[key] for key in keys), strict=True)
            tracks.append(
                {
                    "name": f"{look.label}: boundary probability", "type": "wig", "height": 60,
                    "color": look.colour, "min": 0, "max": round(float(highest), 2),
                    "features": [
                        {"chr": c, "start": int(s), "end": int(e), "value": float(v)}
                        for c, s, e, v in values
                    ],
                }
            )  # fmt: skip
        chunks = table[(table["kind"] == "chunk") & (table["model"] == name)]
        tracks.append(_intervals(f"{look.label}: chunks", chunks, look.colour))
    return {"fasta": fasta, "places": places, "tracks": tracks}


def _intervals(name: str, table: pd.DataFrame, colour: str, named: bool = False) -> dict[str, Any]:
    """An annotation track; neighbours have two shades where they are not ``named``."""
    features = []
    for number, row in enumerate(records(table)):
        feature = {"chr": row["chrom"], "start": int(row["start"]), "end": int(row["end"])}
        if named:
            feature["name"] = str(row["region"])
        elif number % 2:
            feature["color"] = style.RULE
        features.append(feature)
    look = {"type": "annotation", "displayMode": "COLLAPSED", "height": 35}
    return {"name": name, "color": colour, **look, "features": features}


def _region_track(results: Results) -> dict[str, Any]:
    table = results.locus[results.locus["kind"] == "region"]
    track = _intervals("regions", table, style.INK, named=True)
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
