"""The chapter on real labels: models against baselines, a sentence and a panel per part."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd

from genezip.artifacts.scores import BASELINE, LABELS, TASK_SCORES
from genezip.report.baselines import (
    HEAD_IN,
    ROW_IN,
    Measure,
    Part,
    PartRows,
    absences,
    has,
    how_to_read,
    label_of,
    panel,
    verdict,
)
from genezip.report.chapter import Cell, Chapter, Section, Table
from genezip.report.drawing import Drawing, name_rows, new_figure
from genezip.report.results import Results
from genezip.report.words import listed, measured, plain

SHOWN = 2  # metrics of a part in the table

PARTS = (
    Part(
        "initiation",
        "transcription initiation (PRO-cap)",
        "bases",
        (Measure("pcc", "Pearson's r", "blocks"),),
        "blocks",
    ),
    Part(
        "contacts",
        "contact maps (Hi-C)",
        "maps",
        (
            Measure("scc", "SCC", "blocks"),
            Measure("corr", "Pearson's r", "blocks"),
            Measure("corr_oe", "Pearson's r, observed over expected", "blocks"),
        ),
        "maps",
    ),
    Part(
        "elements",
        "regulatory elements",
        "elements",
        (
            Measure("auroc_macro", "macro AUROC, new chromosomes", "chromosome"),
            Measure("accuracy", "accuracy, new chromosomes", "chromosome"),
            Measure("auroc_macro", "macro AUROC, published split", "paper"),
            Measure("accuracy", "accuracy, published split", "paper"),
        ),
        "chromosomes",
    ),
    Part(
        "enhancer_gene",
        "enhancers and genes (CRISPRi)",
        "pairs",
        (Measure("auroc", "AUROC", "paper"), Measure("auprc", "AUPRC", "paper")),
    ),
)


def read_parts(folder: Path, parts: Collection[str]) -> list[PartRows]:
    """Read ``labels/<part>.tsv`` of a results folder, in the order of the page."""
    found = []
    for part in PARTS:
        if part.id not in parts:
            continue
        frame = TASK_SCORES.read(folder / "labels" / f"{part.id}.tsv")
        missing = frame[frame["model"] == LABELS]
        absent = str(missing["note"].iloc[0]) if len(missing) else None
        found.append(PartRows(part, frame[frame["model"] != LABELS], absent))
    return found


def section(results: Results) -> Section | None:
    """The chapter on real labels; None where a run has no such results."""
    parts = read_parts(results.folder, results.label_parts)
    if not parts:
        return None
    there = [part for part in parts if part.absent is None]
    verdicts = [f"{verdict(results, part)}.{_given_away(part)}" for part in there]
    text = [*([_opening(results, there)] if there else []), *verdicts, *absences(parts)]
    rows = [row for part in there for row in _rows(results, part)]
    tables = [_table(rows)] if rows else []
    return Section(text, tables, illustrated=bool(there))


COUNTS = ("No kind", "One kind", "Two kinds", "Three kinds", "Four kinds")


def _opening(results: Results, there: list[PartRows]) -> str:
    """Sentences on what is measured and how heads are tested, for the measured parts alone."""
    text = f"{COUNTS[len(there)]} of measured targets, each with trivial baselines."
    trained = [
        part
        for part in there
        if part.part.apart and part.number(results.reference, part.part.measures[0])
    ]
    if not trained:
        return text
    named = listed([part.part.short for part in trained])
    text += (
        f" For {named} a small head is trained on the vectors of a frozen model. There is little "
        "data and the models are small, so this demonstrates the tasks, not the quality of a full "
        "model. Most of that DNA, without its targets, was training DNA of the models. Heads are "
        f"tested on {listed([part.part.apart for part in trained])} not in their training"
    )
    if any(measure.rule == "paper" for part in trained for measure in part.part.measures):
        text += "; in the published split of the elements, training has neighbours of test elements"
    return f"{text}."


PLAIN = 0.9  # AUROC above which a baseline nearly separates the classes


def _given_away(part: PartRows) -> str:
    """Sentence on the baseline ``length``, which no model is compared with."""
    measure = part.part.measures[0]
    number = part.number("length", measure)
    if number is None:
        return ""
    nearly = ", so they nearly separate the classes" if number.value >= PLAIN else ""
    return (
        f" The published lengths alone have {measure.name} {measured(number)}{nearly}; all other "
        "methods use windows of one length."
    )


def _rows(results: Results, part: PartRows) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    for measure in part.part.measures[:SHOWN]:
        for model in part.models:
            row = part.row(model, measure)
            if row is None:
                continue
            n, units = ("–" if pd.isna(row[k]) else f"{int(row[k]):,}" for k in ("n", "units"))
            seed = "–" if pd.isna(row["seed"]) else str(int(row["seed"]))
            kind = "" if row["mode"] == BASELINE else "model: "
            rows.append(
                [
                    f"{part.part.title}: {measure.name}",
                    f"{kind}{label_of(results, model)}",
                    seed,
                    measured(part.number(model, measure), lambda value: plain(value, 3)),
                    f"{n} {part.part.counted}",
                    f"{units} {row['unit']}",
                    str(row["note"]) if has(row["note"]) else "",
                ]
            )
    return rows


def _table(rows: list[list[Cell]]) -> Table:
    head = ["what", "model or baseline", "seed", "value (95 % interval)", "measured on"]
    head += ["resampled", "note"]
    note = (
        "Initiation: ln(count + 1) of PRO-cap 5' ends (sum of three cell types), both strands. "
        "Contacts: log(1 + raw count) between bins of 5 kb on chr22. Elements: promoter, enhancer "
        "or open chromatin of the Ensembl regulatory build, in windows of one length. "
        "Enhancers and genes: the held-out screens together. The result files also have other "
        "metrics and splits, the paired differences, the cell types and the training screen."
    )
    return Table(head, rows, (2, 3), "Models and baselines on real labels", note)


def labels(results: Results) -> Drawing | None:
    """Figure with a panel per part: its headline metric of every model and baseline."""
    panels = [
        (part, names)
        for part in read_parts(results.folder, results.label_parts)
        if (names := [name for name, _ in part.found(part.part.measures[0])])
    ]
    if not panels:
        return None
    total = sum(ROW_IN * len(names) + HEAD_IN for _, names in panels)
    figure = new_figure(total)
    data: list[dict[str, Any]] = []
    top = total
    for part, names in panels:
        low = top - (ROW_IN * len(names) + HEAD_IN) + 0.5
        axes = figure.add_axes((0.3, low / total, 0.66, ROW_IN * len(names) / total))
        data += panel(axes, results, part, names)
        name_rows(axes, [label_of(results, name) for name in names])
        axes.set_title(part.part.title)
        top -= ROW_IN * len(names) + HEAD_IN
    return Drawing(
        "labels",
        "Models against trivial baselines on real labels",
        how_to_read(results, data, "a small head", "the units that the table names"),
        figure,
        pd.DataFrame(data),
    )


CHAPTER = Chapter("labels", "On real labels", section, {"labels": labels})
