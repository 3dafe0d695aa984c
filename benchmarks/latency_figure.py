"""The figure of latency and peak memory against length, as the report draws it."""

from pathlib import Path

import pandas as pd

from genezip.artifacts.files import atomic_path, write_text
from genezip.report import style
from genezip.report.chapters.cost.latency import NAME, TITLE, draw
from genezip.report.drawing import XML


def write(table: pd.DataFrame, folder: Path) -> None:
    """``latency.svg`` and ``latency.png`` in a folder."""
    with style.applied():
        figure = draw(table)
        write_text(folder / f"{NAME}.svg", XML + style.svg(figure, NAME, TITLE))
        with atomic_path(folder / f"{NAME}.png") as temporary:
            figure.savefig(temporary, format="png", dpi=160)
