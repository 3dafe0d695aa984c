"""One look for every figure: colours, markers, type, and how a figure becomes SVG.

Models get colours that none of the paper's regions has, and a marker each, so that nothing
rests on colour alone; regions are those of :mod:`genezip.report.region_style`.
"""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK: Final = "#1A1A1A"
SOFT: Final = "#6B6B6B"
RULE: Final = "#D9D9D9"
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


class ModelStyle(NamedTuple):
    """How one model or router is drawn."""

    label: str
    colour: str
    marker: str
    filled: bool

    @property
    def dashes(self) -> Any:
        """Line style: solid for filled markers, dashed for open ones."""
        return "-" if self.filled else (0, (4, 1.8))


_ROUTERS: Final = {
    "gc_cpg": ModelStyle("GC/CpG router", "#8A6D00", "D", True),
    "fixed_stride": ModelStyle("fixed stride", "#7A7A7A", "s", True),
}
_UNTRAINED: Final = ModelStyle("untrained", "#A98BC4", "^", True)
_SPARE: Final = ("#00606B", "#8C2D04", "#3F4A8A", "#5B7F2B")


def model_styles(names: list[str], reference: str, control: str) -> dict[str, ModelStyle]:
    """A style for every model name; the same name always gets the same one.

    Parameters
    ----------
    names : list of str
        Models and routers, in any order.
    reference, control : str
        The two models that the page compares.

    Returns
    -------
    dict
        Name -> style, in drawing order: reference, control, routers, the rest.
    """
    styles = {
        reference: ModelStyle(reference, "#6A1FA0", "o", True),
        control: ModelStyle(control, "#111111", "o", False),
    }
    styles |= {name: style for name, style in _ROUTERS.items() if name in names}
    spare = iter(_SPARE * len(names))
    for name in sorted(set(names) - set(styles)):
        if "untrained" in name:
            styles[name] = _UNTRAINED
        else:
            styles[name] = ModelStyle(name, next(spare), "v", True)
    return {name: style for name, style in styles.items() if name in names}


@contextmanager
def applied() -> Iterator[None]:
    """Draw inside this block to get the house style; nothing global is left changed."""
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
    """A marker at value ``x`` in row ``y`` with its 95 % interval (``vertical`` turns both)."""
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
    """The names of the models, each behind its marker, in one line above the axes."""
    handles = [
        mpl.lines.Line2D(
            [],
            [],
            color=style.colour,
            marker=style.marker,
            markerfacecolor=style.colour if style.filled else "white",
            markeredgecolor=style.colour,
            linestyle="none",
            markersize=5.5,
            label=style.label,
        )
        for style in styles
    ]
    axes.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0, y),
        ncols=max(len(styles), 1),
        frameon=False,
        borderaxespad=0,
        handletextpad=0.2,
        columnspacing=1.4,
    )


def svg(figure: Figure, name: str, label: str) -> str:
    """A figure as one SVG element, for a page or (with an XML declaration) a file.

    Element ids carry the figure's name, because many figures share one page; ids that
    nothing points to are dropped, and no date is written, so equal data give equal text.

    Parameters
    ----------
    figure : Figure
    name : str
        Short name of the figure, letters and ``-`` only.
    label : str
        What the picture shows, for readers who cannot see it.
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
    return body.replace("<svg ", f'<svg role="img" aria-label="{escaped}" ', 1)
