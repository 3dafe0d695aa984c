"""The chapter on labelled sequences: frozen models against trivial baselines and composition."""

from typing import Any

import numpy as np
import pandas as pd

from genezip.artifacts.scores import (
    BASELINE,
    FLOOR_SHARE,
    LABELS,
    SOLVED,
    TASK_SCORES,
    TRIVIAL_BASELINES,
)
from genezip.report.baselines import (
    Measure,
    Part,
    PartRows,
    absences,
    grid,
    how_to_read,
    label_of,
    method,
    value_of,
    verdict,
)
from genezip.report.chapter import Cell, Chapter, Section, Table
from genezip.report.drawing import Drawing
from genezip.report.results import Results
from genezip.report.words import fixed, listed, measured, plain

TASK = "classification"
METRIC = "mcc"
SPLITS = {
    "official": "official is the published one",
    "unseen": "unseen leaves out test sequences that share 32 bases with a training or validation "
    "row",
    "chromosome": "chromosome tests on chromosomes not in training",
    "family": "family tests on families of similar sequences not in training",
}


def read_sets(results: Results) -> list[PartRows]:
    """The sets of ``labels/classification.tsv``: trivial baselines, other baselines, models.

    The measures of a set are its MCC under each split scheme, in file order; the first is the
    headline.
    """
    if TASK not in results.label_parts:
        return []
    frame = TASK_SCORES.read(results.folder / "labels" / f"{TASK}.tsv")
    zero, baseline = frame["model"].isin(TRIVIAL_BASELINES), frame["mode"] == BASELINE
    frame = frame.iloc[np.argsort(np.select([zero, baseline], [0, 1], 2), kind="stable")]
    names = frame["subset"].fillna("").astype(str)
    found = []
    for name in dict.fromkeys(names.sort_index()):
        own = frame[names == name]
        rules = dict.fromkeys(own.loc[own["metric"] == METRIC, "rule"].sort_index())
        measures = tuple(
            Measure(METRIC, f"MCC, {rule}" if number else "MCC", rule)
            for number, rule in enumerate(rules)
        )
        missing = own[own["model"] == LABELS]
        absent = None if measures else "the file has no MCC of it"
        if len(missing):
            absent = str(missing["note"].iloc[0])
        title = f"set {name}" if name else "the labelled set"
        part = Part(name, title, "sequences", measures)
        found.append(PartRows(part, own[own["model"] != LABELS], absent))
    return found


def solved(results: Results, part: PartRows) -> list[tuple[str, str, str]]:
    """Trivial baselines that solve a set: their names, the split scheme, and their scores."""
    found = []
    for measure in part.part.measures:
        row = part.row(part.models[0], measure)  # each row of a solved set has the mark
        for mark in str(row["note"]).split("; ") if row else ():
            if mark.startswith(SOLVED):
                name, how = mark.removeprefix(SOLVED).split(": ", 1)
                found.append((label_of(results, name).split(" (")[0], measure.rule, how))
    return found


def _solvers(marks: list[tuple[str, str, str]]) -> str:
    return listed(list(dict.fromkeys(name for name, _, _ in marks)))


def _titled(results: Results, part: PartRows) -> str:
    """Title of a set, with the trivial baselines that solve it."""
    marks = solved(results, part)
    return f"{part.part.id} (solved by {_solvers(marks)})" if marks else part.part.id


def section(results: Results) -> Section | None:
    """The chapter on labelled sequences; None where a run has no such results."""
    parts = read_sets(results)
    if not parts:
        return None
    there = [part for part in parts if part.absent is None]
    sentences = [_sentence(results, part) for part in there]
    text = [*([_opening(there)] if there else []), *sentences, *absences(parts)]
    tables = [_table(results, there)] if there else []
    return Section(text, tables, illustrated=bool(there))


def _opening(there: list[PartRows]) -> str:
    """Sentences on probe, baselines and split schemes."""
    text = (
        "Short sequences with a class each (sets of GUE, Zhou et al. 2023). A frozen probe is a "
        "logistic regression on the mean vector of a sequence from a frozen model. Trivial "
        "baselines need no model: they predict the class of the training row with most shared "
        "k-mers, that of the training rows with equal dinucleotide counts (or another one, if that "
        "is better), or the most likely class from the base at each position. Other baselines use "
        "class shares and composition. If a trivial baseline solves a set, the labels follow from "
        "how the set was made, and no models are compared on it."
    )
    rules = {measure.rule for part in there for measure in part.part.measures}
    schemes = [words for rule, words in SPLITS.items() if rule in rules]
    return f"{text} Of the splits, {listed(schemes)}." if schemes else text


def _sentence(results: Results, part: PartRows) -> str:
    """Sentence on the reference and the best baseline, or on the baseline that solves the set."""
    if marks := solved(results, part):
        how = "; ".join(f"{name}, {rule}: {how}" for name, rule, how in marks)
        named = f"{part.part.heading} is solved by {_solvers(marks)}"
        return f"{named}, so no models are compared on it ({how})."
    text = verdict(results, part)
    headline = part.part.measures[0]
    if best := part.best(headline, TRIVIAL_BASELINES):
        name, number = label_of(results, best[0]), measured(best[1])
        text += f"; the best trivial baseline, {name}, has {headline.name} {number}"
    return f"{text}."


def _table(results: Results, there: list[PartRows]) -> Table:
    """Table of every method on every set, with bases per token and floor of models."""
    rules = list(dict.fromkeys(m.rule for part in there for m in part.part.measures))
    rows: list[list[Cell]] = []
    for part in there:
        for model in part.models:
            by_rule = {rule: part.row(model, Measure(METRIC, "", rule)) for rule in rules}
            known = {rule: row for rule, row in by_rule.items() if row is not None}
            if not known:
                continue
            first = next(iter(known.values()))
            bpt, forced = (
                part.number(model, Measure(metric, "", next(iter(known))))
                for metric in ("bpt", FLOOR_SHARE)
            )
            rows.append(
                [
                    _titled(results, part),
                    method(results, first),
                    *(value_of(part, model, Measure(METRIC, "", rule)) for rule in rules),
                    " / ".join(_count(row) for row in by_rule.values()),
                    plain(bpt.value) if bpt else "–",
                    f"{fixed(100 * forced.value, 1)} %" if forced else "–",
                ]
            )
    head = ["set", "method", *(f"MCC, {rule}" for rule in rules)]
    head += ["test rows", "bases per token", "forced"]
    note = (
        f"Numbers of test rows: {' / '.join(rules)}. Bases per token are pooled over the test "
        "rows; forced is the share of them with a token from the floor on tokens instead of the "
        "router. The result file also has accuracy, macro F1 and the "
        "paired differences."
    )
    title = "MCC (95 % interval) of models and baselines on labelled sequences"
    return Table(head, rows, tuple(range(2, len(head))), title, note)


def _count(row: dict[str, Any] | None) -> str:
    return "–" if row is None or pd.isna(row["n"]) else f"{row['n']:,}"


def classification(results: Results) -> Drawing | None:
    """Figure with a panel per set: MCC of every method, grey if a set is solved."""
    there = [part for part in read_sets(results) if part.absent is None]
    found = {name for part in there for name, _ in part.found(part.part.measures[0])}
    names = list(dict.fromkeys(n for part in there for n in part.models if n in found))
    if not names:
        return None
    figure, data = grid(
        results,
        there,
        names,
        lambda part: _titled(results, part),
        0,
        lambda part: bool(solved(results, part)),
    )
    units = dict.fromkeys(str(unit) for part in there for unit in part.frame["unit"].dropna())
    rules = dict.fromkeys(part.part.measures[0].rule for part in there)
    solved_too = " Grey panels: a trivial baseline solves the set, so no models are compared on it."
    return Drawing(
        TASK,
        "Models against trivial baselines and composition on labelled sequences",
        f"MCC on the test rows of the split {listed(list(rules))}; class shares alone have 0. "
        f"{how_to_read(results, data, 'a probe', listed(list(units)))}"
        f"{solved_too if any(solved(results, part) for part in there) else ''}",
        figure,
        pd.DataFrame(data),
    )


CHAPTER = Chapter("labelled", "On labelled sequences", section, {TASK: classification})
