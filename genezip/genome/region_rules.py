"""Build the region map: one class for every base of every segment, or of whole chromosomes.

Priority promoter > cds > utr > exon > intron > nig > dig (GeneZip, arXiv 2602.17739,
section 3), with user classes inserted. The map is built from whole chromosomes of annotation and
then cut to the segments, because a gene outside a segment still decides whether a base inside it
is near (NIG) or distal (DIG) intergenic. N bases are classified like all others.

Genomes without annotation have a class of their own, ``unannotated``, which exists only if a
source has such a genome: nobody knows which of their bases are coding or intergenic.
"""

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from genezip.config import Regions
from genezip.errors import GenezipError
from genezip.formats.bed import read_bed
from genezip.formats.lines import Input, opened
from genezip.genome.assembly import Assembly, ReferenceGenome
from genezip.genome.gene_models import Annotation
from genezip.genome.intervals import NO_INTERVALS, Intervals, flatten_by_priority, wrap
from genezip.genome.names import match_chrom_style, match_intervals
from genezip.genome.region_map import RegionMap, Runs
from genezip.region_classes import UNANNOTATED, RegionClasses

logger = logging.getLogger(__name__)

UserIntervals = Mapping[str, pd.DataFrame]
"""Name of a user class -> table of chrom, start, end, on contigs of the assembly."""


def promoters(tss: pd.DataFrame, settings: Regions) -> pd.DataFrame:
    """``tss`` with start and end of its promoters, not yet clipped at the ends of contigs.

    With ``promoter_upstream`` u and ``promoter_downstream`` d a promoter is [TSS - u, TSS + d) on
    ``+`` and its mirror image [TSS - d + 1, TSS + u + 1) on ``-``. Else it is [TSS -
    ``promoter_half_width``, TSS + ``promoter_half_width``) on both strands.
    """
    position = tss["position"]
    up, down = settings.promoter_upstream, settings.promoter_downstream
    if up is None or down is None:
        half = settings.promoter_half_width
        return tss.assign(start=position - half, end=position + half)
    minus = (tss["strand"] == "-").to_numpy()
    return tss.assign(
        start=position - np.where(minus, down - 1, up), end=position + np.where(minus, up + 1, down)
    )


def class_layers(
    annotation: Annotation,
    settings: Regions,
    user: UserIntervals | None = None,
    unannotated: Mapping[str, int] | None = None,
) -> dict[str, list[Intervals]]:
    """Intervals of every class but DIG on every chromosome, in order of priority.

    With ``unannotated`` (contig -> length of those without annotation, perhaps none) the classes
    are those of :func:`with_unannotated`.

    A base in none of them is DIG. NIG includes bases exactly ``nig_distance`` from a TSS. On a
    circular contig promoters and distances to a TSS continue across the origin.
    """
    tss, far = annotation.tss(), settings.nig_distance
    frames = {
        "promoter": promoters(tss, settings),
        "cds": annotation.cds,
        "utr": annotation.utr,
        "exon": annotation.exons,
        "intron": annotation.transcripts,
        "nig": tss.assign(start=tss["position"] - far, end=tss["position"] + far + 1),
        **_user_intervals(settings, user),
    }
    region_classes = settings.region_classes()
    if unannotated is not None:
        region_classes = with_unannotated(settings)
        whole = [(chrom, 0, length) for chrom, length in unannotated.items()]
        frames[UNANNOTATED] = pd.DataFrame(whole, columns=["chrom", "start", "end"])
    order = region_classes.priority[:-1]
    layers: dict[str, list[Intervals]] = {}
    for position, name in enumerate(order):
        frame = frames[name]
        starts, ends = frame["start"].to_numpy(), frame["end"].to_numpy()
        for chrom, index in frame.groupby("chrom", sort=False).indices.items():
            found = layers.setdefault(str(chrom), [NO_INTERVALS] * len(order))
            found[position] = (starts[index], ends[index])
            if chrom in annotation.circular:
                found[position] = wrap(*found[position], annotation.circular[str(chrom)])
    return layers


def with_unannotated(settings: Regions) -> RegionClasses:
    """The classes of the settings and that of genomes without annotation."""
    return settings.region_classes().with_unannotated(settings.unannotated_bpt)


def has_unannotated(genes: Annotation | Mapping[str, Annotation], assembly: Assembly) -> bool:
    """Whether a segment is of a genome without annotation."""
    several = not isinstance(genes, Annotation)
    return several and any(segment.annotation == UNANNOTATED for segment in assembly.segments)


def _user_intervals(settings: Regions, user: UserIntervals | None) -> UserIntervals:
    """Intervals of all user classes; a missing one raises, because the class would vanish."""
    given = user or {}
    for found in settings.classes:
        if found.name not in given:
            raise GenezipError(
                f"regions.classes names {found.name!r}, but its intervals were not read; read "
                f"{found.bed} with read_user_classes"
            )
    return {found.name: given[found.name] for found in settings.classes}


def classify_layers(
    layers: Mapping[str, list[Intervals]],
    chrom_sizes: Mapping[str, int],
    region_classes: RegionClasses,
) -> RegionMap:
    """Region map of the layers of :func:`class_layers`: the first class that covers a base."""
    # rank in the priority -> class id
    ids = np.array([region_classes.ids[name] for name in region_classes.priority], dtype=np.uint8)
    runs = {}
    for chrom, size in chrom_sizes.items():
        found = layers.get(chrom, [])
        starts, ends, ranks = flatten_by_priority(found, 0, size, fill=len(region_classes) - 1)
        runs[chrom] = (starts, ends, ids[ranks])
    return RegionMap(runs, region_classes)


def build_region_map(
    genes: Annotation | Mapping[str, Annotation],
    genome: Assembly | ReferenceGenome | Mapping[str, int],
    settings: Regions | None = None,
    user: UserIntervals | None = None,
) -> RegionMap:
    """Give every base of a genome, or of the segments of an assembly, its region class.

    Parameters
    ----------
    genes : Annotation or mapping
        Gene models; or set name -> gene models, for segments with several annotation sets.
    genome : Assembly, ReferenceGenome or mapping
        The segments of an assembly, or whole chromosomes: those of a genome, or chromosome ->
        length (bp). The sequence is not read.
    settings : Regions, optional
        Promoter, NIG distance, user classes, and required classes; by default those of the paper.
    user : mapping, optional
        Output of :func:`read_user_classes`, if the settings have user classes.

    Raises
    ------
    GenezipError
        If a segment has an unknown annotation set, the gene models do not fit the chromosomes, or
        a required class has no base.
    """
    settings = Regions() if settings is None else settings
    if isinstance(genome, Mapping | ReferenceGenome):
        sizes = genome if isinstance(genome, Mapping) else genome.sizes
        if not isinstance(genes, Annotation):
            raise GenezipError(
                "several sets of gene models are given for whole chromosomes; give one Annotation"
            )
        layers = class_layers(match_chrom_style(genes, sizes), settings, user)
        region_map = classify_layers(layers, sizes, settings.region_classes())
    else:
        region_map = _of_segments(genes, genome, settings, user)
    _check_classes(region_map, settings)
    return region_map


def _of_segments(
    genes: Annotation | Mapping[str, Annotation],
    assembly: Assembly,
    settings: Regions,
    user: UserIntervals | None,
) -> RegionMap:
    """Region map of the segments, each from its own set of gene models."""
    some_lack = has_unannotated(genes, assembly)
    region_classes = with_unannotated(settings) if some_lack else settings.region_classes()
    parts: dict[str, list[Runs]] = {}
    for name in dict.fromkeys(segment.annotation for segment in assembly.segments):
        if isinstance(genes, Annotation):
            annotation = genes
        elif name in genes:
            annotation = genes[name]
        else:
            raise GenezipError(f"pieces.tsv lists the annotation set {name!r}, which is missing")
        segments = [segment for segment in assembly.segments if segment.annotation == name]
        chroms = {segment.chrom: assembly.chrom_sizes[segment.chrom] for segment in segments}
        bare = chroms if some_lack and name == UNANNOTATED else {}
        if not bare:
            annotation = match_chrom_style(annotation, assembly.chrom_sizes)
        layers = class_layers(annotation, settings, user, bare if some_lack else None)
        whole = classify_layers(layers, chroms, region_classes)
        for segment in segments:
            cut = whole.cut(segment.chrom, segment.start, segment.end)
            parts.setdefault(segment.chrom, []).append(cut)
    runs = {}
    for chrom, cuts in parts.items():
        cuts.sort(key=lambda cut: int(cut[0][0]))
        starts, ends, classes = (np.concatenate(column) for column in zip(*cuts, strict=True))
        runs[chrom] = (starts, ends, classes)
    return RegionMap(runs, region_classes)


def _check_classes(region_map: RegionMap, settings: Regions) -> None:
    region_classes, totals = region_map.region_classes, region_map.totals()
    bp = dict(zip(totals["class"], totals["bp"], strict=True))
    lacking = [name for name in settings.required if not bp[name]]
    if lacking:
        raise GenezipError(
            f"no base is {' or '.join(lacking)}, which regions.required lists; check the "
            "annotation (its transcript, exon and CDS rows) or shorten regions.required"
        )
    for name in region_classes.names:
        if not bp[name]:
            logger.warning("no base is %s; its rows will be empty", name)
    for found in region_classes.user_classes:
        if bp[found.name]:
            logger.info(f"the class {found.name} got {bp[found.name]:,} bp")


def read_user_classes(
    settings: Regions, root: str | Path, chrom_sizes: Mapping[str, int]
) -> dict[str, pd.DataFrame]:
    """Intervals of every class of ``regions.classes``, whose paths begin at ``root``.

    Contig names are converted to those of the assembly; conversions, dropped contigs and dropped
    empty intervals are logged. A file without a non-empty interval is refused.

    Returns
    -------
    dict
        Name -> chrom, start, end (0-based, half-open). Intervals may overlap.
    """
    user = {}
    for found in settings.classes:
        path = Path(root) / found.bed
        table = read_bed_intervals(path, chrom_sizes)
        real = table["end"] > table["start"]
        if not real.any():
            raise GenezipError(
                f"{path} has only empty intervals (start = end); name a BED with others"
            )
        if not real.all():
            logger.info(
                f"{path.name}: {int((~real).sum()):,} empty intervals (start = end) are left out"
            )
        user[found.name] = table[real].reset_index(drop=True)
    return user


def read_bed_intervals(given: Input, chrom_sizes: Mapping[str, int]) -> pd.DataFrame:
    """chrom, start, end of a BED (3 to 12 tab-separated columns; plain or gzip, file or pipe).

    There is at least one row. Intervals may be empty (start = end).
    """
    with opened(given) as file:
        return match_intervals(file.name, read_bed(file, empty=True), chrom_sizes)
