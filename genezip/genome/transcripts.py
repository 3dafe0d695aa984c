"""Which transcripts of an annotation count: by tag, and by the type of their gene."""

from collections.abc import Sequence
from typing import Literal

from genezip.errors import GenezipError
from genezip.genome.gene_models import Annotation, among

Transcripts = Literal["basic", "all", "canonical"]
"""Value of ``regions.transcripts``."""

TAGS: dict[str, tuple[str, ...]] = {
    "basic": ("basic", "gencode_basic"),
    "canonical": ("Ensembl_canonical", "MANE_Select", "MANE Select"),
}
"""Tags that mark a choice: Ensembl since release 113 and NCBI spell them in their own ways."""

_MOST_TYPES = 8  # named in a message


def lacks_tag(name: object, transcripts: str) -> GenezipError:
    """The error for a file in which nothing is tagged as asked."""
    tags = '"basic"' if transcripts == "basic" else '"Ensembl_canonical" or "MANE_Select"'
    return GenezipError(
        f"{name} has no row with tag {tags}; set regions.transcripts: all to use all transcripts"
    )


def of_types(annotation: Annotation, gene_types: Sequence[str] | None) -> Annotation:
    """Only the genes of some types, with their transcripts and parts.

    Parameters
    ----------
    annotation : Annotation
    gene_types : sequence of str or None
        As the file spells them (``protein_coding``); None keeps all.

    Raises
    ------
    GenezipError
        For a type that no gene has.
    """
    if gene_types is None:
        return annotation
    table = annotation.transcripts
    counts = table.loc[table["gene_type"] != "", "gene_type"].value_counts()
    for wanted in gene_types:
        if wanted not in counts.index:
            shown = ", ".join(counts.index[:_MOST_TYPES]) or "no type at all"
            more = f" and {len(counts) - _MOST_TYPES} more" if len(counts) > _MOST_TYPES else ""
            raise GenezipError(
                f"no gene of {annotation.name} is of the type {wanted!r}, which "
                f"regions.gene_types lists; the file has {shown}{more}"
            )
    chosen = table[table["gene_type"].isin(list(gene_types))]
    tables = {
        key: part[among(part["transcript_id"], chosen["transcript_id"])].reset_index(drop=True)
        for key, part in annotation.tables().items()
        if key != "transcripts"
    }
    return annotation.with_tables(transcripts=chosen.reset_index(drop=True), **tables)
