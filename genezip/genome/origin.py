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
        chrom, start, end, strand, transcript_id and more, as :class:`genezip.genome.genemodel.Rows`
        holds them.
    circular : mapping
        Circular contig -> its length (bp).

    Returns
    -------
    transcripts, parts : DataFrame
        Transcripts that run over an origin have one row, and their parts behind the origin have
        the length of the contig added.
    """
    length = transcripts["chrom"].map(circular)
    if not length.notna().any():
        return transcripts, parts
    before = transcripts[transcripts["end"] == length]
    behind = transcripts[(transcripts["start"] == 0) & length.notna()]
    key = ["chrom", "strand", "transcript_id"]
    met = before.reset_index().merge(behind.reset_index(), on=key, suffixes=("", "_behind"))
    met = met[met["index"] != met["index_behind"]]
    if len(met):
        transcripts = transcripts.copy()
        reach = met["end"] + met["end_behind"]
        transcripts.loc[met["index"], "end"] = reach.to_numpy()
        transcripts = transcripts.drop(index=list(met["index_behind"])).reset_index(drop=True)
    over = transcripts[transcripts["end"] > transcripts["chrom"].map(circular)]
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
    return transcripts, parts


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
