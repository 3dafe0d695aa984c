"""Log-likelihood of the haplotype with an allele minus that of the reference haplotype.

Both haplotypes begin at the same base, and end behind the same following bases of the reference.
What they share before the allele is read once, by a stream that is copied at each allele
(:func:`streamed`); :func:`whole` reads each haplotype from its first base to its last, which is
slow and obvious. Both give the same numbers, up to rounding.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from genezip.alphabet import encode, is_base, reverse_complement
from genezip.errors import GenezipError
from genezip.inference.changes import MaskedPredictor
from genezip.inference.variants.alleles import Allele, Reference
from genezip.metrics.compression import moved_boundaries
from genezip.models.base import Compressor

Strands = Literal["both", "forward"]
CONTEXT_BP = 8192
"""Bases before an allele, at least, if the contig has them."""
FLANK_BP = 2048
"""Bases behind an allele that both haplotypes share and that count."""
VALUES = (
    "forward", "reverse", "moved_boundaries", "reach_bp",
    "context_bp", "flank_bp", "reverse_context_bp", "reverse_flank_bp",
)  # fmt: skip
"""Columns of :func:`read_alleles`."""


@dataclass(frozen=True)
class Windows:
    """What is read of each allele.

    A window begins at a multiple of half of ``context_bp``, so that neighbours share it and no
    window depends on which other alleles there are. So an allele has ``context_bp`` to 1.5 times as
    many bases before it.
    """

    context_bp: int = CONTEXT_BP
    flank_bp: int = FLANK_BP
    strands: Strands = "both"

    def first(self, allele: Allele) -> int:
        """First base of the window of the forward strand."""
        grid = max(self.context_bp // 2, 1)
        return max((allele.start - self.context_bp) // grid * grid, 0)

    def last(self, allele: Allele, size: int) -> int:
        """End of the window on the reverse strand, which is its first base there."""
        grid = max(self.context_bp // 2, 1)
        return min(-(-(allele.end + self.context_bp) // grid) * grid, size)


@dataclass(frozen=True)
class Replacement:
    """Bases ``start`` to ``end`` of a sequence are replaced by ``ids``, uint8 (k,), k from 0 on."""

    start: int
    end: int
    ids: np.ndarray


@dataclass(frozen=True)
class Reading:
    """One allele on one strand.

    Attributes
    ----------
    log_ratio : log-likelihood of the allele's haplotype minus that of the reference (nats)
    moved : chunk boundaries behind the allele that only one of the haplotypes has
    reach : bases from the last base of the allele to the farthest of them; 0 without one
    """

    log_ratio: float
    moved: int
    reach: int


def require_exact(compressor: Compressor) -> None:
    """Refuse a system without an exact likelihood, in one sentence that says which is needed."""
    if compressor.likelihood == "exact":
        return
    need = "variants are scored by an exact likelihood"
    causal = "name a causal model, such as one of genezip or dnahnet"
    if compressor.likelihood is None:
        raise GenezipError(f"{compressor.name} gives no likelihood, but {need}; {causal}")
    if isinstance(compressor, MaskedPredictor):
        raise GenezipError(
            f"{compressor.name} predicts masked bases from both sides, which is a "
            f"pseudo-likelihood, but {need}; {causal}"
        )
    raise GenezipError(
        f"the likelihood of {compressor.name} is {compressor.likelihood}, but {need}; "
        "open a network with the bound causal or none, or name another causal model"
    )


def read_alleles(
    compressor: Compressor,
    reference: Reference,
    alleles: Sequence[Allele],
    windows: Windows,
    slow: bool = False,
) -> np.ndarray:
    """Read alleles of one contig, float64 (n, len(VALUES)); NaN where a strand is not read.

    ``slow`` reads whole haplotypes. Boundaries are those of the forward strand.
    """
    found = np.full((len(alleles), len(VALUES)), np.nan)
    size = reference.sizes[alleles[0].chrom]
    flank = windows.flank_bp
    for first, numbers in _groups([windows.first(one) for one in alleles]).items():
        some = [alleles[number] for number in numbers]
        end = min(max(one.end for one in some) + flank, size)
        ids = reference.ids(some[0].chrom, first, end)
        changes = [Replacement(one.start - first, one.end - first, _ids(one.alt)) for one in some]
        readings = read(compressor, ids, changes, flank, slow)
        for number, one, reading in zip(numbers, some, readings, strict=True):
            found[number, [0, 2, 3]] = reading.log_ratio, reading.moved, reading.reach
            found[number, 4] = _known(ids[: one.start - first])
            found[number, 5] = _known(ids[one.end - first :][:flank])
    if windows.strands == "forward":
        return found
    for last, numbers in _groups([windows.last(one, size) for one in alleles]).items():
        some = [alleles[number] for number in numbers]
        begin = max(min(one.start for one in some) - flank, 0)
        ids = reverse_complement(reference.ids(some[0].chrom, begin, last))
        changes = [
            Replacement(last - one.end, last - one.start, reverse_complement(_ids(one.alt)))
            for one in some
        ]
        readings = read(compressor, ids, changes, flank, slow)
        for number, one, reading in zip(numbers, some, readings, strict=True):
            found[number, 1] = reading.log_ratio
            found[number, 6] = _known(ids[: last - one.end])
            found[number, 7] = _known(ids[last - one.start :][:flank])
    return found


def _groups(keys: Sequence[int]) -> dict[int, list[int]]:
    """Indices of equal keys."""
    found: dict[int, list[int]] = defaultdict(list)
    for number, key in enumerate(keys):
        found[key].append(number)
    return found


def _known(ids: np.ndarray) -> int:
    """Number of bases other than N."""
    return int(is_base(ids).sum())


def _ids(alt: bytes) -> np.ndarray:
    return encode(alt) if alt else np.zeros(0, dtype=np.uint8)


def read(
    compressor: Compressor,
    ids: np.ndarray,
    changes: Sequence[Replacement],
    flank_bp: int,
    slow: bool = False,
) -> list[Reading]:
    """Read replacements of one sequence (token ids, uint8 (L,)), which ends with the last flank."""
    if compressor.streams and not slow:
        return streamed(compressor, ids, changes, flank_bp)
    return whole(compressor, ids, changes, flank_bp)


def whole(
    compressor: Compressor, ids: np.ndarray, changes: Sequence[Replacement], flank_bp: int
) -> list[Reading]:
    """:func:`streamed` by reading every haplotype as a whole."""
    found = []
    for change in changes:
        after = ids[change.end : change.end + flank_bp]
        before = ids[: change.start]
        haplotypes = [
            np.concatenate([before, ids[change.start : change.end], after]),
            np.concatenate([before, change.ids, after]),
        ]
        sums, starts = [], []
        for one in haplotypes:
            if not len(one):  # the whole contig is removed
                sums.append(0.0)
                starts.append(np.zeros(0, dtype=np.int64))
                continue
            (likelihood,) = compressor.log_likelihood([one])
            sums.append(_sum(likelihood.log_prob[change.start :]))
            starts.append(compressor.boundaries([one])[0])
        own = _behind(starts[0] - change.end)
        other = _behind(starts[1] - change.start - len(change.ids))
        found.append(_reading(sums[1] - sums[0], own, other))
    return found


def streamed(
    compressor: Compressor, ids: np.ndarray, changes: Sequence[Replacement], flank_bp: int
) -> list[Reading]:
    """Read the reference once, and each allele from a copy of the stream before it."""
    at: dict[int, list[int]] = defaultdict(list)
    for number, change in enumerate(changes):
        at[change.start].append(number)
    ends = [*sorted(at), len(ids)]
    stream = compressor.stream()
    log_prob = np.zeros(len(ids))
    boundaries = []
    altered: list[tuple[float, np.ndarray]] = [(0.0, np.zeros(0, dtype=np.int64))] * len(changes)
    for start, end in zip([0, *ends], ends, strict=False):
        if end > start:
            block = stream.feed(ids[start:end])
            assert block.log_prob is not None
            log_prob[start:end] = np.nan_to_num(block.log_prob)
            boundaries.append(block.token_starts + start)
        for number in at.get(end, ()):
            change = changes[number]
            rest = np.concatenate([change.ids, ids[change.end : change.end + flank_bp]])
            if len(rest):
                block = stream.copy().feed(rest)
                assert block.log_prob is not None
                starts = block.token_starts - len(change.ids)
                altered[number] = _sum(block.log_prob), starts
    own = np.concatenate([*boundaries, np.zeros(0, dtype=np.int64)])
    found = []
    for change, (total, starts) in zip(changes, altered, strict=True):
        last = min(change.end + flank_bp, len(ids))
        before = float(log_prob[change.start : last].sum())
        behind = _behind(own[own < last] - change.end)
        found.append(_reading(total - before, behind, _behind(starts)))
    return found


def _sum(log_prob: np.ndarray) -> float:
    return float(np.nansum(log_prob, dtype=np.float64))


def _behind(starts: np.ndarray) -> np.ndarray:
    """Boundaries relative to the end of the allele, without those before it."""
    return starts[starts >= 0]


def _reading(log_ratio: float, own: np.ndarray, other: np.ndarray) -> Reading:
    moved, reach = moved_boundaries(own, other, -1)  # from the last base of the allele
    return Reading(log_ratio, len(moved), reach)
