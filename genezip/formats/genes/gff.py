"""The nine columns that GTF and GFF3 share."""

import re
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from genezip.errors import GenezipError
from genezip.formats.genes.attributes import Attributes
from genezip.formats.lines import Input, opened
from genezip.formats.tabular import LINE, TabularFormat, wrong_interval

Role = Literal["gene", "transcript", "exon", "cds", "utr", ""]
"""Role of a row in a gene model; empty for a row that has none."""

# exon, noncoding_exon (SGD), pseudogenic_exon, coding_exon, single-exon, ...
_EXON = re.compile(r"(?:.*[_-])?exon")
# UTR, five_prime_UTR, 5UTR, 5'-UTR (AUGUSTUS), 3_prime_utr, UTR5, ...
_UTR = re.compile(r"(?:five|three|[35]|internal)?(?:_?prime)?['_-]*utr|utr_?[35]")
# mRNA, tRNA, SRP_RNA, lnc_RNA, primary_transcript, NMD_transcript_variant, V_gene_segment, ...
_TRANSCRIPT = re.compile(
    r".*rna|(?:.*_)?transcript(?:_variant)?|.*_gene_segment|ribozyme", re.IGNORECASE
)

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


def role(feature: str) -> Role:
    """Role of a feature type: parts by name, genes and transcripts by the end of their names."""
    small = feature.lower()
    if small in ("cds", "stop_codon"):
        return "cds"
    if _EXON.fullmatch(small):
        return "exon"
    if _UTR.fullmatch(small):
        return "utr"
    if small.endswith("gene"):  # gene, pseudogene, ncRNA_gene
        return "gene"
    return "transcript" if _TRANSCRIPT.fullmatch(feature) else ""


def read_features(given: Input, wanted: Callable[[str], bool] | None) -> pa.Table:
    """Rows of a GTF or GFF3 file with 0-based starts; ``wanted`` selects feature types.

    The columns are chrom, feature, start, end, strand, attributes, line (int64, the row's line in
    the file, from 1). An unknown strand (``.``, ``?``) becomes ``.``.
    """

    def keep(batch: pa.RecordBatch) -> pa.RecordBatch:
        if wanted is None:
            return batch
        names = batch["feature"].dictionary.to_pylist()
        chosen = pa.array([name for name in names if wanted(name)], type=pa.string())
        return batch.filter(pc.is_in(batch["feature"].dictionary_decode(), value_set=chosen))

    with opened(given) as file:
        table = _FORMAT.read(file, keep, numbered=True)
        if table.num_rows == 0:
            raise GenezipError(
                f"{file} has no gene, transcript, exon or CDS row; is it GTF or GFF3?"
            )
        start, end = table["start"].to_numpy(), table["end"].to_numpy()
        strand = table["strand"].cast(pa.string())
        known = pc.is_in(strand, value_set=pa.array(_STRANDS))
        if (start < 1).any() or (end < start).any() or not pc.all(known).as_py():
            _FORMAT.explain(file)
    return pa.table(
        {
            "chrom": table["chrom"].cast(pa.string()),
            "feature": table["feature"].cast(pa.string()),
            "start": start - 1,
            "end": end,
            "strand": pc.if_else(pc.equal(strand, "?"), ".", strand),
            "attributes": table["attributes"],
            "line": table[LINE],
        }
    )


def to_frame(table: pa.Table, **columns: Any) -> pd.DataFrame:
    """A DataFrame of chrom, start, end, strand and the given columns."""
    kept = table.select(["chrom", "start", "end", "strand"])
    for name, values in columns.items():
        kept = kept.append_column(name, values if len(values) else pa.array([], pa.string()))
    return kept.to_pandas()


def whole_numbers(values: pa.ChunkedArray, missing: int) -> np.ndarray:
    """Integers from texts (``3``, or ``1/2`` for 1), else ``missing`` (int64, shape (rows,))."""
    digits = pc.struct_field(
        pc.extract_regex(values, r"^(?P<value>[0-9]{1,9})(?:/[0-9]+)?$"), "value"
    )
    return np.asarray(pc.fill_null(pc.cast(digits, pa.int64()), missing), dtype=np.int64)


def declared(attributes: Attributes) -> tuple[np.ndarray, np.ndarray]:
    """Rows that declare trans-splicing (bool), and their part numbers (int64, from 1, else 0).

    ``exception`` names trans-splicing, or ``part`` numbers the row.
    """
    some = attributes.may_have("part", "exception")
    part = np.zeros(len(some), dtype=np.int64)
    spliced = np.zeros(len(some), dtype=bool)
    if some.any():
        asked = attributes.where(some)
        part[some] = whole_numbers(asked.first("part"), 0)
        reason = asked.first("exception")
        spliced[some] = pc.match_substring_regex(reason, r"(?i)trans(?:[-_ ]|%20)?splic")
    return spliced | (part > 0), part


def hulls(rows: pd.DataFrame) -> pd.DataFrame:
    """One interval per transcript_id, contig and strand, from the first to the last base."""
    grouped = rows.groupby(["transcript_id", "chrom", "strand"], as_index=False, observed=True)
    return grouped.agg(start=("start", "min"), end=("end", "max"))


def without_orphans_inside(genes: pd.DataFrame, orphans: pd.DataFrame) -> np.ndarray:
    """True for genes that contain no transcript of unknown gene (bool array, shape (genes,)).

    A gene without rows of its own is a transcript itself, unless a transcript inside it lacks only
    the link to its gene. Both tables have chrom, start, end and strand.
    """
    free = np.ones(len(genes), dtype=bool)
    by_chrom = orphans.groupby("chrom").indices
    for chrom, index in genes.groupby("chrom").indices.items():
        mine = genes.iloc[index]
        there = orphans.iloc[by_chrom.get(chrom, [])]
        for strand in ("+", "-", "."):
            fits = (there["strand"] == strand) | (there["strand"] == ".") | (strand == ".")
            some = there[fits].sort_values("start")
            asked = (mine["strand"] == strand).to_numpy()
            if some.empty or not asked.any():
                continue
            # first end among the orphans that begin at or after the start of the gene
            ends = np.minimum.accumulate(some["end"].to_numpy()[::-1])[::-1]
            first = np.searchsorted(some["start"].to_numpy(), mine["start"].to_numpy()[asked])
            ends = np.append(ends, np.iinfo(np.int64).max)[first]
            free[index[asked]] = ends > mine["end"].to_numpy()[asked]
    return free


def _wrong(fields: list[str]) -> str | None:
    if fields[6] not in _STRANDS:
        return f"strand {fields[6]!r} is none of {' '.join(_STRANDS)} (column 7)"
    return wrong_interval(fields[3], fields[4], first=1, columns=(4, 5))


_FORMAT = TabularFormat(_TYPES, _wrong, fasta=True)
