"""``genezip regions build | verify | show``."""

import re
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="The 7-class region map.", no_args_is_help=True)

SourceOption = Annotated[Path, typer.Option("--source", help="source.json of `genezip fetch`.")]
SettingsOption = Annotated[
    str | None, typer.Option("--settings", help="Section `regions`: JSON text or a YAML file.")
]
BedOption = Annotated[Path, typer.Option("--bed", help="Region map, BED9 (gzip).")]


def register(root: typer.Typer) -> None:
    """Add these commands to the root command."""
    root.add_typer(app, name="regions")


@app.command()
def build(
    source: SourceOption,
    bed: BedOption,
    summary: Annotated[Path, typer.Option("--summary", help="Table of classes by split.")],
    settings: SettingsOption = None,
) -> None:
    """Label every base of every piece with one of seven classes."""
    from genezip import config
    from genezip.genome.regions import build_region_map
    from genezip.genome.source import Source
    from genezip.provenance import write_text

    section = config.settings(config.Regions, settings)
    opened = Source.load(source)
    opened.verify()  # once, by the first stage that reads the fetched files
    assembly = opened.assembly()
    annotations = opened.annotations(section.basic_only)
    for name, annotation in annotations.items():
        typer.echo(f"regions: {name}: {len(annotation.transcripts):,} transcripts", err=True)
    region_map = build_region_map(annotations, assembly, section)
    table = region_map.summary(assembly)
    region_map.write_bed9(bed)
    write_text(summary, table.to_csv(sep="\t", index=False, float_format="%.6f"))
    total = int(table.loc[table["split"] == "all", "bp"].sum())
    typer.echo(f"regions: {total:,} bp of {len(assembly.pieces)} pieces -> {bed}", err=True)


@app.command()
def verify(source: SourceOption, bed: BedOption, settings: SettingsOption = None) -> None:
    """Rebuild the map with bedtools and compare every base (needs bedtools)."""
    from genezip import config
    from genezip.errors import GenezipError
    from genezip.genome.regions import RegionMap
    from genezip.genome.source import Source
    from genezip.genome.verify import verify_region_map

    section = config.settings(config.Regions, settings)
    opened = Source.load(source)
    region_map = RegionMap.read_bed(bed)
    outcome = verify_region_map(
        region_map, opened.annotations(section.basic_only), opened.assembly(), section
    )
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
    from genezip.genome.regions import RegionMap
    from genezip.taxonomy import CLASSES

    match = re.fullmatch(r"(.+):([\d,]+)-([\d,]+)", locus)
    if match is None:
        raise GenezipError(f"{locus!r} is no locus; write it as chr9:100,000-200,000")
    start, end = (int(match[group].replace(",", "")) for group in (2, 3))
    if end <= start:
        raise GenezipError(f"{locus!r} ends before it starts; write it as chr9:100,000-200,000")
    lengths, classes = RegionMap.read_bed(bed).runs(match[1], start, end)
    edges = start + np.concatenate([[0], np.cumsum(lengths)])
    for lo, hi, label in zip(edges[:-1], edges[1:], classes, strict=True):
        typer.echo(f"{match[1]}\t{lo}\t{hi}\t{CLASSES[label]}")
