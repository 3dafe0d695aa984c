"""``genezip report``."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from genezip.cli import options

logger = logging.getLogger(__name__)


def _list_figures(asked: bool) -> None:
    """Print the names of the figures in the order of the page, and stop."""
    if asked:
        from genezip.report.chapters import FIGURES

        typer.echo("\n".join(FIGURES))
        raise typer.Exit


def report(
    results: Annotated[Path, typer.Option(help="The results folder of a run.")],
    settings: Annotated[str, options.section("report")],
    out: Annotated[Path, typer.Option(help="The page (HTML).")],
    figures: Annotated[Path, typer.Option(help="Folder for the figures (SVG and TSV).")],
    scale: options.Scale = "full",
    source: Annotated[
        Path | None, typer.Option(help="source.json of the run, for the list of data files.")
    ] = None,
    evaluation: Annotated[
        str | None, typer.Option(help="Config section `evaluation`, for the text on intervals.")
    ] = None,
    corpus: Annotated[
        Path | None,
        typer.Option(help="manifest.json of the corpus, if the folder has several."),
    ] = None,
    run: Annotated[
        list[str] | None,
        typer.Option(help="MODEL.seedN of this run (repeat); others in the folder are omitted."),
    ] = None,
    table: Annotated[
        list[str] | None,
        typer.Option(help="Table of a DNALongBench task to show (repeat)."),
    ] = None,
    labels: Annotated[
        list[str] | None, typer.Option(help="Part on real labels to show (repeat).")
    ] = None,
    label_files: Annotated[
        Path | None,
        typer.Option(help="labels.json of `genezip labels fetch`, for the list of files."),
    ] = None,
    claims: Annotated[
        Path | None, typer.Option(help="Table of `genezip paper claims`, to show.")
    ] = None,
    list_figures: Annotated[
        bool,
        typer.Option(
            "--list",
            help="Print the names of the figures, one a line, and stop.",
            is_eager=True,
            callback=_list_figures,
        ),
    ] = False,
) -> None:
    """Write the report as one self-contained page, and every figure as SVG with its numbers.

    \b
    Example:
      genezip report --results runs/demo/results --scale demo \\
        --settings config/demo.yaml --out report.html --figures figures
    """
    from genezip import config
    from genezip.errors import GenezipError
    from genezip.report.chapters.tasks.benchmarks import VIEWS
    from genezip.report.page import write_report
    from genezip.report.results import load

    files = [(name, results / "tables" / f"{name}.tsv") for name in table or ()]
    unknown = [name for name, path in files if name not in VIEWS and not path.is_file()]
    if unknown:
        raise GenezipError(
            f"there is no table {unknown[0]!r}, neither a known name nor a file in "
            f"{results / 'tables'}; use {', '.join(VIEWS)}"
        )
    how = config.settings(config.Evaluation, evaluation) if evaluation else None
    chosen = config.settings(config.Report, settings)
    shown = (table, labels, label_files, claims)
    loaded = load(results, chosen, scale, source, how, run, corpus, *shown)
    size = write_report(loaded, out, figures)
    logger.info(f"{out}: {size / 1e6:.1f} MB, figures in {figures}")
