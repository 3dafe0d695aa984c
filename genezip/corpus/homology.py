"""Measure the sequence that held-out DNA shares with the training segments.

Subtelomeres and other duplications have near-copies on several chromosomes, so holding out a
chromosome does not hold out all its sequence. One table has the shared fraction by chromosome; a
filter drops held-out windows that share too much.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genezip.artifacts.files import write_text
from genezip.artifacts.manifest import file_entries
from genezip.config import Corpus
from genezip.corpus.sampling import PlannedWindow
from genezip.errors import GenezipError
from genezip.genome.assembly import Assembly, Segment
from genezip.genome.kmers import KmerSet, blocks, sampled_kmers, shared_fraction
from genezip.log import Progress

HOMOLOGY_COLUMNS = ("chrom", "counting", "k", "sample", "kmers", "shared", "share")
"""Columns of ``homology.tsv``; see :func:`homology_by_chrom`."""


def homology_by_chrom(assembly: Assembly, settings: Corpus) -> pd.DataFrame:
    """Share of the k-mers of held-out segments that also occur in training segments.

    A k-mer and its reverse complement are the same. All bases of the training segments count,
    whether a training window covers them or not.

    Parameters
    ----------
    settings : ``homology_k``, and ``homology_sample`` n: one k-mer in n is used, selected by its
        hash (:func:`genezip.genome.kmers.mixed`) alike in every sequence; 1 is exact

    Returns
    -------
    DataFrame
        chrom (held-out chromosome, or ``all``); counting (``positions``: a repeat counts as often
        as it occurs; ``distinct``: once); k; sample; kmers, shared (k-mers used, and those of them
        that occur in training); share (shared / kmers, empty without k-mers). The table is empty
        if ``homology_k`` is null. A sample has all copies of a repeat or none, so the share of
        positions varies more than the share of distinct k-mers.
    """
    k, sample = settings.homology_k, settings.homology_sample
    rows: list[dict[str, Any]] = []
    if k is None:
        return pd.DataFrame(rows, columns=list(HOMOLOGY_COLUMNS))
    heldout: dict[str, list[np.ndarray]] = {}
    for segment, ids in _blocks_of(assembly, "test", k, f"{k}-mers of the held-out segments"):
        heldout.setdefault(segment.chrom, []).append(sampled_kmers(ids, k, sample))
    by_chrom = {chrom: np.concatenate(parts) for chrom, parts in heldout.items()}
    none = np.zeros(0, dtype=np.uint64)
    mine = KmerSet(np.concatenate([none, *by_chrom.values()]))
    training = _blocks_of(assembly, "train", k, f"{k}-mers of the training segments")
    seen = mine.occurring(sampled_kmers(ids, k, sample) for _, ids in training)
    counts = np.zeros(len(mine), dtype=np.int64)
    for chrom in sorted(by_chrom):
        index, _ = mine.positions(by_chrom[chrom])
        of_chrom = np.bincount(index, minlength=len(mine))
        counts += of_chrom
        rows += _rows(chrom, of_chrom, seen, k, sample)
    rows += _rows("all", counts, seen, k, sample)
    return pd.DataFrame(rows, columns=list(HOMOLOGY_COLUMNS))


def _rows(
    chrom: str, counts: np.ndarray, seen: np.ndarray, k: int, sample: int
) -> Iterator[dict[str, Any]]:
    """Rows for both ways of counting; ``counts`` is the number of copies of each k-mer."""
    for counting, weight in (("positions", counts), ("distinct", np.minimum(counts, 1))):
        kmers, shared = int(weight.sum()), int(weight[seen].sum())
        share = shared / kmers if kmers else None
        values = (chrom, counting, k, sample, kmers, shared, share)
        yield dict(zip(HOMOLOGY_COLUMNS, values, strict=True))


def _blocks_of(
    assembly: Assembly, split: str, k: int, what: str
) -> Iterator[tuple[Segment, np.ndarray]]:
    """Yield token ids of all segments of a split in blocks that overlap by k - 1."""
    segments = assembly.segments_of(split)
    with Progress(what, sum(segment.length for segment in segments), "bp") as shown:
        for segment in segments:
            for start, end in blocks(segment.length, k):
                yield segment, assembly.ids(segment, segment.start + start, segment.start + end)
                shown.advance(end - start - k + 1)
            shown.advance(min(k - 1, segment.length))


def filter_homologous(
    windows: list[PlannedWindow], assembly: Assembly, settings: Corpus
) -> tuple[list[PlannedWindow], pd.DataFrame]:
    """Drop held-out windows that share too many k-mers with the training segments.

    All k-mers are counted, not a sample. Dropping every window raises.

    All bases of the training segments count, whether a training window covers them or not.
    Nothing is dropped where ``homology_k`` or ``homology_max_shared`` is null.

    Returns
    -------
    kept : list of PlannedWindow
    table : DataFrame, one row per window
        chrom, start, end, piece, kmers (positions without N), shared_fraction, dropped (bool).
        Without the filter nothing is counted: kmers and shared_fraction are 0.
    """
    table = pd.DataFrame(
        {
            "chrom": [window.segment.chrom for window in windows],
            "start": [window.start for window in windows],
            "end": [window.end for window in windows],
            "piece": [window.segment.name for window in windows],
        }
    )
    k, most = settings.homology_k, settings.homology_max_shared
    if k is None or most is None:
        return windows, table.assign(kmers=0, shared_fraction=0.0, dropped=False)
    what = "comparing held-out windows with the training segments"
    training = (ids for _, ids in _blocks_of(assembly, "train", k, what))
    ids = [assembly.ids(window.segment, window.start, window.end) for window in windows]
    shared, kmers = shared_fraction(ids, training, k)
    dropped = shared > most
    if dropped.all():
        raise GenezipError(
            f"the corpus is left with no held-out window: all {len(windows)} share more than "
            f"{most:g} of their {k}-mers with training segments; choose "
            "other chromosomes in genome.test or a larger corpus.homology_max_shared"
        )
    kept = [window for window, is_out in zip(windows, dropped, strict=True) if not is_out]
    return kept, table.assign(kmers=kmers, shared_fraction=shared, dropped=dropped)


def write_tables(folder: Path, homology: pd.DataFrame, settings: Corpus) -> list[dict[str, Any]]:
    """Write ``dropped.tsv`` and, with the filter on, ``heldout_homology.tsv``.

    Their manifest entries (path, rows, bytes, sha256) are returned.
    """
    out = homology.assign(dropped=homology["dropped"].astype(int))
    tables = {"dropped.tsv": out[homology["dropped"]].drop(columns="dropped")}
    if settings.homology_k is not None and settings.homology_max_shared is not None:
        tables["heldout_homology.tsv"] = out
    for name, table in tables.items():
        text = table.to_csv(sep="\t", index=False, float_format="%.6f")
        write_text(folder / name, text)
    entries = file_entries(folder, tables)
    return [{"path": e["path"], "rows": len(tables[e["path"]]), **e} for e in entries]
