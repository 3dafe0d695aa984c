"""Tables and figures of zero-shot tasks, which score by likelihoods alone and train nothing.

Scores of a likelihood that is not exact are in tables of their own, and published numbers in a
column of their own, because neither is comparable with the rest.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from genezip.artifacts.published import MODEL_FREE, ZERO_SHOT, published_values
from genezip.artifacts.scores import BASELINE, EXAMPLES, LABELS, TASK_SCORES
from genezip.report.baselines import Measure, Part, PartRows, how_to_read, method, value_of
from genezip.report.chapter import Cell, Table
from genezip.report.drawing import Drawing
from genezip.report.results import Results
from genezip.report.words import fixed, listed

TITLES = {
    "ecoli": "E.\N{NO-BREAK SPACE}coli",
    "bsubtilis": "B.\N{NO-BREAK SPACE}subtilis",
    "mgenitalium": "M.\N{NO-BREAK SPACE}genitalium",
    "mtuberculosis": "M.\N{NO-BREAK SPACE}tuberculosis",
    "IF1": "IF-1",
    "TEM1": "TEM-1",
    "TEM1_cefotaxime": "TEM-1 on cefotaxime",
    "APH3II": "APH(3')-II",
    "PABP": "Pab1 of yeast",
}
"""Readable names of the organisms and sets of the default settings."""
KINDS = {
    "looked_ahead": "a bound on the whole sequence changed the tokens, so that a probability may "
    "depend on later bases",
    "pseudo": "bases are masked and read from both sides, and only those that differ are scored "
    "where the model predicts masked bases",
}
"""Kinds of likelihood that are not exact."""


def title_of(name: str) -> str:
    """Readable name of an organism or set."""
    return TITLES.get(name, name)


def titles_of(names: Sequence[str]) -> str:
    """Readable names in a sentence."""
    return listed([title_of(name) for name in names])


def task_frame(results: Results, task: str) -> pd.DataFrame | None:
    """The score table of a task; None where the page does not show it."""
    if task not in results.label_parts:
        return None
    frame = TASK_SCORES.read(results.folder / "labels" / f"{task}.tsv")
    return frame.assign(subset=frame["subset"].fillna("").astype(str))


def part_of(frame: pd.DataFrame, subset: str, title: str, measure: Measure) -> PartRows:
    """Rows of the methods on one subset."""
    own = frame[(frame["subset"] == subset) & ~frame["model"].isin([EXAMPLES, LABELS])]
    return PartRows(Part(subset, title, "", (measure,)), own, None)


def absent_parts(frame: pd.DataFrame, measure: Measure, task: str) -> list[PartRows]:
    """The subsets that were not measured."""
    missing = frame[frame["model"] == LABELS]
    return [
        PartRows(Part(name, title_of(name) or task, "", (measure,)), missing.iloc[:0], str(note))
        for name, note in zip(missing["subset"], missing["note"], strict=True)
    ]


def facts(frame: pd.DataFrame, metric: str) -> dict[str, bool]:
    """Subset -> whether a fact about its examples holds, in file order."""
    rows = frame[(frame["model"] == EXAMPLES) & (frame["metric"] == metric)]
    return {
        str(name): bool(value) for name, value in zip(rows["subset"], rows["value"], strict=True)
    }


def models_of(parts: Sequence[PartRows]) -> list[str]:
    """Models of some parts, without baselines."""
    named = (part.frame.loc[part.frame["mode"] != BASELINE, "model"] for part in parts)
    return list(dict.fromkeys(name for names in named for name in names))


def _methods(parts: Sequence[PartRows]) -> list[str]:
    """Baselines, then models, that have a row of the headline in any part."""
    every = dict.fromkeys(name for part in parts for name in part.models)
    shown = [name for name in every if any(part.row(name, part.part.measures[0]) for part in parts)]
    models = models_of(parts)
    return sorted(shown, key=lambda name: name in models)


def drawn_methods(parts: Sequence[PartRows]) -> list[str]:
    """:func:`_methods` with a value in any part."""
    found = {name for part in parts for name, _ in part.found(part.part.measures[0])}
    return [name for name in _methods(parts) if name in found]


def method_rows(results: Results, parts: Sequence[PartRows]) -> list[list[Cell]]:
    """A row of the headline for each method, a column for each part."""
    rows: list[list[Cell]] = []
    for name in _methods(parts):
        known = (part.row(name, part.part.measures[0]) for part in parts)
        first = next(row for row in known if row is not None)
        cells = [value_of(part, name, part.part.measures[0]) for part in parts]
        rows.append([method(results, first), *cells])
    return rows


def inexact_tables(
    results: Results, parts: Sequence[PartRows], heads: list[str], measure: Measure
) -> list[Table]:
    """A table for each kind of likelihood that is not exact."""
    tables = []
    for kind, words in KINDS.items():
        own = measure._replace(rule=f"{measure.rule}_{kind}")
        rows: list[list[Cell]] = []
        for name in models_of(parts):
            known = [row for part in parts if (row := part.row(name, own))]
            if known:
                cells = [value_of(part, name, own) for part in parts]
                rows.append([method(results, known[0]), *cells])
        if rows:
            title = f"{measure.name} (95 % interval) of {kind.replace('_', ' ')} likelihoods"
            note = f"Not comparable with the other tables: {words}."
            tables.append(Table(["method", *heads], rows, numeric(heads), title, note))
    return tables


def numeric(heads: list[str]) -> tuple[int, ...]:
    """The columns behind the first."""
    return tuple(range(1, len(heads) + 1))


def only_inexact(results: Results, part: PartRows) -> str:
    """Sentence on a reference without an exact likelihood; starts with a space, may be empty."""
    measure = part.part.measures[0]
    for kind in KINDS:
        own = measure._replace(rule=f"{measure.rule}_{kind}")
        if part.row(results.reference, own) and not part.row(results.reference, measure):
            return (
                f" {results.reference} has only {kind.replace('_', ' ')} likelihoods, so it is not "
                "compared here; its scores are in a table of their own."
            )
    return ""


def published(task: str, what: str) -> dict[str, str]:
    """Name of a published model -> its value after most training, from the dnaHNet paper."""
    table = published_values(ZERO_SHOT, task)
    last = table.drop_duplicates("model", keep="last")  # rows of a model are by training FLOPs
    rows = last[["model", "train_flops", "value"]].itertuples(index=False)
    found = {}
    for model, flops, value in rows:
        name = f"{model.replace(';', ',')}, {flops.removesuffix(' reported')} FLOPs"
        found[f"{name}, {what} (paper)"] = fixed(value, 3)
    return found


def replicated(task: str, what: str) -> dict[str, str]:
    """Name of a model-free score -> its values, from a third-party replication."""
    table = published_values(MODEL_FREE, task)
    found: dict[str, list[str]] = {}
    for name, mean, value in table[["baseline", "aggregation", "value"]].itertuples(index=False):
        name = f"{name.replace('_', ' ').replace(' gc', ' GC')}, {what} (paper)"
        found.setdefault(name, []).append(f"{fixed(value, 3)} {mean}")
    return {name: ", ".join(values) for name, values in found.items()}


def beside(rows: list[list[Cell]], published: Mapping[str, str], columns: int) -> list[list[Cell]]:
    """Rows with a last column of published values, then the rows of these."""
    more: list[list[Cell]] = [[name, *["–"] * columns, value] for name, value in published.items()]
    return [[*row, "–"] for row in rows] + more


def drawing(
    results: Results,
    name: str,
    title: str,
    caption: str,
    figure: Figure,
    data: list[dict[str, Any]],
    units: str,
) -> Drawing:
    """A figure with its caption; ``units`` are resampled."""
    caption = f"{caption} Only exact likelihoods are drawn. {how_to_read(results, data, '', units)}"
    return Drawing(name, title, caption, figure, pd.DataFrame(data))
