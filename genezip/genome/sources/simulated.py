"""Source `simulated`: a seeded random genome with known annotation.

The simulation is for tests, and replaces real DNA where none is available. It has genes with
codon usage, CpG-rich promoters, repeats, N gaps and a gene desert, but no evolutionary history, so
results on it have no biological meaning.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np

from genezip.config import Simulation
from genezip.errors import GenezipError
from genezip.formats.repeatmasker import RMSK_HEADER, TRF_HEADER
from genezip.genome.assembly import Segment
from genezip.genome.sources.layout import Draft
from genezip.genome.sources.simulated_genes import (
    A,
    C,
    G,
    Gene,
    N,
    T,
    draw_gene,
    gencode_rows,
    paint_gene,
    paint_promoter,
    promoter_span,
)
from genezip.genome.sources.simulated_repeats import (
    Family,
    decay_cpg,
    draw_families,
    insert_interspersed,
    insert_tandem,
)

MIN_CHROMOSOME_BP = 20_000
_LETTERS = np.frombuffer(b"ACGTNacgtn", dtype=np.uint8)


@dataclass(frozen=True)
class Chromosome:
    """A simulated chromosome with its annotation."""

    name: str
    sequence: bytes  # ASCII, repeats in lower case
    genes: list[Gene]
    rmsk: list[str]
    trf: list[str]


def default_splits(n_chromosomes: int) -> tuple[list[str], list[str]]:
    """Default valid and test chromosomes: second last and last, while one is left to train."""
    names = [f"sim{number + 1}" for number in range(n_chromosomes)]
    return names[-2:-1] if n_chromosomes > 2 else [], names[-1:] if n_chromosomes > 1 else []


def simulate(draft: Draft, settings: Simulation) -> None:
    """Write a simulated genome as a source."""
    lengths = {f"sim{i + 1}": length for i, length in enumerate(settings.chromosome_bp)}
    for name, length in lengths.items():
        if length < MIN_CHROMOSOME_BP:
            raise GenezipError(
                f"simulated chromosome {name} has {length} bp; use at least {MIN_CHROMOSOME_BP}"
            )
    unknown = [name for name in [*settings.valid, *settings.test] if name not in lengths]
    if unknown:
        raise GenezipError(
            f"simulation.valid or .test names {', '.join(unknown)}; the simulated chromosomes "
            f"are {', '.join(lengths)}"
        )
    both = [name for name in settings.valid if name in settings.test]
    if both:
        raise GenezipError(
            f"simulation.valid and .test both name {', '.join(both)}; name it in one"
        )
    origin = (f"simulated, seed {settings.seed}", "genezip simulation 1", "no restriction")
    made: list[Chromosome] = []
    families = draw_families(np.random.default_rng([settings.seed, 0]))

    def segments() -> Iterator[tuple[Segment, bytes]]:
        for number, (name, length) in enumerate(lengths.items(), start=1):
            rng = np.random.default_rng([settings.seed, number])
            first = sum(len(chromosome.genes) for chromosome in made) + 1
            made.append(simulate_chromosome(name, length, first, families, rng))
            test, valid = name in settings.test, name in settings.valid
            segment = Segment(
                name=name,
                chrom=name,
                start=0,
                end=length,
                split="test" if test else "valid" if valid else "train",
                annotation="genes",
                soft_masked=True,
                rmsk=True,
                trf=True,
            )
            yield segment, made[-1].sequence

    draft.write_segments(segments(), lengths, *origin)
    header = b"##description: simulated genes\n##format: gtf\n"
    gtf = (row.encode() for each in made for gene in each.genes for row in gencode_rows(gene))
    rmsk = (row.encode() for each in made for row in each.rmsk)
    trf = (row.encode() for each in made for row in each.trf)
    genes = draft.write_gzip("genes.gtf.gz", chain([header], gtf), *origin)
    draft.annotate("genes", genes, "gtf")
    draft.repeats["rmsk"] = draft.write_gzip("rmsk.out.gz", chain([RMSK_HEADER], rmsk), *origin)
    draft.repeats["trf"] = draft.write_gzip("trf.bed.gz", chain([TRF_HEADER], trf), *origin)
    draft.finish(
        "simulated",
        f"simulated genome, seed {settings.seed}: {len(lengths)} chromosomes, "
        f"{sum(lengths.values()) / 1e6:.2f} Mb, {sum(len(each.genes) for each in made)} genes; "
        "not real DNA",
        "simulated",
    )


def simulate_chromosome(
    name: str, length: int, first_gene: int, families: list[Family], rng: np.random.Generator
) -> Chromosome:
    """One chromosome: background, then repeats in free sequence, then genes.

    Each base belongs to only one of them, so the annotation is exact for every base.
    """
    scale = float(np.clip(length / 400_000, 0.1, 1.0))
    genome = _background(length, rng)
    n_gaps = [(0, min(10_000, length // 50))]
    middle = int(length * rng.uniform(0.35, 0.65))
    desert = (middle - length // 10, middle + length // 10)
    n_gaps.append((middle, middle + min(50_000, length // 60)))
    genes = _place_genes(name, length, first_gene, scale, n_gaps[0][1], desert, rng)
    spans = [promoter_span(gene, length, rng) for gene in genes]

    taken = np.zeros(length, dtype=bool)
    for low, high in n_gaps + spans:
        taken[low:high] = True
    for gene in genes:
        for low, high in gene.exons:
            taken[max(0, low - 20) : high + 20] = True  # including splice sites
    masked = np.zeros(length, dtype=bool)
    rmsk = insert_interspersed(name, genome, taken, masked, families, rng)
    trf = insert_tandem(name, genome, taken, masked, rng)
    for gene, span in zip(genes, spans, strict=True):
        paint_promoter(genome, gene, span, rng)
    for gene in genes:
        paint_gene(genome, gene, rng)
    for low, high in n_gaps:
        genome[low:high] = N
    sequence = _LETTERS[genome + np.uint8(5) * masked].tobytes()
    return Chromosome(name, sequence, genes, rmsk, trf)


def _background(length: int, rng: np.random.Generator) -> np.ndarray:
    """Bases with a GC content that changes every 20 kb, depleted of CpG (uint8 codes)."""
    gc = np.clip(rng.normal(0.43, 0.05, size=length // 20_000 + 1), 0.34, 0.58)
    strong = rng.random(length, dtype=np.float32) < np.repeat(gc, 20_000)[:length]
    second = rng.integers(0, 2, size=length, dtype=np.uint8)
    genome = np.where(strong, C + second * (G - C), A + second * (T - A)).astype(np.uint8)
    decay_cpg(genome, rng)
    return genome


def _place_genes(
    chrom: str,
    length: int,
    first: int,
    scale: float,
    margin: int,
    desert: tuple[int, int],
    rng: np.random.Generator,
) -> list[Gene]:
    """Genes in order of position, outside the desert and at least 700 bp apart."""
    genes: list[Gene] = []
    at = margin + 1000
    misses = 0
    while at < length - 1000 and misses < 20:
        coding = not genes or rng.random() < 0.7
        gene = draw_gene(first + len(genes), chrom, at, scale, coding, rng)
        if gene.end > length - 500:
            misses += 1  # a smaller one may still fit
            continue
        if gene.start < desert[1] and gene.end > desert[0]:
            at = desert[1] + int(rng.integers(100, 1000))
            continue
        genes.append(gene)
        at = gene.end + 700 + int(rng.exponential(18_000 * scale))
    return genes
