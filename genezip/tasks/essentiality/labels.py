"""Labels of genes, 1 for essential and 0 for others, and their genes in an annotation."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from genezip.artifacts.tables import read_tsv
from genezip.errors import GenezipError
from genezip.genome.names import first_names

logger = logging.getLogger(__name__)

LABEL, LOCUS, NAME = "essential", "locus_tag", "gene"
UNREAD = ("seqid", "start0", "end", "strand", "deg_accessions")
"""Columns that a table may have besides and that are not read."""
PREFIXES = ("gene-", "gene:")
"""What RefSeq and Ensembl write before the locus tag in the id of a gene."""
LEAST_FOUND = 0.5  # share of the labelled genes; fewer are labels of another genome
_ADVICE = ("fetch the labels first", "correct the table")


@dataclass(frozen=True)
class Labels:
    """Labels joined to the genes of an annotation.

    Attributes
    ----------
    of_gene : gene id -> 1 (essential) or 0
    unknown : names of labelled genes that the annotation lacks, in the order of the table
    """

    of_gene: Mapping[str, int]
    unknown: list[str]


def read_labels(path: str | Path) -> pd.DataFrame:
    """Read a table of labels.

    It is a TSV with the column ``essential`` (0 or 1) and ``locus_tag``, ``gene`` or both; other
    columns than :data:`UNREAD` are refused, because an unknown one may be the label that is meant.

    Returns
    -------
    DataFrame with locus_tag and gene (str, empty where missing) and essential (int64)
    """
    table = read_tsv(path, (LABEL,), (LOCUS, NAME, LABEL), *_ADVICE)
    known = (LOCUS, NAME, LABEL, *UNREAD)
    odd = [str(name) for name in table.columns if name not in known]
    if odd:
        raise GenezipError(
            f"{path} has the unknown column {', '.join(odd)}; a table of labels has {LABEL}, and "
            f"{LOCUS}, {NAME} or both"
        )
    if LOCUS not in table and NAME not in table:
        raise GenezipError(f"{path} names no genes; give the column {LOCUS} or {NAME}")
    for column in (LOCUS, NAME):
        given = table[column] if column in table else pd.Series("", index=table.index)
        table[column] = given.fillna("").astype(str).str.strip()
    wrong = ~table[LABEL].isin(["0", "1"]) | ((table[LOCUS] == "") & (table[NAME] == ""))
    if wrong.any():
        row = table[wrong].iloc[0]
        raise GenezipError(
            f"line {int(wrong.to_numpy().argmax()) + 2} of {path} has the label {row[LABEL]!r} for "
            f"the gene {row[LOCUS] or row[NAME]!r}; give a gene and 0 or 1"
        )
    return table[[LOCUS, NAME]].assign(**{LABEL: table[LABEL].astype(int)})


def bare(gene_id: str) -> str:
    """The locus tag in the id of a gene."""
    for prefix in PREFIXES:
        if gene_id.startswith(prefix):
            return gene_id.removeprefix(prefix)
    return gene_id


def join_labels(path: str | Path, table: pd.DataFrame, genes: pd.DataFrame) -> Labels:
    """Find the gene of every label by locus tag, else by a name that one gene alone has.

    Parameters
    ----------
    path : file of the labels, for messages
    table : of :func:`read_labels`
    genes : genes of the annotation, with or without coding sequence: gene_id, name
    """
    genes = genes.drop_duplicates("gene_id")
    by_locus = {bare(name): name for name in genes["gene_id"]}
    once = genes.drop_duplicates("name", keep=False)
    by_name = dict(zip(once["name"], once["gene_id"], strict=True))
    of_gene: dict[str, int] = {}
    unknown = []
    for locus, name, label in table[[LOCUS, NAME, LABEL]].itertuples(index=False):
        gene = by_locus.get(locus) or by_name.get(locus) or by_name.get(name) or by_locus.get(name)
        if gene is None:
            unknown.append(locus or name)
        elif of_gene.setdefault(gene, label) != label:
            raise GenezipError(
                f"{path} has the gene {locus or name} twice, as essential and as not; keep one"
            )
    if len(unknown) > (1 - LEAST_FOUND) * len(table) or not len(table):
        raise GenezipError(
            f"{len(unknown):,} of {len(table):,} genes of {path} are not in the annotation "
            f"({first_names(unknown)}); give the labels of this organism"
        )
    if unknown:
        logger.warning(
            f"{path}: {len(unknown):,} of {len(table):,} labelled genes are not in the annotation "
            f"and are left out ({first_names(unknown)})"
        )
    return Labels(of_gene, unknown)
