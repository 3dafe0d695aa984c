"""Windows of an organism around genes and at random, with the feature of every base.

They are what :mod:`genezip.evaluation.genes.codon_phase` reads: a sample of genes with flanks in
the direction of the gene, and long windows in which start and stop codons, coding bases, promoters
and intergenic bases are marked.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from genezip.errors import GenezipError
from genezip.genome.assembly import Assembly, Segment
from genezip.genome.coding import (
    CodingSequences,
    GeneWindow,
    coding_sequences,
    contig_ids,
    window_around,
)
from genezip.genome.gene_models import Annotation
from genezip.genome.organisms import STANDARD_CODE, Organism
from genezip.genome.sources.source import Source

FEATURES = ("other", "intergenic", "promoter", "coding", "start_codon", "stop_codon")
"""Feature of a base, by code; ``other`` is a gene of the other strand or one left out."""
_OTHER, _INTERGENIC, _PROMOTER, _CODING, _START, _STOP = range(len(FEATURES))

PROMOTER_BP = 100  # bases before a start codon
LEAST_CODONS = 32  # with start and stop codon; shorter genes have no power beside one third
_JITTER = 30  # a flank is longer by 0 to 29 bases: a grid of 2, 3, 5 or 6 has every phase

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class WindowSettings:
    """How much of each organism is read.

    Attributes
    ----------
    genes : sampled coding sequences (all, if there are fewer)
    flank : bases before and after a gene, and up to 29 random ones more on either side
    windows, window_bp : number and length of the long windows
    seed : seed of the sample
    """

    genes: int = 500
    flank: int = 192
    windows: int = 5
    window_bp: int = 49_152
    seed: int = 0


@dataclass(frozen=True)
class SampledGene:
    """A gene of ``length`` bases, with its window in its own direction."""

    window: GeneWindow
    length: int


@dataclass(frozen=True)
class FeatureWindow:
    """A window as it lies: token ids, and codes of :data:`FEATURES` by the strand of the genes."""

    ids: np.ndarray
    features: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class OrganismWindows:
    """What is read of one organism in one split."""

    name: str
    split: str
    genes: list[SampledGene] = field(default_factory=list)
    windows: list[FeatureWindow] = field(default_factory=list)


def chosen_organisms(
    source: Source, names: Sequence[str] | None = None, genetic_code: int = STANDARD_CODE
) -> tuple[Organism, ...]:
    """The named organisms of a source, or all of them.

    A source of one genome is one organism with the name of its build and the given genetic code.
    """
    organisms = source.organisms
    if not organisms:
        contigs = tuple(dict.fromkeys(one.chrom for one in source.assembly().segments))
        sets = list(source.raw["annotations"])
        name = sets[0] if sets else None
        organisms = (Organism(source.build, contigs, frozenset(), name, genetic_code),)
    by_name = {organism.name: organism for organism in organisms}
    for name in names or ():
        if name not in by_name:
            raise GenezipError(f"the source has no organism {name!r}; it has {', '.join(by_name)}")
        if by_name[name].annotation is None:
            raise GenezipError(
                f"the organism {name} has no annotation, so its codon phase is unknown; name others"
            )
    return tuple(by_name[name] for name in names) if names else organisms


def read_windows(
    source: Source,
    organisms: Sequence[Organism],
    settings: WindowSettings,
    split: str | None = None,
) -> Iterator[OrganismWindows]:
    """Windows of every organism with annotation, by split: training and held-out DNA apart.

    ``split`` restricts them to one split; by default validation DNA is read only where an organism
    has no other. A source in which no gene is left is refused.
    """
    assembly, any_gene = source.assembly(), False
    for organism in organisms:
        if organism.annotation is None:
            logger.info(f"{organism.name}: no annotation, so it has no codon phase")
            continue
        annotation = source.annotation(organism.annotation, "all")
        genome = _Genome.read(organism, annotation, assembly)
        for name in genome.splits if split is None else (split,):
            found = genome.sample(name, settings)
            if found.genes:
                any_gene = True
                yield found
            else:
                logger.info(f"{organism.name}: no gene to read in {name} DNA")
    if not any_gene:
        names = ", ".join(organism.name for organism in organisms)
        where = "" if split is None else f" in {split} DNA"
        raise GenezipError(
            f"no gene is left{where} of {names}: none has a coding sequence in frame of at least "
            f"{LEAST_CODONS} codons; check the annotation and the genetic code"
        )


@dataclass(frozen=True)
class _Genome:
    """Contigs, genes and features of one organism."""

    organism: Organism
    contigs: Mapping[str, np.ndarray]
    coding: CodingSequences
    segments: tuple[Segment, ...]
    features: Mapping[tuple[str, str], np.ndarray]  # (contig, strand) -> code of every base

    @classmethod
    def read(cls, organism: Organism, annotation: Annotation, assembly: Assembly) -> "_Genome":
        circular = organism.circular | set(annotation.circular)
        contigs = contig_ids(assembly, organism.contigs)
        coding = coding_sequences(annotation, contigs, organism.genetic_code, circular)
        segments = tuple(one for one in assembly.segments if one.chrom in contigs)
        features = {
            (chrom, strand): mark_features(
                len(ids), chrom, strand, annotation, coding.table, chrom in circular
            )
            for chrom, ids in contigs.items()
            for strand in "+-"
        }
        organism = replace(organism, circular=frozenset(circular & set(contigs)))
        return cls(organism, contigs, coding, segments, features)

    @property
    def splits(self) -> tuple[str, ...]:
        """Splits to read: train and test; valid where there is no other."""
        held = {segment.split for segment in self.segments}
        return tuple(name for name in ("train", "test") if name in held) or tuple(sorted(held))

    def sample(self, split: str, settings: WindowSettings) -> OrganismWindows:
        """Random genes and windows that lie wholly in the segments of a split."""
        rng = np.random.default_rng(settings.seed)
        table = self.coding.table
        codons = (table["end"] - table["start"]) // 3
        chosen = table[(codons >= LEAST_CODONS).to_numpy() & self._within(table, split)]
        if len(chosen) > settings.genes:
            picked = rng.choice(len(chosen), settings.genes, replace=False)
            chosen = chosen.iloc[np.sort(picked)]
        genes = []
        # every remainder equally often: by chance alone a grid could be in frame
        more = np.arange(len(chosen)) % _JITTER
        flanks = settings.flank + np.stack([rng.permutation(more), rng.permutation(more)], axis=1)
        for gene, (before, after) in zip(chosen.to_dict("records"), flanks.tolist(), strict=True):
            length = gene["end"] - gene["start"]
            window = window_around(
                self.contigs[gene["chrom"]],
                gene["start"],
                gene["end"],
                before + length + after,
                gene["strand"],
                gene["chrom"] in self.organism.circular,
                before,
            )
            # the window of a contig hardly longer than the gene may cut it
            if 0 <= window.offset <= len(window.ids) - length:
                genes.append(SampledGene(window, length))
        return OrganismWindows(
            self.organism.name, split, genes, list(self._windows(split, settings, rng))
        )

    def _within(self, table: pd.DataFrame, split: str) -> np.ndarray:
        """True for genes all of whose bases are in segments of a split."""
        inside = np.zeros(len(table), dtype=bool)
        for chrom, ids in self.contigs.items():
            mine = (table["chrom"] == chrom).to_numpy()
            held = np.zeros(len(ids), dtype=np.int64)
            for segment in self.segments:
                if segment.chrom == chrom and segment.split == split:
                    held[segment.start : segment.end] = 1
            until = np.concatenate([[0], np.cumsum(np.concatenate([held, held]))])
            start, end = (table.loc[mine, name].to_numpy() for name in ("start", "end"))
            inside[mine] = until[end] - until[start] == end - start
        return inside

    def _windows(
        self, split: str, settings: WindowSettings, rng: np.random.Generator
    ) -> Iterator[FeatureWindow]:
        """Random windows inside segments; a segment is drawn by its number of places."""
        segments = [one for one in self.segments if one.split == split]
        sizes = np.array([min(settings.window_bp, one.length) for one in segments])
        places = np.array([one.length for one in segments]) - sizes + 1
        if not settings.windows or not len(segments):
            return
        for _ in range(settings.windows):
            number = int(rng.choice(len(segments), p=places / places.sum()))
            start = segments[number].start + int(rng.integers(places[number]))
            inside, chrom = slice(start, start + int(sizes[number])), segments[number].chrom
            features = {strand: self.features[chrom, strand][inside] for strand in "+-"}
            yield FeatureWindow(self.contigs[chrom][inside], features)


def mark_features(
    length: int,
    chrom: str,
    strand: str,
    annotation: Annotation,
    coding: pd.DataFrame,
    circular: bool = False,
) -> np.ndarray:
    """Code of :data:`FEATURES` of every base of a contig for the genes of one strand, uint8 (L,).

    ``coding`` has the genes of :func:`genezip.genome.coding.coding_sequences`. A codon of a gene
    that overlaps another counts as the start or stop codon first.
    """
    codes = np.full(length, _INTERGENIC, dtype=np.uint8)
    transcripts = annotation.transcripts
    there = transcripts[transcripts["chrom"] == chrom]
    for start, end in zip(there["start"], there["end"], strict=True):
        codes[start:end] = _OTHER
    of_genes = coding[coding["chrom"] == chrom]
    for start, end in zip(of_genes["start"], of_genes["end"], strict=True):
        codes[np.arange(start, end) % length] = _OTHER
    mine = of_genes[of_genes["strand"] == strand]
    spans = list(zip(mine["start"].tolist(), mine["end"].tolist(), strict=True))
    for start, end in spans:
        low, high = (start - PROMOTER_BP, start) if strand == "+" else (end, end + PROMOTER_BP)
        before = np.arange(low, high)
        if circular:
            before %= length
        before = before[(before >= 0) & (before < length)]
        codes[before[codes[before] == _INTERGENIC]] = _PROMOTER
    for start, end in spans:
        codes[np.arange(start, end) % length] = _CODING
    for start, end in spans:
        first, last = (start, end - 3) if strand == "+" else (end - 3, start)
        codes[np.arange(last, last + 3) % length] = _STOP
        codes[np.arange(first, first + 3) % length] = _START
    return codes
