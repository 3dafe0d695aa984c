"""Gene models from GTF: GENCODE, Ensembl, RefSeq and what assemblers write."""

from pathlib import Path

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

# A row may carry several `tag` attributes (GENCODE), so the filter looks for this very one.
_BASIC = r'(^|[; ])tag "?basic"?\s*(;|$)'


def read_gtf(path: str | Path, basic_only: bool = True) -> Annotation:
    """Gene models of a GTF file (plain or gzip).

    Gene rows carry no ``basic`` tag, so the filter keeps the transcript, exon, CDS and UTR
    rows that do. Stop codons count as CDS. GENCODE names of UTR rows (``UTR``) and Ensembl
    names (``five_prime_utr``, ``three_prime_utr``) are understood; what is not spelt out is
    completed as in :func:`genezip.genome.genemodel.complete`.

    Parameters
    ----------
    path : str or Path
    basic_only : bool
        Keep only what is tagged ``basic``.

    Raises
    ------
    GenezipError
        For a missing, truncated or malformed file, rows without any id, or a file without
        the basic tag where it is asked for.
    """
    rows = read_rows(path, PART_ROWS | {"gene", "transcript"})
    gene_id = extract(rows["attributes"], _pattern("gene_id"))
    rows = rows.append_column("gene_id", gene_id)
    is_gene = pc.equal(rows["feature"], "gene")
    is_transcript = pc.equal(rows["feature"], "transcript")
    # decided before the filter: a gene whose transcripts are all filtered out stays out
    with_transcripts = pc.unique(rows["gene_id"].filter(is_transcript))
    genes = rows.filter(
        pc.and_(is_gene, pc.invert(pc.is_in(rows["gene_id"], value_set=with_transcripts)))
    )
    rows = rows.filter(pc.invert(is_gene))
    if basic_only:
        rows = rows.filter(pc.match_substring_regex(rows["attributes"], _BASIC))
        if rows.num_rows == 0:
            raise GenezipError(
                f'{path} has no row with tag "basic"; set regions.basic_only: false to use all '
                "transcripts"
            )
        genes = genes.filter(pc.is_in(genes["gene_id"], value_set=pc.unique(rows["gene_id"])))
    rows = rows.append_column("transcript_id", _transcript_ids(rows, path))

    def parts(features: frozenset[str]) -> pd.DataFrame:
        chosen = rows.filter(pc.is_in(rows["feature"], value_set=pa.array(sorted(features))))
        return to_frame(chosen, transcript_id=chosen["transcript_id"], gene_id=chosen["gene_id"])

    return complete(
        Path(path).name,
        _models(rows.filter(pc.equal(rows["feature"], "transcript")), "transcript_id"),
        _models(genes, "gene_id"),
        exons=parts(EXON_ROWS),
        cds=parts(CDS_ROWS),
        utr=parts(UTR_ROWS),
    )


def _pattern(key: str) -> str:
    return rf'(?:^|[; ]){key} "?(?P<value>[^";]*)'


def _transcript_ids(rows: pa.Table, path: str | Path) -> pa.ChunkedArray:
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


def _models(rows: pa.Table, id_column: str) -> pd.DataFrame:
    """Transcript table of transcript or gene rows."""
    attributes = rows["attributes"]
    name = extract(attributes, _pattern("gene_name"))
    kind = extract(attributes, _pattern("gene_type"))
    ensembl = extract(attributes, _pattern("gene_biotype"))
    return to_frame(
        rows,
        transcript_id=rows[id_column],
        gene_id=rows["gene_id"],
        gene_name=pc.if_else(pc.equal(name, ""), rows["gene_id"], name),
        gene_type=pc.if_else(pc.equal(kind, ""), ensembl, kind),
    )
