"""Region classes in figures and words: labels, colours, their key, their order of priority."""

import textwrap

from matplotlib.figure import Figure

from genezip.region_classes import CLASSES, RegionClasses
from genezip.report.style import INK, SOFT

KEY_LINE_IN = 0.2  # height of one line of the key (in)
_RIGHT = 0.985  # right edge of the key, share of the figure's width
_DARK_TEXT_FROM = 0.36  # relative luminance from which black is read better than white


def region_label(region_classes: RegionClasses, name: str) -> str:
    """Readable name of a region class, group or ``all``."""
    return {**region_classes.labels, "all": "all bases"}.get(name, name)


def row_label(region_classes: RegionClasses, name: str) -> str:
    """The same beside a row of a figure, where long names take several lines."""
    return textwrap.fill(region_label(region_classes, name), 18)


def end_label(region_classes: RegionClasses, name: str) -> str:
    """The same at the end of a line of a figure, where long names are cut."""
    label = region_classes.labels[name]
    return label if len(label) <= 20 else f"{label[:19]}…"


def region_colour(region_classes: RegionClasses, name: str) -> str:
    """Colour of a region class; ink for ``all``, soft ink for anything else."""
    return region_classes.colours.get(name, INK if name == "all" else SOFT)


def text_on(colour: str) -> str:
    """Black or white, whichever is read better on a colour (relative luminance as in WCAG 2)."""
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
    red, green, blue = linear
    return "black" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > _DARK_TEXT_FROM else "white"


def key_lines(region_classes: RegionClasses, x: float) -> list[list[str]]:
    """Classes of each line of the key, where lines begin at ``x`` (share of the width)."""
    lines: list[list[str]] = [[]]
    place = x
    for name in region_classes.priority:
        length = 0.0074 * len(region_classes.labels[name])
        if lines[-1] and place + 0.017 + length > _RIGHT:
            lines.append([])
            place = x
        lines[-1].append(name)
        place += 0.043 + length
    return lines


def key_extra_in(region_classes: RegionClasses, x: float) -> float:
    """Height that the key needs beyond its first line (in)."""
    return KEY_LINE_IN * (len(key_lines(region_classes, x)) - 1)


def region_key(figure: Figure, region_classes: RegionClasses, x: float, y: float) -> None:
    """Region names, each behind a chip of its colour; the first line at figure coordinates."""
    for line in key_lines(region_classes, x):
        place = x
        for name in line:
            label = region_classes.labels[name]
            figure.text(
                place, y, "■", color=region_classes.colours[name], va="center", fontsize=9.5
            )
            figure.text(place + 0.017, y, label, color=INK, va="center", fontsize=8.5)
            place += 0.043 + 0.0074 * len(label)
        y -= KEY_LINE_IN / figure.get_figheight()


def order_in_words(region_classes: RegionClasses) -> str:
    """The classes by priority, as part of a sentence."""
    short = {**region_classes.labels, "exon": "exon"}
    *first, near, distal = (short[name] for name in region_classes.priority)
    if region_classes.priority[-2:] == ("nig", "dig"):
        near = "near"
    return f"{', '.join([*first, near])} and {distal}"


def own_labels(region_classes: RegionClasses, group: str) -> list[str]:
    """Labels of the user's classes in a group of the enrichment metric."""
    return [
        region_classes.labels[name] for name in region_classes.groups[group] if name not in CLASSES
    ]


def group_title(region_classes: RegionClasses, group: str, words: str) -> str:
    """Title of a group: ``words`` for the paper's classes, then lines with the user's."""
    own = own_labels(region_classes, group)
    return "\n".join([f"{words},", *textwrap.wrap(", ".join(own), 32)]) if own else words
