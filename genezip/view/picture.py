"""A picture of a stretch of DNA: its panels, title and caption, and its files."""

import textwrap
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from genezip.artifacts.files import atomic_path
from genezip.errors import GenezipError
from genezip.inference.mutations import Mutations
from genezip.inference.stretch import Stretch
from genezip.report import style
from genezip.report.drawing import (
    XML,
    draw_genes,
    draw_regions,
    draw_starts,
    new_figure,
    side_label,
    transcripts_in_lanes,
)
from genezip.view import panels
from genezip.view.genes import Genes

SUFFIXES = (".svg", ".png")
PNG_DPI = 150
_LEFT, _RIGHT = 0.175, 0.965
_LINE_IN = 0.148  # height of a line of the caption
_CAPTION_LETTERS = 150  # per line


@dataclass(frozen=True, kw_only=True, repr=False)
class Picture:
    """A picture of a stretch of DNA. Notebooks show it; :meth:`save` writes it.

    Attributes
    ----------
    title : the model, the region, its bases and its tokens
    caption : how it was computed and what the panels show; it is written below them
    figure : matplotlib Figure
    mutations : DataFrame or None
        One row per mutation: chrom, start, end (0-based, half-open), ref, alt, cut (0-based),
        boundary_prob (of the cut, with the mutation) and change (of it). Chrom is the name of the
        sequence.
    """

    title: str
    caption: str
    figure: Figure
    mutations: pd.DataFrame | None = None

    @cached_property
    def svg(self) -> str:
        """The picture as an SVG element, whose text is text."""
        return style.svg(self.figure, "plot", self.title)

    def save(self, path: str | Path) -> None:
        """Write a file, SVG or PNG by its suffix; equal pictures have equal bytes."""
        suffix = check_suffix(path)
        with atomic_path(path) as temporary:
            self.save_as(temporary, suffix)

    def save_as(self, path: Path, suffix: str) -> None:
        """Write a file of any name; ``suffix``, ``.svg`` or ``.png``, is its kind."""
        if suffix == ".svg":
            path.write_text(XML + self.svg, encoding="utf-8")
            return
        with style.applied():
            self.figure.savefig(path, format="png", dpi=PNG_DPI, metadata={"Software": None})

    def _repr_svg_(self) -> str:
        """Picture for notebooks."""
        return self.svg

    def __repr__(self) -> str:
        return f"Picture({self.title})"


def check_suffix(path: str | Path) -> str:
    """The suffix of a picture's file; one that is no known kind of picture is refused."""
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise GenezipError(
            f"{path} is neither SVG nor PNG by its name; give a name that ends in "
            f"{' or '.join(SUFFIXES)}"
        )
    return suffix


def draw(
    stretch: Stretch,
    model: str,
    place: str,
    axis: str,
    read: str,
    genes: Genes | None = None,
    mutations: Mutations | None = None,
    chrom: str = "",
) -> Picture:
    """Draw a stretch of DNA.

    Parameters
    ----------
    model : name of the model; may be empty
    place : name of the region, in the title
    axis : end of the label of positions: ``on chr1``
    read : sentence on how the tokens were computed
    chrom : contig or sequence, in the table of mutations
    """
    with style.applied():
        return _drawn(stretch, model, place, axis, read, genes, mutations, chrom)


def _drawn(
    stretch: Stretch, model: str, place: str, axis: str, read: str,
    genes: Genes | None, mutations: Mutations | None, chrom: str,
) -> Picture:  # fmt: skip
    has_prob = stretch.boundary_prob is not None
    size = None if stretch.ids is None else panels.letter_pt(len(stretch))
    heights: dict[str, float] = {}
    if genes is not None:
        lanes = transcripts_in_lanes(genes.genes, len(stretch))["lane"]
        heights |= {"genes": 0.22 * (1 + max(lanes, default=0)) + 0.12, "regions": 0.17}
    if has_prob:
        heights["prob"] = 1.05
    heights["chunks"] = 0.2
    if size is not None:
        heights["bases"] = 0.16
    heights["bpt"] = 0.85
    if mutations is not None:
        heights["mutations"] = 0.8
    title = _title(stretch, model, place)
    caption = _caption(stretch, read, genes, mutations)
    lines = textwrap.wrap(caption, _CAPTION_LETTERS)
    heads = textwrap.wrap(title, 110)
    above = 0.2 * len(heads) + 0.2
    if genes is not None:
        above += 0.12 + style.key_extra_in(genes.region_classes, _LEFT) + 0.1
    below = 0.58 + _LINE_IN * len(lines)
    gap = 0.13
    total = sum(heights.values()) + gap * (len(heights) - 1) + above + below
    figure = new_figure(total)
    right = _RIGHT if mutations is None else 0.925
    mean = sum(heights.values()) / len(heights)
    axes = dict(
        zip(
            heights,
            figure.subplots(
                len(heights), 1, sharex=True, squeeze=False, height_ratios=list(heights.values())
            )[:, 0],
            strict=True,
        )
    )
    figure.subplots_adjust(
        left=_LEFT, right=right, bottom=below / total, top=1 - above / total, hspace=gap / mean
    )
    for number, line in enumerate(heads):
        figure.text(
            0.012, 1 - (0.16 + 0.2 * number) / total, line, va="center", fontsize=9.5,
            fontweight="bold", parse_math=False,
        )  # fmt: skip
    for number, line in enumerate(lines):
        figure.text(
            0.012, (below - 0.58 - _LINE_IN * (number + 0.5) + 0.04) / total, line, va="center",
            fontsize=7.5, color=style.SOFT, parse_math=False,
        )  # fmt: skip
    if genes is not None:
        y = 1 - (0.2 * len(heads) + 0.2) / total
        style.region_key(figure, genes.region_classes, _LEFT, y)
        draw_genes(axes["genes"], genes.genes, stretch.start, stretch.end)
        side_label(axes["genes"], "genes", at=-0.13)
        draw_regions(axes["regions"], genes.regions, genes.region_classes)
        draw_starts(axes["regions"], genes.starts)
        side_label(axes["regions"], "regions")
    if has_prob:
        panels.prob_panel(axes["prob"], stretch)
    panels.chunk_panel(axes["chunks"], stretch)
    if size is not None:
        panels.base_panel(axes["bases"], stretch, size)
    panels.bpt_panel(axes["bpt"], stretch)
    if mutations is not None:
        panels.mutation_panel(axes["mutations"], mutations)
    for edge in _inner_edges(stretch):
        for name in ("prob", "chunks", "bpt"):
            if name in axes:
                axes[name].axvline(edge, color=style.INK, linewidth=0.6, linestyle=":")
    for panel in list(axes.values())[:-1]:
        panel.tick_params(axis="x", length=0, labelbottom=False)
    panels.position_axis(list(axes.values())[-1], stretch.start, stretch.end, axis)
    if mutations is not None:
        panels.mark_cut([axes["prob"], axes["mutations"]], mutations.at)
    table = None if mutations is None else mutations.table(chrom)
    return Picture(title=title, caption=caption, figure=figure, mutations=table)


def _inner_edges(stretch: Stretch) -> np.ndarray:
    edges: np.ndarray = stretch.edges
    return edges[(edges > stretch.start) & (edges < stretch.end)]


def _title(stretch: Stretch, model: str, place: str) -> str:
    starts, _ = stretch.chunks()
    count = int(((starts >= stretch.start) & (starts < stretch.end)).sum())
    words = "1 token begins" if count == 1 else f"{count:,} tokens begin"
    begin = f"{model}: {place}" if model else place
    bpt = stretch.mean_bpt
    number = f"{bpt:,.0f}" if bpt >= 100 else f"{bpt:.3g}"
    return f"{begin}, {len(stretch):,} bp; {words} here, {number} bp per token"


def _caption(stretch: Stretch, read: str, genes: Genes | None, mutations: Mutations | None) -> str:
    parts = [read]
    if len(_inner_edges(stretch)):
        parts.append("Dotted lines: a window begins, and with it a token.")
    if genes is not None:
        parts.append(
            f"Genes of {genes.name}, one transcript each: boxes are exons, taller where they code; "
            "arrows show the strand. Triangles are transcription starts."
        )
    width = panels.prob_bin_bp(len(stretch))
    if stretch.boundary_prob is not None:
        each = "for every base" if width == 1 else f"as means of {width:,} bp"
        stages = len(stretch.found.stage_tokens)
        if stages > 1:
            parts.append(
                f"The boundary probability is drawn {each} and is that of the first of {stages} "
                "stages, while chunks are those of the last: a token begins where every stage cuts."
            )
        else:
            parts.append(f"The boundary probability is drawn {each}.")
    if len(stretch.chunks()[0]) > panels.MOST_BOXES:
        parts.append(f"Chunks are too many for boxes: the darker, the more begin in {width:,} bp.")
    parts.append(
        "Bases per token are the bases of a window over its tokens (1,000 / tokens per kb); finer "
        "above."
    )
    if mutations is not None:
        parts.append(
            f"Each base of the region was replaced by each other one: the boundary probability "
            f"of base {mutations.at + 1:,}, {mutations.prob:.3f}, rises (red) or falls (blue). "
            f"{strongest_words(mutations)}"
        )
    return " ".join(parts)


def strongest_words(mutations: Mutations, count: int = 3) -> str:
    """The mutations with the largest effect on the cut, in one sentence."""
    table = mutations.table("")
    order = table["change"].abs().sort_values(ascending=False, kind="stable").index[:count]
    table = table.loc[order]
    table = table[table["change"] != 0]
    if table.empty:
        return "No mutation changes it."
    named = [
        f"{ref}{start + 1:,}{alt} ({prob:.3f})"
        for ref, start, alt, prob in zip(
            table["ref"], table["start"], table["alt"], table["boundary_prob"], strict=True
        )
    ]
    return f"Largest effects: {', '.join(named)}."
