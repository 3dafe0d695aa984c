"""The nine columns that GTF and GFF3 share."""

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from genezip.errors import GenezipError
from genezip.genome.lines import Input, opened
from genezip.genome.tabular import LINE, explain, read_table, wrong_interval

EXON_ROWS = frozenset({"exon", "pseudogenic_exon"})
CDS_ROWS = frozenset({"CDS", "stop_codon"})
UTR_ROWS = frozenset(
    {
        "UTR",
        "five_prime_utr",
        "three_prime_utr",
        "five_prime_UTR",
        "three_prime_UTR",
        "5UTR",
        "3UTR",
    }
)
PART_ROWS = EXON_ROWS | CDS_ROWS | UTR_ROWS

_NAME = pa.dictionary(pa.int32(), pa.string())
_TYPES = {
    "chrom": _NAME,
    "source": None,
    "feature": _NAME,
    "start": pa.int64(),
    "end": pa.int64(),
    "score": None,
    "strand": _NAME,
    "frame": None,
    "attributes": pa.string(),
}
_STRANDS = ("+", "-", ".", "?")


def read_rows(given: Input, features: frozenset[str] | None) -> pa.Table:
    """Rows of a GTF or GFF3 file with 0-based starts.

    Parameters
    ----------
    given : str, Path or TextFile
        Plain or gzip; a file or a pipe.
    features : frozenset of str or None
        Feature types to keep; None keeps all.

    Returns
    -------
    Table
        chrom, feature, start, end, strand, attributes, line (int64, the row's line in the file,
        from 1). An unknown strand (``.``, ``?``) reads ``+``.

    Raises
    ------
    GenezipError
        For a missing, truncated, empty or malformed file, the last with line and column.
    """
    wanted = None if features is None else pa.array(sorted(features))

    def keep(batch: pa.RecordBatch) -> pa.RecordBatch:
        if wanted is None:
            return batch
        return batch.filter(pc.is_in(batch["feature"].dictionary_decode(), value_set=wanted))

    with opened(given) as file:
        table = read_table(file, _TYPES, _wrong, keep, fasta=True, numbered=True)
        if table.num_rows == 0:
            raise GenezipError(
                f"{file} has no gene, transcript, exon or CDS row; is it GTF or GFF3?"
            )
        start, end = table["start"].to_numpy(), table["end"].to_numpy()
        strand = table["strand"].cast(pa.string())
        known = pc.is_in(strand, value_set=pa.array(_STRANDS))
        if (start < 1).any() or (end < start).any() or not pc.all(known).as_py():
            explain(file, _TYPES, _wrong, fasta=True)
    return pa.table(
        {
            "chrom": table["chrom"].cast(pa.string()),
            "feature": table["feature"].cast(pa.string()),
            "start": start - 1,
            "end": end,
            "strand": pc.if_else(pc.equal(strand, "-"), "-", "+"),
            "attributes": table["attributes"],
            "line": table[LINE],
        }
    )


def extract(attributes: pa.ChunkedArray, pattern: str) -> pa.ChunkedArray:
    """First match of a pattern with one group named ``value``; empty where there is none."""
    found = pc.struct_field(pc.extract_regex(attributes, pattern), "value")
    return pc.fill_null(found, "")


def to_frame(table: pa.Table, **columns: pa.ChunkedArray) -> pd.DataFrame:
    """chrom, start, end, strand of rows and further columns, as a DataFrame."""
    kept = table.select(["chrom", "start", "end", "strand"])
    for name, values in columns.items():
        kept = kept.append_column(name, values)
    return kept.to_pandas()


def _wrong(fields: list[str]) -> str | None:
    if fields[6] not in _STRANDS:
        return f"strand {fields[6]!r} is none of {' '.join(_STRANDS)} (column 7)"
    return wrong_interval(fields[3], fields[4], first=1, columns=(4, 5))
