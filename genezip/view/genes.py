"""Gene models and region classes of the bases of a picture."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from genezip.config import Regions
from genezip.evaluation.locus import Locus, gene_models, region_rows, tss_rows
from genezip.formats.genes.rows import Transcripts
from genezip.genome.gene_models import Annotation, read_gene_models
from genezip.genome.names import match_chrom_style
from genezip.genome.region_rules import class_layers, classify_layers
from genezip.region_classes import RegionClasses
from genezip.view.region import Region

logger = logging.getLogger(__name__)

GeneModels = Annotation | str | Path
"""Gene models, or the file that has them."""


@dataclass(frozen=True)
class Genes:
    """What is known of the genes of a region, in 0-based coordinates of its contig.

    Attributes
    ----------
    genes : one transcript per gene (:func:`genezip.evaluation.locus.gene_models`)
    regions : runs of region classes (:func:`genezip.evaluation.locus.region_rows`)
    starts : transcription starts (:func:`genezip.evaluation.locus.tss_rows`)
    """

    genes: pd.DataFrame
    regions: pd.DataFrame
    starts: pd.DataFrame
    region_classes: RegionClasses
    name: str


def genes_of(
    given: GeneModels,
    region: Region,
    sizes: Mapping[str, int],
    transcripts: Transcripts = "all",
    format: str | None = None,
) -> Genes:
    """Genes and region classes of a region, by the rules of ``genezip regions build``.

    Gene models without a contig of the genome, or with a row behind the end of a contig, are
    refused: they are of another genome.

    Parameters
    ----------
    given : gene models, or a file that :func:`genezip.genome.gene_models.read_gene_models` reads
    sizes : contig -> length (bp), of all contigs of the genome
    transcripts, format : of a file, as for that function
    """
    if isinstance(given, Annotation):
        annotation = given
    else:
        annotation = read_gene_models(given, format, transcripts)
    annotation = match_chrom_style(annotation, sizes)
    tables = {
        key: table[table["chrom"] == region.chrom].reset_index(drop=True)
        for key, table in annotation.tables().items()
    }
    here = annotation.with_tables(**tables)
    if here.transcripts.empty:
        logger.warning(
            f"{annotation.name} has no transcript on {region.chrom}, whose bases all count as "
            "distal intergenic"
        )
    settings = Regions()
    length = {region.chrom: sizes[region.chrom]}
    region_classes = settings.region_classes()
    region_map = classify_layers(class_layers(here, settings), length, region_classes)
    locus = Locus(region.chrom, region.start, region.end)
    return Genes(
        gene_models(here, locus),
        region_rows(region_map, locus),
        tss_rows(here, locus),
        region_classes,
        annotation.name,
    )
