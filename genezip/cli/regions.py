"""``genezip regions build | verify | show | calibrate``."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from genezip.cli import inputs
from genezip.cli.calibrate import calibrate

logger = logging.getLogger(__name__)

app = typer.Typer(help="The region map.", no_args_is_help=True)
app.command()(calibrate)

SourceOption = Annotated[Path, typer.Option("--source", help="source.json of `genezip fetch`.")]
SettingsOption = Annotated[
    str | None,
    typer.Option(
        "--settings",
        help="Section `regions` as JSON, or a YAML file with it or of a whole configuration.",
    ),
]
BedOption = Annotated[Path, typer.Option("--bed", help="Region map, BED9 (gzip).")]
RootOption = Annotated[
    Path, typer.Option("--root", help="Base of relative paths in regions.classes.")
]


def register(root: typer.Typer) -> None:
    """Add these commands to the root command."""
    root.add_typer(app, name="regions")


@app.command()
def build(
    bed: BedOption,
    source: inputs.SourceOption = None,
    annotation: inputs.AnnotationOption = None,
    format: inputs.FormatOption = None,
    chrom_sizes: inputs.SizesOption = None,
    summary: Annotated[
        Path | None,
        typer.Option("--summary", help="Table of classes, with --source by split and with N."),
    ] = None,
    settings: SettingsOption = None,
    root: RootOption = Path(),
) -> None:
    """Label every base of every piece, or of whole chromosomes, with one region class."""
    from genezip import config
    from genezip.artifacts.files import write_text
    from genezip.genome.region_rules import (
        build_region_map,
        read_user_classes,
    )
    from genezip.genome.sources.source import Source

    section = config.settings(config.Regions, settings)
    inputs.one_of(source, annotation, chrom_sizes, format)
    if source is not None:
        opened = Source.load(source)
        opened.verify()  # once, by the first stage that reads the fetched files
        assembly = opened.assembly()
        annotations = opened.annotations(section.transcripts, section.gene_types)
        for name, found in annotations.items():
            logger.info(f"regions: {name}: {len(found.transcripts):,} transcripts")
        user = read_user_classes(section, root, assembly.chrom_sizes)
        region_map = build_region_map(annotations, assembly, section, user=user)
        table = region_map.summary(assembly)
        total = int(table.loc[table["split"] == "all", "bp"].sum())
        where = f"{len(assembly.segments)} segments"
    else:
        genes, sizes = inputs.annotation_and_sizes(annotation, format, chrom_sizes, section)
        user = read_user_classes(section, root, sizes)
        region_map = build_region_map(genes, sizes, section, user)
        table = region_map.totals()
        table.insert(0, "split", "all")
        total = int(table["bp"].sum())
        where = f"{len(sizes)} chromosomes"
    region_map.write_bed9(bed)
    if summary is not None:
        write_text(summary, table.to_csv(sep="\t", index=False, float_format="%.6f"))
    logger.info(f"regions: {total:,} bp of {where} -> {bed}")


@app.command()
def verify(
    source: SourceOption,
    bed: BedOption,
    settings: SettingsOption = None,
    root: RootOption = Path(),
) -> None:
    """Rebuild the map with bedtools and compare every base (needs bedtools)."""
    from genezip import config
    from genezip.errors import GenezipError
    from genezip.genome.region_map import RegionMap
    from genezip.genome.region_rules import read_user_classes
    from genezip.genome.sources.source import Source
    from genezip.genome.verify import verify_region_map

    section = config.settings(config.Regions, settings)
    opened = Source.load(source)
    region_map = RegionMap.read_bed(bed)
    annotations = opened.annotations(section.transcripts, section.gene_types)
    own = read_user_classes(section, root, opened.chrom_sizes())
    outcome = verify_region_map(region_map, annotations, opened.assembly(), section, own)
    if outcome.different:
        raise GenezipError(
            f"{outcome.different:,} of {outcome.bp:,} bases of {bed} differ from the map made with "
            f"bedtools ({outcome.first}); build it again with the same settings"
        )
    typer.echo(f"{outcome.bp:,} bases, all as bedtools labels them")


@app.command()
def show(
    locus: Annotated[str, typer.Argument(help="chrom:start-end (0-based, half-open).")],
    bed: BedOption,
) -> None:
    """Print the class runs of a locus as BED lines."""
    import numpy as np

    from genezip.errors import GenezipError
    from genezip.genome.region_map import RegionMap
    from genezip.genome.sources.splits import parse_interval

    place = parse_interval(locus)
    if place is None:
        raise GenezipError(f"{locus!r} is no locus; write it as chr9:100,000-200,000")
    if place[2] <= place[1]:
        raise GenezipError(f"{locus!r} ends before it starts; write it as chr9:100,000-200,000")
    region_map = RegionMap.read_bed(bed)
    if locus in region_map.chroms:  # not read as a part of another contig
        raise GenezipError(f"{locus!r} is a whole contig; write it as {locus}:100,000-200,000")
    chrom, start, end = place
    lengths, classes = region_map.runs(chrom, start, end)
    edges = start + np.concatenate([[0], np.cumsum(lengths)])
    for lo, hi, label in zip(edges[:-1], edges[1:], classes, strict=True):
        typer.echo(f"{chrom}\t{lo}\t{hi}\t{region_map.region_classes.names[label]}")
