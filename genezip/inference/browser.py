"""Tracks of the held-out DNA for a genome browser."""

import os
from dataclasses import replace
from pathlib import Path

from genezip.errors import GenezipError
from genezip.genome.region_map import RegionMap
from genezip.genome.sources.source import Source
from genezip.inference.table import read_compressed
from genezip.inference.tracks import TrackWriter

REGIONS = "regions.bed.gz"


def write_tracks(compressed: Path, source_json: Path, regions: Path, out: Path) -> None:
    """Write the tracks of :class:`TrackWriter`, and regions.bed.gz with its index.

    Padding at the end of a window is left out; headers carry true chromosome lengths. Tokens per
    kb are those of ``compression.tsv``, where a chunk has its whole length, padding included.

    Raises
    ------
    GenezipError
        If the file has no boundary probabilities (a trivial router).
    """
    region_map = RegionMap.read_bed(regions)
    source = Source.load(source_json)
    sizes = source.chrom_sizes()
    order = {chrom: number for number, chrom in enumerate(sizes)}
    file = read_compressed(compressed)
    light = (replace(window, nll=None) for window in file.windows("+"))
    windows = sorted(light, key=lambda w: (order[w.chrom], w.start))
    if not windows or windows[0].boundary_prob is None:
        raise GenezipError(f"{compressed} has no boundary probabilities; name a model's file")
    covered = sum(window.end - window.start for window in windows)
    # IGV knows public builds by name; another genome is opened from its own FASTA
    public = source.kind in ("mirror", "download")
    fasta = source.folder / source.raw["fasta"]
    genome = source.build if public else os.path.relpath(fasta, out)
    with TrackWriter(out, sizes, genome, {"regions": REGIONS}, covered) as tracks:
        for window in windows:
            assert window.boundary_prob is not None
            prob = window.boundary_prob[: window.end - window.start]
            tracks.add(window.chrom, window.start, prob, window.chunk_bp)
        region_map.write_bed9(out / REGIONS)
