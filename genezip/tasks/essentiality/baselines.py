"""What is known of a gene without a model: length, composition, operon, distance to the origin.

Every baseline is a number per gene that is larger for genes it calls essential, with the sign fixed
beforehand: longer, richer in G and C, knocked out at a higher cost to a Markov model, with more
neighbours in its operon, nearer to the origin of replication.
"""

import numpy as np
import pandas as pd

from genezip.alphabet import C_ID, G_ID, encode, is_base
from genezip.genome.coding import bases_of
from genezip.tasks.essentiality.genes import Genes
from genezip.tasks.essentiality.knockout import STOP_IDS
from genezip.tasks.essentiality.mixture import Mixture

LENGTH, GC_WINDOW, GC_GENE = "gene_length", "gc_window", "gc_gene"
MARKOV, OPERON, ORIGIN, CONSTANT = "markov", "operon", "origin_distance", "constant"
BASELINES = (LENGTH, GC_WINDOW, GC_GENE, MARKOV, OPERON, ORIGIN, CONSTANT)
"""Baselines in the order of the files; ``markov`` is left out without training DNA."""
INITIATOR = "dnaa"  # lower-case name of the gene beside the origin of replication


def baseline_columns(
    table: pd.DataFrame, genes: Genes, mixture: Mixture | None, operon_gap_bp: int
) -> pd.DataFrame:
    """One column per baseline, float64, for windows of :mod:`genezip.tasks.essentiality.knockout`.

    Neighbours are all genes with a coding sequence, whether they have labels or not.
    """
    windows = [encode(text) for text in table["window"]]
    places = table[["chrom", "start", "end", "strand"]].itertuples(index=False)
    own = [bases_of(genes.contigs[chrom], *place) for chrom, *place in places]
    names = ["chrom", "gene_id"]
    keys = genes.coding.table[names].itertuples(index=False, name=None)
    neighbours = dict(zip(keys, operon_neighbours(genes, operon_gap_bp), strict=True))
    columns = {
        LENGTH: np.log2(table["end"] - table["start"]),
        GC_WINDOW: [gc(ids) for ids in windows],
        GC_GENE: [gc(ids) for ids in own],
        MARKOV: markov_scores(windows, table["site"].to_numpy(), mixture),
        OPERON: [neighbours[key] for key in table[names].itertuples(index=False, name=None)],
        ORIGIN: -origin_distance(table, genes),
        CONSTANT: np.zeros(len(table)),
    }
    if mixture is None:
        del columns[MARKOV]
    return pd.DataFrame({name: np.asarray(x, np.float64) for name, x in columns.items()})


def gc(ids: np.ndarray) -> float:
    """Share of G and C among the A, C, G and T of a sequence; 0.5 without any."""
    known = int(is_base(ids).sum())
    return float(((ids == C_ID) | (ids == G_ID)).sum() / known) if known else 0.5


def markov_scores(
    windows: list[np.ndarray], sites: np.ndarray, mixture: Mixture | None
) -> np.ndarray:
    """Log-probability of every window minus that of its knock-out under the Markov model (nats).

    Only the bases that the stop codons can change are read: those of the site and as many behind
    it as the model's context is long.
    """
    if mixture is None:
        return np.zeros(0)
    reach = mixture.model.order
    plain, knocked, first = [], [], []
    for ids, site in zip(windows, sites, strict=True):
        low, high = max(site - reach, 0), site + len(STOP_IDS) + reach
        changed = ids.copy()
        changed[site : site + len(STOP_IDS)] = STOP_IDS
        plain.append(ids[low:high])
        knocked.append(changed[low:high])
        first.append(int(site - low))
    return mixture.log_likelihoods(plain, first) - mixture.log_likelihoods(knocked, first)


def operon_neighbours(genes: Genes, gap_bp: int) -> np.ndarray:
    """Neighbours on the same strand with a gap below ``gap_bp`` (or an overlap): 0, 1 or 2.

    The result is float64, in the order of the coding sequences. On a circular contig the last gene
    is a neighbour of the first.
    """
    table = genes.coding.table
    found = np.zeros(len(table))
    for chrom, own in table.groupby("chrom", sort=False):
        rows = own.index.to_numpy()[np.argsort(own["start"].to_numpy(), kind="stable")]
        start, end, strand = (table.loc[rows, key].to_numpy() for key in ("start", "end", "strand"))
        after = np.append(start[1:], start[:1] + len(genes.contigs[str(chrom)]))
        joined = (after - end < gap_bp) & (strand == np.roll(strand, -1))
        if str(chrom) not in genes.organism.circular or len(rows) < 2:
            joined[-1] = False
        found[rows] = joined.astype(float) + np.roll(joined, 1)
    return found


def origin_distance(table: pd.DataFrame, genes: Genes) -> np.ndarray:
    """Distance (bp) of each gene's middle to dnaA, or to the first base of its contig.

    It is the shorter way round a circular contig. The contig begins at the origin in most
    annotated genomes, which serves contigs without a gene of that name.
    """
    named = genes.coding.table[genes.coding.table["name"].str.lower() == INITIATOR]
    origin = dict(zip(named["chrom"], named["start"], strict=True))
    middle = (table["start"] + table["end"]).to_numpy() // 2
    lengths = np.array([len(genes.contigs[chrom]) for chrom in table["chrom"]], dtype=np.int64)
    start = np.array([origin.get(chrom, 0) for chrom in table["chrom"]], dtype=np.int64)
    apart = np.abs(middle % np.maximum(lengths, 1) - start)
    around = np.array([chrom in genes.organism.circular for chrom in table["chrom"]], dtype=bool)
    return np.where(around, np.minimum(apart, lengths - apart), apart)
