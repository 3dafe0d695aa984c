"""Stored one-hot bases against the FASTA: the only proof that a record belongs to its row.

Records carry no coordinates. Each is compared base by base; a shard that is missing or read out
of order, and a FASTA of another build, then show at once.
"""

import numpy as np
import pandas as pd

from genezip.errors import GenezipError
from genezip.genome.reference import ReferenceGenome
from genezip.vocab import A_ID, C_ID, G_ID, T_ID

_PROBE_BP = 64
# One row of four bytes (columns A, C, G, T) read as one number; N is all zeros.
_CODES = np.zeros(256, dtype="<u4")
_CODES[[A_ID, C_ID, G_ID, T_ID]] = [1, 1 << 8, 1 << 16, 1 << 24]
_LETTERS = {0: "N", 1: "A", 1 << 8: "C", 1 << 16: "G", 1 << 24: "T"}


def check_record(
    stored: bytes,
    rows: pd.DataFrame,
    row: int,
    genome: ReferenceGenome,
    where: str,
    remark: str,
    advice: str,
) -> None:
    """Compare the bases of a record with its window.

    Parameters
    ----------
    stored : bytes, shape (L, 4) row by row
        0 or 1, columns A, C, G, T; a row of zeros is N.
    rows : DataFrame with chrom, start, end
        Stored windows of the record's split, in order.
    row : int
        Position of the record's window in ``rows``.
    where : str
        The record, for messages.
    remark : str
        What is known about missing shards; may be empty.
    advice : str
        Which FASTA to give.

    Raises
    ------
    GenezipError
        At a base that differs, with the likely cause.
    """
    codes = np.frombuffer(stored, dtype="<u4")
    differs = codes != _window(rows, row, genome)
    if not differs.any():
        return
    chrom, start, end = rows.iloc[row][["chrom", "start", "end"]]
    first = int(np.argmax(differs))
    read = _LETTERS.get(int(codes[first]))
    if read is None:
        raise GenezipError(
            f"{where}: base {first} of its sequence is no one-hot row of A, C, G, T; "
            "fetch the file again"
        )
    wanted = _LETTERS[int(_CODES[genome.ids(chrom, start + first, start + first + 1)][0])]
    other = _matching_row(codes, rows, genome)
    if other is None:
        cause = f"no row of its split matches and the FASTA looks like {genome.build()}; {advice}"
    else:
        place = rows.iloc[other]
        cause = (
            f"it matches row {other} ({place['chrom']}:{place['start']}-{place['end']}) instead: "
            f"a shard is missing or out of order{remark}; fetch the files again"
        )
    raise GenezipError(
        f"{where} is not row {row} of sequences.bed ({chrom}:{start}-{end}) in {genome.path}: "
        f"{int(differs.sum()):,} of {len(codes):,} bases differ, first {chrom}:{start + first} "
        f"(stored {read}, FASTA {wanted}); {cause}"
    )


def _window(rows: pd.DataFrame, row: int, genome: ReferenceGenome) -> np.ndarray:
    chrom, start, end = rows.iloc[row][["chrom", "start", "end"]]
    return np.asarray(_CODES[genome.ids(chrom, int(start), int(end))])


def _matching_row(codes: np.ndarray, rows: pd.DataFrame, genome: ReferenceGenome) -> int | None:
    """The row whose window the bases are; None if there is none.

    A short stretch is compared first: reading every window of a split would take minutes.
    """
    unknown = np.concatenate([[0], np.cumsum(codes == 0)])
    known = np.flatnonzero(unknown[_PROBE_BP:] == unknown[:-_PROBE_BP])
    if not len(known):
        return None
    at = int(known[0])
    probe = codes[at : at + _PROBE_BP]
    places = zip(rows["chrom"], rows["start"], strict=True)
    for row, (chrom, start) in enumerate(places):
        here = genome.ids(chrom, start + at, start + at + _PROBE_BP)
        if np.array_equal(_CODES[here], probe) and np.array_equal(
            codes, _window(rows, row, genome)
        ):
            return row
    return None
