"""Published tables as CSV, the only source of published numbers.

Most are of the GeneZip paper (arXiv 2602.17739v1). Those named ``sister_dnahnet_*`` hold figures of
the dnaHNet paper (arXiv 2602.10603v3) and of a third-party replication, each with its source.
"""

from pathlib import Path

import pandas as pd

from genezip.artifacts.tables import read_tsv

FOLDER = Path(__file__).parent / "paper"


def published_table(name: str) -> Path | None:
    """The CSV of a table (``table3_eqtl``); None where there is none of that name."""
    path = FOLDER / f"{name}.csv"
    return path if path.is_file() else None


def published_values(name: str, task: str) -> pd.DataFrame:
    """The rows of a task in a table with one value per row, as text but for ``value``."""
    todo = "restore the published table"
    table = read_tsv(FOLDER / f"{name}.csv", ("task", "value"), None, todo, todo, separator=",")
    return table[table["task"] == task].astype({"value": float})
