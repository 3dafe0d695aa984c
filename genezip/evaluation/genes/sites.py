"""Sites along genes at which a token might begin: from the core promoter to the poly(A) site.

A site is one base with a strand. That of a motif is the first base of the motif, read along the
strand; a motif counts only at its place relative to an annotated transcription start, start codon
or transcript end. That of a codon is its first base, that of a donor the first base of an intron,
that of an acceptor the first base behind it. An edge of a CpG island is its outermost base, read
from outside. Sites of one kind at one base and strand are one site, however many transcripts have
it.

Every kind also has what its controls need: the stretches of sequence of the same sort
(:func:`stretches`), the dinucleotide at a fixed distance from a site that decoys share, and the
bases that belong to it, whose composition other stretches of DNA are matched with.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from Bio.Data.IUPACData import ambiguous_dna_values

from genezip.alphabet import encode, is_base, reverse_complement
from genezip.errors import GenezipError
from genezip.genome.gene_models import Annotation
from genezip.genome.intervals import covered_mask
from genezip.metrics.gc_content import cpg_islands

Anchor = Literal["tss", "start_codon", "stop_codon", "transcript_end", "intron", "island"]

PLUS, MINUS = 1, 2
"""Bits of :func:`stretches`: a base is in such sequence of the plus strand, of the minus strand."""

LEAST_INTRON_BP = 30  # shorter gaps between exons are frame shifts of the annotation


@dataclass(frozen=True)
class SiteKind:
    """One kind of site; offsets count bases along the strand.

    Attributes
    ----------
    name : name in settings and tables
    title : name on the page
    anchor : annotated feature that the site lies at
    letters : IUPAC letters of the motif, which begins at the site; empty for splice sites
    first, last : first and last base, from the anchor, between which the whole motif lies
    dinucleotide : first base of the dinucleotide that decoys share, from the site
    span : first base of the site's own sequence and the first behind it, from the site
    home : base whose sequence (:func:`stretches`) is that of the site, from the site
    """

    name: str
    title: str
    anchor: Anchor
    letters: str
    first: int
    last: int
    dinucleotide: int
    span: tuple[int, int]
    home: int = 0


def _motif(
    name: str, title: str, anchor: Anchor, letters: str, place: tuple[int, int], core: int = 0
) -> SiteKind:
    return SiteKind(name, title, anchor, letters, *place, core, (0, len(letters)))


SITE_KINDS = {
    kind.name: kind
    for kind in (
        _motif("tata", "TATA box", "tss", "TATAAA", (-40, -20)),
        _motif("ccaat", "CCAAT box", "tss", "CCAAT", (-200, -50)),
        _motif("inr", "Inr", "tss", "YYCANWYY", (-10, 10), core=2),
        _motif("inr_short", "Inr, YYCNTYY", "tss", "YYCNTYY", (-10, 10), core=1),
        # the only place at which its ATG is the annotated start codon
        _motif("kozak", "Kozak", "start_codon", "GCCRCCATGG", (-6, 3), core=6),
        _motif("kozak_short", "Kozak, GCCGCC", "start_codon", "GCCGCC", (-60, -1)),
        SiteKind("tss", "transcription start", "tss", "", 0, 0, -1, (-3, 3)),
        SiteKind("start", "start codon", "start_codon", "", 0, 0, 0, (0, 3)),
        SiteKind("stop", "stop codon", "stop_codon", "", 0, 0, 0, (0, 3)),
        _motif("polya_signal", "poly(A) signal", "transcript_end", "AATAAA", (-40, -6)),
        SiteKind("polya", "poly(A) site", "transcript_end", "", 0, 0, -1, (-3, 3)),
        SiteKind("cpg_island", "edge of a CpG island", "island", "", 0, 0, 0, (-3, 3)),
        SiteKind("donor", "splice donor", "intron", "", 0, 0, 0, (-3, 6)),
        SiteKind("acceptor", "splice acceptor", "intron", "", 0, 0, -2, (-6, 1), -1),
    )
}
"""Name of a kind -> the kind."""

# Sequence of the same sort as that around an anchor (bases from it, half-open).
_AROUND = {
    "tss": (-250, 51),
    "start_codon": (-100, 101),
    "stop_codon": (-100, 101),
    "transcript_end": (-250, 251),
}


def chosen_kinds(names: Sequence[str]) -> list[SiteKind]:
    """The kinds of these names, in this order."""
    for name in names:
        if name not in SITE_KINDS:
            raise GenezipError(f"{name!r} is no kind of site; use {', '.join(SITE_KINDS)}")
    return [SITE_KINDS[name] for name in dict.fromkeys(names)]


def matches(ids: np.ndarray, letters: str) -> np.ndarray:
    """Whether a motif of IUPAC letters begins at each base, bool (L,); N matches no letter.

    ``ids`` are token ids, uint8 (L,), read in their own direction.
    """
    found = np.zeros(len(ids), dtype=bool)
    count = len(ids) - len(letters) + 1
    if count <= 0:
        return found
    here = np.ones(count, dtype=bool)
    for place, letter in enumerate(letters):
        own = encode(ambiguous_dna_values[letter])
        here &= np.isin(ids[place : place + count], own[is_base(own)])
    found[:count] = here
    return found


def anchors(annotation: Annotation, chrom: str, anchor: Anchor) -> pd.DataFrame:
    """Anchors on a chromosome: position and strand, each once.

    Transcription starts and transcript ends are single bases, codons their first base along the
    strand: the first coding base of a transcript, and the third but last. Introns and islands are
    not anchors of this form (:func:`introns`).
    """
    if anchor == "tss":
        table = annotation.tss()
        table = table[table["chrom"] == chrom]
    elif anchor == "transcript_end":
        own = annotation.transcripts[annotation.transcripts["chrom"] == chrom]
        last = np.where(own["strand"] == "-", own["start"], own["end"] - 1)
        table = pd.DataFrame({"position": last.astype(np.int64), "strand": own["strand"]})
    else:
        cds = annotation.cds[annotation.cds["chrom"] == chrom]
        ends = cds.groupby(["transcript_id", "strand"], as_index=False, observed=True).agg(
            start=("start", "min"), end=("end", "max")
        )
        if anchor == "start_codon":
            at = np.where(ends["strand"] == "-", ends["end"] - 1, ends["start"])
        else:
            at = np.where(ends["strand"] == "-", ends["start"] + 2, ends["end"] - 3)
        table = pd.DataFrame({"position": at.astype(np.int64), "strand": ends["strand"]})
    table = table.loc[table["strand"].isin(["+", "-"]), ["position", "strand"]]
    return table.drop_duplicates(ignore_index=True)


def introns(annotation: Annotation, chrom: str) -> pd.DataFrame:
    """Introns on a chromosome: start, end (0-based, half-open) and strand, each once.

    An intron lies between neighbouring exons of one transcript and has at least 30 bases.
    """
    exons = annotation.exons
    exons = exons[(exons["chrom"] == chrom) & exons["strand"].isin(["+", "-"])]
    exons = exons.sort_values(["transcript_id", "start", "end"], kind="stable")
    same = (exons["transcript_id"] == exons["transcript_id"].shift(-1)).to_numpy()
    table = pd.DataFrame(
        {
            "start": exons["end"].to_numpy()[same],
            "end": exons["start"].shift(-1, fill_value=0).to_numpy()[same],
            "strand": exons["strand"].to_numpy()[same],
        }
    )
    long = table["end"] - table["start"] >= LEAST_INTRON_BP
    return table[long].drop_duplicates(ignore_index=True)


def find_sites(
    annotation: Annotation, chrom: str, start: int, ids: np.ndarray, kind: SiteKind
) -> pd.DataFrame:
    """Sites of a kind in a stretch of a chromosome.

    Parameters
    ----------
    chrom, start : where the stretch begins (0-based)
    ids : its token ids on the plus strand, uint8 (L,)

    Returns
    -------
    DataFrame
        position (0-based, of the chromosome) and strand (1 or -1), by position
    """
    parts = []
    for strand, name in ((1, "+"), (-1, "-")):
        if kind.anchor == "intron":
            table = introns(annotation, chrom)
            own = table[table["strand"] == name]
            # the first base of the intron, or of what follows it, along the strand
            if kind.name == "donor":
                positions = own["start"] if strand == 1 else own["end"] - 1
            else:
                positions = own["end"] if strand == 1 else own["start"] - 1
            found = positions.to_numpy(np.int64) - start
        elif kind.anchor == "island":
            islands = cpg_islands(ids)
            found = islands[:, 0] if strand == 1 else islands[:, 1] - 1
        else:
            table = anchors(annotation, chrom, kind.anchor)
            at = table.loc[table["strand"] == name, "position"].to_numpy(np.int64) - start
            last = kind.last - max(len(kind.letters), 1) + 1
            found = (at[:, None] + strand * np.arange(kind.first, last + 1)).ravel()
        found = np.unique(found[(found >= 0) & (found < len(ids))])
        if kind.letters:
            found = found[motif_starts(ids, kind, strand)[found]]
        parts.append(pd.DataFrame({"position": found + start, "strand": strand}))
    table = pd.concat(parts, ignore_index=True).astype(np.int64)
    return table.sort_values(["position", "strand"], ignore_index=True)


def motif_starts(ids: np.ndarray, kind: SiteKind, strand: int) -> np.ndarray:
    """Whether the motif of a kind begins at each base along a strand, bool (L,)."""
    if not kind.letters:
        return np.zeros(len(ids), dtype=bool)
    if strand == 1:
        return matches(ids, kind.letters)
    return matches(reverse_complement(ids), kind.letters)[::-1]


def stretches(
    annotation: Annotation, chrom: str, start: int, length: int, kind: SiteKind
) -> np.ndarray:
    """Bases in the sort of sequence that a kind of site lies in, uint8 (length,): bits by strand.

    It is introns for splice sites, 250 bases before to 50 behind a transcription start, 100 on
    either side of a codon, 250 on either side of a transcript end, and all DNA for islands.
    """
    if kind.anchor == "island":
        return np.full(length, PLUS | MINUS, dtype=np.uint8)
    found = np.zeros(length, dtype=np.uint8)
    for name, bit in (("+", PLUS), ("-", MINUS)):
        if kind.anchor == "intron":
            table = introns(annotation, chrom)
            own = table[table["strand"] == name]
            low, high = own["start"].to_numpy(np.int64), own["end"].to_numpy(np.int64)
        else:
            table = anchors(annotation, chrom, kind.anchor)
            at = table.loc[table["strand"] == name, "position"].to_numpy(np.int64)
            before, behind = _AROUND[kind.anchor]
            low, high = at + before, at + behind
            if name == "-":
                low, high = at - behind + 1, at - before + 1
        inside = covered_mask(low, high, start, start + length)
        found |= (bit * inside).astype(np.uint8)
    return found
