"""Every figure of the page, by name, and how they are written as files."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pandas as pd

from genezip.artifacts.files import write_text
from genezip.artifacts.tables import write_tsv
from genezip.report import figures_labels, style
from genezip.report.chapters import compression, corpus, locus, repeats, tokens, training
from genezip.report.drawing import Drawing, new_figure
from genezip.report.results import Results

XML: Final = '<?xml version="1.0" encoding="utf-8"?>\n'

FIGURES: Final[dict[str, Callable[[Results], Drawing | None]]] = {
    "corpus": corpus.corpus,
    "curves": training.curves,
    "steering": training.steering,
    "perplexity": compression.perplexity,
    "bpt": compression.bpt,
    "enrichment": tokens.enrichment,
    "gc_thirds": tokens.gc_thirds,
    "locus": locus.locus,
    "repeats": repeats.repeats,
    "labels": figures_labels.labels,
}


def draw(results: Results) -> dict[str, Drawing]:
    """All figures whose numbers were computed, in the order of the page."""
    with style.applied():
        found = {name: function(results) for name, function in FIGURES.items()}
    return {name: drawing for name, drawing in found.items() if drawing is not None}


def not_computed(name: str) -> Drawing:
    """What is written for a figure without numbers, so that its files exist and say so."""
    with style.applied():
        figure = new_figure(0.6)
        figure.text(0.02, 0.5, f"{name}: nothing was computed in this run", va="center")
    empty = pd.DataFrame(columns=["value"])
    return Drawing(name, name, "Nothing was computed in this run.", figure, empty)


def write(drawings: dict[str, Drawing], folder: Path) -> None:
    """Write every figure as ``<name>.svg`` and its numbers as ``<name>.tsv``."""
    for name in FIGURES:
        drawing = drawings.get(name) or not_computed(name)
        write_text(folder / f"{name}.svg", XML + drawing.svg)
        write_tsv(folder / f"{name}.tsv", drawing.data)
