"""Lengths of chromosomes: chrom.sizes, .fai and FASTA; the tables of hg19 and hg38."""

import re
from pathlib import Path

from genezip.errors import GenezipError
from genezip.formats.fasta import read_records
from genezip.formats.lines import Input, TextFile, opened

_LENGTH = re.compile("[0-9]{1,18}")
_KINDS = "a chrom.sizes, .fai or FASTA file"


def read_chrom_sizes(path: Input) -> dict[str, int]:
    """Chromosome lengths (bp) by name, in file order; a length of 0 in a FASTA is refused.

    Parameters
    ----------
    path : UCSC chrom.sizes (two columns) or an index of samtools (.fai, five): the first two
        columns count. Or the FASTA itself: the lengths of its records. Plain or gzip; a file or a
        pipe.
    """
    sizes: dict[str, int] = {}
    with opened(path, todo=f"name {_KINDS}") as file:
        with file.unpacked() as handle:
            fasta = handle.peek(1)[:1] == b">"
        if fasta:
            return _fasta_lengths(file)
        for number, line in file.rows():
            cells = line.split("\t")
            if len(cells) < 2 or not _LENGTH.fullmatch(cells[1].strip()):
                wrong = "has no contig name (column 1) with its length in bp (column 2)"
            elif cells[0] in sizes:
                wrong = f"gives the length of {cells[0]} (column 1) a second time"
            else:
                sizes[cells[0]] = int(cells[1])
                continue
            raise GenezipError(f"line {number} of {file} {wrong}; name {_KINDS}")
        if not sizes:
            raise GenezipError(f"{file} names no contig; name {_KINDS}")
    return sizes


def _fasta_lengths(file: TextFile) -> dict[str, int]:
    """Lengths of the records of a FASTA, one record in memory at a time."""
    sizes = {name: len(sequence) for name, sequence in read_records(file)}
    for name, size in sizes.items():
        if size == 0:
            raise GenezipError(f"record {name!r} of {file} has no bases; remove it")
    return sizes


def hg38_sizes() -> dict[str, int]:
    """Lengths of the 24 nuclear chromosomes of GRCh38 and chrM (bp)."""
    return read_chrom_sizes(Path(__file__).with_name("hg38.chrom.sizes"))


def hg19_sizes() -> dict[str, int]:
    """Lengths of the 24 nuclear chromosomes of hg19 (bp), from UCSC's chrom.sizes."""
    return read_chrom_sizes(Path(__file__).with_name("hg19.chrom.sizes"))
