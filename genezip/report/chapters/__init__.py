"""The chapters of the page; each is one file with its text, its table and its figure.

Begin with ``repeats``, which has all three. To add a chapter, copy it, write ``section`` (None
leaves the chapter out) and add its :class:`Chapter` to the list below at its position on the page;
heading, figures, files and the names of ``genezip report --list`` follow from it. A new figure also
needs its name in ``FIGURES`` of ``workflow/rules/common.smk``, an output of ``report.smk`` and a
caption in ``workflow/report``. Files that it
reads become fields of ``results.Results``; its test is one file in ``tests/report``.
"""

from typing import Final

from genezip.report.chapter import Chapter
from genezip.report.chapters import (
    claims,
    compression,
    corpus,
    glossary,
    locus,
    paper,
    provenance,
    repeats,
    stability,
    tokens,
    training,
)
from genezip.report.chapters.arena import chapter as arena
from genezip.report.chapters.cost import latency, scaling
from genezip.report.chapters.genes import alignment, codon_phase
from genezip.report.chapters.prediction import masked, next_base, words
from genezip.report.chapters.tasks import benchmarks, essentiality, labelled, labels, variants

CHAPTERS: Final[tuple[Chapter, ...]] = (
    claims.CHAPTER,
    paper.CHAPTER,
    next_base.CHAPTER,
    masked.CHAPTER,
    words.CHAPTER,
    training.CHAPTER,
    benchmarks.CHAPTER,
    labels.CHAPTER,
    labelled.CHAPTER,
    essentiality.CHAPTER,
    variants.CHAPTER,
    arena.CHAPTER,
    scaling.CHAPTER,
    latency.CHAPTER,
    locus.CHAPTER,
    tokens.CHAPTER,
    codon_phase.CHAPTER,
    alignment.CHAPTER,
    stability.CHAPTER,
    repeats.CHAPTER,
    corpus.CHAPTER,
    compression.CHAPTER,
    glossary.CHAPTER,
    provenance.TIME,
    provenance.SETTINGS,
    provenance.DATA,
)
"""Chapters from the top of the page: verdicts, then in the order of the paper."""

FIGURES: Final = {name: draw for chapter in CHAPTERS for name, draw in chapter.figures.items()}
"""Name of a figure -> its drawing, from the top of the page."""
