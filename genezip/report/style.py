"""The style of all figures: models, region classes, fonts, and conversion to SVG.

Models have colours that differ from those of the paper's regions, and a marker each, so that
colour is never the only cue.
"""

import io
import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from genezip.artifacts.scores import (
    CPG_ROUTER,
    FIXED_STRIDE,
    GC_ROUTER,
    SURPRISAL_ROUTER,
    UNTRAINED,
)
from genezip.region_classes import CLASSES, RegionClasses
from genezip.report.scores import HeldOut

INK: Final = "#1A1A1A"
SOFT: Final = "#6B6B6B"
RULE: Final = "#D9D9D9"
BPT_TICKS: Final = (2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
WIDTH_IN: Final = 9.2  # every figure is this wide; 9.2 in = 883 px in the page

RC: Final[Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelsize": 9,
    "axes.labelcolor": INK,
    "axes.edgecolor": SOFT,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "lines.linewidth": 1.4,
    "lines.solid_capstyle": "round",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "none",  # text stays text: small, searchable, set in the reader's font
    "path.simplify": True,
}

_FONT_STACK = "system-ui,-apple-system,'Segoe UI','Helvetica Neue',Arial,'DejaVu Sans',sans-serif"
KEY_LINE_IN = 0.2  # height of one line of the key (in)
_RIGHT = 0.985  # right edge of the key, share of the figure's width
_DARK_TEXT_FROM = 0.36  # relative luminance above which black text is more legible


class ModelStyle(NamedTuple):
    """Label, colour and marker of one model or router."""

    label: str
    colour: str
    marker: str
    filled: bool

    @property
    def dashes(self) -> Any:
        """Line style: solid for filled markers, dashed for open ones."""
        return "-" if self.filled else (0, (4, 1.8))


_ROUTERS: Final = {
    GC_ROUTER: ModelStyle("GC/CpG router", "#8A6D00", "D", True),
    FIXED_STRIDE: ModelStyle("fixed stride", "#7A7A7A", "s", True),
    CPG_ROUTER: ModelStyle("CpG router", "#9C3D54", "P", True),
    SURPRISAL_ROUTER: ModelStyle("surprisal router", "#2B6C8F", "X", True),
}
_UNTRAINED: Final = ModelStyle("untrained", "#A98BC4", "^", True)
_SPARE: Final = ("#00606B", "#8C2D04", "#3F4A8A", "#5B7F2B")


def looks(results: HeldOut, names: list[str] | None = None) -> dict[str, ModelStyle]:
    """Styles of the named models and routers, or of all; a name always has the same style.

    They are in drawing order: reference, control, routers, the rest.
    """
    names = results.models if names is None else names
    styles = {
        results.reference: ModelStyle(results.reference, "#6A1FA0", "o", True),
        results.control: ModelStyle(results.control, "#111111", "o", False),
    }
    styles |= {name: style for name, style in _ROUTERS.items() if name in names}
    spare = iter(_SPARE * len(names))
    for name in sorted(set(names) - set(styles)):
        known = _UNTRAINED if UNTRAINED in name else None
        styles[name] = known or ModelStyle(name, next(spare), "v", True)
    return {name: style for name, style in styles.items() if name in names}


def pair(results: HeldOut) -> dict[str, ModelStyle]:
    """The styles of the reference and the control."""
    return looks(results, [results.reference, results.control])


@contextmanager
def applied() -> Iterator[None]:
    """Context with the style of this module; global settings are restored."""
    with mpl.rc_context(RC):
        yield


def dot(
    axes: Axes,
    x: float,
    y: float,
    style: ModelStyle,
    low: float | None = None,
    high: float | None = None,
    size: float = 6,
    vertical: bool = False,
) -> None:
    """Draw a marker at value ``x`` in row ``y`` with its interval (``vertical`` swaps axes)."""
    if low is not None and high is not None:
        ends = ([y, y], [low, high]) if vertical else ([low, high], [y, y])
        axes.plot(*ends, color=style.colour, linewidth=1.3, zorder=3)
    axes.plot(
        *((y, x) if vertical else (x, y)),
        marker=style.marker,
        markersize=size - (0.8 if style.marker == "D" else 0),
        markerfacecolor=style.colour if style.filled else "white",
        markeredgecolor=style.colour,
        markeredgewidth=1.3,
        linestyle="none",
        zorder=4,
    )


def key(axes: Axes, styles: list[ModelStyle], y: float = 1.06) -> None:
    """Draw a legend of the models in one line above the axes."""
    handles = [
        mpl.lines.Line2D(
            [], [], color=style.colour, marker=style.marker, markeredgecolor=style.colour,
            markerfacecolor=style.colour if style.filled else "white", linestyle="none",
            markersize=5.5, label=style.label,
        )
        for style in styles
    ]  # fmt: skip
    axes.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0, y), ncols=max(len(styles), 1),
        frameon=False, borderaxespad=0, handletextpad=0.2, columnspacing=1.4,
    )  # fmt: skip


_PATH = re.compile(r'(?<= d=")[^"]*')
_LONG = re.compile(r"-?\d+\.\d{3,}")


def _rounded(svg: str) -> str:
    """The same paths with coordinates to a hundredth of a point, which is half of the bytes."""

    def short(number: re.Match[str]) -> str:
        return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")

    return _PATH.sub(lambda path: _LONG.sub(short, path[0]), svg)


def svg(figure: Figure, name: str, label: str) -> str:
    """A figure as one SVG element, for a page or (with an XML declaration) a file.

    Element ids begin with the figure's name, because many figures share one page; ids that
    nothing points to are dropped, and no date is written, so equal data give equal text.

    Parameters
    ----------
    name : short name of the figure, letters and ``-`` only
    label : text alternative of the picture
    """
    text = io.StringIO()
    with mpl.rc_context({**RC, "svg.hashsalt": name}):
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    body = text.getvalue()
    body = body[body.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>\s*", "", body, flags=re.DOTALL)
    used = set(re.findall(r'(?:url\(#|href="#)([^")]+)', body))
    body = re.sub(
        r' id="([^"]+)"',
        lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "",
        body,
    )
    body = re.sub(r'(url\(#|href="#)([^")]+)', rf"\g<1>{name}-\g<2>", body)
    body = body.replace("'DejaVu Sans', sans-serif", _FONT_STACK)
    body = body.replace("'DejaVu Sans'", _FONT_STACK)
    escaped = label.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return _rounded(body).replace("<svg ", f'<svg role="img" aria-label="{escaped}" ', 1)


def region_label(region_classes: RegionClasses, name: str) -> str:
    """Readable name of a region class, group or ``all``."""
    return {**region_classes.labels, "all": "all bases"}.get(name, name)


def row_label(region_classes: RegionClasses, name: str) -> str:
    """Name of a region beside a row of a figure, wrapped into several lines."""
    return textwrap.fill(region_label(region_classes, name), 18)


def end_label(region_classes: RegionClasses, name: str) -> str:
    """Name of a region at the end of a line of a figure, cut to 20 letters."""
    label = region_classes.labels[name]
    return label if len(label) <= 20 else f"{label[:19]}…"


def region_colour(region_classes: RegionClasses, name: str) -> str:
    """Colour of a region class; ink for ``all``, soft ink for anything else."""
    return region_classes.colours.get(name, INK if name == "all" else SOFT)


def text_on(colour: str) -> str:
    """Black or white, the more legible on a colour (relative luminance as in WCAG 2)."""
    parts = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
    red, green, blue = linear
    return "black" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > _DARK_TEXT_FROM else "white"


def key_lines(region_classes: RegionClasses, x: float) -> list[list[str]]:
    """Classes of each line of the key; lines begin at ``x`` (share of the width)."""
    lines: list[list[str]] = [[]]
    left = x
    for name in region_classes.priority:
        length = 0.0074 * len(region_classes.labels[name])
        if lines[-1] and left + 0.017 + length > _RIGHT:
            lines.append([])
            left = x
        lines[-1].append(name)
        left += 0.043 + length
    return lines


def key_extra_in(region_classes: RegionClasses, x: float) -> float:
    """Height of the key beyond its first line (in)."""
    return KEY_LINE_IN * (len(key_lines(region_classes, x)) - 1)


def region_key(figure: Figure, region_classes: RegionClasses, x: float, y: float) -> None:
    """Draw the key of region names and colours; its first line begins at (x, y) of the figure."""
    for line in key_lines(region_classes, x):
        left = x
        for name in line:
            label = region_classes.labels[name]
            figure.text(left, y, "■", color=region_classes.colours[name], va="center", fontsize=9.5)
            figure.text(left + 0.017, y, label, color=INK, va="center", fontsize=8.5)
            left += 0.043 + 0.0074 * len(label)
        y -= KEY_LINE_IN / figure.get_figheight()


def order_in_words(region_classes: RegionClasses) -> str:
    """The classes by priority, as part of a sentence."""
    short = {**region_classes.labels, "exon": "exon"}
    *first, near, distal = (short[name] for name in region_classes.priority)
    if region_classes.priority[-2:] == ("nig", "dig"):
        near = "near"
    return f"{', '.join([*first, near])} and {distal}"


def user_labels(region_classes: RegionClasses, group: str) -> list[str]:
    """Labels of the user's classes in a group of the enrichment metric."""
    return [
        region_classes.labels[name] for name in region_classes.groups[group] if name not in CLASSES
    ]


def group_title(region_classes: RegionClasses, group: str, words: str) -> str:
    """Title of a group: ``words`` for the paper's classes, then lines with the user's."""
    own = user_labels(region_classes, group)
    return "\n".join([f"{words},", *textwrap.wrap(", ".join(own), 32)]) if own else words
