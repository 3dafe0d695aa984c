"""The two sequences of a pair: that of the reference, and that with the other allele.

As in the loaders of DNALongBench (doi 10.1038/s41467-025-65077-4), bases run from the first base
of either window to the last, masked bases are N, and the whole is reverse-complemented where the
gene begins right of the other window, so that most inputs begin at the TSS.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genezip.alphabet import N_ID, reverse_complement
from genezip.tasks.features import RELEASE_BP

STRANDS = ("forward", "reverse")
SUMMARIES = ("last", "mean")
ALLELES = ("reference", "alternative")
"""Parts of the names of cached features, such as ``forward.last.alternative``."""

PADDED_BP = 450_000
"""Length that the benchmark pads or cuts every input to (bp)."""


@dataclass(frozen=True)
class PairSequences:
    """Two alleles in reading order; everything before ``focus_start`` is identical in both."""

    # uint8 token ids, shapes (L,) and (L',). Variants: the reference allele, and the other one in
    # its place. Elements: the element masked (N), and the real bases.
    reference: np.ndarray
    alternative: np.ndarray
    focus_start: int  # first base of the variant or element
    # end (exclusive) of the variant or element in each; later bases are identical again
    reference_end: int
    alternative_end: int

    def reverse_complement(self) -> "PairSequences":
        """Both sequences on the other strand."""
        start = len(self.reference) - self.reference_end
        return PairSequences(
            reverse_complement(self.reference),
            reverse_complement(self.alternative),
            start,
            len(self.reference) - self.focus_start,
            len(self.alternative) - self.focus_start,
        )


def pair_sequences(
    span: np.ndarray,
    focus: tuple[int, int],
    masks: Sequence[tuple[int, int]],
    allele: np.ndarray | None,
    flipped: bool,
) -> PairSequences:
    """Build both sequences of a pair.

    Parameters
    ----------
    span : uint8 array of token ids, shape (L,), of the genome from the first base of either window
        to the last, N outside the chromosome
    focus : (start, end) of the variant or element, counted from the first base of ``span``
    masks : (start, end) of masked stretches, counted likewise; none touches the focus
    allele : token ids of the other allele; None: an element, which is masked in ``reference``
    flipped : whether the reading order is that of the reverse complement
    """
    start, end = focus
    bases = span.copy()
    for low, high in masks:
        bases[max(low, 0) : max(high, 0)] = N_ID
    if allele is None:
        reference, alternative = bases.copy(), bases
        reference[start:end] = N_ID
        alternative_end = end
    else:
        reference = bases
        alternative = np.concatenate([bases[:start], allele, bases[end:]])
        alternative_end = start + len(allele)
    pair = PairSequences(reference, alternative, start, end, alternative_end)
    return pair.reverse_complement() if flipped else pair


def padded(ids: np.ndarray, length: int = PADDED_BP) -> np.ndarray:
    """The first ``length`` bases, N on the right of a shorter sequence (uint8, shape (length,))."""
    found = np.full(length, N_ID, dtype=np.uint8)
    kept = ids[:length]
    found[: len(kept)] = kept
    return found


def release_input(pair: PairSequences, length: int = RELEASE_BP) -> tuple[np.ndarray, np.ndarray]:
    """The release input of each sequence: its first 12,800 bases, or ``length``.

    The release pads to 450,000 bases or cuts there, and then takes the first 12,800; padding to
    12,800 gives the same.
    """
    return padded(pair.reference, length), padded(pair.alternative, length)
