"""Windows of genes with their knock-out: stop codons in place of codons near the start.

The 15 bases that begin 12 (or 15) bases after the first base of the start codon are replaced by
``TAATAATAATAGTGA``: five codons in frame, so the length is kept. A window is in the orientation of
its gene. In the genetic code 4, where TGA is tryptophan, the first four codons still stop.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from genezip import config
from genezip.alphabet import decode, encode
from genezip.genome.coding import window_around
from genezip.genome.organisms import Organism
from genezip.inference.changes import Change

STOPS = "TAATAATAATAGTGA"
STOP_IDS = encode(STOPS)

SHORT, OUTSIDE = "shorter_than_the_site", "site_outside_the_window"


@dataclass(frozen=True)
class Windows:
    """Windows of genes.

    Attributes
    ----------
    table : rows of the genes whose site lies in their window, with ``window`` (str) and ``site``
        (first base of the stop codons in the window, 0-based)
    dropped : reason -> number of other genes
    """

    table: pd.DataFrame
    dropped: dict[str, int]


def gene_windows(
    genes: pd.DataFrame,
    contigs: dict[str, np.ndarray],
    organism: Organism,
    settings: config.Essentiality,
) -> Windows:
    """Windows of coding sequences.

    Parameters
    ----------
    genes : chrom, start, end, strand, as of :mod:`genezip.genome.coding`
    contigs : whole contigs as token ids; windows wrap on circular ones and are shifted inwards on
        linear ones
    """
    kept, windows, sites = [], [], []
    dropped = dict.fromkeys((SHORT, OUTSIDE), 0)
    columns = ["chrom", "start", "end", "strand"]
    for row, (chrom, start, end, strand) in enumerate(genes[columns].itertuples(index=False)):
        if end - start < settings.offset + len(STOPS):
            dropped[SHORT] += 1
            continue
        circular = chrom in organism.circular
        found = window_around(
            contigs[chrom], start, end, settings.window_bp, strand, circular, settings.upstream_bp
        )
        site = found.offset + settings.offset
        if site < 0 or site + len(STOPS) > len(found.ids):
            dropped[OUTSIDE] += 1
            continue
        kept.append(row)
        windows.append(decode(found.ids).decode())
        sites.append(site)
    table = genes.iloc[kept].reset_index(drop=True)
    table["window"] = pd.Series(windows, dtype=str)
    table["site"] = np.array(sites, dtype=np.int64)
    return Windows(table, {reason: n for reason, n in dropped.items() if n})


def knock_out(site: int) -> Change:
    """The change of a window whose stop codons begin at ``site``."""
    return Change(site, STOP_IDS)
