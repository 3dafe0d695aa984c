"""Published rank correlations of variant effect, which are not of fitness.

The twelve sets of the dnaHNet paper, 21,250 variants, are folding stabilities of domains of 40 to
72 residues in a recoded sequence, not fitness of native genes: their codons say nothing of the
genes of *E. coli*. So they are shown under another metric than ours.
"""

from genezip.artifacts.published import FOLDER, published_values
from genezip.artifacts.scores import Row
from genezip.artifacts.tables import read_tsv

SETS = "sister_dnahnet_mavedb_sets"
METRIC = "spearman_of_stability"
_WHAT = "folding stability in recoded sequence, not fitness"


def published_rows() -> list[Row]:
    """Values of the dnaHNet paper by training FLOPs, and of a replication without any model."""
    from genezip.tasks.essentiality.published import MODEL_FREE, ZERO_SHOT

    sets, count = stability_sets()
    rows: list[Row] = []
    table = published_values(ZERO_SHOT, "protein_variant_effect_MaveDB_Ecoli")
    for model, flops, value in table[["model", "train_flops", "value"]].itertuples(index=False):
        flops = flops.removesuffix(" reported")
        cells = {"subset": f"mavedb_{sets}_sets", "model": f"{model}, {flops} FLOPs"}
        note = f"{_WHAT}: {sets} sets, {count:,} variants; the kind of mean is not stated"
        rows.append({**cells, "metric": METRIC, "value": value, "note": note})
    table = published_values(MODEL_FREE, "variant_effect")
    for name, mean, value in table[["baseline", "aggregation", "value"]].itertuples(index=False):
        cells = {"subset": f"mavedb_{sets}_sets", "model": name, "metric": METRIC}
        note = f"{_WHAT}: third-party replication; {mean}"
        rows.append({**cells, "value": value, "note": note})
    return rows


def stability_sets() -> tuple[int, int]:
    """Number of the sets that are thought to be the paper's, and of their variants."""
    todo = "restore the published table"
    table = read_tsv(FOLDER / f"{SETS}.csv", ("urn", "variants"), (), todo, todo, separator=",")
    return len(table), int(table["variants"].sum())
