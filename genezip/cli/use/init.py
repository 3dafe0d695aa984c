"""``genezip init``: the folder of a run, without a checkout."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def init(
    folder: Annotated[Path, typer.Argument(help="New folder; . for the current one, if empty.")],
    scale: Annotated[
        Literal["demo", "full"],
        typer.Option(help="Settings to start from: minutes on a laptop, or the paper's."),
    ] = "demo",
) -> None:
    """Write a folder in which `snakemake` runs the workflow of this package.

    It gets a Snakefile and a config.yaml, which you edit. Results go to its
    folder results, downloaded files to resources.

    \b
    Example:
      genezip init my-run
    """
    from importlib.util import find_spec
    from shlex import quote

    from genezip.run_folder import CORES, write_run_folder

    write_run_folder(folder, scale)
    enter = "" if folder.resolve() == Path.cwd() else f"cd {quote(str(folder))} && "
    run = f"{enter}snakemake --cores {CORES[scale]}"
    typer.echo(f"{folder / 'config.yaml'} has the settings; {run} runs them")
    if find_spec("snakemake") is None:
        typer.echo("Snakemake is missing; install it: pip install 'genezip[workflow]'", err=True)
