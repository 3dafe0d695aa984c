"""Options that several commands share: gene models of a source or of two files, downloads."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genezip.errors import GenezipError

if TYPE_CHECKING:
    from genezip.config import Regions
    from genezip.genome.gene_models import Annotation


SourceOption = Annotated[
    Path | None, typer.Option("--source", help="source.json of `genezip fetch`.")
]
AnnotationOption = Annotated[
    Path | None,
    typer.Option(
        "--annotation",
        help="Gene models, in place of --source: no FASTA is needed. A file or a pipe; - is "
        "standard input.",
    ),
]
FormatOption = Annotated[
    str | None,
    typer.Option("--format", help="gtf, gff3 or bed12; default: by the name, which a pipe lacks."),
]
SizesOption = Annotated[
    Path | None,
    typer.Option(
        "--chrom-sizes",
        help="Chromosome lengths, with --annotation: chrom.sizes, .fai or the FASTA itself.",
    ),
]


PlanOption = Annotated[
    bool, typer.Option("--plan", help="List what would come, with sizes; download nothing.")
]
FetchedOption = Annotated[
    Path | None,
    typer.Option(
        "--from",
        help="Folder of files fetched elsewhere, used instead of the network; "
        "default: environment variable GENEZIP_FETCHED.",
    ),
]


def fetched_folder(named: Path | None) -> Path | None:
    """The folder of --from, else the one that GENEZIP_FETCHED names."""
    if named is None and os.environ.get("GENEZIP_FETCHED"):
        return Path(os.environ["GENEZIP_FETCHED"])
    return named


def mirror_folder(named: Path | None) -> Path | None:
    """The folder of --mirror, else the one that GENEZIP_MIRROR names."""
    if named is None and os.environ.get("GENEZIP_MIRROR"):
        return Path(os.environ["GENEZIP_MIRROR"])
    return named


def one_of(
    source: Path | None, annotation: Path | None, chrom_sizes: Path | None, format: str | None
) -> None:
    """Refuse anything but --source alone, or --annotation with --chrom-sizes."""
    if (source is None) == (annotation is None):
        raise GenezipError("give either --source or --annotation with --chrom-sizes")
    if annotation is not None and chrom_sizes is None:
        raise GenezipError(
            "--annotation needs --chrom-sizes; give a chrom.sizes, .fai or FASTA file"
        )
    if source is not None and (chrom_sizes is not None or format is not None):
        raise GenezipError("--chrom-sizes and --format belong to --annotation; leave them out")


def annotation_and_sizes(
    annotation: Path | None, format: str | None, chrom_sizes: Path | None, section: "Regions"
) -> "tuple[Annotation, dict[str, int]]":
    """Gene models as the settings choose them, and chromosome lengths (bp)."""
    from genezip.formats.chrom_sizes import read_chrom_sizes
    from genezip.genome.gene_models import read_gene_models

    if annotation is None or chrom_sizes is None:
        raise GenezipError("give --annotation and --chrom-sizes")
    sizes = read_chrom_sizes(chrom_sizes)
    return read_gene_models(annotation, format, section.transcripts, section.gene_types), sizes
