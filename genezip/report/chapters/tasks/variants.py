"""The chapter on variant effect: signed rank correlations, by set and over those in the domain."""

import pandas as pd

from genezip.artifacts.published import PUBLISHED_VARIANTS, REPLICATED_VARIANTS, stability_sets
from genezip.artifacts.scores import (
    CONDITION,
    GIVEN_CHANGES,
    LIKELIHOOD,
    MEAN_IN_DOMAIN,
    OUTSIDE,
    SPEARMAN,
)
from genezip.report.baselines import (
    Measure,
    PartRows,
    absences,
    grid,
    method,
    value_of,
    verdict,
)
from genezip.report.chapter import Cell, Chapter, Section, Table
from genezip.report.chapters.tasks.zero_shot import (
    absent_parts,
    beside,
    drawing,
    drawn_methods,
    facts,
    inexact_tables,
    method_rows,
    models_of,
    numeric,
    only_inexact,
    part_of,
    published,
    replicated,
    task_frame,
    title_of,
    titles_of,
)
from genezip.report.drawing import Drawing
from genezip.report.results import Results
from genezip.report.words import capital, listed

TASK = "variants"
RHO = Measure(SPEARMAN, "Spearman's ρ", LIKELIHOOD)
GIVEN = Measure(GIVEN_CHANGES, "Spearman's ρ", LIKELIHOOD)


def _sets(frame: pd.DataFrame) -> list[PartRows]:
    """The mean over the sets in the domain and these sets, then the others, which are marked."""
    outside, condition = facts(frame, OUTSIDE), facts(frame, CONDITION)
    marks = {name: "outside the domain" for name, holds in outside.items() if holds}
    marks |= {name: "second condition" for name, holds in condition.items() if holds}
    inside = [name for name in outside if name not in marks]
    parts = [part_of(frame, name, title_of(name), RHO) for name in inside]
    parts += [
        part_of(frame, name, f"{title_of(name)}, {words}", RHO) for name, words in marks.items()
    ]
    if not inside:
        return parts
    over = f"macro mean of {titles_of(inside)}" if inside[1:] else f"{title_of(inside[0])} alone"
    return [part_of(frame, MEAN_IN_DOMAIN, f"sets in the domain ({over})", RHO), *parts]


def section(results: Results) -> Section | None:
    """The chapter on variant effect; None where a run has no such results."""
    frame = task_frame(results, TASK)
    if frame is None:
        return None
    parts = _sets(frame)
    missing = absent_parts(frame, RHO, "the task of variant effect")
    if not parts:
        return Section(absences(missing), illustrated=False)
    others = [part for part in parts if ", " in part.part.title and part is not parts[0]]
    count, total = stability_sets()
    text = [
        f"{verdict(results, parts[0])}.{only_inexact(results, parts[0])}",
        "Nothing is trained for this task. An amino-acid variant is scored by the log-likelihood "
        "of the coding sequence with its codon minus that of the wild type. Spearman's rank "
        "correlation with the measured fitness has its sign: a model that prefers the unfit "
        "variants is below zero. Absolute values, which reward a wrong sign, are in the result "
        "file alone. The number of the residue has a sign without meaning and is not compared.",
    ]
    if others:
        named = listed([part.part.title.replace(", ", " (", 1) + ")" for part in others])
        text.append(f"Not in the mean: {named}.")
    text += [
        f"The published variant sets ({count} sets, {total:,} variants) are folding stabilities in "
        "recoded sequence, not fitness, so their numbers are in a column of their own.",
        *absences([*parts, *missing]),
    ]
    return Section(text, _variant_tables(results, parts))


def _variant_tables(results: Results, parts: list[PartRows]) -> list[Table]:
    heads = ["mean in the domain" if p.part.id == MEAN_IN_DOMAIN else p.part.title for p in parts]
    values = published(PUBLISHED_VARIANTS, "stability")
    values |= replicated(REPLICATED_VARIANTS, "stability")
    counts = [
        f"{part.part.title} {int(rows['n'].max()):,} ({int(rows['units'].max()):,})"
        for part in parts
        if part.part.id != MEAN_IN_DOMAIN
        and len(rows := part.frame[part.frame["metric"] == SPEARMAN].dropna(subset=["n", "units"]))
    ]
    tables = [
        Table(
            ["method", *heads, "published, stability"],
            beside(method_rows(results, parts), values, len(heads)),
            numeric([*heads, ""]),
            "Spearman's ρ (95 % interval) of variant effect",
            f"Variants (residues): {'; '.join(counts)}. Published values (paper) are those of the "
            "longest training of each model, by training FLOPs, in arXiv 2602.10603v3, where the "
            "kind of mean is not stated, and those of a third-party replication without any model.",
        )
    ]
    partial: list[list[Cell]] = []
    for model in models_of(parts):
        known = [row for part in parts if (row := part.row(model, GIVEN))]
        if known:
            cells = [value_of(part, model, GIVEN) for part in parts]
            partial.append([method(results, known[0]), *cells])
    if partial:
        title = "Spearman's ρ (95 % interval) with the number of changed nucleotides held fixed"
        tables.append(Table(["method", *heads], partial, numeric(heads), title))
    return tables + inexact_tables(results, parts, heads, RHO)


def variants(results: Results) -> Drawing | None:
    """Figure of Spearman's correlation, with a panel for the mean and for each set."""
    frame = task_frame(results, TASK)
    parts = [] if frame is None else _sets(frame)
    names = drawn_methods(parts)
    if not names:
        return None
    figure, data = grid(results, parts, names, lambda part: capital(part.part.title), 0)
    return drawing(
        results,
        TASK,
        "Variant effect by likelihood, against baselines without a model",
        "Spearman's rank correlation with the measured fitness, with its sign.",
        figure,
        data,
        "residues",
    )


CHAPTER = Chapter(TASK, "On variant effect", section, {TASK: variants})
