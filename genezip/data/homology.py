"""The homology filter: held-out windows that share sequence with the training pieces.

Subtelomeres and other duplications put near-copies of one stretch on several chromosomes, so
holding out a chromosome does not hold out its sequence. Every held-out window is listed with
its shared fraction, whether it is dropped or not.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genezip import provenance
from genezip.config import Corpus
from genezip.errors import GenezipError
from genezip.genome.assembly import Assembly
from genezip.genome.kmers import blocks, shared_fraction
from genezip.genome.windows import Placement


def filter_homologous(
    windows: list[Placement],
    assembly: Assembly,
    settings: Corpus,
    progress: Callable[[str, int, int], None],
) -> tuple[list[Placement], pd.DataFrame]:
    """Drop held-out windows that share too many k-mers with the training pieces.

    Parameters
    ----------
    windows : held-out windows
    assembly : Assembly
        All bases of its training pieces count, whether a training window covers them or not.
    settings : config.Corpus
        ``homology_k`` and ``homology_max_shared``.
    progress : callable (stage, done, total)

    Returns
    -------
    kept : list of Placement
    table : DataFrame, one row per window
        chrom, start, end, piece, kmers (positions without N), shared_fraction, dropped (bool).

    Raises
    ------
    GenezipError
        If no window is left.
    """
    table = pd.DataFrame(
        {
            "chrom": [placed.piece.chrom for placed in windows],
            "start": [placed.start for placed in windows],
            "end": [placed.end for placed in windows],
            "piece": [placed.piece.name for placed in windows],
        }
    )
    k = settings.homology_k
    if k is None:
        return windows, table.assign(kmers=0, shared_fraction=0.0, dropped=False)
    train = list(assembly.pieces_of("train"))
    total = sum(piece.length for piece in train)

    def training() -> Iterator[np.ndarray]:
        done = 0
        for piece in train:
            for start, end in blocks(piece.length, k):
                progress("comparing with the training pieces (bp)", done, total)
                yield assembly.ids(piece, piece.start + start, piece.start + end)
                done += end - start - k + 1
        progress("comparing with the training pieces (bp)", total, total)

    ids = [assembly.ids(placed.piece, placed.start, placed.end) for placed in windows]
    shared, kmers = shared_fraction(ids, training(), k)
    dropped = shared > settings.homology_max_shared
    if dropped.all():
        raise GenezipError(
            f"the corpus is left with no held-out window: all {len(windows)} share more than "
            f"{settings.homology_max_shared:g} of their {k}-mers with training pieces; choose "
            "other chromosomes in genome.test or a larger corpus.homology_max_shared"
        )
    kept = [placed for placed, is_out in zip(windows, dropped, strict=True) if not is_out]
    return kept, table.assign(kmers=kmers, shared_fraction=shared, dropped=dropped)


def write_tables(folder: Path, homology: pd.DataFrame, settings: Corpus) -> list[dict[str, Any]]:
    """Write ``dropped.tsv`` and ``heldout_homology.tsv``; return their manifest entries."""
    out = homology.assign(dropped=homology["dropped"].astype(int))
    tables = {"dropped.tsv": out[homology["dropped"]].drop(columns="dropped")}
    if settings.homology_k is not None:
        tables["heldout_homology.tsv"] = out
    for name, table in tables.items():
        table.to_csv(folder / name, sep="\t", index=False, float_format="%.6f")
    return [
        {
            "path": name,
            "rows": len(table),
            "bytes": (folder / name).stat().st_size,
            "sha256": provenance.sha256_file(folder / name),
        }
        for name, table in tables.items()
    ]
