"""The chapters of the page, each one file: its words, its table, its figure.

Begin with ``repeats``, which has all three. To add a chapter, copy it, let ``section`` say what
the results say (None leaves the chapter out) and name its :class:`Chapter` in the list below,
where it is to stand; its heading, its figures' places and files and the names that
``genezip report --list`` prints follow from that. Files that it reads become fields of
``results.Results``; its test is one file in ``tests/report``.
"""

from typing import Final

from genezip.report.chapter import Chapter
from genezip.report.chapters import (
    benchmarks,
    claims,
    compression,
    corpus,
    glossary,
    labelled,
    labels,
    locus,
    provenance,
    repeats,
    tokens,
    training,
)

CHAPTERS: Final[tuple[Chapter, ...]] = (
    claims.CHAPTER,
    corpus.CHAPTER,
    training.CHAPTER,
    tokens.CHAPTER,
    locus.CHAPTER,
    compression.PERPLEXITY,
    repeats.CHAPTER,
    benchmarks.CHAPTER,
    labels.CHAPTER,
    labelled.CHAPTER,
    compression.NUMBERS,
    glossary.CHAPTER,
    provenance.TIME,
    provenance.SETTINGS,
    provenance.DATA,
)
"""Chapters from the top of the page."""

FIGURES: Final = {name: draw for chapter in CHAPTERS for name, draw in chapter.figures.items()}
"""Name of a figure -> its drawing, from the top of the page."""
