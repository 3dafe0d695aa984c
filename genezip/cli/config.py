"""``genezip config schema | show``."""

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Show the configuration and its schema.", no_args_is_help=True)


def register(root: typer.Typer) -> None:
    """Add these commands to the root command."""
    root.add_typer(app, name="config")


@app.command()
def schema() -> None:
    """Print the JSON schema of the configuration."""
    from genezip import config

    typer.echo(json.dumps(config.schema(), indent=2))


@app.command()
def show(files: Annotated[list[Path], typer.Argument(help="YAML files, later ones win.")]) -> None:
    """Check configuration files and print the merged result as JSON."""
    from genezip import config

    typer.echo(json.dumps(config.load(*files).model_dump(), indent=2))
