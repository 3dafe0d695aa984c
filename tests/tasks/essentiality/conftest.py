"""Two made-up bacteria, one trained on and one held out, with labels of their genes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from toolkit.bacteria import MadeOrganism, made_organism, write_bacteria

from genezip.config import Essentiality
from genezip.models.base import Compressor
from genezip.tasks import TASKS
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.measure import measure


@dataclass
class Bacteria:
    """A source on disk, labels of its organisms, and measurements of the task on them."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    organisms: list[MadeOrganism]
    labels: dict[str, pd.DataFrame] = field(default_factory=dict)

    def settings(self, **changes: Any) -> Essentiality:
        own = {
            "labels": {one.name: f"{one.name}.labels" for one in self.organisms},
            "window_bp": 120,
            "upstream_bp": 40,
            "markov_order": 2,
            "block_bp": 400,
            "bootstrap": 50,
        }
        return Essentiality.model_validate({**own, **changes})

    def write(self) -> tuple[Path, TaskFiles]:
        """``source.json`` and the list of label files."""
        source = write_bacteria(self.folder / "source", self.organisms)
        for name, table in self.labels.items():
            table.to_csv(self.folder / f"{name}.labels.tsv", sep="\t", index=False)
        files = [{"path": f"{name}.labels.tsv"} for name in self.labels]
        listing = self.folder / "files.json"
        listing.write_text(json.dumps({"files": files}))
        return source, TaskFiles.load(listing)

    def prepare(self, organism: str, **changes: Any) -> Any:
        """Prepared examples of an organism."""
        source, files = self.write()
        task, manifest = TASKS["essentiality"], self.folder / "data" / "manifest.json"
        task.prepare(files, source, organism, self.settings(**changes), 0, manifest)
        return task.open(manifest, source)

    def measure(self, models: Sequence[Compressor] = (), **changes: Any) -> pd.DataFrame:
        """Scores; the predictions are in :attr:`predictions`."""
        made = {Path(one.name): one for one in models}
        self.monkeypatch.setattr("genezip.tasks.measure.load", lambda path, *_, **__: made[path])
        source, files = self.write()
        out = self.folder / "scores.tsv"
        task, chosen = TASKS["essentiality"], self.settings(**changes)
        measure(task, files, source, list(made), None, chosen, "test", out, self.predictions)
        return pd.read_csv(out, sep="\t")

    @property
    def predictions(self) -> Path:
        return self.folder / "predictions.parquet"


@pytest.fixture
def bacteria(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bacteria:
    made = [made_organism("eco", 1), made_organism("bsu", 2, seen=False)]
    found = Bacteria(tmp_path, monkeypatch, made)
    rng = np.random.default_rng(5)
    for one in made:
        found.labels[one.name] = pd.DataFrame(
            {
                "locus_tag": [gene.name for gene in one.genes],
                "gene": [f"n{gene.name}" for gene in one.genes],
                "essential": (rng.random(len(one.genes)) < 0.4).astype(int),
            }
        )
    return found
