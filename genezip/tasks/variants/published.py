"""Published rank correlations of variant effect, which are not of fitness.

The twelve sets of the dnaHNet paper, 21,250 variants, are folding stabilities of domains of 40 to
72 residues in a recoded sequence, not fitness of native genes: their codons say nothing of the
genes of *E. coli*. So they are shown under another metric than ours.
"""

from genezip.artifacts.published import (
    MODEL_FREE,
    PUBLISHED_VARIANTS,
    REPLICATED_VARIANTS,
    ZERO_SHOT,
    published_values,
    stability_sets,
)
from genezip.artifacts.scores import Row

METRIC = "spearman_of_stability"
_WHAT = "folding stability in recoded sequence, not fitness"


def published_rows() -> list[Row]:
    """Values of the dnaHNet paper by training FLOPs, and of a replication without any model."""
    sets, count = stability_sets()
    rows: list[Row] = []
    table = published_values(ZERO_SHOT, PUBLISHED_VARIANTS)
    for model, flops, value in table[["model", "train_flops", "value"]].itertuples(index=False):
        flops = flops.removesuffix(" reported")
        cells = {"subset": f"mavedb_{sets}_sets", "model": f"{model}, {flops} FLOPs"}
        note = f"{_WHAT}: {sets} sets, {count:,} variants; the kind of mean is not stated"
        rows.append({**cells, "metric": METRIC, "value": value, "note": note})
    table = published_values(MODEL_FREE, REPLICATED_VARIANTS)
    for name, mean, value in table[["baseline", "aggregation", "value"]].itertuples(index=False):
        cells = {"subset": f"mavedb_{sets}_sets", "model": name, "metric": METRIC}
        note = f"{_WHAT}: third-party replication; {mean}"
        rows.append({**cells, "value": value, "note": note})
    return rows
