"""``genezip regions build | verify | show | calibrate``."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genezip.cli import options
from genezip.errors import GenezipError

if TYPE_CHECKING:
    import numpy as np

    from genezip.config import Regions
    from genezip.genome.assembly import Assembly
    from genezip.genome.gene_models import Annotation


logger = logging.getLogger(__name__)

app = typer.Typer(help="The region map.", no_args_is_help=True)


@app.command()
def build(
    bed: options.RegionMapFile,
    source: options.SourceOrFiles = None,
    annotation: options.GeneModels = None,
    format: options.Format = None,
    chrom_sizes: options.ChromSizes = None,
    summary: Annotated[
        Path | None,
        typer.Option("--summary", help="Table of classes; with --source by split and with N."),
    ] = None,
    settings: options.RegionsSettings = None,
    root: options.Root = Path(),
) -> None:
    """Give every base of every segment, or of whole chromosomes, one region class.

    \b
    Example:
      genezip regions build --source resources/source.json --bed map.bed.gz
    """
    from genezip import config
    from genezip.artifacts.files import write_text
    from genezip.genome.region_rules import build_region_map, read_user_classes
    from genezip.genome.sources.source import Source

    section = config.settings(config.Regions, settings)
    options.one_of(source, annotation, chrom_sizes, format)
    if source is not None:
        opened = Source.load(source)
        opened.verify()  # only in this stage, the first to read the fetched files
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
        genes, sizes = options.annotation_and_sizes(annotation, format, chrom_sizes, section)
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
    source: options.Source,
    bed: options.RegionMapFile,
    settings: options.RegionsSettings = None,
    root: options.Root = Path(),
) -> None:
    """Rebuild the map with bedtools and compare every base (needs bedtools).

    \b
    Example:
      genezip regions verify --source resources/source.json --bed map.bed.gz
    """
    from genezip import config
    from genezip.genome.region_map import RegionMap
    from genezip.genome.region_rules import read_user_classes
    from genezip.genome.sources.source import Source
    from genezip.genome.verify import verify_region_map

    section = config.settings(config.Regions, settings)
    opened = Source.load(source)
    region_map = RegionMap.read_bed(bed)
    annotations = opened.annotations(section.transcripts, section.gene_types)
    user = read_user_classes(section, root, opened.chrom_sizes())
    outcome = verify_region_map(region_map, annotations, opened.assembly(), section, user)
    if outcome.different:
        raise GenezipError(
            f"{outcome.different:,} of {outcome.bp:,} bases of {bed} differ from the map made with "
            f"bedtools ({outcome.first}); build it again with the same settings"
        )
    typer.echo(f"{outcome.bp:,} bases, all of the same class as by bedtools")


@app.command()
def show(
    locus: Annotated[str, typer.Argument(help="chrom:start-end (0-based, half-open).")],
    bed: options.RegionMapFile,
) -> None:
    """Print the class runs of a locus as BED lines.

    \b
    Example:
      genezip regions show chr9:100,000-200,000 --bed map.bed.gz
    """
    import numpy as np

    from genezip.genome.region_map import RegionMap
    from genezip.genome.sources.splits import parse_interval

    interval = parse_interval(locus)
    if interval is None:
        raise GenezipError(f"{locus!r} is no locus; write it as chr9:100,000-200,000")
    if interval[2] <= interval[1]:
        raise GenezipError(f"{locus!r} ends before it starts; write it as chr9:100,000-200,000")
    region_map = RegionMap.read_bed(bed)
    if locus in region_map.chroms:  # the name of a contig, not a part of another one
        raise GenezipError(f"{locus!r} is a whole contig; write it as {locus}:100,000-200,000")
    chrom, start, end = interval
    lengths, classes = region_map.runs(chrom, start, end)
    edges = start + np.concatenate([[0], np.cumsum(lengths)])
    for lo, hi, region in zip(edges[:-1], edges[1:], classes, strict=True):
        typer.echo(f"{chrom}\t{lo}\t{hi}\t{region_map.region_classes.names[region]}")


@app.command()
def calibrate(
    out: Annotated[Path, typer.Option("--out", help="Table of class totals by half-width.")],
    source: options.SourceOrFiles = None,
    annotation: options.GeneModels = None,
    format: options.Format = None,
    chrom_sizes: options.ChromSizes = None,
    chromosomes: Annotated[
        str, typer.Option("--chromosomes", help="Chromosomes of the published row, with commas.")
    ] = "chr8,chr9,chr10",
    half_widths: Annotated[
        str, typer.Option("--half-widths", help="Promoter half-widths (bp), with commas.")
    ] = "500,1000,1500,2000,2500",
    mixture: Annotated[
        Path | None,
        typer.Option("--mixture", help="Table of the sampling mixture to fit and write."),
    ] = None,
    training: Annotated[
        str | None,
        typer.Option(
            "--training",
            help="Chromosomes of the training windows, with commas; default: the other nuclear "
            "chromosomes of hg38, with --source the training segments on other chromosomes.",
        ),
    ] = None,
    exclude: Annotated[
        list[Path] | None,
        typer.Option("--exclude", help="BED that no window may touch (gaps, benchmarks); repeat."),
    ] = None,
    windows: Annotated[
        int, typer.Option("--windows", min=1, help="Windows drawn per mode and length.")
    ] = 50_000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the windows.")] = 0,
    settings: options.RegionsSettings = None,
    sampling: Annotated[
        str | None,
        typer.Option(
            "--sampling",
            help="Section `corpus.sampling`, shown beside the fits: JSON text or a YAML file; "
            "without it the default shares are shown.",
        ),
    ] = None,
    paper: options.PaperTable5 = None,
) -> None:
    """Compare class totals and shares with the paper's; print the closest promoter width.

    \b
    Example:
      genezip regions calibrate --source resources/source.json \\
        --out totals.tsv --mixture mixture.tsv
    """
    import numpy as np

    from genezip import config
    from genezip.artifacts.files import write_text
    from genezip.corpus import calibration
    from genezip.corpus.sampling import MODES
    from genezip.genome.sources.source import Source

    section = config.settings(config.Regions, settings)
    section = section.model_copy(update={"classes": [], "required": []})  # the paper's seven
    mixed = config.settings(config.Sampling, sampling, "--sampling")
    options.one_of(source, annotation, chrom_sizes, format)
    held_out, widths = _names(chromosomes), [_width(text) for text in _names(half_widths)]
    table5 = calibration.read_table5(paper)
    assembly = None
    if source is not None:
        opened = Source.load(source)
        assembly, sizes = opened.assembly(), opened.chrom_sizes()
        sets = opened.annotations(section.transcripts, section.gene_types)
        genes = _set_of(sets, held_out)
    else:
        genes, sizes = options.annotation_and_sizes(annotation, format, chrom_sizes, section)
        sets = {"genes": genes}
    paper_mb = calibration.published(table5, calibration.HELD_OUT_ROW, "bp_M")
    table = calibration.calibrate(genes, sizes, section, paper_mb, held_out, widths)
    fitted = None
    if mixture is not None:
        shares = _shares(
            sets, sizes, section, assembly, held_out, training, exclude or [], windows, seed
        )
        chosen = np.array([getattr(mixed, mode) for mode in MODES])
        used = " + ".join(found.name for found in sets.values())
        called = "default" if sampling is None else "config"
        fitted = calibration.fit_mixture(shares, table5, used, _promoter(section), chosen, called)
    write_text(out, table.to_csv(sep="\t", index=False, float_format="%.6f"))
    for what, name in (("promoter bases", "promoter"), ("all classes together", "all")):
        width = calibration.closest(table, name)
        rows = table[(table["class"] == name) & (table["half_width_bp"] == width)]
        options.echo(
            f"{genes.name}: closest to the paper by {what}: half-width {width:,} bp "
            f"(off by {abs(rows['difference_mb'].iloc[0]):.2f} Mb)",
            out,
            mixture,
        )
    if mixture is not None and fitted is not None:
        write_text(mixture, fitted.to_csv(sep="\t", index=False, float_format="%.6f"))
        first = fitted.drop_duplicates(["fit", "corpus"])
        for row in first.to_dict("records"):
            weights = ", ".join(f"{mode} {row[f'{mode}_weight']:.3f}" for mode in MODES)
            options.echo(
                f"{row['annotation']}: {row['corpus']}, {row['fit']}: {weights}; residual "
                f"{row['residual_pct']:.2f} points",
                out,
                mixture,
            )


def _names(text: str) -> list[str]:
    names = [part.strip() for part in text.split(",") if part.strip()]
    if not names:
        raise GenezipError(f"{text!r} has no name; write names with commas between them")
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise GenezipError(f"{text!r} has {twice[0]} twice; write every name once")
    return names


def _width(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise GenezipError(f"{text!r} is no half-width; write whole numbers of at least 1 bp")
    return int(text)


def _promoter(section: "Regions") -> str:
    up, down = section.promoter_upstream, section.promoter_downstream
    half = section.promoter_half_width
    return f"[TSS-{half},TSS+{half})" if up is None else f"[TSS-{up},TSS+{down}) by strand"


def _set_of(sets: "dict[str, Annotation]", chromosomes: list[str]) -> "Annotation":
    """The first annotation set with genes on all chromosomes, as demo sets have only slices."""
    from genezip.corpus.calibration import without_genes

    for found in sets.values():
        if not without_genes(found, chromosomes):
            return found
    raise GenezipError(
        f"no annotation set of the source has transcripts on each of {', '.join(chromosomes)}; "
        "name others with --chromosomes, or give --annotation of the whole genome"
    )


def _shares(
    sets: "dict[str, Annotation]",
    sizes: dict[str, int],
    section: "Regions",
    assembly: "Assembly | None",
    held_out: list[str],
    training: str | None,
    exclude: list[Path],
    windows: int,
    seed: int,
) -> "dict[str, np.ndarray]":
    """Class shares of windows on the training segments, or on whole chromosomes without N."""
    import numpy as np
    import pandas as pd

    from genezip.corpus.calibration import measure, on_chromosomes
    from genezip.formats.chrom_sizes import hg38_sizes
    from genezip.genome.assembly import Segment
    from genezip.genome.names import match_chrom_style
    from genezip.genome.region_rules import build_region_map, read_bed_intervals
    from genezip.log import quiet

    wanted = None if training is None else _names(training)
    if wanted is None and assembly is None:
        wanted = [c for c in hg38_sizes() if c != "chrM" and c in sizes and c not in held_out]
    absent = [name for name in wanted or [] if name not in sizes]
    if wanted is not None and (absent or not wanted):
        raise GenezipError(
            f"the chromosome lengths lack {', '.join(absent) or 'the chromosomes of hg38'}; name "
            "training chromosomes with --training"
        )
    excluded = [read_bed_intervals(path, sizes) for path in exclude]
    none = pd.DataFrame({"chrom": [], "start": [], "end": []})
    together = pd.concat(excluded) if excluded else none
    if assembly is not None:
        segments = [
            segment
            for segment in assembly.segments_of("train")
            if (segment.chrom in wanted if wanted is not None else segment.chrom not in held_out)
        ]
        if not segments:
            where = f"outside {', '.join(held_out)}" if wanted is None else f"on {training}"
            raise GenezipError(
                "--mixture has no segment to draw windows from: the source has no training "
                f"segment {where}; name other chromosomes with --training, or leave --mixture out"
            )
        n_runs = {segment.name: assembly.n_runs(segment) for segment in segments}
        with quiet():
            region_map = build_region_map(sets, assembly, section)
    else:
        chosen = {chrom: sizes[chrom] for chrom in wanted or []}
        segments = [
            Segment(c, c, 0, size, "train", "genes", False, False, False)
            for c, size in chosen.items()
        ]
        empty = np.zeros(0, dtype=np.int64)
        n_runs = dict.fromkeys(chosen, (empty, empty))
        with quiet():
            matched = match_chrom_style(sets["genes"], sizes)
            sets = {"genes": on_chromosomes(matched, chosen)}
            region_map = build_region_map(sets["genes"], chosen, section)
    return measure(segments, sets, region_map, n_runs, together, windows, seed)
