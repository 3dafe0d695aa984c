"""GTF of GENCODE, Ensembl, RefSeq, FlyBase and gene finders.

``docs/annotation.md`` defines which rows are transcripts.
"""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from genezip.errors import GenezipError
from genezip.formats.genes.attributes import Attributes
from genezip.formats.genes.gff import (
    declared,
    hulls,
    read_features,
    role,
    to_frame,
    whole_numbers,
    without_orphans_inside,
)
from genezip.formats.genes.rows import TAGS, Rows, Transcripts, among, lacks_tag
from genezip.formats.lines import Input


def read_gtf(given: Input, transcripts: Transcripts = "basic") -> Rows:
    """Rows of a GTF file (plain or gzip).

    A transcript is a row of a transcript type (``transcript``, ``mRNA``, ``tRNA``, ...), or is
    formed by parts whose ``transcript_id`` has no such row; a gene without transcripts is a
    transcript itself. Stop codons count as CDS. UTR rows may be named as by GENCODE (``UTR``) or
    Ensembl (``five_prime_utr``, ``three_prime_utr``). The type of a gene is its ``gene_type`` or
    ``gene_biotype``.
    """
    rows, attributes = _read(given)
    spliced, part = declared(attributes)
    ids = {"transcript_id": rows["transcript_id"], "gene_id": rows["gene_id"]}
    frame = to_frame(rows, kind=rows["role"], **ids).assign(part=part)
    is_gene, is_transcript = _is(rows["role"], "gene"), _is(rows["role"], "transcript")
    is_part = ~(is_gene | is_transcript)
    # decided before the filter, so that a gene whose transcripts are all dropped is dropped
    alone = _stand_alone(rows, frame, is_gene)
    kept = np.ones(len(frame), dtype=bool)
    if transcripts != "all":
        kept = _kept(frame, attributes.any_of("tag", TAGS[transcripts]))
        if not kept.any():
            raise lacks_tag(given, transcripts)
    owner = frame["transcript_id"].where(frame["transcript_id"] != "", frame["gene_id"])
    named = frozenset(owner[spliced])
    models = _models(rows, frame, is_transcript & kept, "transcript_id")
    genes = _models(rows, frame, alone & kept, "gene_id")
    is_part &= kept
    parts = frame[is_part]
    without_row = ~among(parts["transcript_id"], models["transcript_id"])
    of_spliced = owner[is_part].isin(named) | parts["gene_id"].isin(named)
    # exon numbers matter only for transcripts that have no row or are trans-spliced
    numbers = _numbers(attributes, is_part, without_row | of_spliced.to_numpy())
    untyped = [table["gene_id"][table["gene_type"] == ""] for table in (models, genes)]
    return Rows(
        transcripts=models,
        genes=genes,
        parts=parts.assign(number=numbers),
        spliced=named,
        types=_types_of(pd.concat([*untyped, parts["gene_id"][without_row]]), rows),
    )


def gtf_rows(path: Input) -> pa.Table:
    """Rows of gene models, with their roles and ids.

    To the columns of :func:`~genezip.formats.genes.gff.read_features` are added: role, gene_id,
    transcript_id (empty on genes, and on parts that name only a gene), gene_known (bool; else
    gene_id is transcript_id), bare (bool: column 9 is the id and nothing else).
    """
    return _read(path)[0]


def _read(path: Input) -> tuple[pa.Table, Attributes]:
    """The rows with their role and ids, and their attributes."""
    rows = read_features(path, lambda feature: role(feature) != "")
    attributes = Attributes(rows["attributes"], "gtf")
    gene, transcript = attributes.ids()
    names = pc.unique(rows["feature"])
    index = pc.index_in(rows["feature"], value_set=names)
    roles = pc.take(pa.array([role(name) for name in names.to_pylist()]), index)

    bare = pc.and_(pc.equal(gene, ""), pc.equal(transcript, ""))
    if pc.any(bare).as_py():
        word = pc.if_else(bare, attributes.bare(), "")
        of_gene = pc.equal(roles, "gene")
        gene = pc.if_else(pc.and_(bare, of_gene), word, gene)
        transcript = pc.if_else(pc.and_(bare, pc.invert(of_gene)), word, transcript)
        _refuse_nameless(rows, pc.and_(pc.equal(gene, ""), pc.equal(transcript, "")), path)
    # In old GENCODE a gene row repeats its gene_id as transcript_id. A FlyBase pseudogene with
    # another transcript_id is a transcript, and a transcript without one is a gene.
    has_other_id = pc.and_(pc.not_equal(transcript, ""), pc.not_equal(transcript, gene))
    named = pc.and_(pc.equal(roles, "gene"), pc.not_equal(rows["feature"], "gene"))
    roles = pc.if_else(pc.and_(named, has_other_id), "transcript", roles)
    nameless = pc.and_(pc.equal(roles, "transcript"), pc.equal(transcript, ""))
    roles = pc.if_else(nameless, "gene", roles)
    transcript = pc.if_else(pc.equal(roles, "gene"), "", transcript)
    known = pc.not_equal(gene, "")
    if not pc.all(known).as_py():
        gene, known = _genes_of(gene, transcript)
    ids = {"gene_id": gene, "transcript_id": transcript}
    for name, values in {"role": roles, **ids, "gene_known": known, "bare": bare}.items():
        rows = rows.append_column(name, values)
    return rows, attributes


def _refuse_nameless(rows: pa.Table, nameless: pa.ChunkedArray, path: Input) -> None:
    first = pc.index(nameless, True).as_py()
    if first >= 0:
        row = rows.slice(first, 1).to_pylist()[0]
        raise GenezipError(
            f"line {row['line']} of {path}, column 9 (attributes): the {row['feature']} row at "
            f"{row['chrom']}:{row['start'] + 1}-{row['end']} has neither transcript_id nor "
            "gene_id; if the file is GFF3, name that format"
        )


def _genes_of(
    gene: pa.ChunkedArray, transcript: pa.ChunkedArray
) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """Genes of rows without one: that of other rows of the transcript, else the transcript id."""
    both = pc.and_(pc.not_equal(gene, ""), pc.not_equal(transcript, ""))
    ids = transcript.filter(both).combine_chunks()
    found = pc.index_in(transcript, value_set=ids)  # the first row that names one
    named = pc.fill_null(pc.take(gene.filter(both).combine_chunks(), found), "")
    gene = pc.if_else(pc.equal(gene, ""), named, gene)
    known = pc.not_equal(gene, "")
    return pc.if_else(known, gene, transcript), known


def _is(column: pa.ChunkedArray, value: str) -> np.ndarray:
    return np.asarray(pc.equal(column, value), dtype=bool)


def _stand_alone(rows: pa.Table, frame: pd.DataFrame, is_gene: np.ndarray) -> np.ndarray:
    """True for gene rows to which no transcript belongs, by id or by interval."""
    alone = is_gene.copy()
    names_transcript = (frame["transcript_id"] != "").to_numpy()
    named = frame[names_transcript]
    alone[is_gene] = ~among(frame.loc[is_gene, "gene_id"], named["gene_id"])
    unknown = ~np.asarray(rows["gene_known"], dtype=bool)
    for asked, others in (
        (alone, named[unknown[names_transcript]]),
        # gene finders write bare gene rows beside complete transcripts
        (alone & np.asarray(rows["bare"], dtype=bool), named),
    ):
        if asked.any() and len(others):
            alone[asked] = without_orphans_inside(frame[asked], hulls(others))
    return alone


def _kept(frame: pd.DataFrame, tagged: np.ndarray) -> np.ndarray:
    """True for rows of transcripts with any tagged row, and tagged rows that have only a gene."""
    with_transcript = (frame["transcript_id"] != "").to_numpy()
    ids = frame.loc[tagged & with_transcript, "transcript_id"]
    chosen = among(frame["transcript_id"], ids) & with_transcript
    of_genes = frame.loc[tagged & ~with_transcript, "gene_id"]
    genes = pd.concat([frame.loc[chosen, "gene_id"], of_genes])
    return chosen | (~with_transcript & among(frame["gene_id"], genes) & bool(tagged.any()))


def _numbers(attributes: Attributes, is_part: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Exon numbers of parts; -1 if a part has none or is not in ``asked``."""
    numbers = np.full(len(asked), -1, dtype=np.int64)
    if asked.any():
        wanted = is_part.copy()
        wanted[is_part] = asked
        numbers[asked] = whole_numbers(attributes.where(wanted).first("exon_number"), -1)
    return numbers


def _models(
    rows: pa.Table, frame: pd.DataFrame, wanted: np.ndarray, id_column: str
) -> pd.DataFrame:
    """Transcript table of transcript or gene rows."""
    attributes = Attributes(rows["attributes"].filter(pa.array(wanted)), "gtf")
    chosen = frame[wanted].reset_index(drop=True)
    name = attributes.first("gene_name").to_pandas()
    return chosen.drop(columns="kind").assign(
        transcript_id=chosen[id_column],
        gene_name=name.where(name != "", chosen["gene_id"]),
        gene_type=_types(attributes).to_pandas(),
    )


def _types(attributes: Attributes) -> pa.ChunkedArray:
    kind, ensembl = attributes.first("gene_type"), attributes.first("gene_biotype")
    return pc.if_else(pc.equal(kind, ""), ensembl, kind)


def _types_of(genes: pd.Series, rows: pa.Table) -> dict[str, str]:
    """Types of genes from their other rows, if transcript rows are missing or untyped (NCBI)."""
    if genes.empty:
        return {}
    asked = pc.unique(pa.array(genes).cast(pa.string()))
    rows = rows.filter(pc.is_in(rows["gene_id"], value_set=asked))
    types = _types(Attributes(rows["attributes"], "gtf")).to_pandas()
    found = pd.DataFrame({"id": rows["gene_id"].to_pandas(), "type": types})
    found = found[found["type"] != ""].drop_duplicates("id")
    return dict(zip(found["id"], found["type"], strict=True))
