"""Examples of the task tisp: 100,000 bp of sequence and ten tracks, read window by window.

Windows and tracks are those of DNALongBench (doi 10.1038/s41467-025-65077-4); see
:mod:`genezip.tasks.initiation.windows` and :mod:`genezip.tasks.initiation.tracks`. A prepared
folder has the paths of the bigWigs, not their values.
"""

import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from genezip.alphabet import is_base
from genezip.artifacts.files import sha256_json
from genezip.genome.assembly import ReferenceGenome
from genezip.log import progress
from genezip.tasks.base import Predictions
from genezip.tasks.deposits import FILES, TaskFiles
from genezip.tasks.examples import Prepared, preparing
from genezip.tasks.initiation.tracks import TRACKS, InitiationTracks, list_files, track_files
from genezip.tasks.initiation.windows import (
    HELD_OUT,
    WINDOW_BP,
    TrainingWindows,
    tiling,
    training_contigs,
    unknown_bases,
)

logger = logging.getLogger(__name__)

NEAR_N_BP = 500
"""Positions within this distance (bp) of an N are not scored."""

BLOCK_BP = 1_000_000
"""Length of a block of positions that are resampled together (bp)."""


def prepare_initiation(
    files: TaskFiles, genome: ReferenceGenome, manifest: str | Path, seed: int, train_windows: int
) -> Prepared:
    """Choose windows and check the tracks against the genome.

    ``seed`` is that of the random training windows, combined with the seed 3 of the published
    sampler.
    """
    bigwigs, lists = track_files(files), list_files(files)
    tracks = InitiationTracks(bigwigs, lists, genome)
    contigs = training_contigs(genome.sizes, tracks.check(genome))
    logger.info(
        f"tisp: training windows come from {len(contigs)} contigs, {sum(contigs.values()):,} bp"
    )
    windows = TrainingWindows(contigs, unknown_bases(genome, contigs), seed)
    tiles = [
        tiling(genome.length(chrom)).assign(chrom=genome.name_of(chrom), split=split)
        for chrom, split in HELD_OUT.items()
    ]
    table = pd.concat([_training(windows, train_windows), *tiles], ignore_index=True)
    table.insert(0, "example", table.groupby("split").cumcount())
    blocks = (table["keep_start"] // BLOCK_BP).astype(str)
    table["block"] = table["chrom"] + ":" + blocks
    inputs = {path.name: path for path in (*bigwigs, *lists)}
    folder = Path(manifest).resolve().parent
    with preparing(manifest, "tisp", "all", inputs) as draft:
        columns = ["split", "chrom", "start", "end", "keep_start", "keep_end", "block"]
        draft.write_examples(table[["example", *columns]])
        draft.facts = {
            "tracks": list(TRACKS),
            "bigwigs": [relative_entry(path, folder) for path in bigwigs],
            "lists": [relative_entry(path, folder) for path in lists],
            "build": genome.build(),
            "sizes_sha256": sha256_json(genome.sizes),
            "training_contigs": contigs,
            "seed": seed,
        }
    return Prepared.load(manifest, "tisp")


class InitiationExamples:
    """Windows of the task tisp, with sequence and targets.

    Attributes
    ----------
    prepared : Prepared
    table : DataFrame
        example (number within its split), split, chrom (the FASTA's name), start, end,
        keep_start, keep_end (the part that is scored; of training windows all of it), block
        (unit of the bootstrap: chromosome and million bases of keep_start, ``chr8:12``).
        0-based, half-open, on the chromosome.
    """

    def __init__(
        self, prepared: Prepared, genome: ReferenceGenome, tracks: InitiationTracks
    ) -> None:
        self.prepared = prepared
        self.genome = genome
        self.tracks = tracks
        self.table: pd.DataFrame = prepared.table()
        self._rows = list(
            self.table[["chrom", "start", "end", "keep_start", "keep_end"]].itertuples(
                index=False, name=None
            )
        )
        self._training = np.flatnonzero(self.table["split"] == "train")

    @classmethod
    def load(cls, manifest: str | Path, genome: str | Path) -> "InitiationExamples":
        """Open a prepared folder, its FASTA and the tracks."""
        prepared = Prepared.load(manifest, "tisp")
        reference = prepared.genome(genome)
        listed = prepared.facts["bigwigs"], prepared.facts["lists"]
        again = replace(FILES, again="fetch it and prepare the task again")
        again.check_files(manifest, [*listed[0], *listed[1]])
        bigwigs, lists = ([prepared.folder / entry["path"] for entry in part] for part in listed)
        return cls(prepared, reference, InitiationTracks(bigwigs, lists, reference))

    def __len__(self) -> int:
        return len(self.table)

    def ids(self, row: int) -> np.ndarray:
        """Token ids of a window (uint8, shape (100_000,)); ``row`` is a position in the table."""
        chrom, start, end, *_ = self._rows[row]
        return self.genome.ids(chrom, start, end)

    def targets(self, row: int) -> np.ndarray:
        """Tracks of the whole window (float32, shape (10, 100_000), stored log scale)."""
        chrom, start, end, *_ = self._rows[row]
        return self.tracks.values(chrom, start, end)

    def scored(self, row: int) -> np.ndarray:
        """Mask of scored positions of the kept part, without N among the 1,001 bases around."""
        chrom, _, _, start, end = self._rows[row]
        bases = self.genome.ids(chrom, start - NEAR_N_BP, end + NEAR_N_BP)
        return far_from_n(bases)[NEAR_N_BP:-NEAR_N_BP]

    def training(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """The ``number``-th training window, counted cyclically: token ids, and float32 targets."""
        row = int(self._training[number % len(self._training)])
        return self.ids(row), self.targets(row)


def far_from_n(ids: np.ndarray, distance: int = NEAR_N_BP) -> np.ndarray:
    """True where no base within ``distance`` bp is N (bool, the shape of ``ids``)."""
    seen = np.concatenate([[0], np.cumsum(~is_base(ids))])
    at = np.arange(len(ids))
    low, high = np.maximum(at - distance, 0), np.minimum(at + distance + 1, len(ids))
    return np.asarray(seen[high] == seen[low])


def rows_of(examples: InitiationExamples, split: str, what: str) -> Iterator[int]:
    """Rows of a split, with progress."""
    rows = np.flatnonzero(examples.table["split"] == split).tolist()
    return progress(rows, what, unit="window")


def kept_part(examples: InitiationExamples, row: int) -> tuple[slice, np.ndarray]:
    """Slice of the kept part within its window, and its target.

    The target is float32 (10, keep_end - keep_start), NaN where a base is not scored.
    """
    window = examples.table.iloc[row]
    first = int(window["keep_start"]) - int(window["start"])
    kept = slice(first, first + int(window["keep_end"]) - int(window["keep_start"]))
    target = np.array(examples.targets(row)[:, kept], dtype=np.float32)
    target[:, ~examples.scored(row)] = np.nan
    return kept, target


def predictions(
    examples: InitiationExamples,
    predict: Callable[[int, slice], np.ndarray],
    name: str,
    model: str | None = None,
) -> Iterator[Predictions]:
    """Predictions for the kept part of every validation and test window, one at a time.

    ``predict`` takes a row of the table and the slice of the kept part within its window, and
    returns float (10, keep_end - keep_start). ``name`` is that of the method, for messages, and
    ``model`` that of a baseline.
    """
    table = examples.table
    for split in ("valid", "test"):
        count = int((table["split"] == split).sum())
        logger.info(f"{name}: predicting {count:,} windows of the split {split}")
        for row in rows_of(examples, split, f"predicting {split}"):
            kept, target = kept_part(examples, row)
            yield Predictions(
                split,
                example=table["example"].to_numpy()[row : row + 1],
                group=table["block"].to_numpy()[row : row + 1],
                target=target[None],
                prediction=predict(row, kept)[None],
                model=model,
            )


def _training(windows: TrainingWindows, count: int) -> pd.DataFrame:
    numbers = progress(range(count), "training windows", unit="window")
    drawn = [windows.draw(number) for number in numbers]
    table = pd.DataFrame(drawn, columns=["chrom", "start"])
    end = table["start"] + WINDOW_BP
    return table.assign(end=end, keep_start=table["start"], keep_end=end, split="train")


def relative_entry(path: Path, folder: Path) -> dict[str, str | int]:
    """Size and relative path of a file from the prepared folder; both can be moved together."""
    return {"path": os.path.relpath(path.resolve(), folder), "bytes": path.stat().st_size}
