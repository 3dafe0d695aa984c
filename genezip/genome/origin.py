"""Circular contigs: what runs over the origin goes on at the first base.

GFF3 marks such a contig by ``Is_circular=true`` on a row that covers it. A feature over the origin
ends beyond the contig (end = overhang + length), or is written as two rows that meet there. While
gene models are put together it is one stretch with an end beyond the contig; at the end it is cut
at the origin, so that every row of an annotation lies inside its contig.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd


def join_at_origin(
    transcripts: pd.DataFrame, parts: pd.DataFrame, circular: Mapping[str, int]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make one stretch of every transcript that is written in two rows around an origin.

    Parameters
    ----------
    transcripts, parts : DataFrame
        chrom, start, end, strand, transcript_id and more, as
        :class:`genezip.genome.gene_models.Rows` holds them.
    circular : mapping
        Circular contig -> its length (bp).

    Returns
    -------
    transcripts, parts : DataFrame
        Transcripts that run over an origin have one row, and their parts behind the origin have
        the length of the contig added.
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
    """Pairs of rows of one transcript of which one ends at an origin and one begins there."""
    length = table["chrom"].map(circular).astype(float)
    before = table[(table["end"] == length) & (table["start"] > 0)]
    behind = table[(table["start"] == 0) & (table["end"] < length)]
    key = ["chrom", "strand", "transcript_id"]
    return before.reset_index().merge(behind.reset_index(), on=key, suffixes=("", "_behind"))


def _joined_without_row(
    transcripts: pd.DataFrame, parts: pd.DataFrame, circular: Mapping[str, int]
) -> pd.DataFrame:
    """Parts that meet at an origin and whose transcript has no row: one side goes behind it.

    The two sides of a transcript are what the longest stretch without a part divides.
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


def cut_at_origin(table: pd.DataFrame, circular: Mapping[str, int]) -> pd.DataFrame:
    """Rows inside their contigs: what ends beyond a circular one goes on at its first base.

    Returns
    -------
    DataFrame
        The columns of ``table``, and ``behind`` (bool): the row is the part behind an origin.
    """
    length = table["chrom"].map(circular).astype("Int64")
    over = ((table["end"] > length) & length.notna()).fillna(False).to_numpy(dtype=bool)
    if not over.any():
        return table.assign(behind=False)
    size = length[over].astype(np.int64)
    long = table[over]
    lap = long["start"] // size * size  # a row may lie behind the origin as a whole
    start, end = long["start"] - lap, long["end"] - lap
    end = end.clip(upper=start + size)  # nothing is covered twice
    first = long.assign(start=start, end=end.clip(upper=size), behind=False)
    second = long.assign(start=0, end=end - size, behind=True)[end > size]
    inside = table[~over].assign(behind=False)
    # rows stay where they were, each with its second half after it
    return pd.concat([inside, first, second]).sort_index(kind="stable").reset_index(drop=True)
