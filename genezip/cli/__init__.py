"""The command line: nouns, then verbs; each command is a thin door to one function.

Modules import the package inside the commands, so ``genezip --help`` is instant.
"""

import sys
from typing import Annotated

import typer

from genezip.cli import (
    compress,
    config,
    corpus,
    evaluate,
    genome,
    heldout,
    leakage,
    models,
    pretrain,
    regions,
    report,
    tasks,
    tokenizer,
    weights,
)
from genezip.errors import GenezipError

app = typer.Typer(
    name="genezip",
    help="Region-aware compression of DNA (GeneZip).",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for _module in (
    genome,
    regions,
    corpus,
    leakage,
    pretrain,
    tokenizer,
    compress,
    evaluate,
    heldout,
    tasks,
    report,
    config,
    models,
    weights,
):
    _module.register(app)


def _show_version(value: bool) -> None:
    if value:
        from genezip import __version__

        typer.echo(f"genezip {__version__}")
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, help="Show the version.")
    ] = False,
) -> None:
    """Region-aware compression of DNA (GeneZip)."""
    from genezip.log import messages_to_stderr

    messages_to_stderr()


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a user's mistake is one sentence and exit status 1."""
    try:
        app(args=arguments)
    except GenezipError as error:
        sys.stderr.write(f"genezip: {error}\n")
        raise SystemExit(1) from None
