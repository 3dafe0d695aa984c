"""The chapter on boundary alignment: whether tokens begin at sites of genes, beside controls."""

import math
from typing import Any

import pandas as pd

from genezip.artifacts.scores import SITE_CONTROLS
from genezip.region_classes import MORE_COLOURS
from genezip.report import style
from genezip.report.chapter import Cell, Chapter, Section, Table
from genezip.report.drawing import Drawing, new_figure, record
from genezip.report.results import Results
from genezip.report.scores import Number, marked_few, records
from genezip.report.words import capital, fixed, listed, measured, signed

KINDS = {
    "tata": "TATA box",
    "ccaat": "CCAAT box",
    "inr": "Inr",
    "inr_short": "Inr, YYCNTYY",
    "kozak": "Kozak",
    "kozak_short": "Kozak, GCCGCC",
    "tss": "transcription start",
    "start": "start codon",
    "stop": "stop codon",
    "polya_signal": "poly(A) signal",
    "polya": "poly(A) site",
    "cpg_island": "edge of a CpG island",
    "donor": "splice donor",
    "acceptor": "splice acceptor",
}
"""Name of a kind of site in the tables -> on the page."""
SETS = {
    "sites": "sites",
    "decoys": "decoys",
    "kmers": "matched k-mers",
    "shuffled": "shuffled around the site",
}
MAX_Q = 0.05
ALONG, AGAINST = "+", "-"
_COLUMNS = 4  # panels side by side


def rows_of(results: Results, strand: str = ALONG) -> list[dict[str, Any]]:
    """Rows of all models and seeds with sites, read along or against their strand."""
    frame = results.alignment
    return records(frame[(frame["strand"] == strand) & (frame["n"] > 0)])


def aligned(row: dict[str, Any]) -> bool:
    """Whether sites are enriched beyond chance and beyond every control.

    The q-value against shifts is below 0.05, and the interval of the difference from each control
    lies above 0.
    """
    lows = [row[f"{name}_difference_low"] for name in SITE_CONTROLS]
    return bool(row["q"] < MAX_Q) and all(low > 0 for low in lows)


def section(results: Results) -> Section | None:
    """The chapter; None where no alignment was measured."""
    rows = rows_of(results)
    if not rows:
        return None
    text = [
        "Do tokens begin where genes have a signal? The enrichment is the mean boundary "
        "probability within 2 bases of a site over that elsewhere in the same windows; 1 is no "
        "alignment. A model that likes a dinucleotide or a composition is enriched at any site "
        "that has it, so three controls stand beside the sites: decoys, other places of the same "
        "sort of sequence with the dinucleotide of the site; k-mers with the letters of the site "
        "in another order; and windows whose bases around the site are shuffled.",
        *_verdicts(results),
    ]
    return Section(text, [_table(rows)])


def _verdicts(results: Results) -> list[str]:
    """What holds of every model: kinds that pass all tests, in which of its seeds."""
    found = []
    rows = rows_of(results)
    for model in dict.fromkeys(row["model"] for row in rows):
        own = [row for row in rows if row["model"] == model]
        chance = _kinds([row for row in own if row["q"] < MAX_Q])
        beyond = _kinds([row for row in own if aligned(row)])
        other = [row for row in rows_of(results, AGAINST) if row["model"] == model]
        turned = _kinds([row for row in other if aligned(row)])
        parts = [
            f"{model} is enriched beyond shifted boundaries (q < {MAX_Q}) at {chance or 'no site'}",
            f"beyond every control as well at {beyond or 'none'}",
            f"read against the strand at {turned or 'none'}",
        ]
        found.append(f"{capital('; '.join(parts))}.")
    return found


def _kinds(rows: list[dict[str, Any]]) -> str:
    """Kinds of sites of some rows, each with its seeds where there are several rows of it."""
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["subset"]] = counts.get(row["subset"], 0) + 1
    names = [
        KINDS[kind] + (f" ({count} seeds)" if count > 1 else "") for kind, count in counts.items()
    ]
    return listed(names) if names else ""


def _number(row: dict[str, Any], value: str, low: str, high: str) -> Number | None:
    """A number of three columns; None where the value is empty."""
    known = [None if pd.isna(row[name]) else float(row[name]) for name in (value, low, high)]
    if known[0] is None:
        return None
    return Number(known[0], known[1], known[2], int(row["n"]), few=marked_few(row))


def beyond_decoys(row: dict[str, Any]) -> Number | None:
    """Enrichment at sites minus that at decoys with the same dinucleotide."""
    ends = ("decoys_difference_low", "decoys_difference_high")
    return _number(row, "decoys_difference", *ends)


def _table(rows: list[dict[str, Any]]) -> Table:
    """One row per model, seed and kind of site; controls beside the sites."""
    cells: list[list[Cell]] = []
    for row in rows:
        line: list[Cell] = [
            row["model"],
            "–" if pd.isna(row["seed"]) else str(row["seed"]),
            KINDS.get(row["subset"], row["subset"]),
            str(row["n"]),
            measured(_number(row, "value", "ci_low", "ci_high")),
            "–" if pd.isna(row["q"]) else f"{row['q']:.3g}",
        ]
        for name in SITE_CONTROLS:
            value, difference = (row[f"{name}_{part}"] for part in ("value", "difference"))
            line.append("–" if pd.isna(value) else fixed(value))
            ends = (f"{name}_difference_low", f"{name}_difference_high")
            number = _number(row, f"{name}_difference", *ends)
            line.append("–" if number is None or pd.isna(difference) else _bare(number))
        line.append(measured(_number(row, "auroc", "auroc_low", "auroc_high")))
        precision = measured(_number(row, "auprc", "auprc_low", "auprc_high"))
        chance = "" if pd.isna(row["auprc_chance"]) else f"; chance {row['auprc_chance']:.3f}"
        line.append(precision + chance)
        cells.append(line)
    head = ["model", "seed", "site", "sites", "enrichment (95 % interval)", "q"]
    for name in ("decoys", "k-mers", "shuffled"):
        head += [name, f"sites − {name}"]
    head += ["AUROC", "average precision"]
    note = (
        "Held-out DNA, read along the strand of the site; the other direction is in the result "
        "files. Blocks of DNA are resampled. q: Benjamini and Hochberg over all kinds and both "
        "directions of one model, against circular shifts. AUROC and average precision are those "
        "of the highest probability in stretches of 5 bases, one of which holds the site."
    )
    numeric = tuple(range(3, len(head)))
    return Table(head, cells, numeric, "Boundaries at sites of genes and their controls", note)


def _bare(number: Number) -> str:
    """A difference with its sign and its interval in brackets."""
    return signed(number).replace("(95 % interval ", "(")


def alignment(results: Results) -> Drawing | None:
    """Mean boundary probability around each kind of site of one model, with its controls."""
    rows = rows_of(results)
    if not rows or results.alignment_profile.empty:
        return None
    models = [row["model"] for row in rows]
    model = results.reference if results.reference in models else models[0]
    own = [row for row in rows if row["model"] == model]
    seeds = [row["seed"] for row in own if not pd.isna(row["seed"])]
    seed = min(seeds, default=None)
    profile = results.alignment_profile
    profile = profile[(profile["model"] == model) & (profile["strand"] == ALONG)]
    if seed is not None:
        profile = profile[profile["seed"] == seed]
        own = [row for row in own if row["seed"] == seed]
    kinds = [row["subset"] for row in own]
    lines = math.ceil(len(kinds) / _COLUMNS)
    figure = new_figure(2.1 * lines + 0.9)
    panels = figure.subplots(lines, _COLUMNS, squeeze=False).ravel()
    low = 0.35 / (2.1 * lines + 0.9) + 0.06
    figure.subplots_adjust(0.07, low, 0.985, 0.9 - 0.05 / lines, wspace=0.32, hspace=0.6)
    data = []
    for axes, row in zip(panels, own, strict=False):
        data += _panel(axes, profile[profile["subset"] == row["subset"]], row, model, seed)
    for axes in panels[len(own) :]:
        axes.set_visible(False)
    panels[0].set_ylabel("boundary probability")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=len(SETS), frameon=False, fontsize=8)
    shown = "" if seed is None or len(set(seeds)) == 1 else f" Seed {seed} is shown."
    return Drawing(
        "alignment",
        "Boundary probability around sites of genes, and around their controls",
        f"Mean boundary probability of {model} at each distance from the first base of a site, "
        "read along its strand; bands are ± 2 standard errors of the mean. Decoys have the "
        "dinucleotide of the site, matched k-mers its letters in another order; in shuffled "
        "windows only the bases of the site are kept. A peak that the controls have too is no "
        f"alignment with the site.{shown}",
        figure,
        pd.DataFrame(data),
    )


def _panel(
    axes: Any, profile: pd.DataFrame, row: dict[str, Any], model: str, seed: int | None
) -> list[dict[str, Any]]:
    """Draw the sites of one kind and their controls; returns the rows of the figure's table."""
    data = []
    for number, (name, label) in enumerate(SETS.items()):
        part = profile[profile["set"] == name].sort_values("offset")
        if part.empty:
            continue
        x, mean, sem = (part[column].to_numpy(float) for column in ("offset", "mean", "sem"))
        of_sites = name == "sites"
        colour = style.INK if of_sites else MORE_COLOURS[number % len(MORE_COLOURS)]
        axes.plot(
            x, mean, color=colour, label=label, linewidth=1.4 if of_sites else 0.8,
            zorder=3 if of_sites else 2,
        )  # fmt: skip
        if of_sites or name == "decoys":
            axes.fill_between(
                x, mean - 2 * sem, mean + 2 * sem, color=colour, alpha=0.18, linewidth=0
            )
        for offset, value, error in zip(x, mean, sem, strict=True):
            known = not math.isnan(error)
            data.append(
                record(
                    Number(
                        value,
                        value - 2 * error if known else None,
                        value + 2 * error if known else None,
                        int(part["n"].iloc[0]),
                        "windows",
                    ),
                    model=model,
                    seed=seed,
                    site=row["subset"],
                    set=name,
                    offset=int(offset),
                )
            )
    axes.axvline(0, color=style.SOFT, linewidth=0.6)
    axes.set_title(f"{KINDS.get(row['subset'], row['subset'])} (n = {row['n']})")
    axes.set_xlabel("bases from the site")
    return data


CHAPTER = Chapter("alignment", "Boundary alignment", section, {"alignment": alignment})
