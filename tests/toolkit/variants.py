"""A small reference and VCFs of it, with a chain as the model, for the tests of variant scores."""

from collections.abc import Iterable
from pathlib import Path

from genezip.inference.variants.haplotypes import Windows
from toolkit.dna import random_dna

ONE = random_dna(700, 5)
TWO = random_dna(300, 6)
CHR1 = f"{ONE[:400].lower()}{'N' * 20}{ONE[420:]}"
"""A contig of 700 bases, the first 400 in lower case, with N from base 400 to 420."""
CHR2 = TWO
SMALL = Windows(context_bp=40, flank_bp=30)
SHORT = {"context_bp": 40, "flank_bp": 30, "neutral_places": 12}
"""Options that fit the contigs."""
CHAIN = "toolkit.likelihoods:StreamedChain"

HEADER = (
    "##fileformat=VCFv4.2",
    '##INFO=<ID=DP,Number=1,Type=Integer,Description="Depth">',
    '##INFO=<ID=END,Number=1,Type=Integer,Description="End">',
    '##INFO=<ID=SVLEN,Number=A,Type=Integer,Description="Length">',
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">',
    '##ALT=<ID=DEL,Description="Deletion">',
    "##contig=<ID=chr1,length=700>",
    "##contig=<ID=chr2,length=300>",
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tone\ttwo",
)


def write_reference(path: Path) -> Path:
    """Write the FASTA."""
    path.write_text(f">chr1 first\n{CHR1}\n>chr2\n{CHR2}\n")
    return path


def row(chrom: str, pos: int, ref: str, alt: str, info: str = "DP=7") -> str:
    """One row of two samples."""
    return f"{chrom}\t{pos}\tid{pos}\t{ref}\t{alt}\t50\tPASS\t{info}\tGT\t0/1\t1/1"


def vcf_text(rows: Iterable[str]) -> str:
    """A whole VCF."""
    return "".join(f"{line}\n" for line in (*HEADER, *rows))


def other(base: str) -> str:
    """Another base."""
    return {"A": "C", "C": "G", "G": "T", "T": "A"}[base.upper()]


def snv(chrom: str, pos: int, alt: str | None = None) -> str:
    """The row of a substitution at a position, from 1."""
    base = {"chr1": CHR1, "chr2": CHR2}[chrom][pos - 1].upper()
    return row(chrom, pos, base, alt or other(base))


MIXED = (
    snv("chr2", 200),
    snv("chr1", 1),
    snv("chr1", 2),
    row("chr1", 50, CHR1[49].upper(), f"{CHR1[49].upper()}ACGTTT,{other(CHR1[49])},*"),
    row("chr1", 80, CHR1[79:85].upper(), CHR1[79].upper(), "."),
    row("chr1", 100, "N", "<DEL>", "END=140;SVLEN=-40"),
    row("chr1", 150, CHR1[149].upper(), "<DUP>", "END=162"),
    row("chr1", 200, CHR1[199].upper(), "<INV>", "SVLEN=30"),
    row("chr1", 250, CHR1[249].upper(), "<INS>", "SVLEN=30"),
    row("chr1", 260, CHR1[259].upper(), f"{CHR1[259].upper()}]chr2:30]"),
    row("chr1", 398, CHR1[397:403].upper(), CHR1[397].upper()),
    row("chr1", 640, CHR1[639].upper(), "."),
    snv("chr1", 700),
    snv("chr1", 30),
)
"""Rows of every kind, not sorted."""
