"""Comparison of stored one-hot bases with the FASTA: the only proof that a record is its row's.

Records have no coordinates, so each is compared base by base. Where a shard is missing or out of
order, or the FASTA is of another build, about three bases of four differ. Copies of one build
differ at single bases (patches, masked bases); these are counted and do not stop a run.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from genezip.alphabet import A_ID, C_ID, G_ID, T_ID
from genezip.errors import GenezipError
from genezip.genome.assembly import ReferenceGenome

MOST_DIFFERING = 0.001
"""Share of the bases of a record that may differ from the FASTA."""

_PROBE_BP = 64
_PROBE_DIFFERING = _PROBE_BP // 4  # of unrelated bases, three times as many differ
# One row of four bytes (columns A, C, G, T) read as one number; N is all zeros.
_CODES = np.zeros(256, dtype="<u4")
_CODES[[A_ID, C_ID, G_ID, T_ID]] = [1, 1 << 8, 1 << 16, 1 << 24]
_LETTERS = {0: "N", 1: "A", 1 << 8: "C", 1 << 16: "G", 1 << 24: "T"}


@dataclass(frozen=True)
class Differences:
    """Counts of the records of a split that differ from the FASTA at single bases."""

    records: int = 0  # number of such records
    bases: int = 0  # differing bases in all of them
    worst_bases: int = 0  # differing bases of the worst record
    worst_row: int | None = None  # row of the (first) worst record among the split's rows

    def with_record(self, row: int, bases: int) -> "Differences":
        """These counts with one more record, of which ``bases`` differ."""
        return self if not bases else self + Differences(1, bases, bases, row)

    def __add__(self, later: "Differences") -> "Differences":
        worst = later if later.worst_bases > self.worst_bases else self
        return Differences(
            self.records + later.records,
            self.bases + later.bases,
            worst.worst_bases,
            worst.worst_row,
        )

    def facts(self) -> dict[str, Any]:
        """The counts as JSON values."""
        return asdict(self)


def check_record(
    stored: bytes,
    rows: pd.DataFrame,
    position: int,
    genome: ReferenceGenome,
    where: str,
    remark: str,
    advice: str,
) -> int:
    """Compare the bases of a record with its window, and return the number of bases that differ.

    If more than the share :data:`MOST_DIFFERING` differ, the error names the first of them and the
    likely cause; a base that is no one-hot row is an error too.

    Parameters
    ----------
    stored : bytes, shape (L, 4) row by row; 0 or 1, columns A, C, G, T; a row of zeros is N
    rows : example, split, chrom, start, end of the stored windows of all splits
        (:func:`genezip.tasks.windows.examples.read_rows`)
    position : position of the record's window in ``rows``
    where, remark, advice : for messages: the record, a remark on missing shards (may be empty), and
        advice on the FASTA
    """
    codes = np.frombuffer(stored, dtype="<u4")
    differs = codes != _window(rows, position, genome)
    if not differs.any():
        return 0
    at = np.flatnonzero(differs)
    odd = ~np.isin(codes[at], list(_LETTERS))
    if odd.any():
        raise GenezipError(
            f"{where}: base {at[odd][0]} of its sequence is no one-hot row of A, C, G, T; "
            "fetch the file again"
        )
    if len(at) <= MOST_DIFFERING * len(codes):
        return len(at)
    number, split, chrom, start, end = rows.iloc[position][
        ["example", "split", "chrom", "start", "end"]
    ]
    first = int(at[0])
    wanted = _LETTERS[int(_CODES[genome.ids(chrom, start + first, start + first + 1)][0])]
    other = _matching_row(codes, rows, genome)
    if other is None:
        cause = f"no row of it matches and the FASTA looks like {genome.build()}; {advice}"
    else:
        row = rows.iloc[other]
        cause = (
            f"it is row {row['example']} of {row['split']} "
            f"({row['chrom']}:{row['start']}-{row['end']}) instead: a shard is missing or out of "
            f"order{remark}, or sequences.bed is not that of the shards; fetch all of them again"
        )
    raise GenezipError(
        f"{where} is not row {number} of {split} in sequences.bed ({chrom}:{start}-{end}), read "
        f"from {genome.path}: {len(at):,} of {len(codes):,} bases differ, first "
        f"{chrom}:{start + first} (stored {_LETTERS[int(codes[first])]}, FASTA {wanted}); {cause}"
    )


def _window(rows: pd.DataFrame, position: int, genome: ReferenceGenome) -> np.ndarray:
    chrom, start, end = rows.iloc[position][["chrom", "start", "end"]]
    return np.asarray(_CODES[genome.ids(chrom, int(start), int(end))])


def _matching_row(codes: np.ndarray, rows: pd.DataFrame, genome: ReferenceGenome) -> int | None:
    """Position of the row, of any split, whose window has these bases; None without one.

    A short stretch is compared first, as comparing every window would take minutes.
    """
    unknown = np.concatenate([[0], np.cumsum(codes == 0)])
    known = np.flatnonzero(unknown[_PROBE_BP:] == unknown[:-_PROBE_BP])
    if not len(known):
        return None
    at = int(known[0])
    probe = codes[at : at + _PROBE_BP]
    positions = zip(rows["chrom"], rows["start"], strict=True)
    for position, (chrom, start) in enumerate(positions):
        here = genome.ids(chrom, start + at, start + at + _PROBE_BP)
        if np.count_nonzero(_CODES[here] != probe) > _PROBE_DIFFERING:
            continue
        differing = np.count_nonzero(codes != _window(rows, position, genome))
        if differing <= MOST_DIFFERING * len(codes):
            return position
    return None
