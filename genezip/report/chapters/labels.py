"""What the page says about real labels: a table, and a sentence per part made from its numbers."""

from typing import Any

import pandas as pd

from genezip.artifacts.scores import AGAINST_BASELINE, AGAINST_CONTROL
from genezip.report import label_rows, style
from genezip.report.chapter import Cell, Section, Table
from genezip.report.label_rows import (
    BASELINE,
    SHOWN,
    Measure,
    PartRows,
)
from genezip.report.results import Results
from genezip.report.scores import FEW_BLOCKS, Number, listed, marked_few, measured, plain, signed

NAMES = {
    "constant": "constant",
    "tss_profile": "mean profile at annotated TSSs",
    "local_bases": "21 bases around (Poisson regression)",
    "distance_mean": "mean by distance",
    "mean_map": "mean map",
    "gc_product": "GC content of both bins",
    "class_prior": "class shares",
    "length": "published length (boosted trees)",
    "gc_cpg": "GC, CpG (logistic)",
    "kmer4": "4-mers (logistic)",
    "gc_cpg_kmer4": "GC, CpG, 4-mers (logistic)",
    "distance": "distance to the TSS",
}
"""Words for the baselines."""


def label_of(results: Results, model: str) -> str:
    """Name of a model or baseline for people."""
    if model in NAMES:
        return NAMES[model]
    return style.model_styles([model], results.reference, results.control)[model].label


def labels_section(results: Results) -> Section | None:
    """The chapter on real labels; None where a run has no such results."""
    parts = label_rows.read_parts(results.folder, results.label_parts)
    if not parts:
        return None
    there = [part for part in parts if part.absent is None]
    text = [_opening(results, there), *(_sentence(results, part) for part in there)]
    text += [f"{_title(part)} was not measured: {part.absent}." for part in parts if part.absent]
    if not there:
        reasons = dict.fromkeys(str(part.absent) for part in parts)
        text = [f"The labels were not there: {listed(list(reasons))}."]
    rows = [row for part in there for row in _rows(results, part)]
    tables = [_table(rows)] if rows else []
    return Section("labels", "On real labels", text, ("labels",) if there else (), tables)


COUNTS = ("No kind", "One kind", "Two kinds", "Three kinds", "Four kinds")


def _opening(results: Results, there: list[PartRows]) -> str:
    """What is measured, and on what heads are tested: only what holds for the parts at hand."""
    text = f"{COUNTS[len(there)]} of measured labels, each beside trivial baselines."
    learned = [part for part in there if part.part.apart and _measured(results, part)]
    if not learned:
        return text
    named = listed([part.part.short for part in learned])
    text += (
        f" For {named} a small head learns on the vectors of a frozen model. There is little data "
        "and the models are small, so this shows what the tasks are like, not how good a full "
        "model is. Most of that DNA, without its labels, was training DNA of the models. Heads "
        f"are tested on {listed([part.part.apart for part in learned])} that they did not learn"
    )
    if any(measure.rule == "paper" for part in learned for measure in part.part.measures):
        text += (
            "; in the published split of the elements, neighbours of a tested one may be learned"
        )
    return f"{text}."


def _measured(results: Results, part: PartRows) -> bool:
    return part.number(results.reference, part.part.measures[0]) is not None


def _title(part: PartRows) -> str:
    title = part.part.title
    return title[0].upper() + title[1:]


PLAIN = 0.9  # an AUROC from which classes are nearly given away


def _sentence(results: Results, part: PartRows) -> str:
    """Whether the reference is better than the best baseline; said only where it is shown."""
    headline = part.part.measures[0]
    row = part.row(results.reference, headline, AGAINST_BASELINE)
    if row is None or pd.isna(row["value"]):
        text = _without_model(results, part, headline)
    elif _few(row):
        text = _numbers_only(results, part, headline)
    else:
        said = _verdicts(results, part, AGAINST_BASELINE)
        if _sides(results, part, AGAINST_CONTROL) & {"above", "below"}:
            said += [f"it {verdict}" for verdict in _verdicts(results, part, AGAINST_CONTROL)]
        text = f"{_title(part)}: {results.reference} {'; '.join(said)}."
    return text + _given_away(part, headline)


def _few(row: dict[str, Any]) -> bool:
    """Whether an interval rests on too few units to call anything better or worse."""
    return row["units"] < FEW_BLOCKS or marked_few(row)


def _numbers_only(results: Results, part: PartRows, measure: Measure) -> str:
    """Values and their difference, where there are too few units for more."""
    row = part.row(results.reference, measure, AGAINST_BASELINE)
    difference = part.number(results.reference, measure, AGAINST_BASELINE)
    assert row is not None and difference is not None
    best = _baseline_of(row)
    few = f"Too few {row['unit']} hold what is measured"
    if row["units"] < FEW_BLOCKS:
        few = f"There are only {int(row['units'])} {row['unit']}, too few"
    return (
        f"{_title(part)}: {measure.name} of {results.reference} is "
        f"{measured(part.number(results.reference, measure))}, of the best baseline, "
        f"{label_of(results, best)}, {measured(part.number(best, measure))}; the difference is "
        f"{signed(difference)}. {few} to tell which is better."
    )


def _given_away(part: PartRows, measure: Measure) -> str:
    """What a baseline that no model is compared with shows."""
    number = part.number("length", measure)
    if number is None:
        return ""
    nearly = ", so they nearly give the classes away" if number.value >= PLAIN else ""
    return (
        f" The published lengths alone have {measure.name} {measured(number)}{nearly}; all else "
        "reads windows of one length."
    )


def _baseline_of(row: dict[str, Any]) -> str:
    return str(row["note"]).removeprefix("against ").split(";")[0]


VERDICTS = {
    "above": "is better than {}",
    "below": "is worse than {}",
    "around": "and {} cannot be told apart",
    "unknown": "has no interval against {}",
}


def _told(results: Results, part: PartRows, against: str) -> list[tuple[Measure, Number]]:
    """Paired differences of the reference over enough units, the headline first."""
    found = []
    for measure in part.part.measures:
        row = part.row(results.reference, measure, against)
        number = part.number(results.reference, measure, against)
        if row is not None and number is not None and not _few(row):
            found.append((measure, number))
    return found


def _sides(results: Results, part: PartRows, against: str) -> set[str]:
    return {number.side() for _, number in _told(results, part, against)}


def _verdicts(results: Results, part: PartRows, against: str) -> list[str]:
    """What the headline shows, and every other metric that does not show the same."""
    said: list[str] = []
    told = _told(results, part, against)
    for measure, number in told:
        if said and number.side() == told[0][1].side():
            continue
        other = results.control
        if against == AGAINST_BASELINE:
            row = part.row(results.reference, measure, against)
            assert row is not None
            other = f"the best baseline, {label_of(results, _baseline_of(row))}"
            other += "," if number.side() == "around" else ""
        verdict = VERDICTS[number.side()].format(other)
        lead = f"by {measure.name} it " if said else ""
        name = "" if said else f"{measure.name} "
        said.append(f"{lead}{verdict} ({name}{signed(number, brackets=False)})")
    return said


def _without_model(results: Results, part: PartRows, measure: Measure) -> str:
    """The best baseline, and why the model has no number."""
    known = [(part.number(name, measure), name) for name in part.baselines]
    found = [(number, name) for number, name in known if number is not None]
    if not found:
        return f"{_title(part)}: nothing could be measured."
    number, name = max(found, key=lambda pair: pair[0].value)
    row = part.row(results.reference, measure)
    why = f"; no model was run, because {row['note']}" if row and _has(row["note"]) else ""
    return f"{_title(part)}: {label_of(results, name)} has {measure.name} {measured(number)}{why}."


def _has(note: Any) -> bool:
    return not pd.isna(note) and str(note) != ""


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
                    str(row["note"]) if _has(row["note"]) else "",
                ]
            )
    return rows


def _table(rows: list[list[Cell]]) -> Table:
    head = ["what", "model or baseline", "seed", "value (95 % interval)", "measured on"]
    head += ["resampled", "note"]
    note = (
        "Initiation: ln(count + 1) of PRO-cap 5' ends (sum of three cell types), both strands. "
        "Contacts: log(1 + raw count) between bins of 5 kb on chr22. Elements: promoter, enhancer "
        "or open chromatin of the Ensembl regulatory build, read as windows of one length. "
        "Enhancers and genes: the held-out screens together. The result files also hold other "
        "metrics and splits, the paired differences, the cell types and the training screen."
    )
    return Table(head, rows, (2, 3), "Models and baselines on real labels", note)
