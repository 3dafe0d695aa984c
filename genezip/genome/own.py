"""Source `files`: another genome is only another config."""

import re
from collections.abc import Iterator
from pathlib import Path

from genezip.config import Genome
from genezip.errors import GenezipError
from genezip.genome.assembly import Piece
from genezip.genome.input_file import need_regular
from genezip.genome.layout import Draft
from genezip.genome.records import is_packed, open_bytes, read_records
from genezip.genome.selection import chrom_of, split_parts

_FORMATS = {"gtf": "gtf", "gff": "gff3", "gff3": "gff3", "bed": "bed12", "bed12": "bed12"}
_OWN = ("your own file", "as given", "as given")  # origin, release, licence


def annotation_format(path: str | Path) -> str:
    """Format of an annotation file by its name: gtf, gff3 or bed12 (packed or not)."""
    name = re.sub(r"\.(gz|bgz)$", "", Path(path).name.lower())
    suffix = name.rpartition(".")[2]
    if suffix not in _FORMATS:
        raise GenezipError(
            f"the format of {path} is not known by its name; use .gtf, .gff, .gff3 or .bed "
            "(.gz allowed)"
        )
    return _FORMATS[suffix]


def fetch_own(draft: Draft, root: Path, settings: Genome) -> None:
    """Lay out your own FASTA and annotation as a source: one piece per contig.

    Raises
    ------
    GenezipError
        A file is missing or damaged, a chromosome that the config names is not in the
        FASTA, a letter is no base, or FASTA and annotation do not belong together.
    """
    if settings.fasta is None or settings.annotation is None:
        key = "genome.fasta" if settings.fasta is None else "genome.annotation"
        raise GenezipError(f"the source `files` needs {key}; name your file there")
    fasta, genes = root / settings.fasta, root / settings.annotation
    need_regular(fasta, "the FASTA", "check genome.fasta")
    need_regular(genes, "the annotation", "check genome.annotation")
    form = annotation_format(genes)
    for key in ("rmsk", "trf"):
        named = getattr(settings, key)
        if named is not None:
            need_regular(root / named, "the table", f"check genome.{key}")
    sizes: dict[str, int] = {}
    draft.write_pieces(_pieces(fasta, settings, sizes), sizes, settings.fasta, *_OWN[1:])
    _check_together(genes, form, sizes)
    suffix = ".gz" if is_packed(genes) else ""
    name = draft.copy(
        genes, f"genes.{form.removesuffix('12')}{suffix}", settings.annotation, *_OWN[1:]
    )
    draft.annotations["genes"] = {"path": name, "format": form}
    for key, kept in (("rmsk", "rmsk.out"), ("trf", "trf.bed")):
        named = getattr(settings, key)
        if named is not None:
            suffix = ".gz" if is_packed(root / named) else ""
            draft.repeats[key] = draft.copy(root / named, kept + suffix, named, *_OWN[1:])
    draft.finish(
        "files",
        f"{fasta.name} with {genes.name}: {len(sizes)} contigs, {sum(sizes.values()) / 1e6:.2f} Mb",
        settings.build,
    )


def _pieces(fasta: Path, settings: Genome, sizes: dict[str, int]) -> Iterator[tuple[Piece, bytes]]:
    contigs: list[str] = []
    for name, sequence in read_records(fasta):
        contigs.append(name)
        if settings.chromosomes is not None and name not in settings.chromosomes:
            continue
        if not sequence:
            raise GenezipError(f"the contig {name} of {fasta} is empty; remove it")
        sizes[name] = len(sequence)
        for start, end, split in split_parts(name, len(sequence), settings):
            whole = (start, end) == (0, len(sequence))
            part = sequence[start:end]
            piece = Piece(
                name=name if whole else f"{name}:{start}-{end}",
                chrom=name,
                start=start,
                end=end,
                split=split,
                annotation="genes",
                soft_masked=any(letter in part for letter in b"acgt"),
                rmsk=settings.rmsk is not None,
                trf=settings.trf is not None,
            )
            yield piece, part
    for key in ("chromosomes", "valid", "test"):
        named = [chrom_of(entry) for entry in getattr(settings, key) or []]
        absent = [name for name in named if name not in contigs]
        if absent:
            raise GenezipError(
                f"genome.{key} names {', '.join(absent)}, which is not in {fasta}; "
                f"its contigs are {_listed(contigs)}"
            )


def _listed(contigs: list[str], most: int = 30) -> str:
    more = f" and {len(contigs) - most} more" if len(contigs) > most else ""
    return ", ".join(contigs[:most]) + more


def _check_together(genes: Path, form: str, sizes: dict[str, int]) -> None:
    """FASTA and annotation share contigs, and no row ends beyond its contig."""
    from genezip.genome import annotation

    with open_bytes(genes) as handle:  # names a truncated file before it is parsed
        while handle.read(1 << 20):
            pass
    annotation.match_chrom_style(annotation.read(genes, form, transcripts="all"), sizes)
