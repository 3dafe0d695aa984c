"""Examples of contact maps and regulatory activity: bases from the FASTA, targets from disk.

The windows of the records in a deposit's shards are the rows of ``sequences.bed``: four columns
without a header (chrom, start, end, split). Record *j* of a split is the *j*-th row of that split
(Akita, Fudenberg et al. 2020; Basenji2, Kelley 2020).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from genezip.errors import GenezipError
from genezip.formats.bed import BED4_SPLIT, read_bed
from genezip.genome.assembly import ReferenceGenome
from genezip.genome.intervals import components
from genezip.genome.names import check_ends
from genezip.genome.sources.splits import SPLITS
from genezip.log import Progress
from genezip.tasks.base import Predictions
from genezip.tasks.examples import Prepared, rows_by_split

UNIT = "loci"
"""Unit of the bootstrap: overlapping windows of one split (:func:`loci`)."""
HELD_OUT = ("valid", "test")
"""Splits that are predicted."""


def targets_name(split: str) -> str:
    """Name of the file with the targets of a split."""
    return f"targets.{split}.npy"


@dataclass(frozen=True)
class Bins:
    """Consecutive bins inside a window."""

    first_bp: int  # start of bin 0 (bp from the start of the window)
    width_bp: int
    count: int

    @property
    def end_bp(self) -> int:
        """End of the last bin (bp from the start of the window)."""
        return self.first_bp + self.count * self.width_bp

    def edges(self) -> np.ndarray:
        """Starts of the bins, then the end of the last one: int64 array, shape (count + 1,)."""
        return self.first_bp + self.width_bp * np.arange(self.count + 1, dtype=np.int64)


CMP_BP = 1_048_576
"""Input of the contact maps: 512 bins of 2,048 bp (Akita, Fudenberg et al. 2020)."""
CMP_FULL = Bins(65_536, 2_048, 448)
"""Scored bins of a contact map: 32 bins are cropped on each side."""
CMP_RELEASE = Bins(0, 2_048, 448)
"""Bins of the release features of a contact map: as many, from the first base on."""
RSAP_STORED_BP = 131_072
"""Bases of a stored interval of regulatory activity (Basenji2, Kelley 2020)."""
RSAP_WIDENED = 32_768
"""Bases that the input adds on each side of that interval."""
RSAP_BP = RSAP_STORED_BP + 2 * RSAP_WIDENED
RSAP_BINS = Bins(RSAP_WIDENED + 8_192, 128, 896)
"""Scored bins of regulatory activity inside the widened input of 196,608 bp."""

assert CMP_FULL.first_bp == 32 * CMP_FULL.width_bp
assert 32 + CMP_FULL.count + 32 == CMP_BP // CMP_FULL.width_bp == 512
assert RSAP_BINS.first_bp == 40_960 and RSAP_BINS.first_bp + RSAP_BINS.end_bp == RSAP_BP == 196_608


@dataclass(frozen=True)
class WindowExamples:
    """A prepared folder of windows with its genome."""

    # ``facts["tracks"]`` names the tracks: the second axis of targets of ``cmp``, the last axis of
    # ``rsap``
    prepared: Prepared
    genome: ReferenceGenome
    # columns example (number in its split), split, chrom, start, end (input window, 0-based,
    # half-open; may reach beyond the chromosome), locus (windows of one split that overlap,
    # directly or through others: one unit of the bootstrap)
    table: pd.DataFrame

    @classmethod
    def load(
        cls, manifest: str | Path, genome: ReferenceGenome | str | Path, task: str | None = None
    ) -> "WindowExamples":
        """Open a folder that ``prepare_contact_maps`` or ``prepare_activity`` wrote."""
        prepared = Prepared.load(manifest, task)
        if not isinstance(genome, ReferenceGenome):
            genome = ReferenceGenome(genome)
        for chrom, length in prepared.facts.get("chromosome_bp", {}).items():
            if genome.length(chrom) != length:
                raise GenezipError(
                    f"{genome.path} has {genome.length(chrom):,} bases of {chrom}, {manifest} was "
                    f"prepared with {length:,}; give the same FASTA"
                )
        return cls(prepared, genome, prepared.table())

    def __len__(self) -> int:
        return len(self.table)

    def ids(self, row: int) -> np.ndarray:
        """Token ids of the input window of a row, uint8 (L,), N outside the chromosome."""
        one = self.table.iloc[row]
        return self.genome.ids(one["chrom"], int(one["start"]), int(one["end"]))

    def targets(self, split: str) -> np.memmap:
        """Targets of a split, rows in the order of its rows in ``table``: float16, read-only.

        Shape (n, 5, 99_681) of ``cmp``, (n, 896, tracks) of ``rsap``.
        """
        if split not in self.prepared.counts:
            raise ValueError(f"{split!r} is none of {', '.join(self.prepared.counts)}")
        found = np.load(self.prepared.folder / targets_name(split), mmap_mode="r")
        assert isinstance(found, np.memmap)
        return found


def read_rows(path: Path, window_bp: int, genome: ReferenceGenome) -> pd.DataFrame:
    """The stored windows of ``sequences.bed``, with the FASTA's chromosome names.

    Every window must have ``window_bp``. The columns are example int64 (number in its split, from
    0), split, chrom, start, end; rows as in the file.
    """
    table = read_bed(path, BED4_SPLIT, choices={"split": SPLITS}, length=window_bp)
    missing = [split for split in SPLITS if not (table["split"] == split).any()]
    if missing:
        raise GenezipError(f"{path} has no row of split {missing[0]}; fetch it again")
    names = {chrom: genome.name_of(chrom) for chrom in table["chrom"].unique()}
    table["chrom"] = table["chrom"].map(names)
    check_ends(str(path), table, genome.sizes)
    table.insert(0, "example", table.groupby("split").cumcount().astype(np.int64))
    return table[["example", "split", "chrom", "start", "end"]]


def widened(table: pd.DataFrame, widened_bp: int) -> pd.DataFrame:
    """Input windows of stored windows (:func:`read_rows`): widened on both sides, with their loci.

    The same rows; start and end moved, perhaps beyond the chromosome, and locus int64
    (:func:`loci`).
    """
    found = table.assign(start=table["start"] - widened_bp, end=table["end"] + widened_bp)
    return found.assign(locus=loci(found))


def loci(table: pd.DataFrame) -> np.ndarray:
    """Number of each window's locus, a stretch of overlapping windows; int64 (n,).

    Windows of one split and chromosome that overlap or touch, directly or through others, are not
    independent examples. Numbers count from 0 in the order of split, chromosome and start.
    """
    groups = table.groupby(["split", "chrom"]).ngroup().to_numpy()
    return components(table["start"].to_numpy(), table["end"].to_numpy(), groups)


def blocks(rows: np.ndarray, size: int) -> list[np.ndarray]:
    """Consecutive parts of at most ``size`` rows."""
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def predictions_at(
    table: pd.DataFrame,
    rows: np.ndarray,
    target: Sequence[np.ndarray] | np.ndarray,
    prediction: Sequence[np.ndarray] | np.ndarray,
    model: str | None = None,
) -> Predictions:
    """Predictions of k windows of one split, with the locus as the unit of the bootstrap.

    ``model`` is the name of the baseline; None for that of the method.
    """
    return Predictions(
        str(table["split"].iloc[rows[0]]),
        example=table["example"].to_numpy()[rows],
        group=table["locus"].to_numpy()[rows],
        target=target,
        prediction=prediction,
        model=model,
    )


def predict_windows(
    table: pd.DataFrame,
    target: Callable[[str, np.ndarray], np.ndarray],
    predict: Callable[[np.ndarray], np.ndarray],
    at_once: int = 1,
    splits: Sequence[str] = HELD_OUT,
) -> Iterator[Predictions]:
    """Predictions of all windows of some splits, a batch at a time.

    Parameters
    ----------
    table : of :class:`WindowExamples`
    target : split, k positions within it -> float array, shape (k, ...)
    predict : k rows of ``table`` -> float array, shape (k, ...)
    at_once : largest k
    """
    rows = rows_by_split(table)
    total = sum(len(rows[split]) for split in splits)
    with Progress("predictions", total, "window") as shown:
        for split in splits:
            for batch in blocks(np.arange(len(rows[split])), at_once):
                here = rows[split][batch]
                yield predictions_at(table, here, target(split, batch), predict(here))
                shown.advance(len(here))
