"""The chapter on codon phase: where tokens begin along the reading frame of genes."""

from typing import Any

import pandas as pd

from genezip.artifacts.scores import (
    CODON_POSITIONS,
    P_VALUE,
    PUBLISHED_DNAHNET,
    SHIFTED,
    SHUFFLED,
    Metric,
    of_stage,
)
from genezip.region_classes import MORE_COLOURS
from genezip.report import style
from genezip.report.chapter import Cell, Chapter, Section, Table
from genezip.report.drawing import Drawing, name_rows, new_figure, record, rule_rows
from genezip.report.results import Results
from genezip.report.scores import Number
from genezip.report.words import fixed, listed, measured

STAGES = (0, 1)
MAX_P = 0.01
FEATURES = {
    "all": "all bases",
    "coding": "coding",
    "start_codon": "start codon",
    "stop_codon": "stop codon",
    "promoter": "promoter",
    "intergenic": "intergenic",
}
SPLITS = {"train": "trained on", "test": "held out"}
_STAGE_NAMES = ("first", "second")
_SITES = {"start": "start codon", "stop": "stop codon"}


def organisms(results: Results) -> list[tuple[str, str]]:
    """Organism and split of the measured genes, those of training DNA first."""
    frame = results.codon_phase.frame
    own = frame[frame["model"] == results.reference]
    pairs = dict.fromkeys(zip(own["subset"], own["split"], strict=True))
    return sorted(pairs, key=lambda pair: [*SPLITS].index(pair[1]))


def find(
    results: Results,
    metric: str,
    stage: int,
    organism: str,
    split: str,
    region: str = "coding",
) -> Number | None:
    """One number of the reference, in the direction of the genes."""
    return results.codon_phase.find(
        of_stage(metric, stage),
        results.reference,
        subset=organism,
        region=region,
        split=split,
    )


def p_value(results: Results, metric: str, stage: int, organism: str, split: str) -> Number | None:
    """The p-value of a metric against shifted boundaries."""
    return find_with(results, metric, P_VALUE, stage, organism, split)


def in_phase(results: Results, organism: str, split: str) -> bool | None:
    """Whether tokens follow the reading frame: both p-values are below 0.01; None if unknown."""
    found = [
        p_value(results, metric, 0, organism, split)
        for metric in (Metric.PERIOD3_AMPLITUDE, Metric.PHASE_LOCK)
    ]
    known = [number.value for number in found if number]
    return all(p < MAX_P for p in known) if len(known) == len(found) else None


def section(results: Results) -> Section | None:
    """The chapter; None where no codon phase was measured."""
    if not organisms(results):
        return None
    text = [
        "Genes are read codon by codon. Tokens that begin at one position of the codon in all "
        "genes would show that the router has found this frame by itself; the reading frame was "
        "no part of its training.",
        _verdict(results),
        "Amplitude is that of a period of three bases in the boundary rate, with one phase for all "
        "genes; phase lock is the agreement of the phases of single genes, from 0 to 1. Their "
        "p-values come from boundaries shifted along each gene. A fixed grid has a period of three "
        "but cannot know the frame.",
    ]
    return Section(text, [_phase_table(results), _feature_table(results)])


def _verdict(results: Results) -> str:
    names: dict[bool, list[str]] = {True: [], False: []}
    for organism, split in organisms(results):
        found = in_phase(results, organism, split)
        if found is not None:
            names[found].append(f"{organism} ({SPLITS[split]})")
    parts = []
    if names[True]:
        parts.append(
            f"the first stage of {results.reference} follows the reading frame of genes in "
            f"{listed(names[True])} (both p-values below {MAX_P})"
        )
    if names[False]:
        parts.append(f"this is not shown in {listed(names[False])}")
    text = "; ".join(parts) or "no p-value was computed"
    return f"{text[0].upper()}{text[1:]}."


def _with_p(number: Number | None, p: Number | None) -> str:
    if number is None:
        return "–"
    digits = fixed(number.value, 3)
    return digits if p is None else f"{digits} (p = {p.value:.3g})"


def _phase_table(results: Results) -> Table:
    """Table of rates by codon position, amplitude and phase lock, with controls."""
    rows: list[list[Cell]] = []
    for organism, split in organisms(results):
        for stage in STAGES:
            rates = [
                find(results, Metric.BOUNDARY_RATE, stage, organism, split, region)
                for region in CODON_POSITIONS
            ]
            if not any(rates):
                continue
            amplitude, lock = (
                _with_p(
                    find(results, metric, stage, organism, split),
                    p_value(results, metric, stage, organism, split),
                )
                for metric in (Metric.PERIOD3_AMPLITUDE, Metric.PHASE_LOCK)
            )
            shuffled, shifted = (
                find_with(results, Metric.PHASE_LOCK, ending, stage, organism, split)
                for ending in (SHUFFLED, SHIFTED)
            )
            rows.append(
                [
                    organism,
                    SPLITS[split],
                    _STAGE_NAMES[stage],
                    " / ".join(fixed(rate.value, 3) if rate else "–" for rate in rates),
                    amplitude,
                    lock,
                    measured(shifted, lambda v: fixed(v, 3)),
                    fixed(shuffled.value, 3) if shuffled else "–",
                    str(rates[0].n) if rates[0] else "–",
                ]
            )
    head = ["organism", "DNA", "stage", "rate at codon position 1 / 2 / 3", "amplitude"]
    head += ["phase lock", "of shifted boundaries", "in shuffled DNA", "genes"]
    note = (
        "Rates of the second stage are of the tokens of the first. Shifted boundaries: mean and "
        "range of 95 % of the shifts. Shuffled DNA keeps start, stop and the counts of "
        "dinucleotides of every gene."
    )
    title = f"Codon phase of {results.reference}, read in the direction of the genes"
    return Table(head, rows, (8,), title, note)


def find_with(
    results: Results, metric: str, ending: str, stage: int, organism: str, split: str
) -> Number | None:
    """A metric of a control, or its p-value, by the ending of its name."""
    return results.codon_phase.find(
        of_stage(metric, stage) + ending,
        results.reference,
        subset=organism,
        region="coding",
        split=split,
    )


def _feature_table(results: Results) -> Table:
    """Table of the share of positions kept by feature, beside the published shares."""
    rows: list[list[Cell]] = []
    frame = results.codon_phase.frame
    paper = frame[frame["model"] == PUBLISHED_DNAHNET]
    for organism, split in organisms(results):
        for stage in STAGES:
            numbers = [
                find(results, Metric.BOUNDARY_RATE, stage, organism, split, region)
                for region in FEATURES
            ]
            if any(numbers):
                cells = [_with_margin(number) for number in numbers]
                name = f"{organism}, {SPLITS[split]}"
                rows.append([name, _STAGE_NAMES[stage], "measured", *cells])
    for stage in STAGES:
        own = paper[paper["metric"] == of_stage(Metric.BOUNDARY_RATE, stage)]
        by_region = dict(zip(own["region"], own["value"], strict=True))
        if by_region:
            cells = [
                fixed(100 * by_region[region], 1) if region in by_region else "–"
                for region in FEATURES
            ]
            name = f"{own['subset'].iloc[0]}, {PUBLISHED_DNAHNET}"
            rows.append([name, _STAGE_NAMES[stage], "paper", *cells])
    head = ["organism", "stage", "source", *FEATURES.values()]
    note = (
        "Both strands of long windows are read; promoters are the 100 bases before a start codon "
        "that are in no gene. ± is half the 95 % interval (bootstrap over parts of windows). The "
        "published model is far larger and saw other DNA."
    )
    title = "Positions kept (%), by feature"
    return Table(head, rows, tuple(range(3, len(head))), title, note)


def _with_margin(number: Number | None) -> str:
    """A share in percent with half the width of its interval."""
    if number is None:
        return "–"
    if number.low is None or number.high is None:
        return fixed(100 * number.value, 1)
    return f"{fixed(100 * number.value, 1)} ±{fixed(50 * (number.high - number.low), 1)}"


def codon_phase(results: Results) -> Drawing | None:
    """Rates by codon position, and around start and stop codons, of every organism."""
    found = organisms(results)
    if not found:
        return None
    profile = results.codon_profile
    own = profile[
        (profile["model"] == results.reference)
        & (profile["strand"] == "+")
        & (profile["stage"].astype(str) == "0")
    ]
    high = 0.34 * len(found) + 1.1
    figure = new_figure(high + 2.6)
    grid = figure.add_gridspec(2, 2, height_ratios=[high, 2.1], hspace=0.55, wspace=0.12)
    figure.subplots_adjust(left=0.24, right=0.98, top=0.93, bottom=0.12)
    data = [
        *_positions(figure.add_subplot(grid[0, 0]), results, found, 0),
        *_positions(figure.add_subplot(grid[0, 1]), results, found, 1, named=False),
    ]
    shared: Any = None
    for column, site in enumerate(_SITES):
        axes = figure.add_subplot(grid[1, column], sharey=shared)
        shared = shared or axes
        for number, split in enumerate(SPLITS):
            rows = own[(own["split"] == split) & (own["site"] == site)]
            mean = rows.groupby("offset")["rate"].mean()
            count = rows["subset"].nunique()
            if not count:
                continue
            axes.plot(
                mean.index,
                mean,
                linewidth=1.2,
                color=_colour(number + 1),
                linestyle="--" if split == "train" else "-",
                label=f"{SPLITS[split]}, mean of {count}",
            )
            data += [
                record(
                    Number(rate),
                    metric=of_stage(Metric.BOUNDARY_RATE, 0),
                    subset=f"mean of {count}",
                    split=split,
                    region=f"{site} {offset:+d}",
                )
                for offset, rate in mean.items()
            ]
        axes.axvline(0, color=style.SOFT, linewidth=0.8)
        axes.set_xlabel(f"bases from the {_SITES[site]}")
        if column:
            axes.tick_params(labelleft=False)
            axes.legend(fontsize=7, frameon=False, loc="upper right")
        else:
            axes.set_ylabel("share kept, stage 0")
    return Drawing(
        "codon_phase",
        "Where tokens begin along the reading frame",
        f"Share of the positions that {results.reference} keeps at each position of the codon, at "
        "the first stage and of its tokens at the second, with 95 % intervals (bootstrap over "
        "genes); below, the share kept at the first stage around start and stop codons, the mean "
        "over organisms, all genes read in their direction; dashed for DNA trained on. "
        f"Equal shares at the three positions mean no phase.{results.seed_note}",
        figure,
        pd.DataFrame(data),
    )


def _colour(number: int) -> str:
    return MORE_COLOURS[number % len(MORE_COLOURS)]


def _positions(
    axes: Any, results: Results, found: list[tuple[str, str]], stage: int, named: bool = True
) -> list[dict[str, Any]]:
    """Draw a row per organism: the rate at each codon position with its interval."""
    data = []
    rule_rows(axes, len(found))
    for row, (organism, split) in enumerate(found):
        y = len(found) - 1 - row
        for number, region in enumerate(CODON_POSITIONS):
            rate = find(results, Metric.BOUNDARY_RATE, stage, organism, split, region)
            if rate is None:
                continue
            at = y + 0.22 * (1 - number)
            if rate.low is not None and rate.high is not None:
                axes.plot([rate.low, rate.high], [at, at], color=_colour(number), linewidth=1.2)
            axes.plot(rate.value, at, "o", color=_colour(number), markersize=4)
            data.append(
                record(
                    rate,
                    metric=of_stage(Metric.BOUNDARY_RATE, stage),
                    subset=organism,
                    split=split,
                    region=region,
                )
            )
    axes.set_title(f"{_STAGE_NAMES[stage]} stage")
    axes.set_xlabel("share kept by codon position")
    if named:
        name_rows(axes, [f"{organism}, {SPLITS[split]}" for organism, split in found])
        for number, region in enumerate(CODON_POSITIONS):
            axes.plot([], [], "o", color=_colour(number), markersize=4, label=region[-1])
        axes.legend(
            title="position", fontsize=7, title_fontsize=7, frameon=False, ncols=3,
            loc="lower left", bbox_to_anchor=(-0.62, 1.0),
        )  # fmt: skip
    else:
        axes.set_yticks([])
    return data


CHAPTER = Chapter("codon-phase", "Codon phase", section, {"codon_phase": codon_phase})
