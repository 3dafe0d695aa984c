"""The genes of an organism of a source: contigs, coding sequences, and names for labels."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from genezip.genome.coding import CodingSequences, coding_sequences, contig_ids
from genezip.genome.organisms import Organism
from genezip.genome.sources.source import Source
from genezip.tasks.base import NotMeasured


@dataclass(frozen=True)
class Genes:
    """Genes of one organism.

    Attributes
    ----------
    contigs : contig -> its token ids, uint8; N where the source has no bases
    coding : the coding sequences that are in frame
    named : every gene of the annotation, with or without coding sequence: gene_id, name
    """

    organism: Organism
    contigs: dict[str, np.ndarray]
    coding: CodingSequences
    named: pd.DataFrame


def organism_of(source: Source, name: str) -> Organism:
    """The organism of a source by name; a source of one genome is that organism.

    Raises NotMeasured where the source lacks it, or has no annotation of it.
    """
    organisms = source.organisms
    if not organisms:
        sets = list(source.raw["annotations"])
        pieces = source.assembly().segments
        seen = any(segment.split == "train" for segment in pieces)
        contigs = tuple(dict.fromkeys(segment.chrom for segment in pieces))
        first = sets[0] if sets else None
        organisms = (Organism(name, contigs, frozenset(), first, seen=seen),)
    found = {one.name: one for one in organisms}.get(name)
    if found is None:
        known = ", ".join(one.name for one in organisms)
        raise NotMeasured(f"the source has no organism {name}; it has {known}")
    if found.annotation is None:
        raise NotMeasured(f"the organism {name} has no annotation, so its genes are unknown")
    return found


def read_genes(path: Path, name: str) -> Genes:
    """Genes of an organism of a ``source.json``."""
    source = Source.load(path)
    organism = organism_of(source, name)
    assert organism.annotation is not None
    annotation = source.annotation(organism.annotation, "all")
    contigs = contig_ids(source.assembly(), organism.contigs)
    coding = coding_sequences(annotation, contigs, organism.genetic_code, organism.circular)
    table = annotation.transcripts
    own = table[table["chrom"].isin(organism.contigs)]
    named = own[["gene_id", "gene_name"]].rename(columns={"gene_name": "name"})
    circular = organism.circular | (set(annotation.circular) & set(organism.contigs))
    organism = Organism(**{**vars(organism), "circular": frozenset(circular)})
    return Genes(organism, contigs, coding, named.drop_duplicates(ignore_index=True))
