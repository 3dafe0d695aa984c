"""A table of coding sequences: tab-separated text with a header, one row per coding sequence.

The columns are found by their names, in any order:

========== ======== =============================================================================
``seqid``  required contig
``start0`` required first base, counted from 0
``end``    required end, not included; beyond the end of a circular contig for a row that crosses
                    its origin
``strand`` required ``+``, ``-``, or ``.`` if unknown
``locus_tag``       id of the gene; its interval where it is empty
``gene``            name of the gene; its id where it is empty
========== ======== =============================================================================

Further columns are ignored. The name of the first column distinguishes the format from others.
"""

import logging

import pandas as pd

from genezip.errors import GenezipError
from genezip.formats.genes.rows import (
    PART_COLUMNS,
    TRANSCRIPT_COLUMNS,
    Rows,
    Transcripts,
    lacks_tag,
    unique_names,
)
from genezip.formats.lines import Input, TextFile, opened
from genezip.formats.tabular import malformed, wrong_interval

logger = logging.getLogger(__name__)

REQUIRED = ("seqid", "start0", "end", "strand")
"""Columns that a table must have."""
OPTIONAL = ("locus_tag", "gene")
"""Columns that are read if there are any."""


def read_cds_table(given: Input, transcripts: Transcripts = "basic") -> Rows:
    """Rows of a table of coding sequences (plain or gzip).

    Every row is a transcript, whose only exon is coding. The table has no tags: basic and all take
    every row, basic with a warning; canonical raises.
    """
    with opened(given) as file:
        if transcripts == "canonical":
            raise lacks_tag(str(file), transcripts)
        table = _read(file)
        if transcripts == "basic":
            logger.warning(
                "%s: a table of CDS has no tags, so all %s rows are used",
                file.name,
                f"{len(table):,}",
            )
    models = table.assign(
        transcript_id=unique_names(table["gene_id"]), gene_type="protein_coding", part=0
    )
    parts = models[[*PART_COLUMNS, "gene_id", "part"]].assign(kind="cds", number=-1)
    models = models[[*TRANSCRIPT_COLUMNS, "part"]]
    return Rows(models, models.iloc[:0], parts)


def _read(file: TextFile) -> pd.DataFrame:
    """chrom, start, end, strand, gene_id and gene_name of every row."""
    rows = file.rows()
    _, header = next(rows, (0, ""))
    columns = header.split("\t")
    lacking = [name for name in REQUIRED if name not in columns]
    if lacking:
        raise GenezipError(
            f"{file} is not a table of CDS: its header lacks {', '.join(lacking)}; name the "
            f"columns {', '.join(REQUIRED)}, with tabs between them, perhaps also "
            f"{' and '.join(OPTIONAL)}"
        )
    found = []
    for number, line in rows:
        fields = line.split("\t")
        if len(fields) != len(columns):
            count = f"it has {len(fields)} tab-separated columns instead of {len(columns)}"
            raise malformed(file, number, count)
        row = dict(zip(columns, fields, strict=True))
        places = (columns.index("start0") + 1, columns.index("end") + 1)
        wrong = wrong_interval(row["start0"], row["end"], first=0, columns=places)
        if wrong is None and row["strand"] not in ("+", "-", "."):
            wrong = f"strand {row['strand']!r} is none of + - ."
        if wrong:
            raise malformed(file, number, wrong)
        gene = row.get("locus_tag") or f"{row['seqid']}:{row['start0']}-{row['end']}{row['strand']}"
        name = row.get("gene") or gene
        found.append((row["seqid"], int(row["start0"]), int(row["end"]), row["strand"], gene, name))
    if not found:
        raise GenezipError(
            f"{file} has no row below its header; name a table with coding sequences"
        )
    return pd.DataFrame(found, columns=["chrom", "start", "end", "strand", "gene_id", "gene_name"])
