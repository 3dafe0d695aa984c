"""The type of a chapter: a heading, and the text, tables and figures of one run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from genezip.report.drawing import Drawing
from genezip.report.results import Results

Cell = str | dict[str, Any]
"""Text, or one of ``{"code": text}``, ``{"file": path}``, ``{"bar": rem}``, ``{"verdict", "text",
"note"}``; a path is relative to the page."""


@dataclass(frozen=True)
class Table:
    """A table of the page; ``numeric`` lists the right-aligned columns."""

    head: list[str]
    rows: list[list[Cell]]
    numeric: tuple[int, ...] = ()
    title: str = ""
    note: str = ""


@dataclass(frozen=True)
class Section:
    """Content of a chapter for one run: paragraphs, figures, tables, terms, in this order.

    ``below`` are paragraphs behind the tables.
    ``illustrated`` False omits the note on missing figures; ``dense`` sets tables side by side.
    """

    text: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    terms: list[tuple[str, str]] = field(default_factory=list)
    below: list[str] = field(default_factory=list)
    illustrated: bool = True
    dense: bool = False


@dataclass(frozen=True)
class Chapter:
    """A chapter of the page."""

    id: str  # address on the page
    title: str
    section: Callable[[Results], Section | None]  # content for a run; None leaves the chapter out
    # name of a figure -> its drawing; None where its numbers were not computed
    figures: Mapping[str, Callable[[Results], Drawing | None]] = field(default_factory=dict)
    # figures of which a run has any number, named ``<id>_<number>``; they come after the others
    more: Callable[[Results], list[Drawing]] = lambda _: []
