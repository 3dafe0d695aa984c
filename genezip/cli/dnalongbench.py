"""``genezip dnalongbench fetch``; the other commands are in :mod:`genezip.cli.tasks`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from genezip.cli import options, tasks

app = typer.Typer(help="The tasks of DNALongBench.", no_args_is_help=True)
tasks.register(app)


def register(root: typer.Typer) -> None:
    """Add these commands to the root command."""
    root.add_typer(app, name="dnalongbench")


@app.callback()
def _noun() -> None:
    """The tasks of DNALongBench."""


@app.command()
def fetch(
    task: Annotated[str, typer.Argument(help="cmp, eqtl, etgp, tisp or rsap.")],
    out: Annotated[Path, typer.Option(help="Folder of all tasks.")] = Path(
        "resources/dnalongbench"
    ),
    only: Annotated[
        Literal["intervals", "all"],
        typer.Option(help="`intervals`: where validation and test inputs lie; `all` files."),
    ] = "intervals",
    plan: options.Plan = False,
    fetched: options.Fetched = None,
    sources: Annotated[Path, typer.Option(help="Table of sources.")] = Path(
        "resources/sources.tsv"
    ),
) -> None:
    """Fetch the files of one task; TASK.json or TASK.intervals.json is written last."""
    from genezip.tasks.deposits import fetch_task, plan_task

    fetched = options.fetched_folder(fetched)
    if plan:
        for line in plan_task(task, out, only, sources, fetched):
            typer.echo(line)
        return
    result = fetch_task(task, out, only, sources, fetched)
    typer.echo(f"dnalongbench: {task}, {only} -> {result}")
