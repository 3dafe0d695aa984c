"""The door to gene annotation: one reader per format, one shape for all."""

from collections.abc import Sequence

from genezip.errors import GenezipError
from genezip.formats.genes.bed12 import read_bed12
from genezip.formats.genes.gff3 import read_gff3
from genezip.formats.genes.gtf import read_gtf
from genezip.formats.lines import Input
from genezip.genome.gene_models import Annotation
from genezip.genome.names import match_chrom_style
from genezip.genome.transcripts import Transcripts

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


def read(
    path: Input,
    format: str,
    transcripts: Transcripts = "basic",
    gene_types: Sequence[str] | None = None,
) -> Annotation:
    """Gene models of a file.

    Parameters
    ----------
    path : str, Path or TextFile
        Plain or gzip; a file or a pipe.
    format : str
        gtf, gff3 or bed12.
    transcripts : basic, all or canonical
        As ``regions.transcripts``.
    gene_types : sequence of str or None
        Only genes of these types; None takes all.

    Raises
    ------
    GenezipError
        For an unknown format, a damaged file, or a tag or type that the file lacks.
    """
    if format == "gtf":
        return read_gtf(path, transcripts, gene_types)
    if format == "gff3":
        return read_gff3(path, transcripts, gene_types)
    if format == "bed12":
        return read_bed12(path, transcripts, gene_types)
    raise GenezipError(f"{format!r} is no annotation format; use {', '.join(FORMATS)}")
