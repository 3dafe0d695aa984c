"""Verify a region map by building it again with bedtools and comparing every base.

Only the readers of annotation and BED files are shared: bedtools slops, merges, subtracts and
intersects where :mod:`genezip.genome.region_rules` sweeps events.
"""

import csv
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from genezip.config import Regions
from genezip.errors import GenezipError
from genezip.genome.assembly import Assembly, Segment
from genezip.genome.gene_models import Annotation
from genezip.genome.region_map import RegionMap
from genezip.genome.region_rules import UserIntervals, has_unannotated, with_unannotated
from genezip.region_classes import UNANNOTATED, RegionClasses

_NO_CLASS = 255


@dataclass(frozen=True)
class Verification:
    """Result of a comparison."""

    bp: int  # number of bases compared
    different: int  # number of bases with another class
    first: str  # description of the first difference; empty if there is none


def verify_region_map(
    region_map: RegionMap,
    annotations: Mapping[str, Annotation],
    assembly: Assembly,
    settings: Regions,
    user: UserIntervals | None = None,
) -> Verification:
    """Rebuild a region map with bedtools and compare every base of every segment.

    The map must have the classes of the settings in the same order. Annotations (by set name) and
    user intervals have the contig names of the assembly.
    """
    region_classes, mapped = settings.region_classes(), region_map.region_classes
    if has_unannotated(annotations, assembly):
        region_classes = with_unannotated(settings)
    if mapped.priority != region_classes.priority:
        raise GenezipError(
            f"the region map has the classes {', '.join(mapped.priority)}, the "
            f"settings {', '.join(region_classes.priority)}; build it again with the same settings"
        )
    if mapped.names != region_classes.names:  # ids follow the order of definition
        raise GenezipError(
            f"the region map numbers its classes {', '.join(mapped.names)}, the settings "
            f"{', '.join(region_classes.names)}; put regions.classes in the same order, or build "
            "it again"
        )
    bedtools = _bedtools()
    bp = different = 0
    first = ""
    before = tempfile.gettempdir()
    with tempfile.TemporaryDirectory(prefix="genezip-verify-") as folder:
        bedtools.set_tempdir(folder)
        try:
            for name in dict.fromkeys(segment.annotation for segment in assembly.segments):
                segments = [segment for segment in assembly.segments if segment.annotation == name]
                claims = _claims(
                    bedtools, annotations[name], assembly, settings, user or {}, Path(folder)
                )
                if UNANNOTATED in region_classes.ids:
                    bare = segments if name == UNANNOTATED else []
                    claims[UNANNOTATED] = bedtools.BedTool(
                        "".join(f"{one.chrom}\t{one.start}\t{one.end}\n" for one in bare),
                        from_string=True,
                    )
                classes = _classes(claims, region_classes)
                for segment, expected in _painted(bedtools, classes, segments, region_classes):
                    found = region_map.ids(segment.chrom, segment.start, segment.end)
                    wrong = np.flatnonzero(found != expected)
                    bp += segment.length
                    different += len(wrong)
                    if len(wrong) and not first:
                        first = _in_words(segment, int(wrong[0]), found, expected, region_classes)
        finally:
            bedtools.cleanup()
            bedtools.set_tempdir(before)  # set_tempdir affects the whole process
    return Verification(bp, different, first)


def _bedtools():  # type: ignore[no-untyped-def]  # pybedtools has no types
    if shutil.which("bedtools") is None:
        raise GenezipError("regions verify needs bedtools on PATH; install it (conda or apt)")
    try:
        import pybedtools
    except ImportError:
        raise GenezipError(
            "regions verify needs pybedtools; install it with pip install 'genezip[verify]'"
        ) from None
    return pybedtools


def _claims(  # type: ignore[no-untyped-def]
    bedtools,
    annotation: Annotation,
    assembly: Assembly,
    settings: Regions,
    user: UserIntervals,
    folder: Path,
):
    """A BedTool for each class with all its bases, including those of higher classes."""
    # a circular contig is repeated three times, so that intervals continue across its origin
    laps = {c: 3 if c in annotation.circular else 1 for c in assembly.chrom_sizes}
    sizes = folder / "sizes"
    sizes.write_text("".join(f"{c}\t{n * laps[c]}\n" for c, n in assembly.chrom_sizes.items()))
    genome = str(sizes)

    def bed(table: pd.DataFrame, *more: str):  # type: ignore[no-untyped-def]
        table = table[table["end"] > table["start"]]  # bedtools extends empty intervals to 2 bp
        ordered = table[["chrom", "start", "end", *more]].sort_values(["chrom", "start"])
        path = Path(tempfile.mkstemp(dir=folder, suffix=".bed")[1])
        ordered.to_csv(path, sep="\t", header=False, index=False, quoting=csv.QUOTE_NONE)
        return bedtools.BedTool(str(path))

    def unrolled(tool):  # type: ignore[no-untyped-def]
        """Intervals on three laps of a contig, moved back to one lap."""
        if not annotation.circular or _is_empty(tool):
            return tool
        table = pd.read_csv(tool.fn, sep="\t", usecols=[0, 1, 2], names=["chrom", "start", "end"])
        size = table["chrom"].map(annotation.circular).fillna(0).astype(np.int64)
        laps = [
            table.assign(start=table["start"] - size * lap, end=table["end"] - size * lap)
            for lap in range(3)
        ]
        each = pd.concat([laps[0][size == 0], *(lap[size > 0] for lap in laps)])
        most = each["chrom"].map(assembly.chrom_sizes)
        return bed(each.assign(start=each["start"].clip(lower=0), end=each["end"].clip(upper=most)))

    tss = annotation.tss()
    lap = tss["chrom"].map(annotation.circular).fillna(0).astype(np.int64)
    middle = tss["position"] + lap
    table = tss.assign(start=middle, end=middle + 1, name=".", score=0)
    tss = bed(table, "name", "score", "strand")
    half, far = settings.promoter_half_width, settings.nig_distance
    up, down = settings.promoter_upstream, settings.promoter_downstream
    if up is None or down is None:
        promoter = tss.slop(l=half, r=half - 1, g=genome)
    else:
        promoter = tss.slop(l=up, r=down - 1, s=True, g=genome)
    chromosomes = pd.DataFrame(
        [(c, 0, n) for c, n in assembly.chrom_sizes.items()], columns=["chrom", "start", "end"]
    )
    return {
        "promoter": unrolled(promoter),
        "cds": bed(annotation.cds),
        "utr": bed(annotation.utr),
        "exon": bed(annotation.exons),
        "intron": bed(annotation.transcripts),
        "nig": unrolled(tss.slop(b=far, g=genome)),
        "dig": bed(chromosomes),
        **{name: bed(table) for name, table in user.items()},
    }


def _classes(claims, region_classes: RegionClasses):  # type: ignore[no-untyped-def]
    """A BedTool for each class, without the bases of higher classes."""
    owned = None
    classes = {}
    for name in region_classes.priority:
        if _is_empty(claims[name]):
            continue
        claim = claims[name].sort().merge()
        if owned is None:
            classes[name], owned = claim, claim
        else:
            classes[name] = claim.subtract(owned)
            owned = owned.cat(claim, postmerge=True)
    return classes


def _is_empty(tool) -> bool:  # type: ignore[no-untyped-def]
    return Path(tool.fn).stat().st_size == 0


def _painted(bedtools, classes, segments: list[Segment], region_classes: RegionClasses):  # type: ignore[no-untyped-def]
    """Yield every segment with its class ids from bedtools."""
    rows = "\n".join(f"{p.chrom}\t{p.start}\t{p.end}\t{i}" for i, p in enumerate(segments))
    bed = bedtools.BedTool(rows, from_string=True).sort()
    hits = []
    for name, tool in classes.items():
        cut = bed.intersect(tool)
        if not _is_empty(cut):
            names = ["chrom", "start", "end", "segment"]
            table = pd.read_csv(cut.fn, sep="\t", names=names, quoting=csv.QUOTE_NONE)
            hits.append(table.assign(id=region_classes.ids[name]))
    table = pd.concat(hits, ignore_index=True)
    for index, segment in enumerate(segments):
        group = table[table["segment"] == index]
        ids = np.full(segment.length, _NO_CLASS, dtype=np.uint8)
        for start, end, found in zip(group["start"], group["end"], group["id"], strict=True):
            ids[start - segment.start : end - segment.start] = found
        yield segment, ids


def _in_words(
    segment: Segment,
    offset: int,
    found: np.ndarray,
    expected: np.ndarray,
    region_classes: RegionClasses,
) -> str:
    names = {_NO_CLASS: "no class", **dict(enumerate(region_classes.names))}
    mapped, rebuilt = (names[int(ids[offset])] for ids in (found, expected))
    position = f"{segment.chrom}:{segment.start + offset:,}"
    return f"{position} is {mapped} in the map and {rebuilt} by bedtools"
