"""Published AUROCs of essential genes, which are of other organisms than ours."""

from genezip.artifacts.published import (
    MODEL_FREE,
    PUBLISHED_GENES,
    REPLICATED_GENES,
    ZERO_SHOT,
    published_values,
)
from genezip.artifacts.scores import Row

_PAPER = "62 DEG bacteria, windows of 8,192 bp; macro or pooled is not stated"
_REPLICATED = "third-party replication, 53 organisms and 183,974 genes"


def published_rows() -> list[Row]:
    """Values of the dnaHNet paper by training FLOPs, and of a replication without any model."""
    rows: list[Row] = []
    table = published_values(ZERO_SHOT, PUBLISHED_GENES)
    for model, flops, value in table[["model", "train_flops", "value"]].itertuples(index=False):
        cells = {"subset": "deg_62_organisms", "model": f"{model}, {flops} FLOPs"}
        rows.append({**cells, "metric": "auroc", "value": value, "note": _PAPER})
    table = published_values(MODEL_FREE, REPLICATED_GENES)
    for name, mean, value in table[["baseline", "aggregation", "value"]].itertuples(index=False):
        cells = {"subset": f"deg_53_organisms_{mean}", "model": name, "metric": "auroc"}
        rows.append({**cells, "value": value, "note": f"{_REPLICATED}; {mean}"})
    return rows
