"""Figure of the real labels: models against trivial baselines, a panel per part."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from genezip.report import label_rows, style
from genezip.report.chapters.labels import label_of
from genezip.report.drawing import Drawing, interval_words, new_figure, record
from genezip.report.label_rows import Measure, PartRows
from genezip.report.results import Results
from genezip.report.scores import Number

LINES = "Lines are 95 % intervals (bootstrap over the units that the table names)."
_ROW_IN = 0.27
_HEAD_IN = 0.95
_BASELINE = style.ModelStyle("baseline", "#7A7A7A", "s", True)


def labels(results: Results) -> Drawing | None:
    """One panel per part, its headline metric of every model and baseline with a value."""
    panels = [
        (part, measure, found)
        for part in label_rows.read_parts(results.folder, results.label_parts)
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
    looks = style.model_styles([name for name, _ in found], results.reference, results.control)
    data = []
    for row, (name, number) in enumerate(found):
        y = len(found) - 1 - row
        told = part.row(name, measure)
        baseline = told is not None and told["mode"] == label_rows.BASELINE
        look = _BASELINE if baseline else looks[name]
        style.dot(axes, number.value, y, look, number.low, number.high, size=5.5)
        axes.axhline(y, color=style.RULE, linewidth=0.5, zorder=0)
        data.append(record(number, part=part.part.id, metric=measure.metric, model=name))
    axes.set_yticks(range(len(found))[::-1], [label_of(results, name) for name, _ in found])
    axes.set_ylim(-0.6, len(found) - 0.4)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_title(part.part.title)
    axes.set_xlabel(measure.name)
    return data
