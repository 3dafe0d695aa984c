"""Source `genomes`: any number of genomes, joined.

Every genome is read as the source `files` reads one, with its own annotation set. Its contigs have
its name before theirs, ``ecoli.NC_000913.3``, because many files name a record ``Chromosome``. The
key ``organisms`` of ``source.json`` lists the genomes (:mod:`genezip.genome.organisms`).
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from genezip.config import Genome, OneGenome
from genezip.errors import GenezipError
from genezip.formats.fasta import read_records, write_records
from genezip.formats.genes import FORMATS, annotation_format
from genezip.formats.genes.genbank import genbank_sequences
from genezip.formats.input_file import is_packed, need_regular
from genezip.genome.assembly import Segment
from genezip.genome.gene_models import read_gene_models
from genezip.genome.names import match_chrom_style
from genezip.genome.organisms import Organism
from genezip.genome.sources.genome_files import Found, GenomeFiles
from genezip.genome.sources.layout import Draft
from genezip.genome.sources.splits import SPLITS, split_parts
from genezip.genome.sources.user_files import contig_sizes, cut_segments, read_to_end
from genezip.region_classes import UNANNOTATED

Records = Iterator[tuple[str, bytes]]


@dataclass(frozen=True)
class _Opened:
    """A genome whose contigs are known."""

    entry: OneGenome
    fasta: Path
    files: tuple[Found, ...]  # FASTA and annotation as they were found
    annotation: Found | None
    settings: Genome  # of the source `files` for this genome alone
    sizes: Mapping[str, int]  # length (bp) of each contig, named as in its files
    circular: frozenset[str]
    digests: Mapping[str, str]  # hash of the sequence of each contig

    def contig(self, record: str) -> str:
        """Name of a contig in the source."""
        return f"{self.entry.name}.{record}"

    def splits(self, record: str) -> set[str]:
        """Splits that have DNA of a contig."""
        parts = split_parts(record, self.sizes[record], self.settings, self.sizes)
        return {split for _, _, split in parts}

    def segments(self) -> Iterator[tuple[Segment, bytes]]:
        """The segments, with the names of the source, and their bases."""
        models = UNANNOTATED if self.annotation is None else self.entry.name
        records = read_records(self.fasta)
        for segment, bases in cut_segments(records, self.settings, self.sizes, models):
            name, chrom = self.contig(segment.name), self.contig(segment.chrom)
            yield replace(segment, name=name, chrom=chrom), bases

    def organism(self) -> Organism:
        """The entry of ``source.json``."""
        return Organism(
            self.entry.name,
            tuple(self.contig(record) for record in self.sizes),
            frozenset(self.contig(record) for record in self.circular),
            None if self.annotation is None else self.entry.name,
            self.entry.genetic_code,
            any("train" in self.splits(record) for record in self.sizes),
        )


def fetch_genomes(draft: Draft, files: GenomeFiles, settings: Genome) -> None:
    """Write the genomes of ``genome.genomes`` as one source.

    Everything is checked here: the files of each genome, whether its annotation fits its sequence,
    and whether two genomes have the same sequence.
    """
    _refuse_keys_of_one_genome(settings)
    opened = []
    for entry in settings.genomes:
        with _named(entry.name):
            opened.append(_open(entry, files, draft.folder))
    _refuse_copies(opened)
    sizes = {
        genome.contig(record): length
        for genome in opened
        for record, length in genome.sizes.items()
    }
    draft.write_segments(
        (segment for genome in opened for segment in genome.segments()),
        sizes,
        *(_joined(found, opened) for found in ("origin", "release", "licence")),
    )
    for genome in opened:
        _write_annotation(draft, genome)
        if genome.fasta.parent == draft.folder:
            genome.fasta.unlink()
            genome.fasta.with_name(genome.fasta.name + ".fai").unlink()
    bp = sum(segment.length for segment in draft.segments)
    used = {
        split: sum(any(split in one.splits(record) for record in one.sizes) for one in opened)
        for split in SPLITS
    }
    draft.finish(
        "genomes",
        f"{len(opened)} genomes ({', '.join(genome.entry.name for genome in opened)}), "
        f"{len(sizes)} contigs, {bp / 1e6:.2f} Mb; {used['train']} with training DNA, "
        f"{used['valid']} with validation DNA, {used['test']} with held-out DNA",
        settings.build,
        [genome.organism() for genome in opened],
    )


def _refuse_keys_of_one_genome(settings: Genome) -> None:
    """Refuse splits for one genome, which would select nothing."""
    for key in ("chromosomes", "valid", "test"):
        # the workflow fills in defaults, which count as unset
        if getattr(settings, key) not in (None, [], Genome.model_fields[key].default):
            instead = "leave it out" if key == "chromosomes" else f"set {key} of an entry there"
            raise GenezipError(
                f"genome.{key} selects nothing of the source `genomes`, whose genomes are listed "
                f"in genome.genomes; {instead}"
            )


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Put the name of the genome before an error of one of its files."""
    try:
        yield
    except GenezipError as error:
        raise type(error)(f"genome {name}: {error}") from None


def _open(entry: OneGenome, files: GenomeFiles, folder: Path) -> _Opened:
    """Find and check the files of a genome; sequence of GenBank is written into ``folder``."""
    annotation = None if entry.annotation is None else files.find(entry.annotation)
    form = None
    if annotation is not None:
        need_regular(annotation.path, "the annotation", "check its annotation")
        form = annotation_format(annotation.path)
        read_to_end(annotation.path)
    if entry.fasta is not None:
        sequence = files.find(entry.fasta)
        need_regular(sequence.path, "the FASTA", "check its fasta")
    elif annotation is not None and form == "genbank":
        sequence = annotation
    else:
        raise GenezipError("only GenBank annotation holds the sequence too; name its fasta")
    fasta = sequence.path
    if _is_genbank(fasta):
        fasta = folder / f"{entry.name}.fa"
        write_records(fasta, genbank_sequences(sequence.path))
    digests: dict[str, str] = {}
    settings = _alone(entry)
    sizes = contig_sizes(_digested(read_records(fasta), digests), settings, fasta)
    if entry.split != "train":
        settings = settings.model_copy(update={entry.split: list(sizes)})
    circular = _circular(entry, sizes)
    if annotation is not None:
        models = read_gene_models(annotation.path, form, "all", circular=circular)
        models = match_chrom_style(models, sizes)
        circular = {record: sizes[record] for record in models.circular}
    opened = _Opened(
        entry=entry,
        fasta=fasta,
        files=tuple(dict.fromkeys([sequence, *([] if annotation is None else [annotation])])),
        annotation=annotation,
        settings=settings,
        sizes=sizes,
        circular=frozenset(circular or ()),
        digests={record: digests[record] for record in sizes},
    )
    for record in sizes:
        opened.splits(record)  # raises for parts that overlap or lie outside their contig
    return opened


def _is_genbank(path: Path) -> bool:
    return re.search(r"\.(gb|gbk|gbff|genbank)(\.b?gz)?$", path.name, re.IGNORECASE) is not None


def _alone(entry: OneGenome) -> Genome:
    """Settings of the source `files` for one genome."""
    return Genome(sources=["files"], valid=entry.valid, test=entry.test)


def _circular(entry: OneGenome, sizes: Mapping[str, int]) -> dict[str, int] | None:
    """Circular contigs and their lengths (bp) by the configuration; None if it says nothing."""
    if entry.circular is None:
        return None
    return dict(sizes) if entry.circular else {}


def _digested(records: Iterable[tuple[str, bytes]], digests: dict[str, str]) -> Records:
    """Yield the records unchanged, and note the hash of each in upper case."""
    for name, sequence in records:
        digests[name] = hashlib.sha256(sequence.upper()).hexdigest()
        yield name, sequence


def _refuse_copies(opened: Iterable[_Opened]) -> None:
    """Refuse a sequence that two genomes have, or that one genome has in several splits."""
    seen: dict[str, tuple[_Opened, str]] = {}
    for genome in opened:
        for record, digest in genome.digests.items():
            other, first = seen.setdefault(digest, (genome, record))
            if other is genome and first == record:
                continue
            splits, before = genome.splits(record), other.splits(first)
            if other is genome and splits == before and len(splits) == 1:
                continue  # copies of a plasmid or scaffold within one use leak nothing
            use = " and ".join(split for split in SPLITS if split in splits | before)
            raise GenezipError(
                f"{other.contig(first)} and {genome.contig(record)} have the same sequence "
                f"(use: {use}), so one genome would count as two; remove one from genome.genomes"
            )


def _joined(field: str, opened: Iterable[_Opened]) -> str:
    """Origins, releases or licences of all files of sequence."""
    return "; ".join(dict.fromkeys(getattr(genome.files[0], field) for genome in opened))


def _write_annotation(draft: Draft, genome: _Opened) -> None:
    """Copy the annotation of a genome, with its own contig names, into the source."""
    found = genome.annotation
    if found is None:
        return
    form = annotation_format(found.path)
    suffix = ".gz" if is_packed(found.path) else ""
    name = f"{genome.entry.name}.{FORMATS[form].suffixes[-1]}{suffix}"
    draft.copy(found.path, name, found.origin, found.release, found.licence)
    contigs = {record: genome.contig(record) for record in genome.sizes}
    draft.annotate_organism(genome.entry.name, name, form, contigs, genome.circular)
