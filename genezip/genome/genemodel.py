"""Gene models as four tables, and the rules that complete what a file leaves out.

Annotation files differ in what they spell out: some have no UTR rows, some no transcript
rows, prokaryotic ones no exon rows. The rules here fill the gaps once, so that the region
map sees the same four tables whatever the format.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from genezip.genome.intervals import flatten_by_priority

PART_COLUMNS = ["chrom", "start", "end", "strand", "transcript_id"]
TRANSCRIPT_COLUMNS = [*PART_COLUMNS, "gene_id", "gene_name", "gene_type"]


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
    """

    transcripts: pd.DataFrame
    exons: pd.DataFrame
    cds: pd.DataFrame
    utr: pd.DataFrame
    name: str

    def tables(self) -> dict[str, pd.DataFrame]:
        """The four tables by name."""
        return {
            "transcripts": self.transcripts,
            "exons": self.exons,
            "cds": self.cds,
            "utr": self.utr,
        }

    def tss(self) -> pd.DataFrame:
        """Transcription start sites.

        Returns
        -------
        DataFrame
            chrom, position, strand, transcript_id; one row per transcript. The position is
            0-based: the start on ``+`` (and where the strand is unknown), end - 1 on ``-``.
        """
        table = self.transcripts
        position = np.where(table["strand"] == "-", table["end"] - 1, table["start"])
        return pd.DataFrame(
            {
                "chrom": table["chrom"],
                "position": position.astype(np.int64),
                "strand": table["strand"],
                "transcript_id": table["transcript_id"],
            }
        )


def complete(
    name: str,
    transcripts: pd.DataFrame,
    genes: pd.DataFrame,
    exons: pd.DataFrame,
    cds: pd.DataFrame,
    utr: pd.DataFrame,
) -> Annotation:
    """Fill what a file leaves out.

    1. A part that names a gene instead of one of its transcripts goes to the first of them.
    2. A transcript with CDS or UTR rows but no exon row: those rows are its exons.
    3. A coding transcript without UTR rows: UTR = its exons outside its CDS.
    4. A gene of ``genes``: the gene is the transcript.
    5. Exons whose transcript has no row: the transcript is their span.
    6. A transcript without any row of its own: one exon (small RNAs, pseudogenes).

    Parameters
    ----------
    name : str
        Name of the set.
    transcripts : DataFrame
        :data:`TRANSCRIPT_COLUMNS`.
    genes : DataFrame
        :data:`TRANSCRIPT_COLUMNS`: only the genes that have no transcript row in the file.
    exons, cds, utr : DataFrame
        :data:`PART_COLUMNS` and gene_id.
    """
    exons, cds, utr = (_of_transcripts(table, transcripts) for table in (exons, cds, utr))
    coding = pd.concat([cds, utr], ignore_index=True)
    exons = pd.concat([exons, coding[_lacks(coding, exons)]], ignore_index=True)
    bare = cds[_lacks(cds, utr)]
    derived = exons_outside_cds(exons[~_lacks(exons, bare)], bare)
    utr = pd.concat([utr, derived], ignore_index=True)

    parts = {"exons": exons, "cds": cds, "utr": utr}
    for key, table in parts.items():
        of_gene = among(table["gene_id"], genes["gene_id"])
        parts[key] = table.assign(
            transcript_id=table["transcript_id"].where(~of_gene, table["gene_id"])
        )
    transcripts = pd.concat([transcripts, genes], ignore_index=True)
    orphans = parts["exons"][_lacks(parts["exons"], transcripts)]
    transcripts = pd.concat([transcripts, _spans(orphans)], ignore_index=True)
    single = transcripts[_lacks(transcripts, parts["exons"])]
    parts["exons"] = pd.concat([parts["exons"], single], ignore_index=True)
    whole = {"start": np.int64, "end": np.int64}  # empty tables lose their types on the way
    return Annotation(
        transcripts=transcripts[TRANSCRIPT_COLUMNS].astype(whole),
        name=name,
        **{key: table[PART_COLUMNS].astype(whole) for key, table in parts.items()},
    )


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
    """Move parts that name a gene to the first transcript of that gene."""
    lost = _lacks(parts, transcripts) & among(parts["transcript_id"], transcripts["gene_id"])
    if not lost.any():
        return parts
    first = transcripts.drop_duplicates("gene_id").set_index("gene_id")["transcript_id"]
    moved = parts["transcript_id"].where(~lost, parts["transcript_id"].map(first))
    return parts.assign(transcript_id=moved)


def _lacks(table: pd.DataFrame, other: pd.DataFrame) -> np.ndarray:
    """True for rows whose transcript has no row in ``other``."""
    return ~among(table["transcript_id"], other["transcript_id"])


def _spans(parts: pd.DataFrame) -> pd.DataFrame:
    """One transcript per transcript_id, from its first to its last base."""
    grouped = parts.groupby(["chrom", "transcript_id"], sort=False, as_index=False)
    spans = grouped.agg(
        start=("start", "min"),
        end=("end", "max"),
        strand=("strand", "first"),
        gene_id=("gene_id", "first"),
    )
    return spans.assign(gene_name=spans["gene_id"], gene_type="")[TRANSCRIPT_COLUMNS]
