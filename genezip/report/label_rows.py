"""Result rows of the measurements on real labels, part by part."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from genezip.artifacts.scores import BASELINE, LABELS, TASK_SCORES
from genezip.report.scores import Number, marked_few, records

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
        if row is None or pd.isna(row["value"]):
            return None
        low, high = (None if pd.isna(row[k]) else float(row[k]) for k in ("ci_low", "ci_high"))
        n, unit = int(row["n"]), str(row["unit"])
        return Number(float(row["value"]), low, high, n, unit, marked_few(row))


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
