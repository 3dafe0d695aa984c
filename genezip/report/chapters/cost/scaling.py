"""The chapter on scaling: perplexity against the operations of training, by kind of network."""

from typing import Any

import numpy as np
import pandas as pd

from genezip.artifacts.scores import PAPER, SEEN, UNSEEN, Metric
from genezip.region_classes import MORE_COLOURS
from genezip.report import style
from genezip.report.chapter import Cell, Chapter, Section, Table
from genezip.report.drawing import Drawing, new_figure, record
from genezip.report.results import Results
from genezip.report.scores import Number, number_of, records
from genezip.report.words import fixed, listed, measured, plain

GROUPS = {SEEN: "organisms trained on", UNSEEN: "organisms never seen", "all": "held-out DNA"}
_MARKERS = "os^Dv"


def runs(results: Results) -> pd.DataFrame:
    """One row per network: model, seed, family, parameters, bases and operations."""
    frame = results.scaling.frame
    facts = {
        "parameters": Metric.PARAMETERS,
        "bases": Metric.TRAINING_BASES,
        "operations": Metric.OPERATIONS,
        "training": Metric.TRAINING_OPERATIONS,
    }
    keys = ["model", "seed"]
    own = frame[frame["metric"] == Metric.PARAMETERS].set_index(keys)
    table = pd.DataFrame({"family": own["note"]})
    for name, metric in facts.items():
        table[name] = frame[frame["metric"] == metric].set_index(keys)["value"]
    return table.reset_index().sort_values(["family", "training"], kind="stable")


def panels(results: Results) -> list[tuple[str, str]]:
    """Subset and region of each panel: coding bases where genes are known, else all."""
    frame = results.scaling.frame
    ppl = frame[frame["metric"] == Metric.PPL]
    found = dict.fromkeys(zip(ppl["subset"], ppl["region"], strict=True))
    coding = [pair for pair in found if pair[1] == "coding"]
    return coding or [pair for pair in found if pair[1] == "all"]


def exponents(results: Results, subset: str, region: str) -> dict[str, Number]:
    """Measured exponent of every kind of network on one part of the DNA."""
    frame = results.scaling.frame
    own = frame[
        (frame["metric"] == Metric.PPL_EXPONENT)
        & (frame["subset"] == subset)
        & (frame["region"] == region)
    ]
    numbers = {str(row["model"]): number_of(row) for row in records(own)}
    return {name: number for name, number in numbers.items() if number is not None}


def section(results: Results) -> Section | None:
    """The chapter; None where no scaling was measured."""
    if results.scaling.frame.empty or not panels(results):
        return None
    text = [
        "Each point is one trained network: its size, and the bases it was trained on, make the "
        "operations of its training. Lines join the networks that are best for their operations; "
        "their slope is the exponent k of perplexity ~ operations^−k.",
        *_verdicts(results),
    ]
    return Section(text, [_exponent_table(results), _run_table(results)])


def _verdicts(results: Results) -> list[str]:
    """A sentence on the order of the exponents for each part of the DNA."""
    found = []
    for subset, region in panels(results):
        numbers = exponents(results, subset, region)
        if not numbers:
            continue
        parts = [f"{name} {measured(one, lambda v: fixed(v, 3))}" for name, one in numbers.items()]
        found.append(
            f"On {_words(subset, region)} the exponents are {listed(parts)}; few networks carry "
            "each, so an interval that holds another's value shows no difference."
        )
    return found


def _words(subset: str, region: str) -> str:
    where = GROUPS.get(subset, subset)
    return where if region == "all" else f"{region} bases of {where}"


def _exponent_table(results: Results) -> Table:
    """Exponents beside the published ones."""
    rows: list[list[Cell]] = []
    for subset, region in panels(results):
        for name, number in exponents(results, subset, region).items():
            shown = measured(number, lambda v: fixed(v, 3))
            rows.append([_words(subset, region), name, "measured", shown, str(number.n)])
    frame = results.scaling.frame
    for row in records(frame[frame["source"] == PAPER]):
        shown = fixed(float(row["value"]), 2)
        rows.append(["bacterial genomes", str(row["model"]), "paper", shown, "–"])
    note = "Published exponents are of far larger models and budgets."
    head = ["DNA", "network", "source", "exponent k", "networks"]
    return Table(head, rows, (4,), "Fall of the perplexity with the operations of training", note)


def _run_table(results: Results) -> Table:
    """Every network with its size, its operations and its perplexities."""
    rows: list[list[Cell]] = []
    shown = panels(results)
    for run in records(runs(results)):
        numbers = [
            results.scaling.find(
                Metric.PPL, run["model"], seed=int(run["seed"]), subset=subset, region=region
            )
            for subset, region in shown
        ]
        rows.append(
            [
                run["model"],
                run["family"],
                f"{run['parameters'] / 1e6:,.2f}",
                f"{run['bases'] / 1e6:,.1f}",
                plain(run["operations"] / 1e6),
                f"{run['training']:.1e}",
                *(measured(one, lambda v: fixed(v, 3)) for one in numbers),
            ]
        )
    head = ["model", "network", "parameters (M)", "Mb read", "operations per base (M)"]
    head += ["operations of training", *(f"perplexity, {_words(*one)}" for one in shown)]
    return Table(head, rows, (2, 3, 4, 5), "Networks by size and budget")


def scaling(results: Results) -> Drawing | None:
    """Perplexity against the operations of training, a panel per part of the DNA."""
    if results.scaling.frame.empty or not panels(results):
        return None
    table, shown = runs(results), panels(results)
    figure = new_figure(3.2)
    figure.subplots_adjust(left=0.09, right=0.98, top=0.8, bottom=0.17, wspace=0.22)
    data: list[dict[str, Any]] = []
    families = list(dict.fromkeys(table["family"]))
    for number, (subset, region) in enumerate(shown):
        axes = figure.add_subplot(1, len(shown), number + 1)
        for index, name in enumerate(families):
            points = _points(results, table[table["family"] == name], subset, region)
            data += points
            _draw_family(axes, points, name, index)
        axes.set_xscale("log")
        axes.set_title(_words(subset, region))
        axes.set_xlabel("floating-point operations of training")
        if not number:
            axes.set_ylabel("perplexity")
            axes.legend(
                fontsize=7, frameon=False, ncols=len(families), loc="lower left",
                bbox_to_anchor=(-0.02, 1.1),
            )  # fmt: skip
    return Drawing(
        "scaling",
        "Perplexity against the operations of training",
        "Networks of several sizes and budgets on held-out DNA; lines are 95 % intervals "
        "(bootstrap over blocks), and the networks that are best for their operations are joined.",
        figure,
        pd.DataFrame(data),
    )


def _points(
    results: Results, table: pd.DataFrame, subset: str, region: str
) -> list[dict[str, Any]]:
    """Rows of the figure's table: the networks of a family on one part of the DNA."""
    frame = results.scaling.frame
    ppl = frame[
        (frame["metric"] == Metric.PPL) & (frame["subset"] == subset) & (frame["region"] == region)
    ]
    of_run = {(row["model"], row["seed"]): row for row in records(ppl)}
    rows = []
    for run in records(table):
        row = of_run.get((run["model"], run["seed"]))
        number = None if row is None else number_of(row)
        if row is not None and number is not None:
            rows.append(
                record(
                    number,
                    model=run["model"],
                    seed=int(run["seed"]),
                    network=run["family"],
                    subset=subset,
                    region=region,
                    training_operations=run["training"],
                    best="not best" not in row["note"],
                )
            )
    return rows


def _draw_family(axes: Any, points: list[dict[str, Any]], name: str, index: int) -> None:
    colour = MORE_COLOURS[index % len(MORE_COLOURS)]
    for point in points:
        if point["ci_low"] is not None and point["ci_high"] is not None:
            at = [point["training_operations"]] * 2
            axes.plot(at, [point["ci_low"], point["ci_high"]], color=colour, linewidth=0.8)
        axes.plot(
            point["training_operations"], point["value"], _MARKERS[index % len(_MARKERS)],
            color=colour, markersize=4.5, markerfacecolor=colour if point["best"] else "white",
        )  # fmt: skip
    best = sorted((one["training_operations"], one["value"]) for one in points if one["best"])
    line = np.array(best).reshape(-1, 2)
    axes.plot(
        line[:, 0], line[:, 1], color=colour, linewidth=1.0, marker=_MARKERS[index % len(_MARKERS)],
        markersize=4.5, label=name,
    )  # fmt: skip
    axes.grid(axis="y", color=style.RULE, linewidth=0.5)


CHAPTER = Chapter("scaling", "Scaling", section, {"scaling": scaling})
