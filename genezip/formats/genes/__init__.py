"""Readers of gene annotation, one per format, that all return the tables of ``rows.py``.

Start with :data:`FORMATS`, then ``gtf.py``; ``gff.py`` and ``attributes.py`` are shared by GTF and
GFF3. To add a format, add a reader here and a line in the table. Readers return rows as they are
in the file; :mod:`genezip.genome.gene_models` completes them.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from genezip.errors import GenezipError
from genezip.formats.genes.bed12 import read_bed12
from genezip.formats.genes.cds_table import read_cds_table
from genezip.formats.genes.genbank import read_genbank
from genezip.formats.genes.gff3 import read_gff3
from genezip.formats.genes.gtf import read_gtf
from genezip.formats.genes.rows import Rows, Transcripts
from genezip.formats.lines import Input


@dataclass(frozen=True)
class Format:
    """A format of gene annotation: its reader and its file name suffixes."""

    read: Callable[[Input, Transcripts], Rows]
    suffixes: tuple[str, ...]


FORMATS: dict[str, Format] = {
    "gtf": Format(read_gtf, ("gtf",)),
    "gff3": Format(read_gff3, ("gff", "gff3")),
    "bed12": Format(read_bed12, ("bed", "bed12")),
    "genbank": Format(read_genbank, ("gb", "gbk", "gbff", "genbank")),
    "cds": Format(read_cds_table, ("tsv",)),
}


def annotation_format(path: str | Path) -> str:
    """Format of an annotation file by its name, a key of :data:`FORMATS` (compressed or not)."""
    suffix = re.sub(r"\.(gz|bgz)$", "", Path(path).name.lower()).rpartition(".")[2]
    for name, form in FORMATS.items():
        if suffix in form.suffixes:
            return name
    raise GenezipError(
        f"the name of {path} does not show its format; use .gtf, .gff, .gff3, .bed, .gb, "
        ".gbk, .gbff, or .tsv for a table of CDS (.gz allowed)"
    )
