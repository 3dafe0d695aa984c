"""The chapter on held-out compression: all numbers in full, and what assembly gaps do to them."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from genezip.artifacts.scores import CORPUS, Metric, with_mixing
from genezip.region_classes import GROUPS
from genezip.report import style
from genezip.report.chapter import Cell, Chapter, Section, Table
from genezip.report.drawing import Drawing, new_figure
from genezip.report.results import Results
from genezip.report.scores import records
from genezip.report.words import fixed, plain

N_SHARES = (
    ("0 to 5 %", "#9AA3AB", -1.0, 0.05),
    ("5 to 50 %", "#E69F00", 0.05, 0.5),
    ("50 to 95 %", "#D55E00", 0.5, 0.95),
    ("above 95 %", "#000000", 0.95, 1.0),
)
"""Label, colour and limits of the share of N in a window, above the first and up to the second."""


def numbers_section(results: Results) -> Section:
    """Table of all headline metrics of every model, with and without N-rich windows, by strand."""
    metrics = (Metric.BPT, Metric.EXPECTED_BPT, Metric.BPT_RATIO, Metric.MICRO_ERR)
    head = ["model", "seed", "windows", "strand", "bases per token", "expected", "ratio"]
    head += ["MicroErr", "promoter enr.", "genic enr.", "intergenic enr."]
    rows: list[list[Cell]] = []
    frame = results.compression.frame
    frame = frame[(frame["split"] == "test") & (frame["model"] != CORPUS)]
    frame = frame[frame["subset"].isin(["all", results.subset])]  # and not single organisms
    frame = frame[~frame["model"].str.endswith(with_mixing(""))]
    if results.left_out == 0:
        frame = frame[frame["subset"] == results.subset]
    keys = frame[["model", "seed", "subset", "strand"]].drop_duplicates()
    for key in records(keys):
        model, subset = key["model"], key["subset"]
        seed = None if pd.isna(key["seed"]) else int(key["seed"])
        where: dict[str, Any] = {"subset": subset, "strand": key["strand"]}
        if seed is not None:
            where["seed"] = seed
        found = [results.number(metric, model, **where) for metric in metrics]
        found += [results.number(Metric.ENRICHMENT, model, region=g, **where) for g in GROUPS]
        label = style.looks(results, [model])[model].label
        cells = [plain(number.value) if number else "–" for number in found[:2]]
        cells += [fixed(number.value) if number else "–" for number in found[2:]]
        few_n = subset.removeprefix("n_le_").removesuffix("pct")
        windows = "all" if subset == "all" else f"N ≤ {few_n} %"
        rows.append([label, "–" if seed is None else str(seed), windows, key["strand"], *cells])
    limit = results.subset.removeprefix("n_le_").removesuffix("pct")
    if results.subset == "all" or results.left_out is None:
        note = "How many windows hold many N (assembly gaps) was not counted."
    elif results.left_out == 0:
        note = (
            f"No held-out window has more than {limit} % N (assembly gaps), so a table without "
            "such windows would be the same; each row is given once."
        )
    else:
        windows = "windows have" if results.left_out > 1 else "window has"
        note = (
            f"{results.left_out:,} held-out {windows} more than {limit} % N (assembly gaps). Such "
            "windows have the least possible number of tokens and dominate plain means, so "
            f"each row is given twice, and the figures use windows with N ≤ {limit} %."
        )
    strand = "the mean of both strands" if results.strand == "both" else "the forward strand"
    note += (
        f" The figures use {strand}; rows with strand “both” are the mean of the forward strand "
        "and the reverse complement."
    )
    return Section(tables=[Table(head, rows, tuple(range(4, len(head))), note=note)])


def _spread(values: pd.Series) -> str:
    """Mean and standard deviation of windows."""
    spread = f" ± {plain(values.std())}" if len(values) > 1 else ""
    return f"{plain(values.mean())}{spread}"


def gaps(results: Results) -> Drawing | None:
    """Figure of the bases per token of each window, by its share of N."""
    table = results.windows[results.windows["strand"] == results.strand]
    shown = {}  # windows of the first seed of each model
    for name in style.pair(results):
        mine = table[table["model"] == name]
        for seed in results.seeds(name)[:1]:
            mine = mine[mine["seed"] == seed]
        if len(mine):
            shown[name] = mine
    if not shown:
        return None
    figure = new_figure(2.9)
    panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    figure.subplots_adjust(left=0.075, right=0.985, bottom=0.17, top=0.8, wspace=0.1)
    logs = np.log10(pd.concat(shown.values())["bpt"].to_numpy(dtype=float))
    edges = 10 ** np.linspace(logs.min() - 0.05, logs.max() + 0.05, 41)
    rich = max(int((mine["n_fraction"] > N_SHARES[0][3]).sum()) for mine in shown.values())
    rows: list[dict[str, Any]] = []
    said = []
    for axes, (name, mine) in zip(panels, shown.items(), strict=True):
        held = [
            (label, colour, mine[(mine["n_fraction"] > low) & (mine["n_fraction"] <= high)]["bpt"])
            for label, colour, low, high in N_SHARES
        ]
        axes.hist(
            [one for _, _, one in held], bins=edges, stacked=True,
            color=[colour for _, colour, _ in held], label=[label for label, _, _ in held],
        )  # fmt: skip
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator([2.0**power for power in range(1, 18)]))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
        axes.set_xlim(edges[0], edges[-1])
        if rich:
            axes.set_yscale("symlog", linthresh=1)
            axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.0f}"))
        axes.set_xlabel("bases per token of a window (log scale)")
        axes.set_title(name, color=style.pair(results)[name].colour)
        few = mine[mine["n_fraction"] <= N_SHARES[0][3]]["bpt"]
        few_n = f", of those with few N {_spread(few)}" if rich else ""
        said.append(f"{name} {_spread(mine['bpt'])}{few_n}")
        for label, _, one in held:
            counts, _ = np.histogram(one, bins=edges)
            rows += [
                {"model": name, "n": label, "bpt_from": low, "bpt_to": high, "windows": int(count)}
                for low, high, count in zip(edges, edges[1:], counts, strict=False)
                if count
            ]
    panels[0].set_ylabel("windows (log scale)" if rich else "windows")
    if rich:
        panels[0].legend(
            loc="lower left", bbox_to_anchor=(-0.01, 1.08), ncols=len(N_SHARES), frameon=False,
            fontsize=8, title="N in the window", title_fontsize=8, alignment="left",
        )  # fmt: skip
    why = (
        "Colours are their share of N. A window of N alone gets the fewest tokens that the bounds "
        "allow, so it stands far to the right, and a few of them make the mean and the standard "
        f"deviation over windows large. {rich:,} windows have more than 5 % N."
        if rich
        else "No held-out window has more than 5 % N, so nothing here comes from assembly gaps."
    )
    return Drawing(
        "gaps",
        "Bases per token of each window",
        f"Each window has one number of bases per token; bars count windows. {why} Mean ± standard "
        f"deviation over windows: {'; '.join(said)}.",
        figure,
        pd.DataFrame(rows),
    )


CHAPTER = Chapter("numbers", "All metrics", numbers_section, {"gaps": gaps})
