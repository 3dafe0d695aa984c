"""Options that several commands share, declared once so that every help has the same text."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from genezip.errors import GenezipError

if TYPE_CHECKING:
    import numpy as np

    from genezip.config import Regions
    from genezip.genome.gene_models import Annotation

# Options and texts of several parameters, some of them required and others not.
SOURCE = typer.Option("--source", help="source.json of `genezip fetch`.")
SCORES = typer.Option("--out", help="Table of scores to write (TSV).")
CORPUS = "manifest.json of the corpus."
CHROM_SIZES = "Chromosome lengths: chrom.sizes, .fai or the FASTA itself."
ARCHITECTURE = "Architecture: a preset (`genezip models`) or a YAML file."
REGION_PRESET = "Region budget: a preset (`genezip models`) or a YAML file."


def section(name: str, option: str = "--settings") -> Any:
    """``--settings`` of a command that reads one section, or another option for a further one."""
    whole = "or a YAML file with it or with a whole configuration."
    return typer.Option(option, help=f"Section `{name}` as JSON, {whole}")


# Genome and gene models
Source = Annotated[Path, SOURCE]
SourceOrFiles = Annotated[Path | None, SOURCE]
GeneModels = Annotated[
    Path | None,
    typer.Option(
        "--annotation",
        help="Gene models, in place of --source: no FASTA is needed. A file or a pipe; - is "
        "standard input.",
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format", help="gtf, gff3, bed12, genbank or cds; default: from the name (not of a pipe)."
    ),
]
ChromSizes = Annotated[
    Path | None, typer.Option("--chrom-sizes", help=f"With --annotation. {CHROM_SIZES}")
]
Transcripts = Annotated[
    Literal["basic", "all", "canonical"],
    typer.Option(help="Transcripts to use, as `regions.transcripts`: basic, all or canonical."),
]
GeneType = Annotated[
    list[str] | None,
    typer.Option(
        "--gene-type", help="Only genes of this type, as `regions.gene_types`; repeat for more."
    ),
]
Root = Annotated[
    Path, typer.Option("--root", help="Folder that relative paths in the settings start from.")
]

# Downloads
Mirror = Annotated[
    Path | None,
    typer.Option(
        "--mirror", help="Folder of real data; default: environment variable GENEZIP_MIRROR."
    ),
]
Plan = Annotated[
    bool, typer.Option("--plan", help="List the downloads with sizes; download nothing.")
]
Fetched = Annotated[
    Path | None,
    typer.Option(
        "--from",
        help="Folder of files fetched elsewhere, used instead of the network; "
        "default: environment variable GENEZIP_FETCHED.",
    ),
]
Sources = Annotated[
    Path | None,
    typer.Option("--sources", help="Table of public files, in place of the one in genezip."),
]

# Region map and corpus
RegionMap = Annotated[
    Path, typer.Option("--regions", help="Region map (BED9) of `genezip regions build`.")
]
RegionMapFile = Annotated[Path, typer.Option("--bed", help="Region map, BED9 (gzip).")]
RegionsSettings = Annotated[str | None, section("regions")]
PaperTable5 = Annotated[
    Path | None,
    typer.Option("--paper", help="CSV in place of the published composition (GeneZip, Table 5)."),
]
Corpus = Annotated[Path, typer.Option("--corpus", help=CORPUS)]
Manifest = Annotated[Path, typer.Argument(help=CORPUS)]
CorpusSettings = Annotated[str | None, section("corpus")]
Labels = Annotated[
    Path | None,
    typer.Option(
        "--labels",
        help="labels.json: stretches that test rows of its sets share are not mined.",
    ),
]
LabelledSets = Annotated[
    str | None,
    typer.Option("--sets", help="Section `benchmarks.classification` with the sets of --labels."),
]
Exclusions = Annotated[
    Path | None,
    typer.Option(
        "--exclusions",
        help="Intervals that no training or validation window may touch: a BED file, or the "
        "table of `genezip leakage exclusions`.",
    ),
]
CorpusPlan = Annotated[Path, typer.Option("--plan", help="plan.parquet; the shards lie beside it.")]
Jobs = Annotated[int, typer.Option("--jobs", min=1, help="Processes that write shards.")]

# Models and their input
Model = Annotated[
    str, typer.Option("--model", help="Model folder, hub id, or a system such as fixed:16.")
]
SHIPPED = "genezip-small"
"""The model that comes with the package."""
ModelOrShipped = Annotated[
    str,
    typer.Option(
        "--model",
        help="Model folder, hub id, a system such as fixed:16, or a model that genezip has.",
    ),
]
ModelFolder = Annotated[Path, typer.Option("--out", help="Model folder to write.")]
ModelName = Annotated[str, typer.Option("--name", help="Name of the model in tables and figures.")]
Bound = Annotated[
    str | None,
    typer.Option("--bound", help="sequence, causal or none; default: the model's own."),
]
Threads = Annotated[int, typer.Option("--threads", min=1, help="CPU threads.")]
SharedThreads = Annotated[
    int, typer.Option("--threads", help="CPU threads, shared by all processes.")
]
Checkpoints = Annotated[
    Path | None, typer.Option("--checkpoints", help="Folder of resumable checkpoints.")
]
Scale = Annotated[
    Literal["full", "demo", "test"],
    typer.Option("--scale", help="Scale recorded in the results."),
]

# Evaluation
Control = Annotated[
    str | None, typer.Option("--control", help="Model that the others are compared with.")
]
CompressedFile = Annotated[
    Path, typer.Option("--out", help="Compressed windows to write (Parquet).")
]
CompressedFiles = Annotated[
    list[Path], typer.Option("--compressed", help="Compressed windows; repeat for more.")
]
EvaluationSettings = Annotated[str | None, section("evaluation")]
Bootstrap = Annotated[int, typer.Option("--bootstrap", help="Bootstrap resamples.", min=10)]
Scores = Annotated[Path, SCORES]


def evaluated(labels: Path | None, sets: str | None) -> "list[np.ndarray]":
    """Test rows of labelled sets, token ids; none without --labels."""
    from genezip import config

    if labels is None:
        if sets is not None:
            raise GenezipError("--sets belongs to --labels; give labels.json, or leave it out")
        return []
    from genezip.tasks.classification.published_sets import test_sequences

    return test_sequences(labels, config.settings(config.Classification, sets, "--sets"))


def sources_table(named: Path | None) -> Path:
    """The table of --sources, or the one in genezip."""
    from genezip.download.catalogue import SOURCES

    return named or SOURCES


def fetched_folder(named: Path | None) -> Path | None:
    """The folder of --from, or of GENEZIP_FETCHED."""
    return _folder(named, "GENEZIP_FETCHED")


def mirror_folder(named: Path | None) -> Path | None:
    """The folder of --mirror, or of GENEZIP_MIRROR."""
    return _folder(named, "GENEZIP_MIRROR")


def _folder(named: Path | None, variable: str) -> Path | None:
    if named is None and os.environ.get(variable):
        return Path(os.environ[variable])
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
    """Gene models selected by the settings, and chromosome lengths (bp)."""
    from genezip.formats.chrom_sizes import read_chrom_sizes
    from genezip.genome.gene_models import read_gene_models

    if annotation is None or chrom_sizes is None:
        raise GenezipError("give --annotation and --chrom-sizes")
    sizes = read_chrom_sizes(chrom_sizes)
    return read_gene_models(annotation, format, section.transcripts, section.gene_types), sizes


def echo(text: str, *outputs: Path | None) -> None:
    """Print the result of a command; on standard error if an output is standard output."""
    from genezip.artifacts.destination import descriptor

    taken = any(out is not None and descriptor(out) == 1 for out in outputs)
    typer.echo(text, err=taken)
