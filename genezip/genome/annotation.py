"""The door to gene annotation: one reader per format, one shape for all."""

from pathlib import Path

from genezip.errors import GenezipError
from genezip.genome.bed12 import read_bed12
from genezip.genome.genemodel import Annotation
from genezip.genome.gff3 import read_gff3
from genezip.genome.gtf import read_gtf
from genezip.genome.naming import match_chrom_style

FORMATS = ("gtf", "gff3", "bed12")

__all__ = [
    "FORMATS",
    "Annotation",
    "match_chrom_style",
    "read",
    "read_bed12",
    "read_gff3",
    "read_gtf",
]


def read(path: str | Path, format: str, basic_only: bool = True) -> Annotation:
    """Gene models of a file in a named format (gtf, gff3 or bed12; plain or gzip)."""
    if format == "gtf":
        return read_gtf(path, basic_only)
    if format == "gff3":
        return read_gff3(path, basic_only)
    if format == "bed12":
        return read_bed12(path)
    raise GenezipError(f"{format!r} is no annotation format; use {', '.join(FORMATS)}")
