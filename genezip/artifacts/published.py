"""Published tables as CSV, the only source of published numbers.

Most are of the GeneZip paper (arXiv 2602.17739v1). Those named ``sister_dnahnet_*`` hold figures of
the dnaHNet paper (arXiv 2602.10603v3) and of a third-party replication, each with its source.
"""

from pathlib import Path

import pandas as pd

from genezip.artifacts.tables import read_tsv

FOLDER = Path(__file__).parent / "paper"
ZERO_SHOT, MODEL_FREE = "sister_dnahnet_zero_shot", "sister_dnahnet_modelfree_baselines"
STABILITY_SETS = "sister_dnahnet_mavedb_sets"
PUBLISHED_GENES, PUBLISHED_VARIANTS = "gene_essentiality_DEG", "protein_variant_effect_MaveDB_Ecoli"
"""Tasks in the table of the dnaHNet paper."""
REPLICATED_GENES, REPLICATED_VARIANTS = "gene_essentiality", "variant_effect"
"""The same tasks in the table of the third-party replication."""


def published_table(name: str) -> Path | None:
    """The CSV of a table (``table3_eqtl``); None where there is none of that name."""
    path = FOLDER / f"{name}.csv"
    return path if path.is_file() else None


def published_values(name: str, task: str) -> pd.DataFrame:
    """The rows of a task in a table with one value per row, as text but for ``value``."""
    todo = "restore the published table"
    table = read_tsv(FOLDER / f"{name}.csv", ("task", "value"), None, todo, todo, separator=",")
    return table[table["task"] == task].astype({"value": float})


def stability_sets() -> tuple[int, int]:
    """Number of the variant sets that are thought to be the dnaHNet paper's, and of variants."""
    todo = "restore the published table"
    path = FOLDER / f"{STABILITY_SETS}.csv"
    table = read_tsv(path, ("urn", "variants"), (), todo, todo, separator=",")
    return len(table), int(table["variants"].sum())
