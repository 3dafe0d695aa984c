"""Raw Hi-C counts in bins of one chromosome, as square maps that share no base."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from genezip.errors import GenezipError
from genezip.genome.assembly import Segment

CHROM = "chr22"
BIN_BP = 5_000
OFFSET = 2  # as in the benchmark: the two nearest diagonals are not scored


@dataclass(frozen=True)
class ContactMap:
    """A square map inside one segment.

    Attributes
    ----------
    segment : number of its segment
    start : first base in genome coordinates, a multiple of 5,000
    counts : float64 array, shape (n, n), symmetric, raw counts
    """

    segment: int
    start: int
    counts: np.ndarray

    @property
    def upper(self) -> np.ndarray:
        """log(1 + count) of the upper triangle from the second diagonal on, as a vector."""
        rows = np.triu_indices(len(self.counts), OFFSET)
        return np.asarray(np.log1p(self.counts[rows]))


def read_counts(path: Path) -> csr_matrix:
    """Read a table without header: start of bin 1, start of bin 2, count.

    Returns
    -------
    Symmetric sparse matrix over bins of 5,000 bp from the chromosome's first base on.

    Raises
    ------
    GenezipError
        If the table cannot be read, its rows are no such bins, or a count is no number from 0 on.
    """
    try:
        table = pd.read_csv(path, sep="\t", header=None, names=["one", "two", "count"])
        at = table[["one", "two"]].to_numpy(dtype=np.int64)
        count = table["count"].to_numpy(dtype=np.float64)
    except (ValueError, OSError, pd.errors.ParserError) as error:
        raise GenezipError(f"{path} cannot be read ({error}); fetch the labels again") from None
    if len(at) == 0 or (at % BIN_BP).any() or at.min() < 0 or (at[:, 0] > at[:, 1]).any():
        raise GenezipError(
            f"{path} is no upper triangle of bins of {BIN_BP} bp; fetch the labels again"
        )
    wrong = ~(np.isfinite(count) & (count >= 0))
    if wrong.any():
        line = int(np.argmax(wrong))
        raise GenezipError(
            f"line {line + 1} of {path} has the count {count[line]:g}; counts are numbers from 0 "
            "on, so fetch the labels again"
        )
    one, two = (at // BIN_BP).T
    size = int(two.max()) + 1
    upper = csr_matrix((count, (one, two)), shape=(size, size))
    diagonal = csr_matrix((count[one == two], (one[one == two],) * 2), shape=(size, size))
    return csr_matrix(upper + upper.T - diagonal)


def tiled(counts: csr_matrix, segments: list[Segment], bins: int) -> list[ContactMap]:
    """Maps of ``bins`` whole bins, side by side inside the segments of :data:`CHROM`.

    A map without a scored contact (DNA where short reads cannot be placed) is left out.

    Parameters
    ----------
    counts : of :func:`read_counts`
    segments : segments of the genome; ``ContactMap.segment`` is the place in this list
    """
    found = []
    for number, segment in enumerate(segments):
        if segment.chrom != CHROM:
            continue
        first = -(-segment.start // BIN_BP)  # the first bin that begins inside the segment
        last = min(segment.end // BIN_BP, counts.shape[0])
        for at in range(first, last - bins + 1, bins):
            contact = ContactMap(
                number, at * BIN_BP, counts[at : at + bins, at : at + bins].toarray()
            )
            if contact.upper.any():
                found.append(contact)
    return found
