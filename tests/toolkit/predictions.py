"""Rows of a prediction file that a test writes."""

from typing import Any

from genezip.tasks.base import Method, Predictions
from genezip.tasks.predictions import PredictionWriter


def add(writer: PredictionWriter, method: Method | None = None, **cells: Any) -> None:
    """Add rows, named as the fields of :class:`~genezip.tasks.base.Predictions`."""
    writer.add(Predictions(**cells), method)
