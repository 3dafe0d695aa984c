"""Random indels of the same DNA, by which scores are freed of the length of an indel.

The haplotype with an insertion has more bases, each of which costs log-probability, and a deletion
saves it, so a log ratio says more about the length than about the variant. Neutral indels are
random: an insertion puts a stretch of the FASTA at a random place of it, and a deletion removes the
bases at that place. The mean log ratio of such indels is the bias that is taken off, for each
direction a function of the length: monotone (isotonic regression on the means at the lengths
:data:`LENGTHS`, weighted by their precision) and linear between these lengths; beyond the last
it goes on with its last slope. Alleles that keep the length have no bias.

Places, and the DNA inserted there, depend on the seed and the FASTA alone. So does the bias, and
the score of a variant does not depend on which others the VCF has.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression

from genezip.alphabet import decode, is_base
from genezip.inference.variants.alleles import MOST_BP, Allele, Reference

LENGTHS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128, 256, 512, 1024, 2048, 4096, MOST_BP)
"""Lengths (bp) of neutral indels."""
PLACES = 50
LEAST = 10
"""Fewest indels of a length from which a mean is taken."""
_TRIES = 1000
INSERTION, DELETION = 1, -1


@dataclass(frozen=True)
class NeutralIndel:
    """A random indel: its direction, a length of :data:`LENGTHS` and the allele."""

    direction: int
    length: int
    allele: Allele


def lengths_for(changes: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """Lengths that some changes of length need, by direction; a direction may need none."""
    found = {}
    for direction in (INSERTION, DELETION):
        longest = max((change * direction for change in changes), default=0)
        if longest > 0:
            count = sum(length < longest for length in LENGTHS) + 1
            found[direction] = LENGTHS[: max(count, 2)]
    return found


def draw_indels(
    reference: Reference, needed: dict[int, tuple[int, ...]], places: int, seed: int
) -> list[NeutralIndel]:
    """Random indels of the needed lengths, at each place one of each."""
    found: list[NeutralIndel] = []
    if not needed:
        return found
    for number in range(places):
        random = np.random.default_rng([seed, number])
        place, source = draw_place(reference, random), draw_place(reference, random)
        if place is None or source is None:
            continue
        chrom, start = place
        for direction, lengths in sorted(needed.items()):
            for length in lengths:
                taken, first = source if direction == INSERTION else place
                if not _is_known(reference, taken, first, first + length):
                    continue
                if direction == INSERTION:
                    bases = decode(reference.ids(taken, first, first + length))
                    allele = Allele(chrom, start, start, bases)
                else:
                    allele = Allele(chrom, start, start + length, b"")
                found.append(NeutralIndel(direction, length, allele))
    return found


def draw_place(reference: Reference, random: np.random.Generator) -> tuple[str, int] | None:
    """Contig and position of a random base that is known; None if none is found.

    The first base of a contig is never drawn, because nothing predicts it.
    """
    names = list(reference.sizes)
    bounds = np.cumsum([0, *reference.sizes.values()])
    for _ in range(_TRIES):
        position = int(random.integers(bounds[-1]))
        number = int(np.searchsorted(bounds, position, side="right")) - 1
        start = position - int(bounds[number])
        if _is_known(reference, names[number], start, start + 1):
            return names[number], start
    return None


def _is_known(reference: Reference, chrom: str, start: int, end: int) -> bool:
    """Whether an interval lies in the contig, behind its first base, and has no N."""
    if start < 1 or end > reference.sizes[chrom]:
        return False
    return bool(is_base(reference.ids(chrom, start, end)).all())


@dataclass(frozen=True)
class Curve:
    """Bias of one direction at increasing lengths: float64 arrays (K,).

    ``mean`` is monotone, ``error`` the standard error of the mean before that, ``count`` its
    indels.
    """

    length: np.ndarray
    mean: np.ndarray
    error: np.ndarray
    count: np.ndarray

    def at(self, length: np.ndarray) -> np.ndarray:
        """Bias at some lengths (nats)."""
        found = np.interp(length, self.length, self.mean)
        beyond = length > self.length[-1]
        slope = self.mean[-1] / self.length[-1]
        if len(self.length) > 1:
            slope = np.diff(self.mean[-2:])[0] / np.diff(self.length[-2:])[0]
        more = self.mean[-1] + slope * (length - self.length[-1])
        return np.where(beyond, more, found)


def fit_bias(indels: Sequence[NeutralIndel], log_ratio: np.ndarray) -> dict[int, Curve]:
    """Curves by direction from the log ratios of neutral indels, float64 (n,).

    A length with fewer than :data:`LEAST` indels is left out, and a direction without lengths.
    """
    direction = np.array([one.direction for one in indels])
    length = np.array([one.length for one in indels])
    curves = {}
    for side in (INSERTION, DELETION):
        rows = []
        for one in LENGTHS:
            values = log_ratio[(direction == side) & (length == one)]
            if len(values) >= LEAST:
                error = values.std(ddof=1) / np.sqrt(len(values))
                rows.append((one, values.mean(), error, len(values)))
        if rows:
            lengths, means, errors, counts = map(np.array, zip(*rows, strict=True))
            weights = 1 / np.maximum(errors, 1e-6) ** 2
            mean = isotonic_regression(means, weights=weights, increasing=side == DELETION).x
            curves[side] = Curve(lengths.astype(np.float64), mean, errors, counts)
    return curves


def bias_of(curves: dict[int, Curve], longer: np.ndarray) -> np.ndarray:
    """Bias of alleles that make the sequence longer by ``longer`` bases, int64 (n,): float64 (n,).

    It is 0 where the length stays, and NaN for a direction without a curve.
    """
    found = np.zeros(len(longer))
    for side in (INSERTION, DELETION):
        rows = longer * side > 0
        found[rows] = curves[side].at(longer[rows] * side) if side in curves else np.nan
    return found
