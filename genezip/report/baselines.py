"""Models beside baselines: rows of a part, their sentences and their panel.

A part is one kind of measured target or one labelled set. The verdict on the better model depends
on the paired difference in the file alone (:func:`verdict`).
"""

import textwrap
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from genezip.artifacts.scores import AGAINST_BASELINE, AGAINST_CONTROL, ALL_BASELINES, BASELINE
from genezip.report import style
from genezip.report.drawing import interval_words, name_rows, new_figure, record, rule_rows
from genezip.report.results import Results
from genezip.report.scores import FEW_BLOCKS, Number, marked_few, number_of, records
from genezip.report.words import capital, fixed, listed, measured, signed

ROW_IN, HEAD_IN = 0.27, 0.95  # heights of a row and of a panel's title and axis (in)

_LOOK = style.ModelStyle("baseline", "#7A7A7A", "s", True)
NOT_COMPARED = ("length", "position")
"""Baselines that are shown alone: from input that models lack, or with a sign without meaning."""
_GREY = "#B8B8B8"


class Measure(NamedTuple):
    """A metric of the page, its name there, and the split scheme of its rows."""

    metric: str
    name: str
    rule: str


class Part(NamedTuple):
    """One part of a chapter."""

    id: str  # name of its file
    title: str
    counted: str  # word for its examples
    measures: tuple[Measure, ...]  # the headline first
    apart: str = ""  # units of which heads are tested on new ones; empty without heads

    @property
    def heading(self) -> str:
        """The title at the start of a sentence."""
        return capital(self.title)

    @property
    def short(self) -> str:
        """The title without the assay in brackets."""
        return self.title.split(" (")[0]


@dataclass(frozen=True)
class PartRows:
    """The rows of one part, of one task's result file."""

    part: Part
    frame: pd.DataFrame
    absent: str | None  # reason why it was not measured; None where it was

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

    def seeds(self, model: str) -> list[int | None]:
        """Training seeds of a model, ascending; None for rows without one."""
        found = self.frame.loc[self.frame["model"] == model, "seed"].dropna().unique()
        return [*sorted(map(int, found))] or [None]

    def row(
        self, model: str, measure: Measure, against: str = "", seed: int | None = None
    ) -> dict[str, Any] | None:
        """The held-out row of a model, of the lowest seed or of the one that is given.

        ``against`` picks a paired difference.
        """
        rows = self._rows.get((model, measure.metric + against, measure.rule), [])
        return next((row for row in rows if seed is None or row["seed"] == seed), None)

    @cached_property
    def _rows(self) -> dict[tuple[str, str, str], list[dict[str, Any]]]:
        """Held-out rows by model, metric and rule, the lowest seed first.

        A page asks for hundreds of rows of a part.
        """
        if not len(self.frame):
            return {}
        held_out = (self.frame["split"] == "test") & (self.frame["subset"] == self.subset)
        found: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
        for row in records(self.frame[held_out].sort_values("seed", kind="stable")):
            found.setdefault((row["model"], row["metric"], row["rule"]), []).append(row)
        return found

    def number(
        self, model: str, measure: Measure, against: str = "", seed: int | None = None
    ) -> Number | None:
        """Value and interval of :meth:`row`; None where there is no value."""
        row = self.row(model, measure, against, seed)
        return None if row is None else number_of(row)

    def found(self, measure: Measure) -> list[tuple[str, Number]]:
        """Baselines and models with a value."""
        known = [(name, self.number(name, measure)) for name in self.models]
        return [(name, number) for name, number in known if number is not None]

    def best(self, measure: Measure, names: Collection[str]) -> tuple[str, Number] | None:
        """The one of some baselines with the highest value."""
        found = [(name, number) for name, number in self.found(measure) if name in names]
        return max(found, key=lambda pair: pair[1].value, default=None)


NAMES = {
    "constant": "constant",
    "tss_profile": "mean profile at annotated TSSs",
    "local_bases": "21 surrounding bases (Poisson regression)",
    "distance_mean": "mean by distance",
    "mean_map": "mean map",
    "gc_product": "GC content of both bins",
    "class_prior": "class shares",
    "length": "published length (boosted trees)",
    "gc_cpg": "GC, CpG (logistic)",
    "kmer4": "4-mers (logistic)",
    "gc_cpg_kmer4": "GC, CpG, 4-mers (logistic)",
    "nearest": "nearest training row (k-mers)",
    "twin": "dinucleotide match (training row of equal counts)",
    "position_motif": "position motif (naive Bayes)",
    "distance": "distance to the TSS",
    "gene_length": "gene length",
    "gc_window": "GC content of the window",
    "gc_gene": "GC content of the gene",
    "markov": "Markov model of training DNA",
    "operon": "number of operon neighbours",
    "origin_distance": "nearness to the origin",
    ALL_BASELINES: "all baselines together",
    "hydropathy": "gain in hydropathy",
    "blosum62": "BLOSUM62",
    "position": "number of the residue",
    "nucleotide_changes": "few nucleotide changes",
}
"""Readable names of the baselines."""


def label_of(results: Results, model: str) -> str:
    """Readable name of a model or baseline."""
    if model in NAMES:
        return NAMES[model]
    return style.looks(results, [model])[model].label


def absences(parts: list[PartRows]) -> list[str]:
    """Sentences on why parts were not measured; one sentence where none was."""
    reasons = [(part.part.heading, part.absent) for part in parts if part.absent]
    if reasons and len(reasons) == len(parts):
        named = dict.fromkeys(str(reason) for _, reason in reasons)
        return [f"The measured targets were not available: {listed(list(named))}."]
    return [f"{heading} was not measured: {reason}." for heading, reason in reasons]


def verdict(results: Results, part: PartRows) -> str:
    """Whether the reference is better than the best baseline, by the paired difference.

    A sentence without its full stop.
    """
    headline = part.part.measures[0]
    row = part.row(results.reference, headline, AGAINST_BASELINE)
    if row is None or pd.isna(row["value"]):
        return _without_model(results, part, headline)
    if few(row):
        return _numbers_only(results, part, headline)
    texts = _verdicts(results, part, AGAINST_BASELINE)
    sides = {number.side() for _, number in _differences(results, part, AGAINST_CONTROL)}
    if sides & {"above", "below"}:
        texts += [f"it {text}" for text in _verdicts(results, part, AGAINST_CONTROL)]
    return f"{part.part.heading}: {results.reference} {'; '.join(texts)}"


def few(row: dict[str, Any]) -> bool:
    """Whether an interval rests on too few units for a verdict."""
    return row["units"] < FEW_BLOCKS or marked_few(row)


def _numbers_only(results: Results, part: PartRows, measure: Measure) -> str:
    """Sentence on values and their difference, where there are too few units for a verdict."""
    row = part.row(results.reference, measure, AGAINST_BASELINE)
    difference = part.number(results.reference, measure, AGAINST_BASELINE)
    assert row is not None and difference is not None
    best = _baseline_of(row)
    why = f"Too few {row['unit']} have measured examples"
    if row["units"] < FEW_BLOCKS:
        why = f"There are only {int(row['units'])} {row['unit']}, too few"
    return (
        f"{part.part.heading}: {measure.name} of {results.reference} is "
        f"{measured(part.number(results.reference, measure))}, of the best baseline, "
        f"{label_of(results, best)}, {measured(part.number(best, measure))}; the difference is "
        f"{signed(difference)}. {why} to tell which is better"
    )


_AGAINST = "against "


def _baseline_of(row: dict[str, Any]) -> str:
    notes = str(row["note"]).split("; ")
    return next(note for note in notes if note.startswith(_AGAINST)).removeprefix(_AGAINST)


VERDICTS = {
    "above": "is better than {}",
    "below": "is worse than {}",
    "around": "and {} cannot be told apart",
    "unknown": "has no interval against {}",
}


def _differences(results: Results, part: PartRows, against: str) -> list[tuple[Measure, Number]]:
    """Paired differences of the reference over enough units, the headline first."""
    found = []
    for measure in part.part.measures:
        row = part.row(results.reference, measure, against)
        number = part.number(results.reference, measure, against)
        if row is not None and number is not None and not few(row):
            found.append((measure, number))
    return found


def _verdicts(results: Results, part: PartRows, against: str) -> list[str]:
    """Verdict on the headline metric, and on other metrics whose verdict differs."""
    texts: list[str] = []
    differences = _differences(results, part, against)
    for measure, number in differences:
        if texts and number.side() == differences[0][1].side():
            continue
        other = results.control
        if against == AGAINST_BASELINE:
            row = part.row(results.reference, measure, against)
            assert row is not None
            other = f"the best baseline, {label_of(results, _baseline_of(row))}"
            other += "," if number.side() == "around" else ""
        verdict = VERDICTS[number.side()].format(other)
        lead = f"by {measure.name} it " if texts else ""
        name = "" if texts else f"{measure.name} "
        texts.append(f"{lead}{verdict} ({name}{signed(number, brackets=False)})")
    return texts


def _without_model(results: Results, part: PartRows, measure: Measure) -> str:
    """Sentence on the best baseline, and on the reason why the model has no number."""
    found = part.best(measure, part.baselines)
    if found is None:
        return f"{part.part.heading}: nothing could be measured"
    name, number = found
    row = part.row(results.reference, measure)
    why = f"; no model was run, because {row['note']}" if row and has(row["note"]) else ""
    best = f"{label_of(results, name)} has {measure.name} {measured(number)}"
    return f"{part.part.heading}: {best}{why}"


def has(note: Any) -> bool:
    """Whether a row has a note."""
    return not pd.isna(note) and str(note) != ""


def panel(
    axes: Axes, results: Results, part: PartRows, names: list[str], grey: str | None = None
) -> list[dict[str, Any]]:
    """Draw the headline metric of a part, one row for each name; returns the drawn numbers.

    A name without a value has an empty row. With ``grey`` all marks have that colour.
    """
    measure = part.part.measures[0]
    looks = style.looks(results, names)
    values = dict(part.found(measure))
    data = []
    for row, name in enumerate(names):
        if name not in values:
            continue
        number, y = values[name], len(names) - 1 - row
        found = part.row(name, measure)
        look = _LOOK if found is not None and found["mode"] == BASELINE else looks[name]
        look = look._replace(colour=grey or look.colour)
        style.dot(axes, number.value, y, look, number.low, number.high, size=5.5)
        data.append(record(number, part=part.part.id, metric=measure.metric, model=name))
    rule_rows(axes, len(names))
    axes.set_xlabel(measure.name)
    return data


def grid(
    results: Results,
    parts: Sequence[PartRows | None],
    names: list[str],
    title: Callable[[PartRows], str],
    chance: float,
    grey: Callable[[PartRows], bool] = lambda part: False,
) -> tuple[Figure, list[dict[str, Any]]]:
    """Panels of parts in two columns, with the same rows; returns the figure and its numbers.

    Parameters
    ----------
    parts : from the left and the top; None leaves a place empty
    names : baselines and models, one row each
    title : title of a panel
    chance : value of the line that marks chance
    grey : whether a panel is drawn in grey
    """
    columns = min(len(parts), 2)
    lines = -(-len(parts) // columns)
    high = ROW_IN * len(names) + HEAD_IN
    figure = new_figure(high * lines)
    panels = figure.subplots(lines, columns, sharex=True, squeeze=False)
    figure.subplots_adjust(
        left=0.28,
        right=0.98,
        bottom=0.5 / (high * lines),
        top=1 - (HEAD_IN - 0.5) / (high * lines),
        wspace=0.06,
        hspace=HEAD_IN / (high - HEAD_IN),
    )
    data: list[dict[str, Any]] = []
    for part, axes in zip_longest(parts, panels.flat):
        if part is None:
            axes.set_visible(False)
            continue
        greyed = grey(part)
        data += panel(axes, results, part, names, _GREY if greyed else None)
        axes.axvline(chance, color=style.SOFT, linewidth=0.8, zorder=0)
        axes.set_title(textwrap.fill(title(part), 40), color=style.SOFT if greyed else style.INK)
        axes.tick_params(axis="x", labelbottom=True)
        axes.set_yticks([])
    for axes in panels[:, 0]:
        name_rows(axes, [label_of(results, name) for name in names])
    return figure, data


def method(results: Results, row: dict[str, Any]) -> str:
    """Readable name of the method of a row, with the seed of a model."""
    kind = "" if row["mode"] == BASELINE else "model: "
    seed = "" if pd.isna(row["seed"]) else f", seed {int(row['seed'])}"
    return f"{kind}{label_of(results, row['model'])}{seed}"


def value_of(
    part: PartRows, model: str, measure: Measure, against: str = "", seed: int | None = None
) -> str:
    """Value with its interval; a dash with the reason where it is undefined."""
    row = part.row(model, measure, against, seed)
    if number := part.number(model, measure, against, seed):
        return measured(number, lambda value: fixed(value, 3))
    return f"– ({row['note']})" if row and has(row["note"]) else "–"


def how_to_read(results: Results, data: list[dict[str, Any]], head: str, units: str) -> str:
    """Caption on the marks and lines of the panels with the numbers ``data``.

    ``head`` names what is trained on the vectors of a frozen model, empty where nothing is;
    ``units`` what is resampled.
    """
    lines = f"Lines are 95 % intervals (bootstrap over {units})."
    trained = f" with {head}" if head else ""
    marks = f"filled: {results.reference}, open: {results.control}"
    own = {results.reference, results.control}
    others = {row["model"] for row in data} - own - set(NAMES)
    more = f" Other marks: {listed(sorted(others))}." if others else ""
    return (
        f"Squares are baselines, circles the frozen models ({marks}){trained}.{more} Higher is "
        "better. "
        f"{interval_words(data, lines)} Intervals of two rows may overlap although their paired "
        "difference is clear, and vice versa; verdicts in the text use the paired differences."
    )
