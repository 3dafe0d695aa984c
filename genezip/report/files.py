"""Reading result files: JSON objects and TSV tables; what is wrong with one is one sentence."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from genezip.errors import GenezipError

TIDY_TEXT = ("model", "task", "subset", "region", "split", "strand", "metric", "unit")

LEAKAGE_COLUMNS = {"check", "split", "against", "windows", "bp", "touched_bp", "verdict"}
HOMOLOGY_COLUMNS = {"chrom", "counting", "k", "sample", "kmers", "share"}
TASK_TABLES = ("table2_contact_map", "table3_eqtl", "table7_etgp", "tisp", "rsap")
TASK_COLUMNS = {
    *("subset", "model", "origin", "seed", "input", "mode", "rule", "split", "metric", "value"),
    *("ci_low", "ci_high", "n", "positives", "unit", "paper", "difference", "note"),
}
TABLE5_COLUMNS = {"corpus", "split", "region", "pct", "paper_pct", "difference_pct"}


def need(path: Path) -> Path:
    """The path of a file that must be there; an error says how to get it."""
    if not path.is_file():
        raise GenezipError(f"{path} does not exist; run the stage that writes it first")
    return path


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; a missing or damaged file is one sentence."""
    try:
        value = json.loads(need(path).read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise GenezipError(f"{path} is not valid JSON: {error}; write it again") from None
    if not isinstance(value, dict):
        raise GenezipError(f"{path} holds no JSON object; write it again")
    return value


def read_table(path: Path, columns: set[str], required: bool = False) -> pd.DataFrame:
    """A TSV with at least these columns; an absent optional file is an empty frame."""
    if not required and not path.is_file():
        return pd.DataFrame(columns=sorted(columns))
    text = dict.fromkeys((*TIDY_TEXT, "chrom", "gene_name"), str)
    try:
        frame = pd.read_csv(need(path), sep="\t", dtype=text)
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise GenezipError(f"{path} is not a readable TSV: {error}; write it again") from None
    missing = columns - set(frame.columns)
    if missing:
        raise GenezipError(f"{path} lacks the columns {', '.join(sorted(missing))}; write it again")
    return frame
