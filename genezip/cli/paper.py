"""``genezip paper table | claims``: published numbers beside those of a run."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from genezip.cli import options

logger = logging.getLogger(__name__)

app = typer.Typer(
    help="Published tables beside the numbers of a run, with a verdict on each.",
    no_args_is_help=True,
)


@app.command()
def table(
    name: Annotated[str, typer.Argument(help="Name in `tables` of the configuration.")],
    settings: Annotated[
        str,
        typer.Option(help="This entry as JSON, or a YAML file with `tables`: config/tables.yaml."),
    ],
    reference: Annotated[str, typer.Option(help="Model of the report.")],
    control: Annotated[str, typer.Option(help="Its uniform control.")],
    run: Annotated[list[str], typer.Option(help="MODEL.seedN of the run; repeat for more.")],
    out: Annotated[Path, typer.Option(help="Table to write (TSV; Markdown beside it).")],
    folder: Annotated[
        Path, typer.Option(help="Folder of the run, which holds `results`.")
    ] = Path(),
    result: Annotated[
        list[str] | None,
        typer.Option(help="Result file of the run, relative to --folder; repeat for more."),
    ] = None,
    scale: options.Scale = "full",
) -> None:
    """Set one published table beside the numbers of a run.

    \b
    Example:
      genezip paper table table6 --settings config/tables.yaml \\
        --folder runs/demo --result results/compress/compression.tsv \\
        --run genezip-tiny.seed0 --run hnet-tiny.seed0 --scale demo \\
        --reference genezip-tiny --control hnet-tiny --out table6.tsv
    """
    from genezip import config
    from genezip.errors import GenezipError
    from genezip.report import paper

    if settings.lstrip().startswith("{"):
        chosen = config.settings(config.PaperTable, settings)
    else:
        tables = config.read_yaml(settings).get("tables") or {}
        if name not in tables:
            known = ", ".join(tables) or "none"
            raise GenezipError(f"{settings} has no table {name!r}; it has {known}")
        chosen = config.parse(config.PaperTable, tables[name], f"{settings}, tables.{name}")
    files = {path: folder / path for path in result or ()}
    for path in files.values():
        if not path.is_file():
            raise GenezipError(f"{path} does not exist; make it with snakemake --cores 2 {path}")
    made = paper.Run(files, run, reference, control, scale)
    rows = paper.compare(name, chosen, made)
    paper.write(chosen, rows, out)
    counts = rows["verdict"].value_counts()
    logger.info(f"{out}: {', '.join(f'{count} {name}' for name, count in counts.items())}")


@app.command()
def claims(
    table: Annotated[
        list[Path], typer.Option(help="Table of `genezip paper table`; repeat for more.")
    ],
    out: Annotated[Path, typer.Option(help="All rows together (TSV).")],
) -> None:
    """Join the tables: one row for each published number and comparison, with its verdict.

    \b
    Example:
      genezip paper claims --table table1.tsv --table table6.tsv --out claims.tsv
    """
    import pandas as pd

    from genezip.artifacts.tables import write_tsv
    from genezip.report import paper

    rows = pd.concat([paper.read_claims(path) for path in table], ignore_index=True)
    write_tsv(out, rows)
    logger.info(f"{out}: {len(rows):,} published numbers and comparisons")
