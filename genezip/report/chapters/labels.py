"""Real labels: models against trivial baselines, a sentence and a panel per part."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes

from genezip.artifacts.scores import (
    AGAINST_BASELINE,
    AGAINST_CONTROL,
    BASELINE,
    LABELS,
    TASK_SCORES,
)
from genezip.report import style
from genezip.report.chapter import Cell, Chapter, Section, Table
from genezip.report.drawing import Drawing, interval_words, name_rows, new_figure, record, rule_rows
from genezip.report.results import Results
from genezip.report.scores import FEW_BLOCKS, Number, marked_few, number_of, records
from genezip.report.words import capital, listed, measured, plain, signed

LINES = "Lines are 95 % intervals (bootstrap over the units that the table names)."
_ROW_IN = 0.27
_HEAD_IN = 0.95
_BASELINE = style.ModelStyle("baseline", "#7A7A7A", "s", True)
NOT_COMPARED = ("length",)  # baselines that know what no model sees
SHOWN = 2  # metrics of a part that the table has


class Measure(NamedTuple):
    """A metric that the page shows, and which rows hold it."""

    metric: str
    name: str
    rule: str
    headline: bool = False


class Part(NamedTuple):
    """One part of the chapter.

    Attributes
    ----------
    id : name of its file
    title, counted : for people
    measures : metrics, the headline first; the page's table shows the first two
    apart : what heads are tested on and never learned, by the headline; empty without heads
    """

    id: str
    title: str
    counted: str
    measures: tuple[Measure, ...]
    apart: str = ""

    @property
    def heading(self) -> str:
        """Its title at the start of a sentence."""
        return capital(self.title)

    @property
    def short(self) -> str:
        """Its title without what was measured."""
        return self.title.split(" (")[0]


PARTS = (
    Part(
        "initiation",
        "transcription initiation (PRO-cap)",
        "bases",
        (Measure("pcc", "Pearson's r", "blocks", True),),
        "blocks",
    ),
    Part(
        "contacts",
        "contact maps (Hi-C)",
        "maps",
        (
            Measure("scc", "SCC", "blocks", True),
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
            Measure("auroc_macro", "macro AUROC, new chromosomes", "chromosome", True),
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
        (Measure("auroc", "AUROC", "paper", True), Measure("auprc", "AUPRC", "paper")),
    ),
)


@dataclass(frozen=True)
class PartRows:
    """The rows of one part.

    Attributes
    ----------
    part : which
    frame : its result file
    absent : why it was not measured; None where it was
    """

    part: Part
    frame: pd.DataFrame
    absent: str | None

    @property
    def models(self) -> list[str]:
        """Baselines and models, in file order."""
        return list(dict.fromkeys(self.frame["model"]))

    @property
    def baselines(self) -> list[str]:
        """Baselines that a model may be compared with, in file order."""
        names = dict.fromkeys(self.frame.loc[self.frame["mode"] == BASELINE, "model"])
        return [name for name in names if name not in NOT_COMPARED]

    @property
    def subset(self) -> str:
        """The subset that the page shows: all cell types, or the only one."""
        names = list(dict.fromkeys(self.frame["subset"]))
        return "all" if "all" in names else names[0]

    def row(self, model: str, measure: Measure, against: str = "") -> dict[str, Any] | None:
        """The held-out row of a model, lowest seed; ``against`` picks a paired difference."""
        frame = self.frame
        chosen = frame[
            (frame["model"] == model)
            & (frame["metric"] == measure.metric + against)
            & (frame["rule"] == measure.rule)
            & (frame["split"] == "test")
            & (frame["subset"] == self.subset)
        ]
        return records(chosen.sort_values("seed", kind="stable"))[0] if len(chosen) else None

    def number(self, model: str, measure: Measure, against: str = "") -> Number | None:
        """Value and interval of :meth:`row`; None where there is no value."""
        row = self.row(model, measure, against)
        return None if row is None else number_of(row)


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
    return style.looks(results, [model])[model].label


def section(results: Results) -> Section | None:
    """The chapter on real labels; None where a run has no such results."""
    parts = read_parts(results.folder, results.label_parts)
    if not parts:
        return None
    there = [part for part in parts if part.absent is None]
    text = [_opening(results, there), *(_sentence(results, part) for part in there)]
    text += [
        f"{part.part.heading} was not measured: {part.absent}." for part in parts if part.absent
    ]
    if not there:
        reasons = dict.fromkeys(str(part.absent) for part in parts)
        text = [f"The labels were not there: {listed(list(reasons))}."]
    rows = [row for part in there for row in _rows(results, part)]
    tables = [_table(rows)] if rows else []
    return Section(text, tables, illustrated=bool(there))


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
        text = f"{part.part.heading}: {results.reference} {'; '.join(said)}."
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
        f"{part.part.heading}: {measure.name} of {results.reference} is "
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
        return f"{part.part.heading}: nothing could be measured."
    number, name = max(found, key=lambda pair: pair[0].value)
    row = part.row(results.reference, measure)
    why = f"; no model was run, because {row['note']}" if row and _has(row["note"]) else ""
    best = f"{label_of(results, name)} has {measure.name} {measured(number)}"
    return f"{part.part.heading}: {best}{why}."


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


def labels(results: Results) -> Drawing | None:
    """One panel per part, its headline metric of every model and baseline with a value."""
    panels = [
        (part, measure, found)
        for part in read_parts(results.folder, results.label_parts)
        for measure in part.part.measures
        if measure.headline and (found := _found(part, measure))
    ]
    if not panels:
        return None
    heights = [_ROW_IN * len(found) + _HEAD_IN for _, _, found in panels]
    total = sum(heights)
    figure = new_figure(total)
    data: list[dict[str, Any]] = []
    top = total
    for (part, measure, found), height in zip(panels, heights, strict=True):
        low = top - height + 0.5
        rect = (0.3, low / total, 0.66, _ROW_IN * len(found) / total)
        axes = figure.add_axes(rect)
        data += _panel(axes, results, part, measure, found)
        top -= height
    return Drawing(
        "labels",
        "Models against trivial baselines on real labels",
        "Squares are baselines, circles the frozen models (filled: "
        f"{results.reference}, open: {results.control}) with a small head. Higher is better. "
        f"{interval_words(data, LINES)} Intervals of two rows may overlap although their paired "
        "difference is clear, and the other way round; the text goes by the paired differences.",
        figure,
        pd.DataFrame(data),
    )


def _found(part: PartRows, measure: Measure) -> list[tuple[str, Number]]:
    known = [(name, part.number(name, measure)) for name in part.models]
    return [(name, number) for name, number in known if number is not None]


def _panel(
    axes: Axes,
    results: Results,
    part: PartRows,
    measure: Measure,
    found: list[tuple[str, Number]],
) -> list[dict[str, Any]]:
    looks = style.looks(results, [name for name, _ in found])
    data = []
    for row, (name, number) in enumerate(found):
        y = len(found) - 1 - row
        told = part.row(name, measure)
        baseline = told is not None and told["mode"] == BASELINE
        look = _BASELINE if baseline else looks[name]
        style.dot(axes, number.value, y, look, number.low, number.high, size=5.5)
        data.append(record(number, part=part.part.id, metric=measure.metric, model=name))
    rule_rows(axes, len(found))
    name_rows(axes, [label_of(results, name) for name, _ in found])
    axes.set_title(part.part.title)
    axes.set_xlabel(measure.name)
    return data


CHAPTER = Chapter("labels", "On real labels", section, {"labels": labels})
