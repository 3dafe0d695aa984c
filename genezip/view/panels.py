"""The panels of a picture that show what a model does: probability, chunks, bases, mutations."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from genezip.alphabet import BASES, decode
from genezip.inference.mutations import Mutations
from genezip.inference.stretch import Stretch
from genezip.inference.tracks import WINDOW_BP
from genezip.report import style
from genezip.report.drawing import bare, bpt_axis, draw_prob, kilobases, side_label

COLOUR = "#6A1FA0"  # of the model, as of the reference in the report
CHUNKS = ("#2166AC", "#92C5DE")  # in turn, as in chunks.bed.gz
GAIN_AND_LOSS = "RdBu_r"  # red and blue, distinct for all readers

EACH_BASE_BP = 1_500
"""Up to this length the probability of every base is drawn, above it means of bins."""
MOST_BOXES = 1_000
"""Up to this number chunks are boxes; more would be narrower than a pixel."""
KB_FROM = 10_000
"""From this length positions are in kb."""

_WIDTH_PT = 540.0  # width of a panel
_LEAST_PT = 5.5  # smallest legible letter


def nice(value: float) -> int:
    """The smallest of 1, 2, 5, 10, 20, ... that is at least ``value``."""
    scale = 1
    while True:
        for step in (1, 2, 5):
            if step * scale >= value:
                return step * scale
        scale *= 10


def prob_bin_bp(length: int) -> int:
    """Width of the bins in which the probability is drawn (bp); 1 draws every base."""
    return 1 if length <= EACH_BASE_BP else nice(length / 1_000)


def bpt_window_bp(length: int) -> int:
    """Width of the windows of the local bp per token: 1,000 bp, in a short region less."""
    return min(max(nice(length / 60), 10), WINDOW_BP)


def letter_pt(length: int) -> float | None:
    """Font size at which the letters of so many bases fit side by side; None if too small."""
    size = min(1.4 * _WIDTH_PT / length, 8.0)
    return size if size >= _LEAST_PT else None


def prob_panel(axes: Axes, stretch: Stretch) -> None:
    """Boundary probability of every base, or its mean in bins that begin at round positions."""
    prob = stretch.boundary_prob
    assert prob is not None
    width = prob_bin_bp(len(stretch))
    grid = np.arange(stretch.start // width + 1, -(-stretch.end // width)) * width
    edges = np.concatenate([[stretch.start], grid, [stretch.end]])
    sums = np.add.reduceat(prob.astype(np.float64), edges[:-1] - stretch.start)
    values = sums / np.diff(edges)
    # the first and last value reach to the ends
    places = np.concatenate([edges[:1], (edges[:-1] + edges[1:]) / 2, edges[-1:]])
    heights = np.concatenate([values[:1], values, values[-1:]])
    draw_prob(axes, pd.Series(places), pd.Series(heights), COLOUR)
    words = "boundary\nprobability"
    if width == 1:
        axes.set_ylim(0, 1.04)
        axes.yaxis.set_major_locator(FixedLocator([0, 0.5, 1]))
    else:
        axes.set_ylim(0, max(float(values.max()) * 1.08, 0.05))
        axes.yaxis.set_major_locator(MaxNLocator(3))
        words += f"\n(means of\n{width:,} bp)"
    side_label(axes, words, COLOUR)


def chunk_panel(axes: Axes, stretch: Stretch) -> None:
    """Chunks as boxes with their lengths where they fit; where they are many, their density."""
    starts, ends = stretch.chunks()
    low, high = np.maximum(starts, stretch.start), np.minimum(ends, stretch.end)
    if len(starts) <= MOST_BOXES:
        colours = [CHUNKS[number % 2] for number in range(len(starts))]
        spans = list(zip(low.tolist(), (high - low).tolist(), strict=True))
        axes.broken_barh(spans, (0, 1), facecolors=colours, linewidth=0)
        point, words = len(stretch) / _WIDTH_PT, "chunks"
        for number, (start, end) in enumerate(zip(low, high, strict=True)):
            text = f"{ends[number] - starts[number]:,}"
            whole = (start, end) == (starts[number], ends[number])
            if whole and end - start > (5 * len(text) + 2) * point:
                words = "chunks (bp)"
                axes.text(
                    (start + end) / 2, 0.46, text, ha="center", va="center", fontsize=7,
                    color=style.text_on(colours[number]),
                )  # fmt: skip
        side_label(axes, words)
    else:
        width = prob_bin_bp(len(stretch))
        edges = np.arange(stretch.start, stretch.end + width, width)
        counts, _ = np.histogram(starts, edges)
        spans = [(int(edge), width) for edge in edges[:-1]]
        shades = _shades(counts / max(counts.max(), 1))
        axes.broken_barh(spans, (0, 1), facecolors=shades, linewidth=0)
        side_label(axes, "chunk starts")
    axes.set_ylim(0, 1)
    bare(axes)


def _shades(shares: np.ndarray) -> list[str]:
    """Colours from white (0) to the dark blue of chunks (1)."""
    dark = np.array([int(CHUNKS[0][at : at + 2], 16) for at in (1, 3, 5)])
    mixed = np.rint(255 + (dark - 255) * shares[:, None]).astype(int)
    return [f"#{red:02X}{green:02X}{blue:02X}" for red, green, blue in mixed]


def base_panel(axes: Axes, stretch: Stretch, size: float) -> None:
    """The letters of the bases."""
    assert stretch.letters is not None
    for at, letter in enumerate(decode(stretch.letters).decode(), stretch.start):
        axes.text(at + 0.5, 0.46, letter, ha="center", va="center", fontsize=size)
    axes.set_ylim(0, 1)
    bare(axes)
    side_label(axes, "bases")


def bpt_panel(axes: Axes, stretch: Stretch) -> None:
    """Local bases per token in windows, on a logarithmic axis, finer above."""
    width = bpt_window_bp(len(stretch))
    starts, ends, values = stretch.bpt(width)
    axes.stairs(values, np.append(starts, ends[-1:]), baseline=None, color=COLOUR, linewidth=1.1)
    ticks = (1, *style.BPT_TICKS)
    least = max([tick for tick in ticks if tick <= values.min()], default=1)
    most = min([tick for tick in ticks if tick >= values.max()], default=float(values.max()))
    most = max(most, 2 * least)
    bpt_axis(axes, least / 1.08, most * 1.08)
    if most / least > 100:
        axes.yaxis.set_major_locator(LogLocator())
    side_label(axes, f"bases per token\n(windows of\n{width:,} bp)")


def mutation_panel(axes: Axes, mutations: Mutations) -> None:
    """Change of the boundary probability of the cut, for every base and every other letter."""
    change, count = mutations.change, len(mutations.ids)
    most = max(float(np.abs(change).max()), 0.01)
    edges = mutations.start + np.arange(count + 1)
    mesh = axes.pcolormesh(
        edges, np.arange(5), change.T, cmap=GAIN_AND_LOSS, vmin=-most, vmax=most, linewidth=0
    )
    size = letter_pt(count)
    for at, letter in enumerate(decode(mutations.ids).decode(), mutations.start):
        row = BASES.decode().find(letter)
        if row < 0:
            continue
        if size is None:
            axes.broken_barh([(at, 1)], (row, 1), facecolors=style.RULE, linewidth=0)
        else:
            axes.text(at + 0.5, row + 0.5, letter, ha="center", va="center", fontsize=size)
    axes.set_ylim(4, 0)
    axes.set_yticks(np.arange(4) + 0.5, [*BASES.decode()])
    axes.tick_params(axis="y", length=0)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    beside = axes.inset_axes((1.012, 0, 0.012, 1))
    bar = axes.figure.colorbar(mesh, cax=beside, ticks=[-most, 0, most])
    bar.ax.set_yticklabels([signed(-most), "0", signed(most)])
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, labelsize=7.5)
    side_label(axes, "mutated to\n(change of\nprobability)")


def signed(value: float) -> str:
    """A change of a probability with its sign, in two digits."""
    return f"{value:+.2g}".replace("-", "−")


def position_axis(axes: Axes, low: int, high: int, name: str) -> None:
    """Label positions, which count from 1; the tick of a base is at its middle."""
    length = high - low
    axes.set_xlim(low, high)
    if length >= KB_FROM:
        axes.xaxis.set_major_locator(MaxNLocator(7))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: kilobases(x, length)))
    else:
        found = MaxNLocator(7, integer=True, steps=[1, 2, 5, 10]).tick_values(low + 1, high)
        ticks = [tick for tick in found if low + 1 <= tick <= high]
        axes.set_xticks([tick - 0.5 for tick in ticks], [f"{tick:,.0f}" for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(axis="x", length=3, labelbottom=True)
    axes.spines["bottom"].set_visible(True)
    unit = "kb" if length >= KB_FROM else "bp"
    # a name may have $
    axes.set_xlabel(f"position {name} ({unit})", parse_math=False)


def mark_cut(panels: Sequence[Axes], at: int) -> None:
    """A dashed line at the left edge of the base where the cut is, named in the first panel."""
    for axes in panels:
        axes.axvline(at, color=style.INK, linewidth=0.8, linestyle=(0, (3, 2)), zorder=5)
    low, high = panels[0].get_xlim()
    right = (at - low) / (high - low) < 0.8
    panels[0].annotate(
        f"cut at {at + 1:,}", (at, 1), xycoords=panels[0].get_xaxis_transform(),
        xytext=(4 if right else -4, 0), textcoords="offset points",
        ha="left" if right else "right", va="top", fontsize=7.5, zorder=6,
        bbox={"facecolor": "white", "alpha": 0.85, "linewidth": 0, "pad": 1},
    )  # fmt: skip
