"""Coding sequences of an annotation, checked against the DNA, and windows in gene orientation.

A coding sequence is kept if it is one stretch of A, C, G and T, has whole codons, and no stop codon
before its last codon. Every other one is left out and counted by its reason, because a shifted
frame or an annotation of another genome would look like a model without codon phase.
"""

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pandas as pd

from genezip.alphabet import A_ID, N_ID, OneSequence, encode, is_base, reverse_complement
from genezip.errors import GenezipError
from genezip.genome.assembly import Assembly
from genezip.genome.gene_models import Annotation
from genezip.genome.names import first_names
from genezip.genome.organisms import STANDARD_CODE

CODING_COLUMNS = ("chrom", "start", "end", "strand", "gene_id", "name", "genetic_code")

COMPOUND = "compound"
AMBIGUOUS = "ambiguous_base"
OUT_OF_FRAME = "out_of_frame"
INTERNAL_STOP = "internal_stop"
REASONS = (COMPOUND, AMBIGUOUS, OUT_OF_FRAME, INTERNAL_STOP)
"""Reasons to leave a coding sequence out, in the order in which they are checked."""

NO_STOP = "no_stop"  # the last codon is no stop codon
OTHER_START = "other_start"  # the first codon is no start codon of the genetic code

_FEWEST = 20  # fewer coding sequences say nothing about the whole annotation
_LEAST_READABLE = 0.5  # share without internal stop; far above it for the right genome and code

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CodingSequences:
    """Coding sequences of an annotation, one per gene, and what was left out.

    Attributes
    ----------
    table : DataFrame
        :data:`CODING_COLUMNS`, in the order of the annotation's contigs and of ``start``. The
        interval is 0-based and half-open and includes the stop codon; ``end`` is above the length
        of its contig where the gene crosses the origin of a circular one.
    left_out : dict
        Reason of :data:`REASONS` -> number of genes left out, only reasons that occur.
    noted : dict
        ``no_stop`` and ``other_start`` -> number of genes that are kept nevertheless.
    """

    table: pd.DataFrame
    left_out: dict[str, int] = field(default_factory=dict)
    noted: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class GeneWindow:
    """A window around a gene, in the orientation of the gene.

    Attributes
    ----------
    ids : uint8 array of token ids (:mod:`genezip.alphabet`)
    offset : position of the first base of the gene in the window; below 0 if it lies before it
    start : first base of the window on the contig, on the plus strand; the window runs from there
        in genome coordinates, beyond the end of a circular contig where it wraps
    """

    ids: np.ndarray
    offset: int
    start: int


def coding_sequences(
    annotation: Annotation,
    sequences: Mapping[str, OneSequence],
    genetic_code: int | Mapping[str, int] = STANDARD_CODE,
    circular: Collection[str] = (),
) -> CodingSequences:
    """Coding sequences of the genes on some contigs, one per gene: the longest that is valid.

    Parameters
    ----------
    annotation : gene models with the contig names of ``sequences``
    sequences : contig -> its whole sequence, as :func:`genezip.alphabet.encode` takes it
    genetic_code : NCBI number of the genetic code (1, 4, 11, ...), or contig -> number
    circular : contigs that are circular besides those that the annotation marks

    Raises
    ------
    GenezipError
        If there is no coding sequence on these contigs, one ends beyond its contig, or most have
        internal stops: an annotation of another genome, or the wrong genetic code.
    """
    genes = _intervals(annotation, sequences, circular)
    ids = {chrom: encode(sequences[chrom], chrom) for chrom in genes["chrom"].unique()}
    codes = [_code_of(chrom, genetic_code) for chrom in genes["chrom"]]
    reasons, notes = [], []
    places = (genes[name] for name in ("chrom", "start", "end", "strand", "reason"))
    for code, chrom, start, end, strand, reason in zip(codes, *places, strict=True):
        noted: list[str] = []
        if not reason:
            reason, noted = _checked(bases_of(ids[chrom], start, end, strand), code)
        reasons.append(reason)
        notes.append(" ".join(noted))
    found = genes.assign(genetic_code=codes, reason=reasons, noted=notes)
    _refuse_other_genome(annotation.name, found)
    return _kept(annotation.name, found)


def bases_of(ids: np.ndarray, start: int, end: int, strand: str) -> np.ndarray:
    """Token ids of an interval of a contig, in the direction of its strand.

    ``end`` may lie beyond the contig, which then is circular; ``start`` may be below 0.
    """
    length = len(ids)
    inside = start >= 0 and end <= length
    found = ids[start:end] if inside else ids[np.arange(start, end) % length]
    return reverse_complement(found) if strand == "-" else found


def contig_ids(assembly: Assembly, contigs: Iterable[str]) -> dict[str, np.ndarray]:
    """Token ids of whole contigs, joined from their segments; N where there is no segment."""
    found = {
        contig: np.full(assembly.chrom_sizes[contig], N_ID, dtype=np.uint8) for contig in contigs
    }
    for segment in assembly.segments:
        if segment.chrom in found:
            found[segment.chrom][segment.start : segment.end] = assembly.ids(segment)
    return found


def window_around(
    sequence: OneSequence,
    start: int,
    end: int,
    length: int,
    strand: str = "+",
    circular: bool = False,
    before: int | None = None,
) -> GeneWindow:
    """Window of ``length`` bases around the interval [start, end) of a contig.

    Parameters
    ----------
    sequence : the whole contig; a uint8 array of token ids is not copied
    start, end : 0-based, half-open; ``end`` may lie beyond a circular contig
    length : bases of the window; a shorter contig is the window itself
    strand : the window is the reverse complement for ``-``
    circular : whether the window wraps around the origin; on a linear contig it is shifted inwards
    before : bases before the interval in its orientation; None puts its middle in the middle
    """
    n = len(sequence)  # type: ignore[arg-type]
    if not 0 <= start < end or start >= n or end - start > n or (end > n and not circular):
        raise GenezipError(
            f"the interval {start}-{end} is not inside its contig of {n:,} bases; give the contig "
            "on which the gene was annotated"
        )
    if length < 1:
        raise GenezipError(f"a window of {length} bases is empty; give at least 1")
    length = min(length, n)
    if before is None:
        low = (start + end) // 2 - length // 2
    elif strand == "-":
        low = end + before - length
    else:
        low = start - before
    if not circular:
        low = min(max(low, 0), n - length)
    offset = low + length - end if strand == "-" else start - low
    first = low % n if circular else low
    pieces = [sequence[first : min(first + length, n)], sequence[: max(first + length - n, 0)]]  # type: ignore[index]
    ids = np.concatenate([encode(piece) for piece in pieces if len(piece)])
    if strand == "-":
        ids = reverse_complement(ids)
    return GeneWindow(ids, offset, first)


def _intervals(
    annotation: Annotation, sequences: Mapping[str, OneSequence], circular: Collection[str]
) -> pd.DataFrame:
    """One row per transcript with CDS: its interval, gene, and ``reason`` to leave it out or ''."""
    cds = annotation.cds
    cds = cds[cds["chrom"].isin(list(sequences))]
    if cds.empty:
        held = annotation.cds["chrom"].unique().tolist()
        raise GenezipError(
            f"{annotation.name} has no coding sequence on the contigs {first_names(sequences)} "
            f"(it has some on {first_names(held) or 'none'}); give the annotation of this genome"
        )
    sizes = {chrom: len(sequence) for chrom, sequence in sequences.items()}  # type: ignore[arg-type]
    beyond = cds[cds["end"] > cds["chrom"].map(sizes)]
    if len(beyond):
        row = beyond.iloc[0]
        raise GenezipError(
            f"{annotation.name} has a coding sequence at {row['chrom']}:{row['start']}-"
            f"{row['end']}, beyond the {sizes[row['chrom']]:,} bases of {row['chrom']}; give the "
            "annotation of this genome"
        )
    around = set(annotation.circular) | set(circular)
    columns = ["chrom", "transcript_id", "strand", "start", "end"]
    parts = cds[columns].drop_duplicates().sort_values(columns)
    rows = []
    keys = ["chrom", "transcript_id"]
    for (chrom, name), some in parts.groupby(keys, sort=False, observed=True):
        pieces = list(zip(some["start"].tolist(), some["end"].tolist(), strict=True))
        stretches = _stretches(sorted(pieces), sizes[chrom] if chrom in around else None)
        start, end = stretches[0][0], stretches[-1][1]
        reason = COMPOUND if len(stretches) > 1 else ""
        rows.append((chrom, start, end, some["strand"].iloc[0], name, reason))
    table = pd.DataFrame(rows, columns=["chrom", "start", "end", "strand", "id", "reason"])
    described = annotation.transcripts.drop_duplicates("transcript_id").set_index("transcript_id")
    for column, source in (("gene_id", "gene_id"), ("name", "gene_name")):
        known = table["id"].map(described[source].astype(object).to_dict())
        table[column] = known.where(known.notna() & (known != ""), table["id"])
    order = {chrom: number for number, chrom in enumerate(sequences)}
    rank = table["chrom"].map(order)
    order_of = ["rank", "start", "end", "id"]
    table = table.assign(rank=rank).sort_values(order_of, kind="stable", ignore_index=True)
    return table[["chrom", "start", "end", "strand", "gene_id", "name", "reason"]]


def _stretches(pieces: list[tuple[int, int]], circle: int | None) -> list[tuple[int, int]]:
    """Sorted CDS rows of one transcript without rows inside others, adjoining ones joined.

    Rows that overlap otherwise stay apart: they are written so for a frame shift. ``circle`` is
    the length of a circular contig, where the row at its first base follows that at its last.
    """
    kept: list[tuple[int, int]] = []
    for start, end in pieces:
        if kept and end <= kept[-1][1]:
            continue
        if kept and start == kept[-1][0]:
            kept.pop()  # the row before lies inside this one
        if kept and start == kept[-1][1]:
            kept[-1] = (kept[-1][0], end)
        else:
            kept.append((start, end))
    if circle is not None and len(kept) > 1 and kept[0][0] == 0 and kept[-1][1] == circle:
        kept[-1] = (kept[-1][0], circle + kept[0][1])
        kept = kept[1:]
    return kept


def _code_of(chrom: str, genetic_code: int | Mapping[str, int]) -> int:
    code = genetic_code if isinstance(genetic_code, int) else genetic_code.get(chrom)
    if code is None:
        raise GenezipError(
            f"no genetic code is given for the contig {chrom}; give one for every contig"
        )
    return code


@lru_cache
def _marked_codons(genetic_code: int) -> tuple[np.ndarray, np.ndarray]:
    """Which of the 64 codons (number 16 a + 4 b + c, A C G T = 0 to 3) stop, and which start."""
    from Bio.Data.CodonTable import unambiguous_dna_by_id

    if genetic_code not in unambiguous_dna_by_id:
        known = ", ".join(map(str, sorted(unambiguous_dna_by_id)))
        raise GenezipError(
            f"{genetic_code} is not the NCBI number of a genetic code; use one of {known}"
        )
    table = unambiguous_dna_by_id[genetic_code]
    marked = []
    for codons in (table.stop_codons, table.start_codons):
        found = np.zeros(64, dtype=bool)
        found[[int(_codon_numbers(encode(codon))[0]) for codon in codons]] = True
        marked.append(found)
    return marked[0], marked[1]


def _codon_numbers(ids: np.ndarray) -> np.ndarray:
    """Number of every codon of whole codons of A, C, G and T, int64."""
    codons = ids.reshape(-1, 3).astype(np.int64) - A_ID
    return codons @ np.array([16, 4, 1])


def _checked(ids: np.ndarray, genetic_code: int) -> tuple[str, list[str]]:
    """The reason to leave a coding sequence out ('' to keep it), and what is noted of a kept one.

    ``ids`` are its bases in its direction.
    """
    stops, starts = _marked_codons(genetic_code)
    if not is_base(ids).all():
        return AMBIGUOUS, []
    if len(ids) % 3:
        return OUT_OF_FRAME, []
    codons = _codon_numbers(ids)
    if stops[codons[:-1]].any():
        return INTERNAL_STOP, []
    noted = [] if stops[codons[-1]] else [NO_STOP]
    return "", noted if starts[codons[0]] else [*noted, OTHER_START]


def _refuse_other_genome(name: str, found: pd.DataFrame) -> None:
    """Refuse an annotation most of whose coding sequences do not read through."""
    simple = found[~found["reason"].isin([COMPOUND, AMBIGUOUS])]
    good = int((simple["reason"] == "").sum())
    if len(simple) >= _FEWEST and good < _LEAST_READABLE * len(simple):
        codes = ", ".join(map(str, sorted(simple["genetic_code"].unique())))
        raise GenezipError(
            f"only {good:,} of {len(simple):,} coding sequences of {name} have whole codons and no "
            f"internal stop (genetic code {codes}); give the annotation of this genome and its "
            "genetic code"
        )


def _kept(name: str, found: pd.DataFrame) -> CodingSequences:
    """One coding sequence per gene, the longest; a gene is left out if none of its is valid."""
    order = found.assign(size=found["end"] - found["start"], bad=found["reason"] != "")
    order = order.sort_values(["bad", "size"], ascending=[True, False], kind="stable")
    best = order.drop_duplicates(["chrom", "gene_id"]).sort_index()
    kept, lost = best[~best["bad"]], best[best["bad"]]
    counted = lost["reason"].value_counts().to_dict()
    left_out = {reason: int(counted[reason]) for reason in REASONS if reason in counted}
    notes = " ".join(kept["noted"]).split()
    noted = {note: notes.count(note) for note in (NO_STOP, OTHER_START) if note in notes}
    shown = ", ".join(f"{reason} {number:,}" for reason, number in left_out.items())
    kept_too = ", ".join(f"{note} {number:,}" for note, number in noted.items())
    logger.info(
        f"{name}: {len(kept):,} of {len(best):,} genes have a coding sequence in frame"
        + (f"; left out: {shown}" if shown else "")
        + (f"; kept: {kept_too}" if kept_too else "")
    )
    return CodingSequences(kept[list(CODING_COLUMNS)].reset_index(drop=True), left_out, noted)
