"""Alternative alleles as bases that are replaced, and the check of REF.

An allele is made minimal: bases that REF and ALT share at the end, then those at the beginning,
are taken off, so that other ways to write it have the same score. ``<DEL>``, ``<DUP>`` (in tandem)
and ``<INV>`` become explicit by END or SVLEN. Whatever has no bases, or too many, has a reason in
place of a score.

REF must agree with the FASTA, in any case of letters. N, which stands for every IUPAC code, agrees
with every base on either side; but an allele that replaces N of the FASTA has no score.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from genezip.alphabet import N_ID, decode, encode, is_base, reverse_complement
from genezip.errors import GenezipError
from genezip.genome.assembly import ReferenceGenome
from genezip.inference.variants.vcf import MISSING, Record

MOST_BP = 10_000
"""Longest stretch that an allele may replace, and longest that it may bring (bp)."""

NO_ALT = "no_alt"
OVERLAPPED = "overlapping_deletion"
BREAKEND = "breakend"
SYMBOLIC = "symbolic"
NO_END = "no_end"
TOO_LONG = "longer_than_10000_bp"
NO_REFERENCE = "reference_has_n"
NO_BASE = "alt_has_n"
SAME = "same_as_reference"
TELOMERE = "telomere"
NO_NEUTRAL = "no_neutral_indels"
REASONS: Mapping[str, str] = {
    NO_ALT: "ALT is .",
    OVERLAPPED: "ALT is *, which a deletion upstream removes",
    BREAKEND: "ALT is a breakend",
    SYMBOLIC: "ALT is symbolic and its bases are unknown, as of <INS> or <CNV>",
    NO_END: "<DEL>, <DUP> or <INV> without END and SVLEN, or with two that differ",
    TOO_LONG: "more than 10,000 bases are replaced or brought",
    NO_REFERENCE: "the FASTA has N among the replaced bases",
    NO_BASE: "ALT has N or another ambiguity code",
    SAME: "ALT is REF",
    TELOMERE: "POS is 0 or lies behind the contig, which stands for a telomere",
    NO_NEUTRAL: "the FASTA has too little DNA for neutral indels of this kind; the raw log ratio "
    "is given",
}
"""Why an allele has no score -> in words."""

_SYMBOLS = ("DEL", "DUP", "INV")
_BLOCK_BP = 1 << 16


@dataclass(frozen=True, slots=True)
class Allele:
    """Bases ``start`` to ``end`` (0-based, half-open) of a contig of the FASTA become ``alt``.

    ``alt`` is upper-case ASCII of A, C, G and T, as short as it can be.
    """

    chrom: str
    start: int
    end: int
    alt: bytes

    @property
    def longer(self) -> int:
        """Bases that the sequence gains; below 0 for a deletion."""
        return len(self.alt) - (self.end - self.start)


class Reference:
    """Bases of an indexed FASTA, of which one block is kept: neighbours are read once."""

    def __init__(self, genome: ReferenceGenome) -> None:
        self.genome = genome
        self.sizes = genome.sizes
        self._chrom, self._start = "", 0
        self._block = np.zeros(0, dtype=np.uint8)

    def ids(self, chrom: str, start: int, end: int) -> np.ndarray:
        """Token ids, uint8 (end - start,), of an interval that lies inside the contig."""
        inside = self._start <= start and end <= self._start + len(self._block)
        if chrom != self._chrom or not inside:
            last = min(max(end, start + _BLOCK_BP), self.sizes[chrom])
            self._block = self.genome.ids(chrom, start, last)
            self._chrom, self._start = chrom, start
        return self._block[start - self._start : end - self._start]


def disagreement(record: Record, chrom: str, reference: Reference) -> str | None:
    """How a record disagrees with the FASTA, as the end of a sentence; None if it agrees."""
    size, start = reference.sizes[chrom], record.pos - 1
    end = start + len(record.ref)
    place = f"{record.chrom}:{record.pos}"
    if is_telomere(record, size):
        return None
    if start < 0 or end > size:
        return f"{place} ends at {end:,}, but the contig has {size:,} bases"
    stop = _symbolic_end(record)
    if stop is not None and stop > size:
        return f"{place} has END {stop:,}, but the contig has {size:,} bases"
    told = encode(record.ref)
    found = reference.ids(chrom, start, end)
    wrong = (told != found) & (told != N_ID) & (found != N_ID)
    if not wrong.any():
        return None
    at = int(np.argmax(wrong))
    base, there = decode(told[at : at + 1]).decode(), decode(found[at : at + 1]).decode()
    if len(record.ref) > 1:
        return f"base {at + 1} of REF at {place} is {base}, but the FASTA has {there}"
    return f"REF at {place} is {base}, but the FASTA has {there}"


def is_telomere(record: Record, size: int) -> bool:
    """Whether POS is 0 or one behind the contig and no ALT has bases of its own."""
    bare = all(alt[0] in "<.*" or "[" in alt or "]" in alt for alt in record.alts if alt)
    return record.pos in (0, size + 1) and bare


def allele_of(record: Record, number: int, chrom: str, reference: Reference) -> Allele | str:
    """An alternative allele, counted from 0, or the reason why it has no score.

    The record has passed :func:`check_letters`, and agrees with the FASTA (:func:`disagreement`).
    """
    alt = record.alts[number]
    if alt in (MISSING, ""):
        return NO_ALT
    if alt == "*":
        return OVERLAPPED
    if "[" in alt or "]" in alt or MISSING in alt:  # .A and A. are single breakends
        return BREAKEND
    start = record.pos - 1
    if is_telomere(record, reference.sizes[chrom]):
        return TELOMERE
    if alt.startswith("<"):
        return _symbolic(record, number, chrom, reference)
    if max(len(record.ref), len(alt)) > MOST_BP + 1:
        return TOO_LONG
    told = encode(alt)
    own = encode(record.ref)
    most = min(len(told), len(own))
    same_end = _shared(own[::-1][:most], told[::-1][:most])
    most -= same_end
    same = _shared(own[:most], told[:most])
    told = told[same : len(told) - same_end]
    start, end = start + same, start + len(own) - same_end
    return _checked(chrom, start, end, told, reference)


def _shared(one: np.ndarray, other: np.ndarray) -> int:
    """Number of equal ids at the beginning of two arrays of one length."""
    differ = np.flatnonzero(one != other)
    return int(differ[0]) if len(differ) else len(one)


def _checked(
    chrom: str, start: int, end: int, told: np.ndarray, reference: Reference
) -> Allele | str:
    if max(end - start, len(told)) > MOST_BP:
        return TOO_LONG
    own = reference.ids(chrom, start, end)
    if not is_base(own).all():
        return NO_REFERENCE
    if not is_base(told).all():
        return NO_BASE
    if np.array_equal(told, own):
        return SAME
    return Allele(chrom, start, end, decode(told))


def _symbolic(record: Record, number: int, chrom: str, reference: Reference) -> Allele | str:
    kind = record.alts[number][1:-1].split(":")[0]
    if kind not in _SYMBOLS:
        return SYMBOLIC
    length = _length(record, number)
    if length is None:
        return NO_END
    start = record.pos  # the event begins behind the base at POS
    end = start + length
    if length > MOST_BP:
        return TOO_LONG
    if end > reference.sizes[chrom]:
        return NO_END
    own = reference.ids(chrom, start, end)
    if kind == "DEL":
        return _checked(chrom, start, end, own[:0], reference)
    if not is_base(own).all():
        return NO_REFERENCE
    if kind == "DUP":
        return Allele(chrom, start, start, decode(own))  # as an insertion is aligned, to the left
    return _checked(chrom, start, end, reverse_complement(own), reference)


def _symbolic_end(record: Record) -> int | None:
    """END of a record whose alternative alleles are events of a length."""
    if not all(alt[1:-1].split(":")[0] in _SYMBOLS for alt in record.alts if alt.startswith("<")):
        return None
    return _number(record.info.get("END")) if record.columns[4].startswith("<") else None


def _length(record: Record, number: int) -> int | None:
    """Bases of a symbolic event, by SVLEN (a value per ALT) or END; None if unknown."""
    info = record.info
    lengths = info.get("SVLEN", "").split(",")
    told = _number(lengths[number].lstrip("-")) if number < len(lengths) else None
    end = _number(info.get("END"))
    by_end = None if end is None or end <= record.pos else end - record.pos
    if told and by_end and len(record.alts) == 1 and told != by_end:
        return None
    return told or by_end


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def check_letters(record: Record, where: object) -> None:
    """Refuse a REF that is no bases, and an ALT that is nothing that a VCF may have there."""
    encode(record.ref, f"REF in line {record.number} of {where}")
    for alt in record.alts:
        symbol = alt.startswith("<") and alt.endswith(">")
        if symbol or alt in (MISSING, "*") or any(mark in alt for mark in "[]."):
            continue
        if not alt:
            raise GenezipError(
                f"line {record.number} of {where} has an empty ALT; write . for none"
            )
        encode(alt, f"ALT in line {record.number} of {where}")
