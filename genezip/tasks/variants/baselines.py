"""What is known of an amino-acid variant without a model, each a number with its sign as it is.

``hydropathy`` is that of the mutant minus that of the wild type on the scale of Kyte and Doolittle
(1982), in which a stop codon counts as 0; ``blosum62`` the score of the exchange (Henikoff 1992);
``position`` the number of the residue; ``nucleotide_changes`` minus the fewest changed nucleotides.
"""

import numpy as np
import pandas as pd
from Bio.Align import substitution_matrices
from Bio.SeqUtils.ProtParamData import kd

from genezip.alphabet import encode
from genezip.tasks.essentiality.mixture import Mixture
from genezip.tasks.variants.codons import STOP, changes, nearest

HYDROPATHY, BLOSUM, POSITION = "hydropathy", "blosum62", "position"
CHANGES, MARKOV = "nucleotide_changes", "markov"
BASELINES = (HYDROPATHY, BLOSUM, POSITION, CHANGES, MARKOV)
"""Baselines in the order of the files; ``markov`` is left out without training DNA."""


def baseline_columns(
    table: pd.DataFrame, cds: str, context: str, genetic_code: int, mixture: Mixture | None
) -> pd.DataFrame:
    """One column per baseline, float64.

    Parameters
    ----------
    table : variants with position, wild, mutant and ``codons`` (lists of the codons to be scored)
    context : bases before the coding sequence
    """
    matrix = substitution_matrices.load("BLOSUM62")
    pairs = list(zip(table["wild"], table["mutant"], strict=True))
    codons = [cds[3 * (at - 1) : 3 * at] for at in table["position"]]
    fewest = [
        changes(codon, nearest(codon, mutant, genetic_code))
        for codon, mutant in zip(codons, table["mutant"], strict=True)
    ]
    hydropathy = {**kd, STOP: 0.0}
    columns = {
        HYDROPATHY: [hydropathy[mutant] - hydropathy[wild] for wild, mutant in pairs],
        BLOSUM: [matrix[wild][mutant] for wild, mutant in pairs],
        POSITION: table["position"],
        CHANGES: -np.array(fewest, dtype=np.float64),
    }
    if mixture is not None:
        columns[MARKOV] = markov_scores(table, cds, context, mixture)
    return pd.DataFrame({name: np.asarray(x, np.float64) for name, x in columns.items()})


def markov_scores(table: pd.DataFrame, cds: str, context: str, mixture: Mixture) -> np.ndarray:
    """Log-likelihood of the mutant minus that of the wild type under the Markov model (nats).

    It is the mean over the codons of a variant. Only the codon and the bases behind it within the
    model's context are read.
    """
    whole, reach = encode(context + cds), mixture.model.order
    sequences, first, owner = [], [], []
    for row, (position, codons) in enumerate(zip(table["position"], table["codons"], strict=True)):
        at = len(context) + 3 * (position - 1)
        low, high = max(at - reach, 0), at + 3 + reach
        for codon in [None, *codons]:
            ids = whole[low:high].copy()
            if codon is not None:
                ids[at - low : at - low + 3] = encode(codon)
            sequences.append(ids)
            first.append(at - low)
            owner.append((row, codon is None, len(codons)))
    found = np.zeros(len(table))
    sums = mixture.log_likelihoods(sequences, first)
    for value, (row, wild, count) in zip(sums, owner, strict=True):
        found[row] += -value if wild else value / count
    return found
