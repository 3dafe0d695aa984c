"""A made-up scan of a short protein."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from genezip.config import VariantEffect
from genezip.models.base import Compressor
from genezip.tasks import TASKS
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.measure import measure

CDS = "ATGAAACTGGGTGATTGGTAA"  # M K L G D W stop
SCORES = {
    "K2R": 0.9, "K2E": 0.4, "K2*": -1.0, "L3I": 0.8, "L3P": 0.05, "L3Q": 0.3, "G4A": 0.7,
    "G4W": 0.1, "D5E": 0.6, "D5K": 0.2, "W6F": 0.5, "W6G": 0.0, "M1I": 0.25, "G4S": 0.55,
}  # fmt: skip


@dataclass
class Scans:
    """Scans on disk and measurements of the task on them."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    sets: dict[str, dict[str, Any]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, scores: Mapping[str, object], cds: str = CDS, **entry: Any) -> None:
        rows = "".join(f"{variant}\t{score}\n" for variant, score in scores.items())
        self.texts[f"{name}.tsv"] = f"# a comment\nvariant\tscore\n{rows}"
        self.texts[f"{name}.fa"] = f">{name}\n{cds}\n"
        self.sets[name] = {"table": f"{name}.tsv", "cds": f"{name}.fa", **entry}

    def settings(self, **changes: Any) -> VariantEffect:
        return VariantEffect.model_validate(
            {"sets": self.sets, "bootstrap": 50, "markov_order": 2, **changes}
        )

    def write(self) -> TaskFiles:
        for name, text in self.texts.items():
            (self.folder / name).write_text(text)
        listing = self.folder / "files.json"
        listing.write_text(json.dumps({"files": [{"path": name} for name in self.texts]}))
        return TaskFiles.load(listing)

    def prepare(self, name: str, source: Path | None = None, **changes: Any) -> Any:
        task, manifest = TASKS["variants"], self.folder / "data" / "manifest.json"
        genome = source or Path()
        task.prepare(self.write(), genome, name, self.settings(**changes), 0, manifest)
        return task.open(manifest, genome)

    def measure(self, models: Sequence[Compressor] = (), **changes: Any) -> pd.DataFrame:
        made = {Path(one.name): one for one in models}
        self.monkeypatch.setattr("genezip.tasks.measure.load", lambda path, *_, **__: made[path])
        out, predictions = self.folder / "scores.tsv", self.folder / "predictions.parquet"
        task, chosen, files = TASKS["variants"], self.settings(**changes), self.write()
        measure(task, files, None, list(made), None, chosen, "test", out, predictions)
        return pd.read_csv(out, sep="\t")


@pytest.fixture
def scans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scans:
    found = Scans(tmp_path, monkeypatch)
    found.add("toy", SCORES)
    return found
