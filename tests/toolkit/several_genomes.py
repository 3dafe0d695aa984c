"""Made-up genomes of a few hundred bases for the source `genomes`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from genezip.config import Genome, parse
from genezip.genome.sources.fetch import fetch
from genezip.genome.sources.source import Source
from toolkit.dna import fasta, random_dna

Gene = tuple[str, int, int, str]  # contig, start, end (0-based), strand


def dna_of(seed: int, **lengths: int) -> dict[str, str]:
    """Random bases of records by name."""
    rng = np.random.default_rng(seed)
    return {name: random_dna(length, rng) for name, length in lengths.items()}


def write_fasta(folder: Path, name: str, records: Mapping[str, str]) -> str:
    """Write a FASTA; its file name."""
    (folder / name).write_text(fasta(records))
    return name


def write_gff3(
    folder: Path, name: str, genes: Sequence[Gene], circular: Mapping[str, int] | None = None
) -> str:
    """Write genes with CDS as NCBI does, and the contigs (name -> bp) that are circular."""
    lines = ["##gff-version 3"]
    for chrom, length in (circular or {}).items():
        lines.append(f"{chrom}\tx\tregion\t1\t{length}\t.\t+\t.\tID={chrom};Is_circular=true")
    for number, (chrom, start, end, strand) in enumerate(genes):
        place = f"{start + 1}\t{end}\t.\t{strand}"
        lines.append(f"{chrom}\tx\tgene\t{place}\t.\tID=gene-{number};gene_biotype=protein_coding")
        lines.append(f"{chrom}\tx\tCDS\t{place}\t0\tID=cds-{number};Parent=gene-{number}")
    (folder / name).write_text("\n".join(lines) + "\n")
    return name


def fetch_all(root: Path, out: Path, *genomes: dict[str, Any], **more: Any) -> Source:
    """The source of genomes, whose files are in ``root``; ``more`` is for `fetch`."""
    settings = parse(Genome, {"sources": ["genomes"], "build": "toy", "genomes": list(genomes)})
    return fetch(settings, out, root=root, **more)
