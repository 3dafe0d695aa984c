"""Gene models as four tables, completed from an annotation file of any format.

Some annotation files have no UTR rows, some no transcript rows, prokaryotic ones no exon rows.
:func:`complete` fills these gaps, so that the region map gets the same tables from all formats.

GFF3 marks a circular contig by ``Is_circular=true`` on a row that covers it. A feature across the
origin ends beyond the contig (end = overhang + length), or is written as two rows that meet there.
While gene models are built it is one interval that ends beyond the contig; at the end it is cut at
the origin, so that every row of an annotation lies inside its contig.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from genezip.errors import GenezipError
from genezip.formats.genes import FORMATS, annotation_format
from genezip.formats.genes.rows import (
    PART_COLUMNS,
    TRANSCRIPT_COLUMNS,
    Rows,
    Transcripts,
    among,
    unique_names,
)
from genezip.formats.input_file import is_pipe, shown_path
from genezip.formats.lines import Input, TextFile, name_of
from genezip.genome.intervals import flatten_by_priority
from genezip.genome.loci import split_loci

_MOST_TYPES = 8  # listed in a message


@dataclass(frozen=True)
class Annotation:
    """Gene models of one annotation set (0-based, half-open, genome coordinates).

    Attributes
    ----------
    transcripts : DataFrame
        chrom, start, end, strand, transcript_id, gene_id, gene_name, gene_type.
    exons, cds, utr : DataFrame
        chrom, start, end, strand, transcript_id. Stop codons are part of ``cds``.
    name : str
        Name of the set in messages.
    continuations : frozenset of str
        Ids of transcript rows that continue another row and have no TSS: later parts of a
        trans-spliced transcript, and parts beyond the origin of a circular contig.
    circular : mapping
        Circular contig -> its length (bp).
    """

    transcripts: pd.DataFrame
    exons: pd.DataFrame
    cds: pd.DataFrame
    utr: pd.DataFrame
    name: str
    continuations: frozenset[str] = frozenset()
    circular: Mapping[str, int] = field(default_factory=dict)

    def tables(self) -> dict[str, pd.DataFrame]:
        """The four tables by name."""
        return {
            "transcripts": self.transcripts,
            "exons": self.exons,
            "cds": self.cds,
            "utr": self.utr,
        }

    def with_tables(self, **tables: pd.DataFrame) -> "Annotation":
        """The same annotation with other rows in some of its tables."""
        return replace(self, **tables)  # type: ignore[arg-type]

    def tss(self) -> pd.DataFrame:
        """Transcription start sites.

        Returns
        -------
        DataFrame
            chrom, position, strand, transcript_id; one row per transcript, none for
            ``continuations``. The position is 0-based: the start on ``+`` (and where the strand
            is unknown), end - 1 on ``-``.
        """
        table = self.transcripts
        if self.continuations:
            later = table["transcript_id"].isin(self.continuations)
            table = table[~later].reset_index(drop=True)
        position = np.where(table["strand"] == "-", table["end"] - 1, table["start"])
        return pd.DataFrame(
            {
                "chrom": table["chrom"],
                "position": position.astype(np.int64),
                "strand": table["strand"],
                "transcript_id": table["transcript_id"],
            }
        )


def read_gene_models(
    path: Input,
    format: str | None = None,
    transcripts: Transcripts = "basic",
    gene_types: Sequence[str] | None = None,
    circular: Mapping[str, int] | None = None,
) -> Annotation:
    """Gene models of a file.

    Parameters
    ----------
    path : str, Path or TextFile
        Plain or gzip; a file or a pipe.
    format : str, optional
        gtf, gff3, bed12, genbank or cds (a table of coding sequences); by default inferred from
        the file name, which a pipe does not have.
    transcripts : basic, all or canonical
        As ``regions.transcripts``.
    gene_types : sequence of str or None
        Only genes of these types; None takes all.
    circular : mapping, optional
        Circular contig, as the file names it -> its length (bp); None takes what the file says.

    Raises
    ------
    GenezipError
        For an unknown format, a damaged file, or a tag or type that the file lacks.
    """
    if format is None:
        if not isinstance(path, TextFile) and is_pipe(Path(path)):
            raise GenezipError(
                f"{shown_path(Path(path))} is a pipe, so its format cannot be inferred; add "
                f"--format {', '.join(FORMATS)}"
            )
        format = annotation_format(path.name if isinstance(path, TextFile) else path)
    if format not in FORMATS:
        raise GenezipError(f"{format!r} is not an annotation format; use {', '.join(FORMATS)}")
    rows = FORMATS[format].read(path, transcripts)
    if circular is not None:
        rows = replace(rows, circular=circular)
    return of_types(complete(name_of(path), rows), gene_types)


def no_genes(name: str) -> Annotation:
    """Gene models of DNA without annotation: no row in any table."""
    transcripts, parts = (
        pd.DataFrame({column: [] for column in columns}).astype(
            {column: np.int64 if column in ("start", "end") else object for column in columns}
        )
        for columns in (TRANSCRIPT_COLUMNS, PART_COLUMNS)
    )
    return Annotation(transcripts, parts, parts, parts, name)


def complete(name: str, rows: Rows) -> Annotation:
    """Gene models of the rows of a file, after inferring what the file leaves out.

    1. A part with a gene but no transcript belongs to the transcript of the gene that contains
       most bases of such parts; ties go to the longest; without transcripts, to the gene.
    2. One id may be several transcripts (:mod:`genezip.genome.loci`).
    3. Exons whose transcript has no row: the transcript is their span.
    4. A transcript with CDS or UTR rows but no exon row: those rows are its exons.
    5. A coding transcript without UTR rows: UTR = its exons outside its CDS.
    6. A transcript without any part: one exon (small RNAs, pseudogenes).
    7. A transcript without a gene type gets the type from other rows of its gene.
    8. A feature across the origin of a circular contig continues at its first base.

    Neither the order of the rows nor duplicate rows change the result.
    """
    transcripts = pd.concat([rows.transcripts, rows.genes], ignore_index=True)
    parts = _of_transcripts(rows.parts, transcripts)
    transcripts, parts = _join_at_origin(transcripts, parts, rows.circular)
    loci = split_loci(transcripts, parts, rows.spliced)
    transcripts, parts = loci.transcripts, loci.parts
    if rows.types:
        stated = transcripts["gene_type"]
        known = transcripts["gene_id"].map(dict(rows.types)).fillna("")
        transcripts = transcripts.assign(gene_type=stated.where(stated != "", known))
    exons, cds, utr = (parts[parts["kind"] == kind] for kind in ("exon", "cds", "utr"))
    coding = pd.concat([cds, utr], ignore_index=True)
    exons = pd.concat([exons, coding[_lacks(coding, exons)]], ignore_index=True)
    bare = cds[_lacks(cds, utr)]
    derived = exons_outside_cds(exons[~_lacks(exons, bare)], bare)
    utr = pd.concat([utr, derived], ignore_index=True)
    single = transcripts[_lacks(transcripts, exons)]
    exons = pd.concat([exons, single], ignore_index=True)
    whole = {"start": np.int64, "end": np.int64}  # empty tables have lost their types
    annotation = Annotation(
        transcripts=transcripts[TRANSCRIPT_COLUMNS].astype(whole),
        exons=exons[PART_COLUMNS].astype(whole),
        cds=cds[PART_COLUMNS].astype(whole).reset_index(drop=True),
        utr=utr[PART_COLUMNS].astype(whole),
        name=name,
        continuations=loci.continuations,
        circular=rows.circular,
    )
    return _cut_at_origin(annotation)


def of_types(annotation: Annotation, gene_types: Sequence[str] | None) -> Annotation:
    """The annotation of genes of some types, as spelled in the file; None keeps all genes."""
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


def exons_outside_cds(exons: pd.DataFrame, cds: pd.DataFrame) -> pd.DataFrame:
    """UTR of coding transcripts: exon bases that the CDS of the transcript does not cover.

    Both tables have the same transcripts (chrom, transcript_id). Each transcript is shifted to its
    own stretch of one long line, so that a single sweep handles all of them.
    """
    if len(exons) == 0:
        return exons.iloc[:0]
    together = pd.concat([exons, cds], ignore_index=True)
    owner = together.groupby(["chrom", "transcript_id"], sort=False).ngroup().to_numpy()
    stretch = int(together["end"].max()) + 1  # + 1 keeps neighbours from touching
    starts = together["start"].to_numpy() + owner * stretch
    ends = together["end"].to_numpy() + owner * stretch
    n = len(exons)
    lo, hi, layer = flatten_by_priority(
        [(starts[n:], ends[n:]), (starts[:n], ends[:n])], 0, int(ends.max()), fill=2
    )
    lo, hi = lo[layer == 1], hi[layer == 1]
    first = np.unique(owner[:n], return_index=True)
    row = first[1][np.searchsorted(first[0], lo // stretch)]
    utr = exons.iloc[row].reset_index(drop=True)
    return utr.assign(start=lo % stretch, end=hi - lo // stretch * stretch)


def _of_transcripts(parts: pd.DataFrame, transcripts: pd.DataFrame) -> pd.DataFrame:
    """Assign parts that have only a gene to one of its transcripts, or to the gene itself."""
    lost = (parts["transcript_id"] == "").to_numpy()
    if not lost.any():
        return parts
    known = pd.concat([transcripts, parts[~lost]], ignore_index=True)
    known = known[among(known["gene_id"], parts["gene_id"][lost])]
    keys = ["gene_id", "chrom"]
    hulls = known.groupby([*keys, "transcript_id"], as_index=False).agg(
        first=("start", "min"), last=("end", "max")
    )
    hulls = hulls.assign(length=hulls["last"] - hulls["first"])
    held = parts.loc[lost, [*keys, "start", "end"]].merge(hulls, on=keys)
    inside = held[["end", "last"]].min(axis=1) - held[["start", "first"]].max(axis=1)
    held = held.assign(held=inside.clip(lower=0))
    score = held.groupby([*keys, "transcript_id", "first", "length"])["held"].sum().reset_index()
    best = score.sort_values(
        ["held", "length", "first", "transcript_id"], ascending=[False, False, True, True]
    ).drop_duplicates(keys)
    found = parts[keys].merge(best[[*keys, "transcript_id"]], on=keys, how="left")
    owner = found["transcript_id"].set_axis(parts.index).astype(parts["gene_id"].dtype)
    moved = parts["transcript_id"].where(~lost, owner.where(owner.notna(), parts["gene_id"]))
    return parts.assign(transcript_id=moved)


def _lacks(table: pd.DataFrame, other: pd.DataFrame) -> np.ndarray:
    """True for rows whose transcript has no row in ``other``."""
    return ~among(table["transcript_id"], other["transcript_id"])


def _join_at_origin(
    transcripts: pd.DataFrame, parts: pd.DataFrame, circular: Mapping[str, int]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Join every transcript that is written as two rows around an origin.

    Transcripts across an origin get one row, and the length of the contig is added to their parts
    behind the origin.
    """
    if not circular:
        return transcripts, parts
    met = _meet(transcripts, circular)
    if len(met):
        transcripts = transcripts.copy()
        reach = met["end"] + met["end_behind"]
        transcripts.loc[met["index"], "end"] = reach.to_numpy()
        transcripts = transcripts.drop(index=list(met["index_behind"])).reset_index(drop=True)
    over = transcripts[transcripts["end"] > transcripts["chrom"].map(circular).astype(float)]
    if len(over) and len(parts):
        hull = over.drop_duplicates("transcript_id").set_index("transcript_id")
        mine = parts["transcript_id"].isin(hull.index)
        some = parts[mine]
        reach = some["transcript_id"].map(hull["end"])
        lap = some["chrom"].map(circular).fillna(0)
        begin = some["transcript_id"].map(hull["start"])
        behind_it = (some["start"] < begin) & (some["end"] + lap <= reach)
        shift = pd.Series(0, index=parts.index)
        shift[mine] = lap.where(behind_it, 0).astype(np.int64)
        parts = parts.assign(start=parts["start"] + shift, end=parts["end"] + shift)
    return transcripts, _joined_without_row(transcripts, parts, circular)


def _meet(table: pd.DataFrame, circular: Mapping[str, int]) -> pd.DataFrame:
    """Pairs of rows of one transcript, one ending at an origin and one beginning there."""
    length = table["chrom"].map(circular).astype(float)
    before = table[(table["end"] == length) & (table["start"] > 0)]
    behind = table[(table["start"] == 0) & (table["end"] < length)]
    key = ["chrom", "strand", "transcript_id"]
    return before.reset_index().merge(behind.reset_index(), on=key, suffixes=("", "_behind"))


def _joined_without_row(
    transcripts: pd.DataFrame, parts: pd.DataFrame, circular: Mapping[str, int]
) -> pd.DataFrame:
    """Parts, with one side of each transcript without a row shifted behind the origin it meets.

    The longest gap between the parts of a transcript divides its two sides.
    """
    orphans = parts[~parts["transcript_id"].isin(transcripts["transcript_id"])]
    met = _meet(orphans, circular).drop_duplicates(["chrom", "strand", "transcript_id"])
    if met.empty:
        return parts
    start, end = parts["start"].to_numpy().copy(), parts["end"].to_numpy().copy()
    for chrom, strand, name in zip(met["chrom"], met["strand"], met["transcript_id"], strict=True):
        same = (parts["chrom"] == chrom) & (parts["transcript_id"] == name)
        mine = np.flatnonzero(same & parts["strand"].isin([strand, "."]))
        mine = mine[np.argsort(start[mine], kind="stable")]
        reached = np.maximum.accumulate(end[mine])
        first = int(np.argmax(start[mine][1:] - reached[:-1])) + 1
        start[mine[:first]] += circular[chrom]
        end[mine[:first]] += circular[chrom]
    return parts.assign(start=start, end=end)


def _cut_at_origin(annotation: Annotation) -> Annotation:
    """Cut rows at origins; the half of a transcript with the TSS keeps its id."""
    if not annotation.circular:
        return annotation
    tables = {
        key: _cut_rows(table, annotation.circular) for key, table in annotation.tables().items()
    }
    table = tables["transcripts"]
    behind = table.pop("behind").to_numpy()
    halved = table["transcript_id"].isin(table["transcript_id"][behind]).to_numpy()
    later = halved & (behind == (table["strand"] != "-").to_numpy())
    first = pd.concat([table["transcript_id"][~later], table["transcript_id"][later]])
    names = pd.Series(unique_names(first), index=first.index).sort_index()
    whole = annotation.continuations
    new = set(names[later]) | set(names[table["transcript_id"].isin(whole)])
    tables["transcripts"] = table.assign(transcript_id=names.astype(table["transcript_id"].dtype))
    for key in ("exons", "cds", "utr"):
        tables[key] = tables[key].drop(columns="behind")
    return replace(annotation.with_tables(**tables), continuations=frozenset(new))


def _cut_rows(table: pd.DataFrame, circular: Mapping[str, int]) -> pd.DataFrame:
    """Rows cut to their contigs; a row beyond a circular one continues at its first base.

    The column ``behind`` (bool) is added: whether the row is the part behind an origin.
    """
    length = table["chrom"].map(circular).astype("Int64")
    over = ((table["end"] > length) & length.notna()).fillna(False).to_numpy(dtype=bool)
    if not over.any():
        return table.assign(behind=False)
    size = length[over].astype(np.int64)
    long = table[over]
    lap = long["start"] // size * size  # a row may lie wholly behind the origin
    start, end = long["start"] - lap, long["end"] - lap
    end = end.clip(upper=start + size)  # at most one lap
    first = long.assign(start=start, end=end.clip(upper=size), behind=False)
    second = long.assign(start=0, end=end - size, behind=True)[end > size]
    inside = table[~over].assign(behind=False)
    # the order of rows stays, each second half after its first
    return pd.concat([inside, first, second]).sort_index(kind="stable").reset_index(drop=True)
