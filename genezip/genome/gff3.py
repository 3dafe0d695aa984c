"""Gene models from GFF3, where rows form a tree by ID and Parent.

What a row is follows from its place in the tree rather than from a list of transcript
types: NCBI, SGD, Ensembl and GENCODE use mRNA, tRNA, SRP_RNA, V_gene_segment and dozens
more, and bacteria hang CDS rows on genes.
"""

from collections.abc import Sequence
from urllib.parse import unquote

import pandas as pd

from genezip.genome.genemodel import TRANSCRIPT_COLUMNS, Annotation, among, complete
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


def read_gff3(
    path: Input,
    transcripts: Transcripts = "basic",
    gene_types: Sequence[str] | None = None,
) -> Annotation:
    """Gene models of a GFF3 file (plain or gzip).

    A transcript is a row that exon, CDS or UTR rows name as Parent, or any child of a gene;
    a gene without such a child is its own transcript. Parts that name no parent stand for
    themselves, grouped by ID. What is not spelt out is completed as in
    :func:`genezip.genome.genemodel.complete`.

    Parameters
    ----------
    path : str or Path
    transcripts : basic, all or canonical
        Keep only transcripts tagged ``basic`` if the file (GENCODE) has that tag at all;
        everything; or transcripts tagged ``Ensembl_canonical`` or ``MANE_Select``.
    gene_types : sequence of str or None
        Only genes of these types (``gene_type``, ``gene_biotype`` or ``biotype``); None takes
        all.

    Raises
    ------
    GenezipError
        For a missing, truncated, empty or malformed file, or a tag or type that is asked for
        and that the file lacks.
    """
    rows = read_rows(path, None)
    frame = to_frame(
        rows,
        feature=rows["feature"],
        id=extract(rows["attributes"], _pattern("ID")),
        parent=extract(rows["attributes"], _pattern("Parent")),
        attributes=rows["attributes"],
    )
    is_part = frame["feature"].isin(PART_ROWS)
    parts = _parts(frame[is_part])
    nodes = frame[~is_part & (frame["id"] != "")]
    is_gene = nodes["feature"].str.endswith("gene")  # gene, pseudogene, ncRNA_gene
    genes, others = nodes[is_gene], nodes[~is_gene]
    wanted = among(others["id"], parts["transcript_id"]) | among(others["parent"], genes["id"])
    chosen = others[wanted]
    chosen = chosen.assign(gene_id=_gene_of(chosen))
    genes = genes.assign(gene_id=genes["id"])
    models = _models(chosen, genes)
    alone = _models(genes[~among(genes["id"], models["gene_id"])], genes)

    known = pd.concat([models, alone]).drop_duplicates("transcript_id")
    gene_of = known.set_index("transcript_id")["gene_id"]
    own = parts["transcript_id"].map(gene_of)
    parts = parts.assign(gene_id=own.fillna(parts["transcript_id"]))
    if transcripts != "all":
        has_tag = frame["attributes"].str.contains(_tagged(transcripts), regex=True)
        if has_tag.any():
            tagged = frame.loc[has_tag, "id"]
            models = models[among(models["transcript_id"], tagged)]
            alone = alone.iloc[:0]
            parts = parts[among(parts["transcript_id"], tagged)]
        elif transcripts == "canonical":
            raise lacks_tag(path, transcripts)

    def of(features: frozenset[str]) -> pd.DataFrame:
        return parts[parts["feature"].isin(features)].drop(columns="feature")

    annotation = complete(name_of(path), models, alone, of(EXON_ROWS), of(CDS_ROWS), of(UTR_ROWS))
    return of_types(annotation, gene_types)


def _tagged(transcripts: str) -> str:
    return rf"(?:^|;)\s*tag=(?:[^;]*,)?(?:{TAGS[transcripts]})(?:[,;]|$)"


def _pattern(key: str) -> str:
    return rf"(?:^|;)\s*{key}=(?P<value>[^;]*)"


def _parts(rows: pd.DataFrame) -> pd.DataFrame:
    """Exon, CDS and UTR rows, one per parent; without a parent the row's own ID, or its place."""
    owner = rows["parent"].where(rows["parent"] != "", rows["id"])
    place = rows["chrom"] + ":" + rows["start"].astype(str) + "-" + rows["end"].astype(str)
    owner = owner.where(owner != "", place)
    table = rows[["chrom", "start", "end", "strand", "feature"]]
    table = table.assign(transcript_id=owner.str.split(","))
    return table.explode("transcript_id", ignore_index=True)


def _gene_of(transcripts: pd.DataFrame) -> pd.Series:
    """Gene of a transcript: its parent, or the parent's parent (a miRNA in its precursor)."""
    parent = transcripts["parent"].str.split(",").str[0]
    parent = parent.where(parent != "", transcripts["id"])
    known = transcripts.drop_duplicates("id").set_index("id")["parent"]
    above = parent.map(known).fillna("")
    return above.where((above != "") & (parent != transcripts["id"]), parent)


def _models(rows: pd.DataFrame, genes: pd.DataFrame) -> pd.DataFrame:
    """Transcript table; name and type are those of the gene row."""
    described = pd.DataFrame(
        {
            "name": _first_of(genes, "gene_name", "gene", "Name"),
            "kind": _first_of(genes, "gene_type", "gene_biotype", "biotype"),
            "id": genes["id"],
        }
    )
    by_id = described.drop_duplicates("id").set_index("id")
    name = rows["gene_id"].map(by_id["name"]).fillna("")
    return rows.assign(
        transcript_id=rows["id"],
        gene_name=name.where(name != "", rows["gene_id"]).map(unquote),
        gene_type=rows["gene_id"].map(by_id["kind"]).fillna(""),
    )[TRANSCRIPT_COLUMNS]


def _first_of(rows: pd.DataFrame, *keys: str) -> pd.Series:
    """The first of several attributes that a row has, else an empty string."""
    found = pd.Series("", index=rows.index)
    for key in reversed(keys):
        value = rows["attributes"].str.extract(_pattern(key))["value"]
        found = value.where(value.notna(), found)
    return found
