"""Gene models as four tables, and the rules that complete what a file leaves out.

Annotation files differ in what they spell out: some have no UTR rows, some no transcript
rows, prokaryotic ones no exon rows. The rules here fill the gaps once, so that the region
map sees the same four tables whatever the format.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from genezip.genome.intervals import flatten_by_priority
from genezip.genome.loci import split_loci, unique_names
from genezip.genome.origin import cut_at_origin, join_at_origin

PART_COLUMNS = ["chrom", "start", "end", "strand", "transcript_id"]
TRANSCRIPT_COLUMNS = [*PART_COLUMNS, "gene_id", "gene_name", "gene_type"]


@dataclass(frozen=True)
class Rows:
    """What the rows of an annotation file say, the same for all formats.

    Attributes
    ----------
    transcripts : DataFrame
        :data:`TRANSCRIPT_COLUMNS` and ``part`` (number of a trans-spliced part, else 0); ids may
        repeat, a strand may be ``.``.
    genes : DataFrame
        The same columns: genes that have no transcript in the file and stand for themselves;
        ``transcript_id`` is ``gene_id``.
    parts : DataFrame
        :data:`PART_COLUMNS`, gene_id, kind (exon, cds, utr), number (of the exon, else -1),
        part. ``transcript_id`` is empty where a part names only a gene. Stop codons are cds.
    spliced : frozenset of str
        Transcript and gene ids that are declared to be trans-spliced.
    circular : mapping
        Circular contig -> its length (bp).
    """

    transcripts: pd.DataFrame
    genes: pd.DataFrame
    parts: pd.DataFrame
    spliced: frozenset[str] = frozenset()
    circular: Mapping[str, int] = field(default_factory=dict)


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
        What the set is called in messages.
    continuations : frozenset of str
        Ids of transcript rows that continue another one and have no TSS: later parts of a
        trans-spliced transcript, what lies beyond the origin of a circular contig.
    circular : mapping
        Contig -> its length (bp), of the contigs that the file calls circular.
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


def complete(name: str, rows: Rows) -> Annotation:
    """Gene models of the rows of a file, with what the file leaves out.

    1. A part that names a gene, and no transcript, goes to the transcript of the gene that holds
       most of such parts; of equals to the longest; to the gene if it has none.
    2. One id may be several transcripts (:mod:`genezip.genome.loci`).
    3. Exons whose transcript has no row: the transcript is their span.
    4. A transcript with CDS or UTR rows but no exon row: those rows are its exons.
    5. A coding transcript without UTR rows: UTR = its exons outside its CDS.
    6. A transcript without any part: one exon (small RNAs, pseudogenes).
    7. What runs over the origin of a circular contig goes on at its first base.

    The order of the rows does not matter, and rows that say nothing new change nothing.
    """
    transcripts = pd.concat([rows.transcripts, rows.genes], ignore_index=True)
    parts = _of_transcripts(rows.parts, transcripts)
    transcripts, parts = join_at_origin(transcripts, parts, rows.circular)
    loci = split_loci(transcripts, parts, rows.spliced)
    transcripts, parts = loci.transcripts, loci.parts
    exons, cds, utr = (parts[parts["kind"] == kind] for kind in ("exon", "cds", "utr"))
    coding = pd.concat([cds, utr], ignore_index=True)
    exons = pd.concat([exons, coding[_lacks(coding, exons)]], ignore_index=True)
    bare = cds[_lacks(cds, utr)]
    derived = exons_outside_cds(exons[~_lacks(exons, bare)], bare)
    utr = pd.concat([utr, derived], ignore_index=True)
    single = transcripts[_lacks(transcripts, exons)]
    exons = pd.concat([exons, single], ignore_index=True)
    whole = {"start": np.int64, "end": np.int64}  # empty tables lose their types on the way
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


def _cut_at_origin(annotation: Annotation) -> Annotation:
    """Cut what runs over an origin; the half that holds the TSS keeps the id of a transcript."""
    if not annotation.circular:
        return annotation
    tables = {
        key: cut_at_origin(table, annotation.circular) for key, table in annotation.tables().items()
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


def exons_outside_cds(exons: pd.DataFrame, cds: pd.DataFrame) -> pd.DataFrame:
    """UTR of coding transcripts: exon bases that their own CDS does not cover.

    Both tables hold the same transcripts (chrom, transcript_id). All transcripts are laid
    on one long line, each with a stretch of its own, and one sweep does them all.
    """
    if len(exons) == 0:
        return exons.iloc[:0]
    together = pd.concat([exons, cds], ignore_index=True)
    owner = together.groupby(["chrom", "transcript_id"], sort=False).ngroup().to_numpy()
    stretch = int(together["end"].max()) + 1  # + 1 keeps neighbours from touching
    starts = together["start"].to_numpy() + owner * stretch
    ends = together["end"].to_numpy() + owner * stretch
    n = len(exons)
    lo, hi, label = flatten_by_priority(
        [(starts[n:], ends[n:]), (starts[:n], ends[:n])], 0, int(ends.max()), fill=2
    )
    lo, hi = lo[label == 1], hi[label == 1]
    first = np.unique(owner[:n], return_index=True)
    row = first[1][np.searchsorted(first[0], lo // stretch)]
    utr = exons.iloc[row].reset_index(drop=True)
    return utr.assign(start=lo % stretch, end=hi - lo // stretch * stretch)


def among(ids: pd.Series, known: pd.Series) -> np.ndarray:
    """True where an id is one of the known ones.

    Arrow does it, because pandas' ``isin`` of strings goes through Python objects: 10 s on
    a genome.
    """
    values = pc.unique(pa.array(known).cast(pa.large_string()))
    found = pc.is_in(pa.array(ids).cast(pa.large_string()), value_set=values)
    return np.asarray(found, dtype=bool)


def _of_transcripts(parts: pd.DataFrame, transcripts: pd.DataFrame) -> pd.DataFrame:
    """Give parts that name only a gene to one of its transcripts, or to the gene."""
    lost = (parts["transcript_id"] == "").to_numpy()
    if not lost.any():
        return parts
    told = pd.concat([transcripts, parts[~lost]], ignore_index=True)
    told = told[among(told["gene_id"], parts["gene_id"][lost])]
    place = ["gene_id", "chrom"]
    hulls = told.groupby([*place, "transcript_id"], as_index=False).agg(
        first=("start", "min"), last=("end", "max")
    )
    hulls = hulls.assign(length=hulls["last"] - hulls["first"])
    held = parts.loc[lost, [*place, "start", "end"]].merge(hulls, on=place)
    inside = held[["end", "last"]].min(axis=1) - held[["start", "first"]].max(axis=1)
    held = held.assign(held=inside.clip(lower=0))
    score = held.groupby([*place, "transcript_id", "first", "length"])["held"].sum().reset_index()
    best = score.sort_values(
        ["held", "length", "first", "transcript_id"], ascending=[False, False, True, True]
    ).drop_duplicates(place)
    found = parts[place].merge(best[[*place, "transcript_id"]], on=place, how="left")
    owner = found["transcript_id"].set_axis(parts.index).astype(parts["gene_id"].dtype)
    moved = parts["transcript_id"].where(~lost, owner.where(owner.notna(), parts["gene_id"]))
    return parts.assign(transcript_id=moved)


def _lacks(table: pd.DataFrame, other: pd.DataFrame) -> np.ndarray:
    """True for rows whose transcript has no row in ``other``."""
    return ~among(table["transcript_id"], other["transcript_id"])
