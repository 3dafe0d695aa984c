"""Draw a sequence, a region of a FASTA, or a result: the callers of :mod:`genezip.view.picture`."""

from pathlib import Path
from typing import Any

import numpy as np

from genezip.alphabet import OneSequence
from genezip.errors import GenezipError
from genezip.formats.genes.rows import Transcripts
from genezip.inference.forward import window_length
from genezip.inference.mutations import Mutations, mutate_stretch
from genezip.inference.stretch import FLANK_BP, Stretch, read_stretch, whole_stretch
from genezip.models import load
from genezip.models.base import Compressor, Sequences, ids_of, lacks
from genezip.models.compressed import Compressed
from genezip.view.genes import GeneModels, genes_of
from genezip.view.picture import Picture, draw
from genezip.view.region import Contigs, Region, check_length, parse_region

MUTATE_BP = 500
"""Longest region of ``mutate``: three sequences are read for each of its bases."""

SEQUENCE = "sequence"
"""Name of a sequence without a name."""


def plot_region(
    fasta: str | Path,
    region: str,
    model: str | Path | Compressor,
    genes: GeneModels | None = None,
    *,
    mutate: bool = False,
    at: int | None = None,
    flank: int = FLANK_BP,
    bound: str | None = None,
    transcripts: Transcripts = "all",
    format: str | None = None,
    device: str = "cpu",
) -> Picture:
    """Draw what a model does with a region of a FASTA.

    A model that streams reads ``flank`` bases before the region, so that it knows what it would
    know in the whole contig, as nearly as these bases tell. Any other reads the windows of
    ``genezip compress`` that the region overlaps.

    Parameters
    ----------
    fasta : plain, gzip or bgzip; a file with an index (``.fai``) is read only where it is drawn
    region : ``chr1:1,001-2,000``, counted from 1 with both ends, as in genome browsers, or the
        name of a contig; at most 2,000,000 bp
    model : a model that :func:`genezip.models.load` opens, or a compressor, whose bound and device
        are used
    genes : gene models, or a file of them (GTF, GFF3, BED12, GenBank, CDS): exons, strands, names
        and region classes are drawn
    mutate : also draw how each mutation of one base changes the boundary probability of a cut; the
        region has at most 500 bp. A model with the bound ``sequence`` is opened with ``causal``
        if no ``bound`` is given
    at : base of that cut, counted from 1 as in ``region``; None takes the strongest boundary
    bound : ``sequence``, ``causal`` or ``none``; None for that of the model
    transcripts, format : of a file of gene models, as :func:`read_gene_models`
    """
    if flank < 0:
        raise GenezipError(f"{flank} bases cannot be read before a region; give 0 or more")
    with Contigs(fasta) as contigs:
        chosen = parse_region(region, contigs.sizes, contigs.name)
        cut = None if at is None else at - 1
        _check_cut(mutate, len_of(chosen), cut, chosen.start, chosen.end)
        found = None
        if genes is not None:
            found = genes_of(genes, chosen, contigs.sizes, transcripts, format)
        compressor = _opened(model, device, bound, mutate)
        if mutate and not compressor.gives_prob:
            lacks(compressor.name, "boundary probability, which mutations change")
        length = contigs.sizes[chosen.chrom]
        stretch = read_stretch(
            compressor,
            lambda low, high: contigs.ids(chosen.chrom, low, high),
            length,
            chosen.start,
            chosen.end,
            flank,
        )
    mutations = mutate_stretch(compressor, stretch, cut) if mutate else None
    return draw(
        stretch, compressor.name, str(chosen), f"on {chosen.chrom}",
        _read_words(compressor, stretch), found, mutations, chosen.chrom,
    )  # fmt: skip


def plot_sequences(
    compressor: Compressor,
    sequence: OneSequence | Sequences,
    name: str | None = None,
    region: tuple[int, int] | None = None,
    genes: GeneModels | None = None,
    mutate: bool = False,
    at: int | None = None,
) -> Picture | list[Picture]:
    """What :meth:`genezip.models.base.Compressor.plot` draws."""
    several = isinstance(sequence, list | tuple)
    given = list(sequence) if isinstance(sequence, list | tuple) else [sequence]
    found = []
    for number, (ids, one) in enumerate(zip(ids_of(given), given, strict=True)):
        called = f"{SEQUENCE} {number}" if several else SEQUENCE
        named = name or _name_of(one) or called
        found.append(_plot_one(compressor, ids, named, region, genes, mutate, at))
    return found if several else found[0]


def _plot_one(
    compressor: Compressor, ids: np.ndarray, name: str, region: tuple[int, int] | None,
    genes: GeneModels | None, mutate: bool, at: int | None,
) -> Picture:  # fmt: skip
    chosen = _part(name, region, len(ids))
    _check_cut(mutate, len_of(chosen), at, chosen.start, chosen.end, first=0)
    if mutate and not compressor.gives_prob:
        lacks(compressor.name, "boundary probability, which mutations change")
    found = None if genes is None else genes_of(genes, chosen, {chosen.chrom: len(ids)})
    stretch = whole_stretch(compressor, ids, chosen.start, chosen.end)
    mutations: Mutations | None = mutate_stretch(compressor, stretch, at) if mutate else None
    return draw(
        stretch, compressor.name, str(chosen), f"in {chosen.chrom}",
        _whole_words(compressor, stretch), found, mutations, chosen.chrom,
    )  # fmt: skip


def plot_compressed(
    found: Compressed,
    model: str = "",
    name: str = SEQUENCE,
    region: tuple[int, int] | None = None,
    genes: GeneModels | None = None,
) -> Picture:
    """What :meth:`genezip.models.compressed.Compressed.plot` draws."""
    if not found.length:
        raise GenezipError("a result without bases has no picture; give one of a sequence")
    if not len(found.token_starts):
        raise GenezipError("a result without tokens has no picture; give one of a longer sequence")
    chosen = _part(name, region, found.length)
    genes_here = None if genes is None else genes_of(genes, chosen, {name: found.length})
    stretch = Stretch(chosen.start, chosen.end, 0, found, np.zeros(1, dtype=np.int64))
    return draw(stretch, model, str(chosen), f"in {name}", f"Read as {found.mode}.", genes_here)


def len_of(region: Region) -> int:
    """Bases of a region."""
    return region.end - region.start


def _name_of(sequence: Any) -> str | None:
    """Name of a Biopython record."""
    found = getattr(sequence, "id", None)
    return found if isinstance(found, str) and found else None


def _part(name: str, region: tuple[int, int] | None, length: int) -> Region:
    """The part of a sequence to draw, 0-based, half-open; None for all."""
    start, end = (0, length) if region is None else region
    if not 0 <= start < end <= length:
        raise GenezipError(
            f"the region {start}-{end} is not inside {name}, which has {length:,} bases; give "
            "(start, end), 0-based, with the end behind the start"
        )
    check_length(end - start)
    return Region(name, start, end)


def _check_cut(
    mutate: bool, length: int, at: int | None, start: int, end: int, first: int = 1
) -> None:
    """Refuse a cut outside the region; ``first`` is the number of the first base for the user."""
    if not mutate:
        if at is not None:
            raise GenezipError(
                "a cut is given, but no mutations are asked for; add --mutate (mutate=True), or "
                "leave the cut out"
            )
        return
    if length > MUTATE_BP:
        raise GenezipError(
            f"the region has {length:,} bases, but mutations are drawn of at most {MUTATE_BP}; "
            "choose a shorter one"
        )
    if at is not None and not start <= at < end:
        raise GenezipError(
            f"the cut {at + first:,} is outside the region, whose bases are {start + first:,} to "
            f"{end - 1 + first:,}; choose one of them"
        )


def _opened(
    model: str | Path | Compressor, device: str, bound: str | None, mutate: bool
) -> Compressor:
    if isinstance(model, str | Path):
        # under the bound sequence every mutated window would be read as a whole
        return load(model, device, bound=bound, streams=mutate and bound is None)
    if bound is not None:
        raise GenezipError(
            f"the bound {bound} cannot be set on the loaded model {model.name}; give the bound "
            "to genezip.load"
        )
    return model


def _bound_words(compressor: Compressor) -> str:
    bound = compressor.metadata.get("bound")
    return "Read" if bound is None else f"Bound {bound}; read"


def _read_words(compressor: Compressor, stretch: Stretch) -> str:
    """How a region was read, in one sentence."""
    read, before = _bound_words(compressor), stretch.start - stretch.first
    window_bp = window_length(compressor)
    if window_bp is not None:
        edge = int(stretch.edges[stretch.edges <= stretch.start][-1])
        behind = f"{stretch.start - edge:,} bp behind the start of one"
        return (
            f"{read} in independent windows of {window_bp:,} bp, as by genezip compress; the "
            f"region begins {behind if stretch.start > edge else 'with one'}."
        )
    if stretch.first == 0:
        where = f", {before:,} bp before the region" if before else ""
        return f"{read} as a stream from the first base of the contig{where}."
    return f"{read} as a stream that begins {before:,} bp before the region."


def _whole_words(compressor: Compressor, stretch: Stretch) -> str:
    """How a sequence was read, in one sentence."""
    read = _bound_words(compressor)
    if len(stretch.edges) > 1:
        return f"{read} in {stretch.found.mode}."
    return f"{read} in one pass over the sequence of {stretch.found.length:,} bp."
