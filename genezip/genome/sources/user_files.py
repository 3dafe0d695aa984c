"""Source `files`: FASTA, annotation and repeats of the user."""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

import pandas as pd

from genezip.config import Genome
from genezip.errors import GenezipError
from genezip.formats.fasta import read_records
from genezip.formats.genes import annotation_format
from genezip.formats.input_file import is_packed, need_regular, open_bytes
from genezip.formats.repeatmasker import read_rmsk_out, read_trf
from genezip.genome.assembly import Segment
from genezip.genome.gene_models import read_gene_models
from genezip.genome.names import check_contig_name, first_names, match_chrom_style, match_repeats
from genezip.genome.sources.layout import Draft, is_soft_masked
from genezip.genome.sources.splits import check_names, split_parts

logger = logging.getLogger(__name__)

_REPEATS = {"rmsk": ("rmsk.out", read_rmsk_out), "trf": ("trf.bed", read_trf)}
AS_GIVEN = ("as given", "as given")
"""Release and licence of a file of the user."""

_ONLY_OF_PROTEINS = frozenset(b"EFILPQefilpq")  # letters of amino acids that are no IUPAC base


def fetch_user_files(draft: Draft, root: Path, settings: Genome) -> None:
    """Write the user's FASTA, annotation and repeats as a source: one segment per contig.

    All files are checked here, also that annotation and repeats fit the FASTA. ``chrom.sizes`` has
    every contig of the FASTA, even those outside ``genome.chromosomes``, because their annotation
    rows belong to this genome.
    """
    if settings.fasta is None or settings.annotation is None:
        key = "genome.fasta" if settings.fasta is None else "genome.annotation"
        raise GenezipError(f"the source `files` needs {key}; name your file there")
    fasta, genes = root / settings.fasta, root / settings.annotation
    need_regular(fasta, "the FASTA", "check genome.fasta")
    need_regular(genes, "the annotation", "check genome.annotation")
    form = annotation_format(genes)
    repeats = {key: root / name for key in _REPEATS if (name := getattr(settings, key)) is not None}
    for key, path in repeats.items():
        need_regular(path, "the table", f"check genome.{key}")
    sizes = contig_sizes(read_records(fasta), settings, fasta)
    chosen = _chosen(settings, sizes)
    segments = cut_segments(read_records(fasta), settings, sizes, "genes")
    draft.write_segments(segments, sizes, settings.fasta, *AS_GIVEN)
    read_to_end(genes)
    match_chrom_style(read_gene_models(genes, form, transcripts="all"), sizes)
    suffix = ".gz" if is_packed(genes) else ""
    name = draft.copy(
        genes, f"genes.{form.removesuffix('12')}{suffix}", settings.annotation, *AS_GIVEN
    )
    draft.annotate("genes", name, form)
    for key, path in repeats.items():
        kept, read = _REPEATS[key]
        _warn_of_bare(path.name, match_repeats(path.name, read(path), sizes), chosen)
        suffix = ".gz" if is_packed(path) else ""
        draft.repeats[key] = draft.copy(path, kept + suffix, getattr(settings, key), *AS_GIVEN)
    bp = sum(sizes[contig] for contig in chosen)
    draft.finish(
        "files",
        f"{fasta.name} with {genes.name}: {len(chosen)} contigs, {bp / 1e6:.2f} Mb",
        settings.build,
    )


def _warn_of_bare(name: str, table: pd.DataFrame, chosen: list[str]) -> None:
    """Warn of contigs without a repeat, since the table may cover only some chromosomes."""
    there = set(table["chrom"])
    bare = [contig for contig in chosen if contig not in there]
    if bare and there:
        logger.warning(
            f"{name} has no row on {len(bare)} of {len(chosen)} contigs ({first_names(bare)}); "
            "they count as searched and free of its repeats"
        )


def _chosen(settings: Genome, contigs: Collection[str]) -> list[str]:
    """The selected contigs, in the order of the FASTA."""
    wanted = settings.chromosomes
    return [contig for contig in contigs if wanted is None or contig in wanted]


def read_to_end(path: Path) -> None:
    """Read a compressed file once, which reports a truncated one before it is parsed."""
    with open_bytes(path) as handle:
        while handle.read(1 << 20):
            pass


def contig_sizes(
    records: Iterable[tuple[str, bytes]], settings: Genome, fasta: Path
) -> dict[str, int]:
    """Length (bp) of every contig of a FASTA that has any base, after checking the names.

    This is a separate pass over the FASTA, because an entry of the config (``ctg:1-500``) can be
    interpreted only when all contig names are known.
    """
    sizes = {}
    for name, sequence in records:
        refuse_protein(name, sequence, fasta)
        sizes[name] = len(sequence)
    chosen = _chosen(settings, sizes)
    check_names(settings, sizes, chosen, str(fasta))
    for name in chosen:
        check_contig_name(name, fasta)
        if not sizes[name]:
            raise GenezipError(f"the contig {name} of {fasta} is empty; remove it")
    return {name: length for name, length in sizes.items() if length}


def refuse_protein(name: str, sequence: bytes, fasta: Path) -> None:
    """Raise for a record with several letters that only proteins have."""
    found = sorted({chr(code).upper() for code in _ONLY_OF_PROTEINS if code in sequence})
    if len(found) > 1:
        raise GenezipError(
            f"{fasta} holds proteins, not DNA: its record {name} has the letters "
            f"{', '.join(found)}; name the FASTA of the genome"
        )


def cut_segments(
    records: Iterable[tuple[str, bytes]],
    settings: Genome,
    sizes: Mapping[str, int],
    annotation: str,
) -> Iterator[tuple[Segment, bytes]]:
    """The segments of the selected contigs, cut where the split changes, with their bases.

    ``annotation`` is the name of the annotation set of all of them.
    """
    chosen, names = set(_chosen(settings, sizes)), set(sizes)
    for name, sequence in records:
        if name not in chosen:
            continue
        for start, end, split in split_parts(name, len(sequence), settings, sizes):
            whole = (start, end) == (0, len(sequence))
            part = sequence[start:end]
            segment = Segment(
                name=name if whole else _new_name(f"{name}:{start}-{end}", names),
                chrom=name,
                start=start,
                end=end,
                split=split,
                annotation=annotation,
                soft_masked=is_soft_masked(part),
                rmsk=settings.rmsk is not None,
                trf=settings.trf is not None,
            )
            yield segment, part


def _new_name(name: str, taken: set[str]) -> str:
    """A unique name for a part, which is added to ``taken``."""
    while name in taken:
        name += "/part"
    taken.add(name)
    return name
