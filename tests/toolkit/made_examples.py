"""Examples of tasks that are made up in memory, where the real ones lie on disk."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from genezip.genome.assembly import ReferenceGenome
from genezip.tasks.examples import Prepared
from genezip.tasks.initiation.examples import InitiationExamples
from genezip.tasks.initiation.tracks import InitiationTracks
from genezip.tasks.pairs.examples import PairExamples
from genezip.tasks.pairs.sequences import PairSequences
from genezip.tasks.windows.examples import WindowExamples

NO_GENOME = cast(ReferenceGenome, None)  # bases are made up as well
DATA = Path("data")  # where nothing is read


def prepared_as(task: str, folder: Path = DATA, subset: str = "x", **facts: Any) -> Prepared:
    """The manifest of a prepared folder."""
    return Prepared(folder, task, subset, {}, {}, facts)


class MadePairs(PairExamples):
    """Pairs of a table; ``made`` gives the sequences of a row."""

    def __init__(
        self,
        table: pd.DataFrame,
        made: Callable[[int], PairSequences],
        task: str = "eqtl",
        folder: Path = DATA,
    ) -> None:
        self.prepared, self.genome = prepared_as(task, folder), NO_GENOME
        self.table, self.made = table, made

    def sequences(self, row: int) -> PairSequences:
        return self.made(row)


class MadeWindows(WindowExamples):
    """Windows of a table, with their targets by split; ``made`` gives the bases of a row."""

    def __init__(
        self,
        table: pd.DataFrame,
        stored: Mapping[str, Any],
        made: Callable[[int], np.ndarray] | None = None,
        task: str = "cmp",
        tracks: Sequence[str] = (),
        folder: Path = DATA,
    ) -> None:
        super().__init__(prepared_as(task, folder, tracks=list(tracks)), NO_GENOME, table)
        object.__setattr__(self, "stored", stored)
        object.__setattr__(self, "made", made)

    stored: Mapping[str, Any]
    made: Callable[[int], np.ndarray]

    def ids(self, row: int) -> np.ndarray:
        return self.made(row)

    def targets(self, split: str) -> Any:
        return self.stored[split]


class SizedGenome(ReferenceGenome):
    """A genome of which the lengths of the chromosomes are known, and no base."""

    def __init__(self, sizes: dict[str, int]) -> None:
        self.sizes = sizes


class MadeTracks(InitiationTracks):
    """Tracks whose values in (chrom, start, end) a function gives."""

    def __init__(self, made: Callable[[str, int, int], np.ndarray]) -> None:
        self.made = made

    def values(self, chrom: str, start: int, end: int) -> np.ndarray:
        return self.made(chrom, start, end)


class MadeInitiation(InitiationExamples):
    """Windows of a table; a subclass has their bases, targets and scored positions."""

    def __init__(
        self,
        table: pd.DataFrame,
        tracks: InitiationTracks | None = None,
        sizes: dict[str, int] | None = None,
        **facts: Any,
    ) -> None:
        self.prepared, self.table = prepared_as("tisp", **facts), table
        self.genome = SizedGenome(sizes or {})
        if tracks is not None:
            self.tracks = tracks
        self._training = np.flatnonzero(table["split"] == "train")
