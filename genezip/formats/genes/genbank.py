"""GenBank flat files, read with Biopython: gene models, and the sequence of the records.

A contig has the name of VERSION (``AL123456.3``), which is also its name in FASTA files of NCBI.
Features of one gene share its ``/locus_tag``, or else ``/gene``; the rows of mRNA features are
transcripts, those of CDS features belong to the gene. LOCUS says whether a record is circular. On
a circular record a location that continues at the first base, ``join(900..1000,1..50)``, becomes
one interval that ends beyond the contig, as in GFF3.
"""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING

import pandas as pd

from genezip.errors import GenezipError
from genezip.formats.genes.gff import role
from genezip.formats.genes.rows import TRANSCRIPT_COLUMNS, Rows, Transcripts, lacks_tag
from genezip.formats.lines import Input, TextFile, opened

if TYPE_CHECKING:
    from Bio.SeqFeature import SeqFeature
    from Bio.SeqRecord import SeqRecord

logger = logging.getLogger(__name__)

_PARTS = {"CDS": "cds", "exon": "exon", "5'UTR": "utr", "3'UTR": "utr"}
_STRANDS = {1: "+", -1: "-"}
_PART_ROWS = [
    *("chrom", "start", "end", "strand", "transcript_id"),
    *("gene_id", "kind", "number", "part"),
]

Span = tuple[int, int]


def read_genbank(given: Input, transcripts: Transcripts = "basic") -> Rows:
    """Rows of a GenBank file (plain or gzip).

    A gene without mRNA features is a transcript itself; its type is ``protein_coding`` if it has a
    CDS, else the type of its RNA feature, and ``pseudogene`` if it is marked ``/pseudo``. GenBank
    has no tags: basic and all take every row, basic with a warning; canonical raises.
    """
    with opened(given) as file:
        if transcripts == "canonical":
            raise lacks_tag(str(file), transcripts)
        genes: list[_Gene] = []
        circular = {}
        for record in _records(file):
            genes += _genes(record)
            if _is_circular(record):
                circular[str(record.id)] = len(record)
        if not genes:
            raise GenezipError(f"{file} has no gene, RNA or CDS feature; name an annotated record")
        if transcripts == "basic":
            logger.warning(
                "%s: GenBank has no tags, so all %s genes are used", file.name, f"{len(genes):,}"
            )
    columns = [*TRANSCRIPT_COLUMNS, "part"]
    models = pd.DataFrame([row for gene in genes for row in gene.transcripts()], columns=columns)
    alone = pd.DataFrame([gene.row() for gene in genes if not gene.mrna], columns=columns)
    parts = pd.DataFrame([row for gene in genes for row in gene.parts()], columns=_PART_ROWS)
    return Rows(models, alone, parts, circular=circular)


def genbank_sequences(given: Input) -> Iterator[tuple[str, bytes]]:
    """(name, sequence) of every record of a GenBank file, ASCII letters in upper case."""
    from Bio.Seq import UndefinedSequenceError

    with opened(given) as file:
        for record in _records(file):
            try:
                yield str(record.id), bytes(record.seq or b"")
            except UndefinedSequenceError:
                raise GenezipError(
                    f"the record {record.id} of {file} has no sequence; give a FASTA as well, or "
                    "a GenBank file with ORIGIN"
                ) from None


class _Gene:
    """The features of one gene of a record."""

    def __init__(self, chrom: str, gene_id: str) -> None:
        self.chrom, self.gene_id = chrom, gene_id
        self.name = ""
        self.kind = ""
        self.span: Span | None = None  # of the gene feature
        self.strand = "."
        self.mrna: list[tuple[str, list[Span]]] = []  # id and exons of each mRNA feature
        self.pieces: list[tuple[str, str, Span]] = []  # kind, strand and interval of other parts

    def hull(self) -> Span:
        """From the first to the last base of the gene."""
        spans = [piece[2] for piece in self.pieces]
        spans += [span for _, exons in self.mrna for span in exons]
        spans += [] if self.span is None else [self.span]
        return min(start for start, _ in spans), max(end for _, end in spans)

    def holds(self, span: Span) -> bool:
        """Whether an interval overlaps the gene."""
        start, end = self.hull()
        return span[0] < end and start < span[1]

    def row(self) -> tuple[object, ...]:
        """The row of the gene as a transcript."""
        named = (self.gene_id, self.gene_id, self.name or self.gene_id, self.kind, 0)
        return (self.chrom, *(self.span or self.hull()), self.strand, *named)

    def transcripts(self) -> Iterator[tuple[object, ...]]:
        """One row for every mRNA feature."""
        for name, exons in self.mrna:
            span = exons[0][0], exons[-1][1]
            named = (name, self.gene_id, self.name or self.gene_id, self.kind, 0)
            yield (self.chrom, *span, self.strand, *named)

    def parts(self) -> Iterator[tuple[object, ...]]:
        """One row for every interval of a part; only exons of mRNA name a transcript."""
        for name, exons in self.mrna:
            for span in exons:
                yield (self.chrom, *span, self.strand, name, self.gene_id, "exon", -1, 0)
        for kind, strand, span in self.pieces:
            yield (self.chrom, *span, strand, "", self.gene_id, kind, -1, 0)


def _genes(record: "SeqRecord") -> list[_Gene]:
    """The genes of a record in the order of their first features.

    An id that occurs again elsewhere, such as the name of an insertion element, is another gene.
    """
    genes: list[_Gene] = []
    latest: dict[str, _Gene] = {}
    around = len(record) if _is_circular(record) else None
    for feature in record.features:
        kind = _PARTS.get(feature.type) or role(feature.type)
        if not kind or feature.location is None:
            continue
        strand = _STRANDS.get(feature.location.strand, ".")
        spans = _spans(feature, around)
        span = spans[0][0], spans[-1][1]
        named = _first(feature, "locus_tag", "gene")
        gene_id = named or f"{record.id}:{span[0]}-{span[1]}{strand}"
        known = latest.get(gene_id)
        if known is None or not known.holds(span) or (kind == "gene" and known.span is not None):
            latest[gene_id] = known = _Gene(str(record.id), gene_id)
            genes.append(known)
        gene = known
        gene.name = gene.name or _first(feature, "gene")
        if gene.strand == ".":
            gene.strand = strand
        if "pseudo" in feature.qualifiers or "pseudogene" in feature.qualifiers:
            gene.kind = "pseudogene"
        elif feature.type == "CDS" and gene.kind != "pseudogene":
            gene.kind = "protein_coding"
        if kind == "gene":
            gene.span = span
        elif feature.type == "mRNA":
            own = _first(feature, "transcript_id")
            gene.mrna.append((own or f"{gene_id}.{len(gene.mrna) + 1}", spans))
        else:
            if kind == "transcript":  # tRNA, rRNA, ncRNA, tmRNA, ...
                gene.kind = gene.kind or feature.type
            part = "exon" if kind == "transcript" else kind
            gene.pieces += [(part, strand, piece) for piece in spans]
    return genes


def _spans(feature: "SeqFeature", around: int | None) -> list[Span]:
    """Intervals of a location, in the order of the record; ``around`` is its length if circular.

    Intervals behind the origin of a circular record have the length added.
    """
    spans = [(int(part.start), int(part.end)) for part in feature.location.parts]
    if feature.location.strand == -1:
        spans.reverse()  # Biopython lists parts in the direction of reading
    crosses = around is not None and any(
        left[1] == around and right[0] == 0 for left, right in pairwise(spans)
    )
    if not crosses:
        return sorted(spans)
    assert around is not None
    first = next(n for n, span in enumerate(spans) if span[0] == 0)
    return spans[:first] + [(start + around, end + around) for start, end in spans[first:]]


def _first(feature: "SeqFeature", *keys: str) -> str:
    """First value of the first qualifier that a feature has, else an empty text."""
    for key in keys:
        values = feature.qualifiers.get(key)
        if values and values[0]:
            return str(values[0])
    return ""


def _is_circular(record: "SeqRecord") -> bool:
    return record.annotations.get("topology") == "circular"


def _records(file: TextFile) -> Iterator["SeqRecord"]:
    """The records; a file without any, or a malformed one, raises."""
    from Bio import BiopythonWarning, SeqIO  # loaded only for this format, as it takes 0.1 s

    empty = True
    with file.unpacked() as raw, _as_text(raw) as text:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", BiopythonWarning)  # lines that are too long
                for record in SeqIO.parse(text, "genbank"):
                    empty = False
                    yield record
        except (ValueError, AssertionError, IndexError, AttributeError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise GenezipError(
                f"{file} is not a readable GenBank file ({reason}); fetch it again"
            ) from None
    if empty:
        raise GenezipError(f"{file} has no record that begins with LOCUS; is it GenBank?")


@contextmanager
def _as_text(raw: io.BufferedReader) -> Iterator[io.TextIOWrapper]:
    text = io.TextIOWrapper(raw, encoding="utf-8", errors="replace")
    try:
        yield text
    finally:
        text.detach()  # the caller closes the bytes
