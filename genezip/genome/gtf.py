"""Gene models from GTF: GENCODE, Ensembl, RefSeq and what assemblers write."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from genezip.errors import GenezipError
from genezip.genome.genemodel import Annotation, complete
from genezip.genome.gff import (
    CDS_ROWS,
    EXON_ROWS,
    PART_ROWS,
    UTR_ROWS,
    extract,
    read_rows,
    to_frame,
)
from genezip.genome.lines import Input, name_of
from genezip.genome.transcripts import TAGS, Transcripts, lacks_tag, of_types

GTF_ROWS = PART_ROWS | {"gene", "transcript"}
"""Features that gene models are made of."""


def read_gtf(
    path: Input,
    transcripts: Transcripts = "basic",
    gene_types: Sequence[str] | None = None,
) -> Annotation:
    """Gene models of a GTF file (plain or gzip).

    Gene rows carry no ``basic`` tag, so the filter keeps the transcript, exon, CDS and UTR
    rows that do. Stop codons count as CDS. GENCODE names of UTR rows (``UTR``) and Ensembl
    names (``five_prime_utr``, ``three_prime_utr``) are understood; what is not spelt out is
    completed as in :func:`genezip.genome.genemodel.complete`.

    Parameters
    ----------
    path : str or Path
    transcripts : basic, all or canonical
        Keep what is tagged ``basic``; everything; or what is tagged ``Ensembl_canonical`` or
        ``MANE_Select``.
    gene_types : sequence of str or None
        Only genes of these types (``gene_type`` or ``gene_biotype``); None takes all.

    Raises
    ------
    GenezipError
        For a missing, truncated or malformed file, rows without any id, or a tag or type
        that is asked for and that the file lacks.
    """
    rows = gtf_rows(path)
    every = rows
    is_gene = pc.equal(rows["feature"], "gene")
    is_transcript = pc.equal(rows["feature"], "transcript")
    # decided before the filter: a gene whose transcripts are all filtered out stays out
    with_transcripts = pc.unique(rows["gene_id"].filter(is_transcript))
    genes = rows.filter(
        pc.and_(is_gene, pc.invert(pc.is_in(rows["gene_id"], value_set=with_transcripts)))
    )
    rows = rows.filter(pc.invert(is_gene))
    if transcripts != "all":
        rows = rows.filter(pc.match_substring_regex(rows["attributes"], _tagged(transcripts)))
        if rows.num_rows == 0:
            raise lacks_tag(path, transcripts)
        genes = genes.filter(pc.is_in(genes["gene_id"], value_set=pc.unique(rows["gene_id"])))
    rows = rows.append_column("transcript_id", transcript_ids(rows, path))

    def parts(features: frozenset[str]) -> pd.DataFrame:
        chosen = rows.filter(pc.is_in(rows["feature"], value_set=pa.array(sorted(features))))
        return to_frame(chosen, transcript_id=chosen["transcript_id"], gene_id=chosen["gene_id"])

    annotation = complete(
        name_of(path),
        _models(rows.filter(pc.equal(rows["feature"], "transcript")), "transcript_id"),
        _models(genes, "gene_id"),
        exons=parts(EXON_ROWS),
        cds=parts(CDS_ROWS),
        utr=parts(UTR_ROWS),
    )
    return of_types(_typed(annotation, every), gene_types)


def gtf_rows(path: Input) -> pa.Table:
    """Rows of the features that gene models are made of (:data:`GTF_ROWS`), with gene_id.

    Returns
    -------
    Table
        chrom, feature, start (0-based), end, strand, attributes, gene_id (empty where a row
        has none).
    """
    rows = read_rows(path, GTF_ROWS)
    return rows.append_column("gene_id", extract(rows["attributes"], _pattern("gene_id")))


def _tagged(transcripts: str) -> str:
    # A row may carry several `tag` attributes (GENCODE), so it is searched for this very one.
    return rf'(^|[; ])tag "?({TAGS[transcripts]})"?\s*(;|$)'


def _pattern(key: str) -> str:
    return rf'(?:^|[; ]){key} "?(?P<value>[^";]*)'


def transcript_ids(rows: pa.Table, path: Input) -> pa.ChunkedArray:
    """transcript_id, or gene_id where a row has none."""
    ids = extract(rows["attributes"], _pattern("transcript_id"))
    ids = pc.if_else(pc.equal(ids, ""), rows["gene_id"], ids)
    nameless = pc.index(ids, "").as_py()
    if nameless >= 0:
        row = rows.slice(nameless, 1).to_pylist()[0]
        raise GenezipError(
            f"{path} has a {row['feature']} row at {row['chrom']}:{row['start'] + 1}-{row['end']} "
            "without transcript_id and gene_id; if it is GFF3, say so in the format"
        )
    return ids


def _typed(annotation: Annotation, rows: pa.Table) -> Annotation:
    """Types of genes whose transcript rows are missing or name none (NCBI), from other rows."""
    table = annotation.transcripts
    lacking = table["gene_type"] == ""
    if not lacking.any():
        return annotation
    genes = pc.unique(pa.array(table.loc[lacking, "gene_id"]).cast(pa.string()))
    rows = rows.filter(pc.is_in(rows["gene_id"], value_set=genes))
    found = pd.DataFrame({"id": rows["gene_id"].to_pandas(), "type": _types(rows).to_pandas()})
    type_of = found[found["type"] != ""].drop_duplicates("id").set_index("id")["type"]
    if type_of.empty:
        return annotation
    filled = table["gene_type"].where(~lacking, table["gene_id"].map(type_of).fillna(""))
    return replace(annotation, transcripts=table.assign(gene_type=filled))


def _types(rows: pa.Table) -> pa.ChunkedArray:
    kind = extract(rows["attributes"], _pattern("gene_type"))
    ensembl = extract(rows["attributes"], _pattern("gene_biotype"))
    return pc.if_else(pc.equal(kind, ""), ensembl, kind)


def _models(rows: pa.Table, id_column: str) -> pd.DataFrame:
    """Transcript table of transcript or gene rows."""
    attributes = rows["attributes"]
    name = extract(attributes, _pattern("gene_name"))
    return to_frame(
        rows,
        transcript_id=rows[id_column],
        gene_id=rows["gene_id"],
        gene_name=pc.if_else(pc.equal(name, ""), rows["gene_id"], name),
        gene_type=_types(rows),
    )
