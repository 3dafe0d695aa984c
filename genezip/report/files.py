"""Reading result files; what is wrong with one is one sentence."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd

from genezip.artifacts.manifest import Kind
from genezip.artifacts.scores import ScoreTable
from genezip.artifacts.tables import read_tsv

LEAKAGE_COLUMNS = ("check", "split", "against", "windows", "bp", "touched_bp", "verdict")
HOMOLOGY_COLUMNS = ("chrom", "counting", "k", "sample", "kmers", "share")
TASK_TABLES = ("table2_contact_map", "table3_eqtl", "table7_etgp", "tisp", "rsap")
TABLE5_COLUMNS = ("corpus", "split", "region", "pct", "paper_pct", "difference_pct")
_TEXT = ("split", "region", "strand", "model", "chrom", "gene_name")
_ANY = Kind("JSON object", None, "run the stage that writes it first", "write it again")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of whatever kind; a missing or damaged file is one sentence."""
    value = _ANY.read_json(path)
    if not isinstance(value, dict):
        raise _ANY.foreign(path)
    return value


def read_table(path: Path, columns: Collection[str]) -> pd.DataFrame:
    """An optional TSV with at least these columns; an empty frame where it is absent."""
    return read_tsv(path, columns, _TEXT) if path.is_file() else pd.DataFrame(columns=[*columns])


def read_scores(path: Path, kind: ScoreTable) -> pd.DataFrame:
    """An optional score file; an empty frame where it is absent."""
    return kind.read(path) if path.is_file() else kind.frame()
