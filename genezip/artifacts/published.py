"""The paper's tables (GeneZip, arXiv 2602.17739v1) as CSV: the only source of published numbers."""

from pathlib import Path

FOLDER = Path(__file__).parent / "paper"


def published_table(name: str) -> Path | None:
    """The CSV of a table (``table3_eqtl``); None where the paper has none of that name."""
    path = FOLDER / f"{name}.csv"
    return path if path.is_file() else None
