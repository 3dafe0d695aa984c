"""The chapter on DNALongBench: measured beside published numbers of each task."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from genezip.artifacts.scores import MEAN, MEASURED, PAPER, SOLVED
from genezip.errors import GenezipError
from genezip.report.chapter import Cell, Chapter, Section, Table
from genezip.report.results import Results
from genezip.report.scores import number_of, records
from genezip.report.words import fixed, measured, plain


@dataclass(frozen=True)
class View:
    """One table of the page: metrics of a task under a split scheme and split."""

    title: str
    # metric -> heading; one metric has a column per subset, several have one each, and then a row
    # is one model on one subset
    metrics: dict[str, str]
    split: str = "test"
    rule: str = "paper"  # split scheme
    note: str = ""


VIEWS: dict[str, tuple[View, ...]] = {
    "table2_contact_map": (
        View("Contact maps, SCC on all test maps", {"scc": "SCC"}),
        View("Contact maps, Pearson correlation on all test maps", {"corr": "Corr"}),
        View(
            "Contact maps, SCC on the first 100 validation maps",
            {"scc": "SCC"},
            split="valid100",
            note="The release reports these maps, so the published numbers are in this table.",
        ),
    ),
    "table3_eqtl": (
        View("eQTL, AUROC on the deposit's test rows", {"auroc": "AUROC"}),
        View(
            "eQTL, gain in AUROC over the same model with the variant masked",
            {"auroc_gain": "gain"},
            note="If the interval includes 0, it is not shown that the model uses the variant.",
        ),
        View("eQTL, AUROC on genes not in training", {"auroc": "AUROC"}, rule="gene"),
        View(
            "eQTL, AUROC on chromosomes not in training",
            {"auroc": "AUROC"},
            rule="chromosome",
        ),
    ),
    "table7_etgp": (
        View(
            "Enhancers and target genes, the deposit's test rows",
            {"auroc": "AUROC", "auprc_sorted": "AUPRC", "auroc_gain": "gain over element masked"},
        ),
        View(
            "Enhancers and target genes, genes not in training",
            {"auroc": "AUROC", "auprc_sorted": "AUPRC", "auroc_gain": "gain over element masked"},
            rule="gene",
        ),
    ),
    "tisp": (
        View(
            "Transcription initiation, chr8 and chr9",
            {
                "pcc_fc": "FANTOM CAGE",
                "pcc_ec": "ENCODE CAGE",
                "pcc_er": "RAMPAGE",
                "pcc_gc": "GRO-cap",
                "pcc_pc": "PRO-cap",
                "pcc_mean": "mean",
            },
        ),
    ),
    "rsap": (
        View(
            "Regulatory activity, three definitions of one Pearson correlation",
            {
                "pcc_track": "per track",
                "pcc_sequence": "per sequence",
                "pcc_flat": "over everything",
            },
            note="Over everything and per sequence include differences of scale between tracks, "
            "which the mean of each track already predicts; per track does not.",
        ),
    ),
    "classification": (
        View("Labelled sequences, MCC on the published split", {"mcc": "MCC"}, rule="official"),
        View(
            "Labelled sequences, MCC without test rows that share 32 bases with training",
            {"mcc": "MCC"},
            rule="unseen",
        ),
        View(
            "Labelled sequences, MCC on official test rows, trained on other rows of their pool",
            {"mcc": "MCC"},
            rule="pool",
        ),
        View(
            "Labelled sequences, MCC on chromosomes not in training",
            {"mcc": "MCC"},
            rule="chromosome",
        ),
    ),
}
"""Table file -> its tables on the page."""


def _who(row: dict[str, Any]) -> str:
    """Name of a row: model with input, mode and seed where it has them."""
    parts = [str(row["model"])]
    if row["origin"] == PAPER:
        return f"{row['model']} (paper)"
    parts += [str(row[key]) for key in ("input", "mode") if pd.notna(row[key]) and row[key]]
    if pd.notna(row["seed"]):
        parts.append(f"seed {int(row['seed'])}")
    return ", ".join(parts)


def _cell(row: dict[str, Any] | None) -> Cell:
    number = None if row is None else number_of(row)
    if row is None or number is None:
        return "–"
    text = measured(number, lambda v: fixed(v, 3))
    if str(row["note"]).startswith(SOLVED):
        text += " (a trivial baseline solves the set)"
    return text if pd.isna(row["difference"]) else f"{text}; paper {plain(row['paper'])}"


def _table(name: str, found: pd.DataFrame, view: View) -> Table | None:
    """Models by subsets (one metric), or models, on each of several subsets, by metrics."""
    chosen = found[
        (found["split"] == view.split)
        & (found["rule"] == view.rule)
        & found["metric"].isin(list(view.metrics))
    ]
    # published numbers of contact maps are those of the first 100 validation maps
    if view.split == "valid100":
        published = found[(found["origin"] == PAPER) & found["metric"].isin(list(view.metrics))]
        chosen = pd.concat([chosen, published])
    elif "scc" in view.metrics or "corr" in view.metrics:
        chosen = chosen[chosen["origin"] != PAPER]
    by_metric = len(view.metrics) > 1
    subsets = [subset for subset in dict.fromkeys(chosen["subset"]) if subset != MEAN]
    several = by_metric and len(subsets) > 1
    if several:  # a row is one subset here, so there are no means
        chosen = chosen[chosen["subset"] != MEAN]
    if chosen.empty:
        return None
    column = "metric" if by_metric else "subset"
    present = list(dict.fromkeys(chosen[column]))
    names = [name for name in view.metrics if name in present] if by_metric else present
    names = [name for name in names if name != MEAN] + ([MEAN] if MEAN in names else [])
    cells: dict[str, dict[str, dict[str, Any]]] = {}
    for row in records(chosen):
        who = f"{_who(row)}: {row['subset']}" if several else _who(row)
        own = cells.setdefault(who, {})
        if row[column] in own:
            raise GenezipError(
                f"the table {name} has two values of {row['metric']} for {who}, split "
                f"{row['split']}, split scheme {row['rule']}; build it again from one file per "
                "subset"
            )
        own[row[column]] = row
    rows: list[list[Cell]] = [
        [who, *(_cell(by_name.get(each)) for each in names)] for who, by_name in cells.items()
    ]
    head = ["model", *(view.metrics[each] if by_metric else each for each in names)]
    counts = _counts(chosen, "subset", subsets) if several else _counts(chosen, column, names)
    note = " ".join(text for text in (view.note, counts) if text)
    return Table(head, rows, tuple(range(1, len(head))), view.title, note)


def _counts(chosen: pd.DataFrame, column: str, names: list[str]) -> str:
    """Note on the numbers of examples and positives of the measured values."""
    ours = chosen[(chosen["origin"] == MEASURED) & chosen["n"].notna()]
    parts = []
    for name in names:
        rows = ours[ours[column] == name]
        if rows.empty or name == MEAN:
            continue
        text = f"{name} {int(rows['n'].max()):,}"
        if rows["positives"].notna().any():
            text += f" ({int(rows['positives'].max()):,} positive)"
        parts.append(text)
    if not parts:
        return ""
    unit = ours["unit"].dropna()
    over = f"; intervals resample {unit.iloc[0]}" if len(unit) else ""
    return f"Examples: {', '.join(dict.fromkeys(parts))}{over}."


def views_of(name: str, found: pd.DataFrame) -> tuple[View, ...]:
    """Views of a table; one without views shows its first metric by split scheme."""
    if name in VIEWS or found.empty:
        return VIEWS.get(name, ())
    metric = str(found["metric"].iloc[0])
    rules = [str(rule) for rule in dict.fromkeys(found["rule"].dropna())]
    return tuple(View(f"{name}, {metric}, split {r}", {metric: metric}, rule=r) for r in rules)


def section(results: Results) -> Section | None:
    """The chapter on DNALongBench; None where no task was evaluated."""
    tables = [
        table
        for name, found in results.task_tables.items()
        for view in views_of(name, found)
        if (table := _table(name, found, view))
    ]
    if not tables:
        return None
    text = [
        "Each table has the models beside baselines from distance, base composition or position "
        "alone, and beside the published numbers. A dash is an empty cell; its reason is in the "
        "file in results/tables."
    ]
    if results.scale != "full":
        text.append("At this scale the numbers are not comparable with the paper's.")
    return Section(text, tables)


CHAPTER = Chapter("benchmarks", "DNALongBench", section)
