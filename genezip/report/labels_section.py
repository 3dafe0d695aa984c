"""What the page says about real labels: a table, and a sentence per part made from its numbers."""

from typing import Any

import pandas as pd

from genezip.report import label_rows, style
from genezip.report.label_rows import AGAINST_BASELINE, AGAINST_CONTROL, BASELINE, Measure, PartRows
from genezip.report.results import Results
from genezip.report.scores import listed, measured, plain, signed
from genezip.report.sections import Cell, Section, Table

NAMES = {
    "constant": "constant",
    "tss_profile": "mean profile at annotated TSSs",
    "local_bases": "21 bases around (Poisson regression)",
    "distance_mean": "mean by distance",
    "mean_map": "mean map",
    "gc_product": "GC content of both bins",
    "class_prior": "class shares",
    "length_gc_cpg": "length, GC, CpG (logistic)",
    "kmer4": "4-mers (logistic)",
    "composition_kmer4": "length, GC, CpG, 4-mers (logistic)",
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
    text = []
    if there:
        text.append(
            "Four kinds of measured labels lie on the real DNA of this run. Each model is frozen "
            "and a small head learns on its vectors; each number stands beside trivial baselines. "
            "There is little data and the models are small, so this shows what the tasks are "
            "like, not how good a full model is. Most of this DNA, without its labels, was "
            "training DNA of the models; heads are always tested on blocks, maps or chromosomes "
            "that they did not learn."
        )
        text += [_sentence(results, part) for part in there]
    text += [f"{_title(part)} was not measured: {part.absent}." for part in parts if part.absent]
    if not there:
        reasons = dict.fromkeys(str(part.absent) for part in parts)
        text = [f"The labels were not there: {listed(list(reasons))}."]
    rows = [row for part in there for row in _rows(results, part)]
    tables = [_table(rows)] if rows else []
    return Section("labels", "On real labels", text, ("labels",) if there else (), tables)


def _title(part: PartRows) -> str:
    title = part.part.title
    return title[0].upper() + title[1:]


FEW = 20  # units; with fewer, a bootstrap interval is rough


def _sentence(results: Results, part: PartRows) -> str:
    """Whether the reference is better than the best baseline; said only where it is shown."""
    headline, *others = sorted(part.part.measures, key=lambda measure: not measure.headline)
    row = part.row(results.reference, headline, AGAINST_BASELINE)
    if row is None or pd.isna(row["value"]):
        return _without_model(results, part, headline)
    text = f"{_title(part)}: {results.reference} {_verdict(results, part, headline)}"
    side = _side(results, part, headline)
    shown = [
        f"by {measure.name} it {_verdict(results, part, measure, False)}"
        for measure in others
        if _side(results, part, measure) in {"above", "below"} - {side}
    ]
    control = part.number(results.reference, headline, AGAINST_CONTROL)
    if control is not None and control.side() in ("above", "below"):
        side = "better" if control.value > 0 else "worse"
        numbers = signed(control, brackets=False)
        shown.append(f"by {headline.name} it is {side} than {results.control} ({numbers})")
    text = "; ".join([text, *shown])
    if row["units"] < FEW:
        text += f". There are only {int(row['units'])} {row['unit']}, so the intervals are rough"
    return f"{text}."


def _side(results: Results, part: PartRows, measure: Measure) -> str:
    difference = part.number(results.reference, measure, AGAINST_BASELINE)
    return "unknown" if difference is None else difference.side()


VERDICTS = {
    "above": "is better than the best baseline, {}",
    "below": "is worse than the best baseline, {}",
    "around": "and the best baseline, {}, cannot be told apart",
    "unknown": "has no interval against the best baseline, {}",
}


def _verdict(results: Results, part: PartRows, measure: Measure, named: bool = True) -> str:
    """What a paired difference shows, with its numbers; ``named`` says of which metric."""
    difference = part.number(results.reference, measure, AGAINST_BASELINE)
    row = part.row(results.reference, measure, AGAINST_BASELINE)
    assert difference is not None and row is not None
    other = label_of(results, str(row["note"]).removeprefix("against ").split(";")[0])
    numbers = f"{measure.name} " if named else ""
    numbers += signed(difference, brackets=False)
    return f"{VERDICTS[difference.side()].format(other)} ({numbers})"


def _without_model(results: Results, part: PartRows, measure: Measure) -> str:
    """The best baseline, and why the model has no number."""
    known = [(part.number(name, measure), name) for name in part.models]
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
    for measure in part.part.measures:
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
        "or open chromatin of the Ensembl regulatory build, each read without its neighbourhood. "
        "Enhancers and genes: the held-out screens together. The result files also hold the "
        "paired differences, the cell types and the training screen."
    )
    return Table(head, rows, (2, 3), "Models and baselines on real labels", note)
