"""Real labels that are made up: their files, a genome, and whole measurements on both."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from genezip.config.tasks import Labels
from genezip.genome.assembly import Segment
from genezip.genome.sources.source import Source
from genezip.models.base import Compressor
from genezip.tasks import TASKS
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.label_files import LABELS
from genezip.tasks.measure import measure


def segment(chrom: str, start: int, end: int) -> Segment:
    """A segment named by where it lies."""
    return Segment(
        f"{chrom}:{start}-{end}", chrom, start, end, "train", "genes", False, False, False
    )


class Segments:
    """An assembly of segments whose bases are a function of their places.

    Parameters
    ----------
    letters : places, counted from the start of the chromosome -> ASCII; all A without it
    """

    def __init__(
        self, *segments: Segment, letters: Callable[[np.ndarray], np.ndarray] | None = None
    ) -> None:
        self.segments = segments
        self._letters = letters or (lambda at: np.full(len(at), ord("A"), dtype=np.uint8))

    def sequence(
        self, segment: Segment, start: int | None = None, end: int | None = None
    ) -> np.ndarray:
        start = segment.start if start is None else start
        end = segment.end if end is None else end
        assert segment.start <= start <= end <= segment.end
        return self._letters(np.arange(start, end))


class MadeSource(Source):
    """A source of DNA whose assembly is given."""

    _made: Any

    def __init__(self, assembly: Any, kind: str, build: str) -> None:
        super().__init__(kind, "", build, Path(), {})
        object.__setattr__(self, "_made", assembly)

    def assembly(self) -> Any:
        return self._made


def use_source(
    monkeypatch: pytest.MonkeyPatch, assembly: Any, kind: str = "mirror", build: str = "hg38"
) -> None:
    """Make the genome of every ``source.json`` that of an assembly."""
    found = MadeSource(assembly, kind, build)
    monkeypatch.setattr(Source, "load", lambda path: found)


class LabelRun:
    """Label files in a folder, a genome, and measurements on them.

    Attributes
    ----------
    listing : ``labels.json``; at first it says that no folder was named
    source : ``source.json``
    scores, predictions : what :meth:`measure` writes
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder, self._monkeypatch = folder, monkeypatch
        self.listing, self.source = folder / "labels.json", folder / "source.json"
        self.scores, self.predictions = folder / "scores.tsv", folder / "predictions.parquet"
        reasons = dict.fromkeys(LABELS, "no folder was named")
        self.listing.write_text(json.dumps({"reasons": reasons, "files": []}))
        self.source.write_text("{}")

    def use(self, assembly: Any, kind: str = "mirror", build: str = "hg38") -> None:
        """List every label file, and make the genome that of an assembly."""
        names = [name for deposit in LABELS.values() for name in deposit.files]
        for name in names:
            (self._folder / name).touch()
        entries = [{"path": name} for name in names]
        self.listing.write_text(json.dumps({"reasons": {}, "files": entries}))
        use_source(self._monkeypatch, assembly, kind, build)

    def measure(
        self,
        task: str,
        settings: Labels,
        models: Sequence[Compressor | Path] = (),
        control: str | None = None,
    ) -> pd.DataFrame:
        """Score table of a task; models that are no paths are taken as they are."""
        made = {Path(m.name): m for m in models if not isinstance(m, Path)}
        if made:
            self._monkeypatch.setattr(
                "genezip.tasks.measure.load", lambda path, *_, **__: made[path]
            )
        names = [m if isinstance(m, Path) else Path(m.name) for m in models]
        out = (self.scores, self.predictions)
        files = TaskFiles.load(self.listing, "run `genezip labels fetch` first")
        measure(TASKS[task], files, self.source, names, control, settings, "test", *out)
        return pd.read_csv(self.scores, sep="\t")

    def prepared(self, task: str, settings: Labels) -> tuple[Path, Any]:
        """Manifest of the prepared folder, and its examples."""
        manifest = self._folder / task / "manifest.json"
        files, one = TaskFiles.load(self.listing), TASKS[task]
        one.prepare(files, self.source, one.own_subset, settings, settings.seed, manifest)
        return manifest, one.open(manifest, self.source)


def missing(listing: Path, part: str) -> str | None:
    """Why a list of labels has no files of a part."""
    return TaskFiles.load(listing).reason(part, LABELS[part].files)


def told(table: pd.DataFrame) -> str:
    """The reason of a task that was not measured."""
    (row,) = table.to_dict("records")
    found: Mapping[Any, Any] = row
    assert (found["model"], found["metric"], found["value"]) == ("labels", "available", 0)
    return str(found["note"])
